"""The best size for a budget against a loss surface whose optimum is known in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from benchcast.forecasting.chains.figures import drawn_curves
from benchcast.forecasting.optimum.fit import optima
from benchcast.reports.figures import optimum as figures
from benchcast.reports.figures import plan as plan_figures
from benchcast.reports.figures.optimum import Planned, frontier_figure
from benchcast.reports.records.optimum import Optimum
from matplotlib.figure import Figure

A, B, ALPHA, BETA, E = 400.0, 410.0, 0.34, 0.28, 1.7  # about Hoffmann et al. (arXiv 2203.15556), equation 10
EXPONENT = BETA / (ALPHA + BETA)


def best_size(flops: float) -> float:
    """Equation 4 of the paper."""
    g = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA))
    return float(g * (flops / 6) ** EXPONENT)


def losses(params: Sequence[float], tokens: Sequence[float], noise: float = 0.002) -> pd.DataFrame:
    n, d = np.array(params), np.array(tokens)
    loss = (E + A / n**ALPHA + B / d**BETA) * np.exp(noise * np.random.default_rng(0).normal(size=len(n)))
    names = [f"run {i}" for i in range(len(n))]
    same = {"family": "f", "task": "text", "metric": "val_loss"}
    return pd.DataFrame({"run": names, "params": n, "tokens": d, "flops": 6 * n * d, "value": loss, **same})


def roles(table: pd.DataFrame, held_out: Sequence[str] = ()) -> pd.Series:
    return pd.Series({run: "held out" if run in held_out else "fit" for run in table["run"]})


def grid() -> pd.DataFrame:
    sizes = np.repeat(np.geomspace(1e7, 1e9, 6), 4)
    return losses(sizes, sizes * np.tile([5.0, 20.0, 80.0, 320.0], 6))


@pytest.fixture(scope="module")
def found() -> Optimum:
    table = grid()
    (one,) = optima(table, roles(table), 0.9, [1e22])
    return one


def test_the_frontier_is_the_laws_own_optimum(found: Optimum) -> None:
    frontier = found.frontier
    assert frontier is not None
    assert frontier.exponent.low < EXPONENT < frontier.exponent.high
    at = frontier.flops.index(1e22)  # the planned run's budget is a point of it
    assert frontier.low[at] < best_size(1e22) < frontier.high[at]
    assert frontier.params[at] == pytest.approx(best_size(1e22), rel=0.3)
    least = E + A / best_size(1e22) ** ALPHA + B / (1e22 / 6 / best_size(1e22)) ** BETA
    assert frontier.loss[at] == pytest.approx(least, rel=0.02)
    assert found.isoflop is None  # sizes and tokens in steps are no sweep at equal compute


def test_held_out_runs_and_few_runs_tell_nothing(found: Optimum) -> None:
    table = grid()
    spoiled = table.assign(value=table["value"].where(table["run"].ne("run 3"), 99.0))
    (without,) = optima(spoiled, roles(spoiled, ["run 3"]), 0.9, [1e22])
    assert without.frontier is not None
    assert found.frontier is not None
    assert max(without.frontier.loss) < 2 * max(found.frontier.loss)
    for few in (table.head(7), table[table["params"] < 2e7], table[np.isclose(table["tokens"] / table["params"], 20)]):
        assert optima(few, roles(few), 0.9, []) == ()
    assert optima(table.assign(metric="acc"), roles(table), 0.9, []) == ()


def test_a_sweep_has_its_isoflop_curves() -> None:
    budgets = np.repeat([1e18, 1e19, 1e20, 1e21], 7)
    sizes = np.array([best_size(c) for c in budgets]) * np.tile(np.geomspace(0.2, 5, 7), 4)
    table = losses(sizes, budgets / 6 / sizes, noise=0.0005)
    (one,) = optima(table, roles(table), 0.9, [])
    assert one.isoflop is not None
    assert len(one.isoflop.budgets) == 4
    for budget in one.isoflop.budgets:
        assert budget.minimum.value == pytest.approx(best_size(budget.flops), rel=0.15)
    assert one.isoflop.exponent.value == pytest.approx(EXPONENT, abs=0.03)
    assert plan_figures.isoflop(one.isoflop).startswith(b"<?xml")


def test_the_planned_run_stands_beside_the_frontier(found: Optimum, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "render", lambda canvas: drawn.append(canvas) or b"")
    frontier_figure(found, [Planned(name="next", flops=1e22, params=7e9, tokens=2.4e11)])
    right = drawn[0].axes[1]
    assert {text.get_text() for text in right.texts} >= {"next: 7B parameters", "next: 240B tokens"}
    low, high = right.get_ylim()
    assert low < 7e9 < 2.4e11 < high


def test_every_target_has_its_curve_before_others_do() -> None:
    assert drawn_curves([20.0], [5.0, 10.0], 5) == [5.0, 10.0, 20.0]
    chosen = drawn_curves([1.0, 2.0, 3.0], [float(v) for v in range(10, 30)], 5)
    assert chosen == [1.0, 2.0, 3.0, 10.0, 29.0]
    assert drawn_curves([1.0, 2.0, 3.0], [9.0], 2) == [2.0, 3.0]  # the last-named: a planned run comes last
