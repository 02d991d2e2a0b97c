"""What the tasks of a ladder tell each other: how common each prior of the slope is."""

from __future__ import annotations

import numpy as np
from benchcast.stages.trend.log_odds import TrendData, TrendPriors, fit_trends, share_slopes
from scipy.optimize import minimize_scalar

X = np.linspace(18.0, 20.0, 4)


def task(slope: float, seed: int) -> TrendData:
    noise = np.random.default_rng(seed).normal(0, 0.02, len(X))
    return TrendData(
        x=X,
        accuracy=1 / (1 + np.exp(-slope * (X - 20.0))) + noise,
        sampling=np.zeros(len(X)),
        runs=np.arange(len(X)),
        chance=0.0,
    )


def test_the_shares_are_where_the_penalised_likelihood_is_largest() -> None:
    priors = TrendPriors()
    trends = fit_trends([task(s, i) for i, s in enumerate([0.0, 0.7, 0.9, 0.8, 0.1])], priors)
    flat = np.array([t.weights[t.prior[:, 0] == priors.slopes[0][0]].sum() for t in trends])

    def cost(share: float) -> float:
        each = np.log(share * flat + (1 - share) * (1 - flat)).sum()
        return -float(each + priors.shared_tasks / 2 * (np.log(share) + np.log(1 - share)))

    best = minimize_scalar(cost, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-10}).x
    for before, after in zip(flat, share_slopes(trends, priors), strict=True):
        expected = best * before / (best * before + (1 - best) * (1 - before))
        np.testing.assert_allclose(after.weights[after.prior[:, 0] == 0.0].sum(), expected, atol=2e-3)


def test_tasks_that_rise_together_make_a_doubtful_one_rise() -> None:
    doubtful = task(0.25, 7)
    alone = share_slopes(fit_trends([doubtful]))[0]
    among = share_slopes(fit_trends([doubtful, *(task(1.0, i) for i in range(12))]))[0]
    ahead = np.array([22.0])
    assert among.predict(ahead)[0][0] > alone.predict(ahead)[0][0]


def test_nothing_to_share() -> None:
    assert share_slopes([]) == []
