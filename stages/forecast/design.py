"""Which run to add to the ladder: the one that shrinks the target's uncertainty most for its cost.

Sequential optimal design for a scalar of interest (c-optimality; Chaloner and Verdinelli, Bayesian Experimental Design:
A Review, Statist. Sci. 10 (1995)): one more observation at x lowers the variance of the curve at the target by a
rank-one update that depends on where x is, not on what will be measured there. That ranks candidates for one law at no
cost. What a pool of paths would gain shows when the run is put in with the scores expected of it, and all is fitted
again (a preanalysis with plug-in data): ``std_after``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ..fit.newton import Array
from ..laws.base import Law
from .pathways import ForecastPath, PathPredictions, Question, first_laws, predict, predict_all
from .task_data import TaskData


def variance_after(law: Law, candidates: pd.DataFrame, target: pd.DataFrame) -> tuple[float, Array]:
    """Variance of a fitted law's curve at the target, on the link scale: now, and after each candidate, (k,).

    Parameters
    ----------
    law : Law
        Fitted, with a covariance.
    candidates : DataFrame (k rows), target : DataFrame (1 row)
        With the law's ``columns``.
    """
    at = _gradient(law, target)[0]
    new = _gradient(law, candidates)
    covariance, noise = law.covariance_, law.residual_std_**2
    now = float(at @ covariance @ at)
    shared = new @ covariance @ at
    at_new = np.einsum("ij,jk,ik->i", new, covariance, new)
    return now, np.asarray(np.maximum(now - shared**2 / np.maximum(noise + at_new, 1e-300), 0.0))


def std_reduction(law: Law, candidates: pd.DataFrame, target: pd.DataFrame) -> Array:
    """Share by which the standard deviation of a new observation at the target would shrink, (k,), between 0 and 1."""
    now, after = variance_after(law, candidates, target)
    noise = law.residual_std_**2
    return np.asarray(1 - np.sqrt((after + noise) / max(now + noise, 1e-300)))


def std_after(
    task: TaskData, weights: Mapping[ForecastPath, Array], candidates: pd.DataFrame, targets: pd.DataFrame
) -> tuple[Array, Array]:
    """Standard deviation of the pooled forecasts: now (m,), and with each candidate as it is expected, (k, m).

    Parameters
    ----------
    weights : path to its weights (m,) in the pools
    candidates : DataFrame (k rows), targets : DataFrame (m rows)
        params, tokens, flops and token_multiplier.
    """
    expected = expected_scores(task, weights, candidates)
    longer = [pd.concat([task.finals, expected.iloc[[i]]], ignore_index=True) for i in range(len(candidates))]
    questions = [Question(replace(task, finals=finals), targets) for finals in (task.finals, *longer)]
    now, *after = [pooled_std(predictions, weights)[1] for predictions in predict_all(questions)]
    return now, np.array(after)


def expected_scores(task: TaskData, weights: Mapping[ForecastPath, Array], candidates: pd.DataFrame) -> pd.DataFrame:
    """The candidates (k rows) with the losses and the accuracy that the present fits expect of them."""
    rows = candidates[["params", "tokens", "flops", "token_multiplier"]].astype(float)
    rows = rows.assign(run=[f"candidate {i}" for i in range(len(rows))])
    for loss in task.loss_names:
        laws = list(first_laws(task.finals, loss).values())
        logs = [np.log(np.maximum(law.predict(rows[list(law.columns)].to_numpy()), 1e-6)) for law in laws]
        rows[loss] = np.exp(np.mean(logs, axis=0)) if laws else np.nan
    typical = {path: np.full(len(rows), np.mean(weight)) for path, weight in weights.items()}
    return rows.assign(accuracy=pooled_std(predict(task, rows), typical)[0])


def pooled_std(predictions: PathPredictions, weights: Mapping[ForecastPath, Array]) -> tuple[Array, Array]:
    """Mean and standard deviation of the pool, (m,) each; paths without a weight do not count."""
    m = predictions.mean.shape[1]
    weight = np.array([weights.get(path, np.zeros(m)) for path in predictions.paths]) + 1e-12
    weight = weight / weight.sum(axis=0)
    mean = np.sum(weight * predictions.mean, axis=0)
    return mean, np.sqrt(np.sum(weight * (predictions.stderr**2 + (predictions.mean - mean) ** 2), axis=0))


def _gradient(law: Law, rows: pd.DataFrame) -> Array:
    """Derivative of the curve by the parameters, on the link scale, (m, p)."""
    x = rows[list(law.columns)].to_numpy(dtype=float)
    jac = law._jacobian(law.theta_, x)
    return np.asarray(jac / law._curve(law.theta_, x)[:, None] if law.log_link else jac)
