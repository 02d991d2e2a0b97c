"""The second law of a chain, loss to accuracy, on the ladder's rows and on the reference models that may enter."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from benchcast.reports.records.forecast import PanelPoint
from benchcast.stages.laws.accuracy.loss_sigmoid import NLLToAccuracy
from benchcast.stages.laws.accuracy.reference_sigmoid import ReferenceSigmoid, join_references, offset_name
from benchcast.stages.notices import Notice

from ..job import Job
from ..references import admitted
from .base import FittedOn
from .figures import points

OFFSET = ".3f"  # of a legend: thousandths of a nat or a bit


@dataclass(frozen=True, kw_only=True)
class EnteredReferences:
    """What is to be said of the reference models of a fit, and where they lie in its panel."""

    notices: list[Notice] = field(default_factory=list)
    points: list[PanelPoint] = field(default_factory=list)


def fit_second(
    job: Job, unfitted: NLLToAccuracy, rows: pd.DataFrame, loss: str, *, grouped: bool = False
) -> tuple[NLLToAccuracy, FittedOn, EnteredReferences]:
    """Fit the sigmoid on the ladder's ``rows`` (run, accuracy and ``loss``), and on the job's reference models.

    With reference models it has an offset for each of their families, with the bounds of ``unfitted``; ``grouped``:
    rows of one run are its checkpoints. Reference models are drawn where the law sees them: at their loss plus the
    offset of their family.

    Raises
    ------
    FitError
        As the law's ``fit`` does.
    """
    references, notices = admitted(job, loss)
    if references is None:
        fitted_on = FittedOn.of(rows, [loss], "accuracy")
        fitted = unfitted.fit(fitted_on.X, fitted_on.y, groups=rows["run"] if grouped else None)
        return fitted, fitted_on, EnteredReferences(notices=notices)
    joined = join_references(rows, references, loss)
    law = ReferenceSigmoid(joined.families, unfitted.floor, unfitted.ceiling, unfitted.huber)
    law.fit(joined.X, joined.y, groups=joined.runs)
    offsets = {family: law.estimates_[offset_name(family)] for family in joined.families}
    shift = references["family"].map(offsets)
    words = {family: f"reference: {family}, loss moved by {_signed(offset)}" for family, offset in offsets.items()}
    moved = references.assign(**{loss: references[loss] + shift})
    marks = [
        point.model_copy(update={"group": words[str(family)]})
        for family, own in moved.groupby("family", sort=False)
        for point in points(own, loss, "accuracy", "reference")
    ]
    fitted_on = FittedOn(X=joined.X, y=joined.y, runs=list(joined.runs))
    return law, fitted_on, EnteredReferences(notices=notices, points=marks)


def _signed(offset: float) -> str:
    """An offset with its sign, for a legend."""
    return f"{offset:+{OFFSET}}".replace("-", "−")
