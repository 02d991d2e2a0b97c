"""The laws of pass@k (arXiv 2509.24012): their forms, zeros among the scores, and a backtest that turns from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import AutoForecaster, FLOPsToPassAtK, LikelihoodToPassAtK, SizeToPassAtK
from benchcast.stages.forecast.pathways import CARRY, DIRECT
from benchcast.stages.laws.base import Law
from worlds.ladders import generative_ladder

N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 3e12, 5)))
C, L = 6 * N * D, np.linspace(1.5, 0.4, 25)
# -log pass@k as the paper writes it, with constants of its size (exponents between .1 and .4 in compute).
FORMS: list[tuple[type[Law], np.ndarray, np.ndarray, dict[str, float]]] = [
    (FLOPsToPassAtK, C[:, None], 0.2 + 4000 * C**-0.17, {"E_0": 0.2, "K_0": 4000, "alpha": 0.17}),
    (
        SizeToPassAtK,
        np.column_stack([N, D]),
        0.1 + 90 * N**-0.25 + 400 * D**-0.28,
        {"E_0": 0.1, "N_0": 90, "D_0": 400, "beta": 0.25, "gamma": 0.28},
    ),
    (LikelihoodToPassAtK, L[:, None], 0.05 + 3.0 * L**2.5, {"E_0": 0.05, "K_0": 3.0, "kappa": 2.5}),
]


@pytest.mark.parametrize(("kind", "X", "surprise", "truth"), FORMS, ids=lambda v: getattr(v, "__name__", ""))
def test_the_papers_forms_give_back_their_constants(
    kind: type[Law], X: np.ndarray, surprise: np.ndarray, truth: dict[str, float]
) -> None:
    law = kind().fit(X, np.exp(-surprise))
    assert law.estimates_ == pytest.approx(truth, rel=1e-4)
    np.testing.assert_allclose(law.predict(X), np.exp(-surprise), rtol=1e-6)


@pytest.mark.parametrize(("kind", "X", "surprise", "truth"), FORMS, ids=lambda v: getattr(v, "__name__", ""))
def test_scores_of_zero_are_observations_and_move_no_other(
    kind: type[Law], X: np.ndarray, surprise: np.ndarray, truth: dict[str, float]
) -> None:
    """On 500 documents most small runs solve none: the curve at the largest is right to its sampling error."""
    rng = np.random.default_rng(0)
    hard = 6 * surprise - 5 * surprise.min()  # falls to zero within the ladder
    solved = rng.binomial(500, np.exp(-hard)) / 500
    assert (solved == 0).sum() >= 5
    law = kind().fit(X, solved)
    best = int(np.argmin(hard))
    assert law.predict(X[[best]])[0] == pytest.approx(np.exp(-hard[best]), abs=0.05)
    assert (law.predict(X) >= 0).all()


def test_all_zeros_are_fitted_by_a_curve_at_zero_or_refused() -> None:
    for kind, X, _, _ in FORMS:
        law = kind().fit(X, np.zeros(len(X)))
        assert law.predict(X).max() < 1e-3


def rows_of(kind: str, seed: int) -> pd.DataFrame:
    wide = generative_ladder(kind, seed=seed).pivot_table("value", ["run", "params", "tokens", "flops"], "metric")
    rows = wide.reset_index().rename(columns={"exact_match,strict-match": "accuracy"}).sort_values("flops")
    rate = rows["accuracy"].clip(1 / 1319, 1 - 1 / 1319)
    return rows.assign(stderr=np.sqrt(rate * (1 - rate) / 1319))


BIG = pd.DataFrame({"run": ["big"], "params": [1e10], "tokens": [8e11]})


@pytest.fixture(scope="module")
def forecasters() -> dict[str, AutoForecaster]:
    """Two tasks of each kind, by the kind, of which guessing is known to score nothing."""
    made = {}
    for kind in ("solved", "noise", "zero"):
        tables = {f"{kind} {seed}": rows_of(kind, seed) for seed in range(2)}
        made[kind] = AutoForecaster(workers=1).fit(tables, chance=dict.fromkeys(tables, 0.0))
    return made


def test_the_backtest_turns_from_the_law_to_no_change_where_scores_are_noise(
    forecasters: dict[str, AutoForecaster],
) -> None:
    law = next(name for name, each in DIRECT.items() if each.zero_chance and not each.extended)
    share = {}
    for kind in ("solved", "noise"):
        record = forecasters[kind].cross_validation()
        miss = (record["forecast"] - record["actual"]).abs().groupby(record["form"]).mean()
        weights = forecasters[kind].weights_.mean()
        share[kind] = weights[law] / weights[CARRY]
        assert (miss[law] < miss[CARRY]) == (kind == "solved")
    assert share["noise"] < 0.7 * share["solved"]
    said = forecasters["noise"].predict(BIG)
    assert all("baseline-as-good" in {reason.code for reason in reasons} for reasons in said["reasons"])
    assert said["grade"].tolist() == ["C", "C"]


def test_a_ladder_at_zero_is_refused_whatever_its_perfect_record(forecasters: dict[str, AutoForecaster]) -> None:
    said = forecasters["zero"].predict(BIG)
    assert said["grade"].tolist() == ["D"] * 2
    assert {reason.code for reasons in said["reasons"] for reason in reasons} == {"never-right"}
    weights = forecasters["zero"].weights_.mean()
    assert not [name for name, each in DIRECT.items() if each.zero_chance and weights.get(name, 0.0) > weights[CARRY]]
