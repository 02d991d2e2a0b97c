"""lm-eval's model class around one loaded checkpoint: tokens, truncation and log-likelihoods.

The tokens and the log-likelihoods come from lm-eval's own code, so they are its numbers. Two things differ: logits
are computed only where answers are predicted, and requests are given to it one answer length at a time.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline import checkpoints
from pipeline.checkpoints import Checkpoint, CheckpointError
from pipeline.config import ScoreSettings
from pipeline.lm_eval_tasks import Task, TaskError

MOST_TRUNCATED = 0.01  # of a task's documents
CHUNK = 512  # requests of like length that share one range of positions to score
Encoded = tuple[Any, list[int], list[int]]  # lm-eval's ((context, continuation), context tokens, continuation tokens)


def load(checkpoint: Checkpoint, settings: ScoreSettings, device: str) -> Any:
    """lm-eval's ``HFLM`` of a checkpoint; see ``checkpoints.load`` for what is refused."""
    from lm_eval.models.huggingface import HFLM

    model = checkpoints.load(checkpoint, settings.dtype, device)
    return HFLM(
        pretrained=model,
        backend="causal",
        tokenizer=str(checkpoint.folder),
        trust_remote_code=False,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        add_bos_token=settings.add_bos_token,
        softmax_dtype="float32",  # in half precision most log-likelihoods would coincide
    )


def encode(lm: Any, task: Task) -> list[Encoded]:
    """The task's requests as token ids, made by lm-eval's own code."""
    lm._loglikelihood_tokens = lambda encoded, **_: encoded
    try:
        return list(lm.loglikelihood(task.requests, disable_tqdm=True))
    finally:
        del lm._loglikelihood_tokens


def truncated(task: Task, encoded: Sequence[Encoded], limit: int) -> int:
    """How many documents lose the start of a prompt to the context length of ``limit`` tokens.

    Raises
    ------
    TaskError
        When they are more than 1 % of the documents, or an answer alone is longer than the context, or empty.
    """
    cut, position = 0, 0
    for question in task.questions:
        own = encoded[position : position + len(question.requests)]
        position += len(question.requests)
        if any(not 0 < len(answer) <= limit for _, _, answer in own):
            raise TaskError(f"an answer has no tokens, or more than the model's {limit}")
        cut += any(len(prompt) + len(answer) > limit + 1 for _, prompt, answer in own)
    if cut > MOST_TRUNCATED * len(task.questions):
        raise TaskError(f"{cut} of {len(task.questions)} prompts are longer than the model's {limit} tokens")
    return cut


def loglikelihoods(lm: Any, encoded: Sequence[Encoded]) -> list[tuple[float, bool]]:
    """Log-likelihood (nats) of every continuation, and whether it is the greedy one.

    Raises
    ------
    CheckpointError
        When one is not finite.
    """
    limit = lm.max_length
    given = [min(len(prompt) + len(answer), limit + 1) - 1 for _, prompt, answer in encoded]
    results: list[tuple[float, bool]] = [(math.nan, False)] * len(encoded)
    # One answer length at a time. Where one sequence is cut into prompt and answer at two places, lm-eval 0.4.13
    # computes it once and reads both answers from the start of the longer one: wrong log-likelihoods, no warning.
    order = sorted(range(len(encoded)), key=lambda i: (len(encoded[i][2]), given[i], encoded[i][1], encoded[i][2]))
    for length, group in itertools.groupby(order, key=lambda i: len(encoded[i][2])):
        alike = list(group)
        for chunk in (alike[start : start + CHUNK] for start in range(0, len(alike), CHUNK)):
            with _head_only(lm, keep=given[chunk[-1]] - given[chunk[0]] + length):
                found = lm._loglikelihood_tokens([encoded[i] for i in chunk], disable_tqdm=True)
            for i, result in zip(chunk, found, strict=True):
                results[i] = result
    bad = sum(not math.isfinite(loglik) for loglik, _ in results)
    if bad:
        raise CheckpointError(f"{bad} of {len(results)} log-likelihoods are not finite")
    return results


@contextlib.contextmanager
def _head_only(lm: Any, keep: int) -> Iterator[None]:
    """Compute logits at the last ``keep`` positions only: most of a small model is its output head.

    lm-eval's code copes with logits that lack the first positions.
    """
    if "logits_to_keep" not in inspect.signature(lm.model.forward).parameters:
        yield
        return
    import torch

    def call(inputs: Any) -> Any:
        with torch.inference_mode():
            return lm.model(inputs, use_cache=False, logits_to_keep=keep).logits

    lm._model_call = call
    try:
        yield
    finally:
        del lm._model_call
