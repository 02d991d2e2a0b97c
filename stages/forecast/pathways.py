"""The forms a forecast may take: which law for each step, through which middle quantity.

No form is right on every suite: on one testbed a sigmoid that is pinned to a ceiling of 1 is best and a free ceiling
worst, on another the reverse. So none is chosen here; ``pooling`` weighs them by the ladder's own backtest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.estimate import FitStatus
from ..fit.newton import Array
from ..laws.base import Law
from ..laws.candidate import CandidateLaw
from .candidates import DIRECT, FIRST, SECOND
from .chain import SCORE_STD_CAP, LossDistribution, compose, loss_distribution
from .fit_many import Request, fit_many

Name = tuple[str, str, str]  # of a fit: step, middle quantity, candidate
ONE_STEP = "one step"
CARRY = "largest carried forward"
PATH_QUANTILES = 9  # equally likely losses that a path's second law is evaluated at
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ForecastPath:
    """A way to the forecast: ``middle`` quantity, law to it, law from it. One-step forms have no middle."""

    intermediate_loss: str
    first: str
    second: str = ""

    @property
    def name(self) -> str:
        """As the report prints it."""
        return " → ".join(
            part for part in (self.first, self.intermediate_loss, self.second) if part and part != ONE_STEP
        )


@dataclass(frozen=True)
class PathPredictions:
    """What k forms say at m targets: plug-in forecast and standard error of a new observation, (k, m).

    ``at_bound`` (k,) says of which form a law ran into a bound that is no part of the form.
    """

    paths: tuple[ForecastPath, ...]
    mean: Array
    stderr: Array
    at_bound: NDArray[np.bool_]


@dataclass
class TaskData:
    """What a form is fitted on, for one task.

    Attributes
    ----------
    finals : DataFrame
        A row per run: run, params, tokens, flops, token_multiplier, accuracy, and the middle quantities.
    checkpoints : DataFrame, optional
        More (middle, accuracy) points of the same runs for the second step.
    chance : float
        Score of guessing.
    extended : bool
        Whether the ``wide`` candidates are tried too.
    """

    finals: pd.DataFrame
    chance: float = 0.0
    checkpoints: pd.DataFrame | None = None
    extended: bool = False


@dataclass(frozen=True)
class Question:
    """A question to a ladder: the accuracy at ``X`` (m rows, with the columns of all first laws)."""

    ladder: TaskData
    middles: Sequence[str]
    X: pd.DataFrame


def predict(ladder: TaskData, middles: Sequence[str], X: pd.DataFrame) -> PathPredictions:
    """Fit every form that the data can carry, and predict the accuracy at ``X`` (columns of all first laws).

    A form whose law has no degree of freedom left, or could not be fitted, is left out.
    """
    return predict_all([Question(ladder, middles, X)])[0]


def predict_all(cases: Sequence[Question]) -> list[PathPredictions]:
    """Answer many questions, with the fits of all of them made together: the same answers in less time."""
    wanted = [_requests(case.ladder, case.middles) for case in cases]
    # Tasks share what is not their own, such as a law of a validation loss; two questions to one ladder share all.
    unique: dict[Any, Request] = {}
    keys = [{name: _content(r) for name, r in requests.items()} for requests in wanted]
    for requests, named in zip(wanted, keys, strict=True):
        for name, key in named.items():
            unique.setdefault(key, requests[name])
    failures = fit_many(list(unique.values()))
    laws = {
        key: r.law
        for (key, r), failure in zip(unique.items(), failures, strict=True)
        if failure is None and r.law.status_ != FitStatus.ABNORMAL
    }
    fitted = [{name: laws[key] for name, key in named.items() if key in laws} for named in keys]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what is not finite counts as not known
        return [_predictions(case, mine) for case, mine in zip(cases, fitted, strict=True)]


def first_laws(finals: pd.DataFrame, middle: str) -> dict[str, Law]:
    """The laws to a middle quantity that could be fitted to a ladder's final rows, by name."""
    rows = _known(finals, middle)
    wanted = {name: r for name, step in FIRST.items() if not step.extended and (r := _request(step, 0.0, rows, middle))}
    failures = fit_many(list(wanted.values()))
    return {
        n: r.law
        for (n, r), failure in zip(wanted.items(), failures, strict=True)
        if failure is None and r.law.status_ != FitStatus.ABNORMAL
    }


def _content(request: Request) -> tuple[object, ...]:
    """All that a fit depends on."""
    arrays = (b"" if a is None else a.tobytes() for a in (request.X, request.y, request.sample_weight))
    groups = None if request.groups is None else tuple(request.groups)
    return (type(request.law), repr(request.law.get_params()), groups, *arrays)


def _predictions(case: Question, laws: Mapping[Name, Law]) -> PathPredictions:
    found: dict[ForecastPath, tuple[Array, Array]] = {}
    bound: dict[ForecastPath, bool] = {}
    for middle in case.middles:
        firsts = {name: law for (step, of, name), law in laws.items() if step == "first" and of == middle}
        seconds = {name: law for (step, of, name), law in laws.items() if step == "second" and of == middle}
        losses = {name: _losses_at(law, case.X) for name, law in firsts.items()}
        for second, law in seconds.items():
            for first, (loss, known) in losses.items():
                if FIRST[first].extended and SECOND[second].extended:
                    continue  # one departure at a time
                form = ForecastPath(middle, first, second)
                found[form] = _chained(loss, known, law, SECOND[second].of_error)
                bound[form] = _warns(FIRST[first], firsts[first]) or _warns(SECOND[second], law)
    for name, law in ((name, law) for (step, _, name), law in laws.items() if step == "direct"):
        form = ForecastPath(ONE_STEP, name)
        found[form], bound[form] = _direct(law, case.X, DIRECT[name].of_error), _warns(DIRECT[name], law)
    rows = _scored(case.ladder)
    if len(rows):
        carried = np.full(len(case.X), float(rows["accuracy"].iloc[-1]))
        found[ForecastPath(ONE_STEP, CARRY)] = (carried, np.zeros(len(case.X)))
    forms = tuple(found)
    mean, stderr = (np.array([found[f][i] for f in forms]) for i in (0, 1))
    return PathPredictions(forms, mean, stderr, np.array([bound.get(f, False) for f in forms]))


def _warns(step: CandidateLaw, law: Law) -> bool:
    return law.status_ == FitStatus.BOUND_HIT and not step.structural_bounds


def _known(finals: pd.DataFrame, middle: str) -> pd.DataFrame:
    if middle not in finals:
        return finals[:0]
    rows = finals.dropna(subset=[middle, "accuracy"])
    return rows[rows[middle] > 0]


def _scored(ladder: TaskData) -> pd.DataFrame:
    return ladder.finals.dropna(subset=["accuracy"]).sort_values("flops", kind="stable")


def _requests(ladder: TaskData, middles: Sequence[str]) -> dict[Name, Request]:
    """The fits that the forms need, those that the data can carry."""
    found: dict[Name, Request | None] = {}
    for middle in middles:
        rows = _known(ladder.finals, middle)
        for name, step in FIRST.items():
            if ladder.extended or not step.extended:
                found["first", middle, name] = _request(step, 0.0, rows, middle)
        for name, step in SECOND.items():
            if ladder.extended or not step.extended:
                found["second", middle, name] = _second_request(step, ladder, rows, middle)
    rows = _scored(ladder)
    if len(rows):
        floor = min(ladder.chance, max(0.0, float(rows["accuracy"].min()) - 0.005))
        for name, step in DIRECT.items():
            if ladder.extended or not step.extended:
                found["direct", "", name] = _request(step, floor, rows, "accuracy")
    return {name: r for name, r in found.items() if r is not None}


def _request(step: CandidateLaw, floor: float, rows: pd.DataFrame, column: str) -> Request | None:
    """A law of the runs' budgets, to a column of a ladder; None with too few runs."""
    law, part = step.make(floor), step.window(rows)
    if len(part) <= len(law.parameters) + 1:
        return None
    y = part[column].to_numpy(dtype=float)
    weight = step.weigh(part["flops"].to_numpy(dtype=float), part["accuracy"].to_numpy(dtype=float))
    return Request(law, part[list(law.columns)].to_numpy(dtype=float), 1 - y if step.of_error else y, weight)


def _second_request(step: CandidateLaw, ladder: TaskData, rows: pd.DataFrame, middle: str) -> Request | None:
    """A law of the middle quantity, to accuracy, from the checkpoints where there are any."""
    law, runs, cloud = step.make(ladder.chance), step.window(rows), ladder.checkpoints
    if len(runs) <= len(law.parameters):
        return None
    if cloud is None or middle not in cloud:
        if step.final_checkpoints_only:
            return None  # there is nothing else
        cloud = rows
    points = rows if step.final_checkpoints_only else cloud
    part = points[points["run"].isin(runs["run"])].dropna(subset=[middle, "accuracy"])
    y = part["accuracy"].to_numpy(dtype=float)
    weight = None
    if step.weights != "equal":
        weight = step.weigh(part["run"].map(rows.set_index("run")["flops"]).to_numpy(dtype=float), y)
    groups = part["run"].to_numpy() if len(part) > len(runs) else None
    return Request(law, part[[middle]].to_numpy(dtype=float), 1 - y if step.of_error else y, weight, groups)


def _direct(law: Law, X: pd.DataFrame, error: bool) -> tuple[Array, Array]:
    """A one-step law's forecast and standard error; NaN where its inputs are not known."""
    inputs, known = _known_inputs(law, X)
    mean, stderr = np.full(len(X), np.nan), np.full(len(X), np.nan)
    if known.any():
        curve = law.predict(inputs)
        mean[known] = np.clip(1 - curve if error else curve, 0.0, 1.0)
        std = law.predict_distribution(inputs).std
        stderr[known] = np.minimum(np.nan_to_num(std, nan=SCORE_STD_CAP, posinf=SCORE_STD_CAP), SCORE_STD_CAP)
    return mean, stderr


def _known_inputs(law: Law, X: pd.DataFrame) -> tuple[Array, Mask]:
    """A law's inputs at the targets where all of them are known, and where that is, (m,)."""
    inputs = X[list(law.columns)].to_numpy(dtype=float)
    known = np.isfinite(inputs).all(axis=1)
    return inputs[known], known


def _losses_at(first: Law, X: pd.DataFrame) -> tuple[LossDistribution | None, Mask]:
    """A first law's losses at the targets whose inputs are known, and where that is; None: nowhere."""
    inputs, known = _known_inputs(first, X)
    return (loss_distribution(first, inputs, PATH_QUANTILES) if known.any() else None), known


def _chained(losses: LossDistribution | None, known: Mask, second: Law, error: bool) -> tuple[Array, Array]:
    """Plug-in forecast and standard error: the second law over equally likely losses of the first; NaN: unknown."""
    mean, stderr = np.full(len(known), np.nan), np.full(len(known), np.nan)
    if losses is not None:
        curve, mixture = compose(losses, second)
        score = np.clip(curve, 0.0, 1.0)
        mean[known] = 1 - score if error else score
        stderr[known] = mixture.moment_std()
    return mean, stderr
