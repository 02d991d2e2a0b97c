"""Reference models: older and larger ones, of other mixes and tokenizers, for the step from loss to accuracy.

They are no part of the ladder: no law of compute sees them, and they are never targets. They enter through a loss that
is the same quantity whatever the tokenizer (``COMPARABLE``), or through one that the config names, by which it says
that tokenizer and text are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.laws.accuracy.reference_sigmoid import known_references
from benchcast.stages.notices import Notice, recipes

from ..core.config import Config, ReferenceSettings
from ..core.errors import InputError
from ..core.metrics import LOSSES
from ..data import ingest
from ..data.documents.collect import Asked
from ..data.source import Data
from .job import Job, TaskTable, matching

COMPARABLE = ("bits_per_byte", "nll", "nll_choice")  # of the gold answer's text: the tokenizer does not matter
WHERE = ["run", "tokens"]
ABOUT = ["run", "family", "params", "tokens", "flops"]


def with_references(config: Config, base: Path, data: Data) -> Data:
    """The data with the config's reference models apart from the ladder, in ``Data.references``.

    Raises
    ------
    InputError
        When a family matches nothing, is of the ladder too, or leaves no ladder; a file has faults; or the loss that
        the config names is not there, or is counted in other tokens.
    """
    wanted = config.references
    if wanted is None or data.references is not None:
        return data
    families = _families(wanted, data.table)
    of_table = data.table["family"].isin(families)
    ladder, parts, account = data.table[~of_table], [data.table[of_table]], Account()
    account.add(data.account)
    for place, settings in enumerate(wanted.files):
        read = ingest.read_data(settings, base)
        account.add(read.account)
        known = set(ladder["family"])
        if same := sorted(known & set(read.table["family"])):
            raise InputError(
                f"references.files[{place}]: family {same[0]!r} is of the ladder too; give it another name there, "
                "or name it under references.families"
            )
        parts.append(read.table)
    references = _named_apart(pd.concat(parts, ignore_index=True))
    if wanted.loss is not None:
        _check_loss(wanted.loss, ladder, references)
    told = account.record() if wanted.files else data.account
    return replace(data, table=ladder.reset_index(drop=True), references=references, account=told)


def _named_apart(references: pd.DataFrame) -> pd.DataFrame:
    """Runs of one name in several families, as files of several labs may have them, by family and name."""
    shared = references.groupby("run")["family"].transform("nunique") > 1
    full = references["family"].astype(str) + ": " + references["run"].astype(str)
    return references.assign(run=references["run"].mask(shared, full))


def _families(wanted: ReferenceSettings, table: pd.DataFrame) -> set[str]:
    there = list(dict.fromkeys(map(str, table["family"])))
    for pattern in wanted.families:
        if not matching(there, [pattern]):
            raise InputError(f"references.families: {pattern!r} matches no family (the table has {listed(there, 6)})")
    families = set(matching(there, wanted.families))
    if families >= set(there):
        raise InputError("references.families: every family of the table is a reference; leave one for the ladder")
    return families


def _check_loss(name: str, ladder: pd.DataFrame, references: pd.DataFrame) -> None:
    """Raises InputError where a loss is not in both tables, or both say which tokens it is counted in: others."""
    if name in COMPARABLE:
        return
    rows = [_of_loss(table, name) for table in (ladder, references)]
    for part, whose in zip(rows, ("the ladder", "the reference models"), strict=True):
        if part.empty:
            raise InputError(f"references.loss: {name!r} is not a loss of {whose}; leave it out, or name one of both")
    known, theirs = (set(part["tokenizer"]) - {""} for part in rows)
    if known and (other := sorted(theirs - known)):
        raise InputError(
            f"references.loss: {name!r} is counted per token, and the reference models' tokenizer {other[0]!r} is not "
            "the ladder's; leave loss out, so that only bits per byte are compared"
        )


def _of_loss(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if name in LOSSES:
        return table[table["metric"].eq(name)]
    return table[table["metric"].eq("val_loss") & table["task"].eq(name)]


def of_task(references: pd.DataFrame | None, asked: Asked | None, loss: str | None) -> pd.DataFrame | None:
    """The reference models of a task: run, family, params, tokens, flops, accuracy and losses; None without any.

    A row per model, its last scored checkpoint. Scores count that were asked as the ladder's were, or do not say how;
    losses that are comparable, and the validation loss (or other loss) ``loss``.
    """
    if references is None or asked is None:
        return None
    shots = references["num_fewshot"].isna() | (references["num_fewshot"] == asked.shots)
    alike = references[shots & references["prompt"].isin(["", asked.prompt])]
    exact = alike["num_fewshot"].eq(asked.shots).astype(int) + alike["prompt"].eq(asked.prompt).astype(int)
    own = alike.assign(exact=exact).sort_values("exact", ascending=False, kind="stable")
    own = own[own["task"].eq(asked.task)]
    scores = own[own["metric"].eq(asked.metric)].drop_duplicates(WHERE).set_index(WHERE)
    if scores.empty:
        return None
    rows = scores[["family", "params", "flops"]].assign(accuracy=scores["value"])
    for name in dict.fromkeys((*COMPARABLE, *([loss] if loss in LOSSES else []))):
        rows[name] = own[own["metric"].eq(name)].drop_duplicates(WHERE).set_index(WHERE)["value"].reindex(rows.index)
    rows["bits_per_byte"] = rows["bits_per_byte"].fillna(rows["nll"] / np.log(2))
    rows["nll"] = rows["nll"].fillna(rows["bits_per_byte"] * np.log(2))
    if loss is not None and loss not in LOSSES:
        rows[loss] = _of_loss(references, loss).drop_duplicates(WHERE).set_index(WHERE)["value"].reindex(rows.index)
    ends = rows.reset_index().sort_values("tokens", kind="stable").groupby("run", sort=True).tail(1)
    return ends.sort_values(["family", "flops"], kind="stable").reset_index(drop=True)


def of_average(weights: Mapping[str, float], tables: Sequence[TaskTable]) -> pd.DataFrame | None:
    """The reference models of an average: those with every member; a score or a loss is the weighted mean."""
    by_label = {table.label: table.references for table in tables}
    parts = [None if (rows := by_label[task]) is None else rows.set_index(["run", "tokens"]) for task in weights]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    index = known[0].index
    for part in known[1:]:
        index = index.intersection(part.index, sort=False)
    mean = known[0].loc[index].copy()
    for name in mean.columns.intersection(["accuracy", *LOSSES]):
        mean[name] = sum(w * part[name].reindex(index) for w, part in zip(weights.values(), known, strict=True))
    return mean.reset_index() if len(mean) else None


def admitted(job: Job, loss: str) -> tuple[pd.DataFrame | None, list[Notice]]:
    """The reference models that a step from ``loss`` to accuracy may see, and what is to be said about it.

    None, with the reason in one line, where the loss cannot be compared or none of them has it.
    """
    if job.references is None:
        return None, []
    if loss not in job.references:
        return None, [recipes.REFERENCES_REFUSED(loss=loss)]
    known = known_references(job.references, loss)
    if known.empty:
        return None, [recipes.REFERENCES_LACKING(loss=loss)]
    return known, [_entered(known, loss)]


def admitted_by(job: Job, losses: Sequence[str]) -> list[Notice]:
    """What is to be said of a recipe that goes through several losses: what entered, or why nothing did."""
    found = [admitted(job, loss) for loss in losses]
    entered = {loss: rows for loss, (rows, _) in zip(losses, found, strict=True) if rows is not None}
    if not entered:
        return [notice for _, notices in found for notice in notices][:1]
    both = pd.concat(entered.values()).drop_duplicates("run")
    return [_entered(both, ", ".join(entered))]


def _entered(rows: pd.DataFrame, loss: str) -> Notice:
    families = listed(list(dict.fromkeys(map(str, rows["family"]))), 6)
    return recipes.REFERENCES(models=len(rows), families=families, loss=loss)
