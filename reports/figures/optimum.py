"""The frontier of loss over compute: the size that has the least loss for a budget, and where that leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..records.optimum import Frontier, Optimum
from ..text.numbers import count
from ..text.wording import clean
from . import marks
from .canvas import WIDTH, axis_ticks, numbers, render, styled
from .plan import FLOPS, log_axis

WIDER = 10.0  # how far beyond the lines bands may reach before they are cut
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
        left.set_title("a  Loss of the runs, and the least for a budget", loc="left")
        right.set_title("b  Best size and tokens for a budget", loc="left")
        return render(canvas)


def _losses(ax: Axes, optimum: Optimum, frontier: Frontier) -> None:
    known = [curve.params for curve in optimum.curves]
    ax.set_xscale("log")
    for curve in optimum.curves:
        look = marks.measured(curve.params, known)
        ax.plot(curve.flops, curve.loss, zorder=3, **look)
    flops = [v for curve in optimum.curves for v in curve.flops]
    losses = numbers(v for curve in optimum.curves for v in curve.loss)
    within = numbers(frontier.flops) <= max(flops)
    line: marks.Look = {"color": marks.LAW, "lw": 1.4, "zorder": 2}
    ax.plot(numbers(frontier.flops)[within], numbers(frontier.loss)[within], **line)
    log_axis(ax, "x", min(flops) / 1.5, max(flops) * 1.5, FLOPS)
    pad = ROOM * float(np.ptp(losses)) or 0.1
    axis_ticks(ax, float(losses.min()) - pad, float(losses.max()) + pad, "y")
    ax.set_xlabel("training compute C, FLOPs", labelpad=2)
    ax.set_ylabel("loss, nats/token", labelpad=2)
    entries = marks.size_legend(known) | {"least loss, by the law": marks.handle(line)}
    ax.legend(entries.values(), entries.keys(), title="parameters", title_fontsize=6.5, loc="upper right")


def _sizes(ax: Axes, frontier: Frontier, planned: Sequence[Planned]) -> None:
    """N*(C) and D*(C) with their bands, and the planned runs beside them."""
    flops = numbers(frontier.flops)
    pairs = flops / frontier.per_pair
    params = tuple(numbers(series) for series in (frontier.low, frontier.params, frontier.high))
    tokens = tuple(pairs / series for series in reversed(params))
    halo = [withStroke(linewidth=1.8, foreground="white")]
    at = len(flops) * 2 // 5
    for name, (low, center, high), style, below in (
        ("parameters N*", params, "-", True),
        ("tokens D*", tokens, "--", False),
    ):
        ax.fill_between(flops, low, high, color=marks.LAW, alpha=marks.BAND, lw=0, zorder=1)
        ax.plot(flops, center, color=marks.LAW, lw=1.2, ls=style, zorder=2)
        look: marks.Look = {"color": marks.LAW, "fontsize": 6.5, "ha": "left" if below else "right"}
        offset = (0, -10 if below else 6)
        ax.annotate(name, (flops[at], center[at]), offset, textcoords="offset points", path_effects=halo, **look)
    for run in planned:
        size = float(np.interp(np.log(run.flops), np.log(flops), params[1]))
        own = ((run.params, size, "parameters"), (run.tokens, run.flops / frontier.per_pair / size, "tokens"))
        for value, line, what in own:
            ax.plot(run.flops, value, "D", color=marks.FORECAST, ms=5, mec="white", mew=0.4, zorder=5)
            text = f"{clean(run.name, 18)}: {count(value)} {what}"
            beside = (-5, 6 if value > line else -7)  # away from the line
            look = {"fontsize": 6, "ha": "right", "va": "center", "color": marks.FORECAST, "path_effects": halo}
            ax.annotate(text, (run.flops, value), beside, textcoords="offset points", zorder=6, **look)
    middle = np.concatenate([params[1], tokens[1], *([run.params, run.tokens] for run in planned)])
    ends = np.concatenate([*params, *tokens, middle])
    low_end = max(float(ends.min()), float(middle.min()) / WIDER)
    high_end = min(float(ends.max()), float(middle.max()) * WIDER)
    log_axis(ax, "x", flops[0] / 1.5, flops[-1] * 1.8, FLOPS)
    log_axis(ax, "y", low_end / 1.8, high_end * 2.2)
    ax.set_xlabel("training compute C, FLOPs", labelpad=2)
    ax.set_ylabel("parameters, tokens", labelpad=2)
