"""Scores that came about differently are named on page one and in the terminal; targets in another unit are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pypdf
import pytest
from benchcast.core.config import Config
from benchcast.data import task_setup
from benchcast.forecasting.run import run
from benchcast.reports.text import forecast_table
from benchcast.stages.notices import CODES, Code

RECIPES = ["llama3", {"name": "auto", "refuse": False}]


def table() -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for i in range(10):
        n, d = 1e7 * 2.0**i, 2e8 * 2.0**i
        common = {
            "run": f"r{i}",
            "family": "m",
            "params": n,
            "tokens": d,
            "flops": 6 * n * d,
            "lm_eval": "0.4.9",
            "task_version": "1",
            "tokenizer": "a",
            "chat_template": "",
            "dtype": "bfloat16",
        }
        for task in ("q", "p"):
            rows.append(common | {"task": task, "metric": "acc", "value": 0.3 + 0.03 * i, "n": 1000, "chance": 0.25})
            rows.append(common | {"task": task, "metric": "nll", "value": 1 - 0.05 * i})
    return pd.DataFrame(rows)


def ask(frame: pd.DataFrame, **more: Any) -> Any:
    config: dict[str, Any] = {"data": {"source": "table"}, "targets": [{"run": "r9"}], "recipes": RECIPES, "figures": 0}
    return run(config | more, data=frame)


@pytest.mark.parametrize("run_", ["r3", "r9"])
def test_every_mix_is_named_by_every_recipe(run_: str) -> None:
    """All of them at once, each with a value of its own, so that none is taken for another."""
    frame = table()
    for column in task_setup.COLUMNS:
        frame.loc[frame["run"].eq(run_) & frame["task"].eq("q"), column] = f"other {column}"
    result = ask(frame)
    lines = [line for line in forecast_table.footnotes(result) if line.startswith("warning: ")]
    assert len(lines) == len(task_setup.COLUMNS)
    for column, code in task_setup.COLUMNS.items():
        for f in result.forecasts:
            assert (code.name in f.codes) == (f.task == "q"), (f.recipe, f.task)
            note = next((n for n in f.notes if n.endswith(f"({code.name})")), "")
            assert (f"other {column}" in note and CODES[code.name].meaning in note) == (f.task == "q")
            assert f.task != "q" or (" of the target" in note) == (run_ == "r9")
        assert sum(line.endswith(f"({code.name}): q") for line in lines) == 1


@pytest.mark.parametrize(("column", "code"), task_setup.COLUMNS.items())
def test_a_mix_alone_is_named_alone(column: str, code: Code) -> None:
    frame = table()
    frame.loc[frame["run"].eq("r3") & frame["task"].eq("q"), column] = "other"
    assert {c for f in ask(frame, recipes=["llama3"]).forecasts for c in f.codes if "mixed" in c} == {code.name}


def test_what_is_unknown_is_no_mix() -> None:
    frame = table()
    for column in task_setup.COLUMNS:
        frame.loc[frame["run"].isin(["r1", "r9"]), column] = ""
    frame.loc[frame["run"].eq("r2"), "task_version"] = "1.0"
    assert not any(code.startswith("mixed") for f in ask(frame).forecasts for code in f.codes)


def test_tasks_may_differ_from_each_other_and_an_average_has_the_mixes_of_its_tasks() -> None:
    frame = table()
    frame.loc[frame["task"].eq("p"), "task_version"] = "2"
    averages = {"averages": {"both": ["p", "q"]}}
    assert not any(code.startswith("mixed") for f in ask(frame, **averages).forecasts for code in f.codes)
    frame.loc[frame["task"].eq("p") & frame["run"].eq("r0"), "task_version"] = "1"
    named = {f.task for f in ask(frame, **averages).forecasts if "mixed-task-versions" in f.codes}
    assert named == {"p", "both"}


@pytest.mark.parametrize("recipes", [["llama3"], RECIPES])
def test_page_one_names_the_mix(recipes: Any, tmp_path: Path) -> None:
    frame = table()
    frame.loc[frame["run"].eq("r3"), "task_version"] = "0"
    paths = ask(frame, recipes=recipes).write(tmp_path)
    first = " ".join(pypdf.PdfReader(paths["pdf"]).pages[0].extract_text().split())
    assert "scored in different versions: 0, 1 in the ladder" in first.replace("The task was ", "")


def test_estimated_scores_are_no_other_version_and_stand_on_page_one(tmp_path: Path) -> None:
    frame = table()
    q = frame["task"].eq("q")
    frame.loc[q, "task_version"] = "1:abc"
    frame.loc[q & frame["run"].isin(["r3", "r9"]), "task_version"] = "1:abc" + task_setup.part_of_documents(20, 100)
    result = ask(frame)
    for f in result.forecasts:
        assert "mixed-task-versions" not in f.codes
        assert ("estimated-scores" in f.codes) == (f.task == "q"), (f.recipe, f.task)
        assert f.task != "q" or f.versions == {"q": "1:abc"}
    first = " ".join(pypdf.PdfReader(result.write(tmp_path)["pdf"]).pages[0].extract_text().split())
    assert "in the ladder and of the target are estimated from some" in first
    assert "20 of 100 documents" in first


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"params": 70, "tokens": 1400}, "70 parameters cannot be a language model's; are they in billions?"),
        ({"params": 70e9, "tokens": 1400}, "are the tokens in billions?"),
        ({"params": 70e9, "tokens": 1.4e6}, "are the tokens in millions?"),
        ({"params": 70e9, "token_multiplier": 2e9}, "cannot be"),
        ({"flops": 1e22, "token_multiplier": 1e-9}, "cannot be"),
        ({"flops": 1e22, "params": 70}, "cannot be"),
        ({"flops": 1e22, "params": 7e9, "tokens": 7e9}, "flops is not near 6*params*tokens"),
        ({"flops": 1e22, "params": True}, "params: must be a number"),
        ({"flops": float("inf")}, "finite"),
        ({"flops": float("nan")}, "finite"),
    ],
)
def test_a_target_that_cannot_be_is_a_fault(target: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("*", r"\*").replace("?", r"\?")):
        Config.model_validate({"data": {"source": "demo"}, "targets": [target], "recipes": ["ladder"]})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"recipes": ["ladder", "ladder"]}, r"recipes\[1\]: repeats recipes\[0\]"),
        ({"targets": [{"run": "a"}, {"run": "a"}]}, r"targets\[1\]: repeats targets\[0\]"),
        ({"recipes": [{"name": "llama3", "floor": 25}]}, "percent"),
        ({"recipes": [{"name": "ladder", "floor": [float("nan"), 0.5]}]}, "finite"),
        ({"recipes": [{"name": "llama3", "middle": "params"}]}, "is not a loss"),
        ({"recipes": [{"name": "overtraining", "loss": "accuracy"}]}, "is not a loss"),
        ({"figures": True}, "figures: must be a number"),
        ({"level": 90}, "less than 1"),
    ],
)
def test_a_setting_that_cannot_be_is_a_fault(change: dict[str, Any], says: str) -> None:
    good = {"data": {"source": "demo"}, "targets": [{"run": "a"}], "recipes": ["ladder"]}
    with pytest.raises(ValueError, match=says):
        Config.model_validate(good | change)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"name": "x", "params": 1e4, "tokens": 2e5}, "times fewer than the smallest fitted run's"),
        ({"name": "x", "flops": 1e30}, "times the largest fitted run's"),
        ({"name": "x", "params": 1e10, "tokens": 5e7}, "0.005 tokens per parameter"),
        ({"name": "x", "flops": 2e20, "params": 1e9, "tokens": 2e10}, "times 6·params·tokens"),
    ],
)
def test_a_target_as_far_off_as_a_unit_is_told(target: dict[str, Any], says: str) -> None:
    result = ask(table(), targets=[target], recipes=["llama3"])
    assert any("target x" in note and says in note for note in result.provenance.account.notes)


def test_a_usual_target_is_told_nothing() -> None:
    result = ask(table(), targets=[{"name": "x", "params": 7e10, "tokens": 1.4e12}], recipes=["llama3"])
    assert not result.provenance.account.notes


@pytest.mark.parametrize("runs", [1, 2, 3])
def test_an_average_of_too_few_runs_says_so(runs: int) -> None:
    frame = table()
    frame = frame[frame["run"].isin([f"r{i}" for i in range(runs)])]
    result = ask(
        frame,
        targets=[{"name": "x", "flops": 1e20, "token_multiplier": 20}],
        averages={"a": ["q", "p"]},
        recipes=["auto"],
    )
    assert {f.task for f in result.forecasts} == {"p", "q", "a"}
    for f in result.forecasts:
        assert f.notes
        assert "few-points" in f.codes
        assert f.forecast is None if runs == 1 else f.grade in ("C", "D")
