"""Shares whose negative logarithm follows a law: -log p = S(x), so p = exp(-S(x)) lies in (0, 1] wherever S >= 0.

A law of S (a loss, as every other) is written once, in its own file; here it gives a share its curve and Jacobian.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..fit.newton import Array
from .base import Law

LEAST_SHARE = 1e-4  # for where the search starts, and its bounds, a share is read as at least so far from 0 and 1


class NegativeLog(Law):
    """A share p with -log p by another law, ``surprise``, whose parameters it has.

    Least squares on p itself, not on its logarithm: a score of 0 is then an observation as every other, where the
    logarithm would need a number put in for it (half a success), and the fit would follow that number.
    """

    surprise: ClassVar[Law]  # unfitted: its curve, Jacobian, bounds and seeds

    def _curve(self, theta: Array, x: Array) -> Array:
        return np.asarray(np.exp(-self.surprise._curve(theta, x)))

    def _derive(self, theta: Array, x: Array) -> tuple[Array, Array]:
        size, slope = self.surprise._derive(theta, x)
        share = np.asarray(np.exp(-size))
        return share, -share[..., None] * slope

    def _jacobian(self, theta: Array, x: Array) -> Array:
        return self._derive(theta, x)[1]

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        return self.surprise._bounds(_surprises(y))

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Those of the other law, for -log p; an error of p is p times as large as one of its logarithm."""
        return self.surprise._seeds(x, _surprises(y), weight * np.clip(y, LEAST_SHARE, 1.0) ** 2)


def _surprises(y: Array) -> Array:
    return np.asarray(-np.log(np.clip(y, LEAST_SHARE, 1 - LEAST_SHARE)))
