"""What the parts of a plan share: the law that it stands on, and numbers with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from benchcast.reports.records.plan import Estimate, FitReport, Growth
from benchcast.stages.fit.intervals import central_interval
from benchcast.stages.fit.newton import Array
from benchcast.stages.laws.surface import LossSurface, ParameterDraws
from benchcast.stages.notices import Notice
from scipy.stats import norm


@dataclass(frozen=True, kw_only=True)
class PlanLaw:
    """The law that a plan stands on: its values (1,) and draws (k,), and where they come from."""

    surface: type[LossSurface]
    values: ParameterDraws
    draws: ParameterDraws
    method: str
    source: str
    interval: str
    fit: FitReport | None = None
    notes: tuple[Notice, ...] = ()


def estimate(value: float, draws: Array, level: float) -> Estimate:
    """A value with the central interval of its draws, null for what is not finite."""
    low, high = central_interval(np.asarray(draws, dtype=float), level)
    low, high = min(low, value), max(high, value)
    return Estimate(
        **{k: float(v) if np.isfinite(v) else None for k, v in (("value", value), ("low", low), ("high", high))}
    )


def with_error(value: float, error: float, level: float) -> Estimate:
    """A value with the interval that its standard error gives, as of a normal distribution."""
    half = float(norm.ppf(0.5 + level / 2)) * error
    return estimate(value, np.array([value - half, value + half]), 1 - 1e-9)


def growth(method: str, value: float, draws: Array, level: float, source: str) -> Growth:
    """A law N* ~ C^value as exponents and as factors at ten times the compute."""
    return Growth(
        method=method,
        source=source,
        params_exponent=estimate(value, draws, level),
        tokens_exponent=estimate(1 - value, 1 - draws, level),
        params_10x=estimate(10**value, 10**draws, level),
        tokens_10x=estimate(10 ** (1 - value), 10 ** (1 - draws), level),
    )
