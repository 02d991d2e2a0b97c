"""Why one may trust a forecast: the backtest on the ladder's own runs, and what every admissible form says."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..figures import backtest as trust_figures
from ..text import wording as w
from .content import NAME, Content, Table, table

Record = Mapping[str, Any]
FORMS = 10  # forms in the table of weights
SPECIFICATIONS = 24  # panels of the specification curve


def section(c: Content, files: dict[str, bytes]) -> dict[str, Any] | None:
    """Everything the template shows of it; figures go into ``files``. None where nothing was backtested."""
    tested = c.result.get("backtests", ())
    curves = specifications(c)
    if not tested and not curves:
        return None
    return {
        "summary": summary(c),
        "table": backtest_table(c) if tested else None,
        "figure": _backtest_figure(c, files),
        "specification": _specification_figure(c, curves, files),
        "forms": form_table(c) if curves else None,
    }


def overall(rows: Sequence[Record]) -> list[Record]:
    """Of a backtest, the rows over all distances."""
    return [t for t in rows if t["ratio_high"] is None and t["ratio_low"] <= 1]


def bins(c: Content) -> list[Record]:
    """Rows over all tasks, one per bin of the distance."""
    return [t for t in c.result.get("backtests", ()) if t["task"] == "" and t not in overall([t])]


def summary(c: Content) -> list[str]:
    """What the backtest says, a sentence per family."""
    lines = []
    for t in overall(c.result.get("backtests", ())):
        if t["task"]:
            continue
        who = f"{w.clean(t['family'], NAME)}: " if len(c.families) > 1 else ""
        lines.append(
            f"{who}The ladder's own runs, each forecast from cheaper ones only ({t['n']} forecasts): missed by "
            f"{w.percent(t['error'])} points on average, where carrying the largest score forward missed by "
            f"{w.percent(t['carry_error'])}; {w.percent(t['coverage'])} % of the measured scores lay in the "
            f"{c.level} interval."
        )
    return lines


def backtest_table(c: Content) -> Table:
    """Miss, coverage and width: all tasks by distance, then each task over all distances."""
    tested = c.result["backtests"]
    many = len(c.families) > 1
    rows: list[list[str]] = []
    rules = []
    for family in c.families:
        mine = [t for t in tested if t["family"] == family]
        rules.append(len(rows))
        rows += [_tested(t, "all tasks", many) for t in mine if not t["task"]]
        rules.append(len(rows))
        rows += [_tested(t, w.clean(t["task"], NAME), many) for t in overall(mine) if t["task"]]
    columns = [("Family", "l", 1.6)] * many + [
        ("Task", "l", 2.4),
        ("Beyond the runs fitted", "l", 1.9),
        ("n", "r", 0.6),
    ]
    columns += [("Mean miss", "r", 1.1), ("of carry-fwd.", "r", 1.2), (f"Inside {c.level}", "r", 1.2)]
    columns += [("Median width", "r", 1.3), ("Interval score", "r", 1.3)]
    return table(columns, rows, rules)


def _tested(t: Record, name: str, many: bool) -> list[str]:
    family = [w.clean(t["family"], NAME)] * many
    numbers = [w.percent(t[key]) for key in ("error", "carry_error", "coverage", "width", "interval_score")]
    return [*family, name, distance(t), str(t["n"]), *numbers]


def distance(t: Record) -> str:
    """A bin of the extrapolation ratio in words."""
    if t in overall([t]):
        return "any"
    return f"{t['ratio_low']:g} to {t['ratio_high']:g}×" if t["ratio_high"] else f"≥ {t['ratio_low']:g}×"


def _backtest_figure(c: Content, files: dict[str, bytes]) -> dict[str, str] | None:
    trials = c.result.get("trials", ())
    if not trials:
        return None
    level = next((f["level"] for f in c.forecasts), 0.9)
    files["backtest.svg"] = trust_figures.backtest_figure(trials, _merged(bins(c)), level)
    caption = (
        "Backtest. a: forecast against measured score, a mark per run and task; on the line they agree. b: mean miss, "
        "by compute beyond the fitted runs. c: share of measured scores in the interval, with the 90 % range that "
        "chance would allow independent forecasts."
    )
    return {"file": "backtest.svg", "alt": f"Three panels. {caption}", "caption": caption}


def _merged(rows: Sequence[Record]) -> list[dict[str, Any]]:
    """Bins of several families as one row each, weighed by their forecasts."""
    found: dict[tuple[float, float | None], list[Record]] = {}
    for t in rows:
        found.setdefault((t["ratio_low"], t["ratio_high"]), []).append(t)
    merged = []
    for key in sorted(found, key=lambda k: k[0]):
        part = found[key]
        count = sum(t["n"] for t in part)
        means = {k: sum(t["n"] * t[k] for t in part) / count for k in ("error", "carry_error", "coverage")}
        merged.append({"name": distance(part[0]), "n": count, **means})
    return merged


def specifications(c: Content) -> list[Record]:
    """For each task its farthest forecast that has alternatives."""
    best: dict[tuple[str, str], Record] = {}
    for f in c.forecasts:
        key = (f["family"], f["task"])
        if len(f.get("alternatives", ())) > 1 and (key not in best or f["flops"] > best[key]["flops"]):
            best[key] = f
    return [best[pair] for pair in c.pairs if pair in best]


def _specification_figure(c: Content, curves: Sequence[Record], files: dict[str, bytes]) -> dict[str, str] | None:
    if not curves:
        return None
    shown = curves[:SPECIFICATIONS]
    named = [(w.clean(c.pair_name((f["family"], f["task"])), 34), f) for f in shown]
    targets = list(dict.fromkeys(f["target"] for f in shown))
    files["specification.svg"] = trust_figures.specification_figure(named, c.level)
    who = w.clean(targets[0], NAME) if len(targets) == 1 else "each task's largest target"
    left = len(curves) - len(shown)
    more = f" The first {len(shown)} of {len(curves)} tasks; the others are in result.json." if left else ""
    caption = (
        f"Specification curve for {who}: what every admissible form says, in ascending order; the larger a mark, the "
        f"more the form counts. Line and band: the forecast and its {c.level} interval.{more}"
    )
    return {"file": "specification.svg", "alt": f"Small panels. {caption}", "caption": caption}


def form_table(c: Content) -> Table:
    """The forms that count most, over all tasks and targets."""
    weights: dict[str, list[float]] = {}
    misses: dict[str, list[float]] = {}
    graded = [f for f in c.forecasts if len(f.get("alternatives", ())) > 1]
    for f in graded:
        actual = w.finite(f["actual"])
        for a in f["alternatives"]:
            weights.setdefault(a["form"], []).append(a["weight"])
            if actual is not None:
                misses.setdefault(a["form"], []).append(abs(a["forecast"] - actual))
    ordered = sorted(weights, key=lambda form: (-sum(weights[form]), form))
    rows = [
        [w.clean(form), w.percent(sum(weights[form]) / len(graded)), _mean(misses.get(form, ()))]
        for form in ordered[:FORMS]
    ]
    rest = ordered[FORMS:]
    if rest:
        share = sum(sum(weights[form]) for form in rest) / len(graded)
        rows.append([f"{len(rest)} others", w.percent(share), _mean([m for f in rest for m in misses.get(f, ())])])
    return table([("Form", "l", 4), ("Mean weight (%)", "r", 1.4), ("Mean miss of the targets", "r", 1.8)], rows)


def _mean(values: Sequence[float]) -> str:
    return w.percent(statistics.fmean(values)) if values else w.DASH
