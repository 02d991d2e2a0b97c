"""The rows of a backtest: worded here once, for the PDF and a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ..records.forecast import BacktestSummary
from .numbers import percent
from .table import Table


def overall(t: BacktestSummary) -> bool:
    """Whether it is over all distances."""
    return t.ratio_high is None and t.ratio_low <= 1


def scores(t: BacktestSummary) -> list[str]:
    """Miss, miss of carrying the largest score forward, coverage, width, interval score."""
    return [percent(v) for v in (t.error, t.carry_error, t.coverage, t.width, t.interval_score)]


def distance(t: BacktestSummary) -> str:
    """A bin of the extrapolation ratio, for the PDF."""
    if overall(t):
        return "any"
    return f"{t.ratio_low:g} to {t.ratio_high:g}×" if t.ratio_high else f"≥ {t.ratio_low:g}×"


def tested(rows: Sequence[BacktestSummary]) -> Table:
    """A row per task and bin of the extrapolation ratio, for a terminal."""
    head = ("family", "task", "beyond", "n", "miss", "carried forward", "inside", "width", "score", "delta method")
    cells = [[t.family, t.task or "all tasks", _beyond(t), str(t.n), *scores(t), percent(t.delta_score)] for t in rows]
    return Table(head=head, rows=tuple(cells), align="llrrrrrrrr", title="Backtest, scores in percent")


def _beyond(t: BacktestSummary) -> str:
    if overall(t):
        return "all"
    return f"{t.ratio_low:g}–{t.ratio_high:g}x" if t.ratio_high else f"{t.ratio_low:g}x and more"
