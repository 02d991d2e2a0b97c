"""Nothing of what lies beyond a horizon reaches its forecasts: not by the losses, the documents or the weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.documents.matrix import DocumentMatrix
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.pathways import CARRY, ONE_STEP, ForecastPath
from benchcast.stages.forecast.pooling import POOLING, prior_weights


def runs(sizes: list[float], multipliers: list[float]) -> pd.DataFrame:
    rows = pd.DataFrame([(n, n * m) for n in sizes for m in multipliers], columns=["params", "tokens"])
    rows["run"] = [f"r{i}" for i in range(len(rows))]
    rows["flops"] = 6 * rows["params"] * rows["tokens"]
    loss = 1.7 + 400 / rows["params"] ** 0.34 + 410 / rows["tokens"] ** 0.28
    rows["accuracy"] = 0.25 + 0.75 / (1 + np.exp(3 * (loss - 3.5)))
    return rows.assign(val_a=loss, val_b=loss[::-1].to_numpy())


def first_forecasts(forecaster: AutoForecaster) -> pd.DataFrame:
    table = forecaster.cross_validation()
    first = table[table["origin"].str.startswith("flops")]
    return first[first["cutoff"].eq(first["cutoff"].min()) & first["form"].eq("pool")].set_index("run")["forecast"]


def test_the_validation_loss_is_chosen_from_runs_that_the_first_horizon_holds() -> None:
    """On a thin ladder the first horizon holds fewer than six."""
    rows = runs([1e7, 3e7, 1e8], [10, 40])
    before = AutoForecaster(workers=1).fit({"t": rows})
    late = rows.sort_values("flops")["run"].iloc[4:]
    changed = rows.assign(accuracy=rows["accuracy"].where(~rows["run"].isin(late), rows["accuracy"].to_numpy()[::-1]))
    after = AutoForecaster(workers=1).fit({"t": changed})
    assert before.tasks_["t"].loss_names == after.tasks_["t"].loss_names


@pytest.mark.parametrize("convention", [1.0, 2.0])
def test_documents_beyond_a_horizon_do_not_reach_it(convention: float) -> None:
    """Where checkpoints stand for runs, and FLOPs are not 6ND."""
    steps = np.geomspace(1e9, 1e10, 5)
    rows = pd.concat(
        [
            pd.DataFrame({"run": f"m{i}", "params": n, "tokens": steps, "step": range(5)})
            for i, n in enumerate((1e7, 3e7, 1e8, 3e8))
        ],
        ignore_index=True,
    )
    rows["flops"] = convention * 6 * rows["params"] * rows["tokens"]
    loss = 1.7 + 400 / rows["params"] ** 0.34 + 410 / rows["tokens"] ** 0.28
    rows["accuracy"] = 0.25 + 0.75 / (1 + np.exp(3 * (loss - 3.5)))
    nll = np.random.default_rng(0).normal(0, 0.4, (len(rows), 60)) ** 2 + loss.to_numpy()[:, None] / 3
    late = (rows["run"] == "m3").to_numpy()

    def fitted(values: np.ndarray) -> AutoForecaster:
        matrix = DocumentMatrix(places=rows[["run", "params", "tokens"]], nll=values.astype(np.float32))
        return AutoForecaster(workers=1).fit({"t": rows}, documents={"t": matrix})

    one, other = fitted(nll), fitted(np.where(late[:, None], nll * 3, nll))
    assert one.tasks_["t"].checkpoints_stand_in
    assert any("documents" in path.name for path in one.history_.own.paths)
    pd.testing.assert_series_equal(first_forecasts(one), first_forecasts(other))


def test_what_could_not_be_fitted_weighs_nothing_in_the_prior() -> None:
    paths = (ForecastPath("a", "x", "y"), ForecastPath("b", "x", "y"), ForecastPath(ONE_STEP, CARRY))
    there = np.array([[True, True, True], [True, False, True]])
    np.testing.assert_allclose(
        prior_weights(paths, there), [[1, 1, POOLING.carry_weight], [1, 0, POOLING.carry_weight]]
    )
    trend = ForecastPath(ONE_STEP, "trend in log-odds")
    np.testing.assert_allclose(prior_weights((*paths, trend), np.array([[True, False, True, True]]))[0, 3], 1.0)
