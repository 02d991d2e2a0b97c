"""``python -m pipeline.demo_ladder``: retrain and rescore the demonstration ladder (see ``make ladder``)."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from pipeline.demo_ladder.prepare import prepare
from pipeline.demo_ladder.train import RUNS, SHAPES, train


def train_all(folder: Path, workers: int) -> None:
    """Train every run that has no ``done.json`` yet, the cheapest first, one process per core."""
    runs = sorted(RUNS, key=lambda r: SHAPES[r.shape][0] ** 2 * r.multiplier)
    missing = [r for r in runs if not (folder / "runs" / r.name / "done.json").exists()]
    print(f"{len(runs) - len(missing)} of {len(runs)} runs are trained", flush=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(train, run, folder, folder / "runs") for run in missing]
        for done, future in enumerate(as_completed(futures), 1):
            s = future.result()
            print(f"{done}/{len(missing)} {s['run']}: loss {s['train_loss']:.3f}, {s['seconds']:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipeline.demo_ladder", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/ladder"), help="folder for corpus, runs and scores")
    parser.add_argument("--corpus", type=Path, help="a folder of text files instead of the Debian packages")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes, one thread each")
    args = parser.parse_args()
    prepare(args.work, args.corpus)
    train_all(args.work, args.workers)


if __name__ == "__main__":
    main()
