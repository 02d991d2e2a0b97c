"""The imports of the packages, read from the source: which wing draws on which, upward arrows and circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Place = tuple[str, ...]  # of a module, below ``benchcast``
Arrows = dict[Place, set[Place]]

TOPS = {"pipeline": (), "stages": ("stages",), "reports": ("reports",)}


def module_name(path: Path, root: Path) -> Place:
    """``pipeline/core/errors.py`` -> ("core", "errors"): the module's place below ``benchcast``."""
    top, *rest = path.relative_to(root).with_suffix("").parts
    parts = (*TOPS[top], *rest)
    return parts[:-1] if parts[-1:] == ("__init__",) else parts


def modules(root: Path) -> dict[Place, Path]:
    """Every module of the three folders, by its place below ``benchcast``."""
    return {module_name(p, root): p for top in TOPS for p in sorted((root / top).rglob("*.py"))}


def imported(path: Path, name: Place) -> Iterator[Place]:
    """Places that a file imports, those inside functions and for types alone too."""
    package = name if path.name == "__init__.py" else name[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(a.name.split(".")[1:]) for a in node.names if a.name.split(".")[0] == "benchcast")
        elif isinstance(node, ast.ImportFrom):
            module = tuple((node.module or "").split(".")) if node.module else ()
            if node.level:
                base = package[: len(package) - node.level + 1] + module
            elif module[:1] == ("benchcast",):
                base = module[1:]
            else:
                continue
            yield from ((*base, alias.name) for alias in node.names)


def imports(root: Path) -> Arrows:
    """Every file of the house with the files that it imports."""
    known = modules(root)
    arrows: Arrows = {name: set() for name in known}
    for name, path in known.items():
        for target in imported(path, name):
            place = target if target in known else target[:-1]  # a module, or a name in one
            if place in known and place != name:
                arrows[name].add(place)
    return arrows


def wing(name: Place) -> str:
    """``stages.laws`` or ``core``: the folder that the rule speaks of; a file beside the folders is its own wing."""
    return ".".join(name[: 2 if name[:1] in (("stages",), ("reports",)) else 1])


def forbidden(arrows: Arrows, allowed: dict[str, set[str]]) -> list[str]:
    """Arrows between wings that the rule does not allow, as ``file -> file``."""
    return sorted(
        f"{'.'.join(a)} -> {'.'.join(b)}"
        for a, targets in arrows.items()
        for b in targets
        if wing(a) != wing(b) and wing(b) not in allowed.get(wing(a), set())
    )


def circle(arrows: Arrows) -> list[str]:
    """Files that import each other in a loop, one loop; empty where there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return [".".join(name) for name in error.args[1]]
    return []
