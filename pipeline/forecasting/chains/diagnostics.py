"""How each run sits on a fitted law: its residual, and how much it holds the law where it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from benchcast.reports.records.forecast import Diagnostic
from benchcast.stages.fit.newton import Array
from benchcast.stages.laws.base import Law

from .figures import sig

DIGITS = 4


def diagnose(law: Law, X: Array, y: Array, runs: Sequence[str]) -> tuple[Diagnostic, ...]:
    """Residual in residual standard deviations and leverage of every run that a law was fitted on.

    ``X`` (n, columns), ``y`` (n,) and ``runs`` (n,) are what it was fitted on. Leverage is the variance of the curve
    over that of the noise, g' S g / s², which for least squares is the diagonal of the hat matrix. A run with several
    points is shown by the one that lies farthest off. Without a noise estimate there is nothing to say.
    """
    spread = law.predict_distribution(X)
    if not (np.isfinite(spread.noise_std) and spread.noise_std > 0):
        return ()
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = ((np.log(y) if law.log_link else y) - spread.mean) / spread.noise_std
    leverage = (spread.curve_stderr / spread.noise_std) ** 2
    worst: dict[str, int] = {}
    for i in np.argsort(-np.abs(residual), kind="stable"):
        if np.isfinite(residual[i]) and np.isfinite(leverage[i]):
            worst.setdefault(str(runs[i]), int(i))
    return tuple(
        Diagnostic(run=run, residual=sig(float(residual[i]), DIGITS), leverage=sig(float(leverage[i]), DIGITS))
        for run, i in sorted(worst.items())
    )
