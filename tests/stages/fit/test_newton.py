"""The engine against the replication of Chinchilla, against scipy, and against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import ChinchillaLoss, FLOPsToNLL, LossToError, OvertrainedLoss
from benchcast.stages.fit.estimate import fit
from benchcast.stages.fit.newton import search
from benchcast.stages.fit.variable_projection import solve_linear_params
from scipy.optimize import approx_fprime, least_squares, minimize
from worlds.ladders import published


@pytest.fixture(scope="module")
def points() -> tuple[np.ndarray, np.ndarray]:
    table = pd.read_csv(published("chinchilla_epoch") / "points.csv")
    table = table[table["epoch_used"].eq(1)]
    return table[["params", "tokens"]].to_numpy(), table["loss"].to_numpy()


def test_chinchillas_points_are_fitted_exactly(points: tuple[np.ndarray, np.ndarray]) -> None:
    """To ten digits; the replication prints 482, 2085.43, 1.8172, .3478, .3658 from a search that stopped."""
    law = ChinchillaLoss().fit(*points)
    assert law.cost_ == pytest.approx(0.0010182740178, abs=1e-9)
    expected = {"A": 477.83, "B": 2143.42, "E": 1.81722, "alpha": 0.34731, "beta": 0.36717}
    for name, value in expected.items():
        assert law.estimates_[name] == pytest.approx(value, rel=2e-5), name
    assert law.gradient_ < 1e-6
    assert law.status_ == "converged"
    # No start of a plain quasi-Newton search from around the optimum gets lower.
    problem = law._problem(*points, np.ones(len(points[1])))
    for seed in range(3):
        start = law.theta_ * (1 + 0.01 * np.random.default_rng(seed).normal(size=5))
        assert minimize(lambda t: problem.cost(t[None])[0], start, method="Nelder-Mead").fun >= law.cost_ * (1 - 1e-12)


def test_most_seeds_of_the_whole_grid_agree(points: tuple[np.ndarray, np.ndarray]) -> None:
    law, weight = ChinchillaLoss(), np.ones(len(points[1]))
    problem = law._problem(*points, weight)
    ends = search(problem, law._seeds(*points, weight))
    assert np.mean(ends.cost <= ends.cost.min() * (1 + 1e-6)) > 0.5


def test_standard_errors_of_4000_pair_resamples(points: tuple[np.ndarray, np.ndarray]) -> None:
    """The replication's own resamples (its generator and seed); it prints 124.58, 1293.23, .03, .02, .02."""
    X, y = points
    rng = np.random.RandomState(42)
    counts = np.array([np.bincount(rng.choice(240, size=240, replace=True), minlength=240) for _ in range(4000)])
    law = ChinchillaLoss().fit(X, y)
    sample = law.resample(X, y, counts=counts)
    assert sample.at_optimum.all()
    assert sample.gradient.max() < 1e-6
    expected = {"A": 124.5, "B": 1293.0, "E": 0.02566, "alpha": 0.0154, "beta": 0.0206}
    for name, value in law.natural(sample.theta).items():
        assert value.std() == pytest.approx(expected[name], rel=0.02), name


def test_exact_hessian_equals_finite_differences(points: tuple[np.ndarray, np.ndarray]) -> None:
    """Where no residual sits on Huber's corner the second derivative exists and is what the law says."""
    for huber in (None, 10.0, 0.02):
        law = ChinchillaLoss(huber)
        problem = law._problem(*points, np.ones(240))
        at = np.array([6.1, 7.6, 0.345, 0.365, 1.8])
        hessian = problem.quadratic(at[None]).hessian[0]
        numeric = approx_fprime(at, lambda t, p=problem: p.quadratic(t[None]).gradient[0], 1e-7)
        np.testing.assert_allclose(hessian, numeric, rtol=2e-4, atol=1e-4 * np.abs(hessian).max())


def test_the_runner_up_basin_is_reported() -> None:
    """A least-squares problem with two known minima, at -1 and at 2 (the lower)."""
    from benchcast.stages.fit.newton import Problem

    def value(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        t = theta[0]
        return np.broadcast_to(np.stack([(t + 1) * (t - 2), 0.1 * (t - 2)], axis=-1)[..., 0, :], (t.shape[0], 2))

    def derive(theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = theta[0]
        slope = np.stack([2 * t - 1, np.full_like(t, 0.1)], axis=-1)[..., 0, :]
        return value(theta, x), slope[..., None]

    problem = Problem(
        value=value,
        derive=derive,
        curvature=None,
        x=np.zeros((2, 1)),
        observed=np.zeros(2),
        weight=np.ones(2),
        lower=np.array([-5.0]),
        upper=np.array([5.0]),
    )
    found = fit(problem, np.array([[-4.0], [-0.5], [1.5], [4.0]]))
    assert found.theta[0] == pytest.approx(2.0, abs=1e-6)
    assert found.runner_up is not None
    assert found.runner_up[0] == pytest.approx(-1.0, abs=0.02)
    assert found.agreement == pytest.approx(0.5)


def test_a_curved_valley_is_followed_to_its_end() -> None:
    """Nearly straight data: epsilon and k run away together as gamma falls. SciPy's bounded search is the peer."""
    rng = np.random.default_rng(7)
    loss = np.linspace(3.0, 5.5, 21)
    error = 0.2 + 0.13 * loss + rng.normal(0, 0.015, 21)
    law = LossToError().fit(loss[:, None], error)
    assert law.status_ in ("converged", "bound hit")

    def residual(theta: np.ndarray) -> np.ndarray:
        return theta[0] - theta[1] * np.exp(-np.exp(theta[2]) * loss) - error

    bounds = ([-np.inf, -np.inf, np.log(1e-2)], [np.inf, np.inf, np.log(30.0)])
    peers = [least_squares(residual, [1.0, 1.0, np.log(g)], bounds=bounds, max_nfev=5000).cost for g in (0.02, 0.2, 1)]
    assert law.cost_ <= min(peers) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_losses_without_any_law_in_them_still_give_an_answer(seed: int) -> None:
    """Uniform noise for losses: bounds are hit and systems singular, but nothing stops."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([10 ** rng.uniform(7, 10, 42), 10 ** rng.uniform(9, 12, 42)])
    y = rng.uniform(2, 4, 42)
    law = ChinchillaLoss().fit(x, y)
    sample = law.resample(x, y, 300, seed=seed)
    assert np.isfinite(law.theta_).all()
    assert np.isfinite(sample.theta).all()
    assert np.isfinite(sample.cost).all()


def test_an_optimum_beyond_a_bound_ends_on_it() -> None:
    rng = np.random.default_rng(0)
    flops = np.geomspace(1e17, 1e20, 30)
    x = np.column_stack([flops, np.tile([20.0, 80.0], 15)])
    y = (200 * x[:, 1] ** 0.136 + 300 * x[:, 1] ** -0.136) * flops**-0.136 - 0.3 + rng.normal(0, 1e-3, 30)
    law = OvertrainedLoss().fit(x, y)
    assert law.estimates_["E"] == 0.0
    assert law.status_ == "bound hit"


def test_resamples_of_a_line_have_the_textbook_spread() -> None:
    """Pairs and wild resampling of a straight line against its sandwich covariance; runs against the clustered one."""
    rng = np.random.default_rng(1)
    flops = np.geomspace(1e17, 1e21, 60)
    x = np.log10(flops)
    y = 2.7 - 0.09 * x + rng.normal(0, 0.01, 60) * (1 + (x > 19))
    law = FLOPsToNLL().fit(flops[:, None], y)
    design = np.column_stack([np.ones(60), x])
    inverse = np.linalg.inv(design.T @ design)
    residual = y - design @ law.theta_
    sandwich = inverse @ (design.T * residual**2) @ design @ inverse
    for kind in ("pairs", "wild"):
        theta = law.resample(flops[:, None], y, 3000, kind).theta
        assert theta[:, 1].std() == pytest.approx(np.sqrt(sandwich[1, 1]), rel=0.08), kind
    runs = np.arange(60) % 15  # every run spans the range, so none has leverage of its own
    scores = np.array([design[runs == r].T @ residual[runs == r] for r in range(15)])
    clustered = inverse @ (scores.T @ scores) @ inverse
    theta = law.resample(flops[:, None], y, 3000, "runs", groups=runs).theta
    assert theta[:, 1].std() == pytest.approx(np.sqrt(clustered[1, 1]), rel=0.15)


def test_linear_part_is_nonnegative_least_squares() -> None:
    from scipy.optimize import nnls

    rng = np.random.default_rng(2)
    design, target, weight = rng.normal(size=(20, 30, 3)), rng.normal(size=30), rng.uniform(0.5, 2, 30)
    found = solve_linear_params(design, target, weight)
    free = solve_linear_params(design, target, weight, nonnegative=False)
    root = np.sqrt(weight)
    for one, other, columns in zip(found, free, design, strict=True):
        plain = np.linalg.lstsq(columns * root[:, None], target * root, rcond=None)[0]
        np.testing.assert_allclose(other, plain, rtol=1e-6, atol=1e-9)
        # Dropping what is negative is not the exact algorithm, but never leaves the feasible set or misses it unbound.
        best = nnls(columns * root[:, None], target * root)[1]
        assert (one >= 0).all()
        assert np.linalg.norm(root * (columns @ one - target)) <= 1.05 * best
