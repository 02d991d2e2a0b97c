"""Inputs that no table may be made of: exit code 2, nothing written, and words that lead to the fault."""

from __future__ import annotations

import re

import pytest
from worlds.shell import Shell, case


@pytest.mark.parametrize(
    ("number", "source", "where", "words"),
    [
        ("12", "wandb", "a-percent", ("(?i)percent",)),
        ("12", "wandb", "b-percent-sign", (r"31\.2%",)),
        ("12", "wandb", "c-semicolon-decimal-comma", ("(?i)semicolon",)),
        ("12", "wandb", "e-step-thousands", ("12,000",)),
        ("12", "wandb", "f-decimal-comma-quoted", ("0,312",)),
        ("13", "wandb", "c-grouped", ("Group: 100m",)),  # ladder.yaml does not say where a group stands
        ("13", "wandb", "d-duplicate-run-columns", ()),
        ("14", "trainer", "c-tokens-counted-after-resume", ("tokens",)),
        ("14", "trainer", "g-tokens-fall-as-steps-grow", ("tokens",)),
        ("14", "trainer", "e-moe-config", ("expert",)),
        ("14", "trainer", "f-sum-loss", ()),
    ],
)
def test_a_refused_input_is_named(sh: Shell, number: str, source: str, where: str, words: tuple[str, ...]) -> None:
    case(number, sh.folder)
    said = sh.refused(source, where)
    for word in words:
        assert re.search(word, said), said


def test_thousands_in_steps_are_no_matter_of_tokens_per_step(sh: Shell) -> None:
    case("12", sh.folder)
    assert "tokens_per_step" not in sh.refused("wandb", "e-step-thousands")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("forecast", "c.yaml", "--data", "tokens_in_billions_flops_given.csv"), ("tokens per parameter", "illion")),
        (("plan", "--flops", "1e22", "--data", "both_in_billions.csv"), ("tokens per parameter", "illion")),
        (("plan", "--flops", "1e22", "--data", "tokens_in_billions.csv"), ("tokens per parameter", "illion")),
        (("plan", "--flops", "1e22", "--data", "tokens_in_millions.csv"), ("tokens per parameter", "illion")),
        (("plan", "--flops", "1e22", "--data", "with_nan_inf_loss.csv"), ("nan",)),
        (("plan", "--flops", "1e22", "--data", "semicolon_decimal_comma.csv"), ("semicolon", "Semicolon")),
        (("plan", "--flops", "1e22", "--data", "suffixes.csv"), ("50M",)),
        (("plan", "--flops", "1e22", "--data", "thousands.csv"), ("50,000,000",)),
        (("forecast", "billions_target.yaml"), ("illion",)),
    ],
)
def test_other_units_and_other_numbers_are_refused(
    sh: Shell, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """One of the words is in the message."""
    folders = {"c.yaml": "18", "billions_target.yaml": "19"}
    files = {"both_in_billions.csv": "16", "tokens_in_billions.csv": "16", "tokens_in_millions.csv": "16"}
    case(folders.get(arguments[1]) or files.get(arguments[-1], "17"), sh.folder)
    done = sh(*arguments)
    assert done.code == 2, done.text
    assert any(word in done.err for word in words), done.err
