"""Residuals against leverage: which runs a law misses, and which hold it where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from ..records.forecast import LawFit
from ..text.wording import clean
from .canvas import Grid, axis_ticks, render, styled
from .marks import BLACK, GREY

ACROSS, MOST, NAMED = 3, 6, 3
FAR, HEAVY = 3.0, 0.5  # residual standard deviations, and leverage, beyond which a run is named
ROW, MARGIN = 1.75, 0.12  # inches


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A run of one task on the law it was fitted on; see ``records.forecast.Diagnostic``."""

    run: str
    task: str
    residual: float
    leverage: float


Panel = tuple[str, Sequence[Residual]]


def panels(
    laws: Sequence[LawFit], pairs: Sequence[tuple[str, str]], most: int, names: Mapping[str, str]
) -> Sequence[Panel]:
    """A panel per recipe and law: of the first ``most`` (family, task) pairs, and of laws that belong to no pair."""
    by_law: dict[tuple[str, str], list[Residual]] = {}
    for law in laws:
        pair = (law.family, law.task)
        if pair in pairs[:most] or pair not in pairs:
            by_law.setdefault((law.recipe, law.law), []).extend(
                Residual(run=d.run, task=law.task, residual=d.residual, leverage=d.leverage) for d in law.diagnostics
            )
    named = [(f"{names.get(recipe, recipe)}: {law}", points) for (recipe, law), points in by_law.items()]
    return [(title, points) for title, points in named if points][:MOST]


def diagnostics_figure(shown: Sequence[Panel]) -> bytes:
    """The panels, as SVG; what lies far off or holds more than half of its own fit is named."""
    with styled():
        grid = Grid(across=ACROSS, row=ROW, margin=MARGIN, left=0.052, gap=0.068, below=0.4, around=0.62)
        canvas, axes, _ = grid.draw(len(shown))
        for ax, (title, points) in zip(axes, shown, strict=True):
            _draw(ax, points)
            ax.set_title(clean(title, 44), loc="left", fontsize=6.5, pad=2)
        return render(canvas)


def _draw(ax: Axes, points: Sequence[Residual]) -> None:
    ends = max(FAR + 0.5, *(abs(p.residual) * 1.1 for p in points))
    widest = max(HEAVY + 0.1, *(p.leverage * 1.08 for p in points))
    for level in (-FAR, 0.0, FAR):
        ax.axhline(level, color=GREY, lw=0.7, ls="-" if level == 0 else (0, (4, 2)), zorder=1)
    ax.axvline(HEAVY, color=GREY, lw=0.7, ls=(0, (4, 2)), zorder=1)
    ax.plot([p.leverage for p in points], [p.residual for p in points], "o", color=BLACK, ms=2.6, mew=0, alpha=0.6)
    odd = [p for p in points if abs(p.residual) > FAR or p.leverage > HEAVY]
    odd.sort(key=lambda p: (-max(abs(p.residual) / FAR, p.leverage / HEAVY), p.run, p.task))
    named: list[tuple[float, float]] = []
    worst: dict[str, Residual] = {}
    for p in odd:
        worst.setdefault(p.run, p)
    for p in worst.values():
        place = p.leverage / widest, p.residual / ends
        if len(named) == NAMED or any(abs(place[0] - x) < 0.25 and abs(place[1] - y) < 0.12 for x, y in named):
            continue
        named.append(place)
        right, high = p.leverage > 0.6 * widest, p.residual > 0.75 * ends
        ax.annotate(
            clean(p.run, 16),
            (p.leverage, p.residual),
            xytext=(-3 if right else 3, -3 if high else 3),
            textcoords="offset points",
            fontsize=5.2,
            va="top" if high else "bottom",
            ha="right" if right else "left",
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
        )
    axis_ticks(ax, 0.0, widest, "x", 4)
    axis_ticks(ax, -ends, ends, "y", 5)
    ax.set_xlabel("leverage", labelpad=1)
    ax.set_ylabel("residual (s.d.)", labelpad=1)
