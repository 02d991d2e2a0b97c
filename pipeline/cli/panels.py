"""The panels of ``benchcast --help``, in the order of use: each command file names its own."""

from __future__ import annotations

from enum import StrEnum


class Panel(StrEnum):
    """A panel's title; the order here is the order of the help."""

    BEGIN = "Begin here: benchcast init FOLDER writes a config, benchcast run forecasts"
    SCORE = "Score: checkpoints on tasks, each once"
    FORECAST = "Forecast: what a larger run will score"
    TRUST = "Trust: how often such forecasts were right, and which model is better"
    PLAN = "Plan: what to train next"
    RECORD = "Record: forecasts put down before the truth is known, settled after"
    NIGHTLY = "Nightly: a run followed while it trains"

    @property
    def place(self) -> int:
        """Where it stands among the panels, from 0."""
        return list(Panel).index(self)
