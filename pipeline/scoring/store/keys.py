"""Identity of a score: two cells with the same key are the same number, and a scored key is never scored again.

The key covers everything that decides the number and nothing else. Batch size, device and torch's version are recorded
beside a cell, not in its key: they move log-likelihoods by rounding only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ...core.digest import object_digest

# Raise it when the same checkpoint and requests would give another number than before.
SCORER = 1


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How log-likelihoods are computed; ``max_length`` in tokens, empty for the model's own context."""

    lm_eval: str
    dtype: str
    add_bos_token: bool
    max_length: int | None
    backend: str = "hf"
    softmax_dtype: str = "float32"
    scorer: int = SCORER

    @property
    def digest(self) -> str:
        """SHA-256 over all fields, hex."""
        return object_digest(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One score: what checkpoint, asked what, how. ``task`` is the name of ``requests``, not part of the key.

    ``checkpoint`` is the content digest of weights, config and tokenizer; ``requests`` the hash of the built requests
    with their gold, which covers the task's version, data, template, shots, seed and limit.
    """

    checkpoint: str
    requests: str
    setup: Setup
    task: str

    @property
    def id(self) -> str:
        """The key as the 40 hex digits that name the cell's folder."""
        return cell_id(self.checkpoint, self.requests, self.setup.digest)


def cell_id(checkpoint: str, requests: str, setup: str) -> str:
    """The key of a cell from the digests of its parts."""
    return object_digest([checkpoint, requests, setup])[:40]
