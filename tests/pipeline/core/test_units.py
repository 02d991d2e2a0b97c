"""Counts as people write them, in configs and on the command line."""

from __future__ import annotations

from typing import Any

import pytest
from benchcast.core import units
from benchcast.core.config import Config
from benchcast.core.score_settings import PlaceSettings
from benchcast.planning.config import PlanConfig
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("7B", 7e9),
        ("7b", 7e9),
        ("2.3B", 2.3e9),
        ("1.4T", 1.4e12),
        ("160k", 160_000),
        ("70 M", 7e7),
        ("1e3M", 1e9),
        ("4Mi", 2**22),
        (7_000_000, 7e6),
    ],
)
def test_a_count_is_the_number_it_says(written: Any, number: float) -> None:
    assert units.quantity(written) == number


@pytest.mark.parametrize("text", ["3.8e25", "C4", "7,0B", "inf", ""])
def test_what_has_no_unit_is_left_to_who_asked(text: str) -> None:
    assert units.quantity(text) == text


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("1.4 TB", "TB counts bytes; write 1.4T for 1.4 trillion"),
        ("7 billion", "write 7B"),
        ("20x", "write 20"),
        ("5 PFLOPs", "'PFLOPs' is not a unit here; K, M, B and T are thousand"),
        ("1.4T tokens", "'T tokens' is not a unit here"),
    ],
)
def test_another_unit_is_refused_with_what_to_write(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        units.quantity(written)


@pytest.mark.parametrize(("written", "both"), [("4k", "4000 or 4096"), ("0.5M", "500000 or 524288")])
def test_tokens_of_a_step_or_sequence_may_be_powers_of_two(written: str, both: str) -> None:
    with pytest.raises(ValueError, match=f"may mean {both}"):
        units.length(written)
    assert units.length("4Ki") == 4096
    assert units.length("2B") == 2e9


def test_every_count_of_a_config_takes_units() -> None:
    config = Config.model_validate(
        {"data": {"source": "demo"}, "targets": [{"name": "x", "params": "7B", "tokens": "1.4T"}], "recipes": ["auto"]}
    )
    assert (config.targets[0].params, config.targets[0].tokens) == (7e9, 1.4e12)
    assert PlanConfig.model_validate({"flops": ["3.8e25", "1e10T"]}).flops == (3.8e25, 1e22)
    assert PlaceSettings(params="160K", tokens_per_step="4Mi", seq_len="4Ki").seq_len == 4096  # type: ignore[arg-type]
    for wrong in ({"tokens_per_step": "4M"}, {"seq_len": "4k"}):
        with pytest.raises(ValidationError, match="may mean"):
            PlaceSettings.model_validate(wrong)
