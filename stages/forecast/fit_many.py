"""Many fits at once: the same law on many data sets costs little more than on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fit.estimate import SEARCHED_SEEDS, fit_together
from ..fit.newton import Array, Problem
from ..laws.base import Law

BLOCK = 24_000  # observations times searches at once: what fits the processor's cache


@dataclass(frozen=True)
class Request:
    """A fit to be made: an unfitted law, and what its ``fit`` takes; arrays (n, columns), (n,), (n,), (n,)."""

    law: Law
    X: Array
    y: Array
    sample_weight: Array | None = None
    groups: NDArray[np.generic] | None = None


def fit_all(requests: Sequence[Request]) -> list[bool]:
    """Make every fit, those of one law to as many observations in one search; False where ``fit`` would raise.

    What comes out is what every law's own ``fit`` gives, up to rounding.
    """
    done = [False] * len(requests)
    together: dict[Any, list[int]] = {}
    ready: dict[int, tuple[Problem, Array, NDArray[np.generic] | None]] = {}
    for i, r in enumerate(requests):
        try:
            ready[i] = r.law._prepared(r.X, r.y, r.sample_weight, r.groups)
        except ValueError:
            continue
        together.setdefault(_alike(r.law, ready[i][0]), []).append(i)
    for places in together.values():
        size = max(1, BLOCK // (len(ready[places[0]][0].observed) * SEARCHED_SEEDS))
        for first in range(0, len(places), size):
            part = places[first : first + size]
            for i, good in zip(part, _fitted([(requests[i].law, *ready[i]) for i in part]), strict=True):
                done[i] = good
    return done


def _alike(law: Law, problem: Problem) -> object:
    """What fits must have in common to be searched together."""
    formula = {name: v for name, v in law.get_params().items() if name not in law.limits}
    # Second derivatives are written for one x.
    x = None if law._curvature is None else problem.x.tobytes()
    return (type(law), repr(formula), problem.x.shape, x)


def _fitted(fits: Sequence[tuple[Law, Problem, Array, NDArray[np.generic] | None]]) -> list[bool]:
    """Fit the laws; where linear algebra gives up on one, each by itself."""
    laws, problems, seeds, groups = zip(*fits, strict=True)
    try:
        with np.errstate(all="ignore"):
            found = fit_together(problems, seeds, groups)
    except ValueError:  # numpy's LinAlgError is one
        return [False] if len(fits) == 1 else [_fitted([one])[0] for one in fits]
    for law, problem, one in zip(laws, problems, found, strict=True):
        law._keep(one, len(problem.observed))
    return [True] * len(fits)
