"""Numbers, names and places as the report words them: pure functions, no PDF."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from benchcast.reports.figures import panels as figures
from benchcast.reports.sections import content
from benchcast.reports.text import wording


@pytest.mark.parametrize(
    ("x_label", "y_label", "accuracy", "expected"),
    [
        ("training FLOPs (6ND)", "NLL (nats/byte)", False, (1e20, 0.7, None, None)),
        ("NLL (nats/byte)", "accuracy", True, (0.7, 60, 55, 65)),
        ("compute (FLOPs)", "accuracy", True, (1e20, 60, 55, 65)),
        ("loss (nats/token)", "top-1 error", True, (0.7, 40, 35, 45)),
        ("loss (nats/token)", "top-1 error", False, (0.7, 0.4, 0.35, 0.45)),
        ("tokens", "accuracy", True, None),
        ("tokens per parameter", "accuracy", True, None),
        ("predicted loss", "measured loss", False, None),
    ],
)
def test_a_forecast_finds_its_place(x_label: str, y_label: str, accuracy: bool, expected: Any) -> None:
    panel = {"x_label": x_label, "y_label": y_label, "y_is_accuracy": accuracy, "x_log": "FLOP" in x_label}
    forecast = {"flops": 1e20, "tokens": None, "middle": 0.7, "forecast": 0.6, "low": 0.55, "high": 0.65}
    place = figures.target_position(panel, forecast)
    if expected is None:
        assert place is None
    else:
        assert place == pytest.approx([math.nan if v is None else v for v in expected], nan_ok=True)


def test_sizes_are_ordered_by_size() -> None:
    names = ["1.3B", "190M", "7B", "other", "370M", "..M"]
    points = [{"group": n, "role": "fit", "run": n, "x": 1.0, "y": 1.0} for n in names]
    assert list(figures.size_groups([{"points": points}])) == ["190M", "370M", "1.3B", "7B", "..M", "other"]


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
    assert wording.estimate(value, error) == text


def test_numbers_in_words() -> None:
    assert [wording.count(v) for v in (1.3e6, 6.9e9, 16.55e12, 138e9, 999, 999_900, None)] == [
        "1.3M",
        "6.9B",
        "16.6T",
        "138B",
        "999",
        "1M",
        "–",
    ]
    assert wording.scientific(1.2e18) == "1.2×10¹⁸"
    assert wording.percent(-0.0001) == "0.0"
    assert wording.interval(0.582, 0.64) == "58.2–64.0"
    assert wording.interval(-0.02, 0.64) == "−2.0 to 64.0"
    assert figures.log_label(1e18) == "10¹⁸"
    assert figures.log_label(3e-5) == "3×10⁻⁵"


def test_names_lose_what_could_disturb_their_neighbours() -> None:
    assert wording.clean("a\nb\x00\u202e\ud800c") == "a b\ufffd\ufffd\ufffdc"
    assert wording.clean("x" * 99, 11) == "xxxxx…xxxxx"


def test_large_numbers_of_a_config_stay_numbers() -> None:
    config = {"flops": 3.8e25, "tokens": 1e18, "level": 0.9, "params": 6887575552.0}
    shown = yaml.dump(config, Dumper=content.Dumper)
    assert yaml.safe_load(shown) == config
    assert "3.8e+25" in shown
