"""A target as an object: its label is written and read by the same module."""

from __future__ import annotations

import pytest
from benchcast.reports.records.target import Target


@pytest.mark.parametrize("name", ["7B-4T", "7B @ 4T", "a @ 2e+11 tokens", "任务"])
@pytest.mark.parametrize("tokens", [1.23456789e11, 3.95e12, 1e9])
def test_a_length_is_read_back(name: str, tokens: float) -> None:
    length = Target(name=name, params=7e9, tokens=tokens, flops=None, is_length=True)
    assert length.label == f"{name} @ {tokens:.6g} tokens"
    assert Target.of(length.label, params=7e9, tokens=tokens, flops=None) == length


@pytest.mark.parametrize("tokens", [None, 4e12])
def test_a_name_that_looks_like_one_is_a_name(tokens: float | None) -> None:
    end = Target.of("7B @ 2e+11 tokens", params=7e9, tokens=tokens, flops=1e23)
    assert end.name == end.label == "7B @ 2e+11 tokens"
    assert not end.is_length
