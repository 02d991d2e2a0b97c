"""Critical batch size and loss over steps: every constant of Kaplan's laws from small runs, then what follows.

The steps are those of Unraveling the Mystery of Scaling Laws, Part I (arXiv 2403.06563), the laws Kaplan et al.'s
(arXiv 2001.08361): at a fixed loss, steps S and tokens E trade off as S = S_min + E_min / B (equation 5.1 rearranged),
B_crit(L) = E_min / S_min = B_* / L^(1/alpha_B) (5.3), and L(N, S_min) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S
(5.6). They describe a constant learning rate: a decay breaks them, see ``trajectory`` for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from ..fit.errors import NotASweepError
from ..fit.intervals import central_interval
from ..fit.newton import Array
from ..laws.loss.steps import StepsLoss
from ..notices import Notice
from ..notices import planning as notices

CONTOURS_PER_SIZE = 6  # losses per model size at which batch sizes are compared
# Root mean square of the relative misses of the hyperbola beyond which it is not the law of these runs: by judgement,
# several times the noise of a loss curve.
MAX_MISFIT = 0.1


@dataclass(frozen=True, kw_only=True)
class CriticalBatchFit:
    """Every constant with its interval, and what is not identified.

    ``contours`` has a row per (size, loss): params, loss, s_min, e_min, b_crit (tokens), misfit (relative, of the
    hyperbola), worst (the same at the smallest batch). ``b_star`` in tokens and ``inverse_alpha_b`` are those of
    B_crit(L); ``draws`` are (k, 2) of (log b_star, inverse_alpha_b). ``law`` is L(N, S_min).
    """

    contours: pd.DataFrame
    b_star: float
    inverse_alpha_b: float
    draws: Array
    law: StepsLoss
    notes: tuple[Notice, ...]

    def critical_batch(self, loss: Array | float) -> Array:
        """B_crit at a loss, tokens (equation 5.3)."""
        return np.asarray(self.b_star * np.asarray(loss, dtype=float) ** -self.inverse_alpha_b)

    def critical_batch_interval(self, loss: float, level: float = 0.9) -> tuple[float, float]:
        """Its interval over resampled contours."""
        return central_interval(np.exp(self.draws[:, 0] - self.draws[:, 1] * np.log(loss)), level)

    def least_loss(self, params: Array | float) -> Array:
        """What the model of N parameters approaches with unlimited steps: (N_c / N)^alpha_N."""
        t = self.law.theta_
        return np.asarray(np.exp(t[0] - t[1] * np.log(params)))

    def trajectory(self, params: float, batch: float, steps: Array) -> Array:
        """Loss after ``steps`` (m,) at ``batch`` tokens: the L with L = L(N, S / (1 + B_crit(L) / B)), by bisection.

        B_crit falls as L grows, so S_min grows with L and the right side falls: the root is unique.
        """
        steps = np.asarray(steps, dtype=float)
        floor = float(self.least_loss(params))
        low, high = np.full(len(steps), floor), np.full(len(steps), floor + 50.0)
        for _ in range(80):
            midpoint = (low + high) / 2
            least = steps / (1 + self.critical_batch(midpoint) / batch)
            x = np.column_stack([np.full(len(steps), params), least])
            above = self.law._curve(self.law.theta_, x) > midpoint
            low, high = np.where(above, midpoint, low), np.where(above, high, midpoint)
        return np.asarray((low + high) / 2)

    def steps_to(self, params: float, loss: float, batch: Array) -> tuple[Array, Array]:
        """Steps and tokens to reach ``loss`` at each ``batch`` (m,): the trade-off of time and compute; infinite if
        never.

        S = S_min (1 + B_crit / B), E = B S; at B = B_crit both are twice their minimum.
        """
        t = self.law.theta_
        gap = loss - float(self.least_loss(params))
        least = np.exp((t[2] - np.log(gap)) / t[3]) if gap > 0 else np.inf
        steps = least * (1 + self.critical_batch(loss) / np.asarray(batch, dtype=float))
        return steps, steps * batch


def fit_critical_batch(table: pd.DataFrame, draws: int = 500, seed: int = 0, level: float = 0.9) -> CriticalBatchFit:
    """Estimate every constant, step by step.

    Parameters
    ----------
    table : DataFrame
        A row per (run, step): params, batch_size (tokens), step, loss (nats/token); constant learning rate.
    level : float
        Nominal coverage of the interval that the notes speak of.

    Raises
    ------
    NotASweepError
        When no model size has three batch sizes that reach a common loss.
    """
    contours = _contours(table)
    usable = contours[(contours["s_min"] > 0) & (contours["e_min"] > 0)]
    if len(usable) < 3:
        raise NotASweepError(
            f"{len(usable)} loss contours give a critical batch; three are needed (three or more batch sizes per model "
            "size whose losses overlap)"
        )
    x, y = np.log(usable["loss"].to_numpy()), np.log(usable["b_crit"].to_numpy())
    slope, intercept = np.polyfit(x, y, 1)
    many = _resampled_lines(usable, draws, seed)
    notes = _notes(contours, usable, -many[:, 1] if len(many) else np.array([]), level)
    law = StepsLoss()
    batches = CriticalBatchFit(
        contours=contours,
        b_star=float(np.exp(intercept)),
        inverse_alpha_b=float(-slope),
        draws=many,
        law=law,
        notes=notes,
    )
    least = table["step"] / (1 + batches.critical_batch(table["loss"].to_numpy()) / table["batch_size"])
    groups = table["params"].astype(str) + "/" + table["batch_size"].astype(str)
    law.fit(np.column_stack([table["params"], least]), table["loss"].to_numpy(), groups=groups.to_numpy())
    return CriticalBatchFit(
        contours=contours,
        b_star=batches.b_star,
        inverse_alpha_b=batches.inverse_alpha_b,
        draws=many,
        law=law,
        notes=(*notes, *_law_notes(law)),
    )


def _contours(table: pd.DataFrame) -> pd.DataFrame:
    """Steps to reach common losses for every batch of a size, and the line S = S_min + E_min / B through them."""
    rows = []
    for params, part in table.groupby("params"):
        curves = {b: run.sort_values("step") for b, run in part.groupby("batch_size")}
        if len(curves) < 3:
            continue
        smooth = {b: np.minimum.accumulate(c["loss"].to_numpy()) for b, c in curves.items()}
        low = max(s[-1] for s in smooth.values())
        high = min(s[0] for s in smooth.values())
        if high <= low:
            continue
        for loss in np.linspace(low, low + 0.6 * (high - low), CONTOURS_PER_SIZE):
            steps = np.array(
                [np.exp(np.interp(-loss, -smooth[b], np.log(c["step"].to_numpy()))) for b, c in curves.items()]
            )
            rows.append((params, loss, *_hyperbola(np.array(list(curves), dtype=float), steps)))
    return pd.DataFrame(rows, columns=["params", "loss", "s_min", "e_min", "b_crit", "misfit", "worst"])


def _hyperbola(batch: Array, steps: Array) -> tuple[float, float, float, float, float]:
    """S_min, E_min, B_crit, and how far the line misses (relative): all batches, and the smallest."""
    design = np.column_stack([np.ones_like(batch), 1 / batch]) / steps[:, None]
    scale = np.linalg.norm(design, axis=0)
    (a, b), _ = nnls(design / scale, np.ones_like(steps))
    s_min, e_min = a / scale[0], b / scale[1]
    miss = (s_min + e_min / batch) / steps - 1
    ratio = e_min / s_min if s_min > 0 else np.inf
    return s_min, e_min, ratio, float(np.sqrt(np.mean(miss**2))), float(miss[batch.argmin()])


def _resampled_lines(usable: pd.DataFrame, draws: int, seed: int) -> Array:
    """(log B_*, 1/alpha_B) of resampled contours, (k, 2): contours of one size are drawn together where sizes are
    many.
    """
    rng = np.random.default_rng(seed)
    x, y = np.log(usable["loss"].to_numpy()), np.log(usable["b_crit"].to_numpy())
    lines = []
    for _ in range(draws):
        pick = rng.integers(0, len(x), len(x))
        if np.ptp(x[pick]) > 1e-9:
            slope, intercept = np.polyfit(x[pick], y[pick], 1)
            lines.append((intercept, -slope))
    return np.array(lines)


def _notes(contours: pd.DataFrame, usable: pd.DataFrame, slopes: Array, level: float) -> tuple[Notice, ...]:
    """What the batch-size part leaves open, in sentences."""
    notes = []
    if lost := len(contours) - len(usable):
        notes.append(notices.NO_CONTOUR(lost=lost, contours=len(contours)))
    if (bad := int((contours["misfit"] > MAX_MISFIT).sum())) > 0:
        worst = contours["worst"].iloc[int(contours["worst"].abs().to_numpy().argmax())]
        notes.append(
            notices.NO_HYPERBOLA(limit=100 * MAX_MISFIT, missed=bad, contours=len(contours), worst=100 * float(worst))
        )
    low, high = central_interval(-slopes, level)
    if not low > 0:
        notes.append(notices.NO_EXPONENT(level=100 * level, low=low, high=high))
    return tuple(notes)


def _law_notes(law: StepsLoss) -> tuple[Notice, ...]:
    """Which exponents of L(N, S_min) the data leave open."""
    notes = []
    for name in ("alpha_N", "alpha_S"):
        value, error = law.estimates_[name], law.stderrs_[name]
        if not np.isfinite(error) or error > 0.5 * value:
            notes.append(notices.NOT_IDENTIFIED(name=name, value=value, error=error))
    return (*notes, *(note.about("L(N, S_min)") for note in law.notes_))
