"""Laws recover the truth that their data were made with, and their Jacobian is the derivative of their curve."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages import (
    AnnealedLoss,
    BrokenPower,
    ChinchillaLoss,
    DeepSeekLoss,
    DirectAccuracy,
    FlooredPower,
    FLOPsToNLL,
    KaplanLoss,
    LossToError,
    NLLToAccuracy,
    OvertrainedLoss,
    PurePower,
    StepsLoss,
    TaskLoss,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

FLOPS = np.geomspace(1e17, 1e21, 14)
MANY_SIZES = np.repeat(np.geomspace(1e7, 3e9, 5), 5)
MANY_TOKENS = MANY_SIZES * np.tile([2.0, 8.0, 30.0, 120.0, 500.0], 5)
STEPS = np.tile(np.geomspace(1e3, 1e6, 5), 5)
SIZES = np.repeat([1.9e8, 3.7e8, 7.6e8, 1.3e9], 4)
TOKENS = SIZES * np.tile([20.0, 40.0, 100.0, 200.0], 4)

# law, search-scale parameters of a plausible truth, inputs
CASES = {
    "FLOPsToNLL": (FLOPsToNLL(), [2.7, -0.09], FLOPS[:, None]),
    "NLLToAccuracy": (NLLToAccuracy(), [0.25, 0.95, np.log(8.0), 0.8], np.linspace(0.3, 1.4, 25)[:, None]),
    "OvertrainedLoss": (
        OvertrainedLoss(),
        [1.84, np.log(212.0), np.log(367.0), 0.136],
        np.column_stack([np.repeat(FLOPS, 2), np.tile([20.0, 320.0], 14)]),
    ),
    "LossToError": (LossToError(), [0.86, 2.2, np.log(0.75)], np.linspace(2.0, 4.5, 14)[:, None]),
    "TaskLoss": (
        TaskLoss(huber=None),
        [np.log(30.0), np.log(100.0), 0.23, 0.24, 0.45],
        np.column_stack([SIZES, TOKENS]),
    ),
    "DirectAccuracy": (DirectAccuracy(), [np.log(60.0), 0.09], FLOPS[:, None]),
    "PurePower": (PurePower(), [np.log(40.0), 0.07, 0.05], np.column_stack([SIZES, TOKENS])),
    "BrokenPower": (BrokenPower(), [np.log(90.0), 0.09, -0.05, np.log(2e19)], FLOPS[:, None]),
    "FlooredPower": (FlooredPower(), [1.8, np.log(300.0), 0.13], FLOPS[:, None]),
    "ChinchillaLoss": (ChinchillaLoss(), [6.17, 7.67, 0.347, 0.367, 1.82], np.column_stack([MANY_SIZES, MANY_TOKENS])),
    "DeepSeekLoss": (DeepSeekLoss(), [6.17, 7.67, 0.347, 0.367, 1.82], np.column_stack([6 * MANY_SIZES, MANY_TOKENS])),
    "KaplanLoss": (
        KaplanLoss(),
        [np.log(6.4e13), np.log(1.8e13), 0.076, 0.103],
        np.column_stack([MANY_SIZES, MANY_TOKENS]),
    ),
    "StepsLoss": (StepsLoss(), [np.log(11.2), 0.077, np.log(336.0), 0.76], np.column_stack([MANY_SIZES, STEPS])),
    "AnnealedLoss": (
        AnnealedLoss(),
        [3.16, np.log(40.0), 0.52, 0.12],
        np.column_stack([STEPS, np.tile([0.0, 0.2, 0.5, 0.9, 0.1], 5)]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_recovers_the_truth_without_noise(name: str) -> None:
    law, theta, X = CASES[name]
    truth = np.array(theta)
    law.fit(X, law._curve(truth, X))
    np.testing.assert_allclose(law.predict(X), law._curve(truth, X), rtol=1e-6)
    np.testing.assert_allclose(law.theta_, truth, rtol=2e-3)
    assert law.status_ == "converged"


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-0.1, 0.1), row=st.integers(0, 24))
def test_jacobian_equals_finite_differences(name: str, shift: float, row: int) -> None:
    law, theta, X = CASES[name]
    point = np.array(theta) * (1 + shift)
    x = X[[row % len(X)]]
    numeric = approx_fprime(point, lambda t: law._curve(t, x)[0], 1e-7 * np.maximum(np.abs(point), 1e-2))
    np.testing.assert_allclose(law._jacobian(point, x)[0], numeric, rtol=2e-4, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(list(CASES)))
def test_weights_act_like_repeated_rows(seed: int, name: str) -> None:
    law, theta, X = CASES[name]
    rng = np.random.default_rng(seed)
    y = law._curve(np.array(theta), X) * np.exp(rng.normal(0, 0.003, len(X)))
    weight = rng.integers(1, 3, len(X))
    weighted = law.fit(X, y, sample_weight=weight).predict(X)
    repeated = law.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-5, atol=1e-7)
