"""The planning figures on the published testbeds, with the time each takes.

    python benchmarks/planning.py [FOLDER OF TESTBEDS]

IsoFLOP exponents (porian2024), regret of learning-rate and batch laws (steplaw), every schedule held out in turn
(multipowerlaw). One line each; exits with 1 when a limit is missed.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchcast.stages.fit.intervals import central_interval  # noqa: E402
from benchcast.stages.planning import hyperparams as hyper  # noqa: E402
from benchcast.stages.planning.isoflop import CURVES, isoflop, sweep_budgets  # noqa: E402
from benchcast.stages.planning.trajectory import fit_schedules  # noqa: E402

HEADLINE = {
    "dataset": "rw",
    "hparams": "tuned",
    "warmup": "short",
    "decay": "const",
    "flop_count": "standard",
    "loss_kind": "val",
}


def porian(folder: Path) -> bool:
    table = pd.read_csv(folder / "porian2024" / "isoflop.csv")
    for column, value in HEADLINE.items():
        table = table[table[column].eq(value)]
    budgets = sweep_budgets(*(table[c].to_numpy() for c in ("flops", "n", "loss")))
    began, parts, slopes = time.process_time(), [], {}
    for curve in CURVES:
        law = isoflop(budgets, curve, draws=1000).optimal_params
        slopes[curve] = law.slope
        parts.append(f"{curve} {law.slope:.4f} ({', '.join(f'{v:.3f}' for v in central_interval(law.slopes))})")
    seconds = time.process_time() - began
    missed = abs(slopes["akima"] - 0.496) > 0.003 or abs(slopes["parabola"] - 0.515) > 0.003 or seconds > 3
    print(f"isoFLOP exponent of N*, 12 budgets, 1,000 draws each: {'; '.join(parts)}; {seconds:.2f} s for the three")
    return missed


def steplaw(folder: Path) -> bool:
    table = pd.read_csv(folder / "steplaw" / "dense.csv")
    columns = [table[c].to_numpy(float) for c in ("N", "D", "lr", "bs_seqs", "smooth_loss")]
    columns[3] = columns[3] * 2048
    made = hyper.fit_surfaces(*columns)
    n, d = (np.array([getattr(s, name) for s in made]) for name in ("params", "tokens"))
    flops = np.array(
        [table.loc[table["N"].eq(a) & table["D"].eq(b), "M"].iloc[0] * b for a, b in zip(n, d, strict=True)]
    )
    parts = []
    for name, law in hyper.PUBLISHED_RULES.items():
        lr, batch = law.at(n, d, flops)
        best = np.mean([s.loss(a, b) / s.best - 1 for s, a, b in zip(made, lr, batch, strict=True)])
        parts.append(
            f"{name} {100 * hyper.regret(made, lr, batch).mean():.3f} % ({100 * best:.3f} % against the best run)"
        )
    lost = hyper.leave_one_size_out(made)
    print(
        f"regret over {len(made)} groups (N, D): {'; '.join(parts)}; own law with the size held out "
        f"{100 * lost.mean():.3f} %, worst {100 * lost.max():.3f} %"
    )
    return bool(lost.mean() > 0.0025)


def schedules(folder: Path) -> bool:
    table, missed = pd.read_csv(folder / "multipowerlaw" / "curves.csv"), False
    for size, part in table.groupby("size_M"):
        errors = {}
        for name in part["schedule"].unique():
            seen, held = part[part["schedule"].ne(name)], part[part["schedule"].eq(name)]
            found = fit_schedules(*(seen[c].to_numpy() for c in ("schedule", "step", "lr", "loss")), warmup=2160.0)
            law = found.predict(held["step"].to_numpy(float), held["lr"].to_numpy())
            errors[name] = float(np.mean(np.abs(law - held["loss"])))
        missed |= np.mean(list(errors.values())) > 0.006
        each = ", ".join(f"{k} {v:.4f}" for k, v in errors.items())
        print(f"{size}M, each schedule held out: mean error {np.mean(list(errors.values())):.4f} nats/token; {each}")
    return missed


def main() -> None:
    default = os.environ.get("BENCHCAST_TESTBEDS", ROOT.parent / "shared" / "testbeds")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not folder.is_dir():
        sys.exit(f"error: {folder}: does not exist; give the folder of the testbeds")
    missed = [check(folder) for check in (porian, steplaw, schedules)]
    print("MISSED" if any(missed) else "within the limits")
    sys.exit(any(missed))


if __name__ == "__main__":
    main()
