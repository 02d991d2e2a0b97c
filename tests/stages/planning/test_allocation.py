"""The planning laws and their optima against the papers' numbers, closed forms and numerical minimisation."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages import ChinchillaLoss, KaplanLoss, OvertrainedLoss
from benchcast.stages.laws.surface import LossSurface
from benchcast.stages.planning import allocation, published
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

SIZES = np.repeat(np.geomspace(1e7, 3e9, 5), 5)
TOKENS = SIZES * np.tile([2.0, 8.0, 30.0, 120.0, 500.0], 5)


@pytest.mark.parametrize("law", [ChinchillaLoss, KaplanLoss, OvertrainedLoss])
@settings(max_examples=20, deadline=None)
@given(log_flops=st.floats(40.0, 62.0))
def test_the_closed_form_is_the_minimum(law: type[LossSurface], log_flops: float) -> None:
    """Against a numerical search along C = 6ND; and the near-optimal range and the contour agree with the law."""
    p = _parameters(law)
    flops = float(np.exp(log_flops))
    best = law.optimum_at(p, flops)
    size = float(best.params[0])

    def loss(log_n: float) -> float:
        n = np.array([np.exp(log_n)])
        return float(law.loss_at(p, n, flops / 6 / n)[0])

    found = minimize_scalar(loss, bracket=(np.log(size) - 3, np.log(size) + 2), options={"xtol": 1e-10})
    assert found.x == pytest.approx(np.log(size), abs=2e-3)
    assert best.loss[0] <= found.fun * (1 + 1e-12)
    assert 6 * size * best.tokens[0] == pytest.approx(flops, rel=1e-9)
    low, high = allocation.near_optimal(law, p, flops, 0.005)
    for end in (low[0], high[0]):
        assert loss(np.log(end)) == pytest.approx(1.005 * best.loss[0], rel=1e-6)
    tokens = law.tokens_at(p, float(best.loss[0]), np.array([size]))
    assert tokens[0] == pytest.approx(best.tokens[0], rel=1e-3)


def _parameters(law: type[LossSurface]) -> dict[str, np.ndarray]:
    if law is OvertrainedLoss:
        return {k: np.array([v]) for k, v in {"E": 1.84, "a": 212.0, "b": 367.0, "eta": 0.136}.items()}
    return published.PUBLISHED_LAWS["chinchilla-refit" if law is ChinchillaLoss else "kaplan"].values()


def test_the_cost_of_a_deviation_is_what_the_compute_would_buy() -> None:
    p = published.PUBLISHED_LAWS["chinchilla-refit"].values()
    extra, waste = allocation.deviation(ChinchillaLoss, p, 1e23, np.array([0.25, 1.0, 4.0]))
    assert extra[0, 1] == pytest.approx(0, abs=1e-12)
    assert waste[0, 1] == pytest.approx(0, abs=1e-6)
    for e, w in zip(extra[0, [0, 2]], waste[0, [0, 2]], strict=True):
        best = ChinchillaLoss.optimum_at(p, 1e23 * (1 - w)).loss[0]
        assert best == pytest.approx(ChinchillaLoss.optimum_at(p, 1e23).loss[0] + e, rel=1e-9)
