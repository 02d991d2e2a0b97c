"""Stages wired to configs, files and the command line; and the entry points of the Python API.

>>> import benchcast
>>> result = benchcast.forecast(frame, params=70e9, tokens=1.4e12)  # doctest: +SKIP
>>> result  # doctest: +SKIP
>>> result.plot()  # doctest: +SKIP

``forecast`` takes a data frame; ``run``, ``run_planned`` and ``run_plan`` are what ``benchcast run``, ``forecast
--flops`` and ``plan`` call. A result is frozen, says its answer in a line, prints as a table, and shows as HTML in a
notebook. Importing this package loads none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchcast.reports.records import display

if TYPE_CHECKING:
    from benchcast.reports.records.forecast import Forecast, Result
    from benchcast.reports.records.plan import PlanResult

    from .core.config import Config
    from .core.errors import BenchcastError
    from .forecasting.frames import forecast
    from .forecasting.run import run, run_planned
    from .planning.config import PlanConfig
    from .planning.run import run as run_plan

__all__ = [
    "BenchcastError",
    "Config",
    "Forecast",
    "PlanConfig",
    "PlanResult",
    "Result",
    "forecast",
    "run",
    "run_plan",
    "run_planned",
]

_PLACES = {
    "BenchcastError": ("core.errors", "BenchcastError"),
    "Config": ("core.config", "Config"),
    "Forecast": ("reports.records.forecast", "Forecast"),
    "PlanConfig": ("planning.config", "PlanConfig"),
    "PlanResult": ("reports.records.plan", "PlanResult"),
    "Result": ("reports.records.forecast", "Result"),
    "forecast": ("forecasting.frames", "forecast"),
    "run": ("forecasting.run", "run"),
    "run_plan": ("planning.run", "run"),
    "run_planned": ("forecasting.run", "run_planned"),
}


def _renderer() -> display.Renderer:
    """What prints and writes results, imported when the first of them is shown."""
    from . import report

    return report


display.use(_renderer)


def __getattr__(name: str) -> Any:
    """An entry point, imported when it is first asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
