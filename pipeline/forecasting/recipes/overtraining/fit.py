"""The over-training recipe (Gadre et al., arXiv 2403.08540): (C, M) to validation loss, exponential to error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from benchcast.reports.records.account import listed
from benchcast.reports.records.forecast import Figure
from benchcast.reports.records.quantities import Quantity
from benchcast.reports.text.metric_names import error_axis, score_axis
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.laws.accuracy.exponential_error import LossToError
from benchcast.stages.laws.base import Law
from benchcast.stages.laws.loss.overtraining import OvertrainedLoss
from benchcast.stages.notices import Notice, recipes

from ....core.metrics import RESERVED
from ...chains.base import ChainInputs, FittedOn, describe, forecasts
from ...chains.figures import FLOPS, GRID, Axis, chain_curves, drawn_curves, law_curve, panel, points, sig
from ...context import FamilyContext
from ...job import Job, RecipeOutput, matching
from .settings import OvertrainingSettings

MAX_MULTIPLIERS = 5
ERROR = "1 - accuracy"  # a column beside the losses, of which one may be called error


def run(job: Job, settings: OvertrainingSettings, context: FamilyContext) -> RecipeOutput:
    """Fit the loss law once per family, the error law per task, chain, forecast accuracy as 1 - error."""
    columns = [{"flops": t.budget.flops, "token_multiplier": t.budget.token_multiplier} for t in job.targets]
    loss, last = settings.loss or _only_loss(job), settings.last
    inputs = ChainInputs(targets=pd.DataFrame(columns, dtype=float), loss_name=loss, average_last=last)
    if loss not in job.rows:
        lacking = _no_loss(job, loss)
        return RecipeOutput(forecasts=forecasts("overtraining", job, None, inputs, [lacking]))
    loss_runs = job.finals(last, [loss], matching(sorted(job.fit_runs), settings.loss_runs))
    error_runs = job.finals(last, [loss, "accuracy"], matching(sorted(job.fit_runs), settings.error_runs))
    for rows, law in ((loss_runs, OvertrainedLoss), (error_runs, LossToError)):
        if len(rows) <= len(law.parameters):
            lacking = recipes.FEW_RUNS(runs=len(rows), law=law.__name__, parameters=len(law.parameters))
            return RecipeOutput(forecasts=forecasts("overtraining", job, None, inputs, [lacking]))
    output = RecipeOutput()
    first, new = _loss_law(loss_runs, loss, context)
    if new:
        step = FittedOn.of(loss_runs, ["flops", "token_multiplier"], loss)
        output.laws.append(describe("overtraining", job, first, step, task=loss))
    step = FittedOn.of(error_runs.assign(**{ERROR: 1 - error_runs["accuracy"]}), [loss], ERROR)
    second = LossToError().fit(step.X, step.y)
    chain = Chain(first, second, complement=True)
    output.forecasts = forecasts("overtraining", job, chain, replace(inputs, runs=step.runs), [])
    output.laws.append(describe("overtraining", job, second, step))
    if job.draw:
        output.figures.append(_figure(job, chain, loss_runs, error_runs, loss, last))
    return output


def _validation_losses(job: Job) -> list[str]:
    """The validation losses that the runs of a job were measured on, by name."""
    known = job.fitted_rows.dropna(axis="columns", how="all").columns
    return sorted(str(name) for name in known if name not in RESERVED)


def _only_loss(job: Job) -> str:
    """The validation loss where there is one; empty where there is none, or a choice."""
    losses = _validation_losses(job)
    return losses[0] if len(losses) == 1 else ""


def _no_loss(job: Job, loss: str) -> Notice:
    """Why there is no loss to go through: the one named is not there, there is none, or there are several."""
    several = _validation_losses(job)
    if loss:
        return recipes.NO_COLUMN(column=loss)
    return recipes.SEVERAL_LOSSES(losses=listed(several, 4)) if several else recipes.NO_COLUMN(column="validation loss")


def _loss_law(loss_runs: pd.DataFrame, loss: str, context: FamilyContext) -> tuple[Law, bool]:
    """The law of the loss, and whether it is new: the same runs give the same law, fitted once for all tasks."""
    ordered = loss_runs.sort_values("run")
    key = ("overtraining", loss, *zip(ordered["run"], ordered["tokens"], ordered[loss], strict=True))
    inputs = loss_runs[["flops", "token_multiplier"]].to_numpy()
    return context.law(key, lambda: OvertrainedLoss().fit(inputs, loss_runs[loss]))


def _figure(job: Job, chain: Chain, loss_runs: pd.DataFrame, error_runs: pd.DataFrame, loss: str, last: int) -> Figure:
    names = [t.name for t in job.targets]
    held, both = job.finals(last, [loss], names), job.finals(last, [loss, "accuracy"], names)
    others = [r for r in sorted(job.fit_runs) if r not in set(loss_runs["run"]) | set(error_runs["run"])]
    unused = job.finals(last, [loss, "accuracy"], others)
    aimed = [sig(float(t.budget.token_multiplier), 3) for t in job.targets if t.budget.token_multiplier]
    multipliers = drawn_curves(aimed, [sig(float(m), 3) for m in loss_runs["token_multiplier"]], MAX_MULTIPLIERS)
    flops = np.geomspace(loss_runs["flops"].min(), max(t.budget.flops for t in job.targets), GRID)
    grids = {m: np.column_stack([flops, np.full(GRID, m)]) for m in multipliers}
    low = min(chain.first.predict(x).min() for x in grids.values())
    losses = np.linspace(low, error_runs[loss].max(), GRID)[:, None]
    for rows in (error_runs, both, unused):
        rows[ERROR] = 1 - rows["accuracy"]
    loss_axis = Axis(Quantity.PROXY_LOSS, f"{loss} loss (nats/token)")
    error = Axis(Quantity.ERROR, error_axis(job.metric))
    return Figure(
        recipe="overtraining",
        family=job.family,
        task=job.task,
        panels=(
            panel(
                FLOPS,
                loss_axis,
                points(loss_runs, "flops", loss, "fit", "params")
                + points(unused, "flops", loss, "unused", "params")
                + points(held, "flops", loss, "held out", "params"),
                [law_curve(chain.first, x, flops, job.level, f"{m:g} tokens/param.") for m, x in grids.items()],
            ),
            panel(
                loss_axis,
                error,
                points(error_runs, loss, ERROR, "fit", "params")
                + points(unused, loss, ERROR, "unused", "params")
                + points(both, loss, ERROR, "held out", "params"),
                [law_curve(chain.second, losses, losses[:, 0], job.level, "exponential")],
            ),
            panel(
                FLOPS,
                Axis(Quantity.ACCURACY, score_axis(job.metric)),
                points(error_runs, "flops", "accuracy", "fit", "params")
                + points(both, "flops", "accuracy", "held out", "params"),
                chain_curves(chain, {f"{m:g} tokens/param.": x for m, x in grids.items()}, flops, job.level),
            ),
        ),
    )
