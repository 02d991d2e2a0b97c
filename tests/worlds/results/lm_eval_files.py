"""Result files of lm-eval, one by one, in the layout of 0.4.3 and later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import FaultsError
from benchcast.data.sources.lm_eval import reader
from benchcast.reports.records.account import Account

STAMP = "2026-01-0{}T00-00-00.000000"


def result(args: str | dict[str, Any], acc: Any = 0.5, task: str = "arc_easy", **changes: Any) -> dict[str, Any]:
    """One task's results of one model."""
    pairs = args if isinstance(args, dict) else dict(part.split("=") for part in args.split(","))
    usual: dict[str, Any] = {
        "results": {task: {"alias": task, "acc,none": acc, "acc_stderr,none": 0.01}},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "output_type": "multiple_choice", "num_fewshot": 0, "target_delimiter": " "}},
        "versions": {task: 1.0},
        "n-shot": {task: 0},
        "n-samples": {task: {"original": 2376, "effective": 2376}},
        "config": {"model": "hf", "model_args": args, "limit": None},
        "lm_eval_version": "0.4.9",
        "date": 1.7e9,
        "model_name": pairs.get("peft") or pairs.get("pretrained", ""),
        "task_hashes": {},
        "chat_template": None,
    }
    return usual | changes


def put(folder: Path, content: Any, day: int = 1, place: str = "m") -> Path:
    """Write a result file; its path."""
    path = folder / place / f"results_{STAMP.format(day)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def put_samples(results: Path, task: str, right: list[bool], **changes: Any) -> Path:
    """Samples beside a result file: two answers of four bytes, of which the first is the gold one."""
    lines = []
    for number, good in enumerate(right):
        logliks = [-2.0, -3.0] if good else [-4.0, -3.0]
        lines.append(
            {
                "doc_id": number,
                "target": "0",
                "filter": "none",
                "acc": float(good),
                "arguments": {f"gen_args_{i}": {"arg_0": "Q:", "arg_1": f" abc{i}"} for i in range(2)},
                "filtered_resps": [[str(loglik), "False"] for loglik in logliks],
            }
            | changes
        )
    path = results.parent / f"samples_{task}_{results.stem.removeprefix('results_')}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def ladder(folder: Path, steps: dict[str, int]) -> None:
    """``ladder.yaml``: every model at a step of run ``a``."""
    places = {n: {"run": "a", "family": "f", "step": s, "params": 1e8, "tokens": 1e6 * s} for n, s in steps.items()}
    (folder / "ladder.yaml").write_text(json.dumps(places), encoding="utf-8")


def faults(folder: Path) -> str:
    """What is wrong with results that are refused."""
    with pytest.raises(FaultsError) as caught:
        reader.read_lm_eval(folder)
    return str(caught.value)


def account_lines(folder: Path) -> str:
    """What is said of results that are read."""
    account = Account()
    reader.read_lm_eval(folder, account)
    return "\n".join(account.record().lines())
