"""How forecasts did: mean miss, intervals that hold, their widths, and Winkler's score; in points of accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from benchcast.reports.records.forecast import Result
from benchcast.stages.forecast.scoring_rules import interval_score

LEVEL = 0.9
GRADES = "ABCD"


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Of some forecasts; ``miss``, ``carry``, ``width`` (median) and ``score`` (Winkler) in points.

    ``inside``, ``width`` and ``score`` are of the forecasts that have an interval; ``refused`` is the share that says
    nothing.
    """

    n: int
    miss: float
    carry: float
    inside: float
    width: float
    score: float
    refused: float

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Marks:
        """Rows with said, carry, actual, low, high (fractions); what was not said counts with the carry."""
        actual, carry = (rows[name].to_numpy(dtype=float) for name in ("actual", "carry"))
        said = rows["said"].to_numpy(dtype=float)
        low, high = (rows[name].to_numpy(dtype=float) for name in ("low", "high"))
        refused = ~np.isfinite(said)
        there = ~refused & np.isfinite(low) & np.isfinite(high)
        holds, width = (actual >= low) & (actual <= high), high - low
        score = interval_score(low[there], high[there], actual[there], LEVEL)
        return cls(
            n=len(rows),
            miss=100 * _mean(np.abs(np.where(refused, carry, said) - actual)),
            carry=100 * _mean(np.abs(carry - actual)),
            inside=_mean(holds[there]),
            width=100 * float(np.median(width[there])) if there.any() else np.nan,
            score=100 * _mean(score),
            refused=_mean(refused),
        )

    def cells(self) -> dict[str, str]:
        """As cells of a table."""
        return {
            "n": str(self.n),
            "miss": cell(self.miss),
            "carry": cell(self.carry),
            "inside": cell(self.inside, 3),
            "width": cell(self.width, 1),
            "Winkler": cell(self.score, 1),
        }


def cell(value: float, digits: int = 2) -> str:
    """A number of a table; a dash where there is none."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def mean_marks(parts: list[Marks]) -> Marks:
    """The plain mean of every figure, the counts added up."""
    table = pd.DataFrame([vars(part) for part in parts])
    mean: Mapping[str, float] = table.mean().to_dict()
    return Marks(**(dict(mean) | {"n": int(table["n"].sum())}))  # type: ignore[arg-type]


def forecasts_of(result: Result) -> pd.DataFrame:
    """The forecasts of a result whose truth is known, with said, carry, direct, low, high, actual as fractions.

    A refused forecast has none of said, low, high; the direct law counts with the carry where it could not be fitted.
    """
    rows = pd.DataFrame([f.model_dump(exclude={"alternatives", "notes"}) for f in result.forecasts])
    rows["said"] = rows["forecast"].astype(float)
    rows["carry"] = [f.baselines.carry_forward for f in result.forecasts]
    rows["direct"] = [f.baselines.direct for f in result.forecasts]
    numbers = ["said", "carry", "direct", "low", "high", "actual"]
    rows[numbers] = rows[numbers].astype(float)
    rows["direct"] = rows["direct"].fillna(rows["carry"])
    return rows[rows["actual"].notna() & rows["carry"].notna()].reset_index(drop=True)


def miss_of(rows: pd.DataFrame, column: str) -> float:
    """Mean absolute miss of a baseline, points."""
    return 100 * float((rows[column] - rows["actual"]).abs().mean())


def by_grade(rows: pd.DataFrame) -> str:
    """Of every grade: how many, mean miss in points (refused: of the carry), inside, median width."""
    parts = {grade: rows[rows["grade"].eq(grade)] for grade in GRADES}
    told = [(grade, len(part), Marks.of(part)) for grade, part in parts.items() if len(part)]
    return "; ".join(f"{g}: {n}, miss {m.miss:.2f}, inside {m.inside:.2f}, width {m.width:.1f}" for g, n, m in told)
