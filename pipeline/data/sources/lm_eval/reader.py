"""Read what the ``lm_eval`` command wrote: a folder of its result files, with their samples where they were logged.

All layouts are found, at any depth. lm-eval 0.3 wrote one JSON of any name per model, without samples. lm-eval 0.4
wrote ``results.json`` with ``<model_args>_<task>.jsonl`` (0.4.0–0.4.2, each one JSON array) and
``<model>/results_<stamp>.json`` with ``samples_<task>_<stamp>.jsonl`` (0.4.3 and later, one document per line, numbers
as strings). Files of other tools are left out by name. Losses of the gold answer need the samples; without them a task
has its accuracies only, and LAMBADA its perplexity, whose logarithm is a loss. Generated answers have exact matches and
the like, and no loss: how likely the reference answer is was never asked. Texts have bits per byte.

A model is what the results state of it: its revision, precision, adapter and chat template belong to it. lm-eval does
not know where a model stands on the ladder. ``ladder.yaml`` in the folder says it, by model name::

    EleutherAI/pythia-160m@step1000: {run: 160M, family: pile, step: 1000, params: 1.6e8, tokens: 2.1e9}
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import Notice, readers

from ....core import reading
from ....core.errors import ContradictionError, Fault, FaultsError
from ...documents.collect import Documents
from ...places.ladder import LADDER
from ...places.models import ModelPlace, model_places, read_model_places
from .. import reader_of
from . import accuracies, cells
from . import doubts as lm_eval_doubts
from . import files as lm_eval_files
from . import models as lm_eval_models
from . import samples as lm_eval_samples
from .accuracies import Numbers
from .cells import Score
from .documents import documents_of
from .files import Records, ResultFile, Task
from .models import Model, Named

__all__ = ["models", "read_lm_eval", "read_with_documents", "without_nll"]


@dataclass(frozen=True)
class Tool:
    """Whose results are read, and how the files of a folder are found."""

    name: str
    files: Callable[[Path, Account, list[Fault]], Records]


HARNESS = Tool("lm-eval 0.3 or 0.4", lm_eval_files.result_files)
UsableTasks = list[tuple[Named, list[tuple[Task, Numbers]]]]  # every file with its tasks that can be used


def read_lm_eval(
    folder: Path, account: Account | None = None, placed: dict[str, Any] | None = None, tool: Tool = HARNESS
) -> pd.DataFrame:
    """The folder's results as a ladder table; ``placed`` is what to take for the content of its ``ladder.yaml``.

    Raises as ``read_with_documents`` does.
    """
    return read_with_documents(folder, account, placed, tool)[0]


def read_with_documents(
    folder: Path, account: Account | None = None, placed: dict[str, Any] | None = None, tool: Tool = HARNESS
) -> tuple[pd.DataFrame, Documents | None]:
    """The folder's results as a ladder table, and the documents of its samples, to be read when they are asked for.

    Raises
    ------
    FaultsError
        With every result file that was cut short, every model that ``ladder.yaml`` does not place, every number that
        cannot be, two results that contradict each other, samples that are not those of their results; or with the
        one thing that the results have instead of scores.
    """
    account = account or Account()
    faults: list[Fault] = []
    usable_tasks = _usable_tasks(folder, account, faults, tool)
    path = folder / LADDER
    places = read_model_places(folder, faults) if placed is None else model_places(path, placed, faults)
    usable = [one for one, tasks in usable_tasks if tasks]
    for one, tasks in usable_tasks:
        if not tasks:  # it need not be placed
            account.leave("result files in which nothing can be used", one.file.shown)
    kept = lm_eval_models.placed(usable, folder, places, account, faults)
    lm_eval_doubts.tell(kept, places, account)
    lm_eval_doubts.tell_shots(((one, task) for one, tasks in usable_tasks for task, _ in tasks), account)
    keys = {id(one): key for one, key in kept}
    candidates = [
        _score(one, task, numbers, keys[id(one)], place)
        for one, tasks in usable_tasks
        if id(one) in keys and (place := places[keys[id(one)]]) is not None
        for task, numbers in tasks
    ]
    chosen = cells.resolved(candidates, account, faults, folder)
    files = {(one.file.shown, task.name): (one.file, task) for one, tasks in usable_tasks for task, _ in tasks}
    chosen = [_with_losses(s, *files[s.source, s.task], account, faults) if s.sampled else s for s in chosen]
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    for s in chosen:
        accuracies.tell_losses(s.means, account)
    table = cells.table(cells.with_chance(chosen, account), folder)
    generated = dict.fromkeys(s.task for s in chosen if s.generated)
    if generated:
        account.leave("losses of generated answers' references, which lm-eval does not ask for", *generated)
    if remark := without_nll(table, generated):
        account.note(remark)
    known = [(s, *files[s.source, s.task]) for s in chosen if s.sampled and "nll" in s.means]
    return table, documents_of(known)


def models(folder: Path, account: Account | None = None, tool: Tool = HARNESS) -> list[Model]:
    """The models of a folder's results, as ``ladder.yaml`` would name them.

    Raises
    ------
    FaultsError
        With every result file that cannot be read, and when no task has a score.
    """
    faults: list[Fault] = []
    usable_tasks = _usable_tasks(folder, account or Account(), faults, tool)
    if faults:
        raise FaultsError(faults)
    scored = {one.file.shown: bool(tasks) for one, tasks in usable_tasks}
    sampled = {
        one.file.shown: any("nll" in own.means or lm_eval_samples.there(one.file, task.name) for task, own in tasks)
        for one, tasks in usable_tasks
    }
    return lm_eval_models.models((one for one, _ in usable_tasks), scored, sampled)


def without_nll(table: pd.DataFrame, generated: Collection[str] = ()) -> Notice | None:
    """How many cells have accuracies only, because their samples were not logged; None when none have.

    Tasks whose answers are ``generated`` do not count: their samples have no log-likelihoods.
    """
    cell = ["run", "step", "task", "num_fewshot"]
    counts = ~table["metric"].isin(cells.TEXT_LOSSES) & ~table["task"].isin(list(generated))
    own_documents = table[counts].fillna({"step": -1, "num_fewshot": -1})
    metrics = own_documents["metric"].eq("nll").groupby([own_documents[column] for column in cell]).any()
    lacking = metrics[~metrics]
    if lacking.empty:
        return None
    tasks = sorted(set(lacking.index.get_level_values("task")))
    names = ", ".join(tasks[:5]) + (" …" if len(tasks) > 5 else "")
    return readers.NO_SAMPLES(lacking=len(lacking), cells=len(metrics), tasks=names)


def _usable_tasks(folder: Path, account: Account, faults: list[Fault], tool: Tool) -> UsableTasks:
    """Every result file with the tasks that have a score or a loss; all else goes into the account.

    Raises
    ------
    FaultsError
        When there is nothing that could be placed on a ladder.
    """
    if folder.is_file():
        fix = f"give the folder with the results and their {LADDER}"
        raise FaultsError([Fault(str(folder), "is a file", fix)])
    files, others = tool.files(folder, account, faults)
    lm_eval_files.leave_others(others, account)
    if not files and not faults:
        raise FaultsError([_no_results(folder, others, tool)])
    tasks_of: UsableTasks = []
    without: dict[str, tuple[str, ...]] = {}
    counted = len(faults)
    for one in lm_eval_models.named(files):
        kept: list[tuple[Task, Numbers]] = []
        tasks_of.append((dataclasses.replace(one, file=dataclasses.replace(one.file, tasks=())), kept))
        for group in one.file.groups:
            account.leave("groups of tasks, whose members count", group)
        for task in one.file.tasks:
            if accuracies.is_average(task.name):
                account.leave("averages over tasks", task.name)
                continue
            already = len(faults)
            numbers = accuracies.numbers(task.name, task.output_type, task.metrics, _where(folder, one, task), faults)
            if task.losses:
                numbers = dataclasses.replace(numbers, means={**numbers.means, **task.losses})
            if reading.number(task.effective) == 0:
                account.leave("tasks scored on no document", f"{task.name} in {one.file.shown}")
                continue
            if len(faults) == already:  # of one that cannot be, as a percentage, the fault says it
                accuracies.leave(task.name, numbers, account)
            if numbers.means:
                kept.append((dataclasses.replace(task, metrics={}), numbers))
            else:
                without[task.name] = numbers.others
    _leave_samples(folder, files, account)
    if len(faults) == counted == 0 and not any(tasks for _, tasks in tasks_of):
        raise FaultsError([_no_accuracy(folder, without)])
    return tasks_of


def _where(folder: Path, one: Named, task: Task) -> Any:
    file = lm_eval_files.shown(folder / one.file.shown)
    return lambda metric: f"{file}: model {one.model}, task {task.name}, {metric}"


def _no_results(folder: Path, others: Mapping[str, Sequence[str]], tool: Tool) -> Fault:
    known = {name: files for name, files in others.items() if name}
    if not known:
        return Fault(str(folder), f"holds no results of {tool.name}")
    other_files = listed(f"{len(files)} of {name} (such as {files[0]})" for name, files in known.items())
    reader = next(filter(None, map(reader_of, known)), None)
    fix = f"benchcast ingest {reader} --from {folder}" if reader else "these cannot be read"
    return Fault(str(folder), f"holds no results of {tool.name}, but files {other_files}", fix)


def _no_accuracy(folder: Path, without: Mapping[str, Sequence[str]]) -> Fault:
    metrics = listed((f"{task} has {listed(names) if names else 'no number'}" for task, names in without.items()), 10)
    what = f"no task of these results has a score in [0, 1] or a text's loss: {metrics or 'they have no tasks'}"
    fix = "what can be read is acc, acc_norm, exact_match, pass@k, f1 and the like, and bits per byte of texts"
    return Fault(str(folder), what, fix)


def _score(one: Named, task: Task, numbers: Numbers, key: str, place: ModelPlace) -> Score:
    file = one.file
    shots = reading.number(int(task.shots) if isinstance(task.shots, str) and task.shots.isdecimal() else task.shots)
    return Score(
        source=file.shown,
        digest=file.digest,
        model=one.model,
        identity=file.identity,
        key=key,
        place=place,
        task=task.name,
        shots=shots if shots >= 0 else math.nan,
        means=numbers.means,
        documents=reading.number(task.effective),
        of=reading.number(task.original),
        limit=_limit(file.limit),
        tool=file.version,
        version=task.version,
        date=file.date,
        sampled=lm_eval_samples.there(file, task.name),
        output_type=task.output_type,
        prompt=task.prompt,
    )


def _limit(given: Any) -> str:
    return "" if given in (None, "", "None", -1) else str(given)


def _with_losses(score: Score, file: ResultFile, task: Task, account: Account, faults: list[Fault]) -> Score:
    """A score with the losses and the score of guessing that its samples give."""
    path = lm_eval_samples.path_of(file, task.name)
    where = f"{lm_eval_files.shown(path)}: model {score.model}, task {task.name}"
    try:
        sampled = lm_eval_samples.read_samples(file, task, score.means)
    except ContradictionError as error:
        what = f"these samples are not those of {file.path.name}: {error}"
        faults.append(Fault(where, what, "copy both files again from the same run, or delete the samples"))
        return score
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OSError) as error:
        faults.append(Fault(where, f"cannot be read: {_said(error)}", "copy the samples again, or delete them"))
        return score
    if sampled.why and not score.generated:
        account.leave(f"samples that give no losses: {sampled.why}", f"{task.name} ({score.model})")
    means = score.means | sampled.means
    return dataclasses.replace(score, documents=sampled.count, means=means, chance=sampled.chance)


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"a sample has no {error.args[0]!r}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _leave_samples(folder: Path, files: Iterable[ResultFile], account: Account) -> None:
    """A line for samples whose results are not there."""
    known: dict[Path, set[str]] = {}
    for file in files:
        known.setdefault(file.path.parent, set()).add(file.stamp)
    for place, _, names in os.walk(folder):
        stamps = tuple(f"_{stamp}.jsonl" for stamp in known.get(Path(place), ()) if stamp)
        for name in sorted(names):
            if name.startswith("samples_") and name.endswith(".jsonl") and not name.endswith(stamps):
                account.leave("samples without their results", lm_eval_files.shown(Path(place) / name, folder))
