"""The registry of recipes: what lies in the folder is a recipe, by its own name and settings; no list names it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchcast.core.config import RECIPES, Config, load
from benchcast.core.errors import FaultsError
from benchcast.forecasting.recipes import all_recipes
from worlds.ladders import make_ladder

TOY = '''
"""A toy: every target gets the mean score of the ladder."""

from typing import Literal

from benchcast.core.settings import RecipeSettings
from benchcast.forecasting.recipe import Recipe


class ToySettings(RecipeSettings):
    """The mean of all scores, give or take."""

    name: Literal["toy"] = "toy"
    width: float


def run(job, settings, context):
    from benchcast.forecasting.chains.base import baselines, baselines_at, common_fields
    from benchcast.forecasting.job import RecipeOutput
    from benchcast.reports.records.forecast import Forecast

    direct, seen = baselines(job, 1)
    mean = float(seen["accuracy"].mean())
    made = [
        Forecast(
            **common_fields("toy", job, target, 1), forecast=mean, low=mean - settings.width,
            high=mean + settings.width, stderr=settings.width, status="ok", notes=(), actual=None,
            baselines=baselines_at(direct, seen, target),
        )
        for target in job.targets
    ]
    return RecipeOutput(forecasts=made)


RECIPE = Recipe(settings=ToySettings, run=run)
'''
ASK = """
import sys, pathlib
import benchcast.forecasting.recipes as recipes
recipes.__path__.append(sys.argv[1])
from benchcast import run
from benchcast.core.config import Config
result = run({"data": {"source": "table"}, "targets": [{"flops": 1e22}], "recipes": [{"name": "toy", "width": 0.1}]},
             data=pathlib.Path(sys.argv[2]))
print(result.forecasts[0].recipe, round(result.forecasts[0].high - result.forecasts[0].low, 6))
print("toy" in str(Config.model_json_schema()), "ToySettings" in Config.model_json_schema()["$defs"])
print(result.provenance.config["recipes"])
print(result)
"""


def test_the_recipes_are_those_of_the_folder_in_the_order_of_their_ranks() -> None:
    assert list(all_recipes()) == list(RECIPES) == ["auto", "llama3", "overtraining", "ladder"]
    for name, recipe in all_recipes().items():
        assert recipe.name == name
        assert recipe.settings.model_fields["name"].default == name


def test_reading_a_config_imports_no_science() -> None:
    code = "import sys, benchcast.core.config; print([m for m in ('scipy', 'sklearn', 'joblib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_new_recipe_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    make_ladder(noise=0.003).to_csv(tmp_path / "ladder.csv", index=False)
    command = [sys.executable, "-c", ASK, str(tmp_path), str(tmp_path / "ladder.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "toy 0.2"
    assert lines[1] == "True True"
    assert lines[2] == "[{'name': 'toy', 'width': 0.1}]"
    assert "toy" in "\n".join(lines[3:])


def test_an_unknown_recipe_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    plain = {"data": {"source": "demo"}, "targets": [{"run": "x"}], "recipes": ["lama"]}
    (tmp_path / "c.yaml").write_text(str(plain))
    with pytest.raises(FaultsError, match=r"auto.*llama3.*overtraining.*ladder"):
        load(tmp_path / "c.yaml", Config)
