"""The paths a forecast may take: which law for each step, through which intermediate loss.

No path is right on every suite: on one testbed a sigmoid that is pinned to a ceiling of 1 is best and a free ceiling
worst, on another the reverse. So none is chosen here; ``pooling`` weighs them by the ladder's own backtest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..fit.estimate import FitStatus
from ..fit.newton import Array
from ..laws.accuracy.reference_sigmoid import join_references
from ..laws.base import Law
from ..laws.candidate import CandidateLaw, Step
from ..laws.registry import candidates
from .chain import SCORE_STD_CAP, LossDistribution, compose, loss_distribution
from .fit_many import Request, fit_many
from .forms.form import FittedForm, Form
from .forms.registry import FORMS, FittedForms, fit_others, fit_shared
from .task_data import TaskData

# The candidates by name, as the laws declare them. The default set lowers the mean miss in the backtests of four
# ladders together (two data mixes of the over-training testbed, the model ladder's, our own); no target was looked
# at. Those marked ``extended`` do not, or help some ladders and hurt others (docs/methods/auto.md has the table): they
# are there for who wants a wider fan of laws.
FIRST: Mapping[str, CandidateLaw] = candidates(Step.BUDGET_TO_LOSS)
SECOND: Mapping[str, CandidateLaw] = candidates(Step.LOSS_TO_ACCURACY)
DIRECT: Mapping[str, CandidateLaw] = candidates(Step.BUDGET_TO_ACCURACY)
ONE_STEP = "one step"
CARRY = "largest carried forward"
PATH_QUANTILES = 9  # equally likely losses that a path's second law is evaluated at
BELOW_LOWEST = 0.005  # accuracy: a one-step law's floor is at least this far below the lowest score
NEEDED = ("run", "model", "params", "tokens", "flops", "token_multiplier", "accuracy")  # of a ladder, to fit a law
INPUTS = ("params", "tokens", "flops", "token_multiplier")  # of laws
Columns = Mapping[str, Array]
Mask = NDArray[np.bool_]
K = TypeVar("K")
# Rows for several laws, and their columns: taken anew for each law they cost more than its fit.
_Taken = dict[tuple[bool, int], tuple[pd.DataFrame, Mapping[str, NDArray[Any]]]]
logger = logging.getLogger(__name__)


class FitName(NamedTuple):
    """A fit of one task: "first", "second" or "direct" step, the intermediate loss, and the candidate's name."""

    step: str
    intermediate_loss: str
    candidate: str

    def __str__(self) -> str:
        between = {"first": " to ", "second": " from ", "direct": ""}[self.step]
        return f"{self.candidate}{between}{self.intermediate_loss}"


@dataclass(frozen=True)
class ForecastPath:
    """A way to the forecast: the law to ``intermediate_loss``, that loss, the law from it.

    One-step paths have no loss: theirs is ``ONE_STEP``, and their one law is ``first``.
    """

    intermediate_loss: str
    first: str
    second: str = ""

    @property
    def form(self) -> Form | None:
        """The form that this path is; None of a path of laws."""
        return FORMS.get(self.first) if self.intermediate_loss == ONE_STEP else None

    @property
    def name(self) -> str:
        """As the report prints it."""
        return " → ".join(
            part for part in (self.first, self.intermediate_loss, self.second) if part and part != ONE_STEP
        )


@dataclass(frozen=True, kw_only=True)
class PathPredictions:
    """What k paths predict at m targets: plug-in forecast, and standard error of a new observation, (k, m).

    ``at_bound`` (k,) says of which path a law ran into a bound that is no part of the path.
    """

    paths: tuple[ForecastPath, ...]
    mean: Array
    stderr: Array
    at_bound: Mask


@dataclass(frozen=True)
class Question:
    """A question to one task: its accuracy at ``X`` (m rows, with the columns of all first laws)."""

    task: TaskData
    X: pd.DataFrame


class DroppedFit(NamedTuple):
    """Why a fit is not used, and whether the law refused the data: else its search ended at no optimum."""

    reason: str
    refused: bool

    def __str__(self) -> str:
        return self.reason


class _Laws(NamedTuple):
    """A path with its fitted laws; a one-step path has no second."""

    path: ForecastPath
    first: Law
    second: Law | None


@dataclass(frozen=True, kw_only=True)
class FittedPaths:
    """All paths that one task's data can carry, fitted.

    Attributes
    ----------
    laws : mapping of FitName to Law
    carried : float or None
        Accuracy of the largest run, which "no change" carries forward; None where no run has one.
    dropped : mapping of FitName to DroppedFit
        The fits that were tried and are not used.
    forms : mapping of name to FittedForm
    """

    loss_names: tuple[str, ...]
    laws: Mapping[FitName, Law]
    carried: float | None
    dropped: Mapping[FitName, DroppedFit] = field(default_factory=dict)
    forms: Mapping[str, FittedForm] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[ForecastPath, ...]:
        """In the order of ``predict``."""
        carry = () if self.carried is None else (ForecastPath(ONE_STEP, CARRY),)
        forms = (ForecastPath(ONE_STEP, name) for name in self.forms)
        return (*(each.path for each in self._laws()), *forms, *carry)

    def predict(self, X: pd.DataFrame) -> PathPredictions:
        """The accuracy at ``X`` (m rows, columns of all first laws) by every path; what is not finite is not known."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            mean, stderr = self._predictions(X)
        at_bound = [_warns(each) for each in self._laws()]
        at_bound += [False] * (len(self.forms) + (self.carried is not None))
        return PathPredictions(paths=self.paths, mean=mean, stderr=stderr, at_bound=np.array(at_bound, dtype=bool))

    def _laws(self) -> Iterator[_Laws]:
        for loss in self.loss_names:
            firsts, seconds = self._of("first", loss), self._of("second", loss)
            for second, after in seconds.items():
                for first, law in firsts.items():
                    if FIRST[first].extended and SECOND[second].extended:
                        continue  # one departure at a time
                    yield _Laws(ForecastPath(loss, first, second), law, after)
        for name, law in self._of("direct", "").items():
            yield _Laws(ForecastPath(ONE_STEP, name), law, None)

    def _of(self, step: str, loss: str) -> dict[str, Law]:
        return {f.candidate: law for f, law in self.laws.items() if f.step == step and f.intermediate_loss == loss}

    def _predictions(self, X: pd.DataFrame) -> tuple[Array, Array]:
        """Forecasts and standard errors, (k, m) each."""
        losses: dict[tuple[str, str], tuple[LossDistribution | None, Mask]] = {}
        predictions: list[tuple[Array, Array]] = []
        columns = _columns(X)
        for path, first, second in self._laws():
            if second is None:
                predictions.append(_direct(first, columns, DIRECT[path.first].of_error))
                continue
            key = (path.intermediate_loss, path.first)
            if key not in losses:
                losses[key] = _losses_at(first, columns)
            predictions.append(_chained(*losses[key], second, SECOND[path.second].of_error))
        predictions += [form.predict(X) for form in self.forms.values()]
        if self.carried is not None:
            predictions.append((np.full(len(X), self.carried), np.zeros(len(X))))
        return np.array([mean for mean, _ in predictions]), np.array([stderr for _, stderr in predictions])


def fit_paths(tasks: Sequence[TaskData], shared: Sequence[FittedForms] | None = None) -> list[FittedPaths]:
    """Fit every path that the data can carry, all tasks together: the same fits as one by one, in less time.

    A law that has no degree of freedom left is not tried. One that could not be fitted is among the ``dropped``.
    ``shared`` are the forms that were fitted to more tasks than these; by default they are fitted to these.
    """
    forms = fit_others(tasks, fit_shared(tasks) if shared is None else shared)
    wanted = [_requests(task) for task in tasks]
    # Tasks share what is not their own, such as a law of a validation loss.
    unique: dict[Any, Request] = {}
    keys = [{name: _content(r) for name, r in requests.items()} for requests in wanted]
    for requests, named in zip(wanted, keys, strict=True):
        for name, key in named.items():
            unique.setdefault(key, requests[name])
    laws, dropped = _fits(unique)
    fitted = []
    for i, (task, named) in enumerate(zip(tasks, keys, strict=True)):
        scored = _scored(task)
        missing = {name: dropped[key] for name, key in named.items() if key in dropped}
        for name, why in missing.items():
            logger.debug("%s, %d runs: not used, %s", name, len(scored), why)
        fitted.append(
            FittedPaths(
                loss_names=task.loss_names,
                laws={name: laws[key] for name, key in named.items() if key in laws},
                carried=float(scored["accuracy"].iloc[-1]) if len(scored) else None,
                dropped=missing,
                forms=forms[i],
            )
        )
    return fitted


def predict(task: TaskData, X: pd.DataFrame) -> PathPredictions:
    """Fit every path that the data can carry, and predict the accuracy at ``X`` (columns of all first laws)."""
    return fit_paths([task])[0].predict(X)


def predict_all(questions: Sequence[Question]) -> list[PathPredictions]:
    """Answer many questions, with the fits of all of them made together: the same answers in less time."""
    tasks = [question.task for question in questions]
    fitted = fit_paths(tasks, fit_shared(tasks, [f"question {i}" for i in range(len(tasks))]))
    return [paths.predict(question.X) for paths, question in zip(fitted, questions, strict=True)]


def first_laws(finals: pd.DataFrame, loss_name: str) -> dict[str, Law]:
    """The laws to an intermediate loss that could be fitted to a ladder's final rows, by name."""
    rows = _known(finals, loss_name)
    tried = {name: candidate for name, candidate in FIRST.items() if not candidate.extended}
    wanted = {n: r for n, c in tried.items() if (r := _request(c, 0.0, rows, loss_name, _columns(rows)))}
    return _fits(wanted)[0]


def _fits(requests: Mapping[K, Request]) -> tuple[dict[K, Law], dict[K, DroppedFit]]:
    """The laws that could be fitted, and why the others could not."""
    laws, dropped = {}, {}
    for (key, request), failure in zip(requests.items(), fit_many(list(requests.values())), strict=True):
        if failure is not None:
            dropped[key] = DroppedFit(str(failure), refused=True)
        elif request.law.status_ == FitStatus.ABNORMAL:
            dropped[key] = DroppedFit("the search ended at no optimum", refused=False)
        else:
            laws[key] = request.law
    return laws, dropped


def _content(request: Request) -> tuple[object, ...]:
    """All that a fit depends on."""
    arrays = (b"" if a is None else a.tobytes() for a in (request.X, request.y, request.sample_weight))
    groups = None if request.groups is None else tuple(request.groups)
    return (type(request.law), repr(request.law.get_params()), groups, *arrays)


def _warns(laws: _Laws) -> bool:
    path, first, second = laws
    if second is None:
        return _bound_hit(DIRECT[path.first], first)
    return _bound_hit(FIRST[path.first], first) or _bound_hit(SECOND[path.second], second)


def _bound_hit(candidate: CandidateLaw, law: Law) -> bool:
    return law.status_ == FitStatus.BOUND_HIT and not candidate.structural_bounds


def _known(finals: pd.DataFrame, loss_name: str) -> pd.DataFrame:
    if loss_name not in finals:
        return finals[:0]
    keep = finals[loss_name].gt(0) & finals["accuracy"].notna()
    return finals.loc[keep, [*(name for name in NEEDED if name in finals), loss_name]]


def _scored(task: TaskData) -> pd.DataFrame:
    return task.finals.dropna(subset=["accuracy"]).sort_values("flops", kind="stable")


def _requests(task: TaskData) -> dict[FitName, Request]:
    """The fits that the paths need, those that the data can carry."""
    requests: dict[FitName, Request | None] = {}
    for loss in task.loss_names:
        rows = _known(task.finals, loss)
        inputs = _columns(rows)
        for name, candidate in _tried(FIRST, task):
            requests[FitName("first", loss, name)] = _request(candidate, 0.0, rows, loss, inputs)
        taken: _Taken = {}
        for name, candidate in _tried(SECOND, task):
            requests[FitName("second", loss, name)] = _second_request(candidate, task, rows, loss, taken)
    rows = _scored(task)
    if len(rows):
        floor = min(task.chance, max(0.0, float(rows["accuracy"].min()) - BELOW_LOWEST))
        inputs = _columns(rows)
        for name, candidate in _tried(DIRECT, task):
            requests[FitName("direct", "", name)] = _request(candidate, floor, rows, "accuracy", inputs)
    return {name: r for name, r in requests.items() if r is not None}


def _tried(of_step: Mapping[str, CandidateLaw], task: TaskData) -> list[tuple[str, CandidateLaw]]:
    known = task.references is not None
    wanted = {n: each for n, each in of_step.items() if (task.extended or not each.extended)}
    wanted = {n: each for n, each in wanted.items() if task.zero_chance or not each.zero_chance}
    return [(name, each) for name, each in wanted.items() if known or not each.references]


def _request(candidate: CandidateLaw, floor: float, rows: pd.DataFrame, column: str, inputs: Columns) -> Request | None:
    """A law of the runs' budgets, to a column of a ladder; ``inputs`` are those of all rows. None with too few runs."""
    law, part = candidate.make(floor), candidate.window(rows)
    if len(part) <= len(law.parameters) + 1:
        return None
    y, given = part[column].to_numpy(dtype=float), inputs if part is rows else _columns(part)
    weight = candidate.weigh(given["flops"], part["accuracy"].to_numpy(dtype=float))
    return Request(law, _inputs(law, given), 1 - y if candidate.of_error else y, weight)


def _second_request(
    candidate: CandidateLaw, task: TaskData, rows: pd.DataFrame, loss_name: str, taken: _Taken
) -> Request | None:
    """A law of the intermediate loss, to accuracy, from the checkpoints where there are any."""
    law, runs, cloud = candidate.make(task.chance), candidate.window(rows), task.checkpoints
    if len(runs) <= len(law.parameters):
        return None
    if cloud is None or loss_name not in cloud:
        if candidate.final_checkpoints_only:
            return None  # there is nothing else
        cloud = rows
    points = rows if candidate.final_checkpoints_only else cloud
    which = (points is rows, len(runs))  # a window is the last so many runs
    if which not in taken:
        seen = points.dropna(subset=[loss_name, "accuracy"])
        seen = seen if points is runs else seen[seen["run"].isin(runs["run"])]
        kept = {"run", "model", "accuracy", loss_name}.intersection(seen)
        taken[which] = seen, {name: seen[name].to_numpy() for name in kept}
    part, columns = taken[which]
    y = columns["accuracy"].astype(float)
    weight = None
    if candidate.weights != "equal":
        weight = candidate.weigh(part["run"].map(rows.set_index("run")["flops"]).to_numpy(dtype=float), y)
    if candidate.references and task.references is not None:
        joined = join_references(part, task.references, loss_name)
        return Request(law.set_params(families=joined.families), *joined[1:3], None, joined.runs) if joined[0] else None
    groups = columns.get("model", columns["run"] if len(part) > len(runs) else None)
    return Request(law, columns[loss_name].astype(float)[:, None], 1 - y if candidate.of_error else y, weight, groups)


def _columns(rows: pd.DataFrame) -> Columns:
    """The inputs of laws as arrays: of a table they would be taken thousands of times."""
    return {name: rows[name].to_numpy(dtype=float) for name in INPUTS if name in rows}


def _inputs(law: Law, columns: Columns) -> Array:
    return np.column_stack([columns[name] for name in law.columns])


def _known_inputs(law: Law, X: Columns) -> tuple[Array, Mask]:
    """A law's inputs at the targets where all of them are known, and where that is, (m,)."""
    inputs = _inputs(law, X)
    known = np.asarray(np.isfinite(inputs).all(axis=1), dtype=bool)
    return inputs[known], known


def _direct(law: Law, X: Columns, of_error: bool) -> tuple[Array, Array]:
    """A one-step law's forecast and standard error; NaN where its inputs are not known."""
    inputs, known = _known_inputs(law, X)
    mean, stderr = np.full(len(known), np.nan), np.full(len(known), np.nan)
    if known.any():
        curve = law.predict(inputs)
        mean[known] = np.clip(1 - curve if of_error else curve, 0.0, 1.0)
        std = law.predict_distribution(inputs).std
        stderr[known] = np.minimum(np.nan_to_num(std, nan=SCORE_STD_CAP, posinf=SCORE_STD_CAP), SCORE_STD_CAP)
    return mean, stderr


def _losses_at(first: Law, X: Columns) -> tuple[LossDistribution | None, Mask]:
    """A first law's losses at the targets whose inputs are known, and where that is; None: nowhere."""
    inputs, known = _known_inputs(first, X)
    return (loss_distribution(first, inputs, PATH_QUANTILES) if known.any() else None), known


def _chained(losses: LossDistribution | None, known: Mask, second: Law, of_error: bool) -> tuple[Array, Array]:
    """Plug-in forecast and standard error: the second law over equally likely losses of the first; NaN: unknown."""
    mean, stderr = np.full(len(known), np.nan), np.full(len(known), np.nan)
    if losses is not None:
        curve, mixture = compose(losses, second)
        score = np.clip(curve, 0.0, 1.0)
        mean[known] = 1 - score if of_error else score
        stderr[known] = mixture.moment_std()
    return mean, stderr
