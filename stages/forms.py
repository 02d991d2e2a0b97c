"""The forms a forecast may take: which law for each step, through which middle quantity.

No form is right on every suite: on one testbed a sigmoid that is pinned to a ceiling of 1 is best and a free ceiling
worst, on another the reverse. So none is chosen here; ``stages.selection`` weighs them by the ladder's own backtest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from stages.base import Law
from stages.candidates import DIRECT, FIRST, FREE, SECOND, Step
from stages.fitting import Array

ONE_STEP = "one step"
CARRY = "largest carried forward"
NODES = (np.arange(9) + 0.5) / 9  # equally likely quantiles of the middle quantity
WIDEST = 0.25  # standard deviation of an accuracy that says nothing


@dataclass(frozen=True)
class Form:
    """A way to the forecast: ``middle`` quantity, law to it, law from it. One-step forms have no middle."""

    middle: str
    first: str
    second: str = ""

    @property
    def name(self) -> str:
        """As the report prints it."""
        return " → ".join(part for part in (self.first, self.middle, self.second) if part and part != ONE_STEP)


@dataclass(frozen=True)
class Predictions:
    """What k forms say at m targets: plug-in forecast and standard error of a new observation, (k, m).

    ``at_bound`` (k,) says of which form a law ran into a bound that is no part of the form.
    """

    forms: tuple[Form, ...]
    mean: Array
    stderr: Array
    at_bound: NDArray[np.bool_]


@dataclass
class Ladder:
    """What a form is fitted on, for one task.

    Attributes
    ----------
    finals : DataFrame
        A row per run: run, params, tokens, flops, token_multiplier, accuracy, and the middle quantities.
    checkpoints : DataFrame, optional
        More (middle, accuracy) points of the same runs for the second step.
    chance : float
        Score of guessing.
    shared : dict
        First laws that other tasks may have fitted already; those of ``common`` middles are the same for every task.
    wide : bool
        Whether the ``wide`` candidates are tried too.
    """

    finals: pd.DataFrame
    chance: float = 0.0
    checkpoints: pd.DataFrame | None = None
    common: frozenset[str] = frozenset()
    shared: dict[Any, Any] = field(default_factory=dict)
    wide: bool = False


def predict(ladder: Ladder, middles: Sequence[str], X: pd.DataFrame) -> Predictions:
    """Fit every form that the data can carry, and predict the accuracy at ``X`` (columns of all first laws).

    A form whose law has no degree of freedom left, or could not be fitted, is left out.
    """
    found: dict[Form, tuple[Array, Array]] = {}
    bound: dict[Form, bool] = {}
    for middle in middles:
        rows = _known(ladder.finals, middle)
        firsts = _first_laws(ladder, rows, middle)
        losses = {first: _losses_at(law, X) for first, law in firsts.items()}
        for second, law in _second_laws(ladder, rows, middle).items():
            for first, loss in losses.items():
                if FIRST[first].wide and SECOND[second].wide:
                    continue  # one departure at a time
                form = Form(middle, first, second)
                found[form] = _chained(loss, law, SECOND[second].error)
                # A floor held near chance is what "sigmoid to 1" means.
                bound[form] = "bound hit" in (firsts[first].status_, law.status_ if second == FREE else "")
    found |= _one_step(ladder, X)
    forms = tuple(found)
    mean, stderr = (np.array([found[f][i] for f in forms]) for i in (0, 1))
    return Predictions(forms, mean, stderr, np.array([bound.get(f, False) for f in forms]))


def first_laws(finals: pd.DataFrame, middle: str, wide: bool = False) -> dict[str, Law]:
    """The laws to a middle quantity that could be fitted to a ladder's final rows, by name."""
    rows = _known(finals, middle)
    made = {name: _fitted(step, step.make(0.0), rows, middle) for name, step in FIRST.items() if wide or not step.wide}
    return {name: law for name, law in made.items() if law is not None}


def _known(finals: pd.DataFrame, middle: str) -> pd.DataFrame:
    if middle not in finals:
        return finals[:0]
    rows = finals.dropna(subset=[middle, "accuracy"])
    return rows[rows[middle] > 0]


def _first_laws(ladder: Ladder, rows: pd.DataFrame, middle: str) -> dict[str, Law]:
    key = (middle, *zip(rows["run"], rows[middle], strict=True)) if middle in ladder.common else None
    if key is not None and key in ladder.shared:
        return dict(ladder.shared[key])
    found = first_laws(rows, middle, ladder.wide)
    if key is not None:
        ladder.shared[key] = found
    return found


def _second_laws(ladder: Ladder, rows: pd.DataFrame, middle: str) -> dict[str, Law]:
    cloud = ladder.checkpoints
    ends = rows[["run", middle, "accuracy"]] if len(rows) else rows
    if cloud is None or middle not in cloud:
        cloud, points = None, ends
    else:
        points = cloud[cloud["run"].isin(rows["run"])].dropna(subset=[middle, "accuracy"])
    found = {}
    for name, step in SECOND.items():
        if (step.wide and not ladder.wide) or (step.ends and cloud is None):
            continue
        law = step.make(ladder.chance)
        part = ends if step.ends else points
        runs = rows
        if step.largest < 1:
            runs = step.window(rows)
            part = part[part["run"].isin(runs["run"])]
        if len(runs) <= len(law.parameters):
            continue
        y = part["accuracy"].to_numpy(dtype=float)
        weight = None
        if step.weights != "equal":
            weight = step.weigh(part["run"].map(rows.set_index("run")["flops"]).to_numpy(dtype=float), y)
        groups = part["run"].to_numpy() if len(part) > len(runs) else None
        made = _quiet_fit(law, part[[middle]].to_numpy(), 1 - y if step.error else y, groups, weight)
        if made is not None:
            found[name] = made
    return found


def _fitted(step: Step, law: Law, rows: pd.DataFrame, column: str) -> Law | None:
    """The law fitted to a column of a ladder; None with too few rows, or where it cannot be fitted."""
    part = step.window(rows)
    if len(part) <= len(law.parameters) + 1:
        return None
    y = part[column].to_numpy(dtype=float)
    weight = None
    if step.weights != "equal":
        weight = step.weigh(part["flops"].to_numpy(dtype=float), part["accuracy"].to_numpy(dtype=float))
    return _quiet_fit(law, part[list(law.columns)].to_numpy(dtype=float), 1 - y if step.error else y, None, weight)


def _quiet_fit(law: Law, X: Array, y: Array, groups: NDArray[np.generic] | None, weight: Array | None) -> Law | None:
    try:
        law.fit(X, y, sample_weight=weight, groups=groups)
    except ValueError:
        return None
    return None if law.status_ == "abnormal" else law


@dataclass(frozen=True)
class _Losses:
    """A first law at m targets: the plug-in loss (m,), equally likely losses (m, nodes), and where it is known (m,)."""

    plain: Array
    likely: Array
    known: NDArray[np.bool_]


def _losses_at(first: Law, X: pd.DataFrame) -> _Losses:
    """NaN where the law's inputs are not known (a target given by its FLOPs alone)."""
    inputs = X[list(first.columns)].to_numpy(dtype=float)
    known = np.isfinite(inputs).all(axis=1)
    plain, likely = np.full(len(X), np.nan), np.full((len(X), len(NODES)), np.nan)
    if known.any():
        loss = first.spread(inputs[known])
        nodes = student.ppf(NODES, max(loss.dof, 1.0))
        drawn = np.clip(np.nan_to_num(loss.mean[:, None] + loss.total[:, None] * nodes), -50, 50)
        likely[known] = np.clip(np.exp(drawn) if first.log_link else drawn, 0.0, 1e6)
        plain[known] = np.maximum(first.predict(inputs[known]), 0.0)
    return _Losses(plain, likely, known)


def _chained(losses: _Losses, second: Law, complement: bool) -> tuple[Array, Array]:
    """Plug-in forecast and standard error: the second law over equally likely losses of the first; NaN: unknown."""
    known = losses.known
    mean, stderr = np.full(len(known), np.nan), np.full(len(known), np.nan)
    if known.any():
        likely = losses.likely[known]
        spread = second.spread(np.column_stack([losses.plain[known], likely]).reshape(-1, 1))
        curve = np.clip(spread.mean.reshape(len(likely), -1), 0.0, 1.0)
        noise = np.minimum(np.nan_to_num(spread.total, nan=WIDEST, posinf=WIDEST), WIDEST).reshape(curve.shape)
        variance = np.mean(noise[:, 1:] ** 2, axis=1) + np.var(curve[:, 1:], axis=1)
        mean[known] = 1 - curve[:, 0] if complement else curve[:, 0]
        stderr[known] = np.minimum(np.sqrt(variance), WIDEST)
    return mean, stderr


def _one_step(ladder: Ladder, X: pd.DataFrame) -> dict[Form, tuple[Array, Array]]:
    """The laws without a middle quantity, and no change at all."""
    rows = ladder.finals.dropna(subset=["accuracy"]).sort_values("flops", kind="stable")
    found: dict[Form, tuple[Array, Array]] = {}
    if not len(rows):
        return found
    floor = min(ladder.chance, max(0.0, float(rows["accuracy"].min()) - 0.005))
    for name, step in DIRECT.items():
        made = None if step.wide and not ladder.wide else _fitted(step, step.make(floor), rows, "accuracy")
        if made is None:
            continue
        inputs = X[list(made.columns)].to_numpy(dtype=float)
        known = np.isfinite(inputs).all(axis=1)
        mean, error = np.full(len(X), np.nan), np.full(len(X), np.nan)
        if known.any():
            curve = made.predict(inputs[known])
            mean[known] = np.clip(1 - curve if step.error else curve, 0.0, 1.0)
            total = made.spread(inputs[known]).total
            error[known] = np.minimum(np.nan_to_num(total, nan=WIDEST, posinf=WIDEST), WIDEST)
        found[Form(ONE_STEP, name)] = (mean, error)
    carried = np.full(len(X), float(rows["accuracy"].iloc[-1]))
    found[Form(ONE_STEP, CARRY)] = (carried, np.zeros(len(X)))
    return found
