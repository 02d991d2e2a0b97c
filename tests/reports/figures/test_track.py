"""A run beside its registered band: what is drawn is the band that the rules hold; alarms look unlike scores."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.nightly.tracking.bands import Band
from benchcast.reports.figures import track as figure
from benchcast.reports.figures.canvas import styled
from benchcast.reports.records.nightly import BandColumns, Ends, Track, TrackedPoint, TrackedTask
from matplotlib.axes import Axes
from matplotlib.figure import Figure

TOKENS, LOW, MIDDLE, HIGH = (1e9, 5e9, 2e10), (0.38, 0.5, 0.57), (0.4, 0.53, 0.6), (0.42, 0.56, 0.63)
BAND = BandColumns(tokens=TOKENS, forecast=MIDDLE, low=LOW, high=HIGH)


def point(tokens: float, value: float, outside: int = 0) -> TrackedPoint:
    limits = {"low": 0.4, "forecast": 0.5, "high": 0.6}
    return TrackedPoint(tokens=tokens, value=value, stderr=0.01, alarm=bool(outside), outside=outside, **limits)


def task(name: str, *points: TrackedPoint, is_mean: bool = False) -> TrackedTask:
    ends = Ends(forecast=0.61, low=0.55, high=0.66)
    return TrackedTask(task=name, band=BAND, points=points, registered=None, refreshed=ends, is_mean=is_mean)


def track(*tasks: TrackedTask) -> Track:
    return Track(target="big", run="7B", registered="t", hash="h", planned_tokens=2e10, tasks=tasks, late=False)


@pytest.fixture
def axes() -> Axes:
    with styled():
        drawn = Figure().add_subplot()
        one = task("quiz", point(2e9, 0.44), point(4e9, 0.3, outside=-1))
        figure.draw(drawn, track(one), one, named=True)
    return drawn


def test_the_band_is_that_of_the_rules_between_the_registered_lengths_too(axes: Axes) -> None:
    low, middle, high = (np.array(column) for column in (LOW, MIDDLE, HIGH))
    held = Band(tokens=np.array(TOKENS), forecast=middle, low=low, high=high, level=0.9, params=1e9, planned=2e10)
    [curve] = [line for line in axes.lines if len(line.get_xdata()) > figure.SMOOTH / 2]
    x, y = np.asarray(curve.get_xdata(), dtype=float), np.asarray(curve.get_ydata(), dtype=float)
    middle, low, high, _ = held.at(x)
    np.testing.assert_allclose(y, 100 * middle)
    outline = axes.collections[0].get_paths()[0].vertices
    assert outline[:, 1].min() == pytest.approx(100 * low.min())
    assert outline[:, 1].max() == pytest.approx(100 * high.max())


def test_alarms_differ_from_scores_in_shape_and_colour_and_the_axis_reaches_the_planned_end(axes: Axes) -> None:
    marks = {line.get_marker(): line for line in axes.lines if len(line.get_xdata()) == 1}
    score, alarm, end = marks["o"], marks["X"], marks["D"]
    assert len({str(line.get_color()) for line in (score, alarm, end)}) == 3
    assert (score.get_ydata()[0], alarm.get_ydata()[0], end.get_ydata()[0]) == pytest.approx((44, 30, 61))
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] > 2e10
    assert axes.get_title(loc="left") == "quiz: 30.0 %, low"


def test_tasks_with_an_alarm_come_first_and_the_mean_last() -> None:
    well, ill = point(2e9, 0.44), point(2e9, 0.3, outside=-1)
    tasks = [task("a", well), task("mean of the tasks", well, is_mean=True), task("b", ill), task("c")]
    assert [one.task for one in figure.ordered(track(*tasks))] == ["b", "a", "c", "mean of the tasks"]
    many = track(*(task(f"t{n}", well) for n in range(20)))
    assert figure.track_figure(many) == figure.track_figure(many)  # the same records give the same bytes
