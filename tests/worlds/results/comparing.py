"""Two scored checkpoints whose answers are known, and a register with its run, each made without a fit or a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from benchcast.registry.register import START, Record, TableSnapshot
from benchcast.reports.records.forecast import Baselines, Forecast, LadderRun
from benchcast.scoring.store import CellRecord, Store
from numpy.typing import NDArray
from worlds.cells import SETUP, record

Right = NDArray[np.bool_]
PARAMS, TOKENS = 7e9, 1.4e12  # of the run that was planned


def answers(right: Sequence[bool] | Right) -> pd.DataFrame:
    """Two answers a document, the first one gold and likelier where it is right."""
    good = np.asarray(right, dtype=bool)
    doc, choice = np.divmod(np.arange(2 * len(good)), 2)
    first = np.where(good, -2.0, -4.0)
    return pd.DataFrame(
        {
            "doc_id": doc,
            "choice": choice,
            "gold": 0,
            "answer_bytes": 4,
            "answer_chars": 4,
            "with_prompt": True,
            "loglik": np.where(choice == 0, first[doc], -3.0),
            "greedy": False,
        }
    )


def written(right: Sequence[float]) -> pd.DataFrame:
    """Written answers, with the share of each that counts and the reference answer's likelihood."""
    score = np.asarray(right, dtype=float)
    return pd.DataFrame(
        {
            "doc_id": np.arange(len(score)),
            "answer": "x",
            "score exact_match": score,
            "gold_loglik": -4.0 - score,
            "gold_bytes": 4,
        }
    )


def store(folder: Path, scored: Mapping[str, Mapping[str, pd.DataFrame]]) -> Path:
    """A store with a checkpoint (``run@step`` each) to its tasks' documents."""
    made = Store(folder)
    tasks = list(dict.fromkeys(t for of_run in scored.values() for t in of_run))
    cells, checkpoints = [], []
    for name, of_run in scored.items():
        run, _, step = name.partition("@")
        place = {"run": run, "family": "f", "step": float(step), "params": 1e6, "tokens": 1e4 * float(step)}
        place |= {"flops": 6e10 * float(step), "flops_convention": "6ND"}
        checkpoints.append({"source": f"runs/{run}/step-{step}", "digest": name, "place": place})
        for task, documents in of_run.items():
            one = record(checkpoint=name, requests=f"asked {task}")
            metric, value = _score(documents)
            row = {"task": task, "metric": metric, "value": value, "stderr": 0.1, "n": 9, "num_fewshot": 0}
            about = one.about | {"place": place, "task": task}
            cells.append(CellRecord(id=one.id, about=about, rows=[row], results=one.results, documents=documents))
    with made.run():
        made.add(cells)
    asked = [{"name": task, "requests": f"asked {task}"} for task in tasks]
    made.write_plan({"setup": SETUP.digest, "tasks": asked, "checkpoints": checkpoints})
    return folder


def _score(documents: pd.DataFrame) -> tuple[str, float]:
    if "answer" in documents:
        return "exact_match", float(documents["score exact_match"].mean())
    return "acc", float(np.mean(documents.loc[documents["choice"].eq(0), "loglik"] > -3))


def flips(documents: int, both: int, lost: int, won: int) -> tuple[Right, Right]:
    """Which documents are right with A and with B: so many with both, with A alone, with B alone."""
    kind = np.repeat([0, 1, 2, 3], [both, lost, won, documents - both - lost - won])
    return np.isin(kind, (0, 1)), np.isin(kind, (0, 2))


def forecast(task: str, low: float, middle: float | None, high: float, tokens: float = TOKENS, **more: Any) -> Forecast:
    """A registered forecast of the planned run at one length."""
    name = f"big @ {tokens:.6g} tokens" if more.pop("is_length", False) else "big"
    known = middle is not None
    usual: dict[str, Any] = {
        "recipe": "auto",
        "family": "f",
        "level": 0.9,
        "metric": "acc",
        "stderr": None,
        "notes": (),
    }
    usual |= {"params": PARAMS, "tokens": tokens, "flops": 6 * PARAMS * tokens, "status": "ok" if known else "refused"}
    usual |= {"baselines": Baselines(direct=None, carry_forward=0.5), "actual": None}
    edges = {"low": low if known else None, "high": high if known else None}
    return Forecast(task=task, target=name, forecast=middle, **edges, **(usual | more))


def register(path: Path, *records: Sequence[Forecast], seen: Sequence[str] = ("small",)) -> list[str]:
    """A register with some records; the hash of each. ``seen`` are the runs of their tables."""
    lines, hashes, previous = [], [], START
    for number, forecasts in enumerate(records):
        runs = tuple(_run(name) for name in seen)
        one = Record(
            time=f"2026-01-0{number + 1}T00:00:00+00:00",
            title="a ladder",
            benchcast="1",
            code_digest="c",
            config_digest="c",
            data_digest="d",
            forecasts=tuple(forecasts),
            seen=TableSnapshot(runs=runs, scores=()),
            previous=previous,
        )
        one = one.model_copy(update={"hash": one.content_hash()})
        previous = one.hash
        hashes.append(one.hash)
        lines.append(one.model_dump_json())
    path.write_text("\n".join(lines) + "\n")
    return hashes


def _run(name: str) -> LadderRun:
    params, tokens = (PARAMS, TOKENS) if name == "big-run" else (1e8, 2e9)
    about = {"run": name, "family": "f", "params": params, "tokens": tokens, "flops": 6 * params * tokens}
    return LadderRun.model_validate(about | {"checkpoints": 1, "role": "fit", "lengths": (tokens,)})


def scores(
    path: Path, by_run: Mapping[str, Mapping[str, float]], tokens: float = TOKENS, n: float | None = 1000
) -> Path:
    """A ladder table: run (``big`` at these tokens) to task to accuracy."""
    path.write_text(table(by_run, tokens, n).to_csv(index=False))
    return path


def table(by_run: Mapping[str, Mapping[str, float]], tokens: float, n: float | None = 1000) -> pd.DataFrame:
    """The same as a frame."""
    rows = []
    for run, tasks in by_run.items():
        size, length = (PARAMS, tokens) if run == "big-run" else (1e8, 2e9)
        place = {"run": run, "family": "f", "step": round(length / 1e6), "params": size, "tokens": length}
        place |= {"flops": 6 * size * length, "flops_convention": "6ND", "n": n}
        rows += [place | {"task": task, "metric": "acc", "value": value} for task, value in tasks.items()]
    return pd.DataFrame(rows)


def policy(folder: Path, rules: Sequence[Mapping[str, Any]], **changes: Any) -> Path:
    """A policy's file beside ``forecasts.jsonl`` and ``scores.csv``."""
    usual: dict[str, Any] = {"register": "forecasts.jsonl", "target": "big", "run": "big-run"}
    usual |= {"scores": {"source": "table", "path": "scores.csv"}, "rules": list(map(dict, rules))}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(usual | changes))
    return path
