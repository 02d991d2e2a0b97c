"""The index at a million cells: finding what is missing, and printing the status, in time and memory.

    python benchmarks/index.py [--checkpoints 10000] [--tasks 100]

Fills an index with synthetic cells (one in fifty is missing), then measures in fresh processes: finding what is
missing (needs under 2 s and 500 MB) and ``benchcast status`` (under 2 s). The last line holds the figures; exit code 1
when one falls short.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchcast.scoring.store import Store
from benchcast.scoring.store.index import Index, IndexEntry
from benchcast.scoring.store.keys import Cell, Setup

SECONDS, MEGABYTES = 2.0, 500.0
SETUP = Setup(lm_eval="0.4.13", dtype="float32", add_bos_token=False, max_length=None)
FIND = """
import sys, time
from pathlib import Path
from benchcast.scoring.store import Store
from benchcast.scoring.store.index import Index
store = Store(Path(sys.argv[1]))
plan = store.plan()
began = time.perf_counter()
missing = Index(store).missing([c["digest"] for c in plan["checkpoints"]], [t["requests"] for t in plan["tasks"]],
                               plan["setup"], failed_too=False)
print(sum(map(len, missing.values())), time.perf_counter() - began)
"""


def fill(folder: Path, checkpoints: int, tasks: int) -> int:
    """Enter all cells but one in fifty; returns how many are missing."""
    store = Store(folder)
    index = Index(store)
    missing = 0
    entries: list[IndexEntry] = []
    for number in range(checkpoints):
        for task in range(tasks):
            if (number * tasks + task) % 50 == 0:
                missing += 1
                continue
            cell = Cell(checkpoint=f"{number:064x}", requests=f"{task:064x}", setup=SETUP, task=f"task_{task}")
            about = {
                "checkpoint": cell.checkpoint,
                "requests": cell.requests,
                "task": cell.task,
                "setup_digest": SETUP.digest,
                "setup": asdict(SETUP),
                "rows": [{"metric": "acc", "value": 0.5, "stderr": 0.01}],
            }
            entries.append(IndexEntry.from_disk(cell.id, about, failed=False))
        if len(entries) > 50_000 or number == checkpoints - 1:
            index.add(entries)
            entries = []
    index.close()
    store.write_plan(
        {
            "setup": SETUP.digest,
            "unbuilt": {},
            "broken": {},
            "waiting": [],
            "tasks": [{"name": f"task_{i}", "requests": f"{i:064x}"} for i in range(tasks)],
            "checkpoints": [{"source": f"runs/r/step-{i:06d}", "digest": f"{i:064x}"} for i in range(checkpoints)],
        }
    )
    return missing


def run(*command: str) -> tuple[str, float, float]:
    """Output, wall seconds and peak megabytes of a fresh process."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    return done.stdout, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=100)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "scores"
        expected = fill(folder, args.checkpoints, args.tasks)
        out, _, memory = run(sys.executable, "-c", FIND, str(folder))
        found, find = int(out.split()[0]), float(out.split()[1])
        benchcast = str(Path(sys.executable).with_name("benchcast"))
        out, status, _ = run(benchcast, "status", str(folder))
        told = json.loads(run(benchcast, "status", str(folder), "--json")[0])
    right = found == expected == told["counts"]["missing"] and f"{expected} missing" in out
    print(
        f"{args.checkpoints} x {args.tasks} cells: missing found in {find:.2f} s (needs {SECONDS:g}) with "
        f"{memory:.0f} MB (needs {MEGABYTES:g}), status in {status:.2f} s (needs {SECONDS:g}), "
        f"{'right' if right else 'WRONG'}"
    )
    sys.exit(0 if right and find < SECONDS and memory < MEGABYTES and status < SECONDS else 1)


if __name__ == "__main__":
    main()
