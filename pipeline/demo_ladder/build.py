"""Train and score every run of the demonstration ladder in worker processes, and write the table.

Not in ``__main__``: spawned workers must be able to import these functions.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from ..core import files
from ..core.config import ScoreSettings
from ..core.metrics import is_share
from .train import RUNS, SHAPES, train

DIGITS = 7  # significant ones: what float32 scores are worth
logger = logging.getLogger(__name__)


def train_all(folder: Path, workers: int) -> None:
    """Train every run that has no ``done.json`` yet, the cheapest first, one process per core."""
    runs = sorted(RUNS, key=lambda r: SHAPES[r.shape][0] ** 2 * r.multiplier)
    missing = [r for r in runs if not (folder / "runs" / r.name / "done.json").exists()]
    logger.info("%d of %d runs are trained", len(runs) - len(missing), len(runs))
    if not missing:
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(train, run, folder, folder / "runs") for run in missing]
        for done, future in enumerate(as_completed(futures), 1):
            run = future.result()
            what = f"loss {run['train_loss']:.3f}, {run['seconds']:.0f} s"
            logger.info("%d/%d %s: %s", done, len(missing), run["run"], what)


def score_all(folder: Path, workers: int, tasks: list[str]) -> pd.DataFrame:
    """Score every finished run's checkpoints; one that cannot be scored stops the ladder."""
    from ..scoring.progress import Lines
    from ..scoring.run import score

    settings = ScoreSettings(
        checkpoints=tuple(f"runs/{path.parent.name}/step-*" for path in sorted(folder.glob("runs/*/done.json"))),
        tasks=tuple(tasks),
        include_path=Path("tasks"),
        validation_text=(Path("validation.txt"),),
        quiet_seconds=0,  # done.json says so
        workers=workers,
        executor="local",
    )
    summary = score(settings, folder, Lines())
    if summary.failures:
        sys.exit("\n".join(": ".join(failure) for failure in summary.failures))
    return summary.table


def about(provenance: dict[str, object], runs: int) -> list[str]:
    """What a reader of the table should know, in sentences."""
    corpus = provenance["corpus"]
    sources = ", ".join(f"{k} {v}" for k, v in corpus.items()) if isinstance(corpus, dict) else str(corpus)
    tokens, train_bytes = provenance["train_tokens"], provenance["train_bytes"]
    return [
        f"{runs} runs of Llama-architecture decoders (56K to 1.3M parameters with tied embeddings, byte-level BPE of "
        "2,048 entries, sequence 128), trained and scored by this project on CPU; C = 6ND.",
        f"Corpus: English prose from Debian packages ({sources}): {tokens} tokens, {train_bytes} bytes; each run reads "
        "a prefix (other seeds: another part), so no text is seen twice.",
        "Near-duplicate paragraphs were removed and whole blocks held out; "
        f"{100 * float(str(provenance['validation_8gram_overlap'])):.1f} % of the held-out 8-grams still occur in the "
        "training text.",
        "Tasks are generated from held-out text: next-word cloze on function and on content words with "
        "frequency-matched distractors, recall of a word from the context, word order, and continuation; 800 "
        "documents each, 0-shot, scored by lm-eval. In recall_phrase (400 documents) the model writes the last word of "
        "three that stood together before.",
    ]


def write(table: pd.DataFrame, provenance: dict[str, object], out: Path) -> None:
    """Write ``ladder.csv`` and ``provenance.json`` into ``out``."""
    for column in ("value", "stderr"):
        table[column] = table[column].map(lambda v: float(f"{v:.{DIGITS}g}"))
    table = table.sort_values(["params", "run", "tokens", "task", "metric"], kind="stable")
    files.write_table(table, out / "ladder.csv")
    runs = table["run"].nunique()
    files.write_text(
        json.dumps(provenance | {"about": about(provenance, runs)}, indent=1) + "\n", out / "provenance.json"
    )
    logger.info("%s: %d rows, %d runs", out / "ladder.csv", len(table), runs)


def write_documents(folder: Path, table: pd.DataFrame, out: Path) -> None:
    """Write ``documents.npz`` into ``out``: what every checkpoint below ``folder`` said of every document."""
    from ..data.documents.packed import pack
    from ..data.documents.stored import stored_documents

    documents = stored_documents(folder / "scores")
    if documents is None:
        sys.exit(f"{folder / 'scores'}: holds no scores")
    runs = list(dict.fromkeys(table["run"]))
    scores = table[table["metric"].map(is_share)]
    tasks = {str(task): sorted(set(rows["metric"])) for task, rows in scores.groupby("task", sort=False)}
    content = pack(documents, tasks, runs)
    files.write_bytes(content, out / "documents.npz")
    logger.info("%s: %.1f MB, %d runs", out / "documents.npz", len(content) / 1e6, len(runs))
