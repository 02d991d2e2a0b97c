"""The science: scaling laws as scikit-learn regressors, one file per law, and the chain that composes them.

Tables in, tables out: nothing here reads a file, knows a config or imports the pipeline. Every law has its name here
(``from benchcast.stages import ChinchillaLoss``), also one that another package registers; ``LAWS`` are all of them.
Names are imported when they are first used, so that what needs FLOPs alone does not wait for scipy and scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .forecast.auto import AutoForecaster as AutoForecaster
    from .forecast.chain import Chain as Chain
    from .laws.base import Law as Law

    LAWS: tuple[type[Law], ...]

_HOMES = {"AutoForecaster": ".forecast.auto", "Chain": ".forecast.chain", "Law": ".laws.base"}  # of what is no law


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    if name[:1].isupper():  # modules of this package are written small
        laws = import_module(".laws.registry", __name__).laws()
        if name == "LAWS":
            return tuple(laws.values())
        if name in laws:
            return laws[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    names: dict[str, Any] = import_module(".laws.registry", __name__).laws()
    return sorted({*globals(), *_HOMES, "LAWS", *names})
