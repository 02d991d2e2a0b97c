"""Page one for those who decide: the answer of each task with its grade, what it costs, what could make it wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchcast.stages.notices import read_all

from ..records.forecast import Forecast
from ..text import wording as w
from ..text.numbers import brief, finite, percent, ratio, scientific
from ..text.table import Column, Row, Table, table
from ..text.wording import NAME
from .content import ANSWER, Content, inside

BESIDE = 14  # more answers than these are set in two columns
MOST = 44  # answers on page one
DANGERS = 7
FEW_REFUSED = 12  # more answers without a number than these are counted, not listed
MANY, FEWER, LOW = 28, 3, 2.3  # beyond so many answers: fewer lines below them, and a figure of so many inches
NAMED = 4  # tasks or targets listed by name in a sentence
GRADES = {
    "A": "expected to miss by at most 2 points",
    "B": "by at most 4",
    "C": "by more, or farther beyond the ladder than tested, or in the backtest no better than the largest run",
    "D": "a forecast from this ladder could not be trusted, so none is given",
}
NOT_LOOKED_UP = "Registered: not looked up (run or report with --register FILE)."
UNCOVERED = (
    "Any change between ladder and target that the table does not show (data mix, annealing, tokenizer, prompt) is in "
    "no interval."
)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The graded answers of page one.

    ``known``: whether any of their scores was measured. ``more``: answers that page one has no room for, ``left_out``:
    those without a number, where these are many. ``reasons`` say why there is no number.
    """

    tables: tuple[Table, ...]
    known: bool
    more: int
    left_out: int
    grades: str
    legend: str
    reasons: tuple[str, ...]


def answers(c: Content) -> Answers | None:
    """The table of answers in one or two columns, or None where no recipe grades its forecasts."""
    rows = chosen(c)
    if not rows:
        return None
    listed_ = listed(c)
    shown = listed_[:MOST]
    half = (len(shown) + 1) // 2 if len(shown) > BESIDE else len(shown)
    parts = [part for part in (shown[:half], shown[half:]) if part]
    return Answers(
        tables=tuple(_answers(c, part, narrow=len(parts) > 1) for part in parts),
        known=any(finite(f.actual) is not None for f in rows),
        more=len(listed_) - len(shown),
        left_out=len(rows) - len(listed_),
        grades=_grades(rows),
        legend="; ".join(f"{letter}: {words}" for letter, words in GRADES.items()) + ".",
        reasons=tuple(_refusals(c, rows)),
    )


def chosen(c: Content) -> list[Forecast]:
    """The graded forecasts, tasks together."""
    return [f for group in c.groups.values() for f in group if f.recipe == ANSWER and f.grade is not None]


def listed(c: Content) -> list[Forecast]:
    """The answers that page one lists: without those that have no number, where these are many."""
    rows = chosen(c)
    numbers = [f for f in rows if finite(f.forecast) is not None]
    return numbers if len(rows) - len(numbers) > FEW_REFUSED else rows


def _answers(c: Content, rows: Sequence[Forecast], narrow: bool) -> Table:
    known = any(finite(f.actual) is not None for f in chosen(c))
    columns: list[Column] = [("Task", "l", 3.3 if narrow else 4.5), ("Forecast", "r", 1.9), ("Grade", "c", 0.9)]
    columns += [("Largest", "r", 1.0)] + [("Measured", "r", 1.3)] * known
    cells: list[Row] = []
    for f in rows:
        name = c.label((f.family, f.task, f.target), 28 if narrow else 60)
        measured = [percent(f.actual) + " ✗" * (inside(f) == "out")] * known
        cells.append([name, _forecast(f), f.grade, percent(f.baselines.carry_forward), *measured])
    return table(columns, cells)


def _forecast(f: Forecast) -> str:
    """``61.2 (58–64)``."""
    if finite(f.forecast) is None or f.low is None or f.high is None:
        return "none"
    return f"{percent(f.forecast)} {brief(f.low, f.high)}"


def _grades(rows: Sequence[Forecast]) -> str:
    """``5 A, 12 B, 8 C``."""
    counts = {letter: sum(f.grade == letter for f in rows) for letter in GRADES}
    return ", ".join(f"{n} {letter}" for letter, n in counts.items() if n)


def _refusals(c: Content, rows: Sequence[Forecast]) -> list[str]:
    """Why there is no number, reason by reason; a forecast may be refused for several."""
    refused: dict[str, list[Forecast]] = {}
    for f in rows:
        if f.grade == "D":
            for reason in f.reasons or read_all(("too little data",)):
                refused.setdefault(w.summary(reason), []).append(f)
    ordered = sorted(refused.items(), key=lambda item: -len(item[1]))
    return [f"No number for {_who(c, part)}: {why}." for why, part in ordered[: _lines(rows)]]


def dangers(c: Content) -> list[str]:
    """What could make the answers wrong: the warnings of the graded forecasts, most frequent first."""
    rows = chosen(c)
    warned: dict[str, list[Forecast]] = {}
    ranks: dict[str, int] = {}
    for f in rows:
        notes = {w.clean(note): note.page_one for note in f.notes if note.page_one is not None}
        for note, rank in (notes | {cap: notes.get(cap, 1) for cap in _caps(f)}).items():
            ranks.setdefault(note, rank)
            warned.setdefault(note, []).append(f)
    ordered = sorted(warned.items(), key=lambda item: (ranks[item[0]], -len(item[1])))
    lines = [f"{note[:1].upper()}{note[1:]}: {_who(c, part)}." for note, part in ordered[: _lines(rows)]]
    more = len(ordered) - _lines(rows)
    return [*lines, *([f"{more} rarer warnings are in the notes."] if more > 0 else []), UNCOVERED] if rows else []


def _caps(f: Forecast) -> list[str]:
    """What lowered a grade beyond the expected miss, unless a warning says it already."""
    if f.grade == "D":
        return []
    reasons = [reason for reason in f.reasons if reason.page_one is not None]
    return [w.summary(reason) for reason in reasons if reason.code not in f.codes]


def _lines(rows: Sequence[Forecast]) -> int:
    """How many warnings page one has room for."""
    return FEWER if len(rows) > MANY else DANGERS


def _who(c: Content, rows: Sequence[Forecast]) -> str:
    """Which forecasts, in words."""
    graded = chosen(c)
    if len(rows) == len(graded):
        return "every forecast"
    tasks, targets = list(dict.fromkeys(f.task for f in rows)), list(dict.fromkeys(f.target for f in rows))
    all_targets = {f.target for f in graded}
    if len(all_targets) > 1 and len(targets) <= NAMED and _whole(rows, graded, targets):
        return _list(targets)
    if len(tasks) <= NAMED:
        where = "" if set(targets) == all_targets else f" ({_list(targets)})" if len(targets) <= NAMED else ""
        return _list(tasks) + where
    return f"{len(rows)} of {len(graded)} forecasts"


def _whole(rows: Sequence[Forecast], graded: Sequence[Forecast], targets: Sequence[str]) -> bool:
    """Whether these are all the forecasts of these targets."""
    return len(rows) == sum(f.target in targets for f in graded)


def _list(names: Iterable[str]) -> str:
    return ", ".join(w.clean(name, NAME) for name in names)


def facts(c: Content) -> list[str]:
    """Cost, and whether the forecasts are on the record."""
    return [*_cost(c), *_registered(c)]


def _cost(c: Content) -> list[str]:
    fitted = [run.flops for run in c.result.ladder if run.role == "fit"]
    largest = max(c.forecasts, key=lambda f: f.flops, default=None)
    if not fitted or largest is None:
        return []
    spent = sum(fitted)
    return [
        f"Cost: the {len(fitted)} runs of the ladder took {scientific(spent)} FLOPs together; "
        f"{w.clean(largest.target, NAME)} takes {scientific(largest.flops)}, "
        f"{ratio(largest.flops / spent)} times that."
    ]


def _registered(c: Content) -> list[str]:
    """Yes with date and hash, no, or in part."""
    record = c.result.registered
    if record is None:
        return [NOT_LOOKED_UP]
    count, total = record.count, len(c.forecasts)
    if not count:
        return ["Registered: no. Nothing shows that these forecasts were made before the scores were known."]
    share = "yes" if count == total else f"{count} of {total} forecasts"
    return [f"Registered: {share}, on {record.time[:10]} (record {record.hash[:12]})."]
