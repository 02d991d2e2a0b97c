"""Score the demo ladder on the GPU in float32 and bfloat16, and compare with the CPU (``make gpu-check``).

    python benchmarks/gpu_check.py [--ladder build/ladder] [--limit 200] [--device cuda:0]

Prints for each: documents per second and the largest difference of a log-likelihood from the CPU's; for a task whose
answers are written (greedy, at most 32 tokens), tokens per second and the share of answers that are the CPU's text.
Everything is counted: loading, tokenizing, storing. Without a GPU it says so and stops. Exit code 1 when float32 is
more than 1e-2 nats off, or more than 1 % of the texts are not the same. ``--ladder`` is a folder that ``make ladder``
made; without it random models of the demo ladder's shapes are used. ``--device cpu`` compares the CPU with itself, to
try this file.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from benchcast.core.config import ScoreConfig, ScoreSettings, load
from benchcast.scoring.store import Store
from benchcast.scoring.store.index import Index
from benchcast.scoring.store.tables import documents_of

MOST = 1e-2  # nats: TF32 is off, so float32 differs by rounding only
SAME = 0.99  # share of texts: rounding decides between two tokens that are all but equally likely
WRITTEN = "gpu_check_written"  # the task whose answers are written
YAML = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{choices[gold]}}}}"
num_fewshot: 0
generation_kwargs: {{until: ["\\n\\n"], max_gen_toks: 32, do_sample: false}}
metric_list: [{{metric: exact_match}}]
metadata: {{version: 1}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ladder", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--device", default="cuda:0")
    args = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        sys.exit("torch is not installed: pip install 'benchcast[score]'")
    import torch

    if args.device != "cpu" and not torch.cuda.is_available():
        print("no GPU on this machine: nothing to check")
        return
    from score import prepare  # the benchmark beside this file

    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        prepare(work, args.ladder)
        written = YAML.format(name=WRITTEN, path=work / "tasks" / "continuation.jsonl")
        (work / "tasks" / f"{WRITTEN}.yaml").write_text(written)
        changes = {"limit": args.limit, "most_truncated": 1.0}
        settings = load(work / "score.yaml", ScoreConfig).score.model_copy(update=changes)
        name = "CPU" if args.device == "cpu" else torch.cuda.get_device_name()
        agreed = check_choices(work, settings, args.device, name)
        agreed &= check_written(work, settings.model_copy(update={"tasks": (WRITTEN,)}), args.device, name)
    sys.exit(0 if agreed else 1)


def check_choices(work: Path, settings: ScoreSettings, device: str, name: str) -> bool:
    """Log-likelihoods of the choices; whether float32 gives the CPU's."""
    expected, _ = run(work, settings, "cpu", "float32", "choices-cpu")
    worst = {}
    for dtype in ("float32", "bfloat16"):
        found, seconds = run(work, settings, device, dtype, f"choices-{dtype}")
        merged = expected.merge(found, on=["source", "task", "doc_id", "choice", "with_prompt"])
        assert len(merged) == len(expected)
        worst[dtype] = float((merged["loglik_x"] - merged["loglik_y"]).abs().max())
        rate = len(found.drop_duplicates(["source", "task", "doc_id"])) / seconds
        print(f"{name}, {dtype}: {rate:.0f} documents/s, largest difference from the CPU {worst[dtype]:.2e} nats")
    return worst["float32"] <= MOST


def check_written(work: Path, settings: ScoreSettings, device: str, name: str) -> bool:
    """Texts that are written; whether float32 writes the CPU's."""
    expected, _ = run(work, settings, "cpu", "float32", "written-cpu")
    same = {}
    for dtype in ("float32", "bfloat16"):
        found, seconds = run(work, settings, device, dtype, f"written-{dtype}")
        merged = expected.merge(found, on=["source", "task", "doc_id", "repeat"])
        assert len(merged) == len(expected)
        same[dtype] = float((merged["answer_x"] == merged["answer_y"]).mean())
        rate = tokens_of(work, found) / seconds
        print(f"{name}, {dtype}: {rate:.0f} tokens/s written, {same[dtype]:.1%} of {len(found)} texts are the CPU's")
    return same["float32"] >= SAME


def tokens_of(work: Path, written: pd.DataFrame) -> int:
    """Tokens of the answers, by the tokenizer of each checkpoint."""
    from tokenizers import Tokenizer

    total = 0
    for source, rows in written.groupby("source"):
        tokenizer = Tokenizer.from_file(str(work / str(source) / "tokenizer.json"))
        total += sum(len(e.ids) for e in tokenizer.encode_batch(rows["answer"].tolist(), add_special_tokens=False))
    return total


def run(work: Path, settings: ScoreSettings, device: str, dtype: str, store: str) -> tuple[pd.DataFrame, float]:
    """Per-document values, and the seconds that all of it took."""
    from benchcast.scoring.run import score

    changed = settings.model_copy(update={"device": device, "dtype": dtype, "store": Path(store), "batch_size": 256})
    began = time.perf_counter()
    summary = score(changed, work)
    seconds = time.perf_counter() - began
    if summary.failures:
        sys.exit("\n".join(": ".join(failure) for failure in summary.failures))
    opened = Store(work / store)
    return documents_of(opened, Index(opened).everything()), seconds


if __name__ == "__main__":
    main()
