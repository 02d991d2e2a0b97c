"""No interval is narrower than the sampling error of the score to come, and none has no width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchcast.forecasting.run import run
from benchcast.stages.forecast.grading import documents
from scipy.stats import norm
from worlds.ladders import constant_ladder

RECIPES = [{"name": "overtraining", "loss": "val"}, {"name": "auto", "refuse": False}]


def ask(score: float, n: float | None, level: float = 0.9) -> list[Any]:
    config = {
        "data": {"source": "table"},
        "targets": [{"name": "x", "flops": 1e30, "token_multiplier": 20}],
        "recipes": RECIPES,
        "level": level,
    }
    return list(run(config, data=constant_ladder(score, n)).forecasts)


@pytest.mark.parametrize("level", [0.68, 0.9])
@pytest.mark.parametrize("score", [0.5, 0.9])
def test_a_constant_score_is_as_uncertain_as_its_questions_leave_it(score: float, level: float) -> None:
    error = np.sqrt(score * (1 - score) / 1000)
    fixed, auto = ask(score, 1000, level)
    assert fixed.forecast == pytest.approx(score)
    assert fixed.high - fixed.low >= 2 * norm.ppf(0.5 + level / 2) * error * (1 - 1e-9)
    # Runs asked the same questions share half of the variance.
    assert auto.high - auto.low >= 2 * norm.ppf(0.5 + level / 2) * error * np.sqrt(0.5) * (1 - 1e-9)
    assert fixed.stderr >= error * (1 - 1e-9)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_score_of_zero_or_one_has_an_interval(score: float) -> None:
    for f in ask(score, 1000):
        if f.forecast is not None:
            assert f.high - f.low > 1e-4, f.recipe


def test_where_the_number_of_questions_is_unknown_the_assumption_is_said() -> None:
    for f in ask(0.5, None):
        assert f.high - f.low > 0.1, f.recipe
        assert any("is assumed (add n or stderr to the table)" in note for note in f.notes), f.recipe


def test_documents_are_read_off_sampling_errors() -> None:
    score = np.array([0.25, 0.5, 0.75])
    assert documents(score, np.sqrt(score * (1 - score) / 400)) == pytest.approx(400)
    assert documents(np.array([1.0, 0.0]), np.array([1e-3, 1e-3])) == pytest.approx(1000)
    assert np.isnan(documents(score, np.zeros(3)))
