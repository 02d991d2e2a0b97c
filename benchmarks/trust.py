"""How far ``auto`` may be trusted: error on held-out targets against every fixed recipe and baseline, coverage, grades.

    python benchmarks/trust.py --testbeds DIR [--selection | --candidates] [gadre2024 olmo_ladder demo]

Targets are looked at here and nowhere else: nothing in the package was fitted to them. A refused task counts with its
baseline (the largest ladder score carried forward).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.core.config import Config, RunsSettings, load
from benchcast.data import ingest
from benchcast.forecasting import run as forecast
from benchcast.forecasting.context import contexts_of
from benchcast.forecasting.jobs import jobs_of
from benchcast.reports.records.forecast import Result
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.backtest import BacktestForecasts
from benchcast.stages.forecast.pathways import CARRY, DIRECT, FIRST, ONE_STEP, SECOND
from benchcast.stages.forecast.pooling import pool

CONFIGS = Path(__file__).parents[1] / "configs"
EIGHT = ("mmlu_test", "hellaswag_val", "arc_challenge_test", "socialiqa_val")
TARGETS = {
    "gadre2024": ("*-open_lm_1b-[!1]*", "*-open_lm_7b*"),
    "olmo_ladder": ("peteish*",),
    "demo": ("640K-10x", "1.3M-*"),
}
RECIPES = {
    "gadre2024": ["auto", {"name": "overtraining", "loss": "c4_val"}],
    "olmo_ladder": ["auto", "ladder", "llama3"],
    "demo": [
        "auto",
        "llama3",
        {"name": "overtraining", "loss": "validation"},
        {"name": "ladder", "last": 1, "smooth": 1},
    ],
}


def result_of(suite: str, testbeds: Path, published_runs: bool) -> Result:
    settings = load(CONFIGS / f"{suite}.yaml", Config)
    changed = Config.model_validate(
        settings.model_dump()
        | {"recipes": RECIPES[suite], "figures": 0, "targets": [{"run": t} for t in TARGETS[suite]]}
    )
    if not published_runs:
        changed = changed.model_copy(update={"runs": RunsSettings()})
    data = None if suite == "demo" else testbeds / suite
    return forecast.run(changed, CONFIGS, data)


def frame(result: Result) -> pd.DataFrame:
    rows = pd.DataFrame([f.model_dump(exclude={"alternatives", "notes"}) for f in result.forecasts])
    rows["carry"] = [f.baselines.carry_forward for f in result.forecasts]
    rows["direct"] = [f.baselines.direct for f in result.forecasts]
    rows = rows[rows["actual"].notna()].copy()
    rows["said"] = rows["forecast"].astype(float).fillna(rows["carry"])
    rows["miss"] = 100 * (rows["said"] - rows["actual"]).abs()
    rows["inside"] = (rows["actual"] >= rows["low"]) & (rows["actual"] <= rows["high"])
    return rows


def seventeen(rows: pd.DataFrame, testbeds: Path) -> list[str]:
    """The published subset: the best 154M model is at least 10 points above chance."""
    settings = load(CONFIGS / "gadre2024.yaml", Config)
    table = ingest.read_data(settings.data, CONFIGS, testbeds / "gadre2024").table
    mid = table[table["run"].str.contains("d=576") & table["metric"].isin(["acc", "acc_norm"])]
    best = mid.groupby("task")[["value", "chance"]].max()
    chosen = best.index[best["value"] >= best["chance"] + 0.1]
    return [t for t in chosen if not t.startswith("average_")]


def show(name: str, rows: pd.DataFrame) -> None:
    print(f"\n{name}: {rows.groupby('recipe').size().max()} (task, target) pairs")
    for recipe, part in rows.groupby("recipe", sort=False):
        refused = part["status"].isin(["refused", "failed"]).mean()
        inside = part.loc[part["forecast"].notna(), "inside"].mean()
        print(f"  {recipe:14s} mean miss {part['miss'].mean():5.2f}  inside {inside:.2f}  refused {refused:.2f}")
    one = rows[rows["recipe"] == "auto"]
    for baseline in ("direct", "carry"):
        print(f"  {baseline:14s} mean miss {100 * (one[baseline] - one['actual']).abs().mean():5.2f}")
    grades = one.groupby("grade")["miss"].agg(["size", "mean"]).round(2)
    print("  by grade:", {g: (int(r["size"]), float(r["mean"])) for g, r in grades.iterrows()})


def backtests(result: Result) -> None:
    for t in result.backtests:
        if t.task == "":
            end = f"{t.ratio_high:g}" if t.ratio_high else "∞"
            print(
                f"  backtest {t.family} {t.ratio_low:g}–{end}x: n {t.n}, miss {100 * t.error:.2f} "
                f"(carry {100 * t.carry_error:.2f}), coverage {t.coverage:.3f}, width {100 * t.width:.1f}, "
                f"Winkler {100 * t.interval_score:.1f} (delta method {100 * t.delta_score:.1f})"
            )


def ladders(suite: str, testbeds: Path, forecaster: AutoForecaster) -> Iterator[tuple[str, BacktestForecasts]]:
    """The backtest of every family of a suite, all its runs but the targets; nothing here sees a target."""
    plain = load(CONFIGS / f"{suite}.yaml", Config).model_dump()
    config = Config.model_validate(plain | {"recipes": ["auto"], "targets": [{"run": t} for t in TARGETS[suite]]})
    config = config.model_copy(update={"runs": RunsSettings()})
    table = ingest.read_data(config.data, CONFIGS, None if suite == "demo" else testbeds / suite).table
    for family, context in contexts_of(jobs_of(config, table)).items():
        yield f"{suite} {family}", context.forecaster(forecaster).history_.own


def scored(trials: BacktestForecasts) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the backtest after its first cutoff whose truth is known, and that truth."""
    rows = trials.rows
    known = (~rows["target"] & (rows["cutoff"] > rows["cutoff"].min()) & rows["actual"].notna()).to_numpy()
    return known, rows["actual"].to_numpy(dtype=float)[known]


def selection(suite: str, testbeds: Path) -> None:
    """Averaging against picking the winner and against equal weights, on the ladders' own backtests."""
    for name, trials in ladders(suite, testbeds, AutoForecaster()):
        said, pooled = trials.mean, pool(trials)
        known, actual = scored(trials)
        heaviest = said[np.arange(len(said)), np.argmax(np.where(np.isfinite(said), pooled.weights, -1), axis=1)]
        every = {"averaged": pooled.mean, "the heaviest": heaviest, "equal weights": np.nanmean(said, axis=1)}
        miss = {way: 100 * float(np.mean(np.abs(value[known] - actual))) for way, value in every.items()}
        print(f"  {name}:", ", ".join(f"{way} {value:.2f}" for way, value in miss.items()), flush=True)


def candidates(names: list[str], testbeds: Path) -> None:
    """Mean miss in the ladders' own backtests without each candidate of the default, and with each of the wide ones."""
    every = {name: t for suite in names for name, t in ladders(suite, testbeds, AutoForecaster(extended=True))}
    kinds = {"to a loss": FIRST, "to accuracy": SECOND, "one step": DIRECT}
    steps = {(kind, name): step.extended for kind, named in kinds.items() for name, step in named.items()}
    default = {key for key, wide in steps.items() if not wide} | {("one step", CARRY)}
    print("|", " | ".join(["pool", *every]), "|")
    print("|---|" + "---|" * len(every))
    print("| default |", " | ".join(missed(t, default) for t in every.values()), "|")
    for key, wide in steps.items():
        line = f"| {'with' if wide else 'without'} {key[1]}, {key[0]} |"
        print(line, " | ".join(missed(t, default ^ {key}) for t in every.values()), "|", flush=True)
    print("| everything |", " | ".join(missed(t, default | set(steps)) for t in every.values()), "|")


def missed(trials: BacktestForecasts, kept: set[tuple[str, str]]) -> str:
    """Mean miss in points of a pool of the forms made of ``kept`` candidates."""
    use = [
        i
        for i, f in enumerate(trials.paths)
        if (
            ("one step", f.first) in kept
            if f.intermediate_loss == ONE_STEP
            else ("to a loss", f.first) in kept and ("to accuracy", f.second) in kept
        )
    ]
    part = BacktestForecasts(
        rows=trials.rows,
        paths=tuple(trials.paths[i] for i in use),
        mean=trials.mean[:, use],
        stderr=trials.stderr[:, use],
        at_bound=trials.at_bound[:, use],
    )
    known, actual = scored(part)
    return f"{100 * np.mean(np.abs(pool(part).mean[known] - actual)):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", default=list(TARGETS))
    parser.add_argument("--testbeds", type=Path, required=True)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--selection", action="store_true", help="only compare ways to choose among the forms")
    only.add_argument("--candidates", action="store_true", help="only what each candidate adds to the pool")
    args = parser.parse_args()
    if args.candidates:
        candidates(args.suites, args.testbeds)
    for suite in args.suites if args.selection else ():
        selection(suite, args.testbeds)
    for suite in () if args.selection or args.candidates else args.suites:
        for published in (False, True) if suite == "olmo_ladder" else (False,):
            start = time.perf_counter()
            result = result_of(suite, args.testbeds, published)
            took = time.perf_counter() - start
            rows = frame(result)
            show(suite + (" (the published 16 runs)" if published else " (all ladder runs)"), rows)
            print(f"  {took:.1f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")
            backtests(result)
            if suite == "olmo_ladder":
                for recipe, part in rows[rows["task"].isin(EIGHT)].groupby("recipe", sort=False):
                    print(f"  the visible eight, {recipe}: {part['miss'].mean():.2f}")
            if suite == "gadre2024":
                chosen = seventeen(rows, args.testbeds)
                for recipe, part in rows[rows["task"].isin(chosen)].groupby("recipe", sort=False):
                    print(f"  per task of the {len(chosen)}, {recipe}: {part['miss'].mean():.2f}")
                for task in ("average_17", "average_46"):
                    for recipe, part in rows[rows["task"] == task].groupby("recipe", sort=False):
                        relative = 100 * (part["said"] - part["actual"]).abs() / (1 - part["actual"])
                        print(
                            f"  {task}, {recipe}: {np.mean(relative):.2f} % of the error "
                            f"({', '.join(f'{v:.2f}' for v in relative)})"
                        )


if __name__ == "__main__":
    main()
