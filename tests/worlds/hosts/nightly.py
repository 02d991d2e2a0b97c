"""A process that has imported everything and forks nightly passes, so that a pass costs no imports.

    python tests/worlds/hosts/nightly.py < commands

Reads lines of JSON: a config, and after how many seconds the pass is killed with SIGKILL (null: never). Answers each
with a line: exit status as ``os.waitpid`` gives it, and seconds it took. A pass appends a line to ``stored`` beside the
config for every cell that it has put into the store. It writes every file of a report, but sets no page: that is half
of its time, in which nothing happens on disk.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from benchcast.cli import app as cli
from benchcast.nightly.alerts import rules
from benchcast.reports.documents import forecast, tracking
from benchcast.scoring.requests import book
from benchcast.scoring.store import Store

# What a pass imports when it needs it; imported here once, and not by every fork.
BEFORE_FORKS = (
    "benchcast.data.documents.collect",
    "benchcast.nightly.compare",
    "benchcast.nightly.dry_run",
    "benchcast.nightly.overview",
    "benchcast.nightly.run",
    "benchcast.scoring.inference.loglikelihood",
    "benchcast.scoring.run",
    "benchcast.stages.forecast.backtest",
    "datasets",
    "lm_eval.evaluator_utils",
    "lm_eval.models.huggingface",
    "transformers.models.llama.modeling_llama",
)


def one(config: Path) -> None:
    book.GROUP_TOKENS = 1  # a group per task
    for module, name in ((forecast, "pdf_bytes"), (forecast, "page_bytes"), (tracking, "pages")):
        assert hasattr(module, name)
        setattr(module, name, lambda *_: b"no pages")
    add = Store.add

    def logged(self: Store, records: Any) -> None:
        add(self, records)
        with (config.parent / "stored").open("a") as file:
            file.writelines(f"{record.id}\n" for record in records)

    Store.add = logged  # type: ignore[method-assign]
    with (config.parent / "said").open("a") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(file.fileno(), 1)
    sys.argv = ["benchcast", "reevaluate", str(config)]
    code: Any = 1
    try:
        cli.main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.stderr.flush()
        os._exit(int(code))


def main() -> None:
    torch.set_num_threads(1)  # before any fork: no threads to lose
    rules.rules()
    for name in BEFORE_FORKS:
        importlib.import_module(name)
    for line in sys.stdin:
        config, after = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            one(Path(config))
        if after is not None:
            while time.monotonic() < began + after:
                if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    break
                time.sleep(0.001)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        print(json.dumps([status, time.monotonic() - began]), flush=True)


if __name__ == "__main__":
    main()
