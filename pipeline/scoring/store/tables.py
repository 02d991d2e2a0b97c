"""Stored cells as tables: the ladder table, and the values of every document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from ...core import reading
from ...core.digest import file_digest
from ...core.errors import BenchcastError, plain
from ...data import schema, task_setup
from .cell import DOCUMENTS
from .disk import Store
from .index import Index


def table(
    contents: Iterable[dict[str, Any]],
    places: dict[str, list[dict[str, Any]]] | None = None,
    names: dict[str, list[str]] | None = None,
) -> pd.DataFrame:
    """The ladder table of some cells.

    ``places`` maps checkpoint digests to where such checkpoints stand and lie now, ``names`` hashes of requests to the
    tasks that ask them now; without them, both are as they were when the cell was scored.

    Raises
    ------
    FaultsError
        When the cells together are not a valid ladder table.
    """
    rows = []
    for content in contents:
        then = [{**content["place"], "source": content["source"], "tokenizer": content.get("tokenizer", "")}]
        what = {
            "prompt": "",
            "digest": content["checkpoint"],
            "lm_eval": content["setup"]["lm_eval"],
            "dtype": content["setup"]["dtype"],
            "chat_template": "",
            "task_version": _version(content),
        }
        for place in (places or {}).get(content["checkpoint"], then):
            for name in (names or {}).get(content["requests"], [content["task"]]):
                rows += [{**place, **row, **what, "task": name} for row in content["rows"]]
    if not rows:
        return pd.DataFrame(columns=list(schema.COLUMNS))
    frame = pd.DataFrame(rows).sort_values(["run", "step", "task", "metric"], kind="stable", ignore_index=True)
    return schema.validate(frame, "scores")


def _version(content: dict[str, Any]) -> str:
    """The task's version and what it asked; where that was some documents, that too."""
    estimated = content.get("estimated")
    if estimated is None:
        return f"{content['version']}:{content['requests'][:12]}"
    part = task_setup.part_of_documents(estimated["documents"], estimated["total"])
    return f"{content['version']}:{estimated['whole'][:12]}{part}"


def of_most(contents: list[dict[str, Any]], wholes: dict[str, str]) -> list[dict[str, Any]]:
    """Without the cells of some documents where there is that of all; ``wholes`` maps their requests."""
    there = {(content["checkpoint"], content["requests"]) for content in contents}
    return [c for c in contents if (c["checkpoint"], wholes.get(c["requests"])) not in there]


def wanted(index: Index, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored cells of what a run wanted."""
    digests, tasks = [c["digest"] for c in plan["checkpoints"]], plan["tasks"]
    wholes = {t["requests"]: t["whole"] for t in tasks if "whole" in t}
    requests = [*(t["requests"] for t in tasks), *wholes.values()]
    return of_most(index.contents(digests, requests, plan["setup"], failed=False), wholes)


def now(plan: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[str]]]:
    """Places of checkpoints and names of requests as a run had them."""
    places: dict[str, list[dict[str, Any]]] = {}
    names: dict[str, list[str]] = {}
    for checkpoint in plan["checkpoints"]:
        where = {"source": checkpoint["source"], "tokenizer": checkpoint.get("tokenizer", "")}
        places.setdefault(checkpoint["digest"], []).append({**checkpoint["place"], **where})
    for task in plan["tasks"]:
        for requests in {task["requests"], task.get("whole", task["requests"])}:
            names.setdefault(requests, []).append(task["name"])
    return places, names


def flat(contents: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows of cells of any setup, which together need not be a ladder table: with columns that tell them apart."""
    rows = []
    for content in contents:
        which = {
            "source": content["source"],
            "digest": content["checkpoint"],
            "requests": content["requests"],
            **content["setup"],
            "cell": content["cell"],
        }
        rows += [{**content["place"], **row, **which} for row in content["rows"]]
    return pd.DataFrame(rows)


def documents_of(
    store: Store, contents: Iterable[dict[str, Any]], say: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """The values of every document of some cells, with the checkpoint and task they belong to.

    Documents that are missing or not those that were written are left out when ``say`` is there to be told.

    Raises
    ------
    BenchcastError
        For the first such documents, without ``say``.
    """
    frames = []
    for content in contents:
        path = store.path(content["cell"]) / DOCUMENTS
        try:
            reading.check(path)
            if file_digest(path) != store.about(content["cell"])["documents_sha256"]:
                raise ValueError("is not the file that was written")
            frame = pd.read_parquet(path)
        except Exception as error:  # a file someone else wrote, through another library: anything can come
            what = plain(f"{path}: {' '.join(str(error).split())[:200]}")
            if say is None:
                raise BenchcastError(what) from error
            say(what)
            continue
        which = {name: content[name] for name in ("source", "checkpoint", "task", "cell")}
        frames.append(frame.assign(**which))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
