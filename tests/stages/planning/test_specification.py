"""The specification curve: every defensible choice of an analysis, and what is left out of it."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from benchcast.stages import ChinchillaLoss
from benchcast.stages.planning import published
from benchcast.stages.planning.specification import specifications

SIZES = np.repeat(np.geomspace(1e7, 3e9, 5), 5)
TOKENS = SIZES * np.tile([2.0, 8.0, 30.0, 120.0, 500.0], 5)


def test_the_specification_curve_varies_what_it_says() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([6.17, 7.67, 0.347, 0.367, 1.82])
    loss = ChinchillaLoss()._curve(truth, np.column_stack([SIZES, TOKENS])) * np.exp(rng.normal(0, 1e-3, len(SIZES)))
    answers = specifications(SIZES, TOKENS, loss, 6 * SIZES * TOKENS * 1.3, 1e23)
    assert {s.choice["FLOPs"] for s in answers} == {"6ND", "as given"}
    assert {s.choice["delta"] for s in answers if "delta" in s.choice} == {"0.0001", "0.001", "0.01", "least squares"}
    optimum = ChinchillaLoss.optimum_at(published.PUBLISHED_LAWS["chinchilla-refit"].values(), 1e23).params[0]
    ours = [s.params for s in answers if s.choice == {"delta": "0.001", "runs": "all", "FLOPs": "6ND"}]
    assert ours[0] == pytest.approx(optimum, rel=0.2)
    only = specifications(SIZES, TOKENS, loss, None, 1e23)
    assert {s.choice["FLOPs"] for s in only} == {"6ND"}


def test_runs_that_are_not_a_sweep_leave_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A diagonal ladder has one size per budget: no isoFLOP answer, and the log says so for every curve."""
    sizes = np.geomspace(1e7, 3e9, 9)
    loss = 1.8 + 480 / sizes**0.35 + 2100 / (20 * sizes) ** 0.37
    with caplog.at_level(logging.DEBUG, logger="benchcast.stages.planning.specification"):
        answers = specifications(sizes, 20 * sizes, loss, None, 1e23)
    assert {s.method for s in answers} == {"L(N, D)"}
    assert [r.getMessage().split(":")[0] for r in caplog.records] == [
        f"no isoFLOP answer with {curve} and FLOPs 6ND" for curve in ("akima", "parabola", "cubic")
    ]
