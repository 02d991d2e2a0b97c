"""``DocumentForecaster``: a task's accuracy from its documents' curves over models, and one link to right or wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..fit import checks
from ..fit.errors import FitError
from ..fit.newton import Array
from .groups import Groups, clusters_of, factors_of
from .link import LinkPriors, fit_link
from .matrix import DocumentMatrix
from .surface import SlopePriors, fit_surfaces

FORMS = ("clusters", "factors")
FEWEST_RUNS = 2
FEWEST_CHECKPOINTS = 3


@dataclass(frozen=True, kw_only=True)
class DocumentConstants:
    """What a forecast from documents takes for granted; chosen on ladders' backtests, never on a target."""

    known_share: float = 0.5
    """A document known at a smaller share of the checkpoints is left out."""

    run_share: float = 0.5
    """Part of an accuracy's noise that a run's checkpoints share: c of them count for c / (1 + run_share (c - 1))."""

    documents: int = 1000
    """Documents that an accuracy is taken to count, at most: beyond, runs differ more than documents."""

    least_scatter: float = 0.004
    """Least standard deviation of a new accuracy around its curve."""

    agreement: float = 0.5
    """How far the errors of clusters are taken to agree, beyond what residuals show: 1 is wholly."""

    slopes: SlopePriors = field(default_factory=SlopePriors)
    link: LinkPriors = field(default_factory=LinkPriors)


class DocumentForecaster(BaseEstimator):
    """A task's accuracy, forecast document by document.

    Parameters
    ----------
    form : "clusters" or "factors"
        What the documents are told by: curves of clusters alike in level and slope, or of factors of the run x
        document table.
    clusters, rank : int
        At most so many clusters, or factors.
    use_margin : bool
        Whether margins are used where the matrix has them; else the gold answer's NLL.
    constants : DocumentConstants, optional

    Attributes
    ----------
    groups_, surfaces_, link_
        The documents' groups, the laws of their curves, and the link to accuracy.
    used_ : (k,) bool
        The documents that were used.

    Notes
    -----
    The curves follow Chinchilla's form in size and data with priors on its exponents, so that three runs suffice; the
    checkpoints of a run share an error. The standard error adds the laws', the link's, and the scatter of checkpoints
    around the link; it is of a measured score of the same documents.

    References
    ----------
    Clusters of documents by difficulty: arXiv 2502.17262. Why the wrong choices matter: arXiv 2406.04391. Item response
    laws: arXiv 2606.07616.
    """

    def __init__(
        self,
        form: str = "clusters",
        clusters: int = 12,
        rank: int = 3,
        use_margin: bool = True,
        constants: DocumentConstants | None = None,
    ) -> None:
        self.form = form
        self.clusters = clusters
        self.rank = rank
        self.use_margin = use_margin
        self.constants = constants

    def fit(self, matrix: DocumentMatrix, accuracy: ArrayLike, chance: float = 0.0) -> DocumentForecaster:
        """Fit to a ladder's checkpoints.

        Parameters
        ----------
        matrix : DocumentMatrix
            m checkpoints of the ladder.
        accuracy : (m,)
            The task's accuracy at each; NaN where it is not known.
        chance : float
            Score of guessing.

        Raises
        ------
        ValueError
            For an unknown form, a count below 1, a chance outside [0, 1), or an accuracy of another length.
        FitError
            Where fewer than two runs or three checkpoints have documents, or no accuracy is known.
        """
        self._check(matrix, chance)
        self._constants = self.constants or DocumentConstants()
        accuracy = np.asarray(accuracy, dtype=float)
        if accuracy.shape != (len(matrix.places),):
            raise ValueError(f"accuracy must have a value per checkpoint, {len(matrix.places)}; got {accuracy.shape}")
        margin = self.use_margin and matrix.margin is not None
        raw = matrix.margin if margin and matrix.margin is not None else matrix.nll
        rows: NDArray[np.bool_] = np.asarray(np.isfinite(raw).any(axis=1))
        places = matrix.places[rows].reset_index(drop=True)
        if places["run"].nunique() < FEWEST_RUNS or len(places) < FEWEST_CHECKPOINTS:
            raise FitError(
                f"documents of at least {FEWEST_RUNS} runs and {FEWEST_CHECKPOINTS} checkpoints are needed; "
                f"there are {places['run'].nunique()} and {len(places)}"
            )
        values, self.used_ = _filled(raw[rows], self._constants.known_share)
        self._sign = -1.0 if margin else 1.0
        lowest = -np.inf if margin else 0.0
        self.groups_: Groups = (
            factors_of(values, self.rank, lowest)
            if self.form == "factors"
            else clusters_of(values, self.clusters, lowest)
        )
        self.surfaces_ = fit_surfaces(places, self.groups_.curves, self._constants.slopes)
        self._fit_link(matrix, rows, places, accuracy[rows], chance, margin)
        return self

    def predict(self, targets: pd.DataFrame) -> tuple[Array, Array]:
        """Accuracy (t,) of models with columns params and tokens, and its standard error (t,)."""
        curves, std = self._curves(targets)
        levels, shares = self.groups_.cells(curves)
        mean, slopes, link_error = self.link_.accuracy(levels, shares)
        slopes = self.groups_.gradient(curves, slopes) * std
        correlation = self.surfaces_.correlation
        if self.groups_.alike:
            agreement = self._constants.agreement
            correlation = agreement + (1 - agreement) * correlation
        law_error = np.einsum("tr,rs,ts->t", slopes, correlation, slopes)
        scatter = max(self.link_.scatter, self._constants.least_scatter)
        return mean, np.sqrt(np.maximum(law_error, 0.0) + link_error**2 + scatter**2)

    def document_probabilities(self, targets: pd.DataFrame) -> Array:
        """Probability that each document is answered right, (t, k); NaN for a document that was not used."""
        curves, _ = self._curves(targets)
        out = np.full((len(targets), len(self.used_)), np.nan)
        out[:, self.used_] = self.link_.probability(self.groups_.levels(curves))
        return out

    def _check(self, matrix: DocumentMatrix, chance: float) -> None:
        if self.form not in FORMS:
            raise ValueError(f"form must be one of {', '.join(FORMS)}; got {self.form!r}")
        if not isinstance(matrix, DocumentMatrix):
            raise ValueError(f"matrix must be a DocumentMatrix; got {type(matrix).__name__}")
        checks.count("clusters", self.clusters)
        checks.count("rank", self.rank)
        checks.fraction(type(self).__name__, "chance", chance)

    def _curves(self, targets: pd.DataFrame) -> tuple[Array, Array]:
        check_is_fitted(self)
        models = targets[["params", "tokens"]].to_numpy(dtype=float)
        return self.surfaces_.predict(models[:, 0], models[:, 1])

    def _fit_link(
        self,
        matrix: DocumentMatrix,
        rows: NDArray[np.bool_],
        places: pd.DataFrame,
        accuracy: Array,
        chance: float,
        margin: bool,
    ) -> None:
        """To which documents were right, where that is known; else to how many."""
        constants = self._constants
        per_run = places.groupby("run")["run"].transform("size").to_numpy(dtype=float)
        worth = min(len(self.used_), constants.documents) / (1 + constants.run_share * (per_run - 1))
        right: Array = accuracy
        asked = np.isfinite(matrix.nll[rows][:, self.used_]).all()  # what was not asked was not answered wrong
        if asked and matrix.correct is not None:
            right = matrix.correct[rows][:, self.used_].astype(float)
        elif asked and margin and matrix.margin is not None:
            right = (matrix.margin[rows][:, self.used_] > 0).astype(float)
        cells = self.groups_.observed(worth, right)
        if right.ndim == 1:
            known = np.isfinite(accuracy)
            if not known.any():
                raise FitError("no checkpoint with documents has an accuracy")
            cells = type(cells)(
                levels=cells.levels[known], shares=cells.shares, right=accuracy[known], worth=worth[known]
            )
        # Where the wrong choices are in the level, a hopeless document is not guessed right.
        self.link_ = fit_link(cells, 0.0 if margin else chance, self._sign, constants.link)


def _filled(values: NDArray[Any], known_share: float) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The documents known often enough, with the gaps filled by document mean plus checkpoint offset; and which."""
    known = np.isfinite(values)
    if known.all():
        return values, np.ones(values.shape[1], dtype=bool)
    used = known.mean(axis=0) >= known_share
    if not used.any():
        raise FitError("no document is known at half of the checkpoints")
    values, known = values[:, used], known[:, used]
    document = np.nanmean(values, axis=0, dtype=float)
    apart = np.where(known, values - document, 0.0)
    offset = apart.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known, values, document + offset[:, None]).astype(values.dtype), used
