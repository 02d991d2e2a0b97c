"""The trend in log-odds as a form of ``auto``: effective compute from the ladder's losses, or from published constants.

Of a validation loss the measured one counts, since it tells how a run really went; of the task's own loss, which is as
noisy as its score, only the law. The published constants serve where there is no loss or no law can be fitted to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...fit.newton import Array
from ...trend.effective_compute import EffectiveCompute, usual_multiplier
from ...trend.log_odds import FittedTrend, TrendData, TrendPriors, fit_trends, share_slopes
from ...trend.loss_prior import LossLaw, fit_loss_laws
from ..task_data import OWN_LOSS, TASK_LOSSES, TaskData
from .form import FittedForm

FEWEST = 2  # scores that a trend needs
FEWEST_LOSSES = 3  # runs that a loss law with priors needs


@dataclass(frozen=True, kw_only=True)
class TrendForm:
    """``priors`` of the trends; see ``TrendPriors``."""

    priors: TrendPriors = field(default_factory=TrendPriors)
    name: str = "trend in log-odds"
    weight: float = 1.0
    shares: bool = True

    def fit(self, tasks: Sequence[TaskData], horizons: Sequence[str] | None = None) -> list[FittedForm | None]:
        """A trend for every task with two scores or more; the tasks of a horizon share the priors of their slopes."""
        rows = [task.finals.dropna(subset=["accuracy"]).sort_values("flops", kind="stable") for task in tasks]
        able = [i for i, scored in enumerate(rows) if len(scored) >= FEWEST]
        ladders = [_Ladder.of(tasks[i], rows[i]) for i in able]
        maps = _effective_computes(ladders)
        data = [each.trend_data(place, tasks[i].chance) for i, each, place in zip(able, ladders, maps, strict=True)]
        trends = self._shared(fit_trends(data, self.priors), [horizons[i] if horizons else "" for i in able])
        fitted: list[FittedForm | None] = [None] * len(tasks)
        for i, place, trend in zip(able, maps, trends, strict=True):
            fitted[i] = FittedTrendForm(compute=place, trend=trend)
        return fitted

    def _shared(self, trends: list[FittedTrend], horizons: Sequence[str]) -> list[FittedTrend]:
        for name in dict.fromkeys(horizons):
            places = [i for i, horizon in enumerate(horizons) if horizon == name]
            for i, trend in zip(places, share_slopes([trends[i] for i in places], self.priors), strict=True):
                trends[i] = trend
        return trends


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedTrendForm:
    """A task's trend, and the map from a model to its effective compute."""

    compute: EffectiveCompute
    trend: FittedTrend

    def predict(self, X: pd.DataFrame) -> tuple[Array, Array]:
        """See ``FittedForm``; a model of which only the compute is known spends it the ladder's usual way."""
        params, tokens = X["params"].to_numpy(dtype=float), X["tokens"].to_numpy(dtype=float)
        unknown = ~(np.isfinite(params) & np.isfinite(tokens))
        x, x_std = np.log10(X["flops"].to_numpy(dtype=float)), np.zeros(len(X))
        known = ~unknown
        if known.any():
            x[known] = self.compute.of_model(params[known], tokens[known])
            x_std[known] = self.compute.stderr(params[known], tokens[known])
        mean, std = self.trend.predict(x, x_std)
        lost = ~np.isfinite(x)
        return np.where(lost, np.nan, mean), np.where(lost, np.nan, std)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ladder:
    """The scored rows of a task, by compute, and the loss that their effective compute is read from."""

    rows: pd.DataFrame
    loss_name: str
    measured: bool

    @classmethod
    def of(cls, task: TaskData, rows: pd.DataFrame) -> _Ladder:
        validation = [name for name in task.loss_names if name not in TASK_LOSSES]
        for name in (*validation, *(name for name in OWN_LOSS if name in task.loss_names)):
            known = rows[name].notna() & (rows[name] > 0)
            if rows.loc[known, "run"].nunique() >= FEWEST_LOSSES:
                return cls(rows=rows, loss_name=name, measured=name in validation)
        return cls(rows=rows, loss_name="", measured=False)

    def losses(self) -> tuple[Array, Array, Array]:
        """Parameters, tokens and losses of the runs that have one."""
        known = self.rows[self.rows[self.loss_name] > 0]
        params, tokens, loss = (known[name].to_numpy(dtype=float) for name in ("params", "tokens", self.loss_name))
        return params, tokens, loss

    def trend_data(self, compute: EffectiveCompute, chance: float) -> TrendData:
        """The scores over the effective compute of their runs."""
        rows = self.rows
        x = compute.of_model(rows["params"].to_numpy(dtype=float), rows["tokens"].to_numpy(dtype=float))
        if self.measured:
            loss = rows[self.loss_name].to_numpy(dtype=float)
            known = np.isfinite(loss) & (loss > 0)
            x[known] = compute.of_loss(loss[known])
        model = rows["model"] if "model" in rows else rows["run"]
        unknown = np.zeros(len(rows))
        return TrendData(
            x=x,
            accuracy=rows["accuracy"].to_numpy(dtype=float),
            sampling=rows["stderr"].to_numpy(dtype=float) if "stderr" in rows else unknown,
            runs=np.unique(model.to_numpy(dtype=str), return_inverse=True)[1],
            chance=chance,
        )


def _effective_computes(ladders: Sequence[_Ladder]) -> list[EffectiveCompute]:
    """A map for every ladder; tasks that share a validation loss share its law."""
    wanted: dict[bytes, tuple[Array, Array, Array]] = {}
    keys: list[bytes | None] = []
    for ladder in ladders:
        if not ladder.loss_name:
            keys.append(None)
            continue
        arrays = ladder.losses()
        content = b"".join(array.tobytes() for array in arrays)
        wanted.setdefault(content, arrays)
        keys.append(content)
    laws: dict[bytes, LossLaw] = dict(zip(wanted, fit_loss_laws(list(wanted.values())), strict=True))
    maps = []
    for ladder, key in zip(ladders, keys, strict=True):
        params, tokens = (ladder.rows[name].to_numpy(dtype=float) for name in ("params", "tokens"))
        if key is None or not np.isfinite(laws[key].theta).all():
            maps.append(EffectiveCompute.published(params, tokens))
        else:
            maps.append(EffectiveCompute(law=laws[key], token_multiplier=usual_multiplier(params, tokens)))
    return maps


FORM = TrendForm()
