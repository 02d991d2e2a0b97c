"""How often `versus` and `gate` are wrong, and what they see, by simulation: the figures of their how-to pages.

    python benchmarks/gate.py [--trials 10000]

A run's deviation from its forecast is a walk over its checkpoints (of unit variance at each), of which a share is
common to all tasks. Every checkpoint answers the same documents, so their luck goes along.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from benchcast.stages.comparing import gate
from benchcast.stages.comparing.gate import GO, NO_GO, Interval
from benchcast.stages.comparing.paired import detectable, holm, mid_p
from benchcast.stages.monitor.sequential import spent
from numpy.typing import NDArray

Array = NDArray[np.float64]
TASKS = 6
DOCUMENTS = np.array([300, 800, 800, 1200, 2500, 10_000])
FORECAST = np.array([0.30, 0.45, 0.55, 0.62, 0.71, 0.88])
STD = np.array([0.02, 0.04, 0.01, 0.08, 0.03, 0.015])
INTERVAL = Interval(forecast=FORECAST, low=FORECAST - 1.645 * STD, high=FORECAST + 1.645 * STD, level=0.9)
LOOKS = np.linspace(0.1, 1, 10)


def versus(rng: np.random.Generator, trials: int, tasks: int, difference: float | None) -> float:
    """How often a task is called different; of none that is (None), or of one that differs by the detectable share."""
    documents, share = np.full(tasks, 800), 0.1
    flips = rng.binomial(documents, share, (trials, tasks))
    p = np.full(tasks, 0.5)
    if difference is not None:
        p[0] = (share - difference) / (2 * share)
    lost = rng.binomial(flips, p)
    called = holm(mid_p(lost, flips - lost)) <= 0.05
    return float(np.mean(np.any(called, axis=1) if difference is None else called[:, 0]))


def walk(rng: np.random.Generator, trials: int, looks: int, together: float) -> Array:
    """Deviations of unit variance (trials, looks, tasks), a share of the variance common to all tasks."""
    own, shared = (rng.normal(size=(trials, looks, k)).cumsum(axis=1) for k in (TASKS, 1))
    spread = np.sqrt(np.arange(1, looks + 1))[:, None]
    return np.asarray((np.sqrt(together) * shared + np.sqrt(1 - together) * own) / spread)


def measured(rng: np.random.Generator, truth: Array) -> Array:
    """Scores of true ones, of the same documents at every look."""
    truth = np.clip(truth, 0.001, 0.999)
    luck = rng.normal(size=(len(truth), 1, TASKS)) * np.sqrt(DOCUMENTS * truth * (1 - truth))
    return np.asarray(np.clip(np.round(truth * DOCUMENTS + luck), 0, DOCUMENTS) / DOCUMENTS)


def ever(verdict: int, value: Array, looks: Array, documents: Array = DOCUMENTS) -> str:
    """How often a verdict is ever given, in percent."""
    evidence = gate.not_below(value, documents, INTERVAL)
    outcome = gate.verdict(gate.rules(evidence, false_alarms=0.05, false_passes=0.05, share=looks[:, None]))
    return f"{100 * np.mean(np.any(outcome == verdict, axis=1)):.2f} %"


def of_versus(rng: np.random.Generator, trials: int) -> None:
    """Two equal checkpoints, and two of which one is better."""
    print("versus, 800 documents a task, a tenth of them flips; Holm at 5 %")
    for tasks in (1, 6, 48):
        seen = detectable(800, 80, 0.05 / tasks)
        called, found = versus(rng, trials, tasks, None), versus(rng, trials, tasks, seen)
        print(f"  {tasks:2} tasks: any is called where none differs {100 * called:.2f} %;", end=" ")
        print(f"one of {100 * seen:.1f} points is seen {100 * found:.1f} %")


def of_good_runs(rng: np.random.Generator, trials: int, looks: Array, name: str) -> None:
    """Runs that are draws from their forecast, and one at the edge of every interval: how often they are stopped."""
    for together in (0.0, 0.8):
        value = measured(rng, FORECAST + STD * walk(rng, trials, len(looks), together))
        below = np.mean(np.any(value < FORECAST - 1.645 * STD, axis=(1, 2)))
        print(
            f"  {name}, draws from the forecast, {together:.0%} in common: no-go {ever(NO_GO, value, looks)}", end=" "
        )
        print(f"(a score is below its interval in {below:.0%})")
    edge = np.broadcast_to(FORECAST - 1.645 * STD, (trials, len(looks), TASKS))
    print(f"  {name}, every true score at its edge: no-go {ever(NO_GO, measured(rng, edge), looks)}")


def of_bad_runs(rng: np.random.Generator, trials: int, looks: Array, name: str) -> None:
    """Runs of which one true score is just below its edge: how often they pass, for the worst of the tasks."""
    passed = []
    for task in range(TASKS):
        truth = FORECAST + STD
        truth[task] = FORECAST[task] - 1.645 * STD[task] - 1e-9
        passed.append(ever(GO, measured(rng, np.broadcast_to(truth, (trials, len(looks), TASKS))), looks))
    print(f"  {name}, one true score just below its edge: go {max(passed, key=lambda s: float(s.split()[0]))}")


def of_power(rng: np.random.Generator, trials: int) -> None:
    """Runs at their forecast with more and more documents, and runs far from it."""
    end = np.ones(1)
    for more in (1, 4, 16):
        truth = np.broadcast_to(FORECAST, (trials, 1, TASKS))
        luck = rng.normal(size=(trials, 1, TASKS)) * np.sqrt(truth * (1 - truth) / DOCUMENTS / more)
        print(f"  the end, a run at its forecast, {more} times the documents: go", end=" ")
        print(ever(GO, np.round((truth + luck) * DOCUMENTS * more) / DOCUMENTS / more, end, DOCUMENTS * more))
    for away in (-2.0, -2.5, -3.0):
        value = measured(rng, np.broadcast_to(FORECAST + away * STD, (trials, 1, TASKS)))
        print(f"  the end, all tasks {away:+.1f} standard deviations off: no-go {ever(NO_GO, value, end)}")


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    trials = parser.parse_args().trials
    rng = np.random.default_rng(20261127)
    began = time.perf_counter()
    of_versus(rng, trials)
    print(f"gate, six tasks not below their intervals of 90 %, {DOCUMENTS.tolist()} documents; both rates 5 %")
    for looks, name in ((np.ones(1), "the end"), (spent(LOOKS, 1.0), "ten looks")):
        of_good_runs(rng, trials, looks, name)
        of_bad_runs(rng, trials, looks, name)
    of_power(rng, trials)
    print(f"{time.perf_counter() - began:.0f} s, {trials} trials each")


if __name__ == "__main__":
    main()
