"""Residuals and leverage against the hat matrix of statsmodels' sort: here by hand, from the linear law."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.forecasting.chains.diagnostics import diagnose
from benchcast.stages import FLOPsToNLL


def test_leverage_is_the_hat_matrix_and_residuals_are_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    flops = np.geomspace(1e18, 1e21, 9)
    y = 3.0 - 0.1 * np.log10(flops) + rng.normal(0, 0.01, 9)
    y[4] += 0.08
    law = FLOPsToNLL().fit(flops[:, None], y)
    design = np.column_stack([np.ones(9), np.log10(flops)])
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    residual = y - hat @ y
    noise = np.sqrt(residual @ residual / 7)
    found = diagnose(law, flops[:, None], y, [f"r{i}" for i in range(9)])
    assert [d.leverage for d in found] == pytest.approx(np.diag(hat), rel=1e-3)
    assert [d.residual for d in found] == pytest.approx(residual / noise, rel=1e-3)
    assert sum(d.leverage for d in found) == pytest.approx(2, rel=1e-3)  # as many as parameters
    assert max(found, key=lambda d: abs(d.residual)).run == "r4"


def test_a_run_of_several_points_is_shown_by_its_worst() -> None:
    flops = np.geomspace(1e18, 1e21, 8)
    y = 3.0 - 0.1 * np.log10(flops) + np.array([0, 1, -1, 5, 0, 1, -1, 0]) * 0.01
    law = FLOPsToNLL().fit(flops[:, None], y)
    found = diagnose(law, flops[:, None], y, ["a", "a", "a", "a", "b", "b", "b", "b"])
    assert [d.run for d in found] == ["a", "b"]
    assert found[0].residual == pytest.approx((y[3] - law.predict(flops[3:4, None])[0]) / law.residual_std_, rel=1e-3)


def test_without_noise_there_is_nothing_to_say() -> None:
    flops = np.array([[1e18], [1e20]])
    y = np.array([2.0, 1.5])
    assert diagnose(FLOPsToNLL().fit(flops, y), flops, y, ["a", "b"]) == ()
