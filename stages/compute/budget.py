"""FLOPs, parameters and tokens: what a target leaves open follows from C = 6·N·D."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainingBudget:
    """A training run as the laws see it: C in FLOPs, N in parameters, D in tokens; N and D may be unknown."""

    flops: float
    params: float | None = None
    tokens: float | None = None

    @property
    def token_multiplier(self) -> float | None:
        """Tokens per parameter, M = D/N."""
        return self.tokens / self.params if self.tokens and self.params else None


def complete_budget(
    flops: float | None = None,
    params: float | None = None,
    tokens: float | None = None,
    token_multiplier: float | None = None,
) -> TrainingBudget:
    """Complete a target from what is given: FLOPs, or (N, D), or (N, M), or (C, M), or (C, N), or (C, D).

    Uses C = 6ND (Kaplan et al., arXiv 2001.08361, section 2.1) for whatever is missing; given values are kept.

    Raises
    ------
    ValueError
        When neither FLOPs nor two of N, D, M are given, or when N, D and M contradict each other.
    """
    if params and tokens and token_multiplier and not math.isclose(tokens, params * token_multiplier, rel_tol=0.02):
        raise ValueError("tokens, params and token_multiplier contradict each other; give two of them")
    if token_multiplier:
        if params:
            tokens = tokens or params * token_multiplier
        elif tokens:
            params = tokens / token_multiplier
        elif flops:
            params = math.sqrt(flops / (6 * token_multiplier))
            tokens = params * token_multiplier
    elif flops and params and not tokens:
        tokens = flops / (6 * params)
    elif flops and tokens and not params:
        params = flops / (6 * tokens)
    # Attention and embeddings move C by less than a factor of two: more than three is a slip in a number.
    if flops and params and tokens and not 1 / 3 < flops / (6 * params * tokens) < 3:
        raise ValueError("flops is not near 6*params*tokens; give two of the three")
    if flops is None:
        if not (params and tokens):
            raise ValueError("give flops, or two of params, tokens and token_multiplier")
        flops = 6 * params * tokens
    return TrainingBudget(flops=flops, params=params, tokens=tokens)
