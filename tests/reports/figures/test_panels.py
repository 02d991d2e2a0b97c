"""Where forecasts and runs stand on the axes of a panel: pure functions, no PDF."""

from __future__ import annotations

import math
from typing import Any

import pytest
from benchcast.reports.figures import marks, panels
from benchcast.reports.records.forecast import Baselines, Curve, Forecast, Panel, PanelPoint
from benchcast.reports.records.forecast import Figure as FigureRecord
from benchcast.reports.records.quantities import Quantity as Q
from matplotlib.figure import Figure


def panel(x: Q, y: Q, in_percent: bool, points: tuple[PanelPoint, ...] = ()) -> Panel:
    return Panel(
        x_label="x",
        y_label="y",
        x_log=x.is_logarithmic,
        y_is_accuracy=in_percent,
        x_quantity=x,
        y_quantity=y,
        points=points,
        curves=(),
    )


FORECAST = Forecast(
    recipe="auto",
    family="f",
    task="t",
    target="big",
    params=7e9,
    tokens=None,
    flops=1e20,
    forecast=0.6,
    low=0.55,
    high=0.65,
    level=0.9,
    stderr=0.03,
    status="ok",
    notes=(),
    baselines=Baselines(direct=None, carry_forward=None),
    actual=None,
    middle=0.7,
)


@pytest.mark.parametrize(
    ("x", "y", "in_percent", "expected"),
    [
        (Q.FLOPS, Q.PROXY_LOSS, False, (1e20, 0.7, None, None)),
        (Q.PROXY_LOSS, Q.ACCURACY, True, (0.7, 60, 55, 65)),
        (Q.FLOPS, Q.ACCURACY, True, (1e20, 60, 55, 65)),
        (Q.PARAMS, Q.ACCURACY, True, (7e9, 60, 55, 65)),
        (Q.PROXY_LOSS, Q.ERROR, True, (0.7, 40, 35, 45)),
        (Q.PROXY_LOSS, Q.ERROR, False, (0.7, 0.4, 0.35, 0.45)),
        (Q.TOKENS, Q.ACCURACY, True, None),  # its tokens are not known
        (Q.UNSTATED, Q.ACCURACY, True, None),
        (Q.FLOPS, Q.UNSTATED, True, None),
        (Q.PROXY_LOSS, Q.PROXY_LOSS, False, None),  # predicted against measured
    ],
)
def test_a_forecast_finds_its_place(x: Q, y: Q, in_percent: bool, expected: Any) -> None:
    place = panels.target_position(panel(x, y, in_percent), FORECAST)
    if expected is None:
        assert place is None
    else:
        assert place == pytest.approx([math.nan if v is None else v for v in expected], nan_ok=True)


def test_groups_are_ordered_by_size_and_not_by_name() -> None:
    sizes = {"a": 1.3e9, "b": 190e6, "c": 7e9, "e": 370e6}
    names = {"a": "1.3B", "b": "190M", "c": "7B", "d": "other", "e": "370M", "f": ""}
    points = tuple(PanelPoint(x=1.0, y=1.0, run=run, role="fit", group=group) for run, group in names.items())
    groups = panels.size_groups([panel(Q.FLOPS, Q.ACCURACY, True, points)], sizes)
    assert list(groups) == ["190M", "370M", "1.3B", "7B", "", "other"]
    diameters = [groups[name]["ms"] for name in ("190M", "370M", "1.3B", "7B")]
    assert diameters == sorted(set(diameters))  # the larger the model, the larger its circle


def test_reference_models_are_no_group_of_sizes_and_have_marks_of_their_own() -> None:
    roles = {"a": ("fit", "190M"), "b": ("reference", "reference: old"), "c": ("reference", "reference: new")}
    points = tuple(PanelPoint(x=1.0, y=1.0, run=run, role=role, group=group) for run, (role, group) in roles.items())  # type: ignore[arg-type]
    one = panel(Q.PROXY_LOSS, Q.ACCURACY, True, points)
    assert list(panels.size_groups([one], {})) == ["190M"]
    looks = panels.reference_looks([one])
    assert list(looks) == ["reference: old", "reference: new"]
    markers = [marker for marker, _ in looks.values()]
    assert len(set(markers)) == 2  # colour alone tells nothing
    assert not set(markers) & {look["marker"] for look in (marks.MEASURED, marks.HELD_OUT, marks.UNUSED)}


def curve(label: str, height: float, last: float = 1e20) -> Curve:
    x = (1e18, 1e19, last)
    same = dict.fromkeys(("y", "curve_low", "curve_high", "low", "high"), (height - 0.1, height - 0.05, height))
    return Curve(label=label, x=x, **same)


def test_the_band_is_that_of_the_curve_on_which_the_target_lies() -> None:
    curves = (curve("low", 0.5), curve("its own", 0.6), curve("ends before", 0.6, 1e19))
    one = panel(Q.FLOPS, Q.ACCURACY, True).model_copy(update={"curves": curves})
    assert panels.banded_curves(one, [FORECAST]) == {1}
    near = FORECAST.model_copy(update={"flops": 1e18, "forecast": 0.4})
    assert panels.banded_curves(one, [near]) == {0}
    assert panels.banded_curves(one, [near, FORECAST]) == {1}  # of several the farthest
    assert panels.banded_curves(one, []) == {2}


def test_only_a_planned_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = FigureRecord(recipe="auto", family="f", task="t", panels=(panel(Q.FLOPS, Q.ACCURACY, True),))
    drawn: list[Figure] = []
    monkeypatch.setattr(panels, "render", lambda canvas: drawn.append(canvas) or b"")
    measured = FORECAST.model_copy(update={"target": "seen", "flops": 1e19, "actual": 0.5})
    panels.panel_figure(figure, [FORECAST, measured], {})
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["big"]
