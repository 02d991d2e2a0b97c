"""Targets completed from what is given."""

from __future__ import annotations

import pytest
from benchcast.stages.compute.budget import complete_budget


def test_every_pair_gives_the_same_run() -> None:
    """Chinchilla: 70B parameters on 1.4T tokens (arXiv 2203.15556) is 5.88e23 FLOPs at 20 tokens per parameter."""
    whole = complete_budget(params=70e9, tokens=1.4e12)
    assert whole.flops == pytest.approx(5.88e23)
    assert whole.token_multiplier == pytest.approx(20)
    for given in (
        {"params": 70e9, "token_multiplier": 20},
        {"tokens": 1.4e12, "token_multiplier": 20},
        {"flops": 5.88e23, "token_multiplier": 20},
        {"flops": 5.88e23, "params": 70e9},
        {"flops": 5.88e23, "tokens": 1.4e12},
    ):
        found = complete_budget(**given)
        assert (found.flops, found.params, found.tokens) == pytest.approx((5.88e23, 70e9, 1.4e12))


def test_flops_alone_leave_size_and_tokens_open() -> None:
    assert complete_budget(flops=1e20).params is None


@pytest.mark.parametrize("given", [{}, {"params": 1e9}, {"params": 1e9, "tokens": 1e9, "token_multiplier": 20}])
def test_too_little_or_contradicting(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give"):
        complete_budget(**given)
