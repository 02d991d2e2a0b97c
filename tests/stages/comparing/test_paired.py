"""Paired comparisons against published figures, other programs' output, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages.comparing.paired import detectable, holm, interval, mean_difference, mid_p, score
from scipy.stats import binom, binomtest, norm, ttest_1samp

# Lost and won of published paired 2x2 tables. Mid-p values and Tango's intervals as R's contingencytables 3.0 tests
# them (the package of Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables, 2017, chapter 8).
CAVO = (161, 16, 6)  # complete response before and after consolidation therapy
BENTUR = (21, 7, 1)  # airway hyper-responsiveness before and after stem cell transplantation


def test_the_published_examples() -> None:
    assert mid_p(16, 6) == pytest.approx(0.034690, abs=5e-7)
    assert mid_p(7, 1) == pytest.approx(2 * (1 + 8) / 2**8 - 8 / 2**8)  # by hand: 0.0391
    assert np.round(interval(*CAVO), 4).tolist() == [-0.1240, -0.0054]
    assert np.round(interval(*BENTUR), 3).tolist() == [-0.517, -0.026]  # Fagerland et al., Stat. Med. 33 (2014) 2850


@pytest.mark.parametrize(("lost", "won"), [(6, 16), (0, 5), (120, 160), (25, 2)])
def test_mid_p_is_the_exact_p_without_half_of_both_its_own_outcomes(lost: int, won: int) -> None:
    exact = binomtest(lost, lost + won).pvalue
    assert mid_p(lost, won) == pytest.approx(exact - binom.pmf(lost, lost + won, 0.5))


def test_the_score_of_no_difference_is_mcnemar_s() -> None:
    assert score(161, 16, 6, 0.0) == pytest.approx((6 - 16) / np.sqrt(16 + 6))
    assert 2 * norm.sf(abs(score(161, 16, 6, 0.0))) == pytest.approx(0.0330062576612325)  # statsmodels 0.15, mcnemar


def test_an_interval_is_what_the_score_test_does_not_reject() -> None:
    documents, lost, won = np.array([50, 800, 10, 10, 10]), np.array([3, 41, 0, 0, 10]), np.array([9, 77, 0, 10, 0])
    low, high = interval(documents, lost, won, 0.9)
    inner = (np.abs(low) < 1) & (np.abs(high) < 1)
    np.testing.assert_allclose(score(documents, lost, won, low)[inner], norm.ppf(0.95), rtol=1e-6)
    np.testing.assert_allclose(score(documents, lost, won, high)[inner], -norm.ppf(0.95), rtol=1e-6)
    np.testing.assert_allclose((low[2], high[2]), (-high[2], -low[2]))  # no flips: as wide to either side
    assert (high[3], low[4]) == pytest.approx((1, -1))


def test_the_size_of_the_test_is_its_level() -> None:
    """Exactly, for every share of flips: the mid-p value is no guarantee, but here it is as good as one."""
    flips = np.arange(400)
    lost = np.arange(400)[:, None]
    p = np.where(lost <= flips, mid_p(np.minimum(lost, flips), np.maximum(flips - lost, 0)), 1.0)
    for alpha in (0.05, 0.05 / 6, 0.05 / 48):
        rejects = np.sum(np.where(p <= alpha, binom.pmf(lost, flips, 0.5), 0.0), axis=0)
        sizes = [binom.pmf(flips, n, share) @ rejects for n in (50, 200, 1000) for share in np.linspace(0.01, 0.25, 25)]
        assert 0.8 * alpha < max(sizes) <= 1.002 * alpha


@pytest.mark.parametrize(("documents", "flips", "alpha"), [(100, 10, 0.05), (1000, 100, 0.05 / 6), (1000, 0, 0.05)])
def test_the_power_is_what_is_said(documents: int, flips: int, alpha: float) -> None:
    difference = detectable(documents, flips, alpha)
    share = max(flips / documents, difference)
    total = np.arange(documents // 2)
    lost = np.arange(documents // 2)[:, None]
    rejected = (lost <= total) & (mid_p(np.minimum(lost, total), np.maximum(total - lost, 0)) <= alpha)
    of_lost = binom.pmf(lost, total, (share - difference) / (2 * share))
    power = binom.pmf(total, documents, share) @ np.sum(np.where(rejected, of_lost, 0.0), axis=0)
    assert 0.79 < power < 0.90


def test_means_and_clusters_against_statsmodels() -> None:
    """statsmodels 0.15: OLS on a constant, covariance nonrobust and cluster, with Student's t."""
    d = [0.176, -0.082, 0.69, 0.155, -0.486, 0.412, 1.354, 0.997, -0.654, -1.215, -0.573, 0.091]
    plain, clustered = mean_difference(d), mean_difference(d, np.repeat(list("abcd"), 3))
    assert (plain.stderr, plain.p) == pytest.approx((0.21229783, 0.7405982))
    assert plain.interval() == pytest.approx((-0.39518105, 0.53934772))
    assert (clustered.stderr, clustered.p) == pytest.approx((0.23947819, 0.78306937))
    assert clustered.interval() == pytest.approx((-0.69004315, 0.83420981))
    assert plain.p == pytest.approx(ttest_1samp(d, 0).pvalue)
    assert mean_difference([0.0, 0.0]).p == 1
    assert np.isnan(mean_difference([1.0]).p)


def test_documents_that_all_differ_alike_tell_no_error() -> None:
    """Two of two for B are no proof, though their variance is 0: the sign test says 1/2, Student's t would say 0."""
    for values, clusters in (([0.1, 0.1], None), ([1.0] * 6, list("aabbbb")), ([0.3] * 7, list("aabbbbb"))):
        alike = mean_difference(values, clusters)
        assert alike.p == pytest.approx(binomtest(0, 2).pvalue)
        assert np.isnan([*alike.interval(), alike.detectable(0.05)]).all()
    assert mean_difference([0.2] * 12).p == pytest.approx(binomtest(0, 12).pvalue)
    assert np.isnan(mean_difference([0.0] * 5).interval()).all()


def test_holm_against_statsmodels() -> None:
    adjusted = holm([0.01, 0.04, 0.03, 0.005, 0.2, 0.0499])
    np.testing.assert_allclose(adjusted, [0.05, 0.12, 0.12, 0.03, 0.2, 0.12])  # multipletests, holm
    assert holm([np.nan, 0.02, 0.02])[1:].tolist() == [0.04, 0.04]  # what was not tested does not count


def test_two_equal_checkpoints_are_called_different_in_no_more_than_one_of_twenty_cases() -> None:
    """Over six tasks, of which two are the same documents by another metric and so nearly go together."""
    rng = np.random.default_rng(18)
    trials, documents = 10_000, np.array([40, 164, 500, 800, 800, 1319])
    share = np.array([0.3, 0.1, 0.2, 0.15, 0.15, 0.05])
    flips = rng.binomial(documents, share, (trials, 6))
    lost = rng.binomial(flips, 0.5)
    flips[:, 4], lost[:, 4] = flips[:, 3], np.clip(lost[:, 3] + rng.integers(-1, 2, trials), 0, flips[:, 3])
    called = np.any(holm(mid_p(lost, flips - lost)) <= 0.05, axis=1).mean()
    assert 0.03 < called <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_clusters_hold_the_level_where_documents_alone_do_not() -> None:
    rng = np.random.default_rng(19)
    clusters = np.repeat(np.arange(40), 10)
    shared = rng.normal(0, 1, (1000, 40)).repeat(10, axis=1) + rng.normal(0, 1, (1000, 400))
    plain = np.mean([mean_difference(d).p <= 0.05 for d in shared])
    clustered = np.mean([mean_difference(d, clusters).p <= 0.05 for d in shared])
    assert plain > 0.3
    assert 0.03 < clustered < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
