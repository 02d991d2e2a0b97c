"""``score``: run lm-eval's tasks on every checkpoint and write the ladder table.

One process, tasks and prompts built once, one model at a time. The log-likelihoods come from lm-eval's own model
class and the accuracies from its tasks, so they are the numbers ``lm_eval`` prints; the losses of the gold answer,
which lm-eval lacks, come from ``document_metrics``. The table is rewritten after every checkpoint, and what is
already in it is not scored again, as long as weights, tokenizer, prompts, settings and lm-eval are the same.

Validation loss is what lm-eval's rolling log-likelihood gives: the text is cut into windows of ``max_length`` tokens
that do not overlap, each predicted from the one token before it (BOS, or else EOS, before the first); only the last,
shorter window is given more context. A BOS of the tokenizer's template counts only with ``add_bos_token``. ``n`` is
the number of windows, and the standard error that of a mean over windows.

torch, transformers and lm-eval are imported only when something is scored (here, in ``checkpoints``, ``lm_eval_tasks``
and ``language_model``, nowhere else).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline import checkpoints, document_metrics, language_model, lm_eval_tasks, schema
from pipeline.checkpoints import Checkpoint
from pipeline.config import ScoreSettings
from pipeline.document_metrics import Document, Mean
from pipeline.errors import BenchcastError, Fault, FaultsError, InputError
from pipeline.language_model import Encoded
from pipeline.lm_eval_tasks import Task, TaskError, first_line

Progress = Callable[[str], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A text the validation loss is measured on."""

    name: str
    text: str
    version: str


@dataclass
class Plan:
    """What every checkpoint is asked; ``encoded`` caches each task's tokens per tokenizer."""

    settings: ScoreSettings
    tasks: list[Task]
    texts: list[Text]
    lm_eval: str
    device: str
    encoded: dict[tuple[str, str], list[Encoded]] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """Version of every task and text by name."""
        return {task.name: task.version for task in self.tasks} | {text.name: text.version for text in self.texts}

    def tokens(self, lm: Any, task: Task, checkpoint: Checkpoint) -> list[Encoded]:
        """The task's requests as token ids, kept for all checkpoints with the same tokenizer files."""
        key = (checkpoint.tokenizer, task.name)
        if key not in self.encoded:
            self.encoded[key] = language_model.encode(lm, task)
        return self.encoded[key]


def score(
    settings: ScoreSettings, base: Path, progress: Progress = print, shard: tuple[int, int] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Score every checkpoint on every task and validation text, and write ``settings.out`` as it goes.

    Parameters
    ----------
    settings : ScoreSettings
    base : Path
        Folder that relative paths in the settings start from.
    progress : callable
        Receives one line per checkpoint.
    shard : (int, int), optional
        Take checkpoints ``i, i + n, …`` only, and write ``<out>.i-of-n.csv``. A last run without it merges them.

    Returns
    -------
    table : DataFrame
        The ladder table as written: old rows that still hold, and the new ones.
    failures : list of str
        One line per checkpoint, or task on it, that could not be scored. Its rows are not in the table.

    Raises
    ------
    FaultsError, InputError
        Before anything is scored: unknown tasks, patterns without checkpoints, unreadable texts, an output that
        cannot be written, checkpoints that contradict each other.
    """
    try:
        import lm_eval
    except ImportError as error:
        raise InputError(f"scoring needs lm-eval and torch: pip install 'benchcast[score]' ({error})") from error
    del lm_eval
    with checkpoints.quiet(), lm_eval_tasks.cached_templates():
        return _score_all(settings, base.resolve(), progress, shard)


def _score_all(
    settings: ScoreSettings, base: Path, progress: Progress, shard: tuple[int, int] | None
) -> tuple[pd.DataFrame, list[str]]:
    out = _out(base / settings.out, shard)
    found, failures = checkpoints.find(settings.checkpoints, base)
    plan, more = _plan(settings, base)
    failures += more
    if shard is not None:
        found = found[shard[0] :: shard[1]]
    rows = _stored(base / settings.out, found, plan)
    if shard is not None:
        rows = rows[rows["source"].isin([c.source for c in found])]
    _save(rows, out)
    for number, checkpoint in enumerate(found, 1):
        began = time.monotonic()
        mine = rows[rows["source"] == checkpoint.source]
        missing = set(plan.versions) - set(mine["task"])
        new, problems = _guarded(checkpoint, plan, missing, progress) if missing else ([], [])
        failures += problems
        if new:
            added = pd.DataFrame(new, columns=list(schema.COLUMNS))
            rows = added if rows.empty else pd.concat([rows, added], ignore_index=True)
            _save(rows, out)
        what = f"{len(new)} rows in {time.monotonic() - began:.1f} s" if missing else "already scored"
        progress(f"{number}/{len(found)} {checkpoint.source}: " + "; ".join([what, *problems]))
    return (schema.validate(rows, str(out)) if len(rows) else rows), failures


@contextlib.contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A progress callable for ``score``: a spinner with the elapsed time on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda line: print(line, file=sys.stderr, flush=True)
        return
    with Bars(SpinnerColumn(), TextColumn("scoring"), TimeElapsedColumn(), console=console, transient=True) as bars:
        bars.add_task("scoring", total=None)
        yield lambda line: bars.console.print(line, markup=False, highlight=False)


def _plan(settings: ScoreSettings, base: Path) -> tuple[Plan, list[str]]:
    import torch

    texts = _texts(settings, base)
    tasks, failures = lm_eval_tasks.load(settings, base)
    names = [task.name for task in tasks] + [text.name for text in texts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FaultsError([Fault("score.validation_text", f"{name!r} names two texts or a task") for name in twice])
    device = settings.device if settings.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    return Plan(settings, tasks, texts, importlib.metadata.version("lm-eval"), device), failures


def _texts(settings: ScoreSettings, base: Path) -> list[Text]:
    texts, faults = [], []
    for path in settings.validation_text:
        try:
            text = (base / path).read_text(encoding="utf-8")
            if not text:
                raise ValueError("is empty")
        except (OSError, ValueError) as error:
            faults.append(Fault(f"score.validation_text: {path}", f"cannot be read: {error}", "give UTF-8 text"))
            continue
        how = json.dumps([text, settings.dtype, settings.add_bos_token, settings.max_length, settings.limit])
        texts.append(Text(path.stem, text, hashlib.sha256(how.encode()).hexdigest()[:12]))
    if faults:
        raise FaultsError(faults)
    return texts


def _guarded(checkpoint: Checkpoint, plan: Plan, missing: set[str], progress: Progress) -> tuple[list[Row], list[str]]:
    """Score one checkpoint; whatever goes wrong becomes a line, so that it never costs the others."""
    try:
        return _score(checkpoint, plan, missing, progress)
    except BenchcastError as error:
        return [], [f"{checkpoint.source}: " + "; ".join(str(error).splitlines())]
    except Exception as error:  # a folder someone else wrote, through three libraries: anything can come
        return [], [f"{checkpoint.source}: {first_line(error)}"]


def _score(checkpoint: Checkpoint, plan: Plan, missing: set[str], progress: Progress) -> tuple[list[Row], list[str]]:
    lm = language_model.load(checkpoint, plan.settings, plan.device)
    for odd in checkpoints.check_tokenizer(lm.tokenizer, lm.model):
        progress(f"warning: {checkpoint.source}: {odd}")
    rows: list[Row] = []
    problems: list[str] = []
    for task in plan.tasks:
        if task.name in missing:
            try:
                encoded = plan.tokens(lm, task, checkpoint)
                if cut := language_model.truncated(task, encoded, lm.max_length):
                    progress(f"warning: {checkpoint.source}: {task.name}: {cut} prompts cut to {lm.max_length} tokens")
                rows += _task_rows(task, language_model.loglikelihoods(lm, encoded))
            except TaskError as error:
                problems.append(f"{checkpoint.source}: {task.name}: {error}")
    for text in plan.texts:
        if text.name in missing:
            rows += _text_rows(lm, text, checkpoint)
    shared = {**checkpoint.about, "prompt": "", "source": checkpoint.source, "digest": checkpoint.digest,
              "lm_eval": plan.lm_eval}  # fmt: skip
    if not rows:
        return [], problems
    # Validated here already, so that an impossible number costs this checkpoint only.
    table = schema.validate(pd.DataFrame([{**shared, **row} for row in rows]))
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")], problems


def _task_rows(task: Task, results: Sequence[tuple[float, bool]]) -> list[Row]:
    """Accuracies by lm-eval's own rules, and the losses of the gold answer."""
    from lm_eval.api.metrics import mean as lm_eval_mean

    documents: list[Document] = []
    scored: dict[str, list[float]] = {"acc": [], "acc_norm": []}
    position = 0
    for question in task.questions:
        own = list(results[position : position + len(question.requests)])
        position += len(question.requests)
        logliks = tuple(loglik for loglik, _ in own[: question.answers])
        documents.append(Document(logliks, question.gold, question.gold_bytes))
        per_document = task.harness.process_results(question.doc, own)
        for metric, values in scored.items():
            if metric in per_document:
                values.append(per_document[metric])
    means = document_metrics.losses(documents)
    for metric, values in scored.items():
        if values:
            aggregate = task.harness.aggregation()[metric]
            stderr = document_metrics.mean(values).stderr if aggregate is lm_eval_mean else math.nan
            means[metric] = Mean(float(aggregate(values)), stderr)
    shared = {"task": task.name, "num_fewshot": task.num_fewshot, "n": len(documents), "task_version": task.version,
              "chance": document_metrics.chance(documents)}  # fmt: skip
    return [{**shared, **_value(metric, found)} for metric, found in means.items()]


def _text_rows(lm: Any, text: Text, checkpoint: Checkpoint) -> list[Row]:
    """Loss on a text, in the windows of lm-eval's ``loglikelihood_rolling``."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    tokens = lm.tok_encode(text.text)
    windows = map(make_disjoint_window, get_rolling_token_windows(tokens, lm.prefix_token_id, lm.max_length, 1))
    encoded: list[Encoded] = [(None, prompt, answer) for prompt, answer in windows]
    logliks = np.array([loglik for loglik, _ in language_model.loglikelihoods(lm, encoded)])
    lengths = np.array([len(answer) for _, _, answer in encoded])
    loss = -float(logliks.sum()) / len(tokens)
    # A ratio of sums over windows: its error is that of the residuals about the ratio.
    spread = document_metrics.mean(list((-logliks - loss * lengths) / lengths.mean())).stderr
    per_byte = len(tokens) / len(text.text.encode("utf-8")) / math.log(2)
    shared = {"task": text.name, "n": len(encoded), "task_version": text.version}
    return [
        {**shared, **_value("val_loss", Mean(loss, spread))},
        {**shared, **_value("val_bpb", Mean(loss * per_byte, spread * per_byte))},
    ]


def _value(metric: str, found: Mean) -> Row:
    return {"metric": metric, "value": found.value, "stderr": found.stderr}


def _out(path: Path, shard: tuple[int, int] | None) -> Path:
    if shard is None:
        return path
    if not 0 <= shard[0] < shard[1]:
        raise InputError(f"shard {shard[0]} of {shard[1]} does not exist; they are numbered from 0")
    return path.with_name(f"{path.stem}.{shard[0]}-of-{shard[1]}{path.suffix}")


def _stored(out: Path, found: Sequence[Checkpoint], plan: Plan) -> pd.DataFrame:
    """Rows of earlier runs and shards that still hold, with the checkpoints' current run, step, params and so on."""
    files = [p for p in (out, *sorted(out.parent.glob(f"{out.stem}.*-of-*{out.suffix}"))) if p.is_file()]
    tables = [table for table in (_read(path) for path in files) if len(table)]
    if not tables:
        return pd.DataFrame(columns=list(schema.COLUMNS))
    rows = pd.concat(tables, ignore_index=True)
    versions = plan.versions
    for checkpoint in found:
        own = rows["source"] == checkpoint.source
        wanted = rows["task"].map(versions)
        stale = (rows["digest"] != checkpoint.digest) | (rows["lm_eval"] != plan.lm_eval)
        stale |= wanted.notna() & (rows["task_version"] != wanted)
        rows = rows[~(own & stale)].copy()
        for column, value in checkpoint.about.items():
            rows.loc[rows["source"] == checkpoint.source, column] = value
    rows = rows.drop_duplicates(schema.KEY, ignore_index=True)
    return schema.validate(rows, str(out)) if len(rows) else rows


def _read(path: Path) -> pd.DataFrame:
    """A table of an earlier run; one that a run wrote before its first checkpoint has only a header."""
    with path.open(encoding="utf-8") as file:
        if len([line for _, line in zip(range(2), file, strict=False)]) < 2:
            return pd.DataFrame()
    return schema.read(path)


def _save(rows: pd.DataFrame, out: Path) -> None:
    """Replace the table in one step, so that a killed run leaves the previous one.

    Raises
    ------
    BenchcastError
        When it cannot be written (tried before the first checkpoint, not after the last).
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.", text=True)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                rows.to_csv(file, index=False, columns=list(schema.COLUMNS))
            os.chmod(partial, 0o644)
            os.replace(partial, out)
        except BaseException:
            os.unlink(partial)
            raise
    except OSError as error:
        raise BenchcastError(f"score.out: {out} cannot be written: {error.strerror or error}") from error
