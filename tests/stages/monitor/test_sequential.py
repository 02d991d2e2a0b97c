"""Tracking a run: the false-alarm rates and the delays that the rules state, by simulation; tests against SciPy's."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest
from benchcast.stages.monitor import sequential as tracking
from benchcast.stages.monitor.sequential import (
    Paired,
    Series,
    assess,
    drift,
    drifts,
    dropped,
    mean_of,
    outside,
    paired,
    spent,
)
from numpy.typing import NDArray
from scipy.stats import binomtest, multivariate_normal, norm

Array = NDArray[np.float64]
SIMULATIONS = int(os.environ.get("BENCHCAST_SIMULATIONS", "200"))
CHECKPOINTS, TASKS, DOCUMENTS = 40, 4, 2000
SPREAD = 0.015  # of the band, one standard deviation: a 90 % interval of ±2.5 points
CHANGED = 0.10  # share of the documents whose answer differs between two neighbouring checkpoints
WOBBLE = 0.003


def course(rng: np.random.Generator, tokens: Array) -> Array:
    """A true deviation from the forecast that stays inside its 90 % band and is smooth in log D."""
    logs = np.log(tokens)
    # Not the kernel of the test: slower and faster than it assumes, by turns.
    length = rng.uniform(0.8, 3.0)
    covariance = SPREAD**2 * np.exp(-0.5 * ((logs[:, None] - logs) / length) ** 2) + 1e-12 * np.eye(len(logs))
    root = np.linalg.cholesky(covariance)
    while True:
        found = root @ rng.normal(size=len(logs))
        if np.all(np.abs(found) <= 1.645 * SPREAD):
            return found


def answers(rng: np.random.Generator, truth: Array, documents: int) -> NDArray[np.bool_]:
    """Which documents are right at each checkpoint: a difficulty of their own, and a little luck each time."""
    luck = np.tan(CHANGED * np.pi / 2)  # of two answers around a median document, this share differs
    hard = rng.standard_normal(documents)
    # The chance of a document's difficulty against the truth, both as normal quantiles: fewer of them than documents.
    edge = norm.ppf(truth) * np.sqrt(1 + luck**2)
    return hard + luck * rng.standard_normal((len(truth), documents)) < edge[:, None]


def simulate(
    rng: np.random.Generator,
    leaves: int | None = None,
    tasks: int = TASKS,
    off: int = TASKS,
    documents: int = DOCUMENTS,
) -> dict[str, Series]:
    """A run's tasks; from checkpoint ``leaves`` on, ``off`` of them are 2 points further from their forecasts."""
    tokens = np.linspace(1, CHECKPOINTS, CHECKPOINTS) * 1e11
    forecast = 0.40 + 0.25 * np.log(tokens / tokens[0]) / np.log(CHECKPOINTS)
    found = {}
    for number in range(tasks):
        away = course(rng, tokens)
        if leaves is not None and number < off:
            away[leaves:] += 0.02 * np.sign(away[leaves])
        right = answers(rng, forecast + away + rng.normal(0, WOBBLE, CHECKPOINTS), documents)
        pairs = (None, *(paired(a, b) for a, b in itertools.pairwise(right)))
        own = np.array([p.checkpoint_std if p else np.nan for p in pairs])
        own[0] = own[1]
        value = right.mean(axis=1)
        found[f"task{number}"] = Series(
            tokens=tokens,
            value=value,
            stderr=np.sqrt(value * (1 - value) / documents),
            checkpoint_std=own,
            forecast=forecast,
            low=forecast - 1.645 * SPREAD,
            high=forecast + 1.645 * SPREAD,
            band_std=np.full(CHECKPOINTS, SPREAD),
            pairs=pairs,
        )
    return found


def alarms(series: dict[str, Series]) -> NDArray[np.bool_]:
    verdicts = assess(series, total=CHECKPOINTS * 1e11, rate=0.05)
    return np.any([v.any for v in verdicts.values()], axis=0)


def delays(rng: np.random.Generator, **how: int) -> Array:
    """Checkpoints from leaving to the first alarm, the one that leaves included; infinite when there is none."""
    found = []
    for _ in range(SIMULATIONS):
        leaves = int(rng.integers(4, CHECKPOINTS - 8))
        after = np.flatnonzero(alarms(simulate(rng, leaves, **how))[leaves:])
        found.append(after[0] + 1 if len(after) else np.inf)
    return np.array(found)


@pytest.mark.parametrize("documents", [500, DOCUMENTS])
def test_a_run_inside_its_band_raises_no_alarm(documents: int) -> None:
    rng = np.random.default_rng(1)
    quiet = sum(not alarms(simulate(rng, documents=documents)).any() for _ in range(SIMULATIONS))
    assert quiet >= 0.95 * SIMULATIONS


def test_a_run_that_leaves_by_two_points_is_caught_within_five_checkpoints() -> None:
    everywhere = delays(np.random.default_rng(2))
    assert np.median(everywhere) <= 5
    assert np.mean(np.isfinite(everywhere)) > 0.9
    # One task of four alone, which the other three say nothing about.
    assert np.median(delays(np.random.default_rng(3), off=1)) <= 5


def test_alarms_come_from_the_evidence_and_not_from_the_rules_being_loose() -> None:
    """A quarter of a point, which nobody could tell from noise here, is mostly left alone."""
    rng = np.random.default_rng(4)
    heard = 0
    for _ in range(40):
        series = simulate(rng)
        for name, s in series.items():
            away = np.where(np.arange(CHECKPOINTS) >= 10, 0.0025, 0) * np.sign(s.deviation[10])
            series[name] = replace(s, value=s.value + away, pairs=())
        heard += bool(alarms(series).any())
    assert heard <= 8


def test_the_evidence_is_the_mixture_of_likelihood_ratios_it_says() -> None:
    """Against SciPy's multivariate normal, written out."""
    rng = np.random.default_rng(5)
    tokens = np.array([1.0, 3.0, 4.0, 7.0])
    stderr, own, spread = np.full(4, 0.01), np.full(4, 0.004), np.array([0.03, 0.02, 0.02, 0.01])
    value = 0.5 + rng.normal(0, 0.03, 4)
    series = Series(
        tokens=tokens,
        value=value,
        stderr=stderr,
        checkpoint_std=own,
        forecast=np.full(4, 0.5),
        low=np.full(4, 0.45),
        high=np.full(4, 0.55),
        band_std=spread,
    )
    found = np.exp(drift(series, total=10.0, shift=0.02, wobble=0.003))
    for n in range(1, 5):
        logs = np.log(tokens[:n])
        covariance = np.outer(spread[:n], spread[:n]) * np.exp(-(np.subtract.outer(logs, logs) ** 2) / 2 / 1.15**2)
        covariance += 0.01**2 - 0.004**2 + np.eye(n) * (0.004**2 + 0.003**2 + 1e-12)
        density = multivariate_normal(np.zeros(n), covariance).pdf
        deviation = value[:n] - 0.5
        for column, sign in ((0, -1), (1, 1)):
            expected = 1 - tokens[n - 1] / 10
            for t, share in enumerate(np.diff(tokens[:n], prepend=0) / 10):
                for height in (0.02, 0.04):
                    step = np.where(np.arange(n) >= t, sign * height, 0.0)
                    expected += share / 2 * density(deviation - step) / density(deviation)
            assert found[n - 1, column] == pytest.approx(expected, rel=1e-6)


def test_the_evidence_has_mean_one_while_nothing_shifts() -> None:
    """It is a martingale under its own model: the mean over many runs stays 1 (and its excess is bounded by Ville)."""
    rng = np.random.default_rng(6)
    tokens = np.linspace(1, 12, 12)
    stderr, own, spread = np.full(12, 0.03), np.full(12, 0.025), np.full(12, 0.03)
    logs = np.log(tokens)
    covariance = 0.03**2 * np.exp(-(np.subtract.outer(logs, logs) ** 2) / 2 / 1.15**2)
    covariance += 0.03**2 - 0.025**2 + np.eye(12) * (0.025**2 + 0.003**2)
    draws = rng.multivariate_normal(np.zeros(12), covariance, 4000)
    zero = np.zeros(12)
    evidence = [
        np.exp(
            drift(
                Series(
                    tokens=tokens,
                    value=d,
                    stderr=stderr,
                    checkpoint_std=own,
                    forecast=zero,
                    low=zero,
                    high=zero,
                    band_std=spread,
                ),
                12.0,
            )
        )
        for d in draws
    ]
    assert np.mean(evidence, axis=0) == pytest.approx(np.ones((12, 2)), abs=0.12)
    assert np.mean(np.max(evidence, axis=1)[:, 0] >= 20) <= 0.05


@pytest.mark.parametrize("changed", [0.05, 0.5])
def test_the_rate_holds_where_it_is_not_known_which_documents_changed(changed: float) -> None:
    """Of a run on a narrow band: with few documents changing, and with as many as where every answer is a guess."""
    rng = np.random.default_rng(11)
    n, trials = 10, 300
    tokens, total, own = np.linspace(1, n, n), np.sqrt(0.25 / 300), np.sqrt(changed / 300 / 2)
    shared = np.sqrt(max(total**2 - own**2, 0)) * rng.normal(size=(trials, 1))
    values = shared + np.hypot(own, WOBBLE) * rng.normal(size=(trials, n)) + 0.002 * rng.normal(size=(trials, 1))
    zero, whole = np.zeros(n), np.full(n, total)
    unknown = Series(
        tokens=tokens,
        value=zero,
        stderr=whole,
        checkpoint_std=np.full(n, np.nan),
        forecast=zero,
        low=zero - 0.0033,
        high=zero + 0.0033,
        band_std=np.full(n, 0.002),
    )
    said = np.mean([np.any(drifts(replace(unknown, value=v), n, 0.1)) for v in values])
    assert said <= 0.1
    left = values[:50] - 0.08 * (tokens > 3)
    assert np.mean([np.any(drifts(replace(unknown, value=v), n, 0.1) < 0) for v in left]) > 0.8


def test_pairs_are_mcnemars_exact_test() -> None:
    rng = np.random.default_rng(7)
    before = rng.random(300) < 0.6
    after = np.where(rng.random(300) < 0.2, rng.random(300) < 0.4, before)
    pair = paired(before, after)
    lost, won = np.sum(before & ~after), np.sum(~before & after)
    assert pair == Paired(documents=300, lost=lost, won=won)
    assert pair.p_value == pytest.approx(binomtest(int(lost), int(lost + won), 0.5, alternative="greater").pvalue)
    assert pair.drop == pytest.approx(before.mean() - after.mean())
    difference = before.astype(float) - after
    assert pair.checkpoint_std == pytest.approx(difference.std() / np.sqrt(300) / np.sqrt(2))
    with pytest.raises(ValueError, match="as many"):
        paired(before, after[1:])


def series_of(value: list[float], pairs: tuple[Paired | None, ...] = (), stderr: float = 0.01) -> Series:
    n = len(value)
    band = {"forecast": 0.5, "low": 0.45, "high": 0.55, "band_std": 0.03}
    same = {name: np.full(n, v) for name, v in ({"stderr": stderr, "checkpoint_std": 0.005} | band).items()}
    return Series(tokens=np.arange(1.0, n + 1), value=np.array(value), **same, pairs=pairs)


def test_a_drop_is_named_where_it_happens() -> None:
    pairs = (
        None,
        Paired(documents=2000, lost=100, won=100),
        Paired(documents=2000, lost=160, won=40),
        Paired(documents=2000, lost=100, won=100),
    )
    assert dropped(series_of([0.5, 0.5, 0.44, 0.44], pairs), 4.0, 0.01).tolist() == [False, False, True, False]
    # Without the documents, two samples of their own: six points of one point error each are seen, three are not.
    assert dropped(series_of([0.5, 0.44]), 2.0, 0.01).tolist() == [False, True]
    assert dropped(series_of([0.5, 0.47]), 2.0, 0.01).tolist() == [False, False]


def test_outside_counts_from_the_edge_and_beyond_the_sampling_error() -> None:
    assert outside(series_of([0.5, 0.44, 0.41, 0.56, 0.59]), 0.05).tolist() == [0, 0, -1, 0, 1]


def test_the_rate_is_spent_with_the_tokens() -> None:
    assert spent([1, 2, 5], 10) == pytest.approx([0.1, 0.1, 0.3])
    assert spent([5, 12, 20], 10) == pytest.approx([0.5, 0.5, 0.0])


def test_the_mean_of_tasks_is_over_common_checkpoints() -> None:
    a, b = series_of([0.5, 0.6, 0.7]), series_of([0.3, 0.4])
    mean = mean_of([a, b])
    assert mean is not None
    assert mean.value == pytest.approx([0.4, 0.5])
    assert mean.stderr == pytest.approx([0.01 / np.sqrt(2)] * 2)
    assert mean_of([a]) is None
    assert set(assess({"a": a, "b": b}, 3.0)) == {"a", "b", tracking.MEAN}
    assert set(assess({}, 3.0)) == set()


def test_nothing_is_said_of_nothing() -> None:
    assert drift(series_of([]), 1.0).shape == (0, 2)
