"""Make ``reports/examples/``: for every kind of report its config, its PDF and a picture of its first page.

    python benchmarks/examples.py        # needs pdftoppm (poppler-utils) for the pictures

The demo ladder is the only data, so the same versions give the same PDF, but for the dates in the last two. The nightly
example is two passes: before the big run begins, and after its first checkpoints, which are made worse by five points.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml
from benchcast.core.files import write_table
from benchcast.data.ingest import demo

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "reports" / "examples"
BIG = "1.3M-10x"
Made = tuple[Path, Path]  # config, PDF


def benchcast(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([sys.executable, "-m", "benchcast", *map(str, arguments)], stdout=subprocess.DEVNULL)
    if done.returncode not in codes:
        sys.exit(f"benchcast {' '.join(map(str, arguments))} ended with {done.returncode}")


def forecast(folder: Path) -> Made:
    benchcast("run", ROOT / "configs" / "demo.yaml", "--out", folder)
    return ROOT / "configs" / "demo.yaml", folder / "report.pdf"


def recipes(folder: Path) -> Made:
    benchcast("run", ROOT / "configs" / "recipes.yaml", "--out", folder)
    return ROOT / "configs" / "recipes.yaml", folder / "report.pdf"


def plan(folder: Path) -> Made:
    path = folder / "plan.yaml"
    path.write_text('title: "How large, on how many tokens?"\nflops: [1e23, 3.8e25]\n')
    benchcast("plan", path, "--out", folder)
    return path, folder / "plan.pdf"


def settlement(folder: Path) -> Made:
    """Registered from a table that does not have the planned runs yet, settled against the one that has."""
    table, register = demo().table, folder / "forecasts.jsonl"
    ends = table.sort_values("tokens").groupby("run").tail(1).set_index("run")
    plans = {f"plan of {run}": run for run in ("640K-10x", "1.3M-3x", "1.3M-6x", BIG)}
    config = {
        "title": "Four runs before they were trained",
        "data": {"source": "table", "path": "ladder.csv"},
        "metric": "acc",
        "recipes": ["auto"],
        "targets": [
            {"name": name, "params": float(ends.loc[run, "params"]), "tokens": float(ends.loc[run, "tokens"])}
            for name, run in plans.items()
        ],
    }
    path = folder / "registered.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    write_table(table[~table["run"].isin(list(plans.values()))], folder / "ladder.csv")
    benchcast("register", path, "--register", register)
    write_table(table, folder / "scores.csv")
    became = [text for name, run in plans.items() for text in ("--as", f"{name}={run}")]
    benchcast("settle", folder / "scores.csv", "--register", register, *became, "--out", folder)
    return path, folder / "settlement.pdf"


def nightly(folder: Path) -> Made:
    table = demo().table
    big = table["run"].eq(BIG)
    one = table[big].iloc[-1]
    config = {
        "title": "Night by night: is the big run where it was forecast?",
        "data": {"source": "table", "path": "ladder.csv"},
        "metric": "acc",
        "runs": {"exclude": ["1.3M-3x", "1.3M-6x"]},
        "recipes": ["auto"],
        "targets": [{"name": "planned", "params": float(one["params"]), "tokens": float(one["tokens"])}],
        "reevaluate": {"track": {"planned": BIG}, "points": 8, "nice": 0},
    }
    path = folder / "nightly.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    write_table(table[~big], folder / "ladder.csv")
    benchcast("reevaluate", path)
    begun = table[big & table["tokens"].le(0.6 * one["tokens"])].copy()
    begun.loc[begun["metric"].eq("acc"), "value"] -= 0.05
    write_table(pd.concat([table[~big], begun]), folder / "ladder.csv")
    benchcast("reevaluate", path, codes=(0, 3))
    return path, folder / "nightly" / "reports" / "latest" / "report.pdf"


EXAMPLES: dict[str, Callable[[Path], Made]] = {
    "demo": forecast,
    "recipes": recipes,
    "plan": plan,
    "nightly": nightly,
    "settlement": settlement,
}


def main() -> None:
    for name in sys.argv[1:] or EXAMPLES:
        place = OUT / name
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            config, pdf = EXAMPLES[name](Path(scratch))
            shutil.copyfile(config, place / "config.yaml")
            shutil.copyfile(pdf, place / "report.pdf")
        page = ["pdftoppm", "-r", "100", "-f", "1", "-l", "1", "-singlefile", "-png"]
        subprocess.run([*page, str(place / "report.pdf"), str(place / "page-1")], check=True)
        print(f"{place.relative_to(ROOT)}: {(place / 'report.pdf').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
