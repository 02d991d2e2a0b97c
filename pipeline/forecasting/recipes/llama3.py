"""The Llama 3 recipe (arXiv 2407.21783, section 3.2.1): FLOPs, linear to NLL, sigmoid to accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Figure
from benchcast.reports.records.quantities import Quantity
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.laws.accuracy.loss_sigmoid import NLLToAccuracy
from benchcast.stages.laws.loss.log_linear import FLOPsToNLL
from benchcast.stages.notices import Notice, recipes
from scipy.stats import t as student

from ...core.config import Llama3Settings
from .base import FLOPS, GRID, Axis, Found, Job, chain_curves, describe, forecasts, law_curve, panel, points
from .diagnostics import diagnose

FEWEST = 4  # compute-optimal runs below which a line through them is no evidence


def run(job: Job, settings: Llama3Settings) -> Found:
    """Fit on the compute-optimal runs and on all runs, chain, forecast."""
    middle = settings.middle if settings.middle in job.rows else ""
    finals = job.finals(settings.last, [middle, "accuracy"]) if middle else job.rows.iloc[:0]
    warnings: list[Notice] = []
    X = pd.DataFrame({"flops": [t.budget.flops for t in job.targets]}, dtype=float)
    if len(finals) < FEWEST:
        lacking = recipes.FEW_RUNS(fewest=4) if middle else recipes.NO_COLUMN(loss=settings.middle)
        return Found(forecasts=forecasts("llama3", job, None, X, middle, settings.last, [lacking]))
    optimal = compute_optimal(finals, middle, settings, warnings)
    warnings += curvature(optimal, middle)
    if settings.floor == "chance" and job.chance is None:
        warnings.append(recipes.NO_CHANCE())
    floor = (job.chance or 0.0) if settings.floor == "chance" else settings.floor
    flops, losses = optimal[["flops"]].to_numpy(dtype=float), finals[[middle]].to_numpy(dtype=float)
    first = FLOPsToNLL().fit(flops, optimal[middle])
    second = NLLToAccuracy(floor, settings.ceiling).fit(losses, finals["accuracy"])
    chain = Chain(first, second)
    steps = (
        diagnose(first, flops, optimal[middle].to_numpy(dtype=float), list(optimal["run"])),
        diagnose(second, losses, finals["accuracy"].to_numpy(dtype=float), list(finals["run"])),
    )
    return Found(
        forecasts=forecasts("llama3", job, chain, X, middle, settings.last, warnings),
        laws=[
            describe("llama3", job, first, steps[0], y_unit=_unit(middle)),
            describe("llama3", job, second, steps[1]),
        ],
        figures=[_figure(job, chain, finals, optimal, middle, settings)] if job.draw else [],
    )


def _unit(middle: str) -> str:
    """Unit of the middle quantity; what is no score of a benchmark is a validation loss."""
    return {"nll": "nats/byte", "bits_per_byte": "bits/byte", "nll_choice": "nats"}.get(middle, "nats/token")


def compute_optimal(
    finals: pd.DataFrame, middle: str, settings: Llama3Settings, warnings: list[Notice]
) -> pd.DataFrame:
    """The runs the linear law may see.

    By default the frontier: runs that no run of the same or less compute beats. A run far from compute-optimal
    lies above the line that optimal ones make, and would bend it.
    """
    by_compute = finals.sort_values(["flops", middle])
    if settings.token_multiplier is not None:
        chosen = by_compute[by_compute["token_multiplier"].between(*settings.token_multiplier)]
    elif settings.optimal == "frontier":
        chosen = by_compute[by_compute[middle] <= by_compute[middle].cummin()]
    else:
        chosen = by_compute
    if len(chosen) < FEWEST:
        warnings.append(recipes.FEW_OPTIMAL(optimal=len(chosen), runs=len(finals)))
        chosen = by_compute
    return chosen.tail(settings.largest) if settings.largest else chosen


def curvature(optimal: pd.DataFrame, middle: str) -> list[Notice]:
    """Warn when a quadratic in log C is significantly better than the line (two-sided t test at 5 %)."""
    n = len(optimal)
    if n < FEWEST + 1 or optimal["flops"].nunique() < 3:
        return [recipes.CURVATURE_UNTESTED()]
    x = np.log10(optimal["flops"].to_numpy())
    design = np.column_stack([np.ones(n), x - x.mean(), (x - x.mean()) ** 2])
    coefficients, *_ = np.linalg.lstsq(design, optimal[middle].to_numpy(), rcond=None)
    residual = optimal[middle].to_numpy() - design @ coefficients
    variance = residual @ residual / (n - 3) * np.linalg.inv(design.T @ design)[2, 2]
    t = abs(coefficients[2]) / np.sqrt(max(variance, 1e-300))
    if t <= student.ppf(0.975, n - 3):
        return []
    side = "too low" if coefficients[2] > 0 else "too high"
    return [recipes.BENT(side=side)]


def _figure(
    job: Job, chain: Chain, finals: pd.DataFrame, optimal: pd.DataFrame, middle: str, settings: Llama3Settings
) -> Figure:
    held = job.finals(settings.last, [middle], [t.name for t in job.targets])
    scored = job.finals(settings.last, ["accuracy"], [t.name for t in job.targets])
    both = job.finals(settings.last, [middle, "accuracy"], [t.name for t in job.targets])
    other = finals[~finals["run"].isin(optimal["run"])]
    flops = np.geomspace(finals["flops"].min(), max(t.budget.flops for t in job.targets), GRID)[:, None]
    reached = np.append(finals[middle], chain.first.predict(flops))
    losses = np.linspace(max(reached.min(), 0.0), reached.max(), GRID)[:, None]
    loss = Axis(Quantity.PROXY_LOSS, f"{'NLL of the gold answer' if middle == 'nll' else middle} ({_unit(middle)})")
    accuracy = Axis(Quantity.ACCURACY, f"accuracy ({job.metric})")
    return Figure(
        recipe="llama3",
        family=job.family,
        task=job.task,
        panels=(
            panel(
                FLOPS,
                loss,
                points(optimal, "flops", middle, "fit", "params")
                + points(other, "flops", middle, "unused", "params")
                + points(held, "flops", middle, "held out", "params"),
                [law_curve(chain.first, flops, flops[:, 0], job.level, "linear in log C")],
            ),
            panel(
                loss,
                accuracy,
                points(finals, middle, "accuracy", "fit", "params")
                + points(both, middle, "accuracy", "held out", "params"),
                [law_curve(chain.second, losses, losses[:, 0], job.level, "sigmoid")],
            ),
            panel(
                FLOPS,
                accuracy,
                points(finals, "flops", "accuracy", "fit", "params")
                + points(scored, "flops", "accuracy", "held out", "params"),
                chain_curves(chain, {"composed": flops}, flops[:, 0], job.level),
            ),
        ),
    )
