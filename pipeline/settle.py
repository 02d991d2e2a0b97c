"""How registered forecasts fared, once the truth is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import norm

from pipeline.errors import InputError
from pipeline.register import Record
from pipeline.results import Forecast, Frozen, typeset
from stages.scoring_rules import crps_logit_normal, interval_score, log_score_logit_normal, logit

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class Settled(Frozen):
    """One registered forecast beside the truth; accuracies as fractions."""

    record: str = Field(description="hash of the record, shortened")
    time: str
    recipe: str
    family: str
    task: str
    target: str
    grade: str | None
    forecast: float | None = Field(description="null when it was refused")
    low: float | None
    high: float | None
    level: float
    actual: float
    error: float = Field(
        description="forecast minus truth; a refused task counts with its largest score carried forward"
    )
    inside: bool | None
    interval_score: float | None
    log_score: float | None
    crps: float | None


class Settlement(Frozen):
    """All forecasts that could be settled, and how well their intervals held."""

    settled: tuple[Settled, ...]
    open: int = Field(description="forecasts without a truth so far")
    refused: int
    mean_error: float | None = Field(description="mean absolute error, refused ones by their baseline")
    coverage: float | None
    interval_score: float | None
    calibration: tuple[tuple[float, float], ...] = Field(description="nominal level, share inside so far")

    def write(self, out: str | Path) -> dict[str, Path]:
        """Typeset ``settlement.pdf``, with its JSON beside it; paths by kind."""
        from reports import settlement

        return typeset(lambda: settlement.write(self.model_dump(mode="json"), Path(out)), out)


def truths(table: pd.DataFrame, last: int = 1) -> dict[tuple[str, str, str], float]:
    """(run, task, metric) to the mean of its last ``last`` checkpoints."""
    rows = table[table["metric"].isin(["acc", "acc_norm"])].sort_values("tokens", kind="stable")
    ends = rows.groupby(["run", "task", "metric"], sort=False)["value"]
    return {key: float(values.tail(last).mean()) for key, values in ends}


def settle(
    records: Sequence[Record],
    truth: Mapping[tuple[str, str, str], float],
    alias: Mapping[str, str],
    metric: str = "auto",
) -> Settlement:
    """Score every forecast whose target is in ``truth``; ``alias`` gives the run a planned target became.

    With metric ``auto`` a forecast is held against the metric it is of.

    Raises
    ------
    InputError
        When no forecast has a truth.
    """
    found, waiting = [], 0
    for record in records:
        for forecast in record.forecasts:
            run = alias.get(forecast.target, forecast.target)
            asked = forecast.metric or metric if metric == "auto" else metric
            actual = _truth(truth, run, forecast.task, asked)
            if actual is None:
                waiting += 1
            else:
                found.append(_settled(record, forecast, actual))
    if not found:
        runs = ", ".join(sorted({run for run, _, _ in truth})[:6])
        raise InputError(f"no registered target has a score in this table (its runs: {runs}, …); name it with --as")
    return Settlement(settled=tuple(found), open=waiting, **_summary(found))


def _truth(truth: Mapping[tuple[str, str, str], float], run: str, task: str, metric: str) -> float | None:
    """A task's label may say how it was asked ("arc (5-shot)"); the table's own name does not."""
    for name in (task, task.rsplit(" (", 1)[0]):
        for each in ("acc_norm", "acc") if metric == "auto" else (metric,):
            if (run, name, each) in truth:
                return truth[run, name, each]
    return None


def _settled(record: Record, f: Forecast, actual: float) -> Settled:
    said = f.forecast if f.forecast is not None else f.baselines.carry_forward
    scores: dict[str, Any] = dict.fromkeys(("inside", "interval_score", "log_score", "crps"))
    if f.forecast is not None and f.low is not None and f.high is not None:
        center, scale = _logit_normal(f)
        scores = {
            "inside": bool(f.low <= actual <= f.high),
            "interval_score": float(interval_score(f.low, f.high, actual, f.level)),
            "log_score": float(log_score_logit_normal(center, scale, actual)),
            "crps": float(crps_logit_normal(center, scale, actual)[0]),
        }
    return Settled(
        record=record.hash[:12], time=record.time, recipe=f.recipe, family=f.family, task=f.task, target=f.target,
        grade=f.grade, forecast=f.forecast, low=f.low, high=f.high, level=f.level, actual=actual,
        error=float("nan") if said is None else said - actual, **scores,
    )  # fmt: skip


def _logit_normal(f: Forecast) -> tuple[float, float]:
    """The forecast as a distribution: its centre, and the scale that its interval implies."""
    ends = logit([_known(f.low), _known(f.high)])
    return float(logit(_known(f.forecast))), max(float(ends[1] - ends[0]) / (2 * norm.ppf(0.5 + f.level / 2)), 1e-4)


def _summary(found: Sequence[Settled]) -> dict[str, Any]:
    error = np.array([s.error for s in found], dtype=float)
    stated = [s for s in found if s.inside is not None]
    z = np.array([_standardised(s) for s in stated])
    held = [(level, float(np.mean(z <= norm.ppf(0.5 + level / 2)))) for level in LEVELS] if len(z) else []
    return {
        "refused": len(found) - len(stated),
        "mean_error": float(np.nanmean(np.abs(error))) if np.isfinite(error).any() else None,
        "coverage": float(np.mean([bool(s.inside) for s in stated])) if stated else None,
        "interval_score": float(np.mean([s.interval_score or 0.0 for s in stated])) if stated else None,
        "calibration": tuple(held),
    }


def _standardised(s: Settled) -> float:
    """The miss in units of the stated scale, on the side it fell."""
    center, actual = float(logit(_known(s.forecast))), float(logit(s.actual))
    end = float(logit(_known(s.high if actual > center else s.low)))
    half = abs(end - center) / float(norm.ppf(0.5 + s.level / 2))
    return abs(actual - center) / max(half, 1e-6)


def _known(value: float | None) -> float:
    """A number that is there: only forecasts with an interval come here."""
    assert value is not None
    return value
