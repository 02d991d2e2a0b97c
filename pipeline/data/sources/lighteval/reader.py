"""Read what ``lighteval`` wrote: ``results/<model>/results_<stamp>.json``, from its first versions to 0.13.

The files of the first Open LLM Leaderboard have the same layout and are read too. A task's key is
``suite|task|shots`` (0.13: ``task|shots``); ``all`` and ``…:_average`` are averages and no tasks. Only the results are
read, not the details, so that there are accuracies and no losses. Which model it was, its hash and its precision stand
in ``config_general``. ``ladder.yaml`` in the folder places the models, as it does for lm-eval's results.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import Fault
from ..lm_eval import files as lm_eval_files
from ..lm_eval import foreign, identity
from ..lm_eval import reader as lm_eval
from ..lm_eval.files import Records, ResultFile, Task
from ..lm_eval.identity import Identity
from ..lm_eval.models import Model

__all__ = ["models", "read_lighteval"]

# Arguments of a model that say how it was run; what is generated does not matter for accuracies of choices.
RUNNING = (
    "model_name",
    "generation_parameters",
    "model_parallel",
    "compile",
    "continuous_batching",
    "host",
    "skip_special_tokens",
    "system_prompt",
    "override_chat_template",
    "use_chat_template",
)
# Accuracy after dividing by the answer's characters: lm-eval's acc_norm.
BY_LENGTH = re.compile(r"^acc:logprob_normalization=LogProbCharNorm\(.*\)$")


def read_lighteval(folder: Path, account: Account | None = None, placed: dict[str, Any] | None = None) -> pd.DataFrame:
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
    """The results of lighteval below a folder, oldest first, and the other tools' files by tool.

    A task that several suites ask in their own way has the suite for its prompt.
    """
    tools = (foreign.LIGHTEVAL, foreign.LEADERBOARD)
    files, others = lm_eval_files.records(folder, account, faults, tools, _record)
    suites: dict[str, set[str]] = {}
    for file in files:
        for task in file.tasks:
            suites.setdefault(task.name, set()).add(task.prompt)
    several = {task for task, prompts in suites.items() if len(prompts) > 1}
    for name in sorted(several):
        account.note(readers.SEVERAL_SUITES(task=name, suites=", ".join(sorted(suites[name]))))
    return [
        replace(file, tasks=tuple(t if t.name in several else replace(t, prompt="") for t in file.tasks))
        for file in files
    ], others


TOOL = lm_eval.Tool("lighteval", result_files)


def _record(path: Path, name: str, data: bytes, content: dict[str, Any]) -> ResultFile:
    general = _mapping(content.get("config_general"))
    limit = general.get("max_samples")
    sha = str(general.get("lighteval_sha") or "").strip("? ")[:8]
    return ResultFile(
        path=path,
        shown=name,
        stamp=lm_eval_files.stamp_of(path),
        digest=hashlib.sha256(data).hexdigest(),
        identity=_identity(general),
        version=f"lighteval {sha}".strip(),
        limit=limit if limit != -1 else None,
        date="",
        args_text="",
        tasks=tuple(_task(content, str(key)) for key in content["results"]),
        groups=(),
        old=False,
    )


def _identity(general: Mapping[str, Any]) -> Identity:
    """The model, from ``model_config`` (0.9 and later) or the fields beside it (before)."""
    config = _mapping(general.get("model_config"))
    args = {str(key): identity.text(value) for key, value in config.items() if key not in RUNNING}
    if args.get("add_special_tokens") == "True":
        del args["add_special_tokens"]  # what it does unless told otherwise
    name = identity.text(general.get("model_name")) or identity.text(config.get("model_name"))
    facts = {
        "dtype": identity.text(general.get("model_dtype")) or identity.text(config.get("dtype")),
        "model_sha": identity.text(general.get("model_sha")),
    }
    template = [
        "applied"
        if config.get("override_chat_template") or config.get("use_chat_template") or general.get("use_chat_template")
        else "",
        identity.sha_of({"system": config.get("system_prompt") or general.get("system_prompt")}, "system"),
    ]
    prompt_setup = "+".join(filter(None, (template[0], template[1] and f"system:{template[1]}")))
    return identity.made(
        name,
        name,
        identity.text(config.get("revision")),
        facts,
        args,
        tokenizer=args.get("tokenizer", ""),
        template=prompt_setup,
    )


def _task(content: Mapping[str, Any], key: str) -> Task:
    scores = content["results"][key]
    if not isinstance(scores, Mapping):
        raise ValueError(f"task {key!r} has no mapping of scores")
    suite, name, shots = parts_of(key)
    settings = _settings(_mapping(content.get("config_tasks")), key, name)
    counts = {which: settings.get(f"{which}_num_docs") for which in ("effective", "original")}
    known = {which: count if reading.number(count) > 0 else None for which, count in counts.items()}
    version = _mapping(content.get("versions")).get(key, settings.get("version", ""))
    return Task(
        name=name,
        shots=shots,
        version=str(version),
        metrics=_metrics(scores),
        effective=known["effective"],
        original=known["original"],
        output_type="",
        delimiter=" ",
        digest="",
        prompt=suite,
    )


def parts_of(key: str) -> tuple[str, str, int | None]:
    """Suite, task and number of shots of a task's key; empty and None for what it does not say."""
    parts = key.split("|")
    if len(parts) > 3 and parts[-1] in ("0", "1") and parts[-2].isdecimal():
        parts.pop()  # whether fewer shots were allowed
    shots = int(parts.pop()) if len(parts) > 1 and parts[-1].isdecimal() else None
    return ("|".join(parts[:-1]), parts[-1], shots) if len(parts) > 1 else ("", parts[0], shots)


def _settings(tasks: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    """The config of a task, whose key has the shots or not, depending on the version."""
    keys = (key, key.rpartition("|")[0], name)
    return next((_mapping(tasks[k]) for k in keys if k in tasks), {})


def _metrics(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers by metric, the accuracy by length under its usual name; no name has a comma, which marks filters."""
    metrics: dict[str, Any] = {}
    for given, value in scores.items():
        name, error = (str(given).removesuffix("_stderr"), "_stderr" if str(given).endswith("_stderr") else "")
        usual = "acc_norm" if BY_LENGTH.match(name) and f"acc_norm{error}" not in scores else name
        metrics.setdefault(usual.replace(",", ";") + error, value)
    return metrics


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
