"""Fitting trends: time a fit, many tasks at once and one alone, and the memory that a batch takes.

    python benchmarks/trend.py [--tasks 240] [--runs 30]

Tasks are drawn from the law itself: a logistic curve over log compute between chance and one, scores of 500 documents.
CPU seconds, one thread. Exits with 1 when a fit of a batch takes more than its limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Callable

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from benchcast.stages.trend.log_odds import TrendData, fit_trends  # noqa: E402
from benchcast.stages.trend.loss_prior import fit_loss_laws  # noqa: E402

LIMIT = 3.0  # ms a fit, in a batch
ROUNDS, CHANCE, DOCUMENTS = 3, 0.25, 500
SIZES = (6, 16, 30, 60)  # runs, beside the one that is asked for
TARGETS = 20  # models that every task is predicted at


def tasks_of(count: int, runs: int, seed: int = 0) -> list[TrendData]:
    """Tasks of one ladder over three decades of compute."""
    rng = np.random.default_rng(seed)
    tasks = []
    for _ in range(count):
        x = np.sort(rng.uniform(18.0, 21.0, runs))
        slope, level = rng.normal(0.8, 0.4), rng.normal(-1.0, 1.0)
        true = CHANCE + (1 - CHANCE) / (1 + np.exp(-(level + slope * (x - 21.0))))
        sampling = np.sqrt(true * (1 - true) / DOCUMENTS)
        score = np.clip(true + sampling * rng.normal(size=runs), 0.0, 1.0)
        tasks.append(TrendData(x=x, accuracy=score, sampling=sampling, runs=np.arange(runs), chance=CHANCE))
    return tasks


def cpu_ms(work: Callable[[], object]) -> float:
    """The least of some rounds: what other processes take is no part of it."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return 1e3 * min(seconds)


def peak_mb(work: Callable[[], object]) -> float:
    """Most memory that is held at one time."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def losses_of(count: int, runs: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Ladders with losses, for the law that effective compute is read from."""
    rng = np.random.default_rng(seed)
    ladders = []
    for _ in range(count):
        params = 10 ** rng.uniform(7, 9, runs)
        tokens = params * 10 ** rng.uniform(1, 2.5, runs)
        loss = 1.7 + 400 / params**0.34 + 410 / tokens**0.28
        ladders.append((params, tokens, loss * np.exp(rng.normal(0, 0.01, runs))))
    return ladders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=240, help="tasks in a batch")
    parser.add_argument("--runs", type=int, default=30, help="runs of a ladder that the limit holds for")
    args = parser.parse_args()
    missed = False
    for runs in sorted({*SIZES, args.runs}):
        tasks = tasks_of(args.tasks, runs)
        batch = cpu_ms(lambda: fit_trends(tasks)) / len(tasks)  # noqa: B023
        alone = cpu_ms(lambda: [fit_trends([task]) for task in tasks[:10]]) / 10  # noqa: B023
        trends = fit_trends(tasks)
        x = np.linspace(21.0, 23.0, TARGETS)
        asked = cpu_ms(lambda: [trend.predict(x) for trend in trends]) / len(trends)  # noqa: B023
        memory = peak_mb(lambda: fit_trends(tasks))  # noqa: B023
        ladders = losses_of(args.tasks, runs)
        loss = cpu_ms(lambda: fit_loss_laws(ladders)) / len(ladders)  # noqa: B023
        print(
            f"{runs} runs: {batch:.2f} ms a fit of {len(tasks)} together, {alone:.2f} ms alone, "
            f"{asked:.2f} ms for {TARGETS} targets, at most {memory:.0f} MB; loss law {loss:.2f} ms a ladder",
            flush=True,
        )
        missed |= runs == args.runs and batch > LIMIT
    print(f"limit {LIMIT:g} ms a fit of {args.runs} runs: {'MISSED' if missed else 'kept'}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
