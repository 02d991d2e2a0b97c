"""The ladder table: one tidy row per (run, step, task, metric), the only thing the stages ever read.

===============  ========================================================================================
column           meaning, unit
===============  ========================================================================================
run              name of the training run
family           data mix or recipe the run belongs to; laws are fitted within one family
step             optimizer step of the checkpoint; empty when unknown
params           model size N, as the source counts it (``flops_convention`` and provenance say how)
tokens           training tokens seen D
flops            training FLOPs C
flops_convention ``6ND``, ``attention`` (6ND plus attention), ``given`` (as the source states it), …
task             benchmark, or the text a validation loss was measured on
num_fewshot      shots; empty when not applicable
prompt           how it was asked, e.g. ``rc`` (ranked choices) or ``mc`` (letters); may be empty
metric           one of ``METRICS``
value            the number, in the metric's unit
stderr           its sampling error, same unit; empty when unknown
n                number of documents; empty when unknown
chance           score of guessing, a fraction; empty when not applicable
source, digest   the file or checkpoint it came from, and its SHA-256
lm_eval          lm-eval version that measured it; empty for published numbers
task_version     the task's version as lm-eval gives it
tokenizer        what identifies it (a digest, or the vocabulary's size); empty when unknown
chat_template    digest of the chat template the questions were put in; empty: none, or unknown
dtype            precision and quantisation of the weights when scored; empty when unknown
===============  ========================================================================================
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.account import Account
from pipeline.errors import Fault, FaultsError

TEXT = (
    "run", "family", "flops_convention", "task", "prompt", "metric", "source", "digest", "lm_eval", "task_version",
    "tokenizer", "chat_template", "dtype",
)  # fmt: skip
NUMBERS = ("step", "params", "tokens", "flops", "num_fewshot", "value", "stderr", "n", "chance")
COLUMNS = (
    "run", "family", "step", "params", "tokens", "flops", "flops_convention", "task", "num_fewshot", "prompt",
    "metric", "value", "stderr", "n", "chance", "source", "digest", "lm_eval", "task_version",
    "tokenizer", "chat_template", "dtype",
)  # fmt: skip
REQUIRED = ("run", "family", "params", "tokens", "flops", "task", "metric", "value")
KEY = ["run", "step", "task", "num_fewshot", "prompt", "metric"]


@dataclass(frozen=True)
class Metric:
    """Unit and possible range of a metric; ``hint`` says what a value outside it usually is."""

    unit: str
    low: float
    high: float
    hint: str


_SUM = "this looks like a sum over tokens; divide by the answer's bytes"
_PERCENT = "is it a percentage? divide by 100"
METRICS = {
    "acc": Metric("fraction", 0.0, 1.0, _PERCENT),
    "acc_norm": Metric("fraction", 0.0, 1.0, _PERCENT),
    "nll": Metric("nats/byte of the gold answer", 0.0, 25.0, _SUM),
    "bits_per_byte": Metric("bits/byte of the gold answer", 0.0, 36.0, _SUM),
    "nll_choice": Metric("nats, normalised over the choices", 0.0, 1000.0, _SUM),
    "val_loss": Metric("nats/token", 0.0, 25.0, "give the mean per token"),
    "val_bpb": Metric("bits/byte", 0.0, 36.0, "give the mean per byte"),
}

LOSSES = ("nll", "bits_per_byte", "nll_choice")  # of a task's own documents

# Names the recipes use for other columns beside the validation losses.
RESERVED = ("accuracy", "stderr", "chance", "params", "flops", "step", "tokens", "token_multiplier", "run", *METRICS)


def read(path: Path, account: Account | None = None) -> pd.DataFrame:
    """Read and validate a CSV, Parquet or JSON (a list of rows) file in this schema.

    Raises
    ------
    FaultsError
        With every fault of the file; CSV rows are numbered as an editor shows them (the header is row 1).
    """
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif path.suffix == ".json":
            frame = pd.DataFrame(json.loads(path.read_text(encoding="utf-8")))
        else:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise FaultsError([Fault(str(path), f"cannot be read: {error}", "give a CSV, Parquet or JSON file")]) from error
    return validate(frame, str(path))


def validate(frame: pd.DataFrame, file: str = "table") -> pd.DataFrame:
    """Return the table with all of ``COLUMNS`` in order and proper types, or raise every fault at once."""
    faults = list(_column_faults(frame, file))
    table = frame.reset_index(drop=True).reindex(columns=list(COLUMNS))
    for column in TEXT:
        # Few distinct values, many rows: work on the distinct ones.
        codes, values = pd.factorize(table[column])
        texts = np.array([*(str(v).strip() for v in values), ""], dtype=object)
        table[column] = texts[codes]
    for column in NUMBERS:
        numbers = pd.to_numeric(table[column], errors="coerce").astype(float)
        bad = table[column].notna() & numbers.isna()
        if table[column].dtype in (bool, object):
            bad |= table[column].map(lambda v: isinstance(v, bool | np.bool_)).astype(bool)
        faults += _rows(bad, table[column], file, column, "is not a number", "")
        table[column] = numbers
    for column in REQUIRED:
        if column in frame.columns:
            given = frame[column].reset_index(drop=True).notna()
            empty = table[column].isna() & ~given if column in NUMBERS else table[column].eq("")
            faults += _rows(empty, table[column], file, column, "is empty", "every row needs it")
    faults += _value_faults(table, file)
    faults += _table_faults(table, file)
    if faults:
        raise FaultsError(sorted(faults, key=_position))
    return table


def _column_faults(frame: pd.DataFrame, file: str) -> Iterator[Fault]:
    for column in REQUIRED:
        if column not in frame.columns:
            yield Fault(file, f"column {column!r} is missing", f"columns are {', '.join(COLUMNS)}")
    for column in frame.columns:
        if column not in COLUMNS:
            near = difflib.get_close_matches(str(column), COLUMNS, 1)
            yield Fault(file, f"column {column!r} is unknown", f"did you mean {near[0]!r}?" if near else "remove it")
    if frame.empty:
        yield Fault(file, "there are no rows")


def _value_faults(table: pd.DataFrame, file: str) -> Iterator[Fault]:
    for column in ("params", "tokens", "flops", "n"):
        bad = table[column].notna() & ~(np.isfinite(table[column]) & (table[column] > 0))
        yield from _rows(bad, table[column], file, column, "must be positive and finite", "")
    for column in ("stderr", "step", "num_fewshot"):
        bad = table[column].notna() & ~(np.isfinite(table[column]) & (table[column] >= 0))
        yield from _rows(bad, table[column], file, column, "must be zero or more", "")
    bad = table["chance"].notna() & ~table["chance"].between(0, 1, inclusive="left")
    yield from _rows(bad, table["chance"], file, "chance", "must be a fraction in [0, 1)", _PERCENT)
    known = table["metric"].isin(list(METRICS))
    yield from _rows(~known & table["metric"].ne(""), table["metric"], file, "metric", "is unknown",
                     f"metrics are {', '.join(METRICS)}")  # fmt: skip
    for name, metric in METRICS.items():
        bad = table["metric"].eq(name) & table["value"].notna() & ~table["value"].between(metric.low, metric.high)
        what = f"is not a {name} in [{metric.low:g}, {metric.high:g}] {metric.unit}"
        yield from _rows(bad, table["value"], file, "value", what, metric.hint)


def _table_faults(table: pd.DataFrame, file: str) -> Iterator[Fault]:
    # ``step`` is empty for some published runs: only then do tokens tell their checkpoints apart.
    keyed = table[KEY].assign(tokens=table["tokens"].where(table["step"].isna(), -1.0)).fillna(-1)
    repeated = keyed[keyed.duplicated(keep=False)]
    for _, rows in repeated.groupby(list(keyed.columns), sort=False).groups.items():
        for i in rows[1:]:
            where = f"{file}: row {int(i) + 2}"
            yield Fault(where, f"repeats the run, step, task and metric of row {int(rows[0]) + 2}", "keep one of them")
    six_nd = table["flops_convention"].str.upper().str.replace(" ", "").eq("6ND")
    off = (table["flops"] / (6 * table["params"] * table["tokens"]) - 1).abs() > 0.02
    yield from _rows(six_nd & off, table["flops"], file, "flops", "is not 6·params·tokens",
                     "correct it, or name the convention in flops_convention")  # fmt: skip
    reserved = table["metric"].eq("val_loss") & table["task"].isin(RESERVED)
    yield from _rows(reserved, table["task"], file, "task", "cannot name a validation loss", "rename it")
    checkpoints = table[["run", "tokens", "step", "flops"]].drop_duplicates()
    for (run, tokens), rows in checkpoints[checkpoints.duplicated(["run", "tokens"], keep=False)].groupby(
        ["run", "tokens"]
    ):
        what = f"run {run!r} has several steps or FLOPs at {tokens:g} tokens"
        yield Fault(f"{file}: row {int(rows.index[-1]) + 2}", what, "a checkpoint has one of each")
    about = table[["run", "family", "params", "flops_convention"]].drop_duplicates()
    for family, rows in about.groupby("family"):
        if len(conventions := sorted(set(rows["flops_convention"]))) > 1:
            names = " and ".join(map(repr, conventions))
            yield Fault(file, f"family {family!r} mixes FLOP conventions {names}", "recompute all FLOPs in one")
    for run, rows in about.groupby("run"):
        if rows["params"].nunique() > 1 or rows["family"].nunique() > 1:
            yield Fault(file, f"run {run!r} has several params or families", "one run is one model")


def _rows(bad: pd.Series, values: pd.Series, file: str, column: str, what: str, fix: str) -> list[Fault]:
    def show(value: object) -> str:
        return "" if what == "is empty" else f"{value:g} " if isinstance(value, float) else f"{value!r} "

    return [Fault(f"{file}: row {i + 2}", f"{column} {show(values[i])}{what}", fix) for i in np.flatnonzero(bad)]


def _position(fault: Fault) -> tuple[str, int]:
    file, _, row = fault.where.partition(": row ")
    return file, int(row or 0)
