"""The engine on NIST's non-linear regression data, whose estimates are certified to eleven digits.

Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml: Misra1a (lower difficulty),
Rat43 and Thurber (higher). Both of NIST's starts are used, at once; the standard deviations are certified too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from benchcast.stages.fit.estimate import fit
from benchcast.stages.fit.newton import Problem

Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Observations, the model of parameters (p, ...) and x, and what is certified."""

    x: str
    y: str
    model: Formula
    starts: tuple[tuple[float, ...], tuple[float, ...]]
    estimates: tuple[float, ...]
    errors: tuple[float, ...]
    residual_sum: float


def thurber(b: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)


SETS = {
    "Misra1a": DataSet(
        x="77.6 114.9 141.1 190.8 239.9 289.0 332.8 378.4 434.8 477.3 536.8 593.1 689.1 760.0",
        y="10.07 14.73 17.94 23.93 29.61 35.18 40.02 44.82 50.76 55.05 61.01 66.40 75.47 81.78",
        model=lambda b, x: b[0] * (1 - np.exp(-b[1] * x)),
        starts=((500.0, 1e-4), (250.0, 5e-4)),
        estimates=(2.3894212918e2, 5.5015643181e-4),
        errors=(2.7070075241e0, 7.2668688436e-6),
        residual_sum=1.2455138894e-1,
    ),
    "Rat43": DataSet(
        x="1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        y="16.08 33.83 65.80 97.20 191.55 326.20 386.87 520.53 590.03 651.92 724.93 699.56 689.96 637.56 717.41",
        model=lambda b, x: b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]),
        starts=((100.0, 10.0, 1.0, 1.0), (700.0, 5.0, 0.75, 1.3)),
        estimates=(6.9964151270e2, 5.2771253025e0, 7.5962938329e-1, 1.2792483859e0),
        errors=(1.6302297817e1, 2.0828735829e0, 1.9566123451e-1, 6.8761936385e-1),
        residual_sum=8.7864049080e3,
    ),
    "Thurber": DataSet(
        x="-3.067 -2.981 -2.921 -2.912 -2.840 -2.797 -2.702 -2.699 -2.633 -2.481 -2.363 -2.322 -1.501 -1.460 -1.274 "
        "-1.212 -1.100 -1.046 -0.915 -0.714 -0.566 -0.545 -0.400 -0.309 -0.109 -0.103 0.010 0.119 0.377 0.790 0.963 "
        "1.006 1.115 1.572 1.841 2.047 2.200",
        y="80.574 84.248 87.264 87.195 89.076 89.608 89.868 90.101 92.405 95.854 100.696 101.060 401.672 390.724 "
        "567.534 635.316 733.054 759.087 894.206 990.785 1090.109 1080.914 1122.643 1178.351 1260.531 1273.514 "
        "1288.339 1327.543 1353.863 1414.509 1425.208 1421.384 1442.962 1464.350 1468.705 1447.894 1457.628",
        model=thurber,
        starts=((1000.0, 1000.0, 400.0, 40.0, 0.7, 0.3, 0.03), (1300.0, 1500.0, 500.0, 75.0, 1.0, 0.4, 0.05)),
        estimates=(
            1.2881396800e3,
            1.4910792535e3,
            5.8323836877e2,
            7.5416644291e1,
            9.6629502864e-1,
            3.9797285797e-1,
            4.9727297349e-2,
        ),
        errors=(
            4.6647963344e0,
            3.9571156086e1,
            2.8698696102e1,
            5.5675370270e0,
            3.1333340687e-2,
            1.4984928198e-2,
            6.5842344623e-3,
        ),
        residual_sum=5.6427082397e3,
    ),
}


def problem(given: DataSet) -> Problem:
    """The data set as the engine takes it; the Jacobian by complex steps, exact to rounding."""
    x, y = (np.array(text.split(), dtype=float) for text in (given.x, given.y))

    def value(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        return given.model(theta, x[:, 0])

    def derive(theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        columns = []
        for i in range(len(theta)):
            moved = theta.astype(complex)
            moved[i] += 1e-30j
            columns.append(given.model(moved, x[:, 0]).imag / 1e-30)
        return value(theta, x), np.stack(columns, axis=-1)

    free = np.full(len(given.estimates), np.inf)
    return Problem(
        value=value,
        derive=derive,
        curvature=None,
        x=x[:, None],
        observed=y,
        weight=np.ones(len(y)),
        lower=-free,
        upper=free,
    )


@pytest.mark.parametrize("name", SETS)
def test_certified_estimates_and_errors(name: str) -> None:
    given = SETS[name]
    result = fit(problem(given), np.array(given.starts))
    np.testing.assert_allclose(result.theta, given.estimates, rtol=1e-7)
    assert 2 * result.cost == pytest.approx(given.residual_sum, rel=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(result.covariance)), given.errors, rtol=1e-5)
    assert result.status == "converged"
