"""Seconds and memory of `benchcast run` on the two published testbeds, against the 10 s each is allowed.

    python benchmarks/testbeds.py [FOLDER OF TESTBEDS]

Prints one line per testbed and one for both; exits with 1 when a limit is missed.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"gadre2024": 10.0, "olmo_ladder": 10.0}


def measure(name: str, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one whole process that prints the result as JSON."""
    config = ROOT / "configs" / f"{name}.yaml"
    command = [sys.executable, "-m", "benchcast", "run", str(config), "--data", str(folder), "--json", "-"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    default = os.environ.get("BENCHCAST_TESTBEDS", ROOT.parent / "shared" / "testbeds")
    testbeds = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    missed = False
    for name, limit in LIMITS.items():
        wall, cpu = measure(name, testbeds / name)
        missed |= wall > limit
        print(f"{name}: {wall:.1f} s wall, {cpu:.1f} s CPU (limit {limit:g} s wall)")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB; {'MISSED' if missed else 'within the limits'}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
