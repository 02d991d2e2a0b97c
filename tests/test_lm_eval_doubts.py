"""Two statements of one fact in results that do not agree: found by the fuzzer, each gets its line or its fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval_results import write_results

from pipeline.account import Account
from pipeline.errors import FaultsError
from pipeline.sources import lm_eval


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_results(tmp_path, with_samples=False)
    places = {f"acme/lm-{size}": {"family": "f", "params": n, "tokens": 20 * n} for size, n in SIZES.items()}
    (tmp_path / "ladder.yaml").write_text(json.dumps(places))
    return tmp_path


SIZES = {"10M": 1e7, "25M": 2.5e7, "60M": 6e7, "150M": 1.5e8, "400M": 4e8, "1.1B": 1.1e9, "2.8B": 2.8e9}


def change(folder: Path, size: str, edit: Any) -> None:
    (path,) = folder.glob(f"*lm-{size}/results_*.json")
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def told(folder: Path) -> str:
    account = Account()
    lm_eval.read(folder, account)
    return "\n".join(account.record().told())


def test_nothing_is_told_where_all_agree(folder: Path) -> None:
    change(folder, "10M", lambda c: c["config"].update(model_num_parameters=10_400_000))
    assert "differ" not in told(folder)


def test_a_size_far_from_what_the_results_state_is_told(folder: Path) -> None:
    change(folder, "10M", lambda c: c["config"].update(model_num_parameters=1_000_000_000))
    assert "differ for 1 models" in told(folder)
    assert "acme/lm-10M: 1e+07 and 1e+09" in told(folder)


def test_shots_stated_twice_are_told(folder: Path) -> None:
    change(folder, "60M", lambda c: c["n-shot"].update(quiz=5))
    assert "quiz 5 and 0 (acme__lm-60M/" in told(folder)


def test_a_model_that_its_arguments_do_not_name_is_told(folder: Path) -> None:
    change(folder, "60M", lambda c: c["config"].update(model_args="pretrained=acme/other"))
    assert "acme/lm-60M and acme/other" in told(folder)


def test_an_accuracy_that_is_a_list_is_a_fault(folder: Path) -> None:
    change(folder, "60M", lambda c: c["results"]["quiz"].update({"acc,none": [0.5]}))
    with pytest.raises(FaultsError, match=r"task quiz, acc: \[0\.5\] is no number"):
        lm_eval.read(folder)
