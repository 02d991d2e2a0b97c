"""Validation loss of a text, from the windows of lm-eval's rolling log-likelihood.

A text is cut into windows of ``max_length`` tokens that do not overlap, each predicted from the one token before it
(BOS, or else EOS, before the first); only the last, shorter window is given more context.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ...data import document_metrics
from ...data.document_metrics import Mean
from ..inference.worker import JobResult
from ..requests.kinds.texts import ValidationText, Windows
from .base import Measured, rows


def of_text(text: ValidationText, windows: Windows, scored: JobResult, limit: int) -> Measured:
    """Loss on a text, nats per token and bits per byte; ``n`` is the number of windows."""
    lengths = windows.encoded.answers
    sizes = np.array([len(document.encode("utf-8")) for document in text.documents])
    tokens, total = int(lengths.sum()), int(sizes.sum())
    loss = -float(scored.logliks.sum()) / tokens
    # A ratio of sums over windows: its error is that of the residuals about the ratio.
    spread = document_metrics.mean(list((-scored.logliks - loss * lengths) / lengths.mean())).stderr
    per_byte = tokens / total / math.log(2)
    means = {"val_loss": Mean(loss, spread), "val_bpb": Mean(loss * per_byte, spread * per_byte)}
    shared = {"task": text.name, "n": len(lengths), "task_version": text.digest[:12]}
    first = np.concatenate([[True], np.diff(windows.documents) > 0])
    frame = pd.DataFrame(
        {
            "doc_id": windows.documents,
            "loglik": scored.logliks,
            "greedy": scored.greedy,
            "answer_tokens": lengths,
            "prompt_tokens": windows.encoded.prompts,
            "document_bytes": np.where(
                first, sizes[windows.documents], 0
            ),  # of the whole document, at its first window
        }
    )
    values = {f"{name},none": mean.value for name, mean in means.items()}
    results = {"results": {text.name: {"alias": text.name, "sample_len": len(text.documents), **values}}}
    return Measured(rows=rows(shared, means), results=results, documents=frame)
