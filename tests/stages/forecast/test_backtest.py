"""Rolling origin, pooling and calibration: no peeking, closed forms, peers, and coverage on data that moves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.stages import DirectAccuracy
from benchcast.stages.forecast.backtest import BacktestForecasts, backtest
from benchcast.stages.forecast.conformal import calibrate
from benchcast.stages.forecast.grading import Signal, grade, signal
from benchcast.stages.forecast.pathways import CARRY, ONE_STEP, ForecastPath
from benchcast.stages.forecast.pooling import pool
from benchcast.stages.forecast.rolling_origin import RollingOrigin
from benchcast.stages.forecast.scoring_rules import crps_logit_normal, interval_score, log_score_logit_normal, logit
from benchcast.stages.forecast.task_data import TaskData
from scipy.stats import norm
from sklearn.model_selection import cross_val_score
from worlds.ladders import ladder


def codes_of(measured: Signal) -> set[str]:
    return {warning.code for warning in measured.warnings()}


def of(finals: pd.DataFrame, chance: float = 0.25) -> TaskData:
    return TaskData(finals=finals, loss_names=("bits_per_byte",), chance=chance)


def trials_of(seeds: range, held: int = 2) -> BacktestForecasts:
    ladders, targets = {}, {}
    for seed in seeds:
        rows = ladder(seed)
        ladders[f"t{seed}"] = of(rows[:-held])
        targets[f"t{seed}"] = rows[-held:].assign(actual=rows["accuracy"])
    return backtest(ladders, targets)


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


def test_a_forecast_never_sees_what_lay_beyond_its_cutoff() -> None:
    """Other accuracies of the largest runs change no forecast, weight or interval made before them."""
    rows = ladder(1)
    changed = rows.copy()
    changed.loc[len(rows) - 3 :, ["accuracy", "bits_per_byte"]] = [0.05, 3.0]
    found = []
    for table in (rows, changed):
        made = backtest({"t": of(table)}, {"t": rows[-1:].assign(actual=np.nan)})
        pooled = pool(made)
        intervals = calibrate(made, pooled)
        early = (made.rows["cutoff"] < rows["flops"].iloc[-4]).to_numpy()
        found.append((pooled.mean[early], pooled.weights[early], intervals.low[early], intervals.inflation[early]))
    assert len(found[0][0])
    for before, after in zip(*found, strict=True):
        np.testing.assert_array_equal(before, after)


def test_workers_change_nothing(trials: BacktestForecasts) -> None:
    seeds = range(4)
    rows = {f"t{s}": ladder(s) for s in seeds}
    again = backtest(
        {t: of(r[:-2]) for t, r in rows.items()},
        {t: r[-2:].assign(actual=r["accuracy"]) for t, r in rows.items()},
        workers=2,
    )
    np.testing.assert_array_equal(trials.mean, again.mean)
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


def test_a_form_that_failed_loses_its_weight() -> None:
    """Two forms, one of which missed by 20 points at every cutoff, the other by 1."""
    cutoffs = 10.0 ** np.repeat(np.arange(6), 1)
    rows = pd.DataFrame(
        {
            "task": "t",
            "cutoff": cutoffs,
            "run": [f"r{i}" for i in range(6)],
            "flops": cutoffs * 10,
            "actual": 0.5,
            "target": [False] * 5 + [True],
        }
    )
    paths = (ForecastPath("a", "good"), ForecastPath("b", "bad"))
    mean = np.column_stack([np.full(6, 0.51), np.full(6, 0.7)])
    made = BacktestForecasts(
        rows=rows, paths=paths, mean=mean, stderr=np.zeros_like(mean), at_bound=np.zeros_like(mean)
    )
    weights = pool(made).weights
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
    assert not made.rows.duplicated(["task", "run", "cutoff", "target"]).any()


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


def test_grades_say_why() -> None:
    good = signal(ladder(0), 0.25)
    assert grade(good, 0.03, 0.01, 0.05, 0.5, 1.0)[0] == "A"
    assert grade(good, 0.07, 0.01, 0.05, 0.5, 1.0)[0] == "B"
    assert grade(good, 0.03, 0.01, 0.05, 1.3, 1.0)[0] == "B"  # no better than what was tested
    assert grade(good, 0.20, 0.01, 0.05, 0.5, 1.0)[0] == "C"
    assert grade(good, 0.50, 0.01, 0.05, 0.5, 1.0)[0] == "D"
    untested = grade(good, 0.03, float("nan"), float("nan"), 0.5, float("nan"))
    assert untested == ("D", ("the ladder is too short to test any forecast on it",))
    letter, reasons = grade(good, 0.03, 0.04, 0.03, 0.5, 1.0)
    assert letter == "C"
    assert "carried forward" in reasons[1]
    flat = ladder(0).assign(accuracy=0.25 + np.random.default_rng(0).normal(0, 0.005, 15))
    letter, reasons = grade(signal(flat, 0.25), 0.03, 0.01, 0.05, 0.5, 1.0)
    assert letter == "D"
    assert "above chance" in reasons[0]


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
        made[name] = backtest({"t": of(finals)}, targets)
    plain, few, later = (pool(t) for t in made.values())
    np.testing.assert_allclose(few.mean, plain.mean)
    np.testing.assert_allclose(few.std**2 - plain.std**2, 0.05**2 / 2)
    early = made["later"].rows["cutoff"].to_numpy() <= rows["flops"][7]
    np.testing.assert_allclose(later.std[early], plain.std[early])
