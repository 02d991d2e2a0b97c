"""Benchmark NLL to accuracy: a falling sigmoid between a floor and a ceiling."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from sklearn.utils.validation import check_is_fitted

from ...fit import checks
from ...fit.newton import Array
from ..base import Law, Parameter, only_finite, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law

Range = float | tuple[float, float]
# Threshold on accuracy of the robust candidates: 1.3 sampling errors of 1,000 questions at an accuracy of one half.
ROBUST_HUBER = 0.02
# Accuracy by which the smallest models may miss nominal chance: chosen with the candidates on backtests of the four
# ladders in docs/methods/auto.md, where other floors were no better.
BELOW_CHANCE, ABOVE_CHANCE = 0.06, 0.02


def _from_chance(lowest: float) -> dict[str, Any]:
    """A floor near chance, which small models can sit below, and a ceiling of 1."""
    return {"floor": (max(0.0, lowest - BELOW_CHANCE), lowest + ABOVE_CHANCE), "ceiling": 1.0}


def _free(lowest: float) -> dict[str, Any]:
    """Floor and ceiling follow the data alone; a floor below zero is a curve that is still falling."""
    return {"floor": (-1.0, 1.0), "ceiling": (0.0, 1.0)}


@law(
    CandidateLaw(
        name="sigmoid to 1", step=Step.LOSS_TO_ACCURACY, rank=10, settings=_from_chance, structural_bounds=True
    ),
    CandidateLaw(name="free sigmoid", step=Step.LOSS_TO_ACCURACY, rank=20, settings=_free),
    CandidateLaw(
        name="sigmoid, chance to 1",
        step=Step.LOSS_TO_ACCURACY,
        rank=30,
        settings=lambda lowest: {"floor": lowest, "ceiling": 1.0},
        structural_bounds=True,
    ),
    CandidateLaw(
        name="sigmoid to 1, robust",
        step=Step.LOSS_TO_ACCURACY,
        rank=50,
        settings=lambda lowest: _from_chance(lowest) | {"huber": ROBUST_HUBER},
        structural_bounds=True,
        extended=True,
    ),
    CandidateLaw(
        name="free sigmoid, robust",
        step=Step.LOSS_TO_ACCURACY,
        rank=60,
        settings=lambda lowest: _free(lowest) | {"huber": ROBUST_HUBER},
        extended=True,
    ),
    CandidateLaw(
        name="sigmoid to 1, weighed",
        step=Step.LOSS_TO_ACCURACY,
        rank=70,
        settings=_from_chance,
        weights="compute",
        structural_bounds=True,
        extended=True,
    ),
    CandidateLaw(
        name="free sigmoid, sampling weights",
        step=Step.LOSS_TO_ACCURACY,
        rank=80,
        settings=_free,
        weights="sampling",
        extended=True,
    ),
    CandidateLaw(
        name="free sigmoid, larger runs",
        step=Step.LOSS_TO_ACCURACY,
        rank=90,
        settings=_free,
        compute_fraction=0.6,
        extended=True,
    ),
    CandidateLaw(
        name="free sigmoid, ends of runs",
        step=Step.LOSS_TO_ACCURACY,
        rank=100,
        settings=_free,
        final_checkpoints_only=True,
        extended=True,
    ),
)
class NLLToAccuracy(Law):
    r"""Accuracy as a sigmoid of the loss on the correct answer.

    .. math:: \mathrm{Acc}(L) = f + \frac{c - f}{1 + \exp(k\,(L - L_0))}

    Parameters
    ----------
    floor, ceiling : float or (low, high)
        A number fixes it; a pair bounds it. Chance is the natural floor, but small models can sit below nominal
        chance, so a pair around it is safer.
    huber : float or None
        Huber threshold on accuracy; None for least squares.

    References
    ----------
    Llama 3, arXiv 2407.21783, section 3.2.1; the form with free asymptotes is the second step of the model ladder,
    arXiv 2412.04403: there a = -(c - f), b = c.

    Examples
    --------
    A floor at chance (one of four) and a ceiling that the data choose:

    >>> import numpy as np
    >>> loss = np.linspace(0.4, 1.4, 12)
    >>> accuracy = 0.25 + 0.7 / (1 + np.exp(8 * (loss - 0.8)))
    >>> law = NLLToAccuracy(floor=0.25, ceiling=(0.5, 1.0)).fit(loss[:, None], accuracy)
    >>> print(f"{law.estimates_['ceiling']:.3f}")
    0.950

    The accuracy at a loss of 0.3, and the loss at which it is 0.6:

    >>> print(law.predict([[0.3]]).round(3), law.inverse([0.6]).round(3))
    [0.937] [0.8]
    """

    columns = ("loss",)
    parameters = (
        Parameter("floor", "accuracy"),
        Parameter("ceiling", "accuracy"),
        Parameter("k", "1/loss", log=True),
        Parameter("L0", "loss"),
    )
    formula = 'op("Acc")(L) = f + (c - f) / (1 + exp(k (L - L_0)))'
    source = "Llama 3 (arXiv 2407.21783), section 3.2.1; model ladder (arXiv 2412.04403), step 2"
    x_unit = "loss"
    y_unit = "accuracy"
    linear = (0, 1)
    limits = ("floor", "ceiling")
    constraints: ClassVar = {"floor": checks.limits, "ceiling": checks.limits, "huber": checks.threshold}

    def __init__(self, floor: Range = (0.0, 1.0), ceiling: Range = (0.0, 1.0), huber: float | None = None) -> None:
        self.floor = floor
        self.ceiling = ceiling
        self.huber = huber

    def _check_parameters(self) -> None:
        super()._check_parameters()
        floor, ceiling = (checks.limits(type(self).__name__, n, getattr(self, n)) for n in ("floor", "ceiling"))
        if floor[0] >= ceiling[1]:
            raise ValueError(f"{type(self).__name__}: floor {self.floor!r} must lie below ceiling {self.ceiling!r}")

    def inverse(self, accuracy: ArrayLike) -> Array:
        """Loss at which the accuracy is reached, (m,); NaN where the curve never gets there."""
        check_is_fitted(self)
        e, accuracy = self.estimates_, np.asarray(accuracy, dtype=float)
        with np.errstate(all="ignore"):
            return only_finite(e["L0"] - logit((accuracy - e["floor"]) / (e["ceiling"] - e["floor"])) / e["k"])

    def _curve(self, theta: Array, x: Array) -> Array:
        floor, ceiling, k, midpoint = theta
        return np.asarray(floor + (ceiling - floor) * expit(-np.exp(k) * (x[:, 0] - midpoint)))

    def _jacobian(self, theta: Array, x: Array) -> Array:
        floor, ceiling, log_k, midpoint = theta
        k = np.exp(log_k)
        s = expit(-k * (x[:, 0] - midpoint))
        slope = (ceiling - floor) * s * (1 - s)
        return stack_jacobian(1 - s, s, -slope * k * (x[:, 0] - midpoint), slope * k)

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        (f0, f1), (c0, c1) = (r if isinstance(r, tuple) else (r, r) for r in (self.floor, self.ceiling))
        # Equal bounds mean fixed; least_squares needs them a hair apart.
        low, high = np.array([f0, c0, -7.0, -1e3]), np.array([f1, c1, 9.0, 1e3])
        return low, np.maximum(high, low + 1e-9)

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Grid over midpoint and slope; floor and ceiling follow by clipped linear least squares."""
        low, high = self._bounds(y)
        loss = x[:, 0]
        span = max(float(np.ptp(loss)), 1e-3)
        grid = np.meshgrid(
            np.linspace(loss.min() - span, loss.max() + 0.5 * span, 13), [0.7, 1.5, 3.0, 6.0, 12.0, 25.0], indexing="ij"
        )
        midpoint, steep = (axis.ravel() for axis in grid)
        s = expit(-steep[:, None] / span * (loss - midpoint[:, None]))
        parts = (1 - s, s)
        norm = [np.maximum(p**2 @ weight, 1e-12) for p in parts]
        cross, right = (parts[0] * parts[1]) @ weight, [p @ (weight * y) for p in parts]
        # A tiny ridge where the two parts are one (all points on one side of the midpoint).
        scale = norm[0] * norm[1] * (1 + 1e-9) - cross**2
        ends = [np.clip((right[i] * norm[1 - i] - cross * right[1 - i]) / scale, low[i], high[i]) for i in (0, 1)]
        # With one end held at its clipped value the other has a closed form.
        for _ in range(3):
            for i in (0, 1):
                ends[i] = np.clip((right[i] - ends[1 - i] * cross) / norm[i], low[i], high[i])
        return np.column_stack([*ends, np.log(steep / span), midpoint])
