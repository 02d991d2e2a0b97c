"""The science: scaling laws as scikit-learn regressors, one file per law, and the chain that composes them.

Tables in, tables out: nothing here reads a file, knows a config or imports ``pipeline``. Names are imported when they
are first used, so that what needs FLOPs alone does not wait for scipy and scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.base import Law
    from stages.broken_power import BrokenPower
    from stages.chain import Chain
    from stages.chinchilla import ChinchillaLoss
    from stages.compute_sigmoid import FLOPsToAccuracy
    from stages.critical_batch import StepsLoss
    from stages.deepseek import DeepSeekLoss
    from stages.direct import DirectAccuracy
    from stages.error import LossToError
    from stages.floored_power import FlooredPower
    from stages.kaplan import KaplanLoss
    from stages.linear import FLOPsToNLL
    from stages.overtrained import OvertrainedLoss
    from stages.pure_power import PurePower
    from stages.sigmoid import NLLToAccuracy
    from stages.task_loss import TaskLoss
    from stages.trajectory import AnnealedLoss

    LAWS: tuple[type[Law], ...]

_HOMES = {
    "BrokenPower": "broken_power",
    "Chain": "chain",
    "ChinchillaLoss": "chinchilla",
    "FLOPsToAccuracy": "compute_sigmoid",
    "StepsLoss": "critical_batch",
    "DeepSeekLoss": "deepseek",
    "DirectAccuracy": "direct",
    "LossToError": "error",
    "FlooredPower": "floored_power",
    "KaplanLoss": "kaplan",
    "FLOPsToNLL": "linear",
    "OvertrainedLoss": "overtrained",
    "PurePower": "pure_power",
    "NLLToAccuracy": "sigmoid",
    "TaskLoss": "task_loss",
    "AnnealedLoss": "trajectory",
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
        return getattr(import_module(f"stages.{_HOMES[name]}"), name)
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
