"""Stored cells as tables: the ladder table, and the values of every document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipeline import schema
from pipeline.cellstore.disk import DOCUMENTS, Store


def table(contents: Iterable[dict[str, Any]], places: dict[str, list[dict[str, Any]]] | None = None) -> pd.DataFrame:
    """The ladder table of some cells; ``places`` maps checkpoint digests to where such checkpoints stand and lie now.

    Without ``places`` a checkpoint stands where it stood when it was scored.

    Raises
    ------
    FaultsError
        When the cells together are no valid ladder table.
    """
    rows = []
    for content in contents:
        then = [{**content["place"], "source": content["source"]}]
        what = {"prompt": "", "digest": content["checkpoint"], "lm_eval": content["setup"]["lm_eval"],
                "task_version": f"{content['version']}:{content['requests'][:12]}"}  # fmt: skip
        for place in (places or {}).get(content["checkpoint"], then):
            rows += [{**place, **row, **what} for row in content["rows"]]
    if not rows:
        return pd.DataFrame(columns=list(schema.COLUMNS))
    frame = pd.DataFrame(rows).sort_values(["run", "step", "task", "metric"], kind="stable", ignore_index=True)
    return schema.validate(frame, "scores")


def documents_of(store: Store, contents: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The values of every document of some cells, with the checkpoint and task they belong to."""
    frames = [
        pd.read_parquet(store.path(content["cell"]) / DOCUMENTS).assign(
            source=content["source"], checkpoint=content["checkpoint"], task=content["task"], cell=content["cell"]
        )
        for content in contents
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
