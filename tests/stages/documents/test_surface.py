"""Curves over size and data: against the law they were made with, scikit-learn's ridge, and simulated runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.documents import surface
from benchcast.stages.documents.surface import bent, fit_surfaces
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import BayesianRidge

SIZES, DATA = np.geomspace(1e7, 3e8, 4), np.geomspace(1e9, 1e11, 5)


def places() -> pd.DataFrame:
    params, tokens = (grid.ravel() for grid in np.meshgrid(SIZES, DATA, indexing="ij"))
    return pd.DataFrame({"run": [f"{p:.0e}" for p in params], "params": params, "tokens": tokens})


def law(params: Any, tokens: Any) -> Any:
    """Chinchilla's form; the second curve rises, the third is flat."""
    size, data = 300 / np.asarray(params) ** 0.33, 1500 / np.asarray(tokens) ** 0.37
    return np.stack([1.8 + size + data, 5.0 - 0.5 * size - 0.2 * data, np.full(np.shape(params), 3.0)], axis=-1)


def test_curves_come_back_and_go_on_from_the_law_that_made_them() -> None:
    where = places()
    fitted = fit_surfaces(where, law(where["params"], where["tokens"]))
    params, tokens = np.array([1e9, 3e9]), np.array([2e11, 4e11])
    mean, std = fitted.predict(params, tokens)
    truth = law(params, tokens)
    np.testing.assert_allclose(mean, truth, rtol=0.02)
    assert (np.abs(mean - truth)[:, :2] < 3 * std[:, :2]).all()


@given(st.floats(-6, 6), st.floats(0.05, 0.6))
def test_the_bent_axis_is_the_power_law_written_at_the_centre(x: float, exponent: float) -> None:
    """E + A/N^alpha = y0 + a h(log N/N0), a = -alpha A/N0^alpha; and h has slope 1 at 0 and never turns."""
    n0, scale, floor = 1e8, 400.0, 1.7
    loss = floor + scale / (n0 * np.exp(x)) ** exponent
    at_centre = floor + scale / n0**exponent
    bend = bent(np.array([x]), np.array([exponent]))[0, 0]
    assert loss == pytest.approx(at_centre - exponent * scale / n0**exponent * bend, rel=1e-9)
    step = bent(np.array([x + 1e-4]), np.array([exponent]))[0, 0] - bend
    assert step == pytest.approx(1e-4 * np.exp(-exponent * x), rel=1e-3)


def test_at_one_point_of_the_grid_it_is_the_ridge_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly straight axes, independent checkpoints, a prior that does not bind: the slopes of ordinary regression."""
    monkeypatch.setattr(surface, "EXPONENTS", np.array([1e-6]))
    monkeypatch.setattr(surface, "RUN_SHARES", (0.0,))
    where = places()
    rng = np.random.default_rng(0)
    logs = np.log(where[["params", "tokens"]].to_numpy())
    y = 4 - 0.3 * logs[:, 0] - 0.1 * logs[:, 1] + rng.normal(0, 0.05, len(where))
    ours = fit_surfaces(where, y[:, None], surface.SlopePriors(size=1e3, ratio=1e3))
    theirs = BayesianRidge(tol=1e-9).fit(logs, y)
    np.testing.assert_allclose(ours.coefficients[0, 0, 1:], theirs.coef_, rtol=2e-3)


def simulated(rng: np.random.Generator, runs: int, shared: float) -> tuple[pd.DataFrame, Any, Any]:
    params = np.geomspace(2e7, 2e8, runs).repeat(5)
    tokens = np.tile(np.geomspace(1e9, 1e10, 5), runs)
    where = pd.DataFrame({"run": np.arange(runs).repeat(5).astype(str), "params": params, "tokens": tokens})
    noise = rng.normal(0, shared, runs).repeat(5) + rng.normal(0, 0.01, 5 * runs)
    truth = law([6e8], [3e10])[:, :1] + rng.normal(0, np.hypot(shared, 0.01))
    return where, law(params, tokens)[:, :1] + noise[:, None], truth


@pytest.mark.parametrize(("runs", "shared"), [(3, 0.02), (8, 0.05)])
def test_intervals_hold_where_checkpoints_share_their_runs_error(runs: int, shared: float) -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(60):
        where, y, truth = simulated(rng, runs, shared)
        mean, std = fit_surfaces(where, y).predict(np.array([6e8]), np.array([3e10]))
        inside.append(abs(mean - truth)[0, 0] < 1.645 * std[0, 0])
    assert 0.8 <= np.mean(inside) <= 1.0


def test_more_checkpoints_of_the_same_runs_hardly_help() -> None:
    rng = np.random.default_rng(2)
    where, y, _ = simulated(rng, 4, 0.05)
    many = where.loc[where.index.repeat(8)].reset_index(drop=True)
    few = fit_surfaces(where, y).predict(np.array([2e9]), np.array([1e11]))[1]
    more = fit_surfaces(many, y.repeat(8, axis=0)).predict(np.array([2e9]), np.array([1e11]))[1]
    assert more[0, 0] > 0.5 * few[0, 0]


def test_one_size_only_leaves_the_other_axis_to_the_prior() -> None:
    where = places().iloc[:5].assign(run=list("aaaab"))
    y = law(where["params"], where["tokens"])[:, :1]
    fitted = fit_surfaces(where, y)
    near = fitted.predict(np.array([1e7]), np.array([1e11]))[1]
    far = fitted.predict(np.array([1e9]), np.array([1e11]))
    assert np.isfinite(far[0]).all()
    assert far[1][0, 0] > 3 * near[0, 0]


def test_gaps_are_refused() -> None:
    with pytest.raises(ValueError, match="values must be finite, a row for each of 20 places"):
        fit_surfaces(places(), np.full((20, 1), np.nan))
