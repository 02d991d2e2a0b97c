"""Scores of all documents of a task, estimated from those that were asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchcast.stages.documents.subset import Estimate, estimate

from ..requests.chosen import ChosenDocuments
from ..subsets.values import Values, values_of
from .base import Measured

PROBABILITY = "nll_mean_prob"  # minus the logarithm of a mean
CLOSE = 1e-6
NOT_MEANS = "metrics that are not a mean over documents: not estimated from some of them"


def estimated(chosen: ChosenDocuments, measured: Measured) -> Measured:
    """A cell of some documents, with the rows of all: each value is estimated, and its error is in its stderr.

    A metric that is no mean of what is known of its documents has no row. The documents get their numbers among all.
    """
    values = values_of(measured.documents)
    rows, others = [], []
    for row in measured.rows:
        if _is_mean(row, values):
            rows.append(_row(row, chosen, values))
        else:
            others.append(str(row["metric"]))
    numbers = chosen.subset.documents[measured.documents["doc_id"].to_numpy()]
    aside = dict(measured.aside) | ({NOT_MEANS: ", ".join(others)} if others else {})
    return replace(measured, rows=rows, documents=measured.documents.assign(doc_id=numbers), aside=aside)


def _is_mean(row: Mapping[str, Any], values: Values) -> bool:
    """Whether a row of the documents that were asked is the mean of their values: a task's own code may do as it
    likes."""
    name = str(row["metric"])
    if name not in values:
        return False
    mean = float(values[name].mean())
    mean = -math.log(mean) if name == PROBABILITY and mean > 0 else mean
    return math.isclose(mean, float(row["value"]), rel_tol=CLOSE, abs_tol=CLOSE)


def _row(row: Mapping[str, Any], chosen: ChosenDocuments, values: Values) -> dict[str, Any]:
    name = str(row["metric"])
    seen = values[name]
    found = estimate(chosen.subset, seen, name if name != "bits_per_byte" else "nll")
    # What lies outside of all that was seen is no estimate of a mean.
    found = replace(found, value=min(max(found.value, float(seen.min())), float(seen.max())))
    if name == PROBABILITY:
        found = Estimate(
            value=-math.log(found.value),
            sampling=found.sampling / found.value,
            estimation=found.estimation / found.value,
        )
    chance = row.get("chance", math.nan)
    guessed = chance is not None and chance > 0 and math.isfinite(chosen.chance)  # not of answers that are written
    return {
        **row,
        "value": found.value,
        "stderr": found.stderr,
        **({"chance": chosen.chance} if guessed else {}),
    }
