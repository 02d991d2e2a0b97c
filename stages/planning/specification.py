"""The specification curve: the same question answered under every defensible choice of the analysis.

Simonsohn, Simmons and Nelson, Nature Human Behaviour 4 (2020). The spread over choices is usually wider than the
interval of any one of them, and it is not sampling error: it must stand beside the interval, not inside it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit.errors import NotASweepError
from ..fit.newton import Array
from ..laws.loss.chinchilla import ChinchillaLoss
from .isoflop import CURVES, isoflop, sweep_budgets

logger = logging.getLogger(__name__)

DELTAS = (1e-4, 1e-3, 1e-2, None)  # Huber thresholds on log loss, the published 1e-3 between; None: least squares
WINDOWS = ("all", "upper half of compute", "without the smallest models", "without the 5 worst-fitted")


@dataclass(frozen=True, kw_only=True)
class Specification:
    """One answer: what was chosen, and N* and D* at the asked compute; ``failed`` says why there is none."""

    method: str
    choice: dict[str, str]
    params: float
    tokens: float
    failed: str = ""


def specifications(
    params: Array, tokens: Array, loss: Array, flops: Array | None, target: float, tolerance: float = 0.05
) -> list[Specification]:
    """All answers for ``target`` FLOPs: delta x exclusions x FLOP convention for the parametric law, curves for
    isoFLOP.

    ``flops`` are as given (n,); "6ND" then is the other convention. None leaves only 6ND.
    """
    answers = []
    conventions = {"6ND": 6 * params * tokens} | ({} if flops is None else {"as given": flops})
    if flops is not None and np.allclose(flops, conventions["6ND"], rtol=5e-3):
        conventions.pop("as given")
    for window in WINDOWS:
        rows = _window(window, params, tokens, loss, conventions["6ND"])
        for delta in DELTAS:
            for name, given in conventions.items():
                choice = {"delta": "least squares" if delta is None else f"{delta:g}", "runs": window, "FLOPs": name}
                answers.append(_parametric(choice, delta, params[rows], tokens[rows], loss[rows], given[rows], target))
    for name, given in conventions.items():
        for curve in CURVES:
            try:
                answer = isoflop(sweep_budgets(given, params, loss, tolerance), curve, draws=50)
            except NotASweepError as error:
                logger.debug("no isoFLOP answer with %s and FLOPs %s: %s", curve, name, error)
                continue
            size = float(answer.optimal_params.at(target))
            # Where FLOPs are not 6ND, what a parameter and token cost is read off the runs.
            per_pair = 6.0 if name == "6ND" else float(np.median(given / params / tokens))
            answers.append(
                Specification(
                    method="isoFLOP",
                    choice={"curve": curve, "FLOPs": name},
                    params=size,
                    tokens=target / per_pair / size,
                )
            )
    return answers


def _parametric(
    choice: dict[str, str], delta: float | None, params: Array, tokens: Array, loss: Array, flops: Array, target: float
) -> Specification:
    """Chinchilla's law; where FLOPs are not 6ND, tokens are those that 6ND would need for the same FLOPs."""
    if len(loss) < 7:
        return Specification(method="L(N, D)", choice=choice, params=np.nan, tokens=np.nan, failed="too few runs")
    if choice["FLOPs"] != "6ND":
        # N in units that make C = 6 N' D: what the convention adds per token counts as parameters.
        params = flops / (6 * tokens)
    law = ChinchillaLoss(delta).fit(np.column_stack([params, tokens]), loss)
    if not (law.estimates_["alpha"] > 1e-3 and law.estimates_["beta"] > 1e-3):
        return Specification(
            method="L(N, D)", choice=choice, params=np.nan, tokens=np.nan, failed="an exponent is at its bound"
        )
    split = ChinchillaLoss.optimum_at({k: np.array([v]) for k, v in law.estimates_.items()}, target)
    return Specification(method="L(N, D)", choice=choice, params=float(split.params[0]), tokens=float(split.tokens[0]))


def _window(name: str, params: Array, tokens: Array, loss: Array, flops: Array) -> NDArray[np.intp]:
    """Rows that a choice keeps, chosen from the data fitted alone."""
    keep = np.ones(len(loss), dtype=bool)
    if name == "upper half of compute":
        keep = flops >= np.median(flops)
    elif name == "without the smallest models":
        keep = params >= np.quantile(params, 0.2)
    elif name == "without the 5 worst-fitted" and len(loss) > 12:
        x = np.column_stack([params, tokens])
        miss = np.abs(np.log(ChinchillaLoss().fit(x, loss).predict(x)) - np.log(loss))
        keep[np.argsort(miss)[-5:]] = False
    return np.flatnonzero(keep)
