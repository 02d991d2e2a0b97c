"""The candidates of ``auto`` and their joint fits: the same as one by one; a bad data set costs the others nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stages import DirectAccuracy, FlooredPower, LossToError, NLLToAccuracy, OvertrainedLoss, PurePower, TaskLoss
from stages.candidates import DIRECT, FIRST, SECOND, Step
from stages.forms import CARRY, ONE_STEP, Case, Form, Ladder, predict, predict_all
from stages.together import BLOCK, Request, fit_all
from tests.test_backtest import ladder

RNG = np.random.default_rng(11)
SIZES = np.repeat([1e7, 4e7, 1.6e8, 6.4e8], 4)
TOKENS = SIZES * np.tile([5.0, 20.0, 80.0, 320.0], 4)
BUDGETS = np.column_stack([6 * SIZES * TOKENS, TOKENS / SIZES])


def losses(i: int) -> np.ndarray:
    return (30 / SIZES**0.25 + 40 / TOKENS**0.22 + 0.2 * i) * np.exp(RNG.normal(0, 0.01, len(SIZES)))


def scores(i: int, x: np.ndarray) -> np.ndarray:
    """Some rise, some are flat, one falls."""
    height = (0.5, 0.3, 0.02, 0.0, -0.1)[i % 5]
    return 0.3 + height / (1 + np.exp(4 * (x - np.median(x)))) + RNG.normal(0, 0.01, len(x))


def requests() -> list[Request]:
    found = []
    for i in range(7):
        loss = losses(i)
        found += [
            Request(TaskLoss(huber=None), np.column_stack([SIZES, TOKENS]), loss),
            Request(PurePower(), np.column_stack([SIZES, TOKENS]), loss),
            Request(OvertrainedLoss(), BUDGETS, loss),
            Request(FlooredPower(), BUDGETS[:, :1], loss, RNG.uniform(0.5, 2, len(loss))),
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
    assert fit_all(together) == [True] * len(together)
    same = []
    for one, other in zip(together, alone, strict=True):
        other.law.fit(other.X, other.y, other.sample_weight, other.groups)
        assert one.law.cost_ == pytest.approx(other.law.cost_, rel=1e-5), type(one.law)
        assert one.law.n_points_ == other.law.n_points_
        assert one.law.dof_ == other.law.dof_
        same.append(np.allclose(one.law.theta_, other.law.theta_, rtol=1e-5))
        if same[-1] and one.law.status_ == other.law.status_ == "converged":
            np.testing.assert_allclose(one.law.predict(one.X), other.law.predict(other.X), rtol=1e-5)
            np.testing.assert_allclose(one.law.covariance_, other.law.covariance_, rtol=1e-3)
    # A flat series has valleys without a floor: there two searches of equal cost may stand apart.
    assert np.mean(same) > 0.85


def test_a_data_set_that_cannot_be_fitted_costs_the_others_nothing() -> None:
    X = np.column_stack([SIZES, TOKENS])
    sets = [losses(0), -losses(1), np.full(len(SIZES), np.nan), losses(2)]
    asked = [Request(TaskLoss(huber=None), X, y) for y in sets]
    assert fit_all(asked) == [True, False, False, True]
    assert asked[3].law.predict(X) == pytest.approx(TaskLoss(huber=None).fit(X, sets[3]).predict(X), rel=1e-6)


def test_more_data_sets_than_one_search_takes() -> None:
    X, y = BUDGETS[:, :1], losses(0)
    many = [Request(FlooredPower(), X, y * (1 + 0.001 * i)) for i in range(BLOCK // len(y) // 6 + 3)]
    assert all(fit_all(many))
    assert many[-1].law.estimates_["E"] / many[0].law.estimates_["E"] == pytest.approx(
        1 + 0.001 * (len(many) - 1), rel=1e-4
    )


def of(seed: int, **more: object) -> Ladder:
    return replace(Ladder(ladder(seed)[:-2], 0.25), **more)


def test_questions_together_get_the_answers_that_they_get_alone() -> None:
    cases = [Case(of(seed), ("bits_per_byte",), ladder(seed)[-2:]) for seed in range(3)]
    for case, said in zip(cases, predict_all(cases), strict=True):
        alone = predict(case.ladder, case.middles, case.X)
        assert said.forms == alone.forms
        np.testing.assert_allclose(said.mean, alone.mean, rtol=1e-6)
        np.testing.assert_allclose(said.stderr, alone.stderr, rtol=1e-3)


def test_every_candidate_is_tried_and_the_wide_ones_only_when_asked_for() -> None:
    rows = ladder(0)
    cloud = pd.concat([rows.assign(bits_per_byte=rows["bits_per_byte"] * f) for f in (1.3, 1.1, 1.0)])
    plain, wide = (
        set(predict(of(0, wide=w, checkpoints=cloud), ("bits_per_byte",), rows[-2:]).forms) for w in (False, True)
    )
    assert plain < wide
    assert {f.first for f in plain if f.middle != ONE_STEP} == {name for name, step in FIRST.items() if not step.wide}
    assert {f.second for f in plain if f.second} == {name for name, step in SECOND.items() if not step.wide}
    assert {f.first for f in wide if f.middle == ONE_STEP} == {*DIRECT, CARRY}
    assert {f.first for f in wide if f.middle != ONE_STEP} == set(FIRST)
    assert {f.second for f in wide if f.second} == set(SECOND)
    assert Form("bits_per_byte", "C, one break", "free sigmoid, robust") not in wide


def test_windows_keep_the_runs_with_the_most_compute_and_weights_grow_with_it() -> None:
    rows = ladder(0)
    kept = Step(lambda chance: DirectAccuracy(), largest=0.6).window(rows)
    assert len(kept) == 9
    assert kept["flops"].min() > rows.drop(kept.index)["flops"].max()
    assert len(Step(lambda chance: DirectAccuracy(), largest=0.1).window(rows)) == 7
    score, flops = rows["accuracy"].to_numpy(), rows["flops"].to_numpy()
    assert Step(lambda chance: DirectAccuracy()).weigh(flops, score) is None
    weight = Step(lambda chance: DirectAccuracy(), weights="compute").weigh(flops, score)
    assert np.all(np.diff(weight) >= 0)
    assert weight[-1] == 1
    weight = Step(lambda chance: DirectAccuracy(), weights="sampling").weigh(flops, np.array([0.5, 0.9] + [0.5] * 13))
    assert weight[1] / weight[0] == pytest.approx(0.25 / 0.09)


def test_a_one_step_form_of_the_error_says_one_minus_it() -> None:
    rows = ladder(0)
    said = predict(of(0), (), rows[-2:])
    at = said.forms.index(Form(ONE_STEP, "error in C"))
    law = FlooredPower().fit(rows[:-2][["flops"]].to_numpy(), 1 - rows[:-2]["accuracy"].to_numpy())
    assert said.mean[at] == pytest.approx(1 - law.predict(rows[-2:][["flops"]].to_numpy()), rel=1e-6)


def test_tasks_with_the_same_scores_and_another_chance_are_two_tasks() -> None:
    rows = ladder(0)
    cases = [Case(of(0, chance=c), ("bits_per_byte",), rows[-2:]) for c in (0.0, 0.25)]
    for case, said in zip(cases, predict_all(cases), strict=True):
        np.testing.assert_allclose(said.mean, predict(case.ladder, case.middles, case.X).mean, rtol=1e-6)
    first, second = predict_all(cases)
    at = first.forms.index(Form("bits_per_byte", "N and D", "sigmoid, chance to 1"))
    assert np.all(np.abs(first.mean[at] - second.mean[at]) > 1e-4)


@pytest.mark.parametrize("step", [*FIRST.values(), *SECOND.values(), *DIRECT.values()])
def test_a_formula_takes_a_row_of_inputs_for_every_search(step: Step) -> None:
    """Inputs (k, columns, n) give (k, n): row i as if it stood alone."""
    law = step.make(0.25)
    x = np.stack([RNG.uniform(0.5, 2, (3, 9)) * 1e9 ** (law.columns != ("loss",)) for _ in range(len(law.columns))], 1)
    theta = np.full((len(law.parameters), 3, 1), 0.3)
    together = law._curve(theta, x)
    assert together.shape == (3, 9)
    for i in range(3):
        np.testing.assert_allclose(together[i], law._curve(theta[:, i, 0], x[i].T), rtol=1e-12)
        np.testing.assert_allclose(law._jacobian(theta, x)[i], law._jacobian(theta[:, i, 0], x[i].T), rtol=1e-12)
