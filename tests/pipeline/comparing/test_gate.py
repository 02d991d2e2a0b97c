"""``benchcast gate``: what it says of runs whose scores are known, and that nothing passes unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.comparing.evidence import drifted
from benchcast.comparing.gate import judge
from benchcast.comparing.policy import read
from benchcast.core.digest import object_digest
from benchcast.core.errors import InputError
from benchcast.nightly.tracking.bands import Band
from benchcast.reports.records.comparing.gate import GateResult, RuleOutcome
from scipy.stats import binom
from worlds.commands import benchcast, printed
from worlds.results import comparing as world

NOT_BELOW = {"interval": "not_below"}
ENDS = [
    world.forecast("quiz", 0.58, 0.71, 0.84),
    world.forecast("maths", 0.30, 0.35, 0.40),
    world.forecast("mean", 0.45, 0.53, 0.61, members={"quiz": 0.5, "maths": 0.5}),
]
GOOD = {"quiz": 0.75, "maths": 0.36}
SMALL = {"small": {"quiz": 0.5, "maths": 0.2}}


def judged(
    folder: Path, scores: dict[str, float], rules: list[dict[str, Any]], n: float | None = 1000, **of: Any
) -> GateResult:
    """The outcome for a run at the end of its training, with the usual register unless there is one."""
    if not (folder / "forecasts.jsonl").exists():
        world.register(folder / "forecasts.jsonl", ENDS)
    world.scores(
        folder / "scores.csv", SMALL | ({"big-run": scores} if scores else {}), of.pop("tokens", world.TOKENS), n
    )
    path = world.policy(folder, rules, **of)
    return judge(read(path), path)


def rule(result: GateResult, task: str) -> RuleOutcome:
    return next(r for r in result.rules if r.task == task)


def test_a_run_on_its_forecast_goes(tmp_path: Path) -> None:
    result = judged(tmp_path, GOOD, [NOT_BELOW, {"tasks": "quiz", "at_least": 0.7}])
    assert (result.verdict, len(result.rules), result.share) == ("go", 4, 1)
    assert result.answer == "Go at 1.4T tokens: all 4 rules are kept."
    mean = rule(result, "mean")
    assert mean.value == pytest.approx(0.555)
    variance = 0.25 * (0.75 * 0.25 + 0.36 * 0.64) / 1000  # of the mean of two shares
    assert mean.documents == pytest.approx(0.555 * 0.445 / variance)
    quiz = result.rules[-1]
    assert quiz.p_kept == pytest.approx(binom.sf(749, 1000, 0.7))
    done = benchcast("gate", tmp_path / "policy.yaml", "--json", "-")
    assert (done.returncode, GateResult.model_validate_json(done.stdout).verdict) == (0, "go")


def test_a_run_far_below_its_forecast_does_not(tmp_path: Path) -> None:
    result = judged(tmp_path, {"quiz": 0.35, "maths": 0.36}, [NOT_BELOW])
    assert (result.verdict, rule(result, "quiz").outcome, rule(result, "maths").outcome) == ("no-go", "broken", "kept")
    assert result.answer.startswith("No-go at 1.4T tokens: quiz: 35.0 is below its interval (registered 58.0–84.0)")
    printed("gate", tmp_path / "policy.yaml", code=3)


def test_just_outside_the_interval_is_not_yet_broken(tmp_path: Path) -> None:
    """One of many intervals is missed by a run that does what was forecast: that alone stops nothing."""
    result = judged(tmp_path, {"quiz": 0.55, "maths": 0.36}, [NOT_BELOW])
    assert (result.verdict, rule(result, "quiz").outcome) == ("inconclusive", "open")
    assert "55.0 is outside its interval (registered 58.0–84.0), but chance allows" in rule(result, "quiz").why
    low = rule(result, "quiz").tolerated_low
    assert low is not None
    assert low < 0.55


def test_few_documents_decide_nothing_and_it_is_said_how_many_would(tmp_path: Path) -> None:
    result = judged(tmp_path, {"quiz": 0.62, "maths": 0.36}, [{"tasks": "quiz", "at_least": 0.6}], n=100)
    assert result.verdict == "inconclusive"
    assert rule(result, "quiz").documents_needed == pytest.approx(1610, rel=0.02)
    assert benchcast("gate", tmp_path / "policy.yaml").returncode == 4
    more = judged(tmp_path, {"quiz": 0.62, "maths": 0.36}, [{"tasks": "quiz", "at_least": 0.6}], n=1700)
    assert more.verdict == "go"


@pytest.mark.parametrize(
    ("scores", "changes", "said"),
    [
        ({}, {}, "quiz, maths: no score: big-run is not a run of the scores yet."),
        ({"quiz": 0.7}, {}, "maths: no score at this checkpoint"),
        (GOOD, {"tokens": 0.4 * world.TOKENS}, "big-run is at 40 % of what was planned, and the policy judges the end"),
        (GOOD, {"tokens": 1.3 * world.TOKENS}, "big-run is beyond its planned end (1.3 times its tokens)"),
        (GOOD, {"n": None}, "the table does not say of how many documents"),
        (GOOD, {"tokens": 0.4 * world.TOKENS, "looks": "every"}, "no registered interval at 40 % of the run"),
    ],
)
def test_what_is_missing_never_passes(
    tmp_path: Path, scores: dict[str, float], changes: dict[str, Any], said: str
) -> None:
    result = judged(tmp_path, scores, [{"tasks": ["quiz", "maths"], **NOT_BELOW}], **changes)
    assert result.verdict == "inconclusive"
    assert said in result.answer


def test_a_score_that_was_known_and_a_refused_forecast_decide_nothing(tmp_path: Path) -> None:
    world.register(tmp_path / "forecasts.jsonl", ENDS, seen=("small", "big-run"))
    result = judged(tmp_path, GOOD, [NOT_BELOW])
    assert result.verdict == "inconclusive"
    assert "big-run was in the table when the forecast was registered" in result.answer
    result = judged(tmp_path, GOOD, [{"tasks": "quiz", "at_least": 0.6}])
    assert result.verdict == "inconclusive"  # whatever the rule: nothing was registered of this run
    known = [f.model_copy(update={"actual": 0.7}) for f in ENDS]
    first, _ = world.register(tmp_path / "forecasts.jsonl", ENDS, known)
    result = judged(tmp_path, GOOD, [NOT_BELOW])
    assert (result.verdict, result.record) == ("go", first)  # the last record that had not seen the run
    world.register(tmp_path / "forecasts.jsonl", known)
    result = judged(tmp_path, GOOD, [NOT_BELOW])
    assert (result.verdict, rule(result, "quiz").why) == (
        "inconclusive",
        "its score was known when the forecast was registered",
    )
    world.register(tmp_path / "forecasts.jsonl", [world.forecast("quiz", 0.5, None, 0.9)])
    result = judged(tmp_path, GOOD, [NOT_BELOW])
    assert (result.verdict, rule(result, "quiz").outcome) == ("inconclusive", "open")
    assert "the forecast was refused when it was registered" in rule(result, "quiz").why


def test_a_forecast_of_a_run_that_had_begun_is_not_taken(tmp_path: Path) -> None:
    """Its first checkpoints were in the table: the last forecast before is the one, and without it there is none."""
    register = tmp_path / "forecasts.jsonl"
    world.register(register, ENDS)
    line = json.loads(register.read_text())
    begun = line["seen"]["runs"][0] | {"run": "big-run", "params": world.PARAMS, "tokens": 1e11, "lengths": [1e11]}
    line["seen"]["runs"].append(begun)
    del line["hash"]
    register.write_text(json.dumps(line | {"hash": object_digest(line)}) + "\n")
    result = judged(tmp_path, GOOD, [NOT_BELOW])
    assert result.verdict == "inconclusive"
    assert "big-run had begun when the forecast was registered" in result.answer
    line["seen"] = None
    register.write_text(json.dumps(line | {"hash": object_digest(line)}) + "\n")
    result = judged(tmp_path, GOOD, [NOT_BELOW])
    assert result.verdict == "inconclusive"
    assert "the record does not say what its table held" in result.answer


def test_a_register_that_was_edited_decides_nothing(tmp_path: Path) -> None:
    world.register(tmp_path / "forecasts.jsonl", ENDS)
    text = (tmp_path / "forecasts.jsonl").read_text()
    (tmp_path / "forecasts.jsonl").write_text(text.replace('"low":0.58', '"low":0.28'))
    world.scores(tmp_path / "scores.csv", SMALL | {"big-run": GOOD})
    done = benchcast("gate", world.policy(tmp_path, [NOT_BELOW]))
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 1: was edited: its hash does not fit its content" in done.stderr


def test_a_task_without_a_rule_is_told(tmp_path: Path) -> None:
    result = judged(tmp_path, GOOD, [{"tasks": "quiz", **NOT_BELOW}])
    assert (result.verdict, result.without_rule) == ("go", ("maths", "mean"))
    assert "no rule is about it: maths, mean" in printed("gate", tmp_path / "policy.yaml")


def lengths() -> list[Any]:
    """A course from 0.40 to 0.71 that was registered at many lengths."""
    tokens = np.geomspace(0.02, 1, 16) * world.TOKENS
    middle = 0.40 + 0.31 * np.log(tokens / tokens[0]) / np.log(50)
    return [
        world.forecast("quiz", m - 0.05, m, m + 0.05, tokens=float(t), is_length=True)
        for t, m in zip(tokens, middle, strict=True)
    ]


def course(folder: Path, shift: float, looks: int) -> None:
    """The scores of a run's first checkpoints, so far from the middle of its course."""
    tokens = np.linspace(0.1, 1, 10)[:looks] * world.TOKENS
    middle = 0.40 + 0.31 * np.log(tokens / (0.02 * world.TOKENS)) / np.log(50)
    parts = [
        world.table({"big-run": {"quiz": round(1000 * (m + shift)) / 1000}}, float(t))
        for t, m in zip(tokens, middle, strict=True)
    ]
    pd.concat([world.table(SMALL, 1.0), *parts]).to_csv(folder / "scores.csv", index=False)


@pytest.mark.parametrize(
    ("shift", "looks", "kind", "verdict"),
    [
        (0.0, 4, NOT_BELOW, "go"),
        (-0.20, 4, NOT_BELOW, "no-go"),
        (-0.05, 4, NOT_BELOW, "inconclusive"),
        (0.0, 4, {"course": "not_below"}, "go"),
        (-0.20, 4, {"course": "not_below"}, "no-go"),
    ],
)
def test_a_checkpoint_on_the_way_is_judged_by_the_course(
    tmp_path: Path, shift: float, looks: int, kind: dict[str, Any], verdict: str
) -> None:
    world.register(tmp_path / "forecasts.jsonl", lengths())
    course(tmp_path, shift, looks)
    path = world.policy(tmp_path, [kind], looks="every")
    result = judge(read(path), path)
    assert (result.verdict, result.share) == (verdict, pytest.approx(0.1))
    assert "at 560B tokens (40 % of the run)" in result.answer


@pytest.mark.parametrize(("documents", "std", "changed"), [(300, 0.005, 0.2), (1000, 0.005, 0.05), (1000, 0.03, 0.2)])
def test_a_run_on_its_course_rarely_drifts_at_any_of_ten_looks(documents: int, std: float, changed: float) -> None:
    """The documents' luck goes along with the run, but for those that change; its deviation is slow."""
    rng = np.random.default_rng(6)
    tokens, trials = np.linspace(0.1, 1, 10) * world.TOKENS, 150
    ends = np.array([0.05, 1.0]) * world.TOKENS
    middle, edge = np.full(2, 0.5), np.full(2, 1.645 * std)
    band = Band(
        tokens=ends,
        forecast=middle,
        low=middle - edge,
        high=middle + edge,
        level=0.9,
        params=world.PARAMS,
        planned=world.TOKENS,
    )
    near = std**2 * np.exp(-0.5 * (np.subtract.outer(np.log(tokens), np.log(tokens)) / 1.5) ** 2)
    slow = rng.multivariate_normal(np.zeros(10), near, trials)
    own = np.sqrt(changed / documents / 2)
    luck = np.sqrt(0.25 / documents - own**2) * rng.normal(size=(trials, 1)) + own * rng.normal(size=(trials, 10))
    scores = 0.5 + slow + luck
    n = np.full(10, float(documents))
    said = [any(drifted(tokens[:k], s[:k], n[:k], band, 0.02) <= 0.05 for k in range(1, 11)) for s in scores]
    assert np.mean(said) <= 0.05
    far = [any(drifted(tokens[:k], s[:k] - 0.25, n[:k], band, 0.02) <= 0.05 for k in range(1, 11)) for s in scores[:20]]
    assert np.mean(far) > 0.9


def test_another_run_is_compared_on_the_same_documents_where_they_are_known(tmp_path: Path) -> None:
    """With the documents a loss of two points is seen, without them it is not; that is told."""
    ours, theirs = world.flips(1000, 650, 30, 40)
    place = {"big-run@1400000": {"quiz": world.answers(ours)}, "base@2000": {"quiz": world.answers(theirs)}}
    by_run = {"big-run": {"quiz": ours.mean()}, "base": {"quiz": theirs.mean()}}
    rules = [{"tasks": "quiz", "no_worse_than": "base", "by": 0.02}]
    world.register(tmp_path / "forecasts.jsonl", [world.forecast("quiz", 0.58, 0.71, 0.84)])
    world.scores(tmp_path / "scores.csv", by_run)
    path = world.policy(tmp_path, rules)
    apart = judge(read(path), path)
    assert apart.verdict == "inconclusive"
    assert "compared without their documents" in "\n".join(apart.account.lines())
    store = world.store(tmp_path / "scores", place)
    plan = json.loads((store / "plan.json").read_text())
    for each in plan["checkpoints"]:
        each["place"]["tokens"] = world.TOKENS if each["place"]["run"] == "big-run" else 2e9
    (store / "plan.json").write_text(json.dumps(plan))
    together = judge(read(path), path)
    (found,) = together.rules
    assert (together.verdict, found.least) == ("go" if found.p_kept < 0.05 else "inconclusive", pytest.approx(0.67))
    assert found.p_kept < apart.rules[0].p_kept / 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "acc_norm"}, "the metric is acc_norm, and not acc"),
        ({"task_version": "2"}, "version is 2, and not 1"),
    ],
)
def test_another_run_that_was_asked_otherwise_is_no_measure(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    world.register(tmp_path / "forecasts.jsonl", ENDS[1:2])
    own = world.table({"big-run": {"quiz": 0.9}}, world.TOKENS).assign(task_version="1")
    other = world.table(SMALL, world.TOKENS).assign(**({"task_version": "1"} | changes))
    pd.concat([own, other]).to_csv(tmp_path / "scores.csv", index=False)
    path = world.policy(tmp_path, [{"tasks": "quiz", "no_worse_than": "small", "by": 0.02}])
    result = judge(read(path), path)
    assert result.verdict == "inconclusive"
    assert said in result.answer


@pytest.mark.parametrize(
    ("rules", "changes", "said"),
    [
        (
            [{"tasks": "quizz", **NOT_BELOW}],
            {},
            "rules[0].tasks: 'quizz' is no registered task (there are quiz, maths, mean)",
        ),
        ([{"at_least": 60}], {}, "must be a fraction between 0 and 1 (is it in percent? divide by 100)"),
        ([{"tasks": "quiz"}], {}, "give one of interval, course, at_least, no_worse_than (it has none)"),
        ([{"no_worse_than": "small"}], {}, "no_worse_than needs by, the margin"),
        ([{"tasks": [], "at_least": 0.5}, NOT_BELOW], {}, "rules[0].tasks: "),
        ([{"no_worse_than": "big-run", "by": 0.01}], {}, "rules[0].no_worse_than: 'big-run' is the run itself"),
        ([{"no_worse_than": "smal", "by": 0.01}], {}, "rules[0].no_worse_than: 'smal' is not a run of the scores"),
        ([NOT_BELOW], {"target": "bigg"}, "target: no forecast of forecasts.jsonl is of 'bigg' (did you mean 'big'?)"),
        ([NOT_BELOW], {"recipe": "ladder"}, "recipe: the register has no forecast by 'ladder' of this target (auto)"),
        ([NOT_BELOW], {"record": "0123456"}, "record: no record of forecasts.jsonl begins with '0123456'"),
        ([NOT_BELOW], {"register": "none.jsonl"}, "policy.yaml: register: none.jsonl does not exist"),
        ([NOT_BELOW], {"scores": {"source": "table", "path": "none.csv"}}, "none.csv: does not exist"),
        ([NOT_BELOW], {"false_alarm": 0.1}, "false_alarm"),
        ([], {}, "rules"),
    ],
)
def test_a_broken_policy_is_one_line(
    tmp_path: Path, rules: list[dict[str, Any]], changes: dict[str, Any], said: str
) -> None:
    world.register(tmp_path / "forecasts.jsonl", ENDS)
    world.scores(tmp_path / "scores.csv", SMALL | {"big-run": GOOD})
    path = world.policy(tmp_path, rules, **changes)
    with pytest.raises(InputError) as caught:
        judge(read(path), path)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_broken_policy_ends_with_exit_code_two(tmp_path: Path) -> None:
    error = printed("gate", world.policy(tmp_path, [{"tasks": "quiz"}]), code=2)
    assert error.startswith(f"error: {tmp_path}/policy.yaml: rules[0]: give one of interval, course")
    with pytest.raises(InputError, match=r"none.yaml: there is no such file \(configs/gate.yaml shows a policy\)"):
        read(tmp_path / "none.yaml")
