"""The tree of errors: drawn in one docstring, and every class of it stands there with its exit code."""

from __future__ import annotations

import inspect
import re

from benchcast.core import errors


def test_every_error_stands_in_the_tree_with_its_exit_code_under_its_parent() -> None:
    drawn: dict[str, tuple[int, str]] = {}
    stack: list[str] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        if match := re.fullmatch(r"    ([ │├└─]*)(\w+Error)(?: +(\d+) +| {5,}|$).*", line):
            depth = len(match[1]) // 4
            stack = [*stack[:depth], match[2]]
            drawn[match[2]] = (int(match[3] or 0), stack[depth - 1] if depth else "")
    classes = {name: one for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, Exception)}
    assert set(drawn) - {"ValueError"} == set(classes)
    for name, one in classes.items():
        code, parent = drawn[name]
        assert one.__bases__[0].__name__ == (parent or "Exception"), name
        if issubclass(one, errors.BenchcastError):
            assert one.exit_code == (code or errors.CheckpointError.exit_code), name


def test_no_other_module_of_the_package_makes_an_error_of_its_own() -> None:
    """But the two of the ground, which imports nothing of the package above it."""
    import ast
    from pathlib import Path

    root = Path(__file__).parents[3]
    made = {
        node.name
        for folder in ("pipeline", "stages", "reports")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "").endswith("Error") for base in node.bases)
    }
    assert made == {name for name in vars(errors) if name.endswith("Error")} - {"BenchcastError"} | {
        "FitError",
        "NotASweepError",
        "ReportError",
    }
