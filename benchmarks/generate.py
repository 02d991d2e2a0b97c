"""CPU time of scoring a task whose answers are written, against a loop of lm-eval commands, in one run.

    python benchmarks/generate.py [--checkpoints 8] [--rounds 1] [--ladder DIR] [--tokens 32]

Checkpoints × one task × 100 documents, one thread each, two ways:

command   a loop of ``lm_eval run`` commands, one per checkpoint
ours      ``benchcast score``, which takes the reference answers' likelihoods besides

``--ladder`` is a folder as for ``benchmarks/score.py``. The last line holds the figures; exit code 1 when the ratio
falls short, or when an answer is not the one of lm-eval to the letter.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from score import cpu_seconds, prepare

NEEDED = 3.0
DOCUMENTS, BATCH = 100, 32
YAML = """task: continued
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{path}'}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{target}}}}"
generation_kwargs: {{until: ["\\n\\n"], max_gen_toks: {tokens}, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=32, help="new tokens of an answer")
    parser.add_argument("--ladder", type=Path, help="folder that make ladder made (build/ladder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        folders = prepare(work, args.ladder, args.checkpoints)
        write_task(work, args.tokens)
        ratios, apart = [], 0
        for number in range(args.rounds):
            out = work / f"round-{number}"
            out.mkdir()
            theirs, ours = sum(command(work, folder, out) for folder in folders), score(work, out)
            ratios.append(theirs / ours)
            apart += differing(out, folders)
            print(f"command {theirs:.1f}, ours {ours:.1f} CPU seconds: {ratios[-1]:.1f}x", flush=True)
        ratio = float(np.median(ratios))
        answers = args.rounds * len(folders) * DOCUMENTS
        print(f"{ratio:.1f}x (needs {NEEDED:g}); {apart} of {answers} answers differ")
        sys.exit(0 if ratio >= NEEDED and apart == 0 else 1)


def write_task(work: Path, tokens: int) -> None:
    """A task that continues what the first task's questions begin."""
    lines = (work / "tasks" / "continuation.jsonl").read_text().splitlines()[:DOCUMENTS]
    docs = [json.loads(line) for line in lines]
    content = [{"query": d["query"], "target": d["choices"][d["gold"]]} for d in docs]
    folder = work / "written"
    folder.mkdir()
    (folder / "continued.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in content))
    (folder / "continued.yaml").write_text(YAML.format(path=folder / "continued.jsonl", tokens=tokens))
    config = json.loads((work / "score.yaml").read_text())
    config["score"] |= {"tasks": ["continued"], "include_path": "written", "batch_size": BATCH}
    (work / "written.yaml").write_text(json.dumps(config))


def command(work: Path, folder: str, out: Path) -> float:
    """CPU seconds of lm-eval's own command for one checkpoint."""
    arguments = f"pretrained={folder},add_bos_token=False,dtype=float32"
    words = ["run", "--model", "hf", "--model_args", arguments, "--tasks", "continued", "--include_path", "written"]
    words += ["--batch_size", str(BATCH), "--device", "cpu", "--log_samples"]
    words += ["--output_path", str(out / folder.replace("/", "_"))]
    return cpu_seconds(work, [str(Path(sys.executable).with_name("lm_eval")), *words])


def score(work: Path, out: Path) -> float:
    """CPU seconds of one command for all checkpoints."""
    words = ["score", "written.yaml", "--store", str(out / "store"), "--out", str(out / "ours.csv")]
    return cpu_seconds(work, [str(Path(sys.executable).with_name("benchcast")), *words])


def differing(out: Path, folders: list[str]) -> int:
    """How many answers are not the same text."""
    count = 0
    for path in out.glob("store/cells/??/*/results.json"):
        about = json.loads(path.read_text())["benchcast"]
        mine = pd.read_parquet(path.parent / "documents.parquet").set_index("doc_id")["answer"]
        samples = next((out / about["source"].replace("/", "_")).rglob("samples_continued_*.jsonl"))
        theirs = {s["doc_id"]: s["resps"][0][0] for s in map(json.loads, samples.read_text().splitlines())}
        count += sum(mine[document] != text for document, text in theirs.items())
    return count


if __name__ == "__main__":
    main()
