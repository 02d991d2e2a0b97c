"""Names as the report words them: pure functions, no PDF."""

from __future__ import annotations

import pytest
import yaml
from benchcast.reports.sections.provenance import Dumper
from benchcast.reports.text import metric_names, wording


def test_names_lose_what_could_disturb_their_neighbours() -> None:
    assert wording.clean("a\nb\x00\u202e\ud800c") == "a b\ufffd\ufffd\ufffdc"
    assert wording.clean("x" * 99, 11) == "xxxxx…xxxxx"


def test_large_numbers_of_a_config_stay_numbers() -> None:
    config = {"flops": 3.8e25, "tokens": 1e18, "level": 0.9, "params": 6887575552.0}
    shown = yaml.dump(config, Dumper=Dumper)
    assert yaml.safe_load(shown) == config
    assert "3.8e+25" in shown


def test_a_law_is_called_by_the_step_that_it_takes() -> None:
    assert wording.step("loss", "accuracy") == "step from loss to accuracy"
    assert wording.step("parameters, tokens", "bits/byte") == "step from parameters, tokens to loss"


@pytest.mark.parametrize(
    ("task", "metric", "said"),
    [
        ("piqa", "acc", "piqa"),
        ("recall_phrase exact_match,first-word", "exact_match,first-word", "recall_phrase: exact match (first-word)"),
    ],
)
def test_a_heading_has_the_metric_in_words(task: str, metric: str, said: str) -> None:
    assert metric_names.spelled(task, metric) == said
