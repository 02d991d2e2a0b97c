"""Configs: every fault at once with its path, and FLOPs however YAML spells them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from benchcast.core.config import Config, load
from benchcast.core.errors import FaultsError
from benchcast.forecasting.recipes.ladder import LadderSettings

GOOD = """
data: {source: demo}
targets: [{flops: FLOPS}]
recipes: [llama3]
"""


def _load(text: str, tmp_path: Path) -> Config:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return load(path, Config)


@pytest.mark.parametrize("flops", ["1e18", "1.0e18", "1.0e+18", "1000000000000000000"])
def test_flops_in_every_spelling(flops: str, tmp_path: Path) -> None:
    """PyYAML reads 1e18 as a string."""
    assert _load(GOOD.replace("FLOPS", flops), tmp_path).targets[0].flops == 1e18


def test_five_distinct_mistakes_are_all_reported(tmp_path: Path) -> None:
    with pytest.raises(FaultsError) as caught:
        _load(
            """
titel: Mine
data: {source: dmo}
targets: [{flops: -1e18}]
recipes: [ladder, {name: llama3, floor: [0.5, 0.2]}]
level: 90
""",
            tmp_path,
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert caught.value.exit_code == 2
    for expected in (
        "titel: is not a known key (did you mean 'title'?)",
        "data.source: 'dmo'",
        "targets[0].flops: '-1e18'",
        "recipes[1].floor: the lower bound",
        "level: 90",
    ):
        assert any(expected in line for line in lines), (expected, lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b", "is not a mapping"),
        ("a: [", "cannot be read"),
        ("data: {source: demo}\ntargets: []\nrecipes: [llama3]", "targets"),
        ("data: {source: demo}\ntargets: [{params: 1e9}]\nrecipes: [llama3]", "targets[0]: give flops, or two of"),
        ("data: {source: demo}\ntargets: [{run: a, flops: 1}]\nrecipes: [llama3]", "targets[0]: give either run"),
        ("data: {source: demo}\ntargets: [{flops: 1}]\nrecipes: []", "recipes: "),
        ("data: {source: demo}\ntargets: [{flops: 1}]\nrecipes: [{name: ladder, lats: 1}]", "did you mean 'last'"),
        (
            "data: {source: demo}\ntargets: [{flops: 1}]\nrecipes: [llama3]\naverages: {a: {gsm8k em,x: 1}}",
            "averages.a: 'gsm8k em' has no weight (put a name with a comma in quotes)",
        ),
    ],
)
def test_a_mistake_names_its_key(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(FaultsError) as caught:
        _load(text, tmp_path)
    assert says in str(caught.value)


def test_a_python_object_in_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="cannot be read"):
        _load("!!python/object/apply:os.system ['true']", tmp_path)


def test_a_recipe_is_a_name_or_a_mapping(tmp_path: Path) -> None:
    config = _load(
        "data: {source: demo}\ntargets: [{flops: 1e20}]\nrecipes: [ladder, {name: ladder, last: 1}]", tmp_path
    )
    assert config.names_recipes
    assert [r.last for r in config.recipes if isinstance(r, LadderSettings)] == [None, 1]


def test_no_recipes_are_auto_and_the_published_ones(tmp_path: Path) -> None:
    config = _load("data: {source: demo}\ntargets: [{flops: 1e20}]", tmp_path)
    assert not config.names_recipes
    assert [r.name for r in config.recipes] == ["auto", "llama3", "overtraining", "ladder"]


def test_every_shipped_config_is_valid() -> None:
    from benchcast.comparing.policy import Policy
    from benchcast.core.config import ScoreConfig
    from benchcast.planning.config import PlanConfig

    configs = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
    assert configs
    for path in configs:
        # A forecast says what for, a plan for how many FLOPs, a gate by which rules, scoring which checkpoints.
        keys = set(yaml.safe_load(path.read_text()))
        kinds = {"targets": Config, "flops": PlanConfig, "rules": Policy, "score": ScoreConfig}
        load(path, next(kind for key, kind in kinds.items() if key in keys))


def test_every_key_says_what_it_is() -> None:
    """In its own words, or in those of the section that it holds: the documentation's tables have no empty cell."""
    schema = Config.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        for key, value in part.get("properties", {}).items():
            assert value.get("description") or "$ref" in str(value), key


def test_very_many_unknown_keys_are_told_soon(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {source: demo}\n" + "".join(f"key{i}: 1\n" for i in range(3_000)))
    started = time.process_time()
    with pytest.raises(FaultsError, match="more faults of the same input"):
        load(path, Config)
    assert time.process_time() - started < 10
