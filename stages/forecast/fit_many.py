"""Many fits at once: the same law on many data sets costs little more than on one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fit.errors import FitError
from ..fit.estimate import SEARCHED_SEEDS, fit_together
from ..fit.newton import BLOCK_SIZE, Array, Problem
from ..laws.base import Law

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A fit to be made: an unfitted law, and what its ``fit`` takes; arrays (n, columns), (n,), (n,), (n,)."""

    law: Law
    X: Array
    y: Array
    sample_weight: Array | None = None
    groups: NDArray[np.generic] | None = None


def fit_many(requests: Sequence[Request]) -> list[FitError | None]:
    """Make every fit, those of one law to as many observations in one search.

    What comes out is what every law's own ``fit`` gives, up to rounding.

    Returns
    -------
    list of FitError or None
        For every request: None where the law is now fitted, else what its ``fit`` would raise. Anything else that a law
        raises is a mistake in its code, or in the shapes of the request, and is raised here.
    """
    failures: list[FitError | None] = [None] * len(requests)
    together: dict[Any, list[int]] = {}
    ready: dict[int, tuple[Problem, Array, NDArray[np.generic] | None]] = {}
    for i, r in enumerate(requests):
        try:
            ready[i] = r.law._prepare(r.X, r.y, r.sample_weight, r.groups)
        except FitError as error:
            failures[i] = error
            continue
        together.setdefault(_alike(r.law, ready[i][0]), []).append(i)
    for places in together.values():
        size = max(1, BLOCK_SIZE // (len(ready[places[0]][0].observed) * SEARCHED_SEEDS))
        for first in range(0, len(places), size):
            part = places[first : first + size]
            for i, failure in zip(part, _fit_block([(requests[i].law, *ready[i]) for i in part]), strict=True):
                failures[i] = failure
    if dropped := [error for error in failures if error is not None]:
        logger.debug("%d of %d fits could not be made: %s", len(dropped), len(requests), "; ".join(map(str, dropped)))
    return failures


def _alike(law: Law, problem: Problem) -> object:
    """What fits must have in common to be searched together."""
    formula = {name: v for name, v in law.get_params().items() if name not in law.limits}
    # Second derivatives are written for one x.
    x = None if law._curvature is None else problem.x.tobytes()
    return (type(law), repr(formula), problem.x.shape, x)


def _fit_block(fits: Sequence[tuple[Law, Problem, Array, NDArray[np.generic] | None]]) -> list[FitError | None]:
    """Fit the laws; where linear algebra gives up on one, each by itself."""
    laws, problems, seeds, groups = zip(*fits, strict=True)
    try:
        with np.errstate(all="ignore"):
            made = fit_together(problems, seeds, groups)
    except np.linalg.LinAlgError as error:
        if len(fits) == 1:
            return [FitError(f"{type(laws[0]).__name__}: {error}")]
        return [_fit_block([one])[0] for one in fits]
    for law, problem, one in zip(laws, problems, made, strict=True):
        law._store(one, len(problem.observed))
    return [None] * len(fits)
