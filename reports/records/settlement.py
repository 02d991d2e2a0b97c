"""How registered forecasts fared, as frozen objects: the machine contract of ``benchcast settle --json``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from . import display
from .base import Frozen, Number
from .notices import StoredNotice


class SettledForecast(Frozen):
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
    error: Number = Field(
        description="forecast minus truth; a refused task counts with its largest score carried forward"
    )
    inside: bool | None
    interval_score: float | None
    log_score: float | None
    crps: float | None
    known: bool = Field(default=False, description="whether the score was in the data when the forecast was registered")
    fitted: bool = Field(default=False, description="whether the forecast was fitted on it: it counts nowhere")


class Settlement(Frozen):
    """All forecasts that could be settled, and how well their intervals held."""

    settled: tuple[SettledForecast, ...]
    open: int = Field(description="forecasts without a truth so far")
    refused: int
    mean_error: float | None = Field(description="mean absolute error, refused ones by their baseline")
    coverage: float | None
    interval_score: float | None
    calibration: tuple[tuple[float, float], ...] = Field(description="nominal level, share inside so far")
    known: int = Field(default=0, description="scores known when registered; means leave them out if there are others")
    notes: tuple[StoredNotice, ...] = ()

    def write(self, out: str | Path) -> dict[str, Path]:
        """Typeset ``settlement.pdf``, with its JSON beside it; paths by kind.

        Raises
        ------
        BenchcastError
            When it cannot be typeset, or the place not be written; what was there is untouched.
        """
        return display.renderer().write_report(self, Path(out))
