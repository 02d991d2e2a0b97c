"""Grades at their borders, the typical miss and the number of questions by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from benchcast.stages.forecast.grading import GRADING, Signal, documents, grade, typical_miss
from benchcast.stages.notices import Code, Notice
from benchcast.stages.notices import grading as codes

CLEAR = Signal(signal_to_noise=50, monotonicity=1, above_chance=20, documents=1000, runs=12, u_shaped=False)
BEATEN = 0.5  # miss of carrying forward: any forecast is better
E = 1e-6


def names(reasons: Iterable[Notice]) -> list[str]:
    return [reason.code for reason in reasons]


@pytest.mark.parametrize(
    ("expected", "letter"),
    [(0.0, "A"), (0.02, "A"), (0.02 + E, "B"), (0.04, "B"), (0.04 + E, "C"), (0.2, "C"), (0.2 + E, "D")],
)
@pytest.mark.parametrize("by", ["half the interval", "the backtest"])
def test_borders_of_the_expected_miss(by: str, expected: float, letter: str) -> None:
    half_width, miss = (2 * expected, 0.0) if by == "half the interval" else (0.0, expected)
    found, reasons = grade(CLEAR, half_width, miss, BEATEN, 0.5, 1.0)
    assert found == letter
    refused = codes.WIDE_INTERVAL if by == "half the interval" else codes.BACKTEST_MISS
    assert names(reasons) == [(refused if letter == "D" else codes.EXPECTED_MISS).name]


@pytest.mark.parametrize(
    ("decades", "letter"), [(1.0, "A"), (1.15, "A"), (1.15 + E, "B"), (1.5, "B"), (1.5 + E, "C"), (9.0, "C")]
)
def test_borders_of_the_distance(decades: float, letter: str) -> None:
    found, reasons = grade(CLEAR, 0.02, 0.01, BEATEN, decades, 1.0)
    assert found == letter
    assert (codes.BEYOND_TESTED.name in names(reasons)) == (letter != "A")


@pytest.mark.parametrize(("questions", "letter"), [(100.0, "A"), (99.0, "B"), (float("nan"), "A")])
def test_few_questions_are_no_a(questions: float, letter: str) -> None:
    assert grade(replace(CLEAR, documents=questions), 0.02, 0.01, BEATEN, 0.5, 1.0)[0] == letter


@pytest.mark.parametrize(("carried", "letter"), [(0.011, "A"), (0.01, "C")])
def test_no_better_than_carrying_forward_is_a_c(carried: float, letter: str) -> None:
    assert grade(CLEAR, 0.02, 0.01, carried, 0.5, 1.0)[0] == letter


def test_all_that_refuses_is_named() -> None:
    found, reasons = grade(replace(CLEAR, above_chance=1.9), 0.5, np.nan, np.nan, 0.5, np.nan)
    assert found == "D"
    assert names(reasons) == [codes.AT_CHANCE.name, codes.UNTESTED.name, codes.WIDE_INTERVAL.name]


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
