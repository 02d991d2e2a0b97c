"""Run a config: table to jobs, jobs to recipes, recipes to one result."""

from __future__ import annotations

import platform
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Record, listed
from benchcast.reports.records.base import Provenance
from benchcast.reports.records.forecast import Forecast, LadderRun, Result, Scores
from benchcast.stages.compute.budget import TrainingBudget
from benchcast.stages.forecast.aggregate import MEAN
from pydantic import ValidationError

from ..core.config import Config, Target, given
from ..core.digest import object_digest, table_digest
from ..core.errors import InputError
from ..data import asked as asking
from ..data import ingest
from ..data.ingest import Data
from ..data.schema import LOSSES
from . import averages
from .compute_sweep import scores, sweeps
from .recipes import RECIPES, Found, Job
from .recipes.base import TargetRun, matching

ACCURACIES = ("acc_norm", "acc")
WAY = ["task", "num_fewshot", "prompt"]
PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "typst")
Progress = Callable[[str, int, int], None]


def run(
    config: Config | Mapping[str, Any] | str | Path,
    base: Path | None = None,
    data: Path | str | pd.DataFrame | Data | None = None,
    progress: Progress | None = None,
    sweeping: bool = False,
) -> Result:
    """Everything ``benchcast run`` does but writing files.

    Parameters
    ----------
    config : Config, mapping or path
        A path is read as YAML; a mapping is what the YAML would hold.
    base : Path, optional
        Folder that relative paths of the config start from; of a config that was read, its own.
    data : path or DataFrame, optional
        Replaces the config's ``data.path``; a frame is a ladder table.
    progress : callable, optional
        Called with what is being done, jobs done, jobs in all.
    sweeping : bool
        Also forecast planned runs of every size, for the tasks that get figures.

    Raises
    ------
    InputError
        For faults in the config or the data, or patterns that match nothing.

    Examples
    --------
    >>> result = run({"data": {"source": "demo"}, "targets": [{"run": "1.3M-10x"}], "recipes": ["llama3"],
    ...               "tasks": ["recall"]})
    >>> round(result.forecasts[0].forecast, 3)
    0.498
    """
    config, base = given(config, Config, base)
    loaded = ingest.read(config.data, base, data)
    roles = assign_roles(config, loaded.table)
    found = Found()
    jobs = list(build_jobs(config, loaded.table, roles))
    if not jobs:
        raise InputError(
            "targets: none is left to forecast (each is fitted, excluded, or without a task of the ladder)"
        )
    # What auto says of a task depends on how the forms did on all tasks of the family.
    jobs[0].shared["jobs"] = jobs
    for done, each in enumerate(jobs):
        job = replace(each, draw=done < config.figures)
        if progress:
            progress(f"{job.family}: {job.task}", done, len(jobs))
        for settings in config.recipes:
            # mypy cannot pair the recipe's name with its settings; the registry does.
            part: Found = RECIPES[settings.name](job, settings)  # type: ignore[operator]
            found.forecasts += part.forecasts
            found.laws += part.laws
            found.figures += part.figures
            found.backtests += part.backtests
            found.trials += part.trials
    return Result(
        schema="benchcast.run/1",
        title=config.title,
        forecasts=_with_ways(found.forecasts, config, loaded.table),
        laws=tuple(found.laws),
        figures=tuple(found.figures),
        ladder=tuple(_ladder(loaded.table, roles)),
        backtests=tuple(found.backtests),
        sweeps=sweeps(jobs, config.recipes, config.figures) if sweeping else (),
        scores=tuple(_scores(jobs, {f.task for f in found.forecasts})),
        trials=tuple(found.trials),
        provenance=_provenance(config, loaded, _told(config, loaded, roles)),
    )


def run_planned(
    config: Config | Mapping[str, Any] | str | Path,
    numbers: Mapping[str, float],
    base: Path | None = None,
    data: Path | str | pd.DataFrame | Data | None = None,
    progress: Progress | None = None,
) -> Result:
    """Forecast one planned run by the laws of a config, whose own targets stay held out but are not forecast.

    ``numbers`` are the fields of a target: flops, params, tokens, token_multiplier.

    Raises
    ------
    InputError
        When the numbers name no size, and as ``run`` does.
    """
    try:
        target = Target.model_validate(numbers)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the planned run"
        what = "must be positive and finite" if first["type"] == "finite_number" else str(first["msg"])
        raise InputError(f"{where}: {what.removeprefix('Value error, ')}") from None
    config, base = given(config, Config, base)
    target = target.model_copy(update={"name": _describe(target, 0)})
    held = tuple(t for t in config.targets if t.run is not None)
    asking = config.model_copy(update={"targets": (*held, target), "figures": 0})
    result = run(asking, base, data, progress)
    return result.model_copy(update={"forecasts": tuple(f for f in result.forecasts if f.target == target.name)})


def assign_roles(config: Config, table: pd.DataFrame) -> pd.Series:
    """``fit``, ``held out`` or ``unused`` for every run of the table, indexed by run.

    Without ``runs.fit`` the laws see every run that is no target; with it, exactly the runs it matches, and those
    are never targets.
    """
    runs = list(dict.fromkeys(table["run"]))
    planned = [name for name, _ in _planned(config)]
    for name in planned:
        if name in runs or planned.count(name) > 1:
            raise InputError(f"targets: the name {name!r} is taken; name a planned run unlike any other, or use run:")
    held = matching(runs, [t.run for t in config.targets if t.run is not None])
    fit = [r for r in runs if r not in held] if config.runs.fit is None else matching(runs, config.runs.fit)
    excluded = set(matching(runs, config.runs.exclude))
    for where, patterns in (("runs.fit", config.runs.fit or ()), ("targets", [t.run for t in config.targets if t.run])):
        for pattern in patterns:
            if not matching(runs, [pattern]):
                raise InputError(f"{where}: {pattern!r} matches no run (the table has {listed(runs, 6)})")
    role = dict.fromkeys(runs, "unused") | dict.fromkeys(held, "held out") | dict.fromkeys(fit, "fit")
    role |= dict.fromkeys(excluded, "unused")
    if "fit" not in role.values():
        raise InputError("runs.fit: no run is left to fit on")
    return pd.Series(role)


def build_jobs(config: Config, table: pd.DataFrame, roles: pd.Series) -> Iterator[Job]:
    """One job per (family with runs to fit, task with an accuracy)."""
    table = _counted(table)
    about = table[["run", "family", "flops_convention"]].drop_duplicates("run").set_index("run")
    fitted = about[roles[about.index].eq("fit").to_numpy()]
    conventions = {str(f): str(rows["flops_convention"].iloc[0]) for f, rows in fitted.groupby("family", sort=False)}
    shared: dict[Any, Any] = {}
    scored: dict[str, pd.DataFrame] = {}  # by task: what is known of how each run was scored
    tasks = list(_tasks(config, table, set(fitted.index), scored))
    if not tasks:
        raise InputError("tasks: no task of the table with an accuracy matches")
    members = averages.members(config, [label for label, _, _ in tasks])
    tasks += averages.tasks(members, tasks)
    for family, convention in conventions.items():
        fit_runs = frozenset(fitted.index[fitted["family"].eq(family)])
        targets = tuple(_targets(config, table, roles, family, conventions))
        names = [t.name for t in targets]
        mixed = {task: asking.compared(about_, fit_runs, names) for task, about_ in scored.items()}
        mixed |= {task: asking.joined([mixed[m] for m in parts], names) for task, parts in members.items()}
        for task, metric, rows in tasks:
            if rows["run"].isin(fit_runs).any() and targets:
                kept = rows[rows["run"].isin(fit_runs | {t.name for t in targets})].reset_index(drop=True)
                chance = kept["chance"].dropna()
                yield Job(
                    family=family,
                    task=task,
                    metric=metric,
                    rows=kept,
                    fit_runs=fit_runs,
                    targets=targets,
                    chance=float(chance.iloc[0]) if len(chance) else None,
                    level=config.level,
                    convention=convention,
                    members=members.get(task, {}),
                    shared=shared,
                    mixed=mixed[task],
                )


def _counted(table: pd.DataFrame) -> pd.DataFrame:
    """A family that does not name its FLOP convention, but has 6ND throughout, counts as 6ND."""
    off = (table["flops"] / (6 * table["params"] * table["tokens"]) - 1).abs() > 0.02
    plain = ~off.groupby(table["family"]).transform("any")
    unnamed = table["flops_convention"].eq("")
    return table.assign(flops_convention=table["flops_convention"].mask(unnamed & plain, "6ND"))


def _tasks(
    config: Config, table: pd.DataFrame, fit_runs: set[str], scored: dict[str, pd.DataFrame]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Task name, accuracy metric, and a row per checkpoint with the accuracy and every loss beside it."""
    where = ["run", "tokens"]
    validation = {
        t: part.set_index(where)["value"] for t, part in table[table["metric"].eq("val_loss")].groupby("task")
    }
    accuracies = _accuracies(config, table)
    losses = {str(task): part for task, part in table[table["metric"].isin(LOSSES)].groupby("task")}
    several = _several(accuracies)
    for (task, shots, prompt), part in accuracies.groupby(WAY, sort=False, dropna=False):
        label = asked(str(task), shots, prompt) if several[task] else str(task)
        if not matching([label, str(task)], config.tasks):
            continue
        metric = _metric(part, fit_runs)
        scored[label] = part.loc[part["metric"].eq(metric), ["run", *asking.COLUMNS]].drop_duplicates()
        rows = part[part["metric"].eq(metric)].set_index(where).rename(columns={"value": "accuracy"})
        # A score of 0 or 1 has a sampling error too: that of one question answered otherwise.
        rate = rows["accuracy"].clip(1 / rows["n"], 1 - 1 / rows["n"])
        rows["stderr"] = rows["stderr"].where(rows["stderr"] > 0).fillna(np.sqrt(rate * (1 - rate) / rows["n"]))
        rows = rows[["step", "params", "flops", "accuracy", "stderr", "chance"]]
        columns = _losses(losses.get(str(task)), shots, prompt) | validation
        rows = rows.assign(**{m: values.reindex(rows.index) for m, values in columns.items()})
        for have, want, factor in (("bits_per_byte", "nll", np.log(2)), ("nll", "bits_per_byte", 1 / np.log(2))):
            if have in columns:
                other = columns[have].reindex(rows.index) * factor
                rows[want] = rows[want].fillna(other) if want in rows else other
        rows = rows.reset_index().sort_values(where, kind="stable")
        yield label, metric, rows.assign(token_multiplier=rows["tokens"] / rows["params"])


def _accuracies(config: Config, table: pd.DataFrame) -> pd.DataFrame:
    return table[table["metric"].isin([m for m in ACCURACIES if config.metric in ("auto", m)])]


def _several(accuracies: pd.DataFrame) -> pd.Series:
    """Task to whether it was asked in more ways than one."""
    return accuracies[WAY].drop_duplicates().groupby("task").size() > 1


def _with_ways(forecasts: Sequence[Forecast], config: Config, table: pd.DataFrame) -> tuple[Forecast, ...]:
    """Forecasts that say how their tasks were asked: the label alone does not where there is one way only."""
    accuracies = _accuracies(config, table)
    several = _several(accuracies)
    full, documents, versions = dict[str, str](), dict[str, float](), dict[str, str]()
    for (task, shots, prompt), rows in accuracies.groupby(WAY, sort=False, dropna=False):
        label = asked(task, shots, prompt) if several[task] else str(task)
        if np.isfinite(shots):
            full[label] = asked(task, shots, prompt)
        if rows["n"].notna().any():
            documents[label] = float(rows["n"].max())
        if known := sorted(set(rows["task_version"]) - {""}):
            versions[label] = ", ".join(known)
    found = []
    for f in forecasts:
        parts = f.members or (f.task,)
        found.append(
            f.model_copy(
                update={
                    "asked": {t: full[t] for t in parts if t in full},
                    "documents": {t: documents[t] for t in parts if t in documents},
                    "versions": {t: versions[t] for t in parts if t in versions},
                }
            )
        )
    return tuple(found)


def asked(task: str, shots: float, prompt: str) -> str:
    """A task's label where it was asked in several ways."""
    return f"{task} ({shots:g}-shot{', ' + prompt if prompt else ''})"


def _metric(part: pd.DataFrame, fit_runs: set[str]) -> str:
    """The accuracy most of the fitted runs have; ``acc_norm`` where they tie."""
    have = {m: len(fit_runs & set(part.loc[part["metric"].eq(m), "run"])) for m in ACCURACIES}
    present = [m for m in ACCURACIES if part["metric"].eq(m).any()]
    return max(present, key=lambda m: have[m])


def _losses(part: pd.DataFrame | None, shots: float, prompt: str) -> dict[str, pd.Series]:
    """The losses measured the way the accuracy was, or without saying how."""
    if part is None:
        return {}
    same = (part["num_fewshot"].isna() | part["num_fewshot"].eq(shots)) & part["prompt"].isin(["", prompt])
    return {str(m): rows.set_index(["run", "tokens"])["value"] for m, rows in part[same].groupby("metric")}


def _targets(
    config: Config, table: pd.DataFrame, roles: pd.Series, family: str, conventions: dict[str, str]
) -> Iterator[TargetRun]:
    """The targets of one family: its own held-out runs, those of families without a ladder, and planned runs."""
    ends = table.sort_values("tokens").groupby("run").tail(1).set_index("run")
    ends = ends.loc[[r for r in roles.index if roles[r] == "held out"]].sort_values("flops", kind="stable")
    for run_name, row in ends.iterrows():
        if row["family"] == family or row["family"] not in conventions:
            known = TrainingBudget(row["flops"], row["params"], row["tokens"])
            yield TargetRun(str(run_name), known, row["family"], row["flops_convention"])
    for name, target in _planned(config):
        # FLOPs that are given are taken to be counted as the ladder's are; computed ones are 6ND.
        counted = "6ND" if target.flops is None else conventions[family]
        yield TargetRun(name, target.budget(), convention=counted)


def _planned(config: Config) -> list[tuple[str, Target]]:
    """Runs that do not exist yet, with a name each."""
    return [(t.name or _describe(t, i), t) for i, t in enumerate(t for t in config.targets if t.run is None)]


def _describe(target: Target, i: int) -> str:
    given = target.model_dump(exclude_none=True)
    return ", ".join(f"{k} {v:.4g}" for k, v in given.items()) or f"target {i + 1}"


def _ladder(table: pd.DataFrame, roles: pd.Series) -> Iterator[LadderRun]:
    ends = table.sort_values("tokens").groupby("run").tail(1).sort_values(["family", "params", "tokens"])
    points = table[["run", "tokens"]].drop_duplicates().sort_values("tokens").groupby("run")["tokens"]
    lengths = {str(run): tuple(map(float, tokens)) for run, tokens in points}
    for row in ends.itertuples():
        yield LadderRun(
            run=row.run,
            family=row.family,
            params=row.params,
            tokens=row.tokens,
            flops=row.flops,
            checkpoints=len(lengths[row.run]),
            role=roles[row.run],
            lengths=lengths[row.run],
        )


def _scores(jobs: Sequence[Job], forecast: Container[str]) -> Iterator[Scores]:
    """What was measured, of an average also under the name of its other forecast."""
    for job in jobs:
        found = scores(job)
        yield found
        if (other := f"{job.task} ({MEAN.name})") in forecast:
            yield found.model_copy(update={"task": other})


def _told(config: Config, data: Data, roles: pd.Series) -> Record:
    """The reader's account, and what is odd about planned targets beside the fitted runs."""
    table = _counted(data.table)
    fitted = table[table["run"].map(roles).eq("fit")]
    budgets = {name: target.budget() for name, target in _planned(config)}
    planned = {name: (b.flops, b.params, b.tokens) for name, b in budgets.items()}
    said = list(asking.scale_notes(planned, fitted))
    for convention in fitted["flops_convention"].unique():
        said += asking.convention_notes(planned, str(convention))
    return data.account.model_copy(update={"notes": tuple(dict.fromkeys([*data.account.notes, *said]))})


def _provenance(config: Config, data: Data, account: Record) -> Provenance:
    plain = config.model_dump(mode="json", exclude={"out", "score", "reevaluate"}, exclude_none=True)
    plain["data"].pop("path", None)  # where the data lay is not part of what it is; its digest is
    packages = {name: _version(name) for name in PACKAGES}
    return Provenance(
        benchcast=_version("benchcast"),
        python=platform.python_version(),
        packages=packages,
        config=plain,
        config_digest=object_digest(plain),
        data=data.label,
        data_digest=table_digest(data.table),
        rows=len(data.table),
        about=data.about,
        account=account,
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
