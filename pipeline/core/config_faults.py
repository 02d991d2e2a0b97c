"""What is wrong with a config, as pydantic found it, as a fault for whoever wrote it: where, what, what to do."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .errors import Fault
from .plugins import plugins

RECIPES = tuple(plugins("forecasting.recipes", "RECIPE"))
GUESSED = 100  # wrong keys for which a right one is looked for


def fault(path: Path, kind: type[BaseModel], raw: Any, error: dict[str, Any], *, guess: bool) -> Fault:
    """One error of pydantic's, at its key; ``guess`` looks for the key that an unknown one was meant to be."""
    keys = [k for k in error["loc"] if not (isinstance(k, str) and _is_tag(k, raw, error["loc"]))]
    where = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in keys).lstrip(".") or "(file)"
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "missing":
        what = "is missing"
    elif error["type"] == "extra_forbidden":
        wrong = str(error["loc"][-1])
        near = difflib.get_close_matches(wrong, [n for n in _names(kind) if n != wrong], 1) if guess else []
        return Fault(f"{path}: {where}", "is no known key", f"did you mean {near[0]!r}?" if near else "remove it")
    elif not isinstance(error.get("input"), dict | list):
        what = f"{error.get('input')!r}: {what}"
    return Fault(f"{path}: {where}", what)


def _is_tag(key: str, raw: Any, loc: tuple[Any, ...]) -> bool:
    """Whether a part of an error's path names a branch of a union instead of a key of the file."""
    node = raw
    for part in loc:
        if part == key:
            return not (isinstance(node, dict) and key in node) and key in (
                *RECIPES,
                "float",
                "tuple[float, float]",
                "literal['chance']",
                "function-after[_finite_positive(), float]",
            )
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return "[" in key or "(" in key
    return False


def _names(kind: type[BaseModel]) -> list[str]:
    """Every key a config may have, at any depth."""
    schema = kind.model_json_schema()
    names = list(schema.get("properties", {}))
    for part in schema.get("$defs", {}).values():
        names += list(part.get("properties", {}))
    return names
