"""The calibration of settled forecasts: how often the truth lay inside intervals of each nominal level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from .canvas import render, styled
from .marks import FORECAST, GREY


def calibration_figure(points: Sequence[tuple[float, float]], count: int) -> str:
    """Nominal level against share inside, with the band that chance allows ``count`` independent forecasts, as SVG."""
    with styled():
        figure = Figure(figsize=(3.4, 3.2), layout="constrained")
        axes = figure.add_subplot()
        level = np.linspace(0, 1, 101)
        band = 1.645 * np.sqrt(level * (1 - level) / max(count, 1))
        axes.fill_between(
            level, np.maximum(level - band, 0), np.minimum(level + band, 1), color=GREY, alpha=0.2, linewidth=0
        )
        axes.plot(level, level, linestyle="--", linewidth=0.8, color="black")
        if points:
            axes.plot(*zip(*points, strict=True), marker="D", markersize=3, color=FORECAST)
        axes.set(xlabel="nominal level", ylabel=f"share inside ({count} forecasts)", xlim=(0, 1), ylim=(0, 1))
        return render(figure).decode()
