"""A result as one self-contained web page: no network, no framework, the data inside it.

Names may be anything: data is JSON in which nothing can end the element that holds it, the script only ever sets text,
and a content security policy lets the browser run this package's script and style and no other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..figures.forest import look
from ..sections import content, decision, news
from ..sections.content import Content
from ..text import wording as w

TEMPLATE = Path(__file__).parent / "templates" / "page.html"
DASHES = ("", "7 3", "2 3", "9 3 2 3")
# What could end the element, start a comment or a script in it, or break a line where JavaScript sees one.
ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
Record = Mapping[str, Any]


def page_bytes(result: Record, latest: Record | None = None) -> bytes:
    """The page, UTF-8; the same result gives the same bytes. ``latest`` is what ``sections.news.section`` takes."""
    c = Content(result)
    template = TEMPLATE.read_text("utf-8")
    style, script = (_between(template, f"<{tag}>", f"</{tag}>") for tag in ("style", "script"))
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    filled = template.replace("{{POLICY}}", policy).replace("{{TITLE}}", html.escape(_title(c)))
    before, after = filled.split("{{DATA}}")  # last, and not by replace: the data may say anything
    return (before + embedded(data(c) | {"news": news.section(latest) if latest else None}) + after).encode(
        "utf-8", "replace"
    )


def _title(c: Content) -> str:
    return w.clean(c.result["title"], 160).replace("{{", "{ {") or "Benchcast report"


def _between(text: str, start: str, end: str) -> str:
    return text.split(start, 1)[1].split(end, 1)[0]


def _hash(text: str) -> str:
    """A source expression of a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(value: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


def data(c: Content) -> dict[str, Any]:
    """Everything the page shows, names already on one line."""
    looks = [(recipe, look(recipe)[0], dash) for recipe, dash in zip(c.recipes, DASHES * 9, strict=False)]
    return {
        "title": _title(c),
        "question": content.question(c),
        "dangers": decision.dangers(c),
        "decision": decision.facts(c),
        "level": c.level,
        "recipes": [{"name": content.recipe_name(r), "colour": colour, "dash": dash} for r, colour, dash in looks],
        "tasks": [_task(c, family, task) for family, task in c.pairs],
        "rows": [_row(c, key) for key in c.groups],
        "notes": content.notes(c),
        "facts": content.provenance(c)["facts"]["rows"],
    }


def _task(c: Content, family: str, task: str) -> dict[str, Any]:
    """One entry of the task list: what was measured, and the forecasts along compute."""
    key = (family, task)
    sweeps = [s for s in c.result.get("sweeps", ()) if (s["family"], s["task"]) == key]
    measured = next((s for s in c.result.get("scores", ()) if (s["family"], s["task"]) == key), None)
    return {
        "label": w.clean(c.pair_name(key)),
        "chance": None if measured is None else w.finite(measured["chance"]),
        "runs": _runs(c, measured) if measured else [],
        "sweeps": [_sweep(c, s) for s in sweeps],
    }


def _runs(c: Content, measured: Record) -> list[dict[str, Any]]:
    """The measured runs of a task, with their sizes."""
    known = {run["run"]: run for run in c.result["ladder"]}
    return [
        {"name": w.clean(run), "y": accuracy, **{k: known[run][k] for k in ("params", "tokens", "flops", "role")}}
        for run, accuracy in zip(measured["runs"], measured["accuracy"], strict=True)
        if run in known and w.finite(accuracy) is not None
    ]


def _sweep(c: Content, sweep: Record) -> dict[str, Any]:
    series = {key: [w.finite(v) for v in sweep[key]] for key in ("forecast", "low", "high", "direct")}
    return {
        "recipe": c.recipes.index(sweep["recipe"]),
        "m": sweep["token_multiplier"],
        "flops": list(sweep["flops"]),
    } | series


def _row(c: Content, key: content.Key) -> dict[str, Any]:
    """One line of the table of forecasts: a task and a target, the recipes side by side."""
    group = c.groups[key]
    family, task, target = key
    return {
        "task": c.pairs.index((family, task)),
        "target": w.clean(target),
        "cells": [_cell(c, next((f for f in group if f["recipe"] == recipe), None)) for recipe in c.recipes],
        "direct": w.finite(group[0]["baselines"]["direct"]),
        "carried": w.finite(group[0]["baselines"]["carry_forward"]),
        "actual": w.finite(group[0]["actual"]),
    }


def _cell(c: Content, f: Record | None) -> dict[str, Any] | None:
    if f is None:
        return None
    marks = sorted({c.notes[note] for note in content.notes_of(f)})
    return {key: w.finite(f[key]) for key in ("forecast", "low", "high")} | {"notes": marks, "grade": f.get("grade")}
