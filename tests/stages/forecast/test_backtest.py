"""Rolling origin, pooling and calibration: no peeking, closed forms, peers, and coverage on data that moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import DirectAccuracy
from benchcast.stages.forecast.backtest import BacktestForecasts, backtest
from benchcast.stages.forecast.conformal import calibrate
from benchcast.stages.forecast.grading import Reach, Signal, grade, signal
from benchcast.stages.forecast.pathways import CARRY, ONE_STEP, ForecastPath
from benchcast.stages.forecast.pooling import pool
from benchcast.stages.forecast.rolling_origin import AXES, BUDGET_RTOL_FACTOR, Axis, Horizon, RollingOrigin, horizons
from benchcast.stages.forecast.scoring_rules import crps_logit_normal, interval_score, log_score_logit_normal, logit
from benchcast.stages.forecast.task_data import TaskData
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.model_selection import cross_val_score
from worlds.backtests import beyond, forecasts
from worlds.ladders import ladder


def codes_of(measured: Signal) -> set[str]:
    return {warning.code for warning in measured.warnings()}


def of(finals: pd.DataFrame, chance: float = 0.25) -> TaskData:
    return TaskData(finals=finals, loss_names=("bits_per_byte",), chance=chance)


def trials_of(seeds: range, held: int = 2, workers: int = 1) -> BacktestForecasts:
    ladders, targets = {}, {}
    for seed in seeds:
        rows = ladder(seed)
        ladders[f"t{seed}"] = of(rows[:-held])
        targets[f"t{seed}"] = rows[-held:].assign(actual=rows["accuracy"])
    return backtest(ladders, targets, max_cutoffs=6, workers=workers)


def last_of(made: BacktestForecasts) -> np.ndarray:
    """The targets as forecast from the whole ladder, not from what there was before its largest runs."""
    cutoff = made.rows["cutoff"].to_numpy(dtype=float)
    return made.rows["target"].to_numpy(dtype=bool) & (cutoff == cutoff.max())


@pytest.fixture(scope="module")
def trials() -> BacktestForecasts:
    return trials_of(range(4))


def test_splits_are_ordered_by_compute_and_keep_trajectories_whole() -> None:
    flops = np.array([1, 2, 4, 1, 2, 8, 3, 6, 12, 20.0])
    runs = np.array(["a", "a", "a", "b", "b", "b", "c", "c", "c", "d"])
    splits = list(RollingOrigin(min_runs=1).split(flops[:, None], groups=runs))
    assert len(splits) == 3
    for train, test in splits:
        assert not set(runs[train]) & set(runs[test])
        assert flops[test].min() > flops[train].max()
        assert len(test)


def test_the_splitter_is_a_scikit_learn_cross_validator() -> None:
    rows = ladder(0)
    cv = RollingOrigin(max_cutoffs=4)
    scores = cross_val_score(
        DirectAccuracy(), rows[["flops"]].to_numpy(), rows["accuracy"], cv=cv, scoring="neg_mean_absolute_error"
    )
    assert len(scores) == cv.get_n_splits(rows[["flops"]].to_numpy()) == 4


@pytest.mark.parametrize("axis", AXES)
def test_a_forecast_never_sees_what_lay_beyond_its_horizon(axis: Axis) -> None:
    """Other scores of the dearest, the largest or the longest runs change nothing that was said without them."""
    rows = ladder(1)
    late = rows[axis] > {"flops": 4e19, "params": 4e7, "tokens": 3e10}[axis]
    changed = rows.copy()
    changed.loc[late, ["accuracy", "bits_per_byte"]] = [0.05, 3.0]
    found = []
    for table in (rows, changed):
        made = backtest({"t": of(table)}, {"t": rows[-1:].assign(actual=np.nan)}, max_cutoffs=9)
        pooled = pool(made)
        intervals = calibrate(made, pooled)
        early = np.concatenate([here for place, here in made.origins() if not place.sees(rows[late]).any()])
        assert axis in set(made.rows["axis"].iloc[early])
        found.append((pooled.mean[early], pooled.weights[early], intervals.low[early], intervals.inflation[early]))
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(before, after)


def test_workers_change_nothing(trials: BacktestForecasts) -> None:
    again = trials_of(range(4), workers=2)
    np.testing.assert_array_equal(trials.mean, again.mean)
    np.testing.assert_array_equal(trials.stderr, again.stderr)
    pd.testing.assert_frame_equal(trials.rows, again.rows)


def test_pooled_beats_both_baselines_and_weights_are_weights(trials: BacktestForecasts) -> None:
    pooled = pool(trials)
    np.testing.assert_allclose(pooled.weights.sum(axis=1), 1.0)
    assert (pooled.weights >= 0).all()
    target = last_of(trials)
    actual = trials.rows["actual"].to_numpy(dtype=float)
    miss = np.abs(pooled.mean - actual)[target].mean()
    for form in (ForecastPath(ONE_STEP, CARRY), ForecastPath(ONE_STEP, "direct law")):
        assert miss < np.abs(trials.mean[:, trials.paths.index(form)] - actual)[target].mean()


def test_a_path_that_failed_loses_its_weight() -> None:
    """Two paths, one of which missed by 20 points at every cutoff, the other by 1."""
    rows = [{"cutoff": 10.0**i, "flops": 10.0 ** (i + 1), "target": i == 5} for i in range(6)]
    weights = pool(forecasts(rows, [[0.51, 0.7]] * 6)).weights
    np.testing.assert_allclose(weights[0], [0.5, 0.5])
    assert weights[-1, 0] > 0.95


def test_intervals_cover_on_new_data_from_every_cutoff() -> None:
    """Nominal 90 %, 20 tasks of the truth above. The laws hold exactly here: too wide is likelier than too narrow."""
    made = trials_of(range(100, 120))
    intervals = calibrate(made, pool(made))
    actual = made.rows["actual"].to_numpy(dtype=float)
    hit = (actual >= intervals.low) & (actual <= intervals.high)
    target = last_of(made)
    assert hit[~target].mean() >= 0.87
    assert hit[target].mean() >= 0.87
    assert np.median((intervals.high - intervals.low)[target]) < 0.15


def test_intervals_are_asymmetric_and_stay_inside(trials: BacktestForecasts) -> None:
    pooled = pool(trials)
    wide, narrow = (calibrate(trials, pooled, level=level) for level in (0.99, 0.9))
    assert ((wide.low >= 0) & (wide.high <= 1)).all()
    assert (wide.high - wide.low > narrow.high - narrow.low).all()
    above, below = narrow.high - pooled.mean, pooled.mean - narrow.low
    assert (above < below)[pooled.mean > 0.6].all()  # less room above
    assert (above > below)[pooled.mean < 0.4].all()


def test_a_perfect_score_is_inside_its_interval() -> None:
    rows = ladder(0).assign(accuracy=1.0)
    made = backtest({"t": of(rows, chance=0.0)}, {"t": rows[:0].assign(actual=1.0)})
    assert calibrate(made, pool(made)).holds(made.rows["actual"].to_numpy(dtype=float)).all()


def test_a_task_of_few_runs_stands_at_its_own_largest() -> None:
    """Measured up to the ninth run only, beside one that was measured on all: the ratios are its own."""
    rows = ladder(0)
    target = rows[-1:].assign(actual=rows["accuracy"])
    tables = {"all": rows[:-1], "few": rows[:9]}
    made = backtest(
        {t: of(r) for t, r in tables.items()},
        dict.fromkeys(tables, target),
    )
    few = (made.rows["task"].eq("few") & made.rows["target"]).to_numpy()
    assert made.decades[few].min() == pytest.approx(np.log10(target["flops"].iloc[0] / rows["flops"].iloc[8]))
    assert not made.rows.duplicated(["task", "run", "origin", "target"]).any()


def test_interval_score_is_winklers() -> None:
    np.testing.assert_allclose(interval_score([0.4], [0.6], [0.5]), 0.2)
    np.testing.assert_allclose(interval_score([0.4], [0.6], [0.3], level=0.9), 0.2 + 20 * 0.1)
    np.testing.assert_allclose(interval_score([0.4], [0.6], [0.65], level=0.8), 0.2 + 10 * 0.05)


def test_crps_and_log_score_against_their_definitions() -> None:
    """CRPS as the integral of (F - 1[y <= x])² by quadrature; the density by numeric differentiation of F."""
    center, scale, y = 0.3, 0.5, 0.62
    grid = np.linspace(1e-6, 1 - 1e-6, 200_001)
    cdf = norm.cdf((np.log(grid / (1 - grid)) - center) / scale)
    assert crps_logit_normal(center, scale, y)[0] == pytest.approx(
        np.trapezoid((cdf - (grid >= y)) ** 2, grid), abs=2e-4
    )
    step = 1e-6
    density = np.diff(norm.cdf((logit([y - step, y + step]) - center) / scale))[0] / (2 * step)
    assert log_score_logit_normal(center, scale, y) == pytest.approx(-np.log(density), rel=1e-6)


def test_grades_of_measured_signals_say_why() -> None:
    near = Reach(flops=0.5, params=0.2, tokens=0.3, tested_flops=1.0, tested_params=0.5, tested_tokens=0.5)
    good = signal(ladder(0), 0.25)
    assert grade(good, 0.03, 0.01, 0.05, near)[0] == "A"
    untested = grade(good, 0.03, np.nan, np.nan, replace(near, tested_flops=np.nan))
    assert untested[0] == "C"
    assert "no forecast on it could be tested" in untested[1][1]
    letter, reasons = grade(good, 0.03, 0.04, 0.03, near)
    assert letter == "C"
    assert "carried forward" in reasons[1]
    flat = ladder(0).assign(accuracy=0.25 + np.random.default_rng(0).normal(0, 0.005, 15))
    letter, reasons = grade(signal(flat, 0.25), 0.03, 0.01, 0.05, near)
    assert letter == "C"
    assert "chance" in reasons[1]


def test_shapes_are_named() -> None:
    rows = ladder(0)
    x = np.log10(rows["flops"])
    falling = signal(rows.assign(accuracy=0.9 - 0.05 * (x - x.min())), None)
    assert "inverse-scaling" in codes_of(falling)
    valley = signal(rows.assign(accuracy=0.4 + 0.02 * (x - x.mean()) ** 2), None)
    assert "u-shaped" in codes_of(valley)
    assert not {"u-shaped", "inverse-scaling", "no-trend"} & codes_of(signal(rows, 0.25))


def test_the_sampling_error_of_the_score_to_come_is_in_the_spread() -> None:
    """Half of its variance: runs that are asked the same questions share the rest. Known scores only, no peeking."""
    rows = ladder(1)
    targets = {"t": rows[-2:].assign(actual=rows["accuracy"])}
    made = {}
    for name, stderr in (("none", np.nan), ("few", 0.05), ("later", np.where(rows.index < 8, 0.0, 0.05))):
        finals = rows.assign(stderr=stderr)[:-2]
        made[name] = without_forms(backtest({"t": of(finals)}, targets, max_cutoffs=3))
    plain, few, later = (pool(t) for t in made.values())
    np.testing.assert_allclose(few.mean, plain.mean)
    np.testing.assert_allclose(few.std**2 - plain.std**2, 0.05**2 / 2)
    early = [here for place, here in made["later"].origins() if not place.sees(rows[8:]).any()]
    assert early
    np.testing.assert_allclose(later.std[np.concatenate(early)], plain.std[np.concatenate(early)])


def without_forms(made: BacktestForecasts) -> BacktestForecasts:
    """The paths of laws only, which know of sampling errors nothing."""
    laws = np.array([path.form is None for path in made.paths])
    paths = tuple(path for path, kept in zip(made.paths, laws, strict=True) if kept)
    return replace(
        made, paths=paths, mean=made.mean[:, laws], stderr=made.stderr[:, laws], at_bound=made.at_bound[:, laws]
    )


def test_a_spread_of_its_own_holds_the_sampling_error_already() -> None:
    """With scores of 100 questions the trend's spread at a target is at least half of their variance."""
    rows = ladder(1).assign(stderr=0.05)
    made = backtest({"t": of(rows[:-2])}, {"t": rows[-2:].assign(actual=np.nan)}, max_cutoffs=1)
    (own,) = (k for k, path in enumerate(made.paths) if path.form)
    assert (made.stderr[:, own] ** 2 > 0.05**2 / 2).all()
    assert (pool(made).std >= made.stderr[:, own]).all()


# ---- horizons ----

BUDGETS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25)


def grid(cells: list[tuple[int, int]]) -> pd.DataFrame:
    """Runs of five sizes and five lengths."""
    n, d = (10.0 ** (6 + np.array(steps) / 2) for steps in zip(*cells, strict=True))
    return pd.DataFrame({"flops": 6 * n * d, "params": n, "tokens": d})


@given(BUDGETS, st.integers(1, 8), st.integers(1, 6))
def test_a_ladder_is_cut_where_enough_runs_are_left_and_some_lie_beyond(
    cells: list[tuple[int, int]], min_runs: int, max_cutoffs: int
) -> None:
    runs = grid(cells)
    found = horizons(runs, min_runs, max_cutoffs)
    for place in found:
        seen = place.sees(runs)
        assert min_runs <= seen.sum() < len(runs)
        cut = runs[place.axis].to_numpy()
        assert cut[seen].max() < cut[~seen].min()  # along its axis alone
    by_axis = {axis: [p for p in found if p.axis == axis] for axis in AXES}
    assert len(by_axis["flops"]) <= max_cutoffs
    assert max(len(by_axis["params"]), len(by_axis["tokens"])) <= max_cutoffs // 3
    assert len({place.name for place in found}) == len(found)
    if len(set(zip(runs["flops"], strict=True))) > 1 and min_runs == 1:
        assert by_axis["flops"]
    assert Horizon().sees(runs).all()


@given(BUDGETS, st.integers(1, 4), st.data())
def test_what_is_known_at_a_horizon_was_fitted_and_run_within_it(
    cells: list[tuple[int, int]], min_runs: int, data: st.DataObject
) -> None:
    """Whatever forecast counts there, no run that it was fitted to, and not the one that it was for, lies beyond."""
    runs = grid(cells)
    places = horizons(runs, min_runs, 4)
    rows = [
        forecast_of(runs.iloc[i], runs[place.sees(runs)], place)
        for place in places
        for i in np.flatnonzero(~place.sees(runs))
    ]
    rows += [forecast_of(runs.iloc[i], runs, Horizon()) for i in range(len(runs))]
    made = forecasts(rows, np.full((len(rows), 2), 0.5))
    place = data.draw(st.sampled_from([*places, Horizon()]))
    known = set(made.known_at(place).tolist())
    for i, row in made.rows.iterrows():
        inside = all(max(row[a], row[f"fitted_{a}"]) <= getattr(place, a) * BUDGET_RTOL_FACTOR for a in AXES)
        assert (i in known) == (inside and not row["target"])
    if place == Horizon():
        assert len(known) == len(rows) - len(runs)


def forecast_of(run: pd.Series, fitted: pd.DataFrame, place: Horizon) -> dict[str, object]:
    """A row for one run, made from some others."""
    largest = tuple(float(fitted[axis].max()) for axis in AXES)
    return {**run.to_dict(), "cutoff": largest[0], "fitted": largest, "horizon": place, "target": place == Horizon()}


def test_distance_is_along_size_and_length_and_compute_where_one_is_unknown() -> None:
    """A tenth of the tokens and a hundred times the size: two decades beyond, though one of compute."""
    rows = [
        beyond(2.0, -1.0, target=True),
        beyond(1.0, 1.0, target=True),
        beyond(1.0, 2.0, target=True) | {"tokens": np.nan},
    ]
    made = forecasts(rows, np.full((3, 2), 0.5))
    np.testing.assert_allclose(made.reach, [[2, 0], [1, 1], [1, np.nan]])
    np.testing.assert_allclose(made.decades, [1, 2, 3])
    np.testing.assert_allclose(made.distance, [2, 2, 3])
