"""``python -m benchcast.demo_ladder``: retrain and rescore the demonstration ladder (see ``make ladder``).

Prepares the corpus, trains every run that is not trained yet, scores every checkpoint that is not scored yet, and
writes ``ladder.csv``, ``provenance.json``, and ``documents.npz``: what every checkpoint said of every document. Stop it
at any time and start it again.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from .build import score_all, train_all, write, write_documents
from .prepare import prepare


def main() -> None:
    """Parse arguments and run the three steps."""
    parser = argparse.ArgumentParser(prog="python -m benchcast.demo_ladder", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/ladder"), help="folder for corpus, runs and scores")
    parser.add_argument("--corpus", type=Path, help="a folder of text files instead of the Debian packages")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes, one thread each")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for ladder.csv")
    parser.add_argument("--score-only", action="store_true", help="score what is trained, write no ladder.csv")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    os.environ["OMP_NUM_THREADS"] = "1"  # one thread per worker
    provenance = prepare(args.work, args.corpus)
    tasks = [str(t) for t in provenance["tasks"]]  # type: ignore[attr-defined]
    if not args.score_only:
        train_all(args.work, args.workers)
    table = score_all(args.work, args.workers, tasks)
    if args.score_only:
        return
    write(table, provenance, args.out)
    write_documents(args.work, table, args.out)


if __name__ == "__main__":
    main()
