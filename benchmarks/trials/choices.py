"""Ways to choose among the paths, and what each candidate law adds, on the ladders' own backtests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.backtest import BacktestForecasts
from benchcast.stages.forecast.pathways import CARRY, DIRECT, FIRST, FORMS, ONE_STEP, SECOND
from benchcast.stages.forecast.pooling import pool

from .backtests import WORKERS
from .suites import ladders, markdown

Candidate = tuple[str, str]  # the kind of step, and the name


def backtests(
    suites: Sequence[str], testbeds: Path, unfitted: AutoForecaster
) -> Iterator[tuple[str, BacktestForecasts]]:
    """The backtest of every ladder, not yet pooled."""
    for label, context in ladders(suites, testbeds):
        yield label, context.forecaster(unfitted).history_.own


def scored(trials: BacktestForecasts) -> tuple[np.ndarray, np.ndarray]:
    """Rows along compute after the first cutoff whose truth is known, and that truth."""
    rows = trials.rows
    limit = rows["limit_flops"].where(rows["axis"].eq("flops"))
    known = (~rows["target"].astype(bool) & (limit > limit.min()) & rows["actual"].notna()).to_numpy()
    return known, rows["actual"].to_numpy(dtype=float)[known]


def selection(suites: Sequence[str], testbeds: Path) -> None:
    """Averaging against picking the winner and against equal weights."""
    for name, trials in backtests(suites, testbeds, AutoForecaster(workers=WORKERS)):
        said, pooled = trials.mean, pool(trials)
        known, actual = scored(trials)
        heaviest = said[np.arange(len(said)), np.argmax(np.where(np.isfinite(said), pooled.weights, -1), axis=1)]
        every = {"averaged": pooled.mean, "the heaviest": heaviest, "equal weights": np.nanmean(said, axis=1)}
        miss = {way: 100 * float(np.mean(np.abs(value[known] - actual))) for way, value in every.items()}
        print(f"  {name}:", ", ".join(f"{way} {value:.2f}" for way, value in miss.items()), flush=True)


def candidates(suites: Sequence[str], testbeds: Path) -> None:
    """Mean miss without each candidate and form of the default, and with each of the wide ones."""
    every = dict(backtests(suites, testbeds, AutoForecaster(extended=True, workers=WORKERS)))
    kinds = {"to a loss": FIRST, "to accuracy": SECOND, "one step": DIRECT}
    tried = {(kind, name): step for kind, named in kinds.items() for name, step in named.items() if not step.references}
    steps = {key: step.extended for key, step in tried.items()}
    steps |= {("one step", name): False for name in FORMS}
    default = {key for key, wide in steps.items() if not wide} | {("one step", CARRY)}
    lines = [{"pool": "default"} | {name: missed(t, default) for name, t in every.items()}]
    for key, wide in steps.items():
        label = f"{'with' if wide else 'without'} {key[1]}, {key[0]}"
        lines.append({"pool": label} | {name: missed(t, default ^ {key}) for name, t in every.items()})
    lines.append({"pool": "everything"} | {name: missed(t, default | set(steps)) for name, t in every.items()})
    print(markdown(lines))


def missed(trials: BacktestForecasts, kept: set[Candidate]) -> str:
    """Mean miss in points of a pool of the paths made of ``kept`` candidates."""
    use = [
        i
        for i, path in enumerate(trials.paths)
        if (
            ("one step", path.first) in kept
            if path.intermediate_loss == ONE_STEP
            else ("to a loss", path.first) in kept and ("to accuracy", path.second) in kept
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
