"""The alert rules: each finds what it is for and says nothing when all is well; a new one is one file."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.core.config import Target
from benchcast.data.ingest import Data
from benchcast.nightly.alerts import grouping, rules
from benchcast.nightly.alerts.conditions import exit_code
from benchcast.nightly.alerts.contexts import ForecastProblem, ObservedRun, ObservedTask, PassInputs
from benchcast.nightly.tracking.bands import Band
from benchcast.nightly.tracking.points import Point
from benchcast.stages.monitor.sequential import Series, Verdict
from benchcast.stages.notices import CODES, Code
from worlds.ladders import ROOT

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
INPUTS = PassInputs(
    data=Data(table=pd.DataFrame(), label="made up"), data_digest="d", history=Path("nightly/history.jsonl"), began=NOW
)
BAND = Band(
    tokens=np.array([1e9, 2e10]),
    forecast=np.array([0.4, 0.5]),
    low=np.array([0.38, 0.48]),
    high=np.array([0.42, 0.52]),
    level=0.9,
    params=1e9,
    planned=2e10,
)
POINT = Point(
    run="1B",
    task="quiz",
    step=100.0,
    tokens=1e9,
    params=1e9,
    metric="acc",
    value=0.4,
    stderr=0.01,
    n=2000.0,
    version="1",
    digest="c",
)
RUN = ObservedRun(
    target=Target(name="big", params=1e9, tokens=2e10),
    points={"quiz": [POINT]},
    bands={"quiz": BAND},
    versions_then={"quiz": ["1"]},
    versions_now={"quiz": ["1"]},
    setup_then="lm-eval 0.4.13",
    setup_now="lm-eval 0.4.13",
)


def task(**flags: list[int]) -> ObservedTask:
    """A task at three checkpoints, of which the tests flag some."""
    scores = np.array([0.40, 0.46, 0.41])
    zero = np.zeros(3, dtype=np.int8)
    verdict = Verdict(drift=zero, outside=zero, dropped=zero.astype(bool))
    series = Series(
        tokens=np.array([1e9, 2e9, 3e9]),
        value=scores,
        stderr=np.full(3, 0.01),
        checkpoint_std=np.full(3, 0.01),
        forecast=np.array([0.40, 0.42, 0.44]),
        low=np.array([0.38, 0.40, 0.42]),
        high=np.array([0.42, 0.44, 0.455]),
        band_std=np.full(3, 0.01),
    )
    changes = {name: np.array(values, dtype=getattr(verdict, name).dtype) for name, values in flags.items()}
    return ObservedTask(target="big", task="quiz", series=series, verdict=replace(verdict, **changes), fresh={2e9})


def said(context: object) -> list[str]:
    return [grouping.line([found]) for found in rules.check(context)]


@pytest.mark.parametrize("context", [INPUTS, RUN, task()])
def test_all_is_well(context: object) -> None:
    assert said(context) == []


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"failures": [("runs/a", "*", "NaN")]}, ["failure: runs/a: NaN"]),
        ({"failures": [("*", "quiz", "is unknown")]}, ["failure: quiz: is unknown"]),
        ({"failures": [("runs/a", "quiz", "no tokens")]}, ["failure: runs/a, quiz: no tokens"]),
        (
            {"known": {f"runs/a-{i}": "a" for i in range(5)} | {"runs/b": "b"}, "places": {"runs/b": "b"}},
            [
                "gone: a: runs/a-0, runs/a-1, runs/a-2 and 2 more was there and is gone; the forecast is made without "
                "it (restore it, or say --accept-gone once)"
            ],
        ),
        ({"known": {"runs/a": "a"}, "accept_gone": True}, []),
        ({"latest": NOW + timedelta(seconds=119)}, []),  # clocks are set back a little for good reasons
        (
            {"latest": NOW + timedelta(minutes=3)},
            ["clock: it is 2026-11-26T03:00:00+00:00 now, but a pass ended at 2026-11-26T03:03:00+00:00; set it"],
        ),
        (
            {"bad_lines": [7]},
            [
                "history: nightly/history.jsonl: line 7: is not a record of a pass: it was set aside in history.bad; "
                "restore the file from a copy"
            ],
        ),
    ],
)
def test_what_the_inputs_of_a_pass_show(changes: dict[str, Any], lines: list[str]) -> None:
    assert said(replace(INPUTS, **changes)) == lines


@pytest.mark.parametrize(
    ("problem", "line", "code"),
    [
        (ForecastProblem(subject="", error="no runs", of_config=True), "forecast: no runs", 2),
        (ForecastProblem(subject="registered", error="ValueError: x"), "forecast: registered: ValueError: x", 1),
        (
            ForecastProblem(subject="big", recipe="auto"),
            "forecast: big: recipe auto gave no forecast of any task when it was registered: nothing is tracked",
            1,
        ),
    ],
)
def test_a_forecast_that_failed(problem: ForecastProblem, line: str, code: int) -> None:
    assert said(problem) == [line]
    assert exit_code(rules.check(problem)) == code


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"target": Target(name="big", params=2e9, tokens=2e10)},
            [
                "plan: big: the config plans 2B parameters on 20B tokens, but 1B parameters on 20B tokens is "
                "registered; undo the change, or register anew with --register"
            ],
        ),
        ({"points": {"quiz": [replace(POINT, params=1.04e9)]}}, []),  # embeddings counted or not
        (
            {"points": {"quiz": [replace(POINT, params=1.1e9)]}},
            ["plan: big: 1B has 1.1B parameters, but 1B were planned"],
        ),
        ({"points": {"quiz": [replace(POINT, tokens=2.03e10)]}}, []),
        (
            {"points": {"quiz": [replace(POINT, tokens=2.1e10)]}},
            ["plan: big: 1B is at 21B tokens, beyond the 20B planned"],
        ),
        (
            {"points": {"quiz": [replace(POINT, version="2")]}},
            ["benchmark: big, quiz: asks something else (1 when registered, 2 now); its band no longer holds"],
        ),
        ({"versions_now": {}}, ["benchmark: big, quiz: is registered but no longer scored; put the task back"]),
        (
            {"setup_now": "lm-eval 0.5"},
            [
                "scorer: big: scores are computed otherwise than when its forecast was registered (lm-eval 0.4.13 "
                "then, lm-eval 0.5 now)"
            ],
        ),
    ],
)
def test_a_run_that_is_not_the_one_that_was_registered(changes: dict[str, Any], lines: list[str]) -> None:
    assert said(replace(RUN, **changes)) == lines


@pytest.mark.parametrize(
    ("flags", "lines"),
    [
        (
            {"outside": [0, 1, 0]},  # the checkpoint is new
            ["outside: big, quiz: 46.0 % at 2B tokens is above the registered band, 40.0 to 44.0 %"],
        ),
        ({"outside": [1, 0, 0]}, []),  # it was told when it was new
        (
            {"outside": [0, 1, -1]},
            ["outside: big, quiz: 41.0 % at 3B tokens is below the registered band, 42.0 to 45.5 %"],
        ),
        (
            {"drift": [0, 0, -1]},
            ["drift: big, quiz: has shifted downwards from the registered forecast: 41.0 % at 3B tokens, −3.0 points"],
        ),
        (
            {"dropped": [0, 0, 1]},
            ["dropped: big, quiz: 41.0 % at 3B tokens, after 46.0 % at 2B: a larger fall than sampling explains"],
        ),
    ],
)
def test_scores_beside_the_band(flags: dict[str, list[int]], lines: list[str]) -> None:
    assert said(task(**flags)) == lines


def test_every_rule_has_a_name_of_its_own_and_stands_in_the_documentation() -> None:
    names = [rule.code.name for rule in rules.rules()]
    assert len(set(names)) == len(names) == len({rule.order for rule in rules.rules()})
    assert sorted(names) == sorted(code.name for code in CODES.values() if code.area == "nightly")
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import hooks
    finally:
        sys.path.remove(str(ROOT / "docs"))
    page = hooks.on_page_markdown((ROOT / "docs" / "reference" / "alerts.md").read_text(), page=None)
    rows = [line.split(" | ")[0].strip("| `") for line in page.splitlines() if line.startswith("| `")]
    assert rows == names


def test_a_rule_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "many_waiting.py").write_text(
        "from benchcast.nightly.alerts.conditions import condition\n"
        "from benchcast.nightly.alerts.contexts import PassInputs\n"
        "from benchcast.stages.notices import Code, Severity\n"
        "WAITING = Code('toy-many-waiting', 'many checkpoints are being written', ('{count} are being written',),\n"
        "               area='toy', anchor='howto.md', severity=Severity.ALERT)\n"
        "class ManyWaiting:\n"
        "    code, order, watches = WAITING, 15, PassInputs\n"
        "    def check(self, seen):\n"
        "        if len(seen.waiting) > 2:\n"
        "            yield condition(self.code, count=len(seen.waiting))\n"
        "RULE = ManyWaiting()\n"
    )
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    rules.rules.cache_clear()
    try:
        inputs = replace(INPUTS, waiting=["a", "b", "c"], bad_lines=[1], failures=[("a", "*", "x")])
        assert [found.code for found in rules.check(inputs)] == ["failure", "toy-many-waiting", "history"]
        assert said(replace(INPUTS, waiting=["a", "b", "c"])) == ["toy-many-waiting: 3 are being written"]
    finally:
        monkeypatch.undo()
        rules.rules.cache_clear()
        sys.modules.pop("benchcast.nightly.alerts.rules.many_waiting", None)
        CODES.pop("toy-many-waiting", None)


def test_a_rule_without_an_exit_code_is_refused_before_the_first_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules.rules()[0], "code", Code("toy-mild", "a warning only", area="toy", anchor="howto.md"))
    rules.rules.cache_clear()
    try:
        with pytest.raises(ValueError, match="toy-mild: nothing ends with severity warning"):
            rules.rules()
    finally:
        monkeypatch.undo()
        rules.rules.cache_clear()
        CODES.pop("toy-mild", None)
