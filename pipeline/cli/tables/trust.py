"""Tables of the commands about trust."""

from __future__ import annotations

from collections.abc import Sequence

from benchcast.reports.records.account import listed
from benchcast.reports.records.forecast import BacktestSummary
from benchcast.reports.records.settlement import Settlement
from benchcast.reports.text import backtest_table, settlement_table
from benchcast.reports.text.numbers import DASH, brief, count, percent, typed
from benchcast.reports.text.table import Row, Table, as_rich

from ...forecasting.questions import ComputeRequirement, FamilyComparison, RunSuggestion
from .forecast import console, say

MOST = 60
NARROW = 125  # columns of a terminal


def tested(rows: Sequence[BacktestSummary]) -> None:
    """Backtest: a row per task and bin of the extrapolation ratio; all tasks first."""
    console().print(as_rich(backtest_table.tested(rows[:MOST])))
    _rest(len(rows))
    say(
        "score: Winkler's interval score (width and fine for misses), smaller is better; beside it the same of the "
        "heaviest form's delta-method interval"
    )


def needed(rows: Sequence[ComputeRequirement]) -> None:
    """Compute that a score needs; what no budget reaches is said in words, first where that is all of it."""
    unreached = [n for n in rows if n.flops is None]
    if unreached and len(unreached) == len(rows):
        say(_unreached(unreached))
    head = ("family", "task", "score", "FLOPs", "interval", "N", "D", "grade")
    _print("Compute needed", head, "llrrrrrr", [_needed(n) for n in rows])
    if 0 < len(unreached) < len(rows):
        say(_unreached(unreached))


def _unreached(rows: Sequence[ComputeRequirement]) -> str:
    """``90 % is not reached on q: …``; the budgets that were tried differ by family."""
    most = max(n.searched[1] for n in rows)
    tasks = listed(list(dict.fromkeys(n.task for n in rows)), 6)
    return (
        f"{percent(rows[0].accuracy)} % is not reached on {tasks} at any budget up to {typed(most)} FLOPs, the largest "
        "tried. Ask for a lower score, or add larger runs to the ladder."
    )


def _needed(n: ComputeRequirement) -> Row:
    high = typed(n.high) if n.high is not None else f"beyond {typed(n.searched[1])}"
    ends = DASH if n.low is None else f"{typed(n.low)} to {high}"
    sizes = [typed(n.flops), ends, count(n.params), count(n.tokens)]
    return [n.family, n.task, percent(n.accuracy), *sizes, n.grade or DASH]


def compared(rows: Sequence[FamilyComparison]) -> None:
    """Probability that one family beats another."""
    cells: list[Row] = []
    for c in rows:
        pairs = zip(c.forecast, c.interval, strict=True)
        both = [f"{percent(value)} {brief(low, high)}" for value, (low, high) in pairs]
        cells.append([c.task, *both, f"{c.probability:.2f}", "/".join(g or DASH for g in c.grades)])
    _print("Which is better at the target", ("task", "A", "B", "P(A > B)", "grades"), "lrrrr", cells)


def suggested(rows: Sequence[RunSuggestion]) -> None:
    """Runs to add."""
    head = ("family", "task", "target", "N", "D", "FLOPs", "takes off the standard error")
    cells: list[Row] = [
        [s.family, s.task, s.target, count(s.params), count(s.tokens), typed(s.flops), f"{100 * s.shrinks:.0f} %"]
        for s in rows[:MOST]
    ]
    _print("Runs to add", head, "lllrrrr", cells)
    _rest(len(rows))


def settlement(outcome: Settlement) -> None:
    """How registered forecasts fared."""
    console().print(as_rich(settlement_table.every(outcome, MOST)))
    _rest(len(outcome.settled))
    say(
        f"mean miss {percent(outcome.mean_error)} points (a refused task counts with its baseline); "
        f"{outcome.refused} refused, {outcome.open} still open; inside: {percent(outcome.coverage)} %"
    )
    for note in outcome.notes:
        say(note)


def _print(title: str, head: tuple[str, ...], align: str, rows: Sequence[Row]) -> None:
    console().print(as_rich(Table(head=head, rows=tuple(rows), align=align, title=title)))


def _rest(count: int) -> None:
    if count > MOST:
        console().print(f"… and {count - MOST} more rows with --json")


def is_narrow() -> bool:
    """Whether the terminal has no room for a table of twelve columns."""
    return console().width < NARROW


def answered(made: Table) -> None:
    """A table whose first note is the answer, which comes first; the others stand below it."""
    first, *rest = made.notes
    say(first)
    console().print(as_rich(made))
    for line in rest:
        say(line)
