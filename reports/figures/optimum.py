"""The frontier of loss over compute: the size that had the lowest loss at every budget, and where that leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..records.optimum import Frontier, Optimum
from ..text.numbers import count, size
from ..text.wording import clean
from . import marks
from .canvas import WIDTH, axis_ticks, number, numbers, render, styled
from .plan import FLOPS, log_axis

PER_PAIR = 6.0  # FLOPs of a parameter and a token
ROOM = 0.08  # of an axis, above and below what is drawn


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A planned run with its size, to be seen beside the frontier."""

    name: str
    flops: float
    params: float
    tokens: float


def frontier_figure(optimum: Optimum, planned: Sequence[Planned]) -> bytes:
    """Loss over compute of every size with the frontier below them; N*(C) and D*(C) with the planned runs, as SVG."""
    assert optimum.frontier is not None
    with styled():
        canvas = Figure(figsize=(WIDTH, 2.75))
        left, right = canvas.add_axes((0.065, 0.145, 0.4, 0.77)), canvas.add_axes((0.575, 0.145, 0.41, 0.77))
        for ax in (left, right):
            ax.set_autoscale_on(False)
        _losses(left, optimum, optimum.frontier)
        _sizes(right, optimum.frontier, planned)
        left.set_title("a  Loss of every model size, and the frontier", loc="left")
        right.set_title("b  Best size and tokens for a budget", loc="left")
        return render(canvas)


def _losses(ax: Axes, optimum: Optimum, frontier: Frontier) -> None:
    known = [curve.params for curve in optimum.curves]
    ax.set_xscale("log")
    for curve in optimum.curves:
        look = marks.measured(curve.params, known)
        ax.plot(curve.flops, curve.loss, color=look["color"], lw=0.7, zorder=2)
        ax.plot(curve.flops, curve.loss, zorder=3, **look | {"label": size(curve.params)})
    ax.plot(frontier.flops, frontier.loss, color=marks.LAW, lw=2.0, alpha=0.75, zorder=4, label="frontier")
    flops = [v for curve in optimum.curves for v in curve.flops]
    losses = numbers(v for curve in optimum.curves for v in curve.loss)
    log_axis(ax, "x", min(flops) / 1.5, max(flops) * 1.5, FLOPS)
    pad = ROOM * float(np.ptp(losses)) or 0.1
    axis_ticks(ax, float(losses.min()) - pad, float(losses.max()) + pad, "y")
    ax.set_xlabel("training compute C, FLOPs", labelpad=2)
    ax.set_ylabel("loss, nats/token", labelpad=2)
    ax.legend(title="parameters", title_fontsize=6.5, loc="upper right", ncols=2 if len(known) > 4 else 1)


def _sizes(ax: Axes, frontier: Frontier, planned: Sequence[Planned]) -> None:
    """The sizes on the frontier as steps, the power laws through them, and the planned runs; tokens above."""
    flops, params = numbers(frontier.flops), numbers(frontier.params)
    exponent, prefactor = number(frontier.exponent.value), number(frontier.prefactor)
    ends = np.array([flops[0], max([flops[-1], *(p.flops for p in planned)])])
    best = prefactor * ends**exponent
    lines = (("parameters N*", best, "-", True), ("tokens D*", ends / PER_PAIR / best, "--", False))
    ax.plot(flops, params, ls="none", marker="o", ms=2.4, color=marks.BLACK, mew=0, zorder=3)
    ax.plot(flops, flops / PER_PAIR / params, ls="none", marker="o", ms=2.4, color=marks.GREY, mew=0, zorder=3)
    halo = [withStroke(linewidth=1.8, foreground="white")]
    for name, values, style, below in lines:
        ax.plot(ends, values, color=marks.LAW, lw=1.2, ls=style, zorder=2)
        place = ends[0] ** 0.4 * ends[1] ** 0.6, values[0] ** 0.4 * values[1] ** 0.6
        look: dict[str, Any] = {"color": marks.LAW, "fontsize": 6.5, "ha": "left" if below else "right"}
        ax.annotate(name, place, (0, -10 if below else 6), textcoords="offset points", path_effects=halo, **look)
    for run in planned:
        at = prefactor * run.flops**exponent
        for value, line, what in ((run.params, at, "parameters"), (run.tokens, run.flops / PER_PAIR / at, "tokens")):
            ax.plot(run.flops, value, "D", color=marks.FORECAST, ms=5, mec="white", mew=0.4, zorder=5)
            text = f"{clean(run.name, 18)}: {count(value)} {what}"
            beside = (-5, 6 if value > line else -7)  # away from the line
            look = {"fontsize": 6, "ha": "right", "va": "center", "color": marks.FORECAST, "path_effects": halo}
            ax.annotate(text, (run.flops, value), beside, textcoords="offset points", zorder=6, **look)
    every = [*params, *(flops / PER_PAIR / params), *best, *lines[1][1]]
    every += [v for run in planned for v in (run.params, run.tokens)]
    log_axis(ax, "x", ends[0] / 1.5, ends[1] * 1.8, FLOPS)
    log_axis(ax, "y", min(every) / 1.8, max(every) * 2.2)
    ax.set_xlabel("training compute C, FLOPs", labelpad=2)
    ax.set_ylabel("parameters, tokens", labelpad=2)
