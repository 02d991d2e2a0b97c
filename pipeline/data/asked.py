"""How the scores of a task came about, compared (versions, template, tokenizer, dtype); and planned targets' scale.

A score of another task version, another harness or another chat template is another measurement. What a table says of
it is compared within the fitted runs of a task, and between them and each target; what is unknown is not compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from benchcast.reports.records.account import listed
from benchcast.stages.forecast.grading import CODES

COLUMNS = {
    "task_version": "mixed-task-versions",
    "lm_eval": "mixed-harness",
    "chat_template": "mixed-chat-templates",
    "tokenizer": "mixed-tokenizers",
    "dtype": "mixed-dtypes",
}
SHOWN = 24  # letters of a value: a digest is known by its beginning
UNIT = 1e3  # targets so far below the ladder, or so far beyond a million-fold, are in another unit


@dataclass(frozen=True)
class Mixed:
    """One warning: its code, and the values that are mixed."""

    code: str
    values: str

    def __str__(self) -> str:
        return f"{CODES[self.code]}: {self.values} ({self.code})"


ASK = "are its numbers in the table's units?"
Planned = Mapping[str, tuple[float, float | None, float | None]]  # FLOPs, N and D by name
Differences = Mapping[str, tuple[Mixed, ...]]  # by target; empty: of the ladder alone


def compared(rows: pd.DataFrame, fit_runs: Iterable[str], targets: Iterable[str]) -> Differences:
    """What differs in the ``rows`` of one task (run and ``COLUMNS``), by target; under "" for the ladder alone."""
    about = rows[["run", *COLUMNS]].drop_duplicates()
    # A harness that is known tells its chat template: an empty one is none, and not unknown.
    told = about["lm_eval"].ne("") & about["chat_template"].eq("")
    about = about.assign(chat_template=about["chat_template"].mask(told, "none"))
    fitted = about[about["run"].isin(list(fit_runs))]
    found = {"": tuple(_mixed(fitted, None))}
    for name in targets:
        own = about[about["run"].eq(name)]
        found[name] = tuple(_mixed(fitted, own)) if len(own) else found[""]
    return found


def joined(parts: Sequence[Differences], names: Iterable[str]) -> Differences:
    """The differences of an average: those of its tasks."""
    return {
        name: tuple(dict.fromkeys(one for part in parts for one in part.get(name, part.get("", ()))))
        for name in ("", *names)
    }


def _mixed(fitted: pd.DataFrame, target: pd.DataFrame | None) -> Iterator[Mixed]:
    for column, code in COLUMNS.items():
        ladder = _values(fitted[column])
        own = [] if target is None else _values(target[column])
        if len(ladder) > 1:
            yield Mixed(code, listed(ladder) + " in the ladder")
        elif ladder and (other := [value for value in own if value not in ladder]):
            yield Mixed(code, f"{ladder[0]} in the ladder, {listed(other)} of the target")


def _values(column: pd.Series) -> list[str]:
    """The known values, each once: ``1`` and ``1.0`` are one version."""
    found: dict[object, str] = {}
    for value in column.unique():
        text = str(value)
        if text:
            try:
                key: object = float(text)
            except ValueError:
                key = text
            found.setdefault(key, text[:SHOWN])
    return sorted(found.values())


def scale_notes(planned: Planned, fitted: pd.DataFrame) -> Iterator[str]:
    """Planned targets that are so far from the fitted runs as another unit would make them."""
    largest, smallest = float(fitted["flops"].max()), float(fitted["flops"].min())
    ratios = fitted["tokens"] / fitted["params"]
    low, high = float(ratios.min()), float(ratios.max())
    for name, (flops, params, tokens) in planned.items():
        said = f"target {name}: {flops:.3g} FLOPs are"
        if flops < smallest / UNIT:
            yield f"{said} {smallest / flops:.3g} times fewer than the smallest fitted run's; {ASK}"
        elif flops > largest * UNIT**2:
            yield f"{said} {flops / largest:.3g} times the largest fitted run's; {ASK}"
        if params and tokens and not low / UNIT < tokens / params < high * UNIT:
            ratio = f"{tokens / params:.3g} tokens per parameter"
            yield f"target {name}: {ratio}, the fitted runs {low:.3g} to {high:.3g}; {ASK}"


def convention_notes(planned: Planned, convention: str) -> Iterator[str]:
    """Planned targets whose FLOPs, N and D are all given and are not 6ND, though the ladder's are."""
    for name, (flops, params, tokens) in planned.items():
        if convention == "6ND" and params and tokens and not math.isclose(flops, 6 * params * tokens, rel_tol=0.02):
            factor = flops / (6 * params * tokens)
            yield (
                f"target {name}: its FLOPs are {factor:.3g} times 6·params·tokens, the ladder's are 6·params·tokens: "
                "laws in FLOPs and laws in params and tokens forecast different runs"
            )
