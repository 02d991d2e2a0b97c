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
metric           a name of ``core.metrics``, as lm-eval calls it, a filter after a comma: ``exact_match,strict-match``
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

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.notices import Notice, readers
from numpy.typing import NDArray

from ..core import units
from ..core.errors import Fault, FaultsError, UnreadableError
from ..core.metrics import is_share
from . import table_faults, table_files
from .csv_files import LINE
from .table_faults import COLUMNS, KEY, NUMBERS, REQUIRED, TEXT, Place

__all__ = ["COLUMNS", "KEY", "NUMBERS", "REQUIRED", "TEXT", "read_table", "unpaired", "unusual", "validate"]


def read_table(path: Path, account: Account | None = None) -> pd.DataFrame:
    """Read and validate a CSV, Parquet or JSON (a list of rows) file in this schema.

    Raises
    ------
    FaultsError
        With every fault of the file; rows of a CSV file are its lines, as an editor shows them.
    """
    try:
        frame = table_files.read_table_file(path, account)
    except UnreadableError as what:
        fault = Fault(str(path), f"cannot be read: {what}", "give a CSV, Parquet or JSON file")
        raise FaultsError([fault]) from None
    return validate(frame, str(path), account)


def validate(
    frame: pd.DataFrame, file: str = "table", account: Account | None = None, names: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the table with all of ``COLUMNS`` in order and proper types, or raise every fault at once.

    Rows that say the same twice count once, and of a part and the whole of a task's documents the whole counts; the
    account is told.

    Parameters
    ----------
    names : sequence of str, optional
        Where each row comes from, for whoever cannot see the rows: file, run, task and metric.

    Raises
    ------
    FaultsError
        With every fault, each with its row.
    """
    numbered = frame.index.to_numpy() if frame.index.name == LINE else np.arange(len(frame)) + 2

    def row(i: int) -> str:
        return names[i] if names else f"{file}: row {numbered[i]}"

    place = Place(file=file, row=row)
    faults = list(table_faults.column_faults(frame, place))
    if frame.columns.duplicated().any():
        raise FaultsError(faults)
    given = frame.reset_index(drop=True).reindex(columns=list(COLUMNS))
    columns: dict[str, NDArray[np.generic]] = {}
    for column in COLUMNS:
        if column in TEXT:
            # Few distinct values, many rows: work on the distinct ones.
            codes, values = pd.factorize(given[column])
            columns[column] = np.array([*(str(v).strip() for v in values), ""], dtype=object)[codes]
        else:
            numbers, bad = _numbers(given[column])
            columns[column] = numbers.to_numpy()
            faults += place.rows(bad, given[column], column, "is not a number")
    table = pd.DataFrame(columns, index=given.index)
    for column in REQUIRED:
        if column in frame.columns:
            empty = given[column].isna() if column in NUMBERS else table[column].eq("")
            faults += place.rows(empty, table[column], column, "is empty", "every row needs it")
    faults += table_faults.value_faults(table, place)
    faults += table_faults.table_faults(table, place)
    kept = _once(table, place, faults, account)
    if faults:
        raise FaultsError(sorted(faults, key=table_faults.position))
    return table if kept.all() else table[kept].reset_index(drop=True)


def _numbers(given: pd.Series) -> tuple[pd.Series, pd.Series]:
    """A column as floats, and where what is given is not a plain number."""
    if isinstance(given.dtype, pd.CategoricalDtype):
        numbers, bad = _numbers(pd.Series(given.cat.categories.to_numpy(dtype=object)))
        codes = given.cat.codes.to_numpy()
        values = np.append(numbers.to_numpy(), np.nan)[codes]
        return pd.Series(values, index=given.index), pd.Series(np.append(bad.to_numpy(), False)[codes], given.index)
    numbers = pd.to_numeric(given, errors="coerce").astype(float)
    bad = given.notna() & numbers.isna()
    if given.dtype in (bool, object) or pd.api.types.is_string_dtype(given.dtype):
        truth = given.map(lambda v: isinstance(v, bool | np.bool_)).astype(bool)
        spelled = given.map(lambda v: isinstance(v, str)).astype(bool) & ~np.isfinite(numbers)
        bad |= truth | (given.notna() & spelled)
    return numbers, bad


def _once(table: pd.DataFrame, place: Place, faults: list[Fault], account: Account | None) -> NDArray[np.bool_]:
    """Which rows count: equal statements of one cell are one, a whole one stands for a part; others are faults."""
    # ``step`` is empty for some published runs: only then do tokens tell their checkpoints apart.
    keyed = pd.DataFrame({c: pd.factorize(table[c])[0] if c in TEXT else table[c].fillna(-1) for c in KEY})
    keyed["tokens"] = table["tokens"].where(table["step"].isna(), -1.0)
    kept = np.ones(len(table), dtype=bool)
    keys = list(keyed.columns)
    several = keyed.duplicated(keep=False).to_numpy()
    if not several.any():
        return kept
    cells = keyed[several].groupby(keys, sort=False).ngroup()
    values = table.loc[several, "value"].groupby(cells)
    agreed = values.transform("min").eq(values.transform("max"))
    kept[cells.index[agreed]] = ~cells[agreed].duplicated().to_numpy()
    equal, partial = int((~kept).sum()), 0
    for rows in list(cells[~agreed].groupby(cells[~agreed]).groups.values())[:1000]:
        best = table.loc[rows, "n"].idxmax() if table.loc[rows, "n"].notna().any() else rows[0]
        for i in (i for i in rows if i != best):
            kept[i] = False
            if table.at[i, "value"] == table.at[best, "value"]:
                equal += 1
            elif table.at[i, "n"] < table.at[best, "n"]:
                partial += 1
            else:
                first, second = sorted((int(i), int(best)))
                one, other = place.row(first).removeprefix(f"{place.file}: "), table.at[second, "value"]
                what = f"repeats the run, step, task and metric of {one} with another value"
                what += f" ({other:g}, there {table.at[first, 'value']:g})"
                faults.append(Fault(place.row(second), what, "keep one of them"))
    if account is not None and equal:
        account.note(readers.REPEATED(rows=equal, file=Path(place.file).name))
    if account is not None and partial:
        account.note(readers.FEWER_DOCUMENTS(rows=partial, file=Path(place.file).name))
    return kept


def unusual(table: pd.DataFrame) -> Notice | None:
    """A notice where no run ends at a usual number of tokens per parameter; None else."""
    ends = table.groupby("run")[["params", "tokens"]].max()
    return units.unusual(ends["tokens"] / ends["params"])


def unpaired(table: pd.DataFrame) -> Notice | None:
    """A notice of runs whose scores and losses lie at different tokens and are not pairs; None where none do."""
    accuracy = table["metric"].isin([name for name in table["metric"].unique() if is_share(name)])
    scored, lossy = (
        {run: set(t) for run, t in table[rows].groupby("run", sort=False)["tokens"]}
        for rows in (accuracy, table["metric"].eq("val_loss"))
    )
    both = [run for run in scored if run in lossy]
    apart = [run for run in both if not scored[run] & lossy[run]]
    if not apart:
        return None
    pairs = [(run, one, min(lossy[run], key=lambda t: abs(t - one))) for run in apart for one in (max(scored[run]),)]
    run, one, near = max(pairs, key=lambda pair: abs(pair[1] / pair[2] - 1))
    return readers.UNPAIRED(apart=len(apart), both=len(both), run=str(run), score=float(one), loss=float(near))
