"""The model-ladder recipe (Bhagia et al., arXiv 2412.04403): (N, D) to bits per byte, sigmoid to accuracy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Figure, PanelPoint
from benchcast.reports.records.quantities import Quantity
from benchcast.reports.text.metric_names import score_axis
from benchcast.reports.text.numbers import size
from benchcast.stages.forecast.chain import Chain
from benchcast.stages.forecast.task_data import CheckpointConstants, usual_average
from benchcast.stages.laws.accuracy.loss_sigmoid import NLLToAccuracy
from benchcast.stages.laws.loss.task_loss import TaskLoss
from benchcast.stages.notices import recipes

from ...chains.base import ChainInputs, FittedOn, describe, forecasts
from ...chains.figures import GRID, TOKENS, Axis, chain_curves, drawn_curves, law_curve, panel, points
from ...chains.second import fit_second
from ...context import FamilyContext
from ...job import Job, RecipeOutput
from .settings import LadderSettings

LOSS = "bits_per_byte"
MAX_SIZES = 6


def run(job: Job, settings: LadderSettings, context: FamilyContext) -> RecipeOutput:
    """Fit the loss on one point per run and the sigmoid on all smoothed checkpoints, chain, forecast."""
    last, smooth = smoothing(job, settings)
    targets = pd.DataFrame([{"params": t.budget.params, "tokens": t.budget.tokens} for t in job.targets], dtype=float)
    inputs = ChainInputs(targets=targets, loss_name=LOSS, average_last=last)
    if LOSS not in job.rows:
        lacking = recipes.NO_COLUMN(loss=f"{LOSS} or nll")
        return RecipeOutput(forecasts=forecasts("ladder", job, None, inputs, [lacking]))
    measured = job.finals(last, [LOSS, "accuracy"])
    # The law is fitted on logarithms; a mean loss of exactly zero is no measurement of it.
    finals = measured[measured[LOSS] > 0]
    warnings = [recipes.NO_LOSS(str(run)) for run in measured["run"][measured[LOSS] <= 0]]
    if len(finals) <= len(TaskLoss.parameters):
        lacking = recipes.FEW_RUNS(runs=len(finals), parameters=len(TaskLoss.parameters))
        return RecipeOutput(forecasts=forecasts("ladder", job, None, inputs, [*warnings, lacking]))
    cloud = checkpoints(job.fitted_rows, settings, smooth)
    steps_1 = FittedOn.of(finals, ["params", "tokens"], LOSS)
    first = TaskLoss(settings.huber).fit(steps_1.X, steps_1.y)
    unfitted = NLLToAccuracy(settings.floor, settings.ceiling)
    second, steps_2, references = fit_second(job, unfitted, cloud, LOSS, grouped=True)
    warnings += references.notices
    chain = Chain(first, second)
    return RecipeOutput(
        forecasts=forecasts("ladder", job, chain, inputs, warnings),
        laws=[describe("ladder", job, first, steps_1), describe("ladder", job, second, steps_2)],
        figures=[_figure(job, chain, finals, cloud, last, references.points)] if job.draw else [],
    )


def smoothing(job: Job, settings: LadderSettings) -> tuple[int, int]:
    """How many last checkpoints make a run's value, and the moving average of step 2: published for long records."""
    last = settings.last or usual_average(job.fitted_rows, CheckpointConstants())
    return last, settings.smooth or last


def checkpoints(rows: pd.DataFrame, settings: LadderSettings, smooth: int) -> pd.DataFrame:
    """Step 2's points: each run without its first checkpoints, smoothed, plus the anchor (loss 0, accuracy 1)."""
    parts = []
    for run_name, part in rows.dropna(subset=[LOSS, "accuracy"]).groupby("run", sort=False):
        # A run's last checkpoint always counts, also when it is the only one.
        kept = part.iloc[min(math.ceil(settings.skip * len(part)), len(part) - 1) :]
        averaged = kept[[LOSS, "accuracy"]].rolling(smooth, min_periods=1).mean()
        parts.append(averaged.assign(run=run_name, params=kept["params"]))
    if settings.anchor:
        parts.append(pd.DataFrame({LOSS: [0.0], "accuracy": [1.0], "run": ["(anchor)"], "params": [math.nan]}))
    return pd.concat(parts, ignore_index=True)


def _figure(
    job: Job,
    chain: Chain,
    finals: pd.DataFrame,
    cloud: pd.DataFrame,
    last: int,
    references: list[PanelPoint],
) -> Figure:
    names = [t.name for t in job.targets]
    held = {c: job.finals(last, [c], names) for c in (LOSS, "accuracy")}
    both = job.finals(last, [LOSS, "accuracy"], names)
    aimed = [float(t.budget.params) for t in job.targets if t.budget.params]
    sizes = drawn_curves(aimed, map(float, finals["params"]), MAX_SIZES)
    most = max([finals["tokens"].max(), *(t.budget.tokens or 0 for t in job.targets)])
    tokens = np.geomspace(finals["tokens"].min(), most, GRID)
    grids = {n: np.column_stack([np.full(GRID, n), tokens]) for n in sizes}
    measured = cloud[cloud["params"].notna()]  # without the anchor
    moved = [point.x for point in references]
    low = min([measured[LOSS].min(), *moved, *(chain.first.predict(grids[n]).min() for n in sizes)])
    losses = np.linspace(low, max([measured[LOSS].max(), *moved]), GRID)[:, None]
    loss = Axis(Quantity.PROXY_LOSS, "gold answer (bits/byte)")
    accuracy = Axis(Quantity.ACCURACY, score_axis(job.metric))
    return Figure(
        recipe="ladder",
        family=job.family,
        task=job.task,
        panels=(
            panel(
                TOKENS,
                loss,
                points(finals, "tokens", LOSS, "fit", "params")
                + points(held[LOSS], "tokens", LOSS, "held out", "params"),
                [law_curve(chain.first, x, tokens, job.level, f"law at {size(n)}") for n, x in grids.items()],
            ),
            panel(
                loss,
                accuracy,
                points(measured, LOSS, "accuracy", "intermediate", "params")
                + points(both, LOSS, "accuracy", "held out", "params")
                + references,
                [law_curve(chain.second, losses, losses[:, 0], job.level, "sigmoid")],
            ),
            panel(
                TOKENS,
                accuracy,
                points(finals, "tokens", "accuracy", "fit", "params")
                + points(held["accuracy"], "tokens", "accuracy", "held out", "params"),
                chain_curves(chain, {f"law at {size(n)}": x for n, x in grids.items()}, tokens, job.level),
            ),
        ),
    )
