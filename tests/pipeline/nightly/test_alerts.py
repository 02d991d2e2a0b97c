"""What a pass says when the run, its data, the config or the files beside them are not as they were."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pandas as pd
import pytest
from benchcast.registry import register
from worlds import nightly as world

pytestmark = pytest.mark.usefixtures("blank_pages")


@pytest.fixture(scope="module")
def running(first_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = world.copy(first_night, tmp_path_factory.mktemp("running"))
    assert world.here(config).returncode == 0
    return config


@pytest.fixture
def config(running: Path, tmp_path: Path) -> Path:
    return world.copy(running, tmp_path)


def says(config: Path, *words: str, code: int = 3) -> None:
    result = world.here(config)
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    found = world.messages(result.stderr)
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found


def test_the_benchmark_changed(config: Path) -> None:
    table = pd.read_csv(config.parent / "ladder.csv")
    table.loc[table["task"].eq("hard"), "task_version"] = 2
    table.to_csv(config.parent / "ladder.csv", index=False)
    says(config, "benchmark: big, hard", "1 when registered, 2 now")


def test_the_scorer_changed(config: Path) -> None:
    table = pd.read_csv(config.parent / "ladder.csv")
    table["lm_eval"] = "0.4.14"
    table.to_csv(config.parent / "ladder.csv", index=False)
    says(config, "scorer: big", "0.4.13", "0.4.14")


def test_data_is_gone_until_it_is_accepted(config: Path) -> None:
    table = pd.read_csv(config.parent / "ladder.csv")
    table[~table["run"].eq("1B")].to_csv(config.parent / "ladder.csv", index=False)
    says(config, "gone: 1B", "2e+09 tokens")
    assert world.here(config).returncode == 3
    accepted = world.here(config, "--accept-gone")
    assert accepted.returncode == 0
    assert [line.split(":")[0] for line in world.messages(accepted.stderr)] == ["cleared"]
    assert world.here(config).stderr == ""
    world.grow(config, 0.2)  # the points of the deleted checkpoint are still in the series
    assert world.here(config).returncode == 0
    latest = json.loads((config.parent / "nightly" / "reports" / "latest" / "tracking.json").read_text())
    assert len(latest[0]["tasks"][0]["points"]) == 2


def test_a_task_is_scored_no_more(config: Path) -> None:
    table = pd.read_csv(config.parent / "ladder.csv")
    table[~table["task"].eq("hard")].to_csv(config.parent / "ladder.csv", index=False)
    says(config, "benchmark: big, hard", "no longer scored")
    again = world.here(config)
    assert (again.returncode, again.stderr) == (3, "")


def test_the_plan_was_edited(config: Path) -> None:
    world.edit(config, targets=[{"name": "big", "params": world.N, "tokens": 2 * world.D}])
    says(config, "plan: big", "40B tokens, but 1B parameters on 20B tokens is registered")
    assert world.here(config, "--register").returncode == 0
    assert len(register.read(config.parent / "nightly" / "forecasts.jsonl")) == 2


def test_a_second_big_run_leaves_the_band_of_the_first_as_it_was(config: Path) -> None:
    world.edit(
        config,
        targets=[
            {"name": "big", "params": world.N, "tokens": world.D},
            {"name": "next", "params": 3 * world.N, "tokens": 3 * world.D},
        ],
        reevaluate={"track": {"big": "1B", "next": "3B"}},
    )
    assert world.here(config).returncode == 0
    entries = [e["registered"] for e in world.history(config) if e.get("registered")]
    assert [e["targets"] for e in entries] == [["big"], ["next"]]
    assert [e["late"] for e in entries] == [[], []]
    assert entries[0]["hash"] != entries[1]["hash"]
    tracks = json.loads((config.parent / "nightly" / "reports" / "latest" / "tracking.json").read_text())
    assert [(t["target"], t["hash"]) for t in tracks] == [("big", entries[0]["hash"]), ("next", entries[1]["hash"])]


def test_another_recipe_leaves_no_band_to_track(config: Path) -> None:
    world.edit(config, recipes=[{"name": "llama3", "middle": "bits_per_byte"}])
    result = world.here(config)
    assert result.returncode == 1
    assert "forecast: big: recipe llama3 gave no forecast" in result.stderr
    assert "verdict: 1B: no registered forecast: recipe llama3 gave no number for any task.\n" in result.stderr


def test_another_run_came(config: Path) -> None:
    table = pd.read_csv(config.parent / "ladder.csv")
    more = world.rows("1B", 7 * world.N, 2e9)  # what was there under this name is another run now
    pd.concat([table[~table["run"].eq("1B")], more]).to_csv(config.parent / "ladder.csv", index=False)
    result = world.here(config)
    assert result.returncode == 3
    assert "plan: big: 1B has 7B parameters, but 1B were planned" in result.stderr
    assert result.stderr.startswith("verdict: 1B: cannot be judged: 1B has 7B parameters, but 1B were planned.\n")


def test_the_table_is_broken(config: Path) -> None:
    before = world.contents(config)
    path = config.parent / "ladder.csv"
    path.write_text(path.read_text().replace("mix,", "mixed,", 1))
    says(config, "ladder.csv", "several params or families", code=1)
    assert world.contents(config) == before


def test_the_notifiers_hear_once_that_the_pass_fails_and_once_that_it_works_again(config: Path) -> None:
    world.edit(config, reevaluate={"notify": {"command": ["/bin/sh", "-c", "cat >> heard"]}})
    whole = (config.parent / "ladder.csv").read_text()
    (config.parent / "ladder.csv").write_text(whole.replace("mix,", "mixed,", 1))
    first, second = world.here(config), world.here(config)
    assert first.returncode == second.returncode == 1
    assert first.stderr == second.stderr  # cron mails it every night
    (config.parent / "ladder.csv").write_text(whole)
    assert world.here(config).stderr.startswith("cleared: the pass works again, after: ")
    heard = (config.parent / "heard").read_text().splitlines()
    assert [line.split(":")[0] for line in heard] == ["error", "cleared"]


def test_the_config_was_edited_elsewhere(config: Path) -> None:
    world.edit(config, title="another title")
    result = world.here(config, "-v")
    assert result.returncode == 0
    assert "the config was edited" in result.stdout
    assert world.history(config)[-1]["config_edited"]


def test_the_config_is_broken(config: Path) -> None:
    before = world.contents(config)
    world.edit(config, recipes=["laddr"])
    says(config, "recipes", "laddr", code=2)
    assert world.contents(config) == before


def test_the_clock_was_set_back(config: Path) -> None:
    path = config.parent / "nightly" / "history.jsonl"
    path.write_text(path.read_text().replace(f'"time": "{datetime.date.today().year}', '"time": "2999'))
    says(config, "clock:", "2999")
    assert world.here(config).stderr == ""


def test_the_forecast_cannot_be_made(config: Path) -> None:
    world.edit(config, runs={"fit": "no-such-*"})
    says(config, "forecast:", "no-such-*", code=2)
    world.edit(config, runs={"fit": None})
    cleared = world.here(config)
    assert cleared.returncode == 0
    assert world.messages(cleared.stderr)[0].startswith("cleared: forecast")


def test_the_history_was_cut(config: Path) -> None:
    path = config.parent / "nightly" / "history.jsonl"
    before = path.read_text()
    path.write_text(before + '{"seq": ')
    # One bad line does not stop the pass: it is named, set aside, and the pass goes on.
    says(config, "history.jsonl: line 3", "set aside", "restore", code=1)
    assert path.with_name("history.bad").read_text() == '{"seq": \n'
    assert path.read_text().startswith(before)
    cleared = world.here(config)
    assert [line.split(":")[0] for line in world.messages(cleared.stderr)] == ["cleared"]
    assert cleared.returncode == 0


def test_the_register_was_edited(config: Path) -> None:
    path = config.parent / "nightly" / "forecasts.jsonl"
    path.write_text(path.read_text().replace('"level":0.9', '"level":0.8', 1))
    world.grow(config, 0.2)
    says(config, "forecasts.jsonl: line 1", "edited", code=2)
