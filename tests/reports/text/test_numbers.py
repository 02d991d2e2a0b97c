"""Numbers as people read them: pure functions, each against what a person would write."""

from __future__ import annotations

import math
from typing import Any

import pytest
from benchcast.reports.figures.canvas import log_label
from benchcast.reports.text import numbers


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, 0.0567, "1.235 ± 0.057"),
        (-0.05512, 0.00171, "−0.0551 ± 0.0017"),
        (2085.43, 460.0, "2090 ± 460"),
        (0.0, 0.02, "0.000 ± 0.020"),
        (3.21e6, 5.1e4, "(3.210 ± 0.051)×10⁶"),
        (4.5e-6, 2e-7, "(4.50 ± 0.20)×10⁻⁶"),
        (2.0, 500.0, "2 ± 500"),
        (1.817, None, "1.817 (no s.e.)"),
        (0.25, 0.0, "0.25 (fixed)"),
        (None, 0.1, "–"),
        (math.nan, 0.1, "–"),
    ],
)
def test_digits_follow_the_standard_error(value: Any, error: Any, text: str) -> None:
    assert numbers.estimate(value, error) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (56_100, "56.1K"),
        (1.3e6, "1.3M"),
        (6.9e9, "6.9B"),
        (16.55e12, "16.6T"),
        (138e9, "138B"),
        (999, "999"),
        (999_900, "1M"),
        (1e18, "1.00×10¹⁸"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_counts(value: Any, text: str) -> None:
    assert numbers.count(value) == text


def test_sizes_as_runs_are_named() -> None:
    values = (56_100, 640_000, 1.36e9, 190e6, 70e9, 15e12, 999)
    assert [numbers.size(v) for v in values] == ["56K", "640K", "1.4B", "190M", "70B", "15T", "999"]


def test_fractions() -> None:
    assert numbers.percent(0.6123) == "61.2"
    assert numbers.percent(-0.0001) == "0.0"
    assert numbers.percent(math.nan) == "–"
    assert numbers.points(0.0131) == "+1.3"
    assert numbers.points(-0.0042) == "−0.4"
    assert numbers.points(None) == "–"
    assert numbers.share(0.0234) == "2.3 %"
    assert numbers.level(0.9) == "90 %"
    assert numbers.percent_range([0.31, 0.3]) == "30.0–31.0"
    assert numbers.percent_range([0.30001, 0.3]) == "30.0"
    assert numbers.percent_range([]) == "–"


def test_intervals() -> None:
    assert numbers.interval(0.582, 0.64) == "58.2–64.0"
    assert numbers.interval(-0.02, 0.64) == "−2.0 to 64.0"
    assert numbers.interval(None, 0.64) == "–"
    assert numbers.brief(0.582, 0.64) == "(58–64)"
    assert numbers.within(1.2, 1.1, 1.4) == "1.2 (1.1–1.4)"
    assert numbers.within(7.47e10, 7e10, None, numbers.count) == "74.7B (no interval)"
    assert numbers.within(None, 1.0, 2.0) == "–"


def test_powers_of_ten() -> None:
    assert numbers.scientific(1.2e18) == "1.2×10¹⁸"
    assert numbers.typed(5.61e4) == "5.61e+04"
    assert log_label(1e18) == "10¹⁸"
    assert log_label(3e-5) == "3×10⁻⁵"
    assert [numbers.ratio(v) for v in (1.26, 126.4, 2e4)] == ["1.3", "126", "2.0×10⁴"]
