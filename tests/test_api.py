"""The Python API: entry points that take what people have, and results that print."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import benchcast
import pandas as pd
import pytest
import yaml
from benchcast import BenchcastError, Result, run, run_plan, run_planned
from benchcast.core.errors import FaultsError
from benchcast.data.ingest import demo
from benchcast.forecasting import frames
from benchcast.forecasting import run as forecast_module

ASKED = {
    "title": "Recall <b>&",
    "data": {"source": "demo"},
    "targets": [{"run": "1.3M-10x"}],
    "recipes": ["llama3", {"name": "ladder", "last": 3}],
    "tasks": ["recall"],
}


@pytest.fixture(scope="module")
def result() -> Result:
    return run(ASKED)


def test_a_mapping_a_file_and_a_config_give_the_same(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text(yaml.safe_dump(ASKED))
    assert run(path) == result
    assert run(str(path)) == result
    assert run(benchcast.Config.model_validate(ASKED)) == result


def test_relative_paths_start_at_the_configs_folder(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo().table.to_csv(tmp_path / "ladder.csv", index=False)
    (tmp_path / "asked.yaml").write_text(yaml.safe_dump(ASKED | {"data": {"source": "table", "path": "ladder.csv"}}))
    monkeypatch.chdir("/")
    assert run(tmp_path / "asked.yaml").forecasts == result.forecasts


def test_a_frame_stands_for_the_table(result: Result) -> None:
    table = demo().table
    assert run(ASKED, data=table).forecasts == result.forecasts
    table.loc[table.index[:3], "value"] = -1.0
    with pytest.raises(FaultsError, match="row"):
        run(ASKED, data=table)


def test_a_wrong_key_is_named() -> None:
    with pytest.raises(BenchcastError, match=r"config: recipe: is not a known key .*recipes"):
        run({**ASKED, "recipe": []})


def test_printing(result: Result) -> None:
    text, page = str(result), result._repr_html_()
    first = result.forecasts[0]
    assert first.forecast is not None
    number = f"{100 * first.forecast:.1f}"
    assert "Recall <b>&" in text
    assert re.search(rf"^recall +1\.3M-10x +{re.escape(number)} \(", text, re.M)
    assert number in page
    assert "<b>" not in page
    assert "Recall &lt;b&gt;&amp;" in page
    assert repr(result).startswith("<Result: 1.3M-10x, ")
    assert "\n" not in repr(result)
    assert re.fullmatch(r"<Forecast by llama3: 1\.3M-10x on recall: [\d.]+ % \([\d.]+ to .*confidence\)>", repr(first))


def test_a_measured_score_that_recipes_average_differently_is_a_range(result: Result) -> None:
    low, high = sorted(f"{100 * f.actual:.1f}" for f in result.forecasts if f.actual is not None)
    assert low != high
    assert f"{low}–{high}" in str(result)


def test_the_frame_has_the_columns_of_the_csv(result: Result, tmp_path: Path) -> None:
    paths = result.write(tmp_path, html=True)
    written, frame = pd.read_csv(paths["csv"]), result.to_frame()
    assert set(written.columns) <= set(frame.columns)
    assert written["forecast"].tolist() == pytest.approx(frame["forecast"].tolist())
    assert json.loads(paths["json"].read_text())["title"] == ASKED["title"]
    assert {p.suffix for p in paths.values()} == {".pdf", ".json", ".csv", ".html"}


def test_a_planned_run_by_the_same_laws() -> None:
    planned = run_planned(ASKED, {"flops": 1e14, "token_multiplier": 20})
    assert {f.flops for f in planned.forecasts} == {1e14}


def test_the_answer_and_a_task_as_figures(result: Result) -> None:
    answer = result.plot()
    assert [label.get_text() for label in answer.axes[0].get_yticklabels()] == ["recall"]
    one = result.plot("recall")
    assert one.axes[0].get_xlabel() == "training FLOPs"
    assert one.axes[0].get_title(loc="left") == "recall"
    for figure in (answer, one):  # what a notebook asks for, without a magic
        assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    with pytest.raises(BenchcastError, match="task 'guess' was not forecast; there are: recall"):
        result.plot("guess")
    with pytest.raises(BenchcastError, match="not forecast in family 'x'"):
        result.plot("recall", family="x")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """The recall scores of the demo as somebody keeps them: a row per checkpoint, a column per metric."""
    table = demo().table
    kept = table[table["task"].eq("recall") & table["metric"].isin(["acc", "bits_per_byte"])]
    wide = kept.pivot_table(index=["run", "params", "tokens"], columns="metric", values="value").reset_index()
    return wide.rename(columns={"acc": "accuracy"})


def test_a_frame_is_forecast_by_keywords(frame: pd.DataFrame) -> None:
    made = benchcast.forecast(frame, params=3e6, token_multiplier=20, recipes=["ladder"])
    table = demo().table
    same = table[table["task"].eq("recall") & table["metric"].isin(["acc", "bits_per_byte"])]
    asked = {"data": {"source": "table"}, "recipes": ["ladder"], "targets": [{"params": 3e6, "tokens": 6e7}]}
    by_config = run(asked, data=same)
    assert made.forecasts[0].forecast == pytest.approx(by_config.forecasts[0].forecast, abs=1e-6)
    assert made.forecasts[0].low == pytest.approx(by_config.forecasts[0].low, abs=1e-6)
    assert made.forecasts[0].target == "3M on 60M tokens"
    shuffled = frame[frame.columns[::-1]].assign(token_multiplier=1.0)  # it follows from others
    again = benchcast.forecast(shuffled, token_multiplier=20, params=3e6, recipes=["ladder"], name="mine")
    assert again.forecasts[0].forecast == pytest.approx(made.forecasts[0].forecast, abs=1e-6)
    assert again.forecasts[0].target == "mine"


def test_what_is_wrong_with_a_frame_is_said_at_once(frame: pd.DataFrame) -> None:
    with pytest.raises(FaultsError) as told:
        benchcast.forecast(frame.drop(columns="tokens").assign(colour=1), flops=1e16)
    assert "frame: has no column 'tokens'" in str(told.value)
    assert "frame: column 'colour' is no metric" in str(told.value)
    with pytest.raises(FaultsError, match="has no column of scores"):
        benchcast.forecast(frame[["run", "params", "tokens"]], flops=1e16)
    with pytest.raises(BenchcastError, match="give flops, or two of params, tokens and token_multiplier"):
        benchcast.forecast(frame, params=3e6)
    with pytest.raises(FaultsError, match="params '1M' is not a number"):
        benchcast.forecast(frame.assign(params="1M"), flops=1e16)
    with pytest.raises(FaultsError, match="percentage"):
        benchcast.forecast(frame.assign(accuracy=100 * frame["accuracy"]), flops=1e16)


def test_results_are_frozen(result: Result) -> None:
    with pytest.raises(ValueError, match="frozen"):
        result.title = "x"  # type: ignore[misc]


def test_a_plan_prints() -> None:
    plan = run_plan({"flops": 5.76e23})
    assert "parameters" in str(plan)
    assert "<table>" in plan._repr_html_()
    assert plan.to_frame()["params"].gt(1e9).any()
    assert repr(plan).startswith("<PlanResult: With 5.8×10²³ FLOPs train ")


def test_the_package_loads_nothing_heavy() -> None:
    code = "import sys, benchcast; print(sorted({'numpy', 'pandas', 'pydantic', 'scipy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_name_is_there() -> None:
    for name in benchcast.__all__:
        assert getattr(benchcast, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        benchcast.walk  # noqa: B018


def test_the_docstrings_example() -> None:
    assert doctest.testmod(forecast_module).failed == 0
    assert doctest.testmod(frames).failed == 0
