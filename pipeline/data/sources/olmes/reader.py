"""Read what OLMES wrote: ``task-<index>-<task>-metrics.json``, one file per model and task, and its predictions.

The command ``olmes`` (``oe-eval``; Gu et al., arXiv 2406.08446; github.com/allenai/olmes, OUTPUT_FORMATS.md) puts a
task's scores into one file, with the configurations of model and task. ``…-predictions.jsonl`` beside it has a line
per document. The bits per byte of the right answer are the mean over those lines, or what the scores state. OLMES
counts the space before an answer as one of its bytes; the losses of lm-eval's results do not. ``ladder.yaml`` in the
folder places the models, as it does for lm-eval's results.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import Fault, UnreadableError
from ...document_metrics import Mean
from ..lm_eval import files as lm_eval_files
from ..lm_eval import foreign, identity
from ..lm_eval import reader as lm_eval
from ..lm_eval.files import Records, ResultFile, Task
from ..lm_eval.identity import Identity
from ..lm_eval.models import Model

__all__ = ["models", "read_olmes"]

# OLMES's names of what lm-eval calls otherwise: the best of the given answers by its log-likelihood, or after dividing
# it by the answer's characters, bytes or tokens, or after subtracting the one without the question.
METRICS = {
    "acc_raw": "acc",
    "acc_per_char": "acc_norm",
    "acc_per_byte": "acc_bytes",
    "acc_per_token": "acc_norm_token",
    "acc_uncond": "acc_mutual_info",
}
BITS = "bits_per_byte_corr"  # of the right answer
# Settings of a model that say how it was run, not which it was.
RUNNING = ("model", "model_path", "model_type", "metadata", "process_output", "max_length_policy")
SAME = 1e-6  # a mean over the predictions, and the score that is stated


def read_olmes(folder: Path, account: Account | None = None, placed: dict[str, Any] | None = None) -> pd.DataFrame:
    """The folder's results as a ladder table; ``placed`` is what to take for the content of its ``ladder.yaml``.

    Raises
    ------
    FaultsError
        As ``read_lm_eval`` does.
    """
    return lm_eval.read_lm_eval(folder, account, placed, TOOL)


def models(folder: Path, account: Account | None = None) -> list[Model]:
    """The models of a folder's results, as ``ladder.yaml`` would name them.

    Raises
    ------
    FaultsError
        As ``lm_eval.models`` does.
    """
    return lm_eval.models(folder, account, TOOL)


def result_files(folder: Path, account: Account, faults: list[Fault]) -> Records:
    """The results of OLMES below a folder, and the other tools' files by tool.

    A task that is asked in several ways with as many shots (its variants) has the variant for its prompt.
    """
    files, others = lm_eval_files.records(folder, account, faults, (foreign.OLMES,), _record)
    variants: dict[tuple[str, Any], set[str]] = {}
    for file in files:
        for task in file.tasks:
            variants.setdefault((task.name, task.shots), set()).add(task.prompt)
    several = {key for key, prompts in variants.items() if len(prompts) > 1}
    for key in sorted(several, key=str):
        account.note(readers.SEVERAL_SUITES(task=key[0], suites=", ".join(sorted(variants[key]))))
    return [replace(file, tasks=tuple(_asked(task, several) for task in file.tasks)) for file in files], others


TOOL = lm_eval.Tool("OLMES", result_files)


def _asked(task: Task, several: set[tuple[str, Any]]) -> Task:
    return task if (task.name, task.shots) in several else replace(task, prompt="")


def _record(path: Path, name: str, data: bytes, content: dict[str, Any]) -> ResultFile:
    task = _task(path, content)
    limit = reading.number(_mapping(content["task_config"]).get("limit"))
    return ResultFile(
        path=path,
        shown=name,
        stamp="",
        digest=hashlib.sha256(data).hexdigest(),
        identity=_identity(_mapping(content.get("model_config"))),
        version="OLMES",
        # Where a task has fewer documents than its limit, nothing was left out.
        limit=f"{limit:g}" if 0 < limit <= reading.number(task.effective) else None,
        date=str(content.get("current_date") or ""),
        args_text="",
        tasks=(task,),
        groups=(),
        old=False,
    )


def _identity(config: Mapping[str, Any]) -> Identity:
    name = identity.text(config.get("model")) or identity.text(config.get("model_path"))
    args = {str(key): identity.text(value) for key, value in config.items() if key not in RUNNING}
    template = identity.text(config.get("chat_template")) or ("applied" if config.get("chat_model") else "")
    args = {key: value for key, value in args.items() if key not in ("chat_template", "chat_model")}
    return identity.made(
        name,
        identity.text(config.get("model_path")) or name,
        identity.text(config.get("revision")),
        {"dtype": identity.text(config.get("dtype"))},
        args,
        tokenizer=args.get("tokenizer", ""),
        template=template,
    )


def _task(path: Path, content: Mapping[str, Any]) -> Task:
    config, scores = _mapping(content["task_config"]), content["metrics"]
    if not isinstance(scores, Mapping):
        raise ValueError("metrics is not a mapping of scores")
    count = reading.number(content.get("num_instances"))
    metrics = dict(_metrics(scores))
    return Task(
        name=str(content["task_name"]),
        shots=config.get("num_shots"),
        version=identity.text(config.get("version")),
        metrics=metrics,
        effective=count if count > 0 else None,
        original=None,
        output_type=_output_type(config, metrics),
        delimiter=" ",
        digest="",
        prompt=identity.text(_mapping(config.get("metadata")).get("alias")),
        losses=_losses(path, scores, metrics, count),
    )


def _output_type(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The kind of task, as lm-eval calls it: of given answers, of a text, or of answers that are generated."""
    if "acc" in metrics:
        return "multiple_choice"
    if "bits_per_byte" in metrics:
        return "loglikelihood_rolling"
    return "generate_until" if config.get("generation_kwargs") else ""


def _metrics(scores: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The numbers by lm-eval's names; the primary score is one of the others again, and no metric."""
    for given, value in scores.items():
        name = str(given)
        if name != "primary_score" and not name.endswith("_corr"):
            yield METRICS.get(name, name.replace("pass_at_", "pass@") if name[-1:].isdecimal() else name), value


def _losses(path: Path, scores: Mapping[str, Any], metrics: Mapping[str, Any], count: float) -> dict[str, Mean]:
    """The loss of the right answers, in both units; none where nothing tells it.

    Raises
    ------
    ValueError
        When the predictions are not those of the scores.
    """
    bits = _predicted(path.with_name(path.name.removesuffix("metrics.json") + "predictions.jsonl"), metrics, count)
    stated = reading.number(scores.get(BITS))
    if bits is None and math.isfinite(stated):
        bits = Mean(stated, math.nan)
    if bits is None:
        return {}
    return {"bits_per_byte": bits, "nll": Mean(bits.value * math.log(2), bits.stderr * math.log(2))}


def _predicted(path: Path, metrics: Mapping[str, Any], count: float) -> Mean | None:
    """The mean bits per byte of the right answers over the predictions; None where they do not have it."""
    if not path.exists():
        return None
    try:
        reading.check(path, reading.MOST_RESULT)
        lines = [json.loads(line) for line in reading.data(path).splitlines() if line.strip()]
        own = [_mapping(line["metrics"]) for line in lines]
    except (UnreadableError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path.name} beside it cannot be read ({error}): copy it again, or delete it") from None
    if count > 0 and len(own) != count:
        raise ValueError(f"{path.name} beside it has {len(own)} documents, the scores are of {count:g}")
    for given, name in METRICS.items():
        _same(path, name, [line.get(given) for line in own], reading.number(metrics.get(name)))
    bits = [reading.number(line.get(BITS)) for line in own]
    if not bits or not all(map(math.isfinite, bits)):
        return None
    stderr = float(np.std(bits, ddof=1) / math.sqrt(len(bits))) if len(bits) > 1 else math.nan
    return Mean(float(np.mean(bits)), stderr)


def _same(path: Path, name: str, values: Sequence[Any], stated: float) -> None:
    numbers = [reading.number(value) for value in values]
    if numbers and all(map(math.isfinite, [*numbers, stated])) and abs(np.mean(numbers) - stated) > SAME:
        what = f"{path.name} beside it is not of these scores: its mean {name} is {np.mean(numbers):.6g}"
        raise ValueError(f"{what}, the score {stated:.6g}")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
