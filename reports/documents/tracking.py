"""A tracked run beside its registered band, and forecasts over time, as PDF pages and a JSON file."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ..figures.panels import BLUE, GREY, VERMILLION, WIDTH, number, numbers, styled, x_limits
from ..records.nightly import BandColumns, ForecastSeries, Track, TrackedTask
from ..text import fonts
from ..text.metric_names import score_name
from . import writing

COLUMNS, ROWS, HEIGHT = 2, 4, 2.3  # panels a page, inches each


def write(tracks: Sequence[Track], folder: Path) -> None:
    """Write ``tracking.json`` and ``tracking.pdf``; nothing when no run is tracked.

    Raises
    ------
    OSError
        When the place cannot be written.
    """
    if not tracks:
        return
    drawn = pages(tracks, [partial(_panel, track=track, task=task) for track in tracks for task in track.tasks])
    text = json.dumps([track.model_dump(mode="json") for track in tracks], indent=1) + "\n"
    writing.write_all({folder / "tracking.json": text.encode(), folder / "tracking.pdf": drawn})


def pages(records: Sequence[Track | ForecastSeries], panels: Sequence[Callable[[Axes], None]]) -> bytes:
    """A PDF with a panel each; the same records give the same bytes."""
    buffer = io.BytesIO()
    with fonts.fonts_for(list(records)), styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from .*font")
        with PdfPages(buffer, metadata={"CreationDate": None}) as pdf:
            for start in range(0, max(len(panels), 1), COLUMNS * ROWS):
                some = panels[start : start + COLUMNS * ROWS]
                rows = max(math.ceil(len(some) / COLUMNS), 1)
                figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.3), layout="constrained")
                for place, draw in enumerate(some, start=1):
                    draw(figure.add_subplot(rows, COLUMNS, place))
                pdf.savefig(figure)
    return buffer.getvalue()


def _panel(axes: Axes, track: Track, task: TrackedTask) -> None:
    """Accuracy over tokens: band, points (alarms in another shape), and both forecasts of the end."""
    band = task.band or _band_at_points(task)
    if band.tokens:
        low, high = 100 * numbers(band.low), 100 * numbers(band.high)
        axes.fill_between(band.tokens, low, high, color=BLUE, alpha=0.18, linewidth=0, label="registered band")
        axes.plot(band.tokens, 100 * numbers(band.forecast), color=BLUE, linewidth=0.9)
    for alarm, marker, color, label in ((False, "o", "black", "measured"), (True, "X", VERMILLION, "alarm")):
        points = [p for p in task.points if p.alarm is alarm]
        if points:
            x, y = [p.tokens for p in points], [100 * p.value for p in points]
            error = [100 * p.stderr for p in points]
            axes.errorbar(x, y, yerr=error, fmt=marker, color=color, markersize=3.2, linewidth=0.6, label=label)
    after = task.refreshed
    if after and after.forecast is not None and after.low is not None:
        center = 100 * after.forecast
        ends = [[center - 100 * after.low], [100 * number(after.high) - center]]
        look: dict[str, Any] = {"color": GREY, "markersize": 3.2, "capsize": 2, "linewidth": 0.8}
        end = number(track.planned_tokens)
        axes.errorbar([end], [center], yerr=ends, fmt="D", label="refreshed forecast of the end", **look)
    axes.set(xscale="log", xlabel="training tokens", ylabel=f"{score_name(task.metric)}, %")
    x_limits(axes, numbers([*band.tokens, *(p.tokens for p in task.points), track.planned_tokens]), log=True)
    late = " (registered after it began)" if track.late else ""
    axes.set_title(f"{track.target}: {task.task}{late}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _band_at_points(task: TrackedTask) -> BandColumns:
    """A mean over tasks has no band of its own but where there are points."""
    points = task.points
    return BandColumns(
        tokens=tuple(p.tokens for p in points),
        forecast=tuple(p.forecast for p in points),
        low=tuple(p.low for p in points),
        high=tuple(p.high for p in points),
    )


def history(series: Sequence[ForecastSeries]) -> bytes:
    """Forecasts of the end of each (target, task) as they were made, pass by pass, with what was measured; a PDF."""
    return pages(series, [partial(_over_time, series=each) for each in series])


def _over_time(axes: Axes, series: ForecastSeries) -> None:
    low, high = 100 * numbers(series.low), 100 * numbers(series.high)
    times: Any = series.times  # matplotlib draws dates, its types do not say so
    axes.fill_between(times, low, high, color=GREY, alpha=0.2, linewidth=0, label="interval")
    axes.plot(times, 100 * numbers(series.forecast), color="black", marker=".", label="forecast")
    registered = series.registered
    if registered and registered.forecast is not None:
        axes.axhline(100 * registered.forecast, color=BLUE, linestyle="--", linewidth=0.9, label="registered")
        axes.axhspan(100 * number(registered.low), 100 * number(registered.high), color=BLUE, alpha=0.10, linewidth=0)
    if series.measured:
        seen: Any = [m.time for m in series.measured]
        values = numbers(m.value for m in series.measured)
        axes.plot(seen, 100 * values, linestyle="", marker="X", color=VERMILLION, label="measured so far")
    axes.set(ylabel=f"{score_name(series.metric)}, %")
    axes.set_title(f"{series.target}: {series.task}")
    axes.tick_params(axis="x", rotation=30)
    axes.legend()
