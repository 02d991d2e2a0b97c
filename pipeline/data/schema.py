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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import Notice, readers
from numpy.typing import NDArray

from ..core import units
from ..core.errors import Fault, FaultsError, UnreadableError
from . import csv_files, table_files
from .csv_files import LINE

Lines = Callable[[int], str]  # where a row stands: file and line

TEXT = (
    "run",
    "family",
    "flops_convention",
    "task",
    "prompt",
    "metric",
    "source",
    "digest",
    "lm_eval",
    "task_version",
    "tokenizer",
    "chat_template",
    "dtype",
)
NUMBERS = ("step", "params", "tokens", "flops", "num_fewshot", "value", "stderr", "n", "chance")
COLUMNS = (
    "run",
    "family",
    "step",
    "params",
    "tokens",
    "flops",
    "flops_convention",
    "task",
    "num_fewshot",
    "prompt",
    "metric",
    "value",
    "stderr",
    "n",
    "chance",
    "source",
    "digest",
    "lm_eval",
    "task_version",
    "tokenizer",
    "chat_template",
    "dtype",
)
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

ALIASES = {
    "accuracy": "acc",
    "acc,none": "acc",
    "acc_norm,none": "acc_norm",
    "loss": "val_loss",
    "eval_loss": "val_loss",
    "bpb": "bits_per_byte",
}

LOSSES = ("nll", "bits_per_byte", "nll_choice")  # of a task's own documents

# Names the recipes use for other columns beside the validation losses.
RESERVED = ("accuracy", "stderr", "chance", "params", "flops", "step", "tokens", "token_multiplier", "run", *METRICS)


def read(path: Path, account: Account | None = None) -> pd.DataFrame:
    """Read and validate a CSV, Parquet or JSON (a list of rows) file in this schema.

    Raises
    ------
    FaultsError
        With every fault of the file; rows of a CSV file are its lines, as an editor shows them.
    """
    try:
        frame = table_files.read(path, account)
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

    def lines(i: int) -> str:
        return names[i] if names else f"{file}: row {numbered[i]}"

    faults = list(_column_faults(frame, file))
    if frame.columns.duplicated().any():
        raise FaultsError(faults)
    given = frame.reset_index(drop=True).reindex(columns=list(COLUMNS))
    table = pd.DataFrame(index=given.index)
    for column in COLUMNS:
        if column in TEXT:
            # Few distinct values, many rows: work on the distinct ones.
            codes, values = pd.factorize(given[column])
            table[column] = np.array([*(str(v).strip() for v in values), ""], dtype=object)[codes]
        else:
            table[column], bad = _numbers(given[column])
            faults += _rows(bad, given[column], file, lines, column, "is not a number")
    for column in REQUIRED:
        if column in frame.columns:
            empty = given[column].isna() if column in NUMBERS else table[column].eq("")
            faults += _rows(empty, table[column], file, lines, column, "is empty", "every row needs it")
    faults += _value_faults(table, file, lines)
    faults += _table_faults(table, file, lines)
    kept = _once(table, file, lines, faults, account)
    if faults:
        raise FaultsError(sorted(faults, key=_position))
    return table if kept.all() else table[kept].reset_index(drop=True)


def _numbers(given: pd.Series) -> tuple[pd.Series, pd.Series]:
    """A column as floats, and where what is given is no plain number."""
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


def _column_faults(frame: pd.DataFrame, file: str) -> Iterator[Fault]:
    names = [str(column) for column in frame.columns]
    lacking = [column for column in REQUIRED if column not in names]
    if lacking:
        fix = f"it has {listed(names, 12)}; columns are {', '.join(COLUMNS)}"
        cased = {name.lower().strip(): name for name in names}
        if spelled := [f"{cased[c]} as {c}" for c in lacking if c in cased]:
            fix = f"write {', '.join(spelled)}"
        verb = "column {} is missing" if len(lacking) == 1 else "columns {} are missing"
        yield Fault(file, verb.format(", ".join(map(repr, lacking))), fix)
    for column in dict.fromkeys(names):
        if names.count(column) > 1:
            yield Fault(file, f"column {column!r} is there twice", "keep one of them")
        elif column not in COLUMNS and column.lower() not in lacking:
            near = difflib.get_close_matches(column, COLUMNS, 1)
            yield Fault(file, f"column {column!r} is unknown", f"did you mean {near[0]!r}?" if near else "remove it")
    if frame.empty:
        yield Fault(file, "there are no rows")


def _value_faults(table: pd.DataFrame, file: str, lines: Lines) -> Iterator[Fault]:
    for column in ("params", "tokens", "flops", "n"):
        bad = table[column].notna() & ~(np.isfinite(table[column]) & (table[column] > 0))
        yield from _rows(bad, table[column], file, lines, column, "must be positive and finite")
    for column in ("stderr", "step", "num_fewshot"):
        bad = table[column].notna() & ~(np.isfinite(table[column]) & (table[column] >= 0))
        yield from _rows(bad, table[column], file, lines, column, "must be zero or more")
    bad = table["chance"].notna() & ~table["chance"].between(0, 1, inclusive="left")
    yield from _rows(bad, table["chance"], file, lines, "chance", "must be a fraction in [0, 1)", _PERCENT)
    unknown = ~table["metric"].isin(list(METRICS)) & table["metric"].ne("")
    for name in table.loc[unknown, "metric"].unique()[:10]:
        meant = ALIASES.get(name.lower()) or next(iter(difflib.get_close_matches(name, METRICS, 1)), None)
        fix = f"did you mean {meant!r}?" if meant else f"metrics are {', '.join(METRICS)}"
        yield from _rows(table["metric"].eq(name), table["metric"], file, lines, "metric", "is unknown", fix)
    for name, metric in METRICS.items():
        own = table["metric"].eq(name)
        bad = own & table["value"].notna() & ~table["value"].between(metric.low, metric.high)
        what = f"is not a {name} in [{metric.low:g}, {metric.high:g}] {metric.unit}"
        yield from _rows(bad, table["value"], file, lines, "value", what, metric.hint)
        if metric.unit == "fraction":  # a score in [0, 1] cannot scatter more
            yield from _rows(
                own & table["stderr"].gt(0.5001),
                table["stderr"],
                file,
                lines,
                "stderr",
                "is larger than a fraction's can be",
                _PERCENT,
            )


def _table_faults(table: pd.DataFrame, file: str, lines: Lines) -> Iterator[Fault]:
    six_nd = table["flops_convention"].str.upper().str.replace(" ", "").eq("6ND")
    off = (table["flops"] / (6 * table["params"] * table["tokens"]) - 1).abs() > 0.02
    yield from _rows(
        six_nd & off,
        table["flops"],
        file,
        lines,
        "flops",
        "is not 6·params·tokens",
        "correct it, or name the convention in flops_convention",
    )
    reserved = table["metric"].eq("val_loss") & table["task"].isin(RESERVED)
    yield from _rows(reserved, table["task"], file, lines, "task", "cannot name a validation loss", "rename it")
    places = table[["run", "family", "step", "params", "tokens", "flops", "flops_convention"]].drop_duplicates()
    yield from _unit_faults(places, file, lines)
    checkpoints = places[["run", "tokens", "step", "flops"]].drop_duplicates()
    for (run, tokens), rows in checkpoints[checkpoints.duplicated(["run", "tokens"], keep=False)].groupby(
        ["run", "tokens"]
    ):
        what = f"run {run!r} has several steps or FLOPs at {tokens:g} tokens"
        yield Fault(lines(int(rows.index[-1])), what, "a checkpoint has one of each")
    yield from _clock_faults(checkpoints, file, lines)
    yield from _statement_faults(table, file, lines)
    about = places[["run", "family", "params", "flops_convention"]].drop_duplicates()
    for family, rows in about.groupby("family"):
        if len(conventions := sorted(set(rows["flops_convention"]))) > 1:
            names = " and ".join(map(repr, conventions))
            yield Fault(file, f"family {family!r} mixes FLOP conventions {names}", "recompute all FLOPs in one")
    for run, rows in about.groupby("run"):
        if rows["params"].nunique() > 1 or rows["family"].nunique() > 1:
            yield Fault(file, f"run {run!r} has several params or families", "one run is one model")


def _statement_faults(table: pd.DataFrame, file: str, lines: Lines) -> Iterator[Fault]:
    """Two statements of one fact that do not agree: scatter and documents, both units of a loss, the chance level."""
    fraction = table["metric"].isin([name for name, m in METRICS.items() if m.unit == "fraction"])
    most = 2 * 0.5 / np.sqrt((table["n"] - 1).clip(lower=1))  # twice what right and wrong answers can
    yield from _rows(
        fraction & table["n"].ge(2) & table["stderr"].gt(most),
        table["stderr"],
        file,
        lines,
        "stderr",
        "is more than so many documents (n) can scatter",
        "correct stderr or n",
    )
    losses = table[table["metric"].isin(["nll", "bits_per_byte"])]
    if losses["metric"].nunique() > 1:
        key = [*(c for c in KEY if c != "metric"), "tokens", "n"]
        wide = losses.assign(**losses[key].fillna(-1)).pivot_table("value", key, "metric", aggfunc="first")
        wide = wide.reindex(columns=["nll", "bits_per_byte"]).dropna()
        off = (wide["bits_per_byte"] * np.log(2) / wide["nll"] - 1).abs() > 0.02
        for found in list(wide.index[off & wide["nll"].gt(0)])[:MOST_ROWS]:
            about = dict(zip(key, found, strict=True))
            bits, nats = wide.loc[found, "bits_per_byte"], wide.loc[found, "nll"]
            what = f"run {about['run']!r}, task {about['task']!r}: bits_per_byte {bits:g} is not nll {nats:g} / ln 2"
            yield Fault(file, what, "they are one number in two units: correct one")
    levels = table.dropna(subset=["chance"]).groupby(["task", "prompt"])["chance"].agg(["min", "max"])
    for (task, _), row in levels[levels["max"] - levels["min"] > 0.02].iterrows():
        what = f"task {task!r} has a chance of {row['min']:g} in some rows and {row['max']:g} in others"
        yield Fault(file, what, "a task has one level of guessing")


def _unit_faults(places: pd.DataFrame, file: str, lines: Lines) -> Iterator[Fault]:
    """Sizes that cannot be in plain counts, a line for every kind with the first row that shows it."""
    numbers = places[["params", "tokens", "flops"]]
    positive = places[((numbers > 0) & np.isfinite(numbers)).all(axis=1)]
    ratio = positive["tokens"] / positive["params"]
    end = positive.groupby("run")["tokens"].transform("max")  # a run's first steps have seen next to nothing
    early = positive["tokens"] >= units.FEWEST_EARLY
    ratio = ratio.mask(early & (ratio < units.FEWEST_RATIO), end / positive["params"])
    ratio = ratio.mask(units.first_steps(positive["step"], positive["tokens"]) & (ratio < units.FEWEST_RATIO), 1.0)
    factor = positive["flops"] / (6 * positive["params"] * positive["tokens"])
    odd = ~ratio.between(units.FEWEST_RATIO, units.MOST_RATIO) | ~positive["params"].between(
        units.FEWEST_PARAMS, units.MOST_PARAMS
    )
    odd |= ~factor.between(1 / units.MOST_OFF, units.MOST_OFF)
    for i, row in positive[odd].iterrows():
        what = units.impossible(row["params"], ratio[i] * row["params"])
        what = what or units.impossible_flops(row["params"], row["tokens"], row["flops"])
        if what:
            yield Fault(lines(int(str(i))), f"run {row['run']!r}: {what}")


def _clock_faults(checkpoints: pd.DataFrame, file: str, lines: Lines) -> Iterator[Fault]:
    """Tokens that fall, or stand still, while the steps of a run grow."""
    known = checkpoints.dropna(subset=["step", "tokens"]).sort_values(["run", "step"], kind="stable")
    same = known["run"].eq(known["run"].shift())
    bad = same & (known["step"] > known["step"].shift()) & (known["tokens"] < known["tokens"].shift())
    for i in np.flatnonzero(bad):
        was, now = known.iloc[i - 1], known.iloc[i]
        what = (
            f"run {now['run']!r} has {now['tokens']:g} tokens at step {now['step']:g}, "
            f"fewer than {was['tokens']:g} at step {was['step']:g}"
        )
        yield Fault(lines(int(known.index[i])), what, "tokens grow with the steps")


def _once(
    table: pd.DataFrame, file: str, lines: Lines, faults: list[Fault], account: Account | None
) -> NDArray[np.bool_]:
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
    for found in list(cells[~agreed].groupby(cells[~agreed]).groups.values())[:1000]:
        best = table.loc[found, "n"].idxmax() if table.loc[found, "n"].notna().any() else found[0]
        for i in (i for i in found if i != best):
            kept[i] = False
            if table.at[i, "value"] == table.at[best, "value"]:
                equal += 1
            elif table.at[i, "n"] < table.at[best, "n"]:
                partial += 1
            else:
                first, second = sorted((int(i), int(best)))
                one, other = lines(first).removeprefix(f"{file}: "), table.at[second, "value"]
                what = f"repeats the run, step, task and metric of {one} with another value"
                what += f" ({other:g}, there {table.at[first, 'value']:g})"
                faults.append(Fault(lines(second), what, "keep one of them"))
    if account is not None and equal:
        account.note(readers.REPEATED(rows=equal, file=Path(file).name))
    if account is not None and partial:
        account.note(readers.FEWER_DOCUMENTS(rows=partial, file=Path(file).name))
    return kept


def unusual(table: pd.DataFrame) -> Notice | None:
    """A notice where no run ends at a usual number of tokens per parameter; None else."""
    ends = table.groupby("run")[["params", "tokens"]].max()
    return units.unusual(ends["tokens"] / ends["params"])


def unpaired(table: pd.DataFrame) -> Notice | None:
    """A notice of runs whose scores and losses lie at different tokens and are not pairs; None where none do."""
    accuracy = table["metric"].isin([name for name, m in METRICS.items() if m.unit == "fraction"])
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


MOST_ROWS = 50


def _rows(
    bad: pd.Series, values: pd.Series, file: str, lines: Lines, column: str, what: str, fix: str = ""
) -> list[Fault]:
    """A fault for each row that is bad; of very many, the first and a count."""
    at = np.flatnonzero(bad)

    def fault(i: int) -> Fault:
        value = values.iloc[i]
        shown = "" if what == "is empty" else f"{value:g} " if isinstance(value, float) else f"{value!r} "
        hint = fix or (csv_files.unlike(value) if isinstance(value, str) else "")
        return Fault(lines(i), f"{column} {shown}{what}", hint)

    faults = [fault(int(i)) for i in at[:MOST_ROWS]]
    if len(at) > MOST_ROWS:
        faults.append(Fault(file, f"column {column!r}: {len(at) - MOST_ROWS} more rows: {what}", fix))
    return faults


def _position(fault: Fault) -> tuple[str, int]:
    file, _, row = fault.where.partition(": row ")
    return (file, int(row)) if row else (file, 0 if "more rows" not in fault.what else 1 << 60)
