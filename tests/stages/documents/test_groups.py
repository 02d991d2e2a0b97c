"""Clusters and factors against plain definitions, numpy's SVD, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages.documents.groups import Groups, clusters_of, factors_of, level_and_slope
from benchcast.stages.documents.link import fit_link
from worlds.documents import CHANCE, World

LADDER, ACCURACY = World.of(301).ladder()  # a number that bins do not divide


def both() -> list[Groups]:
    return [clusters_of(LADDER.nll, 12, 0.0), factors_of(LADDER.nll, 3, 0.0)]


def test_level_and_slope_are_those_of_a_regression_line() -> None:
    level, slope = level_and_slope(LADDER.nll)
    lines = np.polyfit(LADDER.nll.mean(axis=1), LADDER.nll, 1)
    np.testing.assert_allclose(slope, lines[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(level, LADDER.nll.mean(axis=0), rtol=1e-5)


def test_a_clusters_curve_is_the_mean_of_its_documents() -> None:
    groups = clusters_of(LADDER.nll, 5, 0.0)
    assert groups.loadings.sum(axis=0).tolist() == [1.0] * 301  # each document is in one
    for j, members in enumerate(groups.loadings.astype(bool)):
        np.testing.assert_allclose(groups.curves[:, j], LADDER.nll[:, members].mean(axis=1), rtol=1e-5)


def test_factors_are_the_truncated_svd() -> None:
    groups = factors_of(LADDER.nll, 3, -np.inf)
    centre = LADDER.nll.mean(axis=0, dtype=float)
    u, s, vt = np.linalg.svd(LADDER.nll - centre, full_matrices=False)
    np.testing.assert_allclose(groups.levels(groups.curves), centre + (u[:, :3] * s[:3]) @ vt[:3], atol=1e-4)


def test_with_as_many_factors_as_checkpoints_nothing_is_lost() -> None:
    groups = factors_of(LADDER.nll, 30, -np.inf)
    np.testing.assert_allclose(groups.levels(groups.curves), LADDER.nll, atol=1e-3)


@pytest.mark.parametrize("which", [0, 1])
def test_bins_keep_the_mean_level_and_the_share_right(which: int) -> None:
    groups = both()[which]
    levels, shares = groups.cells(groups.curves)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(levels @ shares, groups.levels(groups.curves).mean(axis=1), rtol=1e-5)
    right = (LADDER.nll < 2).astype(float)
    cells = groups.observed(np.ones(30), right)
    np.testing.assert_allclose(cells.right @ cells.shares, right.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(cells.levels, levels)


@pytest.mark.parametrize("which", [0, 1])
def test_the_gradient_in_the_curves_is_that_of_finite_differences(which: int) -> None:
    groups = both()[which]
    link = fit_link(groups.observed(np.full(30, 300.0), ACCURACY), CHANCE, 1.0)
    at = groups.curves[-1:]

    def accuracy(curves: np.ndarray) -> np.ndarray:
        return link.accuracy(*groups.cells(curves))[0]

    levels, shares = groups.cells(at)
    gradient = groups.gradient(at, link.accuracy(levels, shares)[1])
    step = 1e-2
    numeric = [(accuracy(at + h) - accuracy(at - h))[0] / (2 * step) for h in np.eye(groups.curves.shape[1]) * step]
    np.testing.assert_allclose(gradient[0], numeric, rtol=0.05, atol=2e-4)


def test_documents_all_alike_are_one_cluster_and_constant_ones_no_factor() -> None:
    same = np.repeat(np.linspace(3, 2, 6)[:, None], 40, axis=1).astype(np.float32)
    assert clusters_of(same, 12, 0.0).curves.shape == (6, 1)
    assert factors_of(same, 3, 0.0).curves.shape == (6, 1)
    assert factors_of(np.ones((6, 40), dtype=np.float32), 3, 0.0).levels(np.zeros((2, 0))).shape == (2, 40)
