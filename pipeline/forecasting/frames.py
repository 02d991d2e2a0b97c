"""A forecast in one call from a data frame: no config, no file."""

from __future__ import annotations

from typing import Any

import pandas as pd
from benchcast.reports.records.forecast import Result
from benchcast.reports.text.numbers import count, scientific, size
from benchcast.stages.compute.budget import TrainingBudget

from ..core import metrics
from ..core.errors import Fault, FaultsError
from ..data.schema import COLUMNS
from .run import planned_target, run

FAMILY, TASK = "ladder", "task"  # names of the one family and the one task of a frame that names none
DERIVED = ("token_multiplier",)  # columns that follow from others
NEEDED = ("run", "params", "tokens")


def forecast(
    data: pd.DataFrame,
    *,
    params: float | None = None,
    tokens: float | None = None,
    flops: float | None = None,
    token_multiplier: float | None = None,
    name: str | None = None,
    **settings: Any,
) -> Result:
    """Forecast one planned run from a frame of small runs.

    Parameters
    ----------
    data : DataFrame
        A row per checkpoint: ``run``, ``params``, ``tokens``, a column per metric by its name (``acc`` or
        ``accuracy``, ``bits_per_byte``, ``val_loss``, ...; shares as fractions), and where there are several
        ``task`` and ``family``. Or a ladder table, with the columns ``metric`` and ``value``. Where ``flops`` is
        missing it is 6·N·D.
    params, tokens, flops, token_multiplier : float, optional
        The planned run: two of them, or ``flops`` alone.
    name : str, optional
        What the run is called; else it is called by its numbers.
    **settings
        Sections of a config: ``tasks``, ``averages``, ``recipes``, ``metric``, ``level``, ``title``.

    Raises
    ------
    InputError
        When the numbers name no size, or the frame has faults: all of them, each with its row.

    Examples
    --------
    >>> from benchcast.data.ingest import demo
    >>> result = forecast(demo().table, params=3e6, token_multiplier=20, tasks=["recall"], recipes=["llama3"])
    >>> [(f.task, f.target) for f in result.forecasts]
    [('recall', '3M on 60M tokens')]
    """
    given = {"params": params, "tokens": tokens, "flops": flops, "token_multiplier": token_multiplier, "name": name}
    target = planned_target({key: value for key, value in given.items() if value is not None})
    target = target.model_copy(update={"name": target.name or _called(target.budget())})
    whole = {"data": {"source": "table"}, "targets": [target.model_dump(exclude_none=True)], **settings}
    return run(whole, data=ladder_table(data))


def _called(budget: TrainingBudget) -> str:
    """``7B on 1.4T tokens``; of a run that only its compute is known of, that."""
    if budget.params is None or budget.tokens is None:
        return f"{scientific(budget.flops)} FLOPs"
    return f"{size(budget.params)} on {count(budget.tokens)} tokens"


def ladder_table(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame as a ladder table, a row per (run, checkpoint, task, metric), still to be checked.

    Raises
    ------
    FaultsError
        For a column that is missing, and for one that is neither of a ladder table nor a metric.
    """
    faults = [Fault("frame", f"has no column {c!r}", "every row needs it") for c in NEEDED if c not in frame]
    made = frame
    if "metric" not in frame or "value" not in frame:
        values = [c for c in frame.columns if c not in COLUMNS and c not in DERIVED]
        names = {c: c if metrics.metric_of(str(c)) else metrics.meant(str(c)) for c in values}
        for column in (c for c, known in names.items() if known is None):
            what = f"column {column!r} is no metric and no column of a ladder table"
            faults.append(
                Fault("frame", what, "drop it, or give it the name of a metric: acc, bits_per_byte, val_loss, …")
            )
        if not values:
            faults.append(Fault("frame", "has no column of scores", "add one by the name of its metric: acc"))
        if not faults:
            kept = [c for c in frame.columns if c in COLUMNS]
            made = (
                frame.rename(columns=names).melt(kept, list(names.values()), "metric", "value").dropna(subset="value")
            )
    if faults:
        raise FaultsError(faults)
    size, length = (pd.to_numeric(made[column], errors="coerce") for column in ("params", "tokens"))
    defaults: dict[str, Any] = {"family": FAMILY, "task": TASK, "flops": 6 * size * length}
    return made.assign(**{column: value for column, value in defaults.items() if column not in made})
