"""Every setting is checked and obeyed, and nothing depends on what a run, task or loss is called."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.forecasting.run import run
from benchcast.planning import run as plan
from benchcast.reports.figures import panels as figures
from benchcast.stages import LAWS, FLOPsToAccuracy, NLLToAccuracy
from benchcast.stages.fit.intervals import central_interval
from benchcast.stages.forecast.rolling_origin import RollingOrigin
from benchcast.stages.forecast.scoring_rules import interval_score
from benchcast.stages.planning.isoflop import SweepBudget, isoflop
from scipy.stats import norm

BAD_HUBER = (-1, 0, math.nan, math.inf, "0.1", True)
BAD_LIMIT = (25, -3.0, math.nan, math.inf, "0.2", True, (0.5, 0.2), (0.1, 0.2, 0.3), (0.0, 40.0))


def _data(columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return np.geomspace(1, 50, 12)[:, None] * np.ones((1, columns)), rng.uniform(0.3, 0.7, 12)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_wrong_parameter_of_a_law_is_named(law: Any) -> None:
    X, y = _data(len(law.columns))
    for name in law().get_params():
        # Values that no law's argument may have, whatever it is called; a new one's own test adds what else is wrong.
        for value in {"huber": BAD_HUBER, "floor": BAD_LIMIT, "ceiling": BAD_LIMIT}.get(name, (math.nan, object())):
            with pytest.raises(ValueError, match=name):
                law(**{name: value}).fit(X, y)


def test_a_floor_above_the_ceiling_is_refused() -> None:
    X, y = _data(1)
    with pytest.raises(ValueError, match=r"floor 0\.9 must lie below ceiling 0\.4"):
        NLLToAccuracy(0.9, 0.4).fit(X, y)
    with pytest.raises(ValueError, match="floor must be a fraction"):
        FLOPsToAccuracy(1.0).fit(X, y)


@pytest.mark.parametrize("level", [0, 1, 90, -0.5, math.nan, "0.9", True])
def test_a_level_that_is_none_is_refused(level: Any) -> None:
    X, y = _data(1)
    law = NLLToAccuracy().fit(X, y)
    for ask in (
        lambda: law.interval(X, level),
        lambda: central_interval(y, level),
        lambda: interval_score(y, y, y, level),
    ):
        with pytest.raises(ValueError, match="level"):
            ask()


def test_counts_and_kinds_are_checked() -> None:
    X, y = _data(1)
    law = NLLToAccuracy().fit(X, y)
    for wrong, says in (({"n": 0}, "n must"), ({"kind": "all"}, "kind"), ({"kind": "runs"}, "give groups")):
        with pytest.raises(ValueError, match=says):
            law.resample(X, y, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="min_runs"):
        RollingOrigin(min_runs=0).get_n_splits(X)
    budgets = tuple(
        SweepBudget(flops=c, log_n=np.log([1e6, 2e6, 4e6, 8e6]), log_loss=np.array([1.0, 0.9, 0.9, 1.0]))
        for c in (1e17, 1e18)
    )
    for given, says in (({"draws": 0}, "draws"), ({"noise": -1.0}, "noise"), ({"curve": "line"}, "curve")):
        with pytest.raises(ValueError, match=says):
            isoflop(budgets, **given)  # type: ignore[arg-type]


def test_every_interval_of_a_plan_follows_its_level() -> None:
    """Intervals at 0.9 and 0.6 of one plan: those from standard errors too, in the ratio that a normal law has."""
    found = {
        level: plan.run({"flops": 1e22, "batches": {"source": "demo"}, "level": level, "resamples": 100})
        for level in (0.6, 0.9)
    }
    narrow, wide = found[0.6], found[0.9]
    assert narrow.batches is not None
    assert wide.batches is not None
    for name, e in narrow.batches.exponents.items():
        other = wide.batches.exponents[name]
        assert None not in (e.low, e.high, other.low, other.high)
        ratio = (other.high - other.low) / (e.high - e.low)  # type: ignore[operator]
        assert ratio == pytest.approx(norm.ppf(0.95) / norm.ppf(0.8), rel=1e-3)
    for a, b in zip(narrow.growth, wide.growth, strict=True):
        assert b.params_exponent.high > a.params_exponent.high, a.method  # type: ignore[operator]


def test_flatness_of_a_sweep_follows_the_level() -> None:
    rng = np.random.default_rng(0)
    sizes = np.log(1e8 * np.geomspace(0.25, 4, 7))
    budgets = tuple(
        SweepBudget(
            flops=c, log_n=sizes + 0.5 * i, log_loss=1 + 0.05 * (sizes - sizes.mean()) ** 2 + rng.normal(0, 1e-3, 7)
        )
        for i, c in enumerate((1e18, 1e19, 1e20))
    )
    narrow, wide = (isoflop(budgets, level=level).growth[0.001] for level in (0.6, 0.9))
    assert narrow[2] - narrow[1] < wide[2] - wide[1]


def _ladder(loss: str) -> pd.DataFrame:
    rows = []
    for i in range(8):
        n, d = 1e6 * 2.0**i, 4e7 * 2.0**i
        flops = 6 * n * d
        common = {"run": f"r{i}", "family": "m", "params": n, "tokens": d, "flops": flops, "flops_convention": "6ND"}
        value = 1.5 + (flops / 1e12) ** -0.12 + 0.01 * (-1) ** i
        rows.append(common | {"task": loss, "metric": "val_loss", "value": value})
        rows.append(common | {"task": "q", "metric": "acc", "value": 0.3 + 0.04 * i, "n": 500, "chance": 0.25})
    return pd.DataFrame(rows)


NAMES = ("val", "error_web", "accuracy of web", "top-1 error", "flops", "error", "training tokens", "FLOPs of the web")


@pytest.mark.parametrize("loss", [name for name in NAMES if name != "flops"])
def test_a_mark_lies_in_the_same_place_whatever_the_loss_is_called(loss: str) -> None:
    config: dict[str, Any] = {
        "data": {"source": "table"},
        "targets": [{"name": "x", "flops": 1e18, "token_multiplier": 40}],
    }

    def places(name: str) -> list[Any]:
        recipes = [{"name": "overtraining", "loss": name}, {"name": "llama3", "middle": name}]
        result = run(config | {"recipes": recipes}, data=_ladder(name))
        return [
            figures.target_position(panel, forecast)
            for figure, forecast in zip(result.figures, result.forecasts, strict=True)
            for panel in figure.panels
        ]

    for mine, other in zip(places(loss), places("val"), strict=True):
        assert mine == pytest.approx(other, nan_ok=True)


def test_a_run_may_be_called_anchor() -> None:
    table = _ladder("val")
    table["run"] = table["run"].replace("r3", "(anchor)")
    more = table[table["metric"].eq("acc")].assign(metric="bits_per_byte", value=lambda t: 2 - 0.1 * np.arange(len(t)))
    config = {"data": {"source": "table"}, "targets": [{"params": 1e9, "tokens": 4e10}], "recipes": ["ladder"]}
    result = run(config, data=pd.concat([table, more]).drop(columns="n"))
    points = [p.run for panel in result.figures[0].panels for p in panel.points]
    assert points.count("(anchor)") == 3
