"""Read what the ``lm_eval`` command wrote: a folder of its result files, with their samples where they were logged.

All layouts are found, at any depth. lm-eval 0.3 wrote one JSON of any name per model, without samples. lm-eval 0.4
wrote ``results.json`` with ``<model_args>_<task>.jsonl`` (0.4.0–0.4.2,
each one JSON array) and ``<model>/results_<stamp>.json`` with ``samples_<task>_<stamp>.jsonl`` (0.4.3 and later, one
document per line, numbers as strings). Of several results for one model, task and number of shots the latest file
counts. Losses of the gold answer need the samples; without them a task has its accuracies only.

lm-eval does not know where a model stands on the ladder. ``ladder.yaml`` in the folder says it, by model name::

    /ckpt/56K/step-549: {run: 56K, family: my-mix, step: 549, params: 56136, tokens: 2.8e8, flops: 9.5e13}
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import Field, ValidationError

from pipeline import document_metrics, schema
from pipeline.account import Account
from pipeline.config import Strict
from pipeline.document_metrics import Document, Mean
from pipeline.errors import Fault, FaultsError
from pipeline.sources import lm_eval_files, lm_eval_models
from pipeline.sources.lm_eval_models import Model

ACCURACIES = ("acc", "acc_norm")
LADDER = "ladder.yaml"


class Place(Strict):
    """Where a model stands on the ladder; ``flops`` are 6·params·tokens unless given."""

    run: str | None = None
    family: str
    step: float | None = Field(default=None, ge=0)
    params: float = Field(gt=0)
    tokens: float = Field(gt=0)
    flops: float | None = Field(default=None, gt=0)
    flops_convention: str | None = None

    def columns(self, model: str) -> dict[str, Any]:
        """The ladder table's columns; the model's own name is the run's when none is given."""
        convention = self.flops_convention or ("6ND" if self.flops is None else "given")
        flops = 6 * self.params * self.tokens if self.flops is None else self.flops
        about = {"run": self.run or model, "family": self.family, "step": self.step, "params": self.params}
        return about | {"tokens": self.tokens, "flops": flops, "flops_convention": convention}


@dataclass(frozen=True)
class ResultFile:
    """One parsed result file; ``names`` are the ways to name its model, most explicit first."""

    path: Path
    content: dict[str, Any]
    names: tuple[str, ...]
    digest: str


def read(folder: Path, account: Account | None = None, placed: dict[str, Any] | None = None) -> pd.DataFrame:
    """The folder's results as a ladder table; ``placed`` is what to take for the content of its ``ladder.yaml``.

    Raises
    ------
    FaultsError
        With every file that cannot be read, every model that ``ladder.yaml`` does not place, and every fault of the
        resulting table.
    """
    account = account or Account()
    faults: list[Fault] = []
    files = _result_files(folder, faults)
    places = places_of(folder, faults) if placed is None else _validated(folder / LADDER, placed, faults)
    if not files and not faults:
        faults.append(Fault(str(folder), "holds no results of lm-eval 0.3 or 0.4"))
    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for file in files:
        model = next((name for name in file.names if name in places), None)
        if model is None:
            faults.append(_unplaced(file, folder, places))
            continue
        place = places[model]
        if place is None:
            continue
        about = place.columns(model) | {"prompt": "", "digest": file.digest,
                                                "source": file.path.relative_to(folder).as_posix()}  # fmt: skip
        for task in _leaf_tasks(file.content):
            try:
                found = [about | row for row in _task_rows(file, task)]
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                faults.append(Fault(str(file.path), f"task {task!r} cannot be read: {type(error).__name__}: {error}"))
                continue
            if found:  # files come oldest first: the latest of the same model, task and shots stays
                rows[model, task, found[0]["num_fewshot"]] = found
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    table = pd.DataFrame([row for found in rows.values() for row in found])
    valid = schema.validate(table, str(folder))
    if told := without_nll(valid):
        account.note(told)
    return valid


def models(folder: Path, account: Account | None = None) -> list[Model]:
    """The models of a folder's results, as ``ladder.yaml`` would name them.

    Raises
    ------
    FaultsError
        With every file that cannot be read.
    """
    account = account or Account()
    faults: list[Fault] = []
    files, others = lm_eval_files.result_files(folder, account, faults)
    lm_eval_files.leave_others(others, account)
    if faults:
        raise FaultsError(faults)
    scored = {f.shown: any(m.partition(",")[0] in ACCURACIES for t in f.tasks for m in t.metrics) for f in files}
    sampled = {f.shown: any(True for _ in f.path.parent.glob(f"*_{f.stamp}.jsonl")) for f in files}
    return lm_eval_models.models(lm_eval_models.named(files), scored, sampled)


def without_nll(table: pd.DataFrame) -> str:
    """How many cells have accuracies only, because their samples were not logged; empty when none."""
    cell = ["run", "step", "task", "num_fewshot"]
    metrics = table.fillna({"step": -1, "num_fewshot": -1}).groupby(cell)["metric"].agg(set)
    lacking = metrics[[not {"nll", "val_loss"} & found for found in metrics]]
    if lacking.empty:
        return ""
    tasks = sorted(set(lacking.index.get_level_values("task")))
    names = ", ".join(tasks[:5]) + (" …" if len(tasks) > 5 else "")
    return f"{len(lacking)} of {len(metrics)} cells have no NLL, since no samples were logged ({names})"


def _result_files(folder: Path, faults: list[Fault]) -> list[ResultFile]:
    paths = {*folder.rglob("results.json"), *folder.rglob("results_*.json")}
    paths |= {path for path in folder.rglob("*.json") if path not in paths and is_of_03(path)}
    found = []
    for path in sorted(paths, key=lambda p: (_stamp(p), p.as_posix())):
        try:
            data = path.read_bytes()
            content = json.loads(data)
            if not isinstance(content, dict) or not isinstance(content.get("results"), dict):
                raise ValueError("has no 'results'")
        except (OSError, ValueError) as error:
            faults.append(Fault(str(path), f"is not a result file of lm-eval: {error}"))
            continue
        found.append(ResultFile(path, content, _names(path, content), hashlib.sha256(data).hexdigest()))
    return found


def is_of_03(path: Path) -> bool:
    """Whether a file of any name is a result of lm-eval 0.3: results and versions of tasks, and how they were run."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False  # some other JSON file
    return isinstance(content, dict) and {"results", "versions", "config"} <= set(content) and "configs" not in content


def _stamp(path: Path) -> str:
    return path.stem.partition("_")[2] if path.stem.startswith("results") else ""


def _model_args(content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model arguments as the command line had them (empty when stored as a mapping) and as a mapping."""
    given = (content.get("config") or {}).get("model_args") or ""
    if isinstance(given, dict):
        return "", given
    pairs = (part.partition("=") for part in str(given).split(","))
    return str(given), {key: value for key, _, value in pairs}


def _names(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    _, args = _model_args(content)
    pretrained = str(args.get("pretrained") or "")
    revision = f"{pretrained}@{args['revision']}" if pretrained and args.get("revision") else None
    own = None if path.stem.startswith("results") else path.stem  # lm-eval 0.3 wrote a file per model
    names = [content.get("model_name"), revision, own, pretrained, content.get("model_name_sanitized"),
             path.parent.name, Path(pretrained).name]  # fmt: skip
    return tuple(dict.fromkeys(str(name) for name in names if name))


def places_of(folder: Path, faults: list[Fault]) -> dict[str, Place | None]:
    """The places that ``ladder.yaml`` in a folder gives, by model name; None for one that is listed with faults."""
    return _places(folder / LADDER, faults)


def _places(path: Path, faults: list[Fault]) -> dict[str, Place | None]:
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(content, dict):
            raise ValueError("must map model names to {run, family, params, tokens, …}")
    except (OSError, ValueError, yaml.YAMLError) as error:
        faults.append(Fault(str(path), f"cannot be read: {' '.join(str(error).split())}"))
        return {}
    return _validated(path, content, faults)


def _validated(path: Path, content: dict[Any, Any], faults: list[Fault]) -> dict[str, Place | None]:
    """Places by model name; None for one that is listed with faults."""
    places: dict[str, Place | None] = {}
    for name, given in content.items():
        try:
            places[str(name)] = Place.model_validate(given)
        except ValidationError as error:
            places[str(name)] = None
            for fault in error.errors():
                where = ".".join(map(str, (name, *fault["loc"])))
                what = "is missing" if fault["type"] == "missing" else fault["msg"]
                faults.append(Fault(f"{path}: {where}", what))
    return places


def _unplaced(file: ResultFile, folder: Path, places: Iterable[str]) -> Fault:
    name = file.names[0]
    near = difflib.get_close_matches(name, list(places), 1)
    fix = f"did you mean {near[0]!r}?" if near else "write {run, family, step, params, tokens, flops} for it"
    return Fault(str(folder / LADDER), f"model {name!r} is not in it", fix)


def _leaf_tasks(content: dict[str, Any]) -> list[str]:
    groups = {name for name, children in (content.get("group_subtasks") or {}).items() if children}
    groups |= set(content.get("groups") or {})
    return [task for task in content["results"] if task not in groups]


def _task_rows(file: ResultFile, task: str) -> list[dict[str, Any]]:
    """Accuracies as lm-eval reports them; losses and the score of guessing from the samples."""
    content, scores = file.content, file.content["results"][task]
    means = {}
    for metric in ACCURACIES:
        value = scores.get(f"{metric},none", scores.get(metric))  # lm-eval 0.3 knew no filters
        if isinstance(value, (int, float)):
            stderr = scores.get(f"{metric}_stderr,none", scores.get(f"{metric}_stderr"))
            means[metric] = Mean(float(value), stderr if isinstance(stderr, float) else math.nan)
    samples = _samples(file, task)
    config = (content.get("configs") or {}).get(task) or {}
    documents = _documents(samples, config, f"{file.path}: {task}") if means else []
    ran = content.get("config") or {}
    counted = ((content.get("n-samples") or {}).get(task) or {}).get("effective")
    shared = {
        "task": task,
        "num_fewshot": (content.get("n-shot") or {}).get(task, config.get("num_fewshot", ran.get("num_fewshot"))),
        "n": len(samples) or counted,
        "chance": document_metrics.chance(documents) if documents else math.nan,
        "lm_eval": str(content.get("lm_eval_version") or ("0.3" if "configs" not in content else "")),
        "task_version": str((content.get("versions") or {}).get(task, "")),
    }
    if documents:
        means |= document_metrics.losses(documents)
    return [{**shared, "metric": name, "value": m.value, "stderr": m.stderr} for name, m in means.items()]


def _samples(file: ResultFile, task: str) -> list[dict[str, Any]]:
    args, _ = _model_args(file.content)
    old = file.path.parent / f"{re.sub('/|=', '__', args)}_{task}.jsonl"
    path = file.path.parent / f"samples_{task}_{_stamp(file.path)}.jsonl" if _stamp(file.path) else old
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    # Not splitlines(): it also cuts at separators such as U+2028, which JSON leaves inside strings.
    lines = [line for line in text.split("\n") if line.strip()]
    found = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in lines]
    return [sample for sample in found if sample.get("filter", "none") == "none"]


def _documents(samples: Sequence[dict[str, Any]], config: dict[str, Any], where: str) -> list[Document]:
    """Per-document log-likelihoods with the gold answer, which the samples name by index or by its text.

    lm-eval writes both as strings, so ``"1"`` may be either: the reading that gives back the accuracy it recorded for
    every document is the right one.
    """
    parsed = [_answers(sample, str(config.get("target_delimiter", " "))) for sample in samples]
    if not parsed or config.get("output_type", "multiple_choice") not in ("multiple_choice", "loglikelihood"):
        return []
    for by_text in (False, True):
        documents = [_document(s, *p, by_text=by_text) for s, p in zip(samples, parsed, strict=True)]
        known = [d for d in documents if d is not None]
        if len(known) == len(samples) and all(map(_agrees, samples, known)):
            return known
    warnings.warn(f"{where}: the samples do not tell the gold answers; no losses", stacklevel=2)
    return []


def _answers(sample: dict[str, Any], delimiter: str) -> tuple[list[str], list[float]]:
    """Answers as asked, without the delimiter, and their log-likelihoods (nats)."""
    asked = sample["arguments"]
    pairs = [(a["arg_0"], a["arg_1"]) for a in asked.values()] if isinstance(asked, dict) else asked
    prompts, answers = [p[0] for p in pairs], [str(p[1]) for p in pairs]
    half = len(pairs) // 2
    if half and answers[:half] == answers[half:] and not any(prompts[half:]) and any(prompts[:half]):
        answers = answers[:half]  # the rest asks for the answers without the prompt (acc_mutual_info)
    logliks = [float(response[0]) for response in sample["filtered_resps"][: len(answers)]]
    if not all(map(math.isfinite, logliks)):
        raise ValueError(f"document {sample.get('doc_id')}: a log-likelihood is not finite")
    return [answer.removeprefix(delimiter) for answer in answers], logliks


def _document(sample: dict[str, Any], answers: list[str], logliks: list[float], *, by_text: bool) -> Document | None:
    target = sample["target"]
    if len(answers) == 1:
        gold = 0
    elif by_text:
        gold = answers.index(str(target)) if str(target) in answers else -1
    else:
        gold = int(target) if re.fullmatch(r"\d+", str(target)) else -1
    if not 0 <= gold < len(answers) or not (length := document_metrics.answer_bytes(answers[gold])):
        return None
    return Document(tuple(logliks), gold, length)


def _agrees(sample: dict[str, Any], document: Document) -> bool:
    if len(document.logliks) == 1 or "acc" not in sample:
        return True
    return float(sample["acc"]) == float(np.argmax(document.logliks) == document.gold)
