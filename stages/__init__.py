"""The science: scaling laws as scikit-learn regressors, one file per law, and the chain that composes them.

Tables in, tables out: nothing here reads a file, knows a config or imports ``pipeline``.
"""

from stages.chain import Chain
from stages.chinchilla import ChinchillaLoss
from stages.critical_batch import StepsLoss
from stages.deepseek import DeepSeekLoss
from stages.direct import DirectAccuracy
from stages.error import LossToError
from stages.kaplan import KaplanLoss
from stages.linear import FLOPsToNLL
from stages.overtrained import OvertrainedLoss
from stages.sigmoid import NLLToAccuracy
from stages.task_loss import TaskLoss
from stages.trajectory import AnnealedLoss

LAWS = (
    FLOPsToNLL,
    NLLToAccuracy,
    OvertrainedLoss,
    LossToError,
    TaskLoss,
    DirectAccuracy,
    ChinchillaLoss,
    KaplanLoss,
    DeepSeekLoss,
    StepsLoss,
    AnnealedLoss,
)

__all__ = [
    "LAWS",
    "AnnealedLoss",
    "Chain",
    "ChinchillaLoss",
    "DeepSeekLoss",
    "DirectAccuracy",
    "FLOPsToNLL",
    "KaplanLoss",
    "LossToError",
    "NLLToAccuracy",
    "OvertrainedLoss",
    "StepsLoss",
    "TaskLoss",
]
