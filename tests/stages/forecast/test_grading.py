"""Grades at their borders, the typical miss and the number of questions by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from benchcast.stages.forecast.grading import GRADING, Grade, Reach, Signal, documents, grade, typical_miss
from benchcast.stages.notices import Code, Notice
from benchcast.stages.notices import grading as codes

CLEAR = Signal(signal_to_noise=50, monotonicity=1, above_chance=20, documents=1000, runs=12, u_shaped=False)
BEATEN = 0.5  # miss of carrying forward: any forecast is better
E = 1e-6
NEAR = Reach(flops=1.0, params=0.5, tokens=0.5, tested_flops=1.0, tested_params=0.5, tested_tokens=0.5)
UNTRIED = replace(NEAR, tested_flops=np.nan, tested_params=np.nan, tested_tokens=np.nan)


def names(reasons: Iterable[Notice]) -> list[str]:
    return [reason.code for reason in reasons]


@pytest.mark.parametrize(
    ("expected", "letter"),
    [(0.0, "A"), (0.02, "A"), (0.02 + E, "B"), (0.04, "B"), (0.04 + E, "C"), (0.2, "C"), (0.2 + E, "D")],
)
@pytest.mark.parametrize("by", ["half the interval", "the backtest"])
def test_borders_of_the_expected_miss(by: str, expected: float, letter: str) -> None:
    half_width, miss = (2 * expected, 0.0) if by == "half the interval" else (0.0, expected)
    found, reasons = grade(CLEAR, half_width, miss, BEATEN, NEAR)
    assert found == letter
    refused = codes.WIDE_INTERVAL if by == "half the interval" else codes.BACKTEST_MISS
    assert names(reasons) == [(refused if letter == "D" else codes.EXPECTED_MISS).name]


def of_a(**change: float) -> tuple[Grade, list[str]]:
    """Grade and reasons of a forecast that is an A, but for something in the signal."""
    letter, reasons = grade(replace(CLEAR, **change), 0.02, 0.01, BEATEN, NEAR)
    return letter, names(reasons)


def at(reach: Reach) -> tuple[Grade, list[str]]:
    """Grade and reasons of a forecast that is an A, but for its distance."""
    letter, reasons = grade(CLEAR, 0.02, 0.01, BEATEN, reach)
    return letter, names(reasons)


@pytest.mark.parametrize("axis", ["params", "tokens"])
@pytest.mark.parametrize(("decades", "letter"), [(0.1, "A"), (0.65, "A"), (0.65 + E, "C"), (9.0, "C")])
def test_borders_of_the_distance_along_either_axis(axis: str, decades: float, letter: str) -> None:
    """Half a decade was tested, and 0.15 more counts as tested; compute is no excuse, and no reproach."""
    found, reasons = at(replace(NEAR, **{axis: decades, "flops": 0.1}))
    assert found == letter
    assert reasons.count(codes.BEYOND_TESTED.name) == (letter != "A")
    assert at(replace(NEAR, flops=9.0))[0] == "A"


def test_both_axes_are_named_when_both_are_untested() -> None:
    found, reasons = grade(CLEAR, 0.02, 0.01, BEATEN, replace(NEAR, params=2.0, tokens=3.0, tested_tokens=0.0))
    assert found == "C"
    assert [r.values["axis"] for r in reasons if r.code == codes.BEYOND_TESTED.name] == ["parameters", "tokens"]
    assert [r.values["ratio"] for r in reasons if r.code == codes.BEYOND_TESTED.name] == [100.0, 1000.0]


@pytest.mark.parametrize(("decades", "letter"), [(1.15, "A"), (1.15 + E, "C")])
@pytest.mark.parametrize("unknown", ["params", "tokens"])
def test_compute_counts_where_a_size_or_a_length_is_not_known(unknown: str, decades: float, letter: str) -> None:
    found, reasons = grade(CLEAR, 0.02, 0.01, BEATEN, replace(NEAR, **{unknown: np.nan, "flops": decades}))
    assert found == letter
    assert [r.values["axis"] for r in reasons if r.code == codes.BEYOND_TESTED.name] == ["FLOPs"] * (letter == "C")


def test_nothing_tested_caps_at_c_and_refuses_nothing() -> None:
    letter, reasons = grade(CLEAR, 0.02, np.nan, np.nan, UNTRIED)
    assert letter == "C"
    assert names(reasons) == [codes.EXPECTED_MISS.name, codes.UNTESTED.name]


def test_at_chance_caps_at_c_and_says_that_it_stays_there() -> None:
    assert of_a(above_chance=2.0) == ("A", [codes.EXPECTED_MISS.name])
    assert of_a(above_chance=1.99) == ("C", [codes.EXPECTED_MISS.name, codes.STAYS_NEAR_CHANCE.name])


@pytest.mark.parametrize(("runs", "letter"), [(10, "A"), (9, "B"), (6, "B"), (5, "C"), (2, "C")])
def test_few_runs_are_no_a_and_very_few_a_c(runs: int, letter: str) -> None:
    found, reasons = of_a(runs=runs)
    assert found == letter
    assert (codes.FEW_RUNS.name in reasons) == (letter != "A")


@pytest.mark.parametrize(("questions", "letter"), [(100.0, "A"), (99.0, "B"), (float("nan"), "A")])
def test_few_questions_are_no_a(questions: float, letter: str) -> None:
    found, reasons = of_a(documents=questions)
    assert found == letter
    assert (codes.FEW_DOCUMENTS.name in reasons) == (letter == "B")


@pytest.mark.parametrize(("carried", "letter"), [(0.011, "A"), (0.01, "C")])
def test_no_better_than_carrying_forward_is_a_c(carried: float, letter: str) -> None:
    found, reasons = grade(CLEAR, 0.02, 0.01, carried, NEAR)
    assert found == letter
    assert (codes.BASELINE_AS_GOOD.name in names(reasons)) == (letter == "C")


def test_no_cap_lifts_a_grade_and_every_cause_is_named() -> None:
    """All at once: few runs and few questions would allow a B, the rest a C."""
    poor = replace(CLEAR, above_chance=1.9, runs=7, documents=50)
    letter, reasons = grade(poor, 0.3, 0.1, 0.1, replace(NEAR, params=9.0))
    assert letter == "C"
    assert names(reasons) == [
        codes.EXPECTED_MISS.name,
        codes.STAYS_NEAR_CHANCE.name,
        codes.BASELINE_AS_GOOD.name,
        codes.BEYOND_TESTED.name,
        codes.FEW_RUNS.name,
        codes.FEW_DOCUMENTS.name,
    ]


def test_only_a_wide_interval_or_a_bad_record_refuses_and_that_alone_is_said() -> None:
    poor = replace(CLEAR, above_chance=1.9, runs=3, documents=50)
    for half_width, miss, code in ((0.41, np.nan, codes.WIDE_INTERVAL), (0.1, 0.21, codes.BACKTEST_MISS)):
        letter, reasons = grade(poor, half_width, miss, np.nan, UNTRIED)
        assert letter == "D"
        assert names(reasons) == [code.name]


@pytest.mark.parametrize(
    ("change", "codes_"),
    [
        ({}, []),
        ({"above_chance": 2.0}, []),
        ({"above_chance": 1.99}, [codes.AT_CHANCE]),
        ({"above_chance": float("nan")}, []),
        ({"u_shaped": True}, [codes.U_SHAPED]),
        ({"monotonicity": 0.29}, [codes.NO_TREND]),
        ({"monotonicity": -0.5}, [codes.NO_TREND]),
        ({"monotonicity": -0.51}, [codes.INVERSE_SCALING]),
        ({"runs": 9}, [codes.FEW_POINTS]),
    ],
)
def test_warnings_of_a_signal(change: dict[str, float], codes_: list[Code]) -> None:
    assert names(replace(CLEAR, **change).warnings()) == [code.name for code in codes_]


def test_the_typical_miss_is_the_tasks_own_shrunk_towards_all() -> None:
    """One own miss of 10 points among two of 20 points on average, which count five: (0.1 + 5 * 0.2) / 6."""
    miss, own = np.array([0.1, 0.3]), np.array([True, False])
    assert typical_miss(miss, np.ones(2), own, 1.0) == pytest.approx(1.1 / 6)
    assert typical_miss(miss, np.ones(2), own, 5.0) == pytest.approx(1.1 / 6)  # as far as the farthest tested
    assert typical_miss(miss, np.ones(2), ~own & own, 1.0) == pytest.approx(0.2)  # none of its own
    assert np.isnan(typical_miss(miss[:0], miss[:0], own[:0], 1.0))


def test_a_miss_at_another_distance_counts_less() -> None:
    """Half a decade away, one bandwidth: exp(-1/2) of one at the distance asked for."""
    away = np.exp(-0.5)
    assert GRADING.bandwidth_decades == 0.5
    found = typical_miss(np.array([0.1, 0.3]), np.array([1.0, 0.5]), np.zeros(2, dtype=bool), 1.0)
    assert found == pytest.approx((0.1 + 0.3 * away) / (1 + away))


def test_questions_follow_from_the_binomial_error() -> None:
    assert documents(np.array([0.5, 0.5, 0.2]), np.array([0.05, 0.05, np.nan])) == pytest.approx(100)
    assert documents(np.array([1.0]), np.array([0.01])) == pytest.approx(100)  # one question answered otherwise
    assert np.isnan(documents(np.array([0.5]), np.array([0.0])))
