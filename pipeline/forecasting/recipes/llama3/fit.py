"""The Llama 3 recipe (arXiv 2407.21783, section 3.2.1): FLOPs, linear to NLL, sigmoid to accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Figure, PanelPoint
from benchcast.reports.records.quantities import Quantity
from benchcast.reports.text.metric_names import score_axis
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.laws.accuracy.loss_sigmoid import NLLToAccuracy
from benchcast.stages.laws.loss.log_linear import FLOPsToNLL
from benchcast.stages.notices import Notice, recipes
from scipy.stats import t as student

from ...chains.base import ChainInputs, FittedOn, describe, forecasts
from ...chains.figures import FLOPS, GRID, Axis, chain_curves, law_curve, panel, points
from ...chains.second import fit_second
from ...context import FamilyContext
from ...job import Job, RecipeOutput
from .settings import Llama3Settings

MIN_RUNS = 4  # compute-optimal runs below which a line through them is no evidence


def run(job: Job, settings: Llama3Settings, context: FamilyContext) -> RecipeOutput:
    """Fit on the compute-optimal runs and on all runs, chain, forecast."""
    loss = settings.middle if settings.middle in job.rows else ""
    finals = job.finals(settings.last, [loss, "accuracy"]) if loss else job.rows.iloc[:0]
    targets = pd.DataFrame({"flops": [t.budget.flops for t in job.targets]}, dtype=float)
    inputs = ChainInputs(targets=targets, loss_name=loss, average_last=settings.last)
    if len(finals) < MIN_RUNS:
        lacking = recipes.FEW_RUNS(fewest=MIN_RUNS) if loss else recipes.NO_COLUMN(loss=settings.middle)
        return RecipeOutput(forecasts=forecasts("llama3", job, None, inputs, [lacking]))
    optimal, notes = compute_optimal(finals, loss, settings)
    warnings = [*notes, *curvature(optimal, loss)]
    if settings.floor == "chance" and job.chance is None:
        warnings.append(recipes.NO_CHANCE())
    floor = (job.chance or 0.0) if settings.floor == "chance" else settings.floor
    steps_1 = FittedOn.of(optimal, ["flops"], loss)
    first = FLOPsToNLL().fit(steps_1.X, steps_1.y)
    second, steps_2, references = fit_second(job, NLLToAccuracy(floor, settings.ceiling), finals, loss)
    warnings += references.notices
    chain = Chain(first, second)
    return RecipeOutput(
        forecasts=forecasts("llama3", job, chain, inputs, warnings),
        laws=[
            describe("llama3", job, first, steps_1, y_unit=_unit(loss)),
            describe("llama3", job, second, steps_2),
        ],
        figures=[_figure(job, chain, finals, optimal, loss, settings, references.points)] if job.draw else [],
    )


def _unit(loss: str) -> str:
    """Unit of the intermediate loss; what is no score of a benchmark is a validation loss."""
    units = {"nll": "nats/byte", "bits_per_byte": "bits/byte", "nll_choice": "nats", "nll_mean_prob": "nats"}
    return units.get(loss, "nats/token")


def compute_optimal(finals: pd.DataFrame, loss: str, settings: Llama3Settings) -> tuple[pd.DataFrame, list[Notice]]:
    """The runs the linear law may see, and a warning where they are not those asked for.

    By default the frontier: runs that no run of the same or less compute beats. A run far from compute-optimal
    lies above the line that optimal ones make, and would bend it.
    """
    warnings: list[Notice] = []
    by_compute = finals.sort_values(["flops", loss])
    if settings.token_multiplier is not None:
        chosen = by_compute[by_compute["token_multiplier"].between(*settings.token_multiplier)]
    elif settings.optimal == "frontier":
        chosen = by_compute[by_compute[loss] <= by_compute[loss].cummin()]
    else:
        chosen = by_compute
    if len(chosen) < MIN_RUNS:
        warnings.append(recipes.FEW_OPTIMAL(optimal=len(chosen), runs=len(finals)))
        chosen = by_compute
    return chosen.tail(settings.largest) if settings.largest else chosen, warnings


def curvature(optimal: pd.DataFrame, loss: str) -> list[Notice]:
    """Warn when a quadratic in log C is significantly better than the line (two-sided t test at 5 %)."""
    n = len(optimal)
    if n < MIN_RUNS + 1 or optimal["flops"].nunique() < 3:
        return [recipes.CURVATURE_UNTESTED()]
    x = np.log10(optimal["flops"].to_numpy())
    design = np.column_stack([np.ones(n), x - x.mean(), (x - x.mean()) ** 2])
    coefficients, *_ = np.linalg.lstsq(design, optimal[loss].to_numpy(), rcond=None)
    residual = optimal[loss].to_numpy() - design @ coefficients
    variance = residual @ residual / (n - 3) * np.linalg.inv(design.T @ design)[2, 2]
    t = abs(coefficients[2]) / np.sqrt(max(variance, 1e-300))
    if t <= student.ppf(0.975, n - 3):
        return []
    side = "too low" if coefficients[2] > 0 else "too high"
    return [recipes.BENT(side=side)]


def _figure(
    job: Job,
    chain: Chain,
    finals: pd.DataFrame,
    optimal: pd.DataFrame,
    loss: str,
    settings: Llama3Settings,
    references: list[PanelPoint],
) -> Figure:
    held = job.finals(settings.last, [loss], [t.name for t in job.targets])
    scored = job.finals(settings.last, ["accuracy"], [t.name for t in job.targets])
    both = job.finals(settings.last, [loss, "accuracy"], [t.name for t in job.targets])
    other = finals[~finals["run"].isin(optimal["run"])]
    flops = np.geomspace(finals["flops"].min(), max(t.budget.flops for t in job.targets), GRID)[:, None]
    reached = np.concatenate([finals[loss], chain.first.predict(flops), [point.x for point in references]])
    losses = np.linspace(max(reached.min(), 0.0), reached.max(), GRID)[:, None]
    loss_axis = Axis(Quantity.PROXY_LOSS, f"{'NLL of the gold answer' if loss == 'nll' else loss} ({_unit(loss)})")
    accuracy = Axis(Quantity.ACCURACY, score_axis(job.metric))
    return Figure(
        recipe="llama3",
        family=job.family,
        task=job.task,
        panels=(
            panel(
                FLOPS,
                loss_axis,
                points(optimal, "flops", loss, "fit", "params")
                + points(other, "flops", loss, "unused", "params")
                + points(held, "flops", loss, "held out", "params"),
                [law_curve(chain.first, flops, flops[:, 0], job.level, "linear in log C")],
            ),
            panel(
                loss_axis,
                accuracy,
                points(finals, loss, "accuracy", "fit", "params")
                + points(both, loss, "accuracy", "held out", "params")
                + references,
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
