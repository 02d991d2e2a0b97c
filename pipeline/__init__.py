"""Stages wired to configs, files and the command line; and the entry points of the Python API.

>>> from pipeline import run
>>> result = run("configs/demo.yaml")  # doctest: +SKIP
>>> print(result)  # doctest: +SKIP

``run``, ``run_planned`` and ``run_plan`` are what ``benchcast run``, ``forecast --flops`` and ``plan`` call; a result
is frozen, prints as a table, and shows as HTML in a notebook. Importing this package loads none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.errors import BenchcastError
    from pipeline.forecast import run, run_planned
    from pipeline.plan import run as run_plan
    from pipeline.plan_config import PlanConfig
    from pipeline.plan_results import PlanResult
    from pipeline.results import Forecast, Result

__all__ = [
    "BenchcastError",
    "Config",
    "Forecast",
    "PlanConfig",
    "PlanResult",
    "Result",
    "run",
    "run_plan",
    "run_planned",
]

_PLACES = {
    "BenchcastError": ("errors", "BenchcastError"),
    "Config": ("config", "Config"),
    "Forecast": ("results", "Forecast"),
    "PlanConfig": ("plan_config", "PlanConfig"),
    "PlanResult": ("plan_results", "PlanResult"),
    "Result": ("results", "Result"),
    "run": ("forecast", "run"),
    "run_plan": ("plan", "run"),
    "run_planned": ("forecast", "run_planned"),
}


def __getattr__(name: str) -> Any:
    """An entry point, imported when it is first asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
