"""The parts of a plan that come from training curves: batch size and steps, and learning-rate schedules."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.reports.records.plan import BatchReport, CurveOverlay, Reach, ScheduleReport
from benchcast.stages.fit.errors import FitError
from benchcast.stages.planning.critical_batch import CriticalBatchFit, fit_critical_batch
from benchcast.stages.planning.trajectory import fit_schedules

from ..core.errors import InputError
from . import table as plan_table
from .config import PlanConfig
from .estimates import estimate, with_error

POINTS = 120  # of a curve in the result
MULTIPLES = (0.25, 1.0, 4.0)  # batches at which the trade-off is told, in critical batches


def batch_report(config: PlanConfig, base: Path, account: Account) -> BatchReport | None:
    """Unraveling's steps on curves of several batch sizes."""
    settings = config.batches
    if settings is None:
        return None
    if settings.source == "demo":
        with as_file(files("benchcast.demo_ladder") / "batches.csv") as path:
            table = pd.read_csv(path)
    elif settings.path is None:
        raise InputError("batches.path: is missing (give the table, or source: demo)")
    else:
        needed = ("params", "batch_size", "step", "loss")
        table = plan_table.read_plan_table(base / settings.path, needed, (), settings.columns, settings.where, account)
    try:
        fitted = fit_critical_batch(table, seed=config.seed, level=config.level)
    except FitError as error:
        raise InputError(f"batches: {error}") from None
    level = config.level
    middle = float(fitted.contours["loss"].median())
    low, high = fitted.critical_batch_interval(middle, level)
    law = fitted.law
    spread = {k: (v, law.stderrs_[k]) for k, v in law.estimates_.items() if k.startswith("alpha")}
    return BatchReport(
        b_star=estimate(fitted.b_star, np.exp(fitted.draws[:, 0]), level),
        inverse_alpha_b=estimate(fitted.inverse_alpha_b, fitted.draws[:, 1], level),
        exponents={k: with_error(v, e, level) for k, (v, e) in spread.items()},
        loss=middle,
        critical_batch=estimate(float(fitted.critical_batch(middle)), np.array([low, high]), 1 - 1e-9),
        misfit=float(law.residual_std_),
        contours=len(fitted.contours),
        least_loss={f"{n:.0f}": float(fitted.least_loss(float(n))) for n in sorted(table["params"].unique())},
        reaches=tuple(_reaches(fitted, table, middle)),
        curves=tuple(_overlays(fitted, table)),
        notes=fitted.notes,
    )


def _reaches(fitted: CriticalBatchFit, table: pd.DataFrame, loss: float) -> list[Reach]:
    """Steps and tokens to the middle loss at batches around the critical one, largest model: time against compute."""
    params = float(table["params"].max())
    batch = np.array(MULTIPLES) * float(fitted.critical_batch(loss))
    steps, tokens = fitted.steps_to(params, loss, batch)
    rows = zip(batch.tolist(), steps.tolist(), tokens.tolist(), strict=True)
    return [Reach(params=params, loss=loss, batch_size=b, steps=s, tokens=t) for b, s, t in rows]


def _overlays(fitted: CriticalBatchFit, table: pd.DataFrame) -> list[CurveOverlay]:
    overlays = []
    for (params, batch), run in table.groupby(["params", "batch_size"]):
        run = _thin(run.sort_values("step"))
        steps = run["step"].to_numpy(dtype=float)
        overlays.append(
            CurveOverlay(
                name=f"batch {batch:,.0f} tokens",
                group=f"{params:,.0f} parameters",
                step=tuple(steps.tolist()),
                loss=tuple(run["loss"].tolist()),
                law=tuple(fitted.trajectory(float(params), float(batch), steps).tolist()),
                held_out=False,
                error=None,
            )
        )
    return overlays


def schedule_report(config: PlanConfig, base: Path, account: Account) -> ScheduleReport | None:
    """The annealing law fitted on some schedules and checked on the others."""
    settings = config.schedules
    if settings is None:
        return None
    needed = ("step", "lr", "loss")
    table = plan_table.read_plan_table(base / settings.path, needed, (), settings.columns, settings.where, account)
    if "run" not in table:
        raise InputError(f"schedules: {settings.path} has no column 'run' (name your schedule column with columns)")
    names = list(dict.fromkeys(table["run"]))
    if unknown := set(settings.held_out) - set(names):
        raise InputError(
            f"schedules.held_out: {sorted(unknown)[0]!r} is not a run of the table ({', '.join(names[:8])})"
        )
    train = table[~table["run"].isin(settings.held_out)]
    if train["run"].nunique() < 2:
        raise InputError("schedules: two or more runs are needed to fit on")
    try:
        run, step, lr, loss = (train[c].to_numpy() for c in ("run", "step", "lr", "loss"))
        fitted = fit_schedules(run, step, lr, loss, settings.warmup)
    except FitError as problem:
        raise InputError(f"schedules: {problem}") from None
    overlays = []
    for name in names:
        rows = table[table["run"].eq(name)].sort_values("step")
        law = fitted.predict(rows["step"].to_numpy(), rows["lr"].to_numpy())
        miss = float(np.mean(np.abs(law - rows["loss"])))
        rows = _thin(rows.assign(law=law))
        overlays.append(
            CurveOverlay(
                name=name,
                group="held out" if name in settings.held_out else "fitted",
                step=tuple(rows["step"].tolist()),
                loss=tuple(rows["loss"].tolist()),
                law=tuple(rows["law"].tolist()),
                held_out=name in settings.held_out,
                error=miss,
            )
        )
    law_ = fitted.law
    return ScheduleReport(
        estimates={k: with_error(v, law_.stderrs_[k], config.level) for k, v in law_.estimates_.items()},
        memory=fitted.response.memory,
        gamma=fitted.response.gamma,
        curves=tuple(overlays),
        notes=law_.notes_,
    )


def _thin(run: pd.DataFrame) -> pd.DataFrame:
    return run.iloc[np.unique(np.linspace(0, len(run) - 1, POINTS).round().astype(int))]
