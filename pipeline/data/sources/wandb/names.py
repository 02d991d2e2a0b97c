"""What the columns of a Weights & Biases export say: clocks, scores, losses, and what is none of them."""

from __future__ import annotations

import re

from ..trainer.state import OBJECTIVE

ACCURACY = re.compile(r"(?:.*/)?([^/]+)/(acc|acc_norm)(?:,none)?")
LOSS = re.compile(
    r"(eval|evaluation|val|valid|validation|test)[/_.-](?:(.+)[/_.-])?loss|(?:(.+)[/_.-])?(val|valid|validation|test)_loss"
)
PARTS = (
    "train",
    "training",
    "eval",
    "evaluation",
    "val",
    "valid",
    "validation",
    "test",
    "dev",
    "all",
    "average",
    "_average",
    "mean",
)
TRAINING = ("train", "training")
SUMMARIES = ("best", "min", "lowest")  # over the run so far: of no checkpoint of its own
# The trainer's own count of optimizer steps comes before W&B's count of logged lines.
STEPS = (
    "trainer/global_step",
    "train/global_step",
    "global_step",
    "train/step",
    "optimizer_step",
    "Step",
    "step",
    "_step",
)
LOGGED = ("Step", "step", "_step")  # W&B's own count, unless the chart's x axis was set to something else
TOKENS = (
    "tokens",
    "train/tokens",
    "trainer/tokens",
    "tokens_seen",
    "train/tokens_seen",
    "total_tokens",
    "train/total_tokens",
    "consumed_tokens",
    "train/consumed_tokens",
    "num_input_tokens_seen",
    "train/num_input_tokens_seen",
    "throughput/total_tokens",
    "num_tokens",
    "train/num_tokens",
)
# What W&B itself knows of a run: no measurements.
OWN = {
    "name",
    "state",
    "created",
    "id",
    "notes",
    "user",
    "tags",
    "runtime",
    "sweep",
    "group",
    "job type",
    "updated",
    "end time",
    "hostname",
    "gpu type",
    "gpu count",
    "commit",
    "git commit",
    "description",
    "_runtime",
    "_timestamp",
    "_wandb",
    "relative time (wall)",
    "relative time (process)",
    "wall time",
    "duration",
}
UNFINISHED = {"running", "crashed", "failed", "killed", "preempted", "preempting", "pending"}


def what(name: str) -> tuple[str, str] | None:
    """Task and metric of a logged name; None where it is neither a benchmark's accuracy nor a validation loss."""
    if set(name.lower().split("/")[:-1]) & {*TRAINING}:
        return None
    if (match := ACCURACY.fullmatch(name)) and match[1].lower() not in PARTS:
        return match[1], match[2]
    if match := LOSS.fullmatch(name):
        split, text = (match[1], match[2]) if match[1] else (match[4], match[3])
        if text and text.lower() in (*TRAINING, *OBJECTIVE, *SUMMARIES):
            return None
        test = split == "test"
        if text in (None, *PARTS):
            return ("test" if test else "validation"), "val_loss"
        return (f"test_{text}" if test else text), "val_loss"
    return None


def why_not(name: str) -> str:
    """Why a logged name is not read."""
    low = name.lower()
    if set(low.split("/")[:-1]) & {"train", "training"} or low.startswith(("train_", "train.")):
        return "columns of the training itself (train/…), which are no validation and no benchmark"
    if match := LOSS.fullmatch(name):
        if (match[2] or match[3] or "").lower() in SUMMARIES:
            return "least losses of a run so far, which are of no checkpoint"
        return "losses of the training itself or its objective (train, aux, z, kl …), which are of no validation text"
    if low.endswith(("ppl", "perplexity", "word_perplexity", "byte_perplexity")):
        return "perplexities; log the loss (its logarithm, nats per token) as eval/loss"
    if "stderr" in low:
        return "columns of standard errors"
    if ACCURACY.fullmatch(name):
        return "accuracies of a split or a mean, which name no benchmark"
    return "columns that are neither <task>/acc, <task>/acc_norm nor a validation loss (eval/loss, val_loss)"
