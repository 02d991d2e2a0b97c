"""One number for every cell of the ladder table: what appears twice is one, or a fault that says what differs."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ....core.errors import Fault, FaultsError
from ....core.metrics import is_share
from ... import chance, schema
from ...document_metrics import Mean
from ...places.models import ModelPlace
from . import identity
from .identity import Identity

SAME = 1e-9
TEXT_LOSSES = ("val_loss", "val_bpb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one result file says of one task of one model that has a place on the ladder."""

    source: str  # the file, below the folder
    digest: str
    model: str
    identity: Identity
    key: str  # the name in ladder.yaml
    place: ModelPlace
    task: str
    shots: float
    means: dict[str, Mean]
    documents: float  # how many were scored; NaN when not stated
    of: float  # how many the task has; NaN when not stated
    limit: str  # as stated; '' for none
    tool: str  # column lm_eval
    version: str  # of the task
    date: str
    sampled: bool
    output_type: str = ""  # as lm-eval calls it; empty where it is not stated
    chance: float = math.nan  # of choosing an answer at random
    chance_of_answer: float = math.nan  # of metrics that are of no choice
    prompt: str = ""

    @property
    def generated(self) -> bool:
        """Whether the answers are generated: nothing tells how likely the reference answer is."""
        return self.output_type == "generate_until"

    def chance_of(self, metric: str) -> float:
        """The score of guessing by a metric; NaN where it is not known."""
        return self.chance if metric in chance.BY_CHOICE and not self.generated else self.chance_of_answer

    @property
    def partial(self) -> bool:
        """Whether only some of the task's documents were scored."""
        if math.isfinite(self.documents) and math.isfinite(self.of):
            return self.documents < self.of
        return bool(self.limit)

    @property
    def cell(self) -> tuple[Any, ...]:
        """Where it stands in the table, without the metric."""
        step = self.place.step if self.place.step is not None else f"{self.place.tokens:g} tokens"
        return self.place.run or self.key, step, self.task, None if math.isnan(self.shots) else self.shots, self.prompt

    def rows(self) -> Iterator[dict[str, Any]]:
        """The ladder table's rows."""
        about = self.place.columns(self.key) | {
            "task": self.task,
            "num_fewshot": self.shots,
            "prompt": self.prompt,
            "n": self.documents,
            "source": self.source,
            "digest": self.digest,
            "lm_eval": self.tool,
            "task_version": self.version,
            "tokenizer": self.identity.tokenizer,
            "chat_template": self.identity.template,
            "dtype": self.identity.dtype,
            "chance": self.chance,
        }
        about = {column: _writable(value) for column, value in about.items()}
        for metric, mean in self.means.items():
            row = about | {"metric": metric, "value": mean.value, "stderr": mean.stderr}
            if metric in TEXT_LOSSES:
                row |= {"task": loss_name(row["task"], self.shots), "chance": math.nan}
            elif is_share(metric):
                row["chance"] = self.chance_of(metric)
            yield row


def _writable(value: Any) -> Any:
    """Text that can be written as UTF-8: JSON and file names may hold halves of characters, which are spelled."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def loss_name(task: str, shots: float) -> str:
    """What a loss that a task's results state is called: the task, and its shots where there are any."""
    return f"{task} ({shots:g}-shot)" if shots > 0 else task


def resolved(scores: Iterable[Score], account: Account, faults: list[Fault], folder: Path) -> list[Score]:
    """One score per cell.

    Equal ones count once; of a part of the documents and all of them, all count; everything else is a fault that
    names both files and what differs.
    """
    cells: dict[tuple[Any, ...], list[Score]] = {}
    for score in scores:
        cells.setdefault(score.cell, []).append(score)
    kept: list[Score] = []
    clashes: dict[tuple[str, str], list[str]] = {}
    for several in cells.values():
        one = several[0] if len(several) == 1 else _one(several, account, clashes)
        kept.append(one)
    for (first, second), contradictions in clashes.items():
        more = f"; and so do {len(contradictions) - 1} more tasks" if len(contradictions) > 1 else ""
        where = f"{folder / first} and {second}"
        fix = "delete the one that is wrong, or place them apart in ladder.yaml"
        faults.append(Fault(where, f"contradict each other: {contradictions[0]}{more}", fix))
    _tell_partial(kept, account)
    if beyond := [s for s in kept if s.documents > s.of]:
        names = listed(f"{s.task} {_show(s.documents)} of {_show(s.of)} ({s.source})" for s in beyond)
        account.note(readers.TOO_MANY_DOCUMENTS(results=len(beyond), names=names))
    return kept


def _one(several: Sequence[Score], account: Account, clashes: dict[tuple[str, str], list[str]]) -> Score:
    first = several[0]
    total = max((s.of for s in several if math.isfinite(s.of)), default=math.nan)
    known = [dataclasses.replace(s, of=total) if math.isnan(s.of) and not s.limit else s for s in several]
    whole = [s for s in known if not s.partial]
    same_model = all(s.identity.key == first.identity.key for s in several)
    if whole and len(whole) < len(known) and same_model:
        gone = [s for s in known if s.partial]
        reason = "results of a part of the documents (limit) where another file has all of them"
        account.leave(reason, *(f"{s.task} in {s.source}" for s in gone))
        known = whole
    best = max(known, key=lambda s: (s.sampled, len(s.means), s.source))
    other = next((s for s in known if s is not best and not _equal(best, s)), None)
    if other is not None:
        a, b = sorted((best, other), key=lambda s: s.source)
        clashes.setdefault((a.source, b.source), []).append(f"model {a.model}, task {a.task}: {_apart(a, b)}")
    elif len(known) > 1:
        reason = "results that another file has with the same values"
        account.leave(reason, *(f"{s.task} in {s.source}" for s in known if s is not best))
        _tell_more(best, known, account)
    return best


def _tell_more(best: Score, known: Sequence[Score], account: Account) -> None:
    """A line for scores that only a file has which another one stands for."""
    for score in known:
        if more := [name for name in score.means if name not in best.means]:
            reason = f"scores that the file taken for a task ({best.source}) lacks: keep one file with all of them"
            account.leave(reason, f"{listed(more)} of {score.task} in {score.source}")


def _equal(a: Score, b: Score) -> bool:
    shared = a.means.keys() & b.means.keys()
    same = all(abs(a.means[m].value - b.means[m].value) <= SAME for m in shared)
    counts = a.documents == b.documents or math.isnan(a.documents) or math.isnan(b.documents)
    return bool(shared) and same and counts and a.identity.key == b.identity.key


def _apart(a: Score, b: Score) -> str:
    """What differs between two results of one cell, values first."""
    differences = []
    for metric in (m for m in a.means if m in b.means and abs(a.means[m].value - b.means[m].value) > SAME):
        differences.append(f"{metric} {a.means[metric].value:.6g} and {b.means[metric].value:.6g}")
    differences += [
        f"{k} {v or 'not stated'} and {w or 'not stated'}"
        for k, (v, w) in identity.differences([a.identity, b.identity])
    ]
    if a.identity.key == b.identity.key:
        args, more = dict(a.identity.args), dict(b.identity.args)
        differences += [
            f"{key} (model_args) {_show(args.get(key, ''))} and {_show(more.get(key, ''))}"
            for key in sorted(args.keys() | more.keys())
            if args.get(key) != more.get(key)
        ]
    pairs = (
        ("documents", a.documents, b.documents),
        ("limit", a.limit, b.limit),
        ("lm-eval", a.tool, b.tool),
        ("task version", a.version, b.version),
        ("date", a.date, b.date),
    )
    for what, x, y in pairs:
        if x != y and not (x != x and y != y):
            differences.append(f"{what} {_show(x)} and {_show(y)}")
    return "; ".join(differences) or "they have no metric in common"


def _show(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else "not stated"
    return value or "not stated"


def _tell_partial(scores: Sequence[Score], account: Account) -> None:
    partial = [s for s in scores if s.partial]
    if not partial:
        return
    names = [f"{s.task} {_show(s.documents)} of {_show(s.of)} ({s.model})" for s in partial]
    account.note(readers.PART_OF_TASK(partial=len(partial), results=len(scores), names=listed(names)))


def with_chance(scores: Sequence[Score], account: Account) -> list[Score]:
    """Scores of guessing where the results do not tell them: from other results of the task, else from the table."""
    stated: dict[str, float] = {}
    # Where the number of choices differs from document to document, a part of them has another mean: the whole counts.
    for s in sorted(scores, key=lambda s: (s.partial, -s.documents if s.documents == s.documents else 0.0)):
        if math.isfinite(s.chance):
            stated.setdefault(s.task, s.chance)
    complete: list[Score] = []
    tables: tuple[dict[str, None], dict[str, None]] = ({}, {})
    for s in scores:
        if s.partial and s.task in stated and math.isfinite(s.chance):
            s = dataclasses.replace(s, chance=stated[s.task])
        shares = [m for m in s.means if is_share(m)]
        if math.isnan(s.chance) and not s.generated and any(m in chance.BY_CHOICE for m in shares):
            s = dataclasses.replace(s, chance=_looked_up(s.task, stated.get(s.task), chance.level(s.task), tables))
        if of_answers := [m for m in shares if s.generated or m not in chance.BY_CHOICE]:
            generated = s.generated or all("," in m for m in of_answers)  # a filter takes the answer out of a text
            level = chance.generated(s.task) if generated else 0.0 if chance.level(s.task) == 0 else None
            name = s.task if generated else f"{s.task} ({listed(of_answers)})"
            s = dataclasses.replace(s, chance_of_answer=_looked_up(name, None, level, tables))
        complete.append(s)
    looked_up, unknown = tables
    if looked_up:
        account.note(readers.CHANCE_LOOKED_UP(names=listed(looked_up, 10)))
    if unknown:
        account.note(readers.CHANCE_UNKNOWN(names=listed(unknown, 10)))
    return complete


def _looked_up(
    name: str, stated: float | None, known: float | None, tables: tuple[dict[str, None], dict[str, None]]
) -> float:
    """A level that other results state, or that the table has; which names were looked up, and not found, is noted."""
    looked_up, unknown = tables
    if stated is not None:
        return stated
    if known is None:
        unknown[name] = None
        return math.nan
    looked_up[f"{name} {known:.3g}"] = None
    return known


def table(scores: Sequence[Score], folder: Path) -> pd.DataFrame:
    """The ladder table of the scores.

    Raises
    ------
    FaultsError
        With faults that name the file, model, task and metric, not a row of a table that nobody has.
    """
    columns: dict[str, list[Any]] = {}
    models: list[str] = []
    for score in scores:
        for row in score.rows():
            models.append(score.model)
            for column, value in row.items():
                columns.setdefault(column, []).append(value)
    if not models:
        raise FaultsError([Fault(str(folder), "nothing of its results can be used", "see what was left out")])
    frame = pd.DataFrame(columns)
    try:
        return schema.validate(frame, str(folder))
    except FaultsError as error:
        raise FaultsError([_translated(fault, frame, models, folder) for fault in error.faults]) from None


def _translated(fault: Fault, frame: pd.DataFrame, models: Sequence[str], folder: Path) -> Fault:
    def named(match: re.Match[str]) -> str:
        i = int(match[1]) - 2
        if not 0 <= i < len(frame):
            return match[0]
        row = frame.iloc[i]
        return f"{row['source']}: model {models[i]}, task {row['task']}, {row['metric']}"

    prefix = f"{folder}: "
    where = fault.where.removeprefix(prefix)
    where = re.sub(r"^row (\d+)", named, where)
    what = re.sub(r"row (\d+)", named, fault.what)
    return Fault(where if where == fault.where else f"{folder}/{where}", what, fault.fix)
