"""Tables of the commands about trust."""

from __future__ import annotations

from collections.abc import Sequence

from benchcast.reports.records.forecast import BacktestSummary
from benchcast.reports.records.settlement import Settlement
from benchcast.reports.text.tables import percent as _percent
from rich.table import Table

from ...forecasting.questions import Compared, Needed, Suggested
from .forecast import _console, shown

MOST = 60


def tested(found: Sequence[BacktestSummary]) -> None:
    """Backtest: a row per task and bin of the extrapolation ratio; all tasks first."""
    table = _table(
        "Backtest, accuracies in percent",
        "family",
        "task",
        "beyond",
        "n",
        "miss",
        "carry fwd",
        "inside",
        "width",
        "score",
        "delta method",
    )
    for t in found[:MOST]:
        beyond = f"{t.ratio_low:g}–{t.ratio_high:g}x" if t.ratio_high else f"{t.ratio_low:g}x and more"
        beyond = "all" if t.ratio_high is None and t.ratio_low <= 1 else beyond
        table.add_row(
            shown(t.family),
            shown(t.task) or "all tasks",
            beyond,
            str(t.n),
            _percent(t.error),
            _percent(t.carry_error),
            _percent(t.coverage),
            _percent(t.width),
            _percent(t.interval_score),
            _percent(t.delta_score),
        )
    _console().print(table)
    _rest(len(found))
    _console().print(
        "score: Winkler's interval score (width and fine for misses), smaller is better; beside it the same of the "
        "heaviest form's delta-method interval",
        highlight=False,
    )


def needed(found: Sequence[Needed]) -> None:
    """Compute that a score needs."""
    table = _table("Compute needed", "family", "task", "accuracy", "FLOPs", "interval", "N", "D", "grade")
    for n in found:
        table.add_row(
            shown(n.family),
            shown(n.task),
            _percent(n.accuracy),
            _count(n.flops),
            f"{_count(n.low)} to {_count(n.high, 'beyond ' + _count(n.searched[1]))}",
            _count(n.params),
            _count(n.tokens),
            n.grade or "–",
        )
    _console().print(table)


def compared(found: Sequence[Compared]) -> None:
    """Probability that one family beats another."""
    table = _table("Which is better at the target", "task", "A", "B", "P(A > B)", "grades")
    for c in found:
        cells = [
            f"{_percent(v)} ({100 * low:.0f}–{100 * high:.0f})"
            for v, (low, high) in zip(c.forecast, c.interval, strict=True)
        ]
        table.add_row(shown(c.task), *cells, f"{c.probability:.2f}", "/".join(g or "–" for g in c.grades))
    _console().print(table)


def suggested(found: Sequence[Suggested]) -> None:
    """Runs to add."""
    table = _table("Runs to add", "family", "task", "target", "N", "D", "FLOPs", "takes off the standard error")
    for s in found[:MOST]:
        table.add_row(
            shown(s.family),
            shown(s.task),
            shown(s.target),
            _count(s.params),
            _count(s.tokens),
            _count(s.flops),
            f"{100 * s.shrinks:.0f} %",
        )
    _console().print(table)
    _rest(len(found))


def settlement(found: Settlement) -> None:
    """How registered forecasts fared."""
    table = _table(
        "Settled forecasts, accuracies in percent",
        "registered",
        "recipe",
        "task",
        "target",
        "forecast",
        "actual",
        "error",
        "inside",
        "CRPS",
    )
    for s in found.settled[:MOST]:
        interval = "refused" if s.low is None or s.high is None else f"({100 * s.low:.0f}–{100 * s.high:.0f})"
        table.add_row(
            s.time[:10],
            s.recipe,
            shown(s.task),
            shown(s.target),
            f"{_percent(s.forecast)} {interval}",
            _percent(s.actual),
            f"{100 * s.error:+.1f}",
            {True: "yes", False: "no", None: "–"}[s.inside],
            _percent(s.crps),
        )
    console = _console()
    console.print(table)
    _rest(len(found.settled))
    console.print(
        f"mean miss {_percent(found.mean_error)} points (a refused task counts with its baseline); "
        f"{found.refused} refused, {found.open} still open; inside: {_percent(found.coverage)} %",
        highlight=False,
    )
    for note in found.notes:
        console.print(shown(note), highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in ("family", "task", "target", "registered") else "right")
    return table


def _rest(count: int) -> None:
    if count > MOST:
        _console().print(f"… and {count - MOST} more rows with --json")


def _count(value: float | None, otherwise: str = "–") -> str:
    return otherwise if value is None else f"{value:.3g}"
