"""Log-likelihoods from a live model: every request's answer, exactly as lm-eval defines it.

Three things make it fast without changing a number. Requests of one document that begin alike share their prefix
(``rows``). The output head, most of a small model's work, is applied only where answer tokens are predicted. Batches
are planned once for all checkpoints. Whether a model really computes a row of branches as it computes the requests
one by one is not assumed but tried on it, on a sample of the requests; where it does not, nothing is shared.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..requests.encoded import Encoded
from .rows import Batch, batches, halves, rows

SAMPLE_DOCUMENTS = 16  # documents the two ways are compared on
TOLERANCE_FLOAT32, TOLERANCE_16BIT = 1e-4, 0.5  # nats they may differ by: rounding in float32, and in 16 bits
TOKENS_PER_ROW = 512  # a batch holds at most this many padded tokens for each of ``batch_size`` rows
logger = logging.getLogger(__name__)
Share = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class Answers:
    """Log-likelihood of every request's answer (nats), (r,), and whether it is the greedy one, (r,) of bool."""

    logliks: NDArray[np.float64]
    greedy: NDArray[np.bool_]


@dataclass(kw_only=True)
class Layout:
    """The batches of a set of requests, and how small they had to be made to fit the device."""

    batches: list[Batch]
    batch_size: int
    shared: bool


def layout(encoded: Encoded, limit: int, batch_size: int, *, share: bool) -> Layout:
    """Plan the batches of ``encoded`` for a context of ``limit`` tokens."""
    planned = rows(encoded, limit, share=share)
    return Layout(
        batches=batches(planned, batch_size, batch_size * TOKENS_PER_ROW), batch_size=batch_size, shared=share
    )


def answer(model: Any, encoded: Encoded, planned: Layout) -> Answers:
    """Score every request; a batch that does not fit is halved, and so are all that follow."""
    logliks = np.zeros(len(encoded))
    greedy = np.ones(len(encoded), dtype=bool)
    queue = list(reversed(planned.batches))
    with torch.inference_mode():
        while queue:
            batch = queue.pop()
            try:
                token_logliks, token_greedy = _batch(model, batch)
            except torch.OutOfMemoryError:
                if len(batch.tokens) == 1:
                    raise
                torch.cuda.empty_cache()
                planned.batch_size = max(1, len(batch.tokens) // 2)
                queue = [part for b in queue for part in reversed(_fit(b, planned.batch_size))]
                queue += reversed(_fit(batch, planned.batch_size))
                planned.batches = [part for b in planned.batches for part in _fit(b, planned.batch_size)]
                logger.debug("out of memory at %d rows: batches of at most %d", len(batch.tokens), planned.batch_size)
                continue
            np.add.at(logliks, batch.request, token_logliks)
            np.logical_and.at(greedy, batch.request, token_greedy)
    return Answers(logliks, greedy)


def shares(model: Any, encoded: Encoded, limit: int, batch_size: int, share: Share) -> bool:
    """Whether to share prefixes: when the model computes the same numbers that way, and it pays.

    On a GPU both ways are timed on a sample, because the mask of a row of branches rules out the fastest attention
    kernels; on a CPU fewer tokens are less work, and ``rows`` shares only where they are fewer.
    """
    if share == "never" or not _accepts_branches(model, encoded, limit):
        return False
    sample = _sample(encoded)
    plain, branched = (layout(sample, limit, batch_size, share=way) for way in (False, True))
    if not any(batch.shared for batch in branched.batches):
        return False
    try:
        one_by_one, together = answer(model, sample, plain), answer(model, sample, branched)
    except (RuntimeError, ValueError, TypeError, IndexError):  # this architecture takes no such mask
        return False
    tolerance = TOLERANCE_FLOAT32 if next(model.parameters()).dtype == torch.float32 else TOLERANCE_16BIT
    finite = np.isfinite(one_by_one.logliks) & np.isfinite(together.logliks)
    apart = float(np.abs(one_by_one.logliks - together.logliks)[finite].max(initial=0.0)) if finite.any() else np.inf
    if apart > tolerance:
        logger.debug("prefixes are not shared: the two ways differ by %g nats, allowed are %g", apart, tolerance)
        return False
    if share == "auto" and next(model.parameters()).device.type == "cuda":
        return _seconds(model, sample, branched) < _seconds(model, sample, plain)
    return True


def _fit(batch: Batch, most: int) -> list[Batch]:
    return [batch] if len(batch.tokens) <= most else [part for half in halves(batch) for part in _fit(half, most)]


def _batch(model: Any, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log-probability of every answer token (nats) and whether it is the most likely one."""
    device = next(model.parameters()).device
    at = torch.from_numpy(batch.at).to(device)
    logits = _logits(model, batch, at, device).float()
    wanted, place = torch.from_numpy(batch.wanted).to(device), torch.from_numpy(batch.place).to(device)
    top = logits.amax(-1)
    of_wanted = logits[place, wanted]
    greedy = of_wanted == top[place]
    # Of several best tokens (common in 16 bits) lm-eval takes the first: look for it only where it matters.
    greedy[greedy.clone()] = logits[place[greedy]].argmax(-1) == wanted[greedy]
    normaliser = logits.sub_(top[:, None]).exp_().sum(-1).log_().add_(top)
    return (of_wanted - normaliser[place]).double().cpu().numpy(), greedy.cpu().numpy()


def _logits(model: Any, batch: Batch, at: Any, device: Any) -> Any:
    """Logits at the flattened positions ``at``, (len(at), vocabulary)."""
    given = {"input_ids": torch.from_numpy(batch.tokens).to(device)}
    if batch.shared:
        branches = torch.from_numpy(batch.branches).to(device)
        given["position_ids"] = torch.from_numpy(batch.positions).to(device)
        given["attention_mask"] = _mask(branches, next(model.parameters()).dtype)
    if "use_cache" in inspect.signature(model.forward).parameters:
        given["use_cache"] = False
    with _only(model.get_output_embeddings(), at) as reduced:
        logits = model(**given).logits
    return logits[0] if reduced else logits.reshape(-1, logits.shape[-1])[at]


def _mask(branches: Any, dtype: Any) -> Any:
    """Additive attention mask (b, 1, l, l): a token sees what comes before it in the prefix and in its own branch."""
    length = branches.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branches.device).tril()
    key, query = branches[:, None, :], branches[:, :, None]
    seen = causal & ((key == 0) | (key == query))
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


@contextlib.contextmanager
def _only(head: Any, at: Any) -> Iterator[list[bool]]:
    """Hand the output head the hidden states at ``at`` only; what the model does after it stays as it is.

    Yields a list that is filled once that happened.
    """
    happened: list[bool] = []

    def pick(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if len(args) == 1 and args[0].dim() == 3:
            happened.append(True)
            return (args[0].reshape(-1, args[0].shape[-1])[at][None],)
        return None

    if head is None:
        yield happened
        return
    handle = head.register_forward_pre_hook(pick)
    try:
        yield happened
    finally:
        handle.remove()


def _accepts_branches(model: Any, encoded: Encoded, limit: int) -> bool:
    names = inspect.signature(model.forward).parameters
    if not {"position_ids", "attention_mask"} <= set(names):
        return False
    if model.config._attn_implementation not in ("sdpa", "eager"):
        return False
    # A ready-made mask replaces a layer's own window of attention.
    windows = [getattr(model.config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    longest = min(int(encoded.lengths.max(initial=0)), limit + 1)
    return all(window is None or window >= longest for window in windows)


def _sample(encoded: Encoded) -> Encoded:
    """The requests of some documents, spread evenly over all of them."""
    documents = np.unique(encoded.documents)
    few = documents[np.unique(np.linspace(0, len(documents) - 1, SAMPLE_DOCUMENTS).astype(int))]
    keep = np.isin(encoded.documents, few)
    of_token = np.repeat(keep, encoded.lengths)
    return Encoded(
        tokens=encoded.tokens[of_token],
        lengths=encoded.lengths[keep],
        answers=encoded.answers[keep],
        documents=encoded.documents[keep],
    )


def _seconds(model: Any, sample: Encoded, plan: Layout) -> float:
    times: Sequence[float] = []
    for _ in range(3):
        torch.cuda.synchronize()
        began = time.perf_counter()
        answer(model, sample, plan)
        torch.cuda.synchronize()
        times = [*times, time.perf_counter() - began]
    return min(times)
