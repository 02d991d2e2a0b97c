"""Prediction intervals at four nominal levels, checked on data from known laws: the fit never sees the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from benchcast.stages import Chain, FLOPsToNLL, LossToError, NLLToAccuracy, OvertrainedLoss, TaskLoss
from benchcast.stages.forecast.fit_many import Request, fit_many
from scipy.special import expit

REPLICATES = 400
RUNS, SECOND_STAGE = 12, 30
BEYOND = np.array([100.0, 10_000.0])  # targets, as multiples of the largest run's FLOPs
DOCUMENTS = 1000
LEVELS_AND_COVERAGE = {0.9: (0.87, 0.95)}  # other levels: tests/stages/test_levels.py
LEVELS = tuple(LEVELS_AND_COVERAGE)


@dataclass(frozen=True)
class Replicate:
    """One made-up ladder: what the two laws of a chain are fitted to, and the true scores of its targets."""

    first: Request
    second: Request
    targets: np.ndarray
    truth: np.ndarray
    complement: bool = False


def _scores(rng: np.random.Generator, probability: np.ndarray) -> np.ndarray:
    """Accuracies as benchmarks give them: a binomial sample of documents."""
    return rng.binomial(DOCUMENTS, np.clip(probability, 0, 1)) / DOCUMENTS


def _llama3(rng: np.random.Generator) -> Replicate:
    def nll(flops: np.ndarray) -> np.ndarray:
        return 2.72 - 0.09 * np.log10(flops) + rng.normal(0, 0.01, len(flops))

    def score(loss: np.ndarray) -> np.ndarray:
        return _scores(rng, 0.25 + 0.75 * expit(-9 * (loss - 0.75)) + rng.normal(0, 0.01, len(loss)))

    flops = np.geomspace(1e18, 1e21, RUNS)
    more = 10 ** rng.uniform(18, 22.5, SECOND_STAGE)
    losses = nll(more)
    first = Request(FLOPsToNLL(), flops[:, None], nll(flops))
    second = Request(NLLToAccuracy(floor=0.25, ceiling=(0.8, 1.0)), losses[:, None], score(losses))
    targets = flops.max() * BEYOND
    return Replicate(first, second, targets[:, None], score(nll(targets)))


def _overtraining(rng: np.random.Generator) -> Replicate:
    def loss(x: np.ndarray) -> np.ndarray:
        flops, m = x.T
        return 1.84 + (212 * m**0.136 + 367 * m**-0.136) * flops**-0.136 + rng.normal(0, 0.01, len(x))

    def error(losses: np.ndarray) -> np.ndarray:
        return 1 - _scores(rng, 1 - (0.86 - 2.2 * np.exp(-0.75 * losses)) + rng.normal(0, 0.005, len(losses)))

    runs = np.column_stack([np.geomspace(1e17, 1e20, RUNS), np.tile([5.0, 20.0, 80.0, 320.0], 3)])
    more = np.column_stack([10 ** rng.uniform(17, 21.5, SECOND_STAGE), rng.choice([20.0, 80.0], SECOND_STAGE)])
    losses = loss(more)
    first = Request(OvertrainedLoss(), runs, loss(runs))
    second = Request(LossToError(), losses[:, None], error(losses))
    targets = np.column_stack([runs[:, 0].max() * BEYOND, [20.0, 80.0]])
    return Replicate(first, second, targets, 1 - error(loss(targets)), complement=True)


def _ladder(rng: np.random.Generator) -> Replicate:
    def loss(x: np.ndarray) -> np.ndarray:
        n, d = x.T
        return (30 / n**0.23 + 100 / d**0.24 + 0.45) * np.exp(rng.normal(0, 0.005, len(x)))

    def score(losses: np.ndarray) -> np.ndarray:
        return _scores(rng, 0.25 + 0.75 * expit(-6 * (losses - 0.8)) + rng.normal(0, 0.01, len(losses)))

    sizes = np.repeat([1.9e8, 3.7e8, 7.6e8, 1.3e9], 3)
    runs = np.column_stack([sizes, sizes * np.tile([20.0, 60.0, 200.0], 4)])
    more = np.column_stack([n := 10 ** rng.uniform(8.3, 9.8, SECOND_STAGE), n * rng.choice([20.0, 100.0], len(n))])
    losses = loss(more)
    first = Request(TaskLoss(huber=None), runs, loss(runs))
    second = Request(NLLToAccuracy(floor=(0.2, 0.3), ceiling=(0.8, 1.0)), losses[:, None], score(losses))
    targets = np.column_stack([1.3e9 * np.sqrt(BEYOND), 2.6e11 * np.sqrt(BEYOND)])
    return Replicate(first, second, targets, score(loss(targets)))


def _hits(one: Replicate) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether the truth is inside, (levels, targets); width at 90 % and error of the forecast, (targets,)."""
    chain = Chain(one.first.law, one.second.law, complement=one.complement)
    made = [chain.forecast(one.targets, level) for level in LEVELS]
    inside = [(forecast.low <= one.truth) & (one.truth <= forecast.high) for forecast in made]
    nominal = made[LEVELS.index(0.9)]
    return np.array(inside), nominal.high - nominal.low, np.abs(nominal.mean - one.truth)


@pytest.mark.parametrize("chain", [_llama3, _overtraining, _ladder], ids=lambda f: f.__name__[1:])
def test_nominal_intervals_cover(chain) -> None:
    rng = np.random.default_rng(2026)
    replicates = [chain(rng) for _ in range(REPLICATES)]
    assert fit_many([fit for one in replicates for fit in (one.first, one.second)]) == [None] * 2 * REPLICATES
    inside, width, error = (np.array(a) for a in zip(*map(_hits, replicates), strict=True))
    coverage = dict(zip(LEVELS, inside.mean(axis=0), strict=True))
    print(
        f"{chain.__name__}: coverage {coverage}, median width {np.median(width, axis=0)}, "
        f"median error {np.median(error, axis=0)}"
    )
    for level, (low, high) in LEVELS_AND_COVERAGE.items():
        assert np.all((coverage[level] >= low) & (coverage[level] <= high)), coverage
    # An interval as wide as the axis would cover too.
    assert np.all(np.median(width, axis=0) < 0.5), np.median(width, axis=0)
