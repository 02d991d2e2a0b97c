"""What is wrong with a config, as pydantic found it, as a fault for whoever wrote it: where, what, what to do."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .errors import Fault
from .plugins import plugins

RECIPES = tuple(plugins("forecasting.recipes", "RECIPE"))
GUESSED = 100  # wrong keys for which a right one is looked for


MOST_FILES = 1000  # of a folder that are looked at for a name that was meant
MISSING = {  # what to write where a whole section is missing
    "data": "such as data: {source: table, path: ladder.csv}; benchcast init writes a config from your results",
    "targets": "such as targets: [{name: big, params: 7B, tokens: 1.4T}]",
    "score": "configs/score.yaml shows one; benchcast init writes one from a folder of checkpoints",
    "flops": "such as flops: 3.8e25; configs/plan.yaml shows a config of plan",
    "reevaluate": "configs/nightly.yaml shows one",
}
MEANT = {"csv": "table", "parquet": "table", "excel": "table", "lm-evaluation-harness": "lm_eval", "hf": "lm_eval"}


def no_config(path: Path, what: str) -> Fault:
    """A fault of a path that cannot be a config: what it is instead, and the command or file that was meant."""
    if path.is_dir():
        return Fault(str(path), "is a folder, no config", f"write a config from it: benchcast init {path}")
    if path.suffix.lower() in (".csv", ".parquet", ".tsv", ".gz"):
        return Fault(str(path), "is a table, no config", f"write a config for it: benchcast init {path}")
    if path.suffix.lower() in (".json", ".jsonl"):
        return Fault(str(path), "is no config", f"write one from the folder of results: benchcast init {path.parent}")
    fix = "benchcast init writes a config; see configs/"
    if not path.exists():
        places = [path.parent, Path("configs")]
        here = [file for place in places for file in islice(place.glob("*.y*ml"), MOST_FILES)]
        near = difflib.get_close_matches(path.name, [file.name for file in here], 1, 0.75)
        meant = next((file for file in here if near and file.name == near[0]), None)
        return Fault(str(path), "cannot be read: there is no such file", f"did you mean {meant}?" if meant else fix)
    return Fault(str(path), what, "" if what.startswith("cannot be read: line") else fix)


def fault(path: Path, kind: type[BaseModel], raw: Any, error: dict[str, Any], *, guess: bool) -> Fault:
    """One error of pydantic's, at its key; ``guess`` looks for the key that an unknown one was meant to be."""
    keys = [k for k in error["loc"] if not (isinstance(k, str) and _is_tag(k, raw, error["loc"]))]
    where = f"{path}: " + ("".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in keys).lstrip(".") or "(file)")
    if error["type"] == "missing":
        return Fault(where, "is missing", MISSING.get(str(keys[0]), "") if len(keys) == 1 else "")
    if error["type"] == "extra_forbidden":
        wrong = str(error["loc"][-1])
        near = difflib.get_close_matches(wrong, [n for n in _names(kind) if n != wrong], 1) if guess else []
        return Fault(where, "is not a known key", f"did you mean {near[0]!r}?" if near else "remove it")
    return Fault(where, *_wrong(str(keys[-1]) if keys else "", error))


def _wrong(key: str, error: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with a value, and what to write instead."""
    given, kind, context = error.get("input"), error["type"], error.get("ctx", {})
    what = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    plain = not isinstance(given, dict | list)
    if kind == "union_tag_invalid":
        known = str(context.get("expected_tags", "")).replace("'", "").split(", ")
        return f"{context.get('tag')!r} is none of {', '.join(known)}", _near(str(context.get("tag")), known)
    if kind == "literal_error" and plain:
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"{given!r} is none of {', '.join(known)}", _near(str(given), known)
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        sample = MISSING.get(key, "").partition(";")[0] or f"such as {key}: {{…}}"
        return f"{given!r:.100}: must be a mapping" if plain else "must be a mapping", sample
    if kind == "tuple_type":
        return "must be a list", MISSING.get(key, "") or "in [ ], or a line with - for each"
    if kind in ("float_parsing", "int_parsing"):
        return f"{given!r}: is not a number", "write 7e9 or 7B"
    most = context.get("lt", context.get("le"))
    if kind in ("less_than", "less_than_equal") and most == 1 and isinstance(given, int | float) and 1 < given < 100:
        return f"{given!r}: {what}", f"a fraction: write {given / 100:g}"
    return what if not plain or what.startswith(repr(given)) else f"{given!r}: {what}", ""


def _near(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, 1)
    meant = MEANT.get(wrong.lower()) or (near[0] if near else None)
    return f"did you mean {meant}?" if meant in known else ""


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
