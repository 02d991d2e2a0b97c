"""Loss to accuracy on a ladder and on reference models of other families: one shape, an offset in the loss for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...fit.bootstrap import BootstrapResults
from ...fit.estimate import Fit
from ...fit.newton import Array, Problem
from ..base import Parameter, stack_jacobian
from ..candidate import CandidateLaw, Step
from ..registry import law
from .loss_sigmoid import NLLToAccuracy, Range, _free, _from_chance

# Prior of k * delta, the shift of a family's curve in log-odds at the same loss: normal around 0 with this standard
# deviation. A half is 12 points of accuracy in the middle of a curve from 0 to 1: a weak prior, which decides only
# where a family has one or two models. On the backtests of the over-training testbed
# (docs/methods/laws.md#reference-models) 0.25, 0.5, 1 and 2 differed by 0.01 points of mean miss with all models, and
# by 0.04 with two.
SHIFT_STD = 0.5
# Accuracy: the residual that the prior is weighed against, the over-dispersion of scores about a smooth curve.
RESIDUAL_STD = 0.015
PER_SHIFT = RESIDUAL_STD / SHIFT_STD
OFFSET_SEEDS = np.linspace(-0.6, 0.6, 13)  # in spans of the losses: where offsets are looked for first


class JoinedRows(NamedTuple):
    """A ladder's rows, then reference models: families (F,), X (n, 1 + F), accuracies (n,) and the runs (n,)."""

    families: tuple[str, ...]
    X: Array
    y: Array
    runs: NDArray[np.object_]


def join_references(own: pd.DataFrame, references: pd.DataFrame, loss: str) -> JoinedRows:
    """What a ``ReferenceSigmoid`` is fitted to.

    Parameters
    ----------
    own : DataFrame
        run, accuracy (a fraction) and ``loss``: runs or checkpoints of the ladder.
    references : DataFrame
        The same and family, a row per reference model; a row without an accuracy, or a loss above 0, is left out.
    loss : str
        The intermediate loss, in one unit everywhere.
    """
    usable = known_references(references, loss)
    families = tuple(dict.fromkeys(map(str, usable["family"])))
    marks = [np.append(np.zeros(len(own)), usable["family"].astype(str) == family) for family in families]
    both = pd.concat([own[["run", loss, "accuracy"]], usable[["run", loss, "accuracy"]]], ignore_index=True)
    runs = [*map(str, own["run"]), *(f"{f}: {run}" for f, run in zip(usable["family"], usable["run"], strict=True))]
    X = np.column_stack([both[loss].to_numpy(dtype=float), *marks])
    return JoinedRows(families, X, both["accuracy"].to_numpy(dtype=float), np.array(runs, dtype=object))


def known_references(references: pd.DataFrame, loss: str) -> pd.DataFrame:
    """Reference models with an accuracy and a loss above 0; no rows where the column is missing."""
    if loss not in references:
        return references[:0].assign(**{loss: np.nan})
    known = references.dropna(subset=[loss, "accuracy"])
    return known[known[loss] > 0]


class _OwnAndOffsets:
    """Parameters of an instance: those of the sigmoid, and an offset for each of its families."""

    shape = NLLToAccuracy.parameters

    def __get__(self, instance: ReferenceSigmoid | None, owner: type) -> tuple[Parameter, ...]:
        families = () if instance is None else instance.families
        return (*self.shape, *(Parameter(offset_name(family), "loss") for family in families))


def offset_name(family: str) -> str:
    """What the estimates call the offset of a family."""
    return f"delta[{family}]"


def _names(owner: str, name: str, value: Any) -> None:
    """Names of families, each once; raises ValueError for anything else."""
    fine = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    if not fine or len(set(value)) < len(value) or "loss" in value:
        raise ValueError(f"{owner}: {name} must be different names, none of them 'loss'; got {value!r}")


@law(
    CandidateLaw(
        name="sigmoid to 1, with references",
        step=Step.LOSS_TO_ACCURACY,
        rank=12,
        settings=_from_chance,
        structural_bounds=True,
        references=True,
    ),
    CandidateLaw(
        name="free sigmoid, with references",
        step=Step.LOSS_TO_ACCURACY,
        rank=22,
        settings=_free,
        references=True,
    ),
)
class ReferenceSigmoid(NLLToAccuracy):
    r"""Accuracy as a sigmoid of the loss, of a ladder and of reference models that were trained otherwise.

    .. math:: \mathrm{Acc}(L) = f + \frac{c - f}{1 + \exp(k\,(L + \delta_{\mathrm{family}} - L_0))}

    Floor, ceiling, slope and midpoint are shared; \delta is 0 for the ladder's own family. A weak normal prior holds
    k times \delta near 0: models of the same loss are taken to score alike until their scores say otherwise. It enters
    the fit as one observation a family, 0 of accuracy ``PER_SHIFT`` times k \delta, and costs no degree of freedom.

    Parameters
    ----------
    families : sequence of str
        Names of the reference families, F of them. ``X`` has a column of loss, and then one for each: 1 in the rows of
        the family's models, 0 elsewhere. In a DataFrame the columns are ``loss`` and the names of the families. One
        column alone is the ladder's own loss, so the law serves as the second of a ``Chain``.
    floor, ceiling, huber
        As in ``NLLToAccuracy``.

    References
    ----------
    Fitting on a ladder and on older models: Llama 3, arXiv 2407.21783, section 3.2.1. That training data decides
    where such a line lies, and size and architecture hardly: arXiv 2502.12120; hence an offset for each family.

    Examples
    --------
    Another family whose models score as the ladder's do at a loss that is larger by 0.05:

    >>> import numpy as np
    >>> loss = np.linspace(0.5, 1.4, 12)
    >>> other = np.repeat([0.0, 1.0], 6)[np.arange(12) % 2 * 6]
    >>> accuracy = 0.25 + 0.75 / (1 + np.exp(8 * (loss + 0.05 * other - 0.8)))
    >>> law = ReferenceSigmoid(["old"], floor=0.25, ceiling=1.0).fit(np.column_stack([loss, other]), accuracy)
    >>> print(f"{law.estimates_['delta[old]']:.2f}")
    0.05
    >>> print(law.predict([[0.8]]).round(2))
    [0.62]
    """

    parameters = _OwnAndOffsets()  # type: ignore[assignment]
    formula = 'op("Acc")(L) = f + (c - f) / (1 + exp(k (L + delta_"family" - L_0)))'
    source = "Llama 3 (arXiv 2407.21783), section 3.2.1; an offset per family: arXiv 2502.12120"
    constraints: ClassVar = {**NLLToAccuracy.constraints, "families": _names}

    def __init__(
        self,
        families: Sequence[str] = (),
        floor: Range = (0.0, 1.0),
        ceiling: Range = (0.0, 1.0),
        huber: float | None = None,
    ) -> None:
        super().__init__(floor, ceiling, huber)
        self.families = families

    def resample(self, X: ArrayLike | pd.DataFrame, y: ArrayLike, *args: Any, **more: Any) -> BootstrapResults:
        """As every law's; the prior stays as it is where whole runs or given counts are drawn."""
        if more.get("groups") is not None:
            more["groups"] = self._with_priors(np.asarray(more["groups"]))
        if more.get("counts") is not None:
            counts = np.asarray(more["counts"])
            more["counts"] = np.column_stack([counts, np.ones((len(counts), len(self.families)), dtype=counts.dtype)])
        return super().resample(X, y, *args, **more)

    # ---- inside ----

    def _curve(self, theta: Array, x: Array) -> Array:
        own, offset, shift = self._offsets(theta, x)
        return np.asarray(own * super()._curve(theta[:4], _at(x, offset)) + PER_SHIFT * np.exp(theta[2]) * shift)

    def _jacobian(self, theta: Array, x: Array) -> Array:
        own, offset, shift = self._offsets(theta, x)
        shape = own[..., None] * super()._jacobian(theta[:4], _at(x, offset))
        by_k = shape[..., 2] + PER_SHIFT * np.exp(theta[2]) * shift
        by_offset = (
            -shape[..., 3] * np.maximum(mark, 0.0) - PER_SHIFT * np.exp(theta[2]) * np.minimum(mark, 0.0)
            for mark in self._marks(x)
        )
        return stack_jacobian(shape[..., 0], shape[..., 1], by_k, shape[..., 3], *by_offset)

    def _bounds(self, y: Array) -> tuple[Array, Array]:
        low, high = super()._bounds(y)
        wide = np.full(len(self.families), 1e3)
        return np.append(low, -wide), np.append(high, wide)

    def _seeds(self, x: Array, y: Array, weight: Array) -> Array:
        """Seeds of the ladder's own rows and of all, each with the offsets of a grid that fit best."""
        own = np.all(x[:, 1:] == 0, axis=1)
        starts = [super()._seeds(x[:, :1], y, weight)]
        if self.families and own.sum() > 1:
            starts.append(super()._seeds(x[own, :1], y[own], weight[own]))
        shapes = np.concatenate(starts)
        span = max(float(np.ptp(x[:, 0])), 1e-3)
        offsets = [_best_offsets(shapes, x[rows, 0], y[rows], weight[rows], span) for rows in (x[:, 1:] > 0).T]
        return np.column_stack([shapes, *offsets])

    def _problem(self, x: Array, y: Array, weight: Array) -> Problem:
        """With one more row for each family, marked -1 in its column: the prior of its offset."""
        problem = super()._problem(x, y, weight)
        count = len(self.families)
        priors = np.column_stack([np.zeros(count), -np.eye(count)])
        return replace(
            problem,
            x=np.vstack([x, priors]),
            observed=np.append(problem.observed, np.zeros(count)),
            weight=np.append(weight, np.full(count, weight.mean() if len(weight) else 1.0)),
        )

    def _prepare(
        self, X: ArrayLike | pd.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[Problem, Array, NDArray[np.generic] | None]:
        problem, seeds, ids = super()._prepare(X, y, sample_weight, groups)
        return problem, seeds, None if ids is None else self._with_priors(ids)

    def _with_priors(self, groups: NDArray[np.generic]) -> NDArray[np.generic]:
        """Groups as numbers, with one of its own for every prior."""
        ids = np.unique(groups, return_inverse=True)[1]
        return np.append(ids, ids.max(initial=-1) + 1 + np.arange(len(self.families)))

    def _store(self, result: Fit, n: int) -> None:
        super()._store(result, n - len(self.families))

    def _inputs(self, x: Array) -> Array:
        super()._inputs(x)
        if x.shape[1] < 1 + len(self.families):
            raise ValueError(f"{type(self).__name__} needs a column of loss and one for each of {list(self.families)}.")
        marks = x[:, 1 : 1 + len(self.families)]
        if not np.isin(marks, (0.0, 1.0)).all() or np.any(marks.sum(axis=1) > 1):
            raise ValueError(f"{type(self).__name__}: after the loss, 1 in the column of a row's family, else 0.")
        return np.asarray(x[:, : 1 + len(self.families)])

    def _select(self, X: ArrayLike | pd.DataFrame) -> ArrayLike | pd.DataFrame:
        """One column of losses is the ladder's own: of no reference family."""
        if isinstance(X, pd.DataFrame) and "loss" in X:
            return X.reindex(columns=["loss", *self.families], fill_value=0.0)
        if self.families and np.ndim(X) == 2 and np.shape(X)[1] == 1:
            return np.column_stack([np.asarray(X, dtype=float), np.zeros((len(np.asarray(X)), len(self.families)))])
        return X

    def _marks(self, x: Array) -> list[Array]:
        return [x[:, 1 + j] for j in range(len(self.families))]

    def _offsets(self, theta: Array, x: Array) -> tuple[Array, Array, Array]:
        """Which rows are measurements (1) and not priors (0); their offset; and the offset that a prior is of."""
        own, offset, shift = np.ones_like(x[:, 0]), np.zeros_like(x[:, 0]), np.zeros_like(x[:, 0])
        for mark, delta in zip(self._marks(x), theta[4:], strict=True):
            own = own + np.minimum(mark, 0.0)
            offset = offset + np.maximum(mark, 0.0) * delta
            shift = shift - np.minimum(mark, 0.0) * delta
        return own, offset, shift


def _at(x: Array, offset: Array) -> Array:
    """Losses moved by their offsets, as the one column of inputs: (…, 1, n) or (n, 1)."""
    moved = x[:, 0] + offset
    return np.asarray(moved[:, None])


def _best_offsets(shapes: Array, loss: Array, y: Array, weight: Array, span: float) -> Array:
    """For every sigmoid (k, 4) the offset of a grid at which it fits a family's scores best, (k,)."""
    grid = OFFSET_SEEDS * span
    theta = shapes.T[:, :, None, None]
    curve = NLLToAccuracy._curve(NLLToAccuracy(), theta, (loss + grid[:, None])[:, None])
    costs = ((curve - y) ** 2) @ weight
    return np.asarray(grid[np.argmin(costs, axis=1)])
