"""Many fits at once: the same law on many data sets costs little more than on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base import Law
from stages.estimates import SEARCHED, fit_together
from stages.fitting import Array, Problem

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
    together: dict[Any, list[tuple[int, Problem, Array, NDArray[np.generic] | None]]] = {}
    for i, r in enumerate(requests):
        try:
            problem, seeds, ids = r.law._prepared(r.X, r.y, r.sample_weight, r.groups)
        except ValueError:
            continue
        fixed = {name: v for name, v in r.law.get_params().items() if name not in r.law.limits}
        # Second derivatives are written for one x.
        x = None if r.law._curvature is None else problem.x.tobytes()
        key = (type(r.law), repr(fixed), problem.x.shape, x)
        together.setdefault(key, []).append((i, problem, seeds, ids))
    for group in together.values():
        size = max(1, BLOCK // (len(group[0][1].observed) * SEARCHED))
        for first in range(0, len(group), size):
            places, problems, seeds_, groups = zip(*group[first : first + size], strict=True)
            with np.errstate(all="ignore"):
                found = fit_together(problems, seeds_, groups)
            for i, one in zip(places, found, strict=True):
                requests[i].law._keep(one, len(problems[0].observed))
                done[i] = True
    return done
