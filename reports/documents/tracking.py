"""A tracked run beside its registered band, and forecasts over time, as PDF pages and a JSON file."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ..figures.panels import BLUE, GREY, VERMILLION, WIDTH, numbers, styled, x_limits
from ..text import fonts
from . import writing

Record = Mapping[str, Any]
COLUMNS, ROWS, HEIGHT = 2, 4, 2.3  # panels a page, inches each


def write(tracks: Sequence[Record], folder: Path) -> None:
    """Write ``tracking.json`` and ``tracking.pdf``; nothing when no run is tracked.

    A track has ``target``, ``run``, ``registered`` (when), ``late`` (whether the run had begun then), and
    ``tasks``, each with its ``band`` (columns), ``points``, and the ``registered`` and ``refreshed`` forecast of the
    end of the run.
    """
    if not tracks:
        return
    drawn = pages([(track, task) for track in tracks for task in track["tasks"]], _panel)
    text = json.dumps(list(tracks), indent=1) + "\n"
    writing.write_all({folder / "tracking.json": text.encode(), folder / "tracking.pdf": drawn})


def pages(items: Sequence[Any], draw: Any) -> bytes:
    """A PDF with a panel per item; the same items give the same bytes."""
    buffer = io.BytesIO()
    with fonts.fonts_for({"items": list(items)}), styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from .*font")
        with PdfPages(buffer, metadata={"CreationDate": None}) as pdf:
            for start in range(0, max(len(items), 1), COLUMNS * ROWS):
                some = items[start : start + COLUMNS * ROWS]
                rows = max(math.ceil(len(some) / COLUMNS), 1)
                figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.3), layout="constrained")
                for number, item in enumerate(some, start=1):
                    draw(figure.add_subplot(rows, COLUMNS, number), *item)
                pdf.savefig(figure)
    return buffer.getvalue()


def _panel(axes: Axes, track: Record, task: Record) -> None:
    """Accuracy over tokens: band, points (alarms in another shape), and both forecasts of the end."""
    points = task["points"]
    # A mean over tasks has no band of its own but where there are points.
    band = task["band"] or {key: [p[key] for p in points] for key in ("tokens", "forecast", "low", "high")}
    if band["tokens"]:
        low, high = (100 * numbers(band[k]) for k in ("low", "high"))
        axes.fill_between(band["tokens"], low, high, color=BLUE, alpha=0.18, linewidth=0, label="registered band")
        axes.plot(band["tokens"], 100 * numbers(band["forecast"]), color=BLUE, linewidth=0.9)
    for alarm, marker, color, label in ((False, "o", "black", "measured"), (True, "X", VERMILLION, "alarm")):
        own = [p for p in points if p["alarm"] is alarm]
        if own:
            axes.errorbar(
                [p["tokens"] for p in own],
                [100 * p["value"] for p in own],
                yerr=[100 * p["stderr"] for p in own],
                fmt=marker,
                color=color,
                markersize=3.2,
                linewidth=0.6,
                label=label,
            )
    after = task["refreshed"]
    if after and after["forecast"] is not None and after["low"] is not None:
        middle = 100 * after["forecast"]
        ends = [[middle - 100 * after["low"]], [100 * after["high"] - middle]]
        axes.errorbar(
            [track["planned_tokens"]],
            [middle],
            yerr=ends,
            fmt="D",
            color=GREY,
            markersize=3.2,
            capsize=2,
            linewidth=0.8,
            label="refreshed forecast of the end",
        )
    axes.set(xscale="log", xlabel="training tokens", ylabel="accuracy, %")
    x_limits(axes, numbers([*band["tokens"], *(p["tokens"] for p in points), track["planned_tokens"]]), log=True)
    late = " (registered after it began)" if track["late"] else ""
    axes.set_title(f"{track['target']}: {task['task']}{late}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def history(series: Sequence[Record]) -> bytes:
    """Forecasts of the end of each (target, task) as they were made, pass by pass, with what was measured; a PDF.

    Each of ``series`` has ``target``, ``task``, ``times`` (datetimes), ``forecast``, ``low``, ``high`` (fractions),
    ``registered`` or null, and ``measured``: pairs of time and value.
    """
    return pages([(each,) for each in series], _over_time)


def _over_time(axes: Axes, series: Record) -> None:
    middle = 100 * numbers(series["forecast"])
    axes.fill_between(
        series["times"],
        100 * numbers(series["low"]),
        100 * numbers(series["high"]),
        color=GREY,
        alpha=0.2,
        linewidth=0,
        label="interval",
    )
    axes.plot(series["times"], middle, color="black", marker=".", label="forecast")
    registered = series["registered"]
    if registered and registered["forecast"] is not None:
        axes.axhline(100 * registered["forecast"], color=BLUE, linestyle="--", linewidth=0.9, label="registered")
        axes.axhspan(100 * registered["low"], 100 * registered["high"], color=BLUE, alpha=0.10, linewidth=0)
    if series["measured"]:
        times, values = zip(*series["measured"], strict=True)
        axes.plot(times, 100 * numbers(values), linestyle="", marker="X", color=VERMILLION, label="measured so far")
    axes.set(ylabel="accuracy, %")
    axes.set_title(f"{series['target']}: {series['task']}")
    axes.tick_params(axis="x", rotation=30)
    axes.legend()
