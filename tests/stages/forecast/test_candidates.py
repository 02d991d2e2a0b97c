"""The candidates of ``auto`` and their joint fits: the same as one by one; a bad data set costs the others nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import (
    DirectAccuracy,
    FlooredPower,
    FLOPsToAccuracy,
    LossToError,
    NLLToAccuracy,
    OvertrainedLoss,
    PurePower,
    TaskLoss,
)
from benchcast.stages.fit.errors import FitError
from benchcast.stages.fit.newton import BLOCK_SIZE
from benchcast.stages.forecast import fit_many as together
from benchcast.stages.forecast.backtest import backtest
from benchcast.stages.forecast.fit_many import Request, fit_many
from benchcast.stages.forecast.forms import trend
from benchcast.stages.forecast.pathways import (
    CARRY,
    DIRECT,
    FIRST,
    ONE_STEP,
    SECOND,
    ForecastPath,
    Question,
    predict,
    predict_all,
)
from benchcast.stages.forecast.task_data import TaskData
from benchcast.stages.laws.base import Law
from benchcast.stages.laws.candidate import CandidateLaw, Step
from sklearn.base import clone
from worlds.ladders import ladder

SIZES = np.repeat([1e7, 4e7, 1.6e8, 6.4e8], 4)
TOKENS = SIZES * np.tile([5.0, 20.0, 80.0, 320.0], 4)
BUDGETS = np.column_stack([6 * SIZES * TOKENS, TOKENS / SIZES])

BPB = "bits_per_byte"


def losses(i: int) -> np.ndarray:
    noise = np.random.default_rng(i).normal(0, 0.01, len(SIZES))
    return (30 / SIZES**0.25 + 40 / TOKENS**0.22 + 0.2 * i) * np.exp(noise)


def scores(i: int, x: np.ndarray) -> np.ndarray:
    """Some rise, some are flat, one falls."""
    height = (0.5, 0.3, 0.02, 0.0, -0.1)[i % 5]
    noise = np.random.default_rng(100 + i).normal(0, 0.01, len(x))
    return 0.3 + height / (1 + np.exp(4 * (x - np.median(x)))) + noise


def requests() -> list[Request]:
    found = []
    for i in range(7):
        loss = losses(i)
        sizes = SIZES * (1 + 0.1 * (i % 2))  # two kinds of inputs for laws with second derivatives
        found += [
            Request(TaskLoss(huber=None), np.column_stack([sizes, TOKENS]), loss),
            Request(TaskLoss(huber=1e-3), np.column_stack([SIZES, TOKENS]), loss),
            Request(PurePower(), np.column_stack([SIZES, TOKENS]), loss),
            Request(OvertrainedLoss(), BUDGETS, loss),
            Request(FlooredPower(), BUDGETS[:, :1], loss, np.linspace(0.5, 2, len(loss))),
            # Each task has its own x and its own chance; one set has checkpoints of runs.
            Request(NLLToAccuracy((0.1 * i, 0.1 * i + 0.05), 1.0), loss[:, None], scores(i, loss)),
            Request(NLLToAccuracy(), loss[:, None], scores(i, loss), None, np.repeat(np.arange(8), 2)),
            Request(LossToError(), loss[:, None], 1 - scores(i, loss)),
            Request(DirectAccuracy(), BUDGETS[:, :1], scores(i, -np.log(BUDGETS[:, 0]))),
        ]
    return found


def test_fits_made_together_are_those_made_alone() -> None:
    together = requests()
    alone = [replace(r, law=type(r.law)(**r.law.get_params())) for r in together]
    assert fit_many(together) == [None] * len(together)
    same = []
    for one, other in zip(together, alone, strict=True):
        other.law.fit(other.X, other.y, other.sample_weight, other.groups)
        assert one.law.cost_ == pytest.approx(other.law.cost_, rel=1e-5), type(one.law)
        assert one.law.n_points_ == other.law.n_points_
        assert one.law.dof_ == other.law.dof_
        same.append(np.allclose(one.law.theta_, other.law.theta_, rtol=1e-5))
        if same[-1] and one.law.status_ == other.law.status_ == "converged":
            np.testing.assert_allclose(one.law.predict(one.X), other.law.predict(other.X), rtol=1e-5)
            a, b = (np.sqrt(np.diag(law.covariance_)) for law in (one.law, other.law))
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-9)
    # A flat series has valleys without a floor: there two searches of equal cost may stand apart.
    assert np.mean(same) > 0.9


def test_a_data_set_that_cannot_be_fitted_costs_the_others_nothing() -> None:
    X = np.column_stack([SIZES, TOKENS])
    sets = [losses(0), -losses(1), np.full(len(SIZES), np.nan), losses(2)]
    asked = [Request(TaskLoss(huber=None), X, y) for y in sets]
    failures = fit_many(asked)
    assert [type(one) for one in failures] == [type(None), FitError, FitError, type(None)]
    assert "y must be positive" in str(failures[1])
    assert "NaN" in str(failures[2])
    assert asked[3].law.predict(X) == pytest.approx(TaskLoss(huber=None).fit(X, sets[3]).predict(X), rel=1e-6)


def test_more_data_sets_than_one_search_takes() -> None:
    X, y = BUDGETS[:, :1], losses(0)
    many = [Request(FlooredPower(), X, y * (1 + 0.001 * i)) for i in range(BLOCK_SIZE // len(y) // 6 + 3)]
    assert not any(fit_many(many))
    assert many[-1].law.predict(X)[0] / many[0].law.predict(X)[0] == pytest.approx(
        1 + 0.001 * (len(many) - 1), rel=1e-4
    )


def of(seed: int, **more: object) -> TaskData:
    return replace(TaskData(finals=ladder(seed)[:-2], loss_names=(BPB,), chance=0.25), **more)


def test_questions_together_get_the_answers_that_they_get_alone() -> None:
    cases = [Question(of(seed), ladder(seed)[-2:]) for seed in range(3)]
    for case, said in zip(cases, predict_all(cases), strict=True):
        alone = predict(case.task, case.X)
        assert said.paths == alone.paths
        np.testing.assert_allclose(said.mean, alone.mean, rtol=1e-6)
        np.testing.assert_allclose(said.stderr, alone.stderr, rtol=1e-3)


def test_where_linear_algebra_gives_up_every_fit_is_made_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = together.fit_together

    def gives_up(problems: Any, seeds: Any, groups: Any) -> Any:
        if len(problems) > 1 or np.isclose(problems[0].observed[0], bad[0]):
            raise np.linalg.LinAlgError("did not converge")
        return made(problems, seeds, groups)

    monkeypatch.setattr(together, "fit_together", gives_up)
    bad = losses(1)
    asked = [Request(FlooredPower(), BUDGETS[:, :1], y) for y in (losses(0), bad, losses(2))]
    failures = fit_many(asked)
    assert [failures[0], failures[2]] == [None, None]
    assert str(failures[1]) == "FlooredPower: did not converge"


def by_hand(rows: pd.DataFrame, cloud: pd.DataFrame) -> dict[ForecastPath, np.ndarray]:
    """What some forms must say at the last two rows, fitted here with their windows and weights."""
    known, X = rows[:-2], rows[-2:]
    large = known.tail(8)  # 60 % of 13, rounded up
    first = OvertrainedLoss().fit(known, known["bits_per_byte"])
    second = NLLToAccuracy((-1.0, 1.0), (0.0, 1.0))
    points = cloud[cloud["run"].isin(known["run"])]
    score, runs = points["accuracy"], points["run"].to_numpy()

    def then(law: NLLToAccuracy, at: Law = first) -> np.ndarray:
        return law.predict(at.predict(X)[:, None])

    def fitted(part: pd.DataFrame, **more: Any) -> NLLToAccuracy:
        return clone(second).fit(part[["bits_per_byte"]].to_numpy(), part["accuracy"].to_numpy(), **more)

    weight = (known["flops"] / known["flops"].max()) ** 0.3
    weighed = TaskLoss(huber=None).fit(known, known["bits_per_byte"], sample_weight=weight)
    mid, free = "bits_per_byte", "free sigmoid"
    direct = DirectAccuracy().fit(large, large["accuracy"])
    floor = min(0.25, known["accuracy"].min() - 0.005)
    return {
        ForecastPath(mid, "C and M", free): then(fitted(points, groups=runs)),
        ForecastPath(mid, "C and M", f"{free}, ends of runs"): then(fitted(known)),
        ForecastPath(mid, "C and M", f"{free}, larger runs"): then(
            fitted(part := points[points["run"].isin(large["run"])], groups=part["run"].to_numpy())
        ),
        ForecastPath(mid, "C and M", f"{free}, sampling weights"): then(
            fitted(points, groups=runs, sample_weight=1 / np.maximum(score * (1 - score), 0.02))
        ),
        ForecastPath(mid, "C and M, larger runs", free): then(
            fitted(points, groups=runs), OvertrainedLoss().fit(large, large["bits_per_byte"])
        ),
        ForecastPath(mid, "N and D, weighed", free): then(fitted(points, groups=runs), weighed),
        ForecastPath(ONE_STEP, "direct law, larger runs"): direct.predict(X),
        ForecastPath(ONE_STEP, "sigmoid in log C"): FLOPsToAccuracy(floor).fit(known, known["accuracy"]).predict(X),
    }


def test_windows_weights_and_checkpoints_reach_the_fits() -> None:
    rows = ladder(0)
    rows.loc[0, "accuracy"] = 0.15  # below chance: the floor is softer
    cloud = pd.concat(
        [
            rows.assign(bits_per_byte=rows["bits_per_byte"] * f, accuracy=rows["accuracy"] * (1.6 - 0.6 * f))
            for f in (1.2, 1.1, 1.0)
        ]
    )
    said = predict(of(0, finals=rows[:-2], checkpoints=cloud, extended=True), rows[-2:])
    expected = by_hand(rows, cloud)
    for form, value in expected.items():
        np.testing.assert_allclose(said.mean[said.paths.index(form)], value, rtol=1e-6, err_msg=form.name)
    assert len({round(float(v[0]), 7) for v in expected.values()}) == len(expected)


def test_a_window_that_holds_the_whole_ladder_is_no_candidate() -> None:
    rows = ladder(0)[:7]
    said = predict(of(0, finals=rows, extended=True), ladder(0)[-2:])
    assert not [f.name for f in said.paths if "larger runs" in f.name]
    assert ForecastPath(ONE_STEP, "direct law") in said.paths


def test_a_bound_warns_where_it_is_no_part_of_the_form() -> None:
    """A straight rise to the top: the free ceiling ends at 1 and warns; one that is fixed there does not."""
    rows = ladder(0)
    rows["accuracy"] = np.linspace(0.3, 0.98, len(rows))
    said = predict(of(0, finals=rows[:-2]), rows[-2:])
    bound = dict(zip(said.paths, said.at_bound, strict=True))
    assert bound[ForecastPath("bits_per_byte", "N and D, no floor", "free sigmoid")]
    assert not bound[ForecastPath("bits_per_byte", "N and D, no floor", "sigmoid to 1")]
    assert not bound[ForecastPath(ONE_STEP, "error in C")]


def test_what_is_asked_of_every_horizon() -> None:
    """Each run beyond a cut of compute, size or length, and the targets from the last of compute and the whole ladder.

    Cuts that leave the same runs are one.
    """
    rows = ladder(0)
    unknown = rows.assign(accuracy=rows["accuracy"].mask(rows.index == 2))  # one run without a score
    for finals, known in ((rows[:-2], 13), (unknown[:-2], 12)):
        targets = rows[-2:].assign(actual=np.nan)
        made = backtest({"t": of(0, finals=finals)}, {"t": targets}, min_runs=6, max_cutoffs=99)
        scored = finals.dropna(subset=["accuracy"])
        expected, seen_before, last = set(), [], 0.0
        for axis in ("flops", "params", "tokens"):
            for limit in np.unique(finals[axis]):
                seen = set(scored["run"][scored[axis] <= limit])
                if 6 <= len(seen) < known and seen not in seen_before:
                    seen_before.append(seen)
                    cutoff = scored["flops"][scored["run"].isin(seen)].max()
                    expected |= {(cutoff, axis, run, False) for run in set(scored["run"]) - seen}
                    last = max(last, cutoff) if axis == "flops" else last
        assert {each[1] for each in expected} == {"flops", "params", "tokens"}
        ends = ((last, "flops"), (scored["flops"].max(), ""))
        expected |= {(cutoff, axis, run, True) for cutoff, axis in ends for run in targets["run"]}
        got = list(zip(*(made.rows[name] for name in ("cutoff", "axis", "run", "target")), strict=True))
        assert set(got) == expected
        assert len(made.rows) == len(made.rows.drop_duplicates(["origin", "run", "target"]))


def test_every_candidate_is_tried_and_the_wide_ones_only_when_asked_for() -> None:
    rows = ladder(0)
    cloud = pd.concat([rows.assign(bits_per_byte=rows["bits_per_byte"] * f) for f in (1.3, 1.1, 1.0)])
    # Some laws are of tasks whose guesses are known to be never right.
    plain, generated, wide = (
        set(predict(of(0, extended=w, checkpoints=cloud, chance=c, zero_chance=c == 0), rows[-2:]).paths)
        for w, c in ((False, 0.25), (False, 0.0), (True, 0.0))
    )
    assert plain < generated < wide
    assert {f.first for f in generated - plain} == {n for n, c in DIRECT.items() if c.zero_chance and not c.extended}
    assert {f.first for f in plain if f.intermediate_loss != ONE_STEP} == {
        name for name, step in FIRST.items() if not step.extended
    }
    alone = {name: step for name, step in SECOND.items() if not step.references}  # there are no models of others
    assert {f.second for f in plain if f.second} == {
        n for n, c in alone.items() if not c.extended and not c.zero_chance
    }
    assert {f.first for f in wide if f.intermediate_loss == ONE_STEP} == {*DIRECT, trend.FORM.name, CARRY}
    assert {f.first for f in wide if f.intermediate_loss != ONE_STEP} == set(FIRST)
    assert {f.second for f in wide if f.second} == set(alone)
    assert ForecastPath("bits_per_byte", "C, one break", "free sigmoid, robust") not in wide


def test_windows_keep_the_runs_with_the_most_compute_and_weights_grow_with_it() -> None:
    rows = ladder(0)
    kept = CandidateLaw(name="x", step=Step.BUDGET_TO_ACCURACY, law=DirectAccuracy, compute_fraction=0.6).window(rows)
    assert len(kept) == 9
    assert kept["flops"].min() > rows.drop(kept.index)["flops"].max()
    assert (
        len(CandidateLaw(name="x", step=Step.BUDGET_TO_ACCURACY, law=DirectAccuracy, compute_fraction=0.1).window(rows))
        == 7
    )
    score, flops = rows["accuracy"].to_numpy(), rows["flops"].to_numpy()
    assert CandidateLaw(name="x", step=Step.BUDGET_TO_ACCURACY, law=DirectAccuracy).weigh(flops, score) is None
    weight = CandidateLaw(name="x", step=Step.BUDGET_TO_ACCURACY, law=DirectAccuracy, weights="compute").weigh(
        flops, score
    )
    assert np.all(np.diff(weight) >= 0)
    assert weight[-1] == 1
    weight = CandidateLaw(name="x", step=Step.BUDGET_TO_ACCURACY, law=DirectAccuracy, weights="sampling").weigh(
        flops, np.array([0.5, 0.9] + [0.5] * 13)
    )
    assert weight[1] / weight[0] == pytest.approx(0.25 / 0.09)


def test_a_one_step_form_of_the_error_says_one_minus_it() -> None:
    rows = ladder(0)
    said = predict(of(0, loss_names=()), rows[-2:])
    at = said.paths.index(ForecastPath(ONE_STEP, "error in C"))
    law = FlooredPower().fit(rows[:-2][["flops"]].to_numpy(), 1 - rows[:-2]["accuracy"].to_numpy())
    assert said.mean[at] == pytest.approx(1 - law.predict(rows[-2:][["flops"]].to_numpy()), rel=1e-6)


def test_tasks_with_the_same_scores_and_another_chance_are_two_tasks() -> None:
    rows = ladder(0)
    cases = [Question(of(0, chance=c), rows[-2:]) for c in (0.0, 0.25)]
    for case, said in zip(cases, predict_all(cases), strict=True):
        np.testing.assert_allclose(said.mean, predict(case.task, case.X).mean, rtol=1e-6)
    first, second = predict_all(cases)
    at = first.paths.index(ForecastPath("bits_per_byte", "N and D", "sigmoid, chance to 1"))
    assert np.all(np.abs(first.mean[at] - second.mean[at]) > 1e-4)


@pytest.mark.parametrize("step", [*FIRST.values(), *SECOND.values(), *DIRECT.values()])
def test_a_formula_takes_a_row_of_inputs_for_every_search(step: CandidateLaw) -> None:
    """Inputs (k, columns, n) give (k, n): row i as if it stood alone."""
    law = step.make(0.25)
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(0.5, 2, (3, 9)) * 1e9 ** (law.columns != ("loss",)) for _ in range(len(law.columns))], 1)
    theta = np.full((len(law.parameters), 3, 1), 0.3)
    together = law._curve(theta, x)
    assert together.shape == (3, 9)
    for i in range(3):
        np.testing.assert_allclose(together[i], law._curve(theta[:, i, 0], x[i].T), rtol=1e-12)
        np.testing.assert_allclose(law._jacobian(theta, x)[i], law._jacobian(theta[:, i, 0], x[i].T), rtol=1e-12)
