"""The science: scaling laws as scikit-learn regressors, one file per law, and the chain that composes them.

Tables in, tables out: nothing here reads a file, knows a config or imports ``pipeline``. Names are imported when they
are first used, so that what needs FLOPs alone does not wait for scipy and scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .forecast.chain import Chain
    from .laws.accuracy.compute_sigmoid import FLOPsToAccuracy
    from .laws.accuracy.direct_accuracy import DirectAccuracy
    from .laws.accuracy.exponential_error import LossToError
    from .laws.accuracy.loss_sigmoid import NLLToAccuracy
    from .laws.base import Law
    from .laws.loss.broken_power import BrokenPower
    from .laws.loss.chinchilla import ChinchillaLoss
    from .laws.loss.deepseek import DeepSeekLoss
    from .laws.loss.floored_power import FlooredPower
    from .laws.loss.kaplan import KaplanLoss
    from .laws.loss.log_linear import FLOPsToNLL
    from .laws.loss.overtraining import OvertrainedLoss
    from .laws.loss.pure_power import PurePower
    from .laws.loss.task_loss import TaskLoss
    from .planning.critical_batch import StepsLoss
    from .planning.trajectory import AnnealedLoss

    LAWS: tuple[type[Law], ...]

_HOMES = {
    "BrokenPower": "laws.loss.broken_power",
    "Chain": "forecast.chain",
    "ChinchillaLoss": "laws.loss.chinchilla",
    "FLOPsToAccuracy": "laws.accuracy.compute_sigmoid",
    "StepsLoss": "planning.critical_batch",
    "DeepSeekLoss": "laws.loss.deepseek",
    "DirectAccuracy": "laws.accuracy.direct_accuracy",
    "LossToError": "laws.accuracy.exponential_error",
    "FlooredPower": "laws.loss.floored_power",
    "KaplanLoss": "laws.loss.kaplan",
    "FLOPsToNLL": "laws.loss.log_linear",
    "OvertrainedLoss": "laws.loss.overtraining",
    "PurePower": "laws.loss.pure_power",
    "NLLToAccuracy": "laws.accuracy.loss_sigmoid",
    "TaskLoss": "laws.loss.task_loss",
    "AnnealedLoss": "planning.trajectory",
}
_LAWS = (
    "FLOPsToNLL",
    "NLLToAccuracy",
    "OvertrainedLoss",
    "LossToError",
    "TaskLoss",
    "DirectAccuracy",
    "FLOPsToAccuracy",
    "FlooredPower",
    "PurePower",
    "BrokenPower",
    "ChinchillaLoss",
    "KaplanLoss",
    "DeepSeekLoss",
    "StepsLoss",
    "AnnealedLoss",
)  # in the order of the documentation


def __getattr__(name: str) -> Any:
    if name == "LAWS":
        return tuple(__getattr__(law) for law in _LAWS)
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "LAWS",
    "AnnealedLoss",
    "BrokenPower",
    "Chain",
    "ChinchillaLoss",
    "DeepSeekLoss",
    "DirectAccuracy",
    "FLOPsToAccuracy",
    "FLOPsToNLL",
    "FlooredPower",
    "KaplanLoss",
    "LossToError",
    "NLLToAccuracy",
    "OvertrainedLoss",
    "PurePower",
    "StepsLoss",
    "TaskLoss",
]
