"""Time and memory of reading what is large: a million rows, two thousand result files, a million faults.

    python benchmarks/readers.py [--work DIR]

Every case is the real command in a process of its own; its peak memory is the kernel's (``ru_maxrss``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

MIB = 1 << 20
TASKS, RUNS, CHECKPOINTS = 50, 20, 500  # times two metrics: a million rows
FILES, DOCUMENTS = 2000, 50


@dataclass(frozen=True)
class Case:
    """A command, and what it may take."""

    name: str
    command: tuple[str, ...]
    seconds: float
    mib: float | None
    code: int = 0
    lines: int | None = None
    written: int | None = None  # bytes on stdout and stderr


def million_rows(path: Path) -> None:
    """A ladder table: accuracy and loss of every task at every checkpoint of every run."""
    rng = np.random.default_rng(0)
    sizes, share = np.geomspace(1e6, 1e9, RUNS).round(-2), np.arange(1, CHECKPOINTS + 1) / CHECKPOINTS
    params, tokens = np.repeat(sizes, CHECKPOINTS), np.outer(20 * sizes, share).ravel()
    about = pd.DataFrame(
        {
            "run": np.repeat([f"r{i}" for i in range(RUNS)], CHECKPOINTS),
            "family": "m",
            "step": np.tile(np.arange(1, CHECKPOINTS + 1) * 100, RUNS),
            "params": params,
            "tokens": tokens,
            "flops": 6 * params * tokens,
            "flops_convention": "6ND",
            "num_fewshot": 0,
            "prompt": "",
            "n": 1000,
        }
    )
    parts = []
    for task in range(TASKS):
        nll = 0.6 + (about["flops"] / 1e12) ** -(0.06 + 0.04 * task / TASKS)
        acc = (0.25 + 0.7 / (1 + np.exp((nll - 1) * 8)) + rng.normal(0, 0.005, len(nll))).clip(0, 1).round(4)
        named = about.assign(task=f"task{task}")
        error = np.sqrt(acc * (1 - acc) / 999)
        parts += [
            named.assign(metric="acc", value=acc, stderr=error, chance=0.25),
            named.assign(metric="nll", value=nll, stderr=0.01, chance=np.nan),
        ]
    pd.concat(parts).to_csv(path, index=False)


def million_faults(good: Path, path: Path) -> None:
    """The same table with accuracies and losses that are none."""
    table = pd.read_csv(good, dtype=str, keep_default_na=False)
    table["value"] = table["value"] + "%"
    table.to_csv(path, index=False)


def result_files(folder: Path, samples_of: int) -> None:
    """Results as lm-eval 0.4.13 writes them: 100 models at 20 revisions; the first of them with samples."""
    asked = _samples()
    acc, n = float(np.mean([s["acc"] for s in asked])), len(asked)
    places = {}
    for number in range(FILES):
        model, step = f"org/m-{number // 20}", 1000 * (number % 20 + 1)
        params = round(1e7 * 1.05 ** (number // 20))
        name = f"{model}@step{step}"
        places[name] = {
            "run": model,
            "family": "mix",
            "step": step,
            "params": params,
            "tokens": 20 * params * step / 20000,
        }
        place = folder / model.replace("/", "__")
        place.mkdir(parents=True, exist_ok=True)
        stamp = f"2025-01-{number % 20 + 1:02}T10-00-00.{number:06}"
        score = {"alias": "quiz", "acc,none": acc, "acc_stderr,none": (acc * (1 - acc) / (n - 1)) ** 0.5}
        names = ("quiz", *(f"task{i}" for i in range(20)))
        content = {
            "results": _each(names, score),
            "group_subtasks": {},
            "versions": dict.fromkeys(names, 1.0),
            "configs": {
                t: {
                    "task": t,
                    "output_type": "multiple_choice",
                    "num_fewshot": 0,
                    "target_delimiter": " ",
                    "doc_to_text": "Question: {{question}}\nAnswer:" * 20,
                }
                for t in names
            },
            "n-shot": dict.fromkeys(names, 0),
            "n-samples": _each(names, {"original": n, "effective": n}),
            "config": {
                "model": "hf",
                "model_num_parameters": params,
                "model_dtype": "torch.float32",
                "limit": None,
                "model_args": {"pretrained": model, "revision": f"step{step}", "dtype": "float32"},
            },
            "date": 1.7e9,
            "lm_eval_version": "0.4.13",
            "model_name": model,
            "chat_template": None,
            "model_name_sanitized": model.replace("/", "__"),
            "pretty_env_info": "PyTorch version: 2.6\n" * 200,
        }
        (place / f"results_{stamp}.json").write_text(json.dumps(content))
        if number < samples_of:
            (place / f"samples_quiz_{stamp}.jsonl").write_text("".join(json.dumps(s) + "\n" for s in asked))
    (folder / "ladder.yaml").write_text(yaml.safe_dump(places))


def _each(names: tuple[str, ...], value: object) -> dict[str, object]:
    return {name: value for name in names}  # noqa: C420


def _samples() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for i in range(DOCUMENTS):
        values, gold = [-4.0, -3.0, -5.0, -4.5], i % 2
        found.append(
            {
                "doc_id": i,
                "doc": {"question": "What is it? " * 20},
                "target": str(gold),
                "filter": "none",
                "arguments": {
                    f"gen_args_{j}": {"arg_0": "Question: what?\nAnswer:" * 12, "arg_1": f" answer {j}"}
                    for j in range(4)
                },
                "filtered_resps": [[str(v), "False"] for v in values],
                "resps": [[[str(v), "False"]] for v in values],
                "metrics": ["acc"],
                "acc": float(gold == 1),
                "doc_hash": f"{i}",
                "prompt_hash": f"{i}",
                "target_hash": f"{i}",
            }
        )
    return found


def measure(case: Case, folder: Path) -> bool:
    """Run a command in a child, print a line, and say whether it kept its limits."""
    start = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "benchcast", *case.command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    written: list[bytes] = []
    reading = threading.Thread(target=lambda: written.append(child.stdout.read()))  # type: ignore[union-attr]
    reading.start()
    _, status, usage = os.wait4(child.pid, 0)
    reading.join()
    child.returncode = code = os.waitstatus_to_exitcode(status)
    seconds, mib = time.monotonic() - start, usage.ru_maxrss * 1024 / MIB
    lines, size = written[0].count(b"\n"), len(written[0])
    wrong = [
        f"exit code {code}, not {case.code}" if code != case.code else "",
        f"over {case.seconds:g} s" if seconds > case.seconds else "",
        f"over {case.mib:g} MiB" if case.mib and mib > case.mib else "",
        f"over {case.lines} lines" if case.lines and lines > case.lines else "",
        f"over {case.written} bytes" if case.written and size > case.written else "",
    ]
    verdict = ", ".join(filter(None, wrong)) or "ok"
    limit = f"{case.seconds:g} s" + (f", {case.mib:g} MiB" if case.mib else "")
    took = f"{seconds:6.1f} s ({usage.ru_utime + usage.ru_stime:4.1f} s of CPU) {mib:5.0f} MiB"
    print(f"{case.name:38} {took} {lines:4} lines {size:6} B  limit {limit:14} {verdict}", flush=True)
    if verdict != "ok":
        print(written[0][:1500].decode("utf-8", "replace"))
    return verdict == "ok"


def _ingest(source: str, what: str, out: str) -> tuple[str, ...]:
    return ("ingest", source, "--from", what, "--out", out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder to make the inputs in (default: a temporary one)")
    parser.add_argument("--make", type=Path, metavar="DIR", help="only make the inputs in this folder")
    given = parser.parse_args()
    if given.make is not None:
        million_rows(given.make / "million.csv")
        million_faults(given.make / "million.csv", given.make / "faults.csv")
        result_files(given.make / "results", 200)
        return 0
    folder = given.work or Path(tempfile.mkdtemp(prefix="readers-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # In another process: a child's peak memory begins with what its parent held.
        subprocess.run([sys.executable, __file__, "--make", str(folder)], check=True)
        cases = (
            Case("a million rows of CSV", _ingest("table", "million.csv", "l.parquet"), 12, None),
            Case("a million rows of Parquet", _ingest("table", "l.parquet", "again.parquet"), 12, None),
            Case("a million faults", _ingest("table", "faults.csv", "no.csv"), 30, None, 2, 21, 1_000_000),
            Case("2,000 result files, 200 with samples", _ingest("lm_eval", "results", "r.csv"), 20, 500),
            Case("init on them", ("init", "results", "--out", "c.yaml", "--force"), 20, 500),
        )
        kept = [measure(case, folder) for case in cases]
        return 0 if all(kept) else 1
    finally:
        if given.work is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
