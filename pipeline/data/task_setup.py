"""How the scores of a task came about, compared (versions, template, tokenizer, dtype); and planned targets' scale.

A score of another task version, another harness or another chat template is another measurement. What a table says of
it is compared within the fitted runs of a task, and between them and each target; what is unknown is not compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd
from benchcast.reports.records.account import listed
from benchcast.stages.notices import Code, Notice, grading, readers

COLUMNS: dict[str, Code] = {
    "task_version": grading.MIXED_TASK_VERSIONS,
    "lm_eval": grading.MIXED_HARNESS,
    "chat_template": grading.MIXED_CHAT_TEMPLATES,
    "tokenizer": grading.MIXED_TOKENIZERS,
    "dtype": grading.MIXED_DTYPES,
}
SHOWN = 24  # letters of a value: a digest is known by its beginning
# What follows a task's version where the score is estimated from some of the documents: the same questions were put.
PART = re.compile(r", (?P<part>\d+ of \d+ documents)$")
UNIT = 1e3  # targets so far below the ladder, or so far beyond a million-fold, are in another unit


Planned = Mapping[str, tuple[float, float | None, float | None]]  # FLOPs, N and D by name
Differences = Mapping[str, tuple[Notice, ...]]  # by target; empty: of the ladder alone


def setup_label(task: str, shots: float, prompt: str) -> str:
    """A task's label where its questions were put in several ways."""
    return f"{task} ({shots:g}-shot{', ' + prompt if prompt else ''})"


def part_of_documents(asked: int, total: int) -> str:
    """What follows a task's version where a score is estimated from ``asked`` of its ``total`` documents."""
    return f", {asked} of {total} documents"


def asked_version(version: str) -> str:
    """The version of a task whose questions were put, whether all of them or some."""
    return PART.sub("", version)


def setup_differences(rows: pd.DataFrame, fit_runs: Iterable[str], targets: Iterable[str]) -> Differences:
    """What differs in the ``rows`` of one task (run and ``COLUMNS``), by target; under "" for the ladder alone."""
    about = rows[["run", *COLUMNS]].drop_duplicates()
    # A harness that is known tells its chat template: an empty one is none, and not unknown.
    plain_harness = about["lm_eval"].ne("") & about["chat_template"].eq("")
    about = about.assign(chat_template=about["chat_template"].mask(plain_harness, "none"))
    versions = about["task_version"].astype(str)
    about = about.assign(task_version=versions.map(asked_version), part=versions.str.extract(PART)["part"].fillna(""))
    fitted = about[about["run"].isin(list(fit_runs))]
    by_target = {"": tuple(_mixed(fitted, None))}
    for name in targets:
        of_target = about[about["run"].eq(name)]
        by_target[name] = tuple(_mixed(fitted, of_target)) if len(of_target) else by_target[""]
    return by_target


def joined_differences(parts: Sequence[Differences], names: Iterable[str]) -> Differences:
    """The differences of an average: those of its tasks."""
    return {
        name: tuple(dict.fromkeys(one for part in parts for one in part.get(name, part.get("", ()))))
        for name in ("", *names)
    }


def _mixed(fitted: pd.DataFrame, target: pd.DataFrame | None) -> Iterator[Notice]:
    for column, code in COLUMNS.items():
        ladder = _values(fitted[column])
        of_target = [] if target is None else _values(target[column])
        if len(ladder) > 1:
            yield code(named=True, mixed=listed(ladder) + " in the ladder")
        elif ladder and (other := [value for value in of_target if value not in ladder]):
            yield code(named=True, mixed=f"{ladder[0]} in the ladder, {listed(other)} of the target")
    parts = _values(fitted["part"])
    of_target = [] if target is None else _values(target["part"])
    if parts or of_target:
        whose = " and ".join(name for name, some in (("in the ladder", parts), ("of the target", of_target)) if some)
        yield grading.ESTIMATED_SCORES(named=True, whose=whose, parts=listed(sorted({*parts, *of_target})))


def _values(column: pd.Series) -> list[str]:
    """The known values, each once: ``1`` and ``1.0`` are one version."""
    texts: dict[object, str] = {}
    for value in column.unique():
        text = str(value)
        if text:
            try:
                key: object = float(text)
            except ValueError:
                key = text
            texts.setdefault(key, text[:SHOWN])
    return sorted(texts.values())


def scale_notes(planned: Planned, fitted: pd.DataFrame) -> Iterator[Notice]:
    """Planned targets that are so far from the fitted runs as another unit would make them."""
    largest, smallest = float(fitted["flops"].max()), float(fitted["flops"].min())
    ratios = fitted["tokens"] / fitted["params"]
    low, high = float(ratios.min()), float(ratios.max())
    for name, (flops, params, tokens) in planned.items():
        about = f"target {name}"
        if flops < smallest / UNIT:
            yield readers.TARGET_SCALE(about, flops=flops, fewer=smallest / flops)
        elif flops > largest * UNIT**2:
            yield readers.TARGET_SCALE(about, flops=flops, times=flops / largest)
        if params and tokens and not low / UNIT < tokens / params < high * UNIT:
            yield readers.TARGET_RATIO(about, ratio=tokens / params, low=low, high=high)


def convention_notes(planned: Planned, convention: str) -> Iterator[Notice]:
    """Planned targets whose FLOPs, N and D are all given and are not 6ND, though the ladder's are."""
    for name, (flops, params, tokens) in planned.items():
        if convention == "6ND" and params and tokens and not math.isclose(flops, 6 * params * tokens, rel_tol=0.02):
            factor = flops / (6 * params * tokens)
            yield readers.TARGET_CONVENTION(f"target {name}", factor=factor)
