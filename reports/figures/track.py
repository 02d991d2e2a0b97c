"""A run under way beside the band that was registered for it: a panel per task, the most urgent first."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..records.nightly import BandColumns, Track, TrackedPoint, TrackedTask
from ..text.metric_names import score_name
from ..text.numbers import count, finite, percent
from ..text.wording import clean
from .canvas import Grid, axis_ticks, numbers, render, styled
from .marks import ALARM, BAND, BLACK, FORECAST, LAW, MEASURED, Look

ACROSS, MOST = 3, 9  # panels a row, and on page one
ROW, MARGIN = 1.42, 0.02  # inches
ROOM = 0.1  # of an axis, beyond what is drawn
BESIDE = 1.06  # of the planned tokens: where the refreshed forecast of the end is drawn
LONGEST = 26  # characters of a task in a panel's title
LEAST_ROOM = 0.02  # of accuracy that an axis shows at least
SMOOTH = 60  # points of a curve
SPOKEN: Look = ALARM | {"mec": BLACK, "mew": 0.5, "ms": 5.8}  # a score that a rule speaks at
Array = NDArray[np.float64]


def track_figure(track: Track) -> bytes:
    """The first ``MOST`` tasks of a run, as SVG."""
    with styled():
        tasks = ordered(track)[:MOST]
        grid = Grid(across=ACROSS, row=ROW, margin=MARGIN, left=0.05, gap=0.072, below=0.34, around=0.56)
        canvas, axes, _ = grid.draw(len(tasks))
        for index, (ax, task) in enumerate(zip(axes, tasks, strict=True)):
            draw(ax, track, task, named=index == 0)
        return render(canvas)


def ordered(track: Track) -> list[TrackedTask]:
    """Tasks with an alarm at their newest score first, then the others as they were registered, their mean last."""
    drawn = [task for task in track.tasks if task.points or task.band]
    return sorted(drawn, key=lambda task: (not (task.points and task.points[-1].alarm), task.is_mean))


def draw(ax: Axes, track: Track, task: TrackedTask, named: bool = False) -> None:
    """One panel: band and forecast as registered, scores, alarms, and the forecast of the end by what is known now.

    ``named``: what the marks are is written beside them.
    """
    band = task.band or _band_at_points(task)
    tokens, (low, high, middle) = _curves(band)
    ax.fill_between(tokens, low, high, color=LAW, alpha=BAND, linewidth=0)
    ax.plot(tokens, middle, color=LAW, linewidth=0.9)
    for alarm, look in ((False, MEASURED), (True, SPOKEN)):
        some = [p for p in task.points if p.alarm is alarm]
        if some:
            error = [100 * p.stderr for p in some]
            lines: Look = {"elinewidth": 0.7, "ecolor": look["color"], "zorder": 4}
            ax.errorbar([p.tokens for p in some], [100 * p.value for p in some], yerr=error, **look, **lines)
    end = _end(track, band, task)
    _draw_refreshed(ax, task, end)
    _axes(ax, task, band, end)
    _title(ax, task)
    if named:
        _name(ax, task, band, end)


def _curves(band: BandColumns) -> tuple[Array, tuple[Array, Array, Array]]:
    """Tokens, and low, high and forecast in percent: between the registered lengths linear in log D, as rules hold it.

    A panel's axis is linear in tokens, where straight lines would be another band.
    """
    known, columns = numbers(band.tokens), (band.low, band.high, band.forecast)
    if len(known) < 2 or known[0] <= 0:
        low, high, middle = (100 * numbers(column) for column in columns)
        return known, (low, high, middle)
    tokens = np.unique(np.concatenate([known, np.linspace(known[0], known[-1], SMOOTH)]))
    low, high, middle = (100 * np.interp(np.log(tokens), np.log(known), numbers(column)) for column in columns)
    return tokens, (low, high, middle)


def _draw_refreshed(ax: Axes, task: TrackedTask, end: float) -> None:
    now = task.refreshed
    if not task.points or now is None or now.forecast is None or now.low is None or now.high is None:
        return
    x = BESIDE * end
    ax.plot([x, x], [100 * now.low, 100 * now.high], color=FORECAST, linewidth=1.0)
    ax.plot([x], [100 * now.forecast], "D", color=FORECAST, markersize=3.2, mec="white", mew=0.3)


def _end(track: Track, band: BandColumns, task: TrackedTask) -> float:
    planned = finite(track.planned_tokens)
    return planned or max([*band.tokens, *(p.tokens for p in task.points)], default=1.0)


def _axes(ax: Axes, task: TrackedTask, band: BandColumns, end: float) -> None:
    """From zero to the planned end: how far the run has come is read off the axis."""
    now = task.refreshed if task.points else None
    values = [*band.low, *band.high, *(p.value for p in task.points), *((now.low, now.high) if now else ())]
    known = [v for v in map(finite, values) if v is not None]
    bottom, top = (min(known), max(known)) if known else (0.0, 1.0)
    room = ROOM * max(top - bottom, LEAST_ROOM)
    axis_ticks(ax, 100 * (bottom - room), 100 * (top + room), "y", 4)
    right = max([end * BESIDE, *(p.tokens for p in task.points)]) * 1.03
    ticks = [t for t in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(0, end) if 0 <= t <= right]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x) if x else "0"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(0, right)
    ax.tick_params(labelsize=6, pad=1.5)
    ax.set_ylabel(f"{score_name(task.metric)}, %", fontsize=6, labelpad=1.5)
    ax.set_xlabel("training tokens", fontsize=6, labelpad=1)


def _title(ax: Axes, task: TrackedTask) -> None:
    """The task with its newest score; where an alarm stands bold, with its side."""
    newest = task.points[-1] if task.points else None
    name = clean(task.task, LONGEST)
    said = name if newest is None else f"{name}: {percent(newest.value)} %{_said(newest)}"
    weight = "bold" if newest is not None and newest.alarm else "normal"
    ax.set_title(said, loc="left", fontsize=6.8, pad=3, weight=weight)


def _said(point: TrackedPoint) -> str:
    if not point.alarm:
        return ""
    return ", low" if min(point.outside, point.drift, -int(point.dropped)) < 0 else ", high"


def _name(ax: Axes, task: TrackedTask, band: BandColumns, end: float) -> None:
    """What the marks are, where they stand: the curve rises, so there is room below its right half, left of its end."""
    words = [("registered band", LAW)]
    if task.points:
        words.append(("● scores so far", BLACK))
    if any(p.alarm for p in task.points):
        words.append(("× alarm", SPOKEN["color"]))
    if task.points and task.refreshed and task.refreshed.forecast is not None:
        words.append(("◆ forecast of the end now", FORECAST))
    for row, (text, color) in enumerate(reversed(words)):
        ax.text(0.87, 0.06 + 0.105 * row, text, transform=ax.transAxes, fontsize=5.6, color=color, ha="right")


def _band_at_points(task: TrackedTask) -> BandColumns:
    """A mean over tasks has no band of its own but where there are points."""
    points = task.points
    return BandColumns(
        tokens=tuple(p.tokens for p in points),
        forecast=tuple(p.forecast for p in points),
        low=tuple(p.low for p in points),
        high=tuple(p.high for p in points),
    )
