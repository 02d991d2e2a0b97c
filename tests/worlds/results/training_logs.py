"""What trainers log: a panel of Weights & Biases, and states of the Hugging Face trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def state(folder: Path, steps: int, **more: Any) -> None:
    folder.mkdir(parents=True)
    log = [{"step": s, "loss": 9.0} for s in range(100, steps + 1, 100)]
    log += [{"step": s, "eval_c4_loss": 4.0 - s / 1000, **more} for s in range(100, steps + 1, 100)]
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": steps, "log_history": log}))


PANEL = """"Step","1B-20x - eval/loss","1B-20x - eval/loss__MIN","1B-20x - eval/loss__MAX","7B <x> - eval/loss"
"100","3.9","3.9","3.9",""
"200","3.7","3.7","3.7","3.1"
"""
