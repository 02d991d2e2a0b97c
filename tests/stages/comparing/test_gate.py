"""The gate's promises by simulation: how often a run on its forecast is stopped, and one that is not is let through."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages.comparing import gate
from benchcast.stages.comparing.gate import BROKEN, GO, INCONCLUSIVE, KEPT, NO_GO, OPEN, Evidence, Interval
from benchcast.stages.monitor.sequential import spent
from numpy.typing import NDArray
from scipy.stats import beta, norm

Array = NDArray[np.float64]
TRIALS = 4000
DOCUMENTS = np.array([300, 800, 800, 1200, 2500, 10_000])
FORECAST = np.array([0.30, 0.45, 0.55, 0.62, 0.71, 0.88])
STD = np.array([0.02, 0.04, 0.01, 0.08, 0.03, 0.015])
SHARES = spent([0.1, 0.2, 0.4, 0.7, 1.0], 1.0)
BAND = Interval(forecast=FORECAST, low=FORECAST - 1.645 * STD, high=FORECAST + 1.645 * STD, level=0.9)


def most(rate: float) -> float:
    """A rate with three standard errors of the simulation."""
    return float(rate + 3 * np.sqrt(rate * (1 - rate) / TRIALS))


def measured(rng: np.random.Generator, truth: Array) -> Array:
    """Scores (trials, looks, tasks) of true ones: every look asks the same documents, so their luck goes along."""
    truth = np.clip(truth, 0.001, 0.999)
    luck = rng.normal(size=(len(truth), 1, len(DOCUMENTS)))
    return (
        np.clip(np.round(truth * DOCUMENTS + luck * np.sqrt(DOCUMENTS * truth * (1 - truth))), 0, DOCUMENTS) / DOCUMENTS
    )


def said(value: Array, rule: str, looks: Array = SHARES) -> NDArray[np.int8]:
    """The verdict of every trial and look, of six tasks with the same rule."""
    evidence = getattr(gate, rule)(value, DOCUMENTS, BAND)
    return gate.verdict(gate.rules(evidence, false_alarms=0.05, false_passes=0.05, share=looks[:, None]))


@pytest.mark.parametrize("rule", ["not_below", "inside"])
@pytest.mark.parametrize("together", [0.0, 0.8])
def test_a_run_that_is_a_draw_from_its_forecast_is_rarely_stopped(rule: str, together: float) -> None:
    """Over all tasks and looks, with tasks that go together or do not, and deviations that change along the run."""
    rng = np.random.default_rng(1)
    shape = (TRIALS, len(SHARES), 6)
    own, shared = (rng.normal(size=(*shape[:2], k)).cumsum(axis=1) for k in (6, 1))
    spread = np.sqrt(np.arange(1, 6))[:, None]  # of a walk
    drawn = (np.sqrt(together) * shared + np.sqrt(1 - together) * own) / spread
    verdicts = said(measured(rng, FORECAST + STD * drawn), rule)
    assert np.mean(np.any(verdicts == NO_GO, axis=1)) <= most(0.05)
    end = said(measured(rng, (FORECAST + STD * drawn)[:, -1:]), rule, np.ones(1))
    assert np.mean(end == NO_GO) <= most(0.05)


def test_a_run_at_the_edge_of_every_interval_is_rarely_stopped() -> None:
    rng = np.random.default_rng(2)
    edge = np.broadcast_to(FORECAST - 1.645 * STD, (TRIALS, 5, 6))
    assert np.mean(np.any(said(measured(rng, edge), "not_below") == NO_GO, axis=1)) <= most(0.05)


def test_a_run_that_breaks_one_rule_is_rarely_let_through() -> None:
    """The others are far from broken: the one rule decides."""
    rng = np.random.default_rng(3)
    for task in (0, 2, 5):
        truth = FORECAST + STD
        truth[task] = FORECAST[task] - 1.645 * STD[task] - 1e-9
        verdicts = said(measured(rng, np.broadcast_to(truth, (TRIALS, 5, 6))), "not_below")
        assert np.mean(np.any(verdicts == GO, axis=1)) <= most(0.05)


def test_a_broken_run_is_stopped_and_a_good_one_passes() -> None:
    rng = np.random.default_rng(4)
    good = measured(rng, np.broadcast_to(FORECAST + 0.5 * STD, (TRIALS, 1, 6)))
    wide = DOCUMENTS * STD**2 > 1  # where the interval is wide beside the luck of the documents
    kept = gate.rules(gate.not_below(good, DOCUMENTS, BAND), false_alarms=0.05, false_passes=0.05)
    assert np.mean(np.all(kept[..., wide] == KEPT, axis=-1)) > 0.9
    bad = measured(rng, np.broadcast_to(FORECAST - 5 * STD, (TRIALS, 1, 6)))
    assert np.mean(said(bad, "not_below", np.ones(1)) == NO_GO) > 0.99
    assert np.mean(said(bad, "inside", np.ones(1)) == NO_GO) > 0.99


def test_a_threshold_is_tested_exactly() -> None:
    """Clopper and Pearson's bounds are where the test changes its mind."""
    for right in (400, 450, 500, 530):
        low, high = beta.ppf(0.05, right, 801 - right), beta.ppf(0.95, right + 1, 800 - right)
        for least in (low - 1e-6, low + 1e-6, high - 1e-6, high + 1e-6):
            (outcome,) = gate.rules(
                Evidence(**{k: v[None] for k, v in vars(gate.at_least(right / 800, 800, least)).items()}),
                false_alarms=0.05,
                false_passes=0.05,
            )
            assert outcome == (KEPT if least < low else BROKEN if least > high else OPEN)


def test_a_share_between_two_documents_is_rounded_to_the_side_of_caution() -> None:
    between, below, above = (gate.at_least(k / 100, 100, 0.5) for k in (40.5, 40, 41))
    assert between.broken == above.broken > below.broken
    assert between.kept == below.kept > above.kept


def test_no_worse_is_tested_on_the_flips() -> None:
    """At the margin itself a worse run is let through, and a good one is stopped, at the rate that was set."""
    rng = np.random.default_rng(5)
    n, by, share = 2000, 0.02, 0.1
    lost, won = rng.multinomial(n, [(share + by) / 2, (share - by) / 2, 1 - share], 20_000).T[:2]
    paired = gate.no_worse(n, lost, won, by)
    for p in (paired.broken, paired.kept):
        assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.006)
    apart = gate.no_worse_apart(0.6 + (won - lost) / n, n, 0.6, n, by)
    assert np.mean(apart.kept <= 0.05) < 0.001  # who does not know the documents sees less


def test_what_is_not_known_passes_nothing() -> None:
    missing = gate.at_least([0.9, np.nan], [800, np.nan], 0.5)
    outcome = gate.rules(missing, false_alarms=0.05, false_passes=0.05)
    assert outcome.tolist() == [KEPT, OPEN]
    assert gate.verdict(outcome) == INCONCLUSIVE
    for sure in (Evidence(broken=np.zeros(2), kept=np.ones(2)), Evidence(broken=np.ones(2), kept=np.zeros(2))):
        nothing_left = gate.rules(sure, false_alarms=0.05, false_passes=0.05, share=0.0)
        assert nothing_left.tolist() == [OPEN, OPEN]
    assert gate.verdict(np.zeros(0, dtype=np.int8)) == INCONCLUSIVE
    assert gate.verdict(np.array([KEPT, BROKEN, OPEN], dtype=np.int8)) == NO_GO


def test_what_a_draw_from_the_forecast_may_be() -> None:
    band = Interval(forecast=0.71, low=0.58, high=0.84, level=0.9)
    assert gate.tolerated(band, 0.05) == pytest.approx((0.58, 0.84))
    low, high = gate.tolerated(band, 0.01)
    assert low <= 0.71 - 0.13 * norm.isf(0.01) / 1.6449
    assert high < 1
    assert gate.not_below(low - 0.01, 1e6, band).broken < 0.01 < gate.not_below(low + 0.01, 1e6, band).broken


def test_the_documents_that_would_decide() -> None:
    needed = gate.documents_needed(0.62, 0.60, 0.05)
    assert gate.at_least(0.62, needed, 0.60).kept == pytest.approx(0.05, abs=0.01)
    assert np.isnan(gate.documents_needed(0.6, 0.6, 0.05))
