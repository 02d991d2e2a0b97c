"""Metrics that are younger than a cell: computed from its documents, so that nothing is scored again.

``nll_mean_prob`` is the one so far. What a cell's ``results.json`` says is left as it was written.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ...core import reading
from ...core.digest import file_digest
from .cell import ANSWER_COLUMNS, DOCUMENTS

if TYPE_CHECKING:
    import pandas as pd

    from .disk import Store

METRIC, BESIDE = "nll_mean_prob", "nll"


def lacks(content: dict[str, Any]) -> bool:
    """Whether a cell has the losses of gold answers, but not the later ones."""
    metrics = {row["metric"] for row in content["rows"]}
    return BESIDE in metrics and METRIC not in metrics


def row(store: Store, content: dict[str, Any]) -> dict[str, Any] | None:
    """The row that a cell lacks, from its documents; None where these are gone or not those that were written."""
    documents = None
    with contextlib.suppress(Exception):  # a file someone else wrote, through another library: anything can come
        documents = _documents(store, content["cell"])
    if documents is None or not len(documents):
        return None
    from ...data import document_metrics

    mean = document_metrics.of_mean_probability(list(-documents["loglik"] / documents["answer_bytes"]))
    beside = next(row for row in content["rows"] if row["metric"] == BESIDE)
    return {**beside, "metric": METRIC, "value": mean.value, "stderr": mean.stderr}


def _documents(store: Store, cell: str) -> pd.DataFrame | None:
    """The gold answers of a cell."""
    import pandas as pd

    path = store.path(cell) / DOCUMENTS
    reading.check(path)
    if file_digest(path) != store.about(cell)["documents_sha256"]:
        return None
    answers = pd.read_parquet(path, columns=sorted(ANSWER_COLUMNS))
    return answers[answers["with_prompt"].astype(bool) & answers["choice"].eq(answers["gold"])]
