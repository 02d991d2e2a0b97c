"""Run a config: table to jobs, jobs to recipes, recipes to one result."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, AccountRecord
from benchcast.reports.records.answer import answer
from benchcast.reports.records.base import Provenance
from benchcast.reports.records.forecast import Forecast, LadderRun, Result
from pydantic import ValidationError

from ..core.config import Config, Target, given
from ..core.digest import object_digest, table_digest
from ..core.errors import InputError
from ..core.versions import installed_version, package_versions
from ..data import ingest
from ..data.documents.collect import Documents
from ..data.ingest import Data
from ..data.task_setup import asked_version, convention_notes, scale_notes, setup_label
from .beside import without_failures
from .compute_sweep import scores, sweeps
from .context import FittedLadders, contexts_of
from .job import RecipeOutput
from .jobs import (
    assign_roles,
    counted,
    describe_target,
    documents_of,
    jobs_of,
    planned_runs,
)
from .next_run import next_run
from .optimum.fit import optima
from .recipes import run_recipe
from .recipes.auto import AutoSettings
from .references import with_references
from .task_scores import SETUP, asked_in_several_ways, not_forecast, scores_of, unmatched

Progress = Callable[[str, int, int], None]


def run(
    config: Config | Mapping[str, Any] | str | Path,
    base: Path | None = None,
    data: Path | str | pd.DataFrame | Data | None = None,
    progress: Progress | None = None,
    sweeping: bool = False,
    ladders: FittedLadders | None = None,
    advising: bool = False,
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
        Forecast planned runs of every size by every recipe, for the tasks that get figures. Else by the recipe of
        page one alone, at as few sizes as the curve in a figure needs.
    ladders : FittedLadders, optional
        Forecasters of ``auto`` that were fitted before; those that see the same runs serve again.
    advising : bool
        Look for the run to add to the ladder, too: a second or two.

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
    loaded = with_references(config, base, ingest.read_data(config.data, base, data))
    roles = assign_roles(config, loaded.table)
    output = RecipeOutput()
    documents = documents_of(config, loaded, base)
    jobs = jobs_of(config, loaded.table, roles, documents, loaded.references)
    contexts = contexts_of(jobs, ladders := ladders or FittedLadders())
    for done, each in enumerate(jobs):
        job = replace(each, draw=done < config.figures)
        if progress:
            progress(f"{job.family}: {job.task}", done, len(jobs))
        for settings in config.recipes:
            output.add(run_recipe(settings, job, contexts[job.family]))
    output, lacking = (output, ()) if config.names_recipes else without_failures(output)
    result = Result(
        schema="benchcast.run/1",
        title=config.title,
        forecasts=_with_setups(output.forecasts, config, loaded.table),
        laws=tuple(output.laws),
        figures=tuple(output.figures),
        ladder=tuple(_ladder(loaded.table, roles)),
        backtests=tuple(output.backtests),
        sweeps=sweeps(jobs, config.recipes, config.figures, ladders, sweeping),
        scores=tuple(map(scores, jobs)),
        optima=optima(loaded.table, roles, config.level, _budgets(config)) if config.figures else (),
        trials=tuple(output.trials),
        lacking=lacking,
        provenance=provenance_of(config, loaded, account_of(config, loaded, roles, documents)),
    )
    graded = next((r for r in config.recipes if isinstance(r, AutoSettings)), None)
    if not advising or graded is None:
        return result
    return result.model_copy(update={"next_run": next_run(answer(result), contexts, graded)})


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
    target = planned_target(numbers)
    config, base = given(config, Config, base)
    target = target.model_copy(update={"name": describe_target(target, 0)})
    held = tuple(t for t in config.targets if t.run is not None)
    changed = config.model_copy(update={"targets": (*held, target), "figures": 0})
    result = run(changed, base, data, progress)
    return result.model_copy(update={"forecasts": tuple(f for f in result.forecasts if f.target == target.name)})


def planned_target(numbers: Mapping[str, Any]) -> Target:
    """A planned run by its numbers (and name); InputError in one line when they name no size."""
    try:
        return Target.model_validate(numbers)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the planned run"
        what = "must be positive and finite" if first["type"] == "finite_number" else str(first["msg"])
        raise InputError(f"{where}: {what.removeprefix('Value error, ')}") from None


def _budgets(config: Config) -> list[float]:
    """FLOPs of the planned runs."""
    return [target.budget().flops for _, target in planned_runs(config)]


def _with_setups(forecasts: Sequence[Forecast], config: Config, table: pd.DataFrame) -> tuple[Forecast, ...]:
    """Forecasts that say how their tasks were asked: the label alone does not where there is one way only."""
    asked = scores_of(config, table)
    several = asked_in_several_ways(asked)
    full, documents, versions = dict[str, str](), dict[str, float](), dict[str, str]()
    for (_, name, shots, prompt), rows in asked.groupby(SETUP, sort=False, dropna=False):
        label = setup_label(name, shots, prompt) if several[name] else str(name)
        if np.isfinite(shots):
            full[label] = setup_label(name, shots, prompt)
        if rows["n"].notna().any():
            documents[label] = float(rows["n"].max())
        if known := sorted({asked_version(version) for version in rows["task_version"]} - {""}):
            versions[label] = ", ".join(known)
    labelled = []
    for f in forecasts:
        parts = f.members or (f.task,)
        labelled.append(
            f.model_copy(
                update={
                    "asked": {t: full[t] for t in parts if t in full},
                    "documents": {t: documents[t] for t in parts if t in documents},
                    "versions": {t: versions[t] for t in parts if t in versions},
                }
            )
        )
    return tuple(labelled)


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


def account_of(config: Config, data: Data, roles: pd.Series, documents: Documents | None = None) -> AccountRecord:
    """The readers' accounts (of documents: once they were read), and what is odd about planned targets."""
    table = counted(data.table)
    fitted = table[table["run"].map(roles).eq("fit")]
    budgets = {name: target.budget() for name, target in planned_runs(config)}
    planned = {name: (b.flops, b.params, b.tokens) for name, b in budgets.items()}
    notes = list(scale_notes(planned, fitted))
    for convention in fitted["flops_convention"].unique():
        notes += convention_notes(planned, str(convention))
    notes += not_forecast(config, table)
    account = Account()
    account.add(data.account)
    if idle := unmatched(config, table):
        account.leave("patterns of tasks that match no score", *map(repr, idle))
    if documents is not None:
        account.add(documents.account.record())
    whole = account.record()
    return whole.model_copy(update={"taken": data.account.taken, "notes": tuple(dict.fromkeys([*whole.notes, *notes]))})


def provenance_of(config: Config, data: Data, account: AccountRecord) -> Provenance:
    """What produced a result: versions, config and data, with their digests."""
    left_out = {"out", "score", "reevaluate"} | (set() if config.names_recipes else {"recipes"})
    plain = config.model_dump(mode="json", exclude=left_out, exclude_none=True)
    plain["data"].pop("path", None)  # where the data lay is not part of what it is; its digest is
    whole = data.table if data.references is None else pd.concat([data.table, data.references], ignore_index=True)
    return Provenance(
        benchcast=installed_version("benchcast"),
        python=platform.python_version(),
        packages=package_versions(),
        config=plain,
        config_digest=object_digest(plain),
        data=data.label,
        data_digest=table_digest(whole),
        rows=len(data.table),
        about=data.about,
        account=account,
    )
