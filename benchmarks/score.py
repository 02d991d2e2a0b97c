"""CPU time of scoring a ladder, against the ways lm-eval offers, interleaved in one run.

    python benchmarks/score.py [--checkpoints 16] [--rounds 1] [--ladder DIR]

Checkpoints × four tasks × 200 documents, one thread each, three ways (every way has a fixed cost, so the ratio to one
process grows with ``--checkpoints``):

command   a loop of ``lm_eval`` commands, one per checkpoint
evaluate  one process that calls ``lm_eval.simple_evaluate`` per checkpoint
ours      ``benchcast score``

``--ladder`` is a folder with ``runs/*/step-*`` and ``tasks`` as ``make ladder`` leaves it; without it random
models of the demo ladder's shapes and random tasks are made. Peers run with ``logits_cache=False``: with it, lm-eval
0.4.13 returns wrong log-likelihoods for one sequence cut at two places. The last line holds the figures; exit code 1
when a ratio or the agreement of the numbers falls short.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

DOCUMENTS = 200
TASKS = ("cloze_function", "cloze_content", "recall", "continuation")  # four choices each
NEEDED = {"command": 10.0, "evaluate": 4.0}
TOLERANCE = 1e-4  # nats
EVALUATE = """
import json, sys, lm_eval
from lm_eval.tasks import TaskManager
folders, tasks, out = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
manager = TaskManager(include_path="tasks", include_defaults=False)
for number, folder in enumerate(folders):
    results = lm_eval.simple_evaluate(model="hf", tasks=tasks, task_manager=manager, limit=200, batch_size=32,
        bootstrap_iters=0, device="cpu",
        model_args={"pretrained": folder, "add_bos_token": False, "logits_cache": False, "dtype": "float32"})
    with open(f"{out}/{number}.json", "w") as file:
        json.dump({"results": results["results"], "samples": results["samples"]}, file, default=str)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ladder", type=Path, help="folder that make ladder made (build/ladder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        folders = prepare(work, args.ladder, args.checkpoints)
        times: dict[str, list[float]] = {"command": [], "evaluate": [], "ours": []}
        for number in range(args.rounds):
            out = work / f"round-{number}"
            out.mkdir()
            times["command"].append(sum(command(work, folder, out) for folder in folders))
            times["ours"].append(ours(work, out))
            times["evaluate"].append(evaluate(work, folders, out))
            print({name: round(values[-1], 1) for name, values in times.items()}, "CPU seconds", flush=True)
        report(times, compare(work / "round-0", folders))


def prepare(work: Path, ladder: Path | None, checkpoints: int = 8) -> list[str]:
    """Copy checkpoints and tasks into ``work``; returns the checkpoints' folders relative to it."""
    if ladder is None:
        random_ladder(work, checkpoints)
    else:
        found = sorted(ladder.glob("runs/*/step-*"), key=lambda p: (p / "model.safetensors").stat().st_size)
        chosen = [found[i] for i in np.linspace(0, len(found) - 1, checkpoints).astype(int)]
        for folder in chosen:
            shutil.copytree(folder, work / "runs" / folder.parent.name / folder.name)
        shutil.copytree(ladder / "tasks", work / "tasks")
        for path in work.glob("tasks/*.yaml"):
            path.write_text(path.read_text().replace(str((ladder / "tasks").resolve()), str(work / "tasks")))
    folders = [p.relative_to(work).as_posix() for p in sorted(work.glob("runs/*/step-*"))]
    config = {
        "checkpoints": ["runs/*/step-*"],
        "tasks": list(TASKS),
        "include_path": "tasks",
        "limit": DOCUMENTS,
        "device": "cpu",
        "quiet_seconds": 0,
    }
    (work / "score.yaml").write_text(json.dumps({"score": config}))
    return folders


def random_ladder(work: Path, checkpoints: int) -> None:
    """Models with random weights and four tasks of random words, about the size of the demo ladder's."""
    from benchcast.demo_ladder.prepare import train_tokenizer
    from benchcast.demo_ladder.tasks import YAML
    from benchcast.demo_ladder.train import SHAPES, Run, build_model, save

    rng = random.Random(0)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 8))) for _ in range(3000)]
    train_tokenizer([[" ".join(rng.choices(words, k=400))] for _ in range(200)], work / "tokenizer")
    for number in range(checkpoints):
        shape = list(SHAPES)[number % len(SHAPES)]
        model, run = build_model(shape, number), Run(shape=shape, multiplier=5, seed=number)
        params = model.num_parameters()
        save(model, run, work, work / "runs", 1, params, 5 * params)
    (work / "tasks").mkdir()
    for task in TASKS:
        path = work / "tasks" / f"{task}.jsonl"
        docs = [
            {
                "query": " ".join(rng.choices(words, k=24)),
                "gold": rng.randrange(4),
                "choices": [" ".join(rng.choices(words, k=1 if "cloze" in task else 3)) for _ in range(4)],
            }
            for _ in range(DOCUMENTS)
        ]
        path.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
        (work / "tasks" / f"{task}.yaml").write_text(YAML.format(name=task, path=path))


def command(work: Path, folder: str, out: Path) -> float:
    arguments = f"pretrained={folder},add_bos_token=False,logits_cache=False,dtype=float32"
    return cpu_seconds(
        work,
        [
            str(Path(sys.executable).with_name("lm_eval")),
            "run",
            "--model",
            "hf",
            "--model_args",
            arguments,
            "--tasks",
            ",".join(TASKS),
            "--include_path",
            "tasks",
            "--limit",
            str(DOCUMENTS),
            "--batch_size",
            "32",
            "--device",
            "cpu",
            "--output_path",
            str(out / "command"),
            "--log_samples",
        ],
    )


def evaluate(work: Path, folders: list[str], out: Path) -> float:
    (out / "evaluate").mkdir()
    return cpu_seconds(
        work, [sys.executable, "-c", EVALUATE, json.dumps(folders), json.dumps(TASKS), str(out / "evaluate")]
    )


def ours(work: Path, out: Path) -> float:
    return cpu_seconds(
        work,
        [
            str(Path(sys.executable).with_name("benchcast")),
            "score",
            "score.yaml",
            "--store",
            str(out / "store"),
            "--out",
            str(out / "ours.csv"),
        ],
    )


def cpu_seconds(work: Path, arguments: list[str]) -> float:
    """User and system seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(arguments, cwd=work, env=os.environ | quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(out: Path, folders: list[str]) -> dict[str, float]:
    """Largest difference of a log-likelihood, accuracies that differ, and those that differ without a tie."""
    table = pd.read_csv(out / "ours.csv")
    cells = {}
    for path in out.glob("store/cells/??/*/results.json"):
        about = json.loads(path.read_text())["benchcast"]
        cells[about["source"], about["task"]] = pd.read_parquet(path.parent / "documents.parquet")
    worst, flips, ties, accuracies = 0.0, 0, 0, 0
    for number, folder in enumerate(folders):
        theirs = json.loads((out / "evaluate" / f"{number}.json").read_text())
        for task in TASKS:
            documents = cells[folder, task]
            logliks = [float(r[0][0]) for sample in theirs["samples"][task] for r in sample["resps"]]
            worst = max(worst, float(np.abs(np.array(logliks) - documents["loglik"]).max()))
            row = table[(table["source"] == folder) & (table["task"] == task) & (table["metric"] == "acc")]
            differ = sum(tie(documents, sample) is not None for sample in theirs["samples"][task])
            ties += sum(tie(documents, sample) is True for sample in theirs["samples"][task])
            flips += differ
            accuracies += abs(theirs["results"][task]["acc,none"] - row["value"].iloc[0]) > 1e-9
    return {"worst": worst, "flips": flips, "ties": ties, "accuracies": accuracies}


def tie(documents: pd.DataFrame, sample: dict[str, object]) -> bool | None:
    """None where both chose the same answer; else whether the two answers are within the tolerance of each other."""
    own = documents.loc[documents["doc_id"] == sample["doc_id"], "loglik"].to_numpy()
    theirs = np.array([float(r[0][0]) for r in sample["resps"]])  # type: ignore[attr-defined]
    if own.argmax() == theirs.argmax():
        return None
    return bool(abs(own[own.argmax()] - own[theirs.argmax()]) <= TOLERANCE)


def report(times: dict[str, list[float]], found: dict[str, float]) -> None:
    median = {name: float(np.median(values)) for name, values in times.items()}
    ratios = {name: median[name] / median["ours"] for name in NEEDED}
    fine = all(ratios[name] >= least for name, least in NEEDED.items())
    fine &= found["worst"] <= TOLERANCE and found["flips"] == found["ties"]
    figures = ", ".join(f"{name} {median[name]:.1f} s" for name in times)
    print(
        f"{figures}; {ratios['command']:.1f}x (needs 10), {ratios['evaluate']:.1f}x (needs 4); largest difference "
        f"{found['worst']:.1e} nats, {found['flips']} answers chosen differently, {found['ties']} of them ties, "
        f"{found['accuracies']} accuracies differ"
    )
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
