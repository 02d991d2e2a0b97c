"""A real model on sums in the manner of GSM8K: the same answers as lm-eval's, to the letter.

    BENCHCAST_REAL_MODEL=models/SmolLM2-135M-Instruct python -m pytest tests/pipeline/scoring/written/test_real_model.py

The folder is a checkpoint as save_pretrained writes it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from worlds.harness import written

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from worlds.scoring import QUIET, run, value

FOLDER = os.environ.get("BENCHCAST_REAL_MODEL", "")
pytestmark = [*QUIET, pytest.mark.skipif(not FOLDER, reason="BENCHCAST_REAL_MODEL names no checkpoint folder")]
DOCUMENTS = 20
THINGS = ("apples", "books", "marbles", "stamps", "coins")
NAMES = ("Ada", "Ben", "Cleo", "Dan")


def question(number: int) -> dict[str, str]:
    name, thing = NAMES[number % len(NAMES)], THINGS[number % len(THINGS)]
    has, more, times = 3 + number % 7, 2 + number % 5, 2 + number % 3
    if number % 2:
        text = f"{name} has {has} {thing} and buys {more} more. How many {thing} does {name} have?"
        return {"question": text, "answer": f"{has} + {more} = {has + more}\n#### {has + more}"}
    text = f"{name} has {times} boxes with {has} {thing} in each. How many {thing} are there?"
    return {"question": text, "answer": f"{times} * {has} = {times * has}\n#### {times * has}"}


def test_answers_are_those_of_lm_eval(tmp_path: Path) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    written.write_tasks(tmp_path / "tasks")
    for name, documents in (("gsm_train", range(100, 104)), ("gsm", range(DOCUMENTS))):
        lines = [json.dumps(question(i)) + "\n" for i in documents]
        (tmp_path / "tasks" / f"{name}.jsonl").write_text("".join(lines))
    task = tmp_path / "tasks" / "gsm_like.yaml"
    task.write_text(task.read_text().replace("max_gen_toks: 12", "max_gen_toks: 48").replace('"</s>"', '"\\n\\n"'))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "real").symlink_to(Path(FOLDER).expanduser().resolve())
    place = {"run": "real", "family": "real", "step": 1, "tokens": 2e12, "params": 1.35e8}
    (tmp_path / "ladder.yaml").write_text(json.dumps({"runs/real": place}))
    table, failures = run(tmp_path, tasks=("gsm_like",), ladder="ladder.yaml", batch_size=8)
    assert failures == {}
    theirs = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": FOLDER, "add_bos_token": False, "dtype": "float32"},
        tasks=["gsm_like"],
        task_manager=TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False),
        batch_size=8,
        bootstrap_iters=2,
        device="cpu",
    )
    expected = {s["doc_id"]: s["resps"][0][0] for s in theirs["samples"]["gsm_like"]}
    stored = pd.read_parquet(next((tmp_path / "scores" / "cells").glob("??/*/documents.parquet")))
    same = sum(expected[d] == text for d, text in zip(stored["doc_id"], stored["answer"], strict=True))
    assert same == len(stored) == DOCUMENTS
    for name in ("strict-match", "flexible-extract"):
        score = theirs["results"]["gsm_like"][f"exact_match,{name}"]
        assert value(table, "real", "gsm_like", f"exact_match,{name}") == pytest.approx(score, abs=1e-6)
