"""A config and a table to jobs: one for every family with runs to fit and every score that is forecast."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import listed
from benchcast.stages.compute.budget import TrainingBudget
from benchcast.stages.documents.matrix import DocumentMatrix

from ..core.config import Config, Target
from ..core.errors import InputError
from ..core.metrics import LOSSES, is_share
from ..data.documents.collect import Asked, Documents
from ..data.documents.stored import stored_documents
from ..data.source import Data
from ..data.task_setup import COLUMNS as SETUP_COLUMNS
from ..data.task_setup import joined_differences, setup_differences, setup_label
from . import averages
from .job import Job, TargetRun, TaskTable, matching
from .references import of_average, of_task
from .task_scores import SETUP, asked_in_several_ways, metric_of_rows, scores_of

NO_DOCUMENTS = (
    "these scores have none; they come from a store of benchcast score, lm-eval's samples (--log_samples), "
    "or from a source that has them (docs/inputs.md)"
)
FLOPS_TOLERANCE = 0.02  # share by which FLOPs may differ from 6ND and still be counted so


def assign_roles(config: Config, table: pd.DataFrame) -> pd.Series:
    """``fit``, ``held out`` or ``unused`` for every run of the table, indexed by run.

    Without ``runs.fit`` the laws see every run that is no target; with it, exactly the runs it matches, and those
    are never targets.
    """
    runs = list(dict.fromkeys(table["run"]))
    planned = [name for name, _ in planned_runs(config)]
    for name in planned:
        if name in runs or planned.count(name) > 1:
            raise InputError(
                f"targets: the name {name!r} is used already; give the plan a name of its own, or use run:"
            )
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


def jobs_of(
    config: Config,
    table: pd.DataFrame,
    roles: pd.Series | None = None,
    documents: Documents | None = None,
    references: pd.DataFrame | None = None,
) -> list[Job]:
    """The jobs of a config; ``roles`` as ``assign_roles`` gives them, ``documents`` those behind the table.

    ``references`` are models that are no part of the ladder, in the schema of the table.

    Raises
    ------
    InputError
        Where nothing is left to forecast, and as ``assign_roles`` does.
    """
    roles = assign_roles(config, table) if roles is None else roles
    jobs = list(build_jobs(config, table, roles, documents, references))
    if not jobs:
        raise InputError(
            "targets: none is left to forecast (each is fitted, excluded, or without a task of the ladder)"
            + _fitted_targets(config, roles)
        )
    return jobs


def _fitted_targets(config: Config, roles: pd.Series) -> str:
    """Which targets are fitted as well: mostly by a pattern of ``runs.fit`` that takes in more than was meant."""
    runs = [str(run) for run in roles.index[roles.eq("fit")]]
    both = matching(runs, [t.run for t in config.targets if t.run is not None])
    return f"; {listed(both, 6)} is in runs.fit too: write it into targets or runs.fit, not both" if both else ""


def build_jobs(
    config: Config,
    table: pd.DataFrame,
    roles: pd.Series,
    documents: Documents | None = None,
    references: pd.DataFrame | None = None,
) -> Iterator[Job]:
    """One job per (family with runs to fit, score that is forecast)."""
    table = counted(table)
    about = table[["run", "family", "flops_convention"]].drop_duplicates("run").set_index("run")
    fitted = about[roles[about.index].eq("fit").to_numpy()]
    conventions = {str(f): str(rows["flops_convention"].iloc[0]) for f, rows in fitted.groupby("family", sort=False)}
    loss = config.references.loss if config.references else None
    tasks = [
        replace(each, references=of_task(references, each.asked, loss))
        for each in _tasks(config, table, set(fitted.index))
    ]
    if not tasks:
        raise InputError(_no_task(config, table))
    members = averages.members(config, tasks)
    setups = {each.label: each.setup for each in tasks}
    tasks += [
        replace(each, references=of_average(members[each.label], tasks)) for each in averages.tasks(members, tasks)
    ]
    for family, convention in conventions.items():
        fit_runs = frozenset(fitted.index[fitted["family"].eq(family)])
        targets = tuple(_targets(config, table, roles, family, conventions))
        names = [t.name for t in targets]
        mixed = {task: setup_differences(setup, fit_runs, names) for task, setup in setups.items()}
        mixed |= {task: joined_differences([mixed[m] for m in parts], names) for task, parts in members.items()}
        for each in tasks:
            rows = each.rows
            if rows["run"].isin(fit_runs).any() and targets:
                kept = rows[rows["run"].isin(fit_runs | {t.name for t in targets})].reset_index(drop=True)
                chance = kept["chance"].dropna()
                yield Job(
                    family=family,
                    task=each.label,
                    metric=each.metric,
                    rows=kept,
                    fit_runs=fit_runs,
                    targets=targets,
                    chance=float(chance.iloc[0]) if len(chance) else None,
                    level=config.level,
                    convention=convention,
                    members=members.get(each.label, {}),
                    mixed=mixed[each.label],
                    references=each.references,
                    read_documents=_reader(documents, each.asked, kept, fit_runs),
                )


def _reader(
    documents: Documents | None, asked: Asked | None, rows: pd.DataFrame, runs: frozenset[str]
) -> Callable[[], DocumentMatrix | None] | None:
    """Reads what the fitted runs' checkpoints say of every document of a task, when it is wanted."""
    if documents is None or asked is None:
        return None
    accuracies = rows.set_index(["run", "tokens"])["accuracy"].to_dict()
    return lambda: documents.matrix(asked, runs, accuracies)


def documents_of(config: Config, data: Data, base: Path) -> Documents | None:
    """The documents that a config's forecasts may use: the source's, or those of the store that it scores into.

    Raises
    ------
    InputError
        Where the config wants them and none are known.
    """
    if config.documents is False:
        return None
    known = data.documents
    if known is None and config.score is not None:
        known = stored_documents(base / config.score.store)
    if known is None and config.documents:
        raise InputError(f"documents: true needs documents, and {NO_DOCUMENTS}")
    return known


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """A family that does not name its FLOP convention, but has 6ND throughout, counts as 6ND."""
    off = (table["flops"] / (6 * table["params"] * table["tokens"]) - 1).abs() > FLOPS_TOLERANCE
    plain = ~off.groupby(table["family"]).transform("any")
    unnamed = table["flops_convention"].eq("")
    return table.assign(flops_convention=table["flops_convention"].mask(unnamed & plain, "6ND"))


def _tasks(config: Config, table: pd.DataFrame, fit_runs: set[str]) -> Iterator[TaskTable]:
    where = ["run", "tokens"]
    validation = {
        t: part.set_index(where)["value"] for t, part in table[table["metric"].eq("val_loss")].groupby("task")
    }
    scores = scores_of(config, table)
    losses = {str(task): part for task, part in table[table["metric"].isin(LOSSES)].groupby("task")}
    several = asked_in_several_ways(scores)
    for (task, name, shots, prompt), part in scores.groupby(SETUP, sort=False, dropna=False):
        label = setup_label(str(name), shots, prompt) if several[name] else str(name)
        if not matching([label, str(name), str(task)], config.tasks):
            continue
        metric = metric_of_rows(part, fit_runs)
        setup = part.loc[part["metric"].eq(metric), ["run", *SETUP_COLUMNS]].drop_duplicates()
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
        rows = rows.assign(token_multiplier=rows["tokens"] / rows["params"])
        asked = Asked(task=str(task), shots=float(shots), prompt=str(prompt), metric=metric)
        yield TaskTable(label=label, metric=metric, rows=rows, setup=setup, asked=asked)


def _no_task(config: Config, table: pd.DataFrame) -> str:
    """What is wrong where no task is left, with the tasks that there are and the one that was meant."""
    there = sorted(map(str, dict.fromkeys(table["task"][table["metric"].map(is_share)])))
    near = [name for pattern in config.tasks for name in difflib.get_close_matches(pattern, there, 1)]
    meant = f"; did you mean {near[0]!r}?" if near else ""
    patterns = ", ".join(map(repr, config.tasks))
    return (
        f"tasks: {patterns} matches no task with {_wanted(config)}; the table has scores of "
        f"{listed(there, 6) or 'no task'}{meant}"
    )


def _wanted(config: Config) -> str:
    """What a task needs to be forecast, in words."""
    return "an accuracy or another score" if "auto" in config.metrics else " or ".join(config.metrics)


def _losses(part: pd.DataFrame | None, shots: float, prompt: str) -> dict[str, pd.Series]:
    """The losses measured the way the score was, or without saying how."""
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
            known = TrainingBudget(flops=row["flops"], params=row["params"], tokens=row["tokens"])
            yield TargetRun(name=str(run_name), budget=known, family=row["family"], convention=row["flops_convention"])
    for name, target in planned_runs(config):
        # FLOPs that are given are taken to be counted as the ladder's are; computed ones are 6ND.
        convention = "6ND" if target.flops is None else conventions[family]
        yield TargetRun(name=name, budget=target.budget(), convention=convention)


def planned_runs(config: Config) -> list[tuple[str, Target]]:
    """Runs that do not exist yet, with a name each."""
    return [(t.name or describe_target(t, i), t) for i, t in enumerate(t for t in config.targets if t.run is None)]


def describe_target(target: Target, i: int) -> str:
    """The i-th planned run by its numbers, where it has no name."""
    given = target.model_dump(exclude_none=True)
    return ", ".join(f"{k} {v:.4g}" for k, v in given.items()) or f"target {i + 1}"
