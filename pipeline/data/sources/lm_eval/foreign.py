"""Which tool wrote a JSON file: results of other tools look alike, and none may be read as another's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LM_EVAL = "lm-eval"
LIGHTEVAL = "lighteval"
LEADERBOARD = "the first Open LLM Leaderboard"
EVERY_EVAL_EVER = "Every Eval Ever"
OLMES = "OLMES"

# Keys that only one tool's files have together; the first that fits tells. lm-eval's own are told apart before.
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (EVERY_EVAL_EVER, ("evaluation_results",)),
    ("Inspect", ("eval", "status")),
    ("HELM", ("adapter_spec",)),
    ("HELM", ("scenario_spec",)),
    ("HELM", ("request_states",)),
    (OLMES, ("task_name", "metrics", "task_config")),
    ("OLMES over all tasks", ("all_primary_scores",)),
    ("the OLMo evaluation", ("task_hash", "model_hash")),
    ("BIG-bench", ("model", "scores", "task")),
    ("BIG-bench", ("model", "scores", "shot_scores")),
    ("simple-evals", ("score:std",)),
    ("simple-evals", ("score", "chars")),
    ("simple-evals", ("score", "metrics")),
    ("OpenCompass", ("accuracy", "details")),
    ("OpenCompass", ("score", "details")),
    ("OpenCompass", ("0", "1")),
    ("the BigCode evaluation harness", ("config", "humaneval")),
    ("the BigCode evaluation harness", ("config", "mbpp")),
    ("EvalPlus", ("eval", "hash")),
    ("EvalScope", ("dataset_name", "model_name", "metrics")),
    ("VLMEvalKit", ("Overall", "split")),
    ("the Hugging Face Trainer", ("log_history", "global_step")),
    ("the Hugging Face Trainer", ("eval_loss", "epoch")),
    ("the Hugging Face Trainer", ("eval_accuracy", "epoch")),
    ("a model's config", ("architectures",)),
    ("a model's config", ("model_type",)),
    ("a tokenizer", ("tokenizer_class",)),
    ("promptfoo", ("evalId", "results")),
    ("promptfoo", ("results", "stats")),
)


def tool(content: Any) -> str:
    """The tool whose results (or other files) these are, by name; empty when it is not known."""
    if isinstance(content, list):
        first = content[0] if content and isinstance(content[0], Mapping) else {}
        helm = {"name", "count"} <= set(first) or {"instance_id", "stats"} <= set(first)
        return "HELM" if helm else ""
    if not isinstance(content, Mapping):
        return ""
    if written := _harness(content):
        return written
    return next((name for name, keys in _MARKS if set(keys) <= set(content)), "")


def _harness(content: Mapping[str, Any]) -> str:
    """Tools whose files have ``results`` by task: lm-eval, lighteval and the leaderboard that used a fork of both."""
    results = content.get("results")
    if not isinstance(results, Mapping):
        return LIGHTEVAL if {"config_general", "summary_tasks"} <= set(content) else ""
    general = content.get("config_general")
    if any(key.startswith("harness|") for key in results):
        return LEADERBOARD
    if isinstance(general, Mapping) or any("|" in key for key in results):
        return LIGHTEVAL
    if any(key in content for key in ("summary_tasks", "config_tasks")):
        return LIGHTEVAL
    if not all(isinstance(scores, Mapping) for scores in results.values()):
        return ""
    modern = isinstance(content.get("configs"), Mapping) and bool({"versions", "n-shot", "config"} & set(content))
    old = isinstance(content.get("versions"), Mapping) and set(content) <= {"results", "versions", "config", "groups"}
    filtered = any("," in str(metric) for scores in results.values() for metric in scores)
    run = isinstance(content.get("config"), Mapping) and "versions" in content
    return LM_EVAL if modern or old or filtered or run else ""
