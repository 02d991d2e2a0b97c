"""Results of lighteval in the layouts of its versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from worlds.results.lm_eval_files import STAMP


def newest(model: str = "org/m", acc: Any = 0.5, **config: Any) -> dict[str, Any]:
    """The layout of 0.13: keys without a suite, ``model_config``, parameters of a metric in its name."""
    norm = "acc:logprob_normalization=LogProbCharNorm(name='norm', ignore_first_space=False)"
    token = "acc:logprob_normalization=LogProbTokenNorm(name='norm_token')"
    counts = {"num_fewshots": 25, "original_num_docs": 1172, "effective_num_docs": 1172}
    return {
        "config_general": {
            "lighteval_sha": "?",
            "num_fewshot_seeds": 1,
            "max_samples": None,
            "job_id": "0",
            "start_time": 1.0,
            "model_config": {
                "model_name": model,
                "generation_parameters": {"temperature": 0},
                "system_prompt": None,
                "revision": "main",
                "batch_size": 8,
                "dtype": "bfloat16",
                "add_special_tokens": True,
                "model_loading_kwargs": {},
                "override_chat_template": None,
            }
            | config,
            "model_name": model,
        },
        "results": {
            "arc:challenge|25": {"acc": acc, "acc_stderr": 0.014, norm: 0.6, norm + "_stderr": 0.015, token: 0.1},
            "mmlu:anatomy|5": {"acc": 0.3, "acc_stderr": 0.04},
            "mmlu:virology|5": {"acc": 0.28, "acc_stderr": 0.035},
            "mmlu:_average|5": {"acc": 0.29, "acc_stderr": 0.04},
            "gsm8k|5": {"extractive_match": 0.2},
            "all": {"acc": 0.36, "acc_stderr": 0.03},
        },
        "versions": {"arc:challenge|25": 0, "mmlu:anatomy|5": 0},
        "config_tasks": {"arc:challenge|25": counts},
        "summary_tasks": {},
        "summary_general": {},
    }


def older(model: str = "org/m", **general: Any) -> dict[str, Any]:
    """The layout before: keys with a suite, the model beside the rest."""
    about = {
        "lighteval_sha": "494ee12240e7",
        "max_samples": None,
        "model_name": model,
        "model_sha": 40 * "a",
        "model_dtype": "torch.bfloat16",
        "model_size": "15.08 GB",
    }
    scores = {
        "leaderboard|arc:challenge|25": {"acc": 0.5, "acc_stderr": 0.014, "acc_norm": 0.6, "acc_norm_token": 0.1},
        "all": {"acc": 0.5, "acc_stderr": 0.014},
    }
    tasks = {
        "leaderboard|arc:challenge": {"name": "arc:challenge", "original_num_docs": 1172, "effective_num_docs": 1172}
    }
    return {
        "config_general": about | general,
        "results": scores,
        "versions": {"leaderboard|arc:challenge|25": 0},
        "config_tasks": tasks,
        "summary_tasks": {},
    }


def put(folder: Path, content: Any, day: int = 1) -> Path:
    path = folder / "results" / "org" / "m" / f"results_{STAMP.format(day)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
