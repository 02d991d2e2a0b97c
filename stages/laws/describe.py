"""A fitted law in words: one line for ``repr``, and the whole fit as text to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Fitted(Protocol):
    """What is asked of a fitted law; see ``base.Law``."""

    parameters: Any
    formula: Any
    source: Any
    y_unit: Any
    log_link: bool
    estimates_: Mapping[str, float]
    stderrs_: Mapping[str, float]
    status_: Any
    n_points_: int
    dof_: float
    residual_std_: float
    agreement_: float
    notes_: Sequence[object]


def line(law: Fitted, unfitted: str) -> str:
    """``<TaskLoss() on 12 points: A = 30, ..., E = 0.4; converged>``; ``unfitted`` is how the law was made."""
    values = ", ".join(f"{name} = {value:.3g}" for name, value in law.estimates_.items())
    return f"<{unfitted} on {law.n_points_} points: {values}; {law.status_}>"


def report(law: Fitted) -> str:
    """Formula, source, status, and every estimate with its standard error and unit."""
    scale = "log " * law.log_link + law.y_unit
    rows = [("parameter", "estimate", "standard error", "unit")]
    for p in law.parameters:
        rows.append((p.name, f"{law.estimates_[p.name]:.5g}", f"{law.stderrs_[p.name]:.2g}", p.unit))
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        f"{type(law).__name__}: {law.formula}",
        f"source: {law.source}",
        f"fit: {law.status_}, {law.n_points_} points, {law.dof_:g} degrees of freedom",
        f"residual standard deviation: {law.residual_std_:.3g} ({scale})",
        f"searches that agree: {100 * law.agreement_:.0f} %",
        "",
        *("  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in rows),
        *(f"note: {note}" for note in law.notes_),
    ]
    return "\n".join(lines)
