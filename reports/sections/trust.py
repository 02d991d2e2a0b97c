"""Why one may trust a forecast: the backtest on the ladder's own runs, and what every admissible form says."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..figures import backtest as figures
from ..figures.backtest import Bin
from ..records.forecast import BacktestSummary, Forecast
from ..text import wording as w
from ..text.backtest_table import distance, overall, scores
from ..text.numbers import DASH, finite, percent
from ..text.table import Column, Table, table
from ..text.wording import NAME
from .content import Content
from .picture import Files, Picture, picture

FORMS = 10  # forms in the table of weights
SPECIFICATIONS = 24  # panels of the specification curve


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The section: what the backtest says in sentences, numbers and a figure, and what every form says."""

    summary: tuple[str, ...]
    table: Table | None
    figure: Picture | None
    specification: Picture | None
    forms: Table | None


def section(c: Content, files: Files) -> Trust | None:
    """Everything the template shows of it; figures go into ``files``. None where nothing was backtested."""
    tested = c.result.backtests
    curves = specifications(c)
    if not tested and not curves:
        return None
    return Trust(
        summary=tuple(summary(c)),
        table=backtest_table(c) if tested else None,
        figure=_backtest_figure(c, files),
        specification=_specification_figure(c, curves, files),
        forms=form_table(c) if curves else None,
    )


def bins(c: Content) -> list[BacktestSummary]:
    """Rows over all tasks, one per bin of the distance."""
    return [t for t in c.result.backtests if t.task == "" and not overall(t)]


def summary(c: Content) -> list[str]:
    """What the backtest says, a sentence per family."""
    lines = []
    for t in c.result.backtests:
        if t.task or not overall(t):
            continue
        who = f"{w.clean(t.family, NAME)}: " if len(c.families) > 1 else ""
        lines.append(
            f"{who}The ladder's own runs, each forecast from cheaper ones only ({t.n} forecasts): missed by "
            f"{percent(t.error)} points on average, where carrying the largest score forward missed by "
            f"{percent(t.carry_error)}; {percent(t.coverage)} % of the measured scores lay in the "
            f"{c.level} interval."
        )
    return lines


def backtest_table(c: Content) -> Table:
    """Miss, coverage and width: all tasks by distance, then each task over all distances."""
    tested = c.result.backtests
    many = len(c.families) > 1
    rows: list[list[str]] = []
    rules = []
    for family in c.families:
        in_family = [t for t in tested if t.family == family]
        rules.append(len(rows))
        rows += [_tested(t, "all tasks", many) for t in in_family if not t.task]
        rules.append(len(rows))
        rows += [
            _tested(t, w.clean(c.short.get(t.task, t.task), NAME), many) for t in in_family if overall(t) and t.task
        ]
    columns: list[Column] = [("Family", "l", 1.6)] * many + [("Task", "l", 2.4)]
    columns += [("Beyond the runs fitted", "l", 1.9), ("n", "r", 0.6)]
    columns += [("Mean miss", "r", 1.1), ("carried forward", "r", 1.2), (f"Inside {c.level}", "r", 1.2)]
    columns += [("Median width", "r", 1.3), ("Interval score", "r", 1.3)]
    return table(columns, rows, rules)


def _tested(t: BacktestSummary, name: str, many: bool) -> list[str]:
    family = [w.clean(t.family, NAME)] * many
    return [*family, name, distance(t), str(t.n), *scores(t)]


def _backtest_figure(c: Content, files: Files) -> Picture | None:
    trials = c.result.trials
    if not trials:
        return None
    level = next((f.level for f in c.forecasts), 0.9)
    files["backtest.svg"] = figures.backtest_figure(trials, merged(bins(c)), level)
    caption = (
        "Backtest. a: forecast against measured score, a mark per run and task; on the line they agree. b: mean miss, "
        "by compute beyond the fitted runs. c: share of measured scores in the interval, with the 90 % range that "
        "chance would allow independent forecasts."
    )
    return picture("backtest.svg", "Three panels.", caption)


def merged(rows: Sequence[BacktestSummary]) -> list[Bin]:
    """Bins of several families as one row each, weighed by their forecasts."""
    by_distance: dict[tuple[float, float | None], list[BacktestSummary]] = {}
    for t in rows:
        by_distance.setdefault((t.ratio_low, t.ratio_high), []).append(t)
    return [_one_bin(by_distance[key]) for key in sorted(by_distance, key=lambda k: k[0])]


def _one_bin(rows: Sequence[BacktestSummary]) -> Bin:
    count = sum(t.n for t in rows)
    return Bin(
        name=distance(rows[0]),
        n=count,
        error=sum(t.n * t.error for t in rows) / count,
        carry_error=sum(t.n * t.carry_error for t in rows) / count,
        coverage=sum(t.n * t.coverage for t in rows) / count,
    )


def specifications(c: Content) -> list[Forecast]:
    """For each task its farthest forecast that has alternatives."""
    best: dict[tuple[str, str], Forecast] = {}
    for f in c.forecasts:
        key = (f.family, f.task)
        if len(f.alternatives) > 1 and (key not in best or f.flops > best[key].flops):
            best[key] = f
    return [best[pair] for pair in c.pairs if pair in best]


def _specification_figure(c: Content, curves: Sequence[Forecast], files: Files) -> Picture | None:
    if not curves:
        return None
    shown = curves[:SPECIFICATIONS]
    named = [(c.pair_name((f.family, f.task), 34), f) for f in shown]
    targets = list(dict.fromkeys(f.target for f in shown))
    files["specification.svg"] = figures.specification_figure(named, c.level)
    who = w.clean(targets[0], NAME) if len(targets) == 1 else "each task's largest target"
    left = len(curves) - len(shown)
    more = f" The first {len(shown)} of {len(curves)} tasks; the others are in result.json." if left else ""
    caption = (
        f"Specification curve for {who}: what every admissible form says, in ascending order; the larger a mark, the "
        f"more the form counts. Line and band: the forecast and its {c.level} interval.{more}"
    )
    return picture("specification.svg", "Small panels.", caption)


def form_table(c: Content) -> Table:
    """The forms that count most, over all tasks and targets."""
    weights: dict[str, list[float]] = {}
    misses: dict[str, list[float]] = {}
    graded = [f for f in c.forecasts if len(f.alternatives) > 1]
    for f in graded:
        actual = finite(f.actual)
        for a in f.alternatives:
            weights.setdefault(a.form, []).append(a.weight)
            if actual is not None:
                misses.setdefault(a.form, []).append(abs(a.forecast - actual))
    ordered = sorted(weights, key=lambda form: (-sum(weights[form]), form))
    rows = [
        [w.clean(form), percent(sum(weights[form]) / len(graded)), _mean(misses.get(form, ()))]
        for form in ordered[:FORMS]
    ]
    rest = ordered[FORMS:]
    if rest:
        share = sum(sum(weights[form]) for form in rest) / len(graded)
        rows.append([f"{len(rest)} others", percent(share), _mean([m for f in rest for m in misses.get(f, ())])])
    return table([("Form", "l", 4), ("Mean weight (%)", "r", 1.4), ("Mean miss of the targets", "r", 1.8)], rows)


def _mean(values: Sequence[float]) -> str:
    return percent(statistics.fmean(values)) if values else DASH
