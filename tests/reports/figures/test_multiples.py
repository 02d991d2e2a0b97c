"""Small panels: runs by size, the curve of the forecasts and the target on it."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.reports.figures import marks, multiples
from benchcast.reports.figures.multiples import Small
from benchcast.reports.records.forecast import Result, Sweep
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from worlds.reports import as_record, make_result

PAIR = ("dolma", "mmlu")
FLOPS = (1e18, 1e19, 1e20, 1e21, 1e24)
SCORES = (0.26, 0.3, 0.4, 0.55, 0.8)


@pytest.fixture(scope="module")
def result() -> Result:
    return as_record(make_result())


def along_compute(result: Result, multiplier: float) -> Sweep:
    return Sweep(
        recipe=result.forecasts[0].recipe,
        family=PAIR[0],
        task=PAIR[1],
        token_multiplier=multiplier,
        flops=FLOPS,
        forecast=SCORES,
        low=tuple(v - 0.05 for v in SCORES),
        high=tuple(v + 0.05 for v in SCORES),
        direct=(None,) * len(FLOPS),
    )


def panel(task: Small) -> Axes:
    ax = Figure().add_subplot()
    multiples.draw(ax, task, 1.0)
    return ax


def test_a_panel_has_every_run_and_forecast(result: Result) -> None:
    task = Small.of(result, *PAIR, "mmlu")
    assert len(task.runs) == len(result.ladder)
    assert len(task.forecasts) == 6  # no recipe grades: all of them are shown
    circles = [line for line in panel(task).lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in circles) == sum(run.role != "unused" for run in task.runs)
    assert multiples.multiples_figure([task], {"llama3": "Llama 3"}, "90 %").startswith(b"<?xml")
    nothing = Small(title="nothing", runs=(), forecasts=())
    assert multiples.multiples_figure([nothing], {}, "90 %").startswith(b"<?xml")


def test_the_curve_is_that_of_the_targets_tokens_per_parameter(result: Result) -> None:
    target = next(f for f in result.forecasts if (f.family, f.task) == PAIR and f.actual is None)
    assert target.tokens is not None
    assert target.params is not None
    own = target.tokens / target.params
    sweeps = tuple(along_compute(result, m) for m in (own * 30, own, own / 30))
    task = Small.of(result.model_copy(update={"sweeps": sweeps}), *PAIR, "mmlu")
    assert task.course == sweeps[1]
    (curve,) = [line for line in panel(task).lines if line.get_color() == marks.LAW]
    x, y = np.asarray(curve.get_xdata(), dtype=float), np.asarray(curve.get_ydata(), dtype=float)
    reached = [c for c in FLOPS if c <= x[-1]]
    assert len(reached) > 2
    assert np.interp(np.log(reached), np.log(x), y) == pytest.approx([100 * v for v in SCORES[: len(reached)]], abs=0.3)
