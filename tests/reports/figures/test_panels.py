"""Where forecasts and runs stand on the axes of a panel: pure functions, no PDF."""

from __future__ import annotations

import math
from typing import Any

import pytest
from benchcast.reports.figures import panels
from benchcast.reports.records.forecast import Baselines, Forecast, Panel, PanelPoint
from benchcast.reports.records.quantities import Quantity as Q


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
    assert len({mark for _, mark in groups.values()}) == len(groups)


def test_reference_models_are_no_group_of_sizes_and_have_marks_of_their_own() -> None:
    roles = {"a": ("fit", "190M"), "b": ("reference", "reference: old"), "c": ("reference", "reference: new")}
    points = tuple(PanelPoint(x=1.0, y=1.0, run=run, role=role, group=group) for run, (role, group) in roles.items())  # type: ignore[arg-type]
    one = panel(Q.PROXY_LOSS, Q.ACCURACY, True, points)
    assert list(panels.size_groups([one], {})) == ["190M"]
    assert panels.held_out_runs([one]) == {}
    looks = panels.reference_looks([one])
    assert list(looks) == ["reference: old", "reference: new"]
    markers = [marker for marker, _ in looks.values()]
    sizes, held_out = set(panels.MARKERS), {marker for marker, _ in panels.OPEN_MARKERS}
    assert len(set(markers)) == 2  # colour alone tells nothing
    assert not set(markers) & (sizes | held_out | {"x"})
