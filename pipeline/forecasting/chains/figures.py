"""What the recipes draw: points, curves with their bands, and panels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Curve, Panel, PanelPoint
from benchcast.reports.records.quantities import Quantity
from benchcast.reports.text.numbers import size
from benchcast.stages.fit.newton import Array
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.laws.base import Law
from scipy.stats import t as student

GRID = 30  # points of a curve
BAND_PRECISION = {"quantiles": 16, "steps": 11}  # a drawn band needs less precision than a printed number


def points(rows: pd.DataFrame, x: str, y: str, role: str, group: str = "") -> list[PanelPoint]:
    """Rows as points of a panel; rows without both values are left out."""
    if rows.empty:
        return []
    kept = rows.dropna(subset=[x, y])
    groups = kept[group].map(size) if group else [""] * len(kept)
    return [
        PanelPoint(x=sig(a), y=sig(b), run=str(run), role=role, group=str(g))  # type: ignore[arg-type]
        for a, b, run, g in zip(kept[x], kept[y], kept["run"], groups, strict=True)
    ]


def law_curve(law: Law, X: Array, x: Array, level: float, label: str = "") -> Curve:
    """A single law on a grid."""
    spread = law.predict_distribution(X)
    half = student.ppf(0.5 + level / 2, max(spread.dof, 1e-9))
    ends = [spread.mean + sign * half * scale for scale in (spread.curve_stderr, spread.std) for sign in (-1, 1)]
    with np.errstate(over="ignore"):  # far outside the ladder an end may be no number: it is not drawn
        series = [np.exp(s) if law.log_link else s for s in (spread.mean, *ends)]
    return _curve(label, x, *series)


def chain_curves(chain: Chain, grids: dict[str, Array], x: Array, level: float) -> list[Curve]:
    """A chain on one or more grids that share the x axis, labelled."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        result = chain.forecast(np.concatenate(list(grids.values())), level, **BAND_PRECISION)
    series = [result.mean, result.curve_low, result.curve_high, result.low, result.high]
    parts = [s.reshape(len(grids), len(x)) for s in series]
    return [_curve(label, x, *(part[i] for part in parts)) for i, label in enumerate(grids)]


def _curve(label: str, x: Array, *series: Array) -> Curve:
    keep = np.all([np.isfinite(s) for s in (x, *series)], axis=0)
    grid, mean, band_low, band_high, low, high = (tuple(sig(v) for v in s[keep]) for s in (x, *series))
    return Curve(label=label, x=grid, y=mean, curve_low=band_low, curve_high=band_high, low=low, high=high)


def drawn_curves(targets: list[float], others: Iterable[float], most: int) -> list[float]:
    """Which of many curves are drawn: those that forecasts lie on, the last-named first, then some of the others.

    In ascending order, at most ``most``: a forecast whose curve is left out would seem to lie beside its law.
    """
    kept = list(dict.fromkeys(reversed(targets)))[:most]
    rest = sorted(set(others) - set(kept))
    room = min(most - len(kept), len(rest))
    places: list[int] = np.linspace(0, len(rest) - 1, room).round().astype(int).tolist() if room else []
    return sorted([*kept, *(rest[i] for i in places)])


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and what is written beside it: a loss may be called anything, ``error_web`` too."""

    quantity: Quantity
    label: str


FLOPS, TOKENS = Axis(Quantity.FLOPS, "training FLOPs"), Axis(Quantity.TOKENS, "training tokens")


def panel(x: Axis, y: Axis, marks: list[PanelPoint], curves: list[Curve]) -> Panel:
    """One set of axes; compute and tokens are logarithmic."""
    return Panel(
        x_label=x.label,
        y_label=y.label,
        x_log=x.quantity.is_logarithmic,
        x_quantity=x.quantity,
        y_quantity=y.quantity,
        y_is_accuracy=y.quantity.is_share,
        points=tuple(marks),
        curves=tuple(curves),
    )


def sig(value: float, digits: int = 7) -> float:
    """Rounded to significant digits: figures need no more, and files stay small."""
    return float(f"{value:.{digits - 1}e}")
