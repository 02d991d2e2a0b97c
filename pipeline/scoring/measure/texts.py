"""Validation loss of a text, from the windows of lm-eval's rolling log-likelihood.

A text is cut into windows of ``max_length`` tokens that do not overlap, each predicted from the one token before it
(BOS, or else EOS, before the first); only the last, shorter window is given more context.
"""

from __future__ import annotations

import math

import numpy as np

from ...data import document_metrics
from ...data.document_metrics import Mean
from ..inference.worker import JobResult
from ..requests.kinds.texts import ValidationText, Windows
from .base import Measured, rows
from .rolling import windows_frame


def of_text(text: ValidationText, windows: Windows, scored: JobResult, limit: int) -> Measured:
    """Loss on a text, nats per token and bits per byte; ``n`` is the number of windows."""
    lengths = windows.encoded.answers
    sizes = np.array([len(document.encode("utf-8")) for document in text.documents])
    loss = document_metrics.ratio(-scored.logliks, lengths)
    per_byte = int(lengths.sum()) / int(sizes.sum()) / math.log(2)
    means = {"val_loss": loss, "val_bpb": Mean(loss.value * per_byte, loss.stderr * per_byte)}
    shared = {"task": text.name, "n": len(lengths), "task_version": text.digest[:12]}
    values = {f"{name},none": mean.value for name, mean in means.items()}
    results = {"results": {text.name: {"alias": text.name, "sample_len": len(text.documents), **values}}}
    return Measured(rows=rows(shared, means), results=results, documents=windows_frame(windows, scored, sizes))
