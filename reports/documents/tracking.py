"""A tracked run beside its registered band, and forecasts over time, as PDF pages and a JSON file."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ..figures.canvas import WIDTH, number, numbers, styled
from ..figures.marks import BLUE, MEASURED, VERMILLION
from ..figures.track import draw, ordered
from ..records.nightly import ForecastSeries, Track
from ..text import fonts
from ..text.metric_names import score_name
from . import writing

COLUMNS, ROWS, HEIGHT = 2, 4, 2.3  # panels a page, inches each
ONE_NIGHT = timedelta(days=1)


def write(tracks: Sequence[Track], folder: Path) -> None:
    """Write ``tracking.json`` and ``tracking.pdf``, with a panel for every task; nothing when no run is tracked.

    Raises
    ------
    OSError
        When the place cannot be written.
    """
    if not tracks:
        return
    panels = [partial(draw, track=track, task=task, named=True) for track in tracks for task in ordered(track)]
    text = json.dumps([track.model_dump(mode="json") for track in tracks], indent=1) + "\n"
    content = {folder / "tracking.json": text.encode(), folder / "tracking.pdf": pages(tracks, panels)}
    writing.write_all(content)


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


def history(series: Sequence[ForecastSeries]) -> bytes:
    """Forecasts of the end of each (target, task) as they were made, pass by pass, with what was measured; a PDF."""
    return pages(series, [partial(_over_time, series=each) for each in series])


def _over_time(axes: Axes, series: ForecastSeries) -> None:
    low, high = 100 * numbers(series.low), 100 * numbers(series.high)
    times: Any = series.times  # matplotlib draws dates, its types do not say so
    axes.fill_between(times, low, high, color=VERMILLION, alpha=0.2, linewidth=0, label="its interval")
    axes.plot(
        times, 100 * numbers(series.forecast), color=VERMILLION, marker="D", markersize=3, label="forecast of the end"
    )
    registered = series.registered
    if registered and registered.forecast is not None:
        axes.axhline(100 * registered.forecast, color=BLUE, linestyle="--", linewidth=0.9, label="registered")
        axes.axhspan(100 * number(registered.low), 100 * number(registered.high), color=BLUE, alpha=0.10, linewidth=0)
    if series.measured:
        seen: Any = [m.time for m in series.measured]
        values = numbers(m.value for m in series.measured)
        axes.plot(seen, 100 * values, **MEASURED, label="measured so far")
    axes.set(ylabel=f"{score_name(series.metric)}, %")
    axes.set_title(f"{series.target}: {series.task}")
    dates: Any = {*series.times, *(m.time for m in series.measured)}
    if len(dates) == 1:  # Matplotlib would show two years around it
        axes.set_xlim(min(dates) - ONE_NIGHT, min(dates) + ONE_NIGHT)
    axes.tick_params(axis="x", rotation=30)
    axes.legend()
