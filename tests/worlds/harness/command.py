"""The ``lm_eval`` command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# The command always reads lm-eval's 14,000 task files; that is not tested here.
COMMAND = (
    "import lm_eval.tasks.manager as m, sys; m.__file__ = sys.argv.pop(1)\n"
    "from lm_eval.__main__ import cli_evaluate; cli_evaluate()"
)


def lm_eval(folder: Path, checkpoint: Path, tasks: Sequence[str]) -> Path:
    """Score tasks in ``folder/tasks`` with samples; the folder of results, ``folder/out``."""
    model = f"pretrained={checkpoint},add_bos_token=False,logits_cache=False"
    arguments = f"--model hf --model_args {model} --tasks {','.join(tasks)} --include_path {folder}/tasks --device cpu"
    arguments += f" --batch_size 4 --output_path {folder}/out --log_samples"
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(folder / "none" / "m.py"), *arguments.split()],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "out"
