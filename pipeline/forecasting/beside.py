"""The published recipes that run beside ``auto`` where the config names none, and what the data do not allow."""

from __future__ import annotations

from collections.abc import Iterable

from benchcast.reports.records.answer import GRADED
from benchcast.reports.records.forecast import Forecast, Lacking

from .job import RecipeOutput


def without_failures(output: RecipeOutput) -> tuple[RecipeOutput, tuple[Lacking, ...]]:
    """What recipes gave, without the published ones' forecasts that have no number; and why they have none.

    Nobody asked for these recipes by name: a table without a loss is no reason for rows of failures in every report.
    """
    failed = [f for f in output.forecasts if _failed(f)]
    kept = [f for f in output.forecasts if not _failed(f)]
    changed = RecipeOutput(
        forecasts=kept,
        laws=output.laws,
        figures=output.figures,
        backtests=output.backtests,
        trials=output.trials,
    )
    return changed, lacking(failed)


def _failed(f: Forecast) -> bool:
    return f.recipe != GRADED and f.forecast is None


def lacking(failed: Iterable[Forecast]) -> tuple[Lacking, ...]:
    """Why recipes gave no number, a record for each recipe and reason with the tasks."""
    tasks: dict[tuple[str, str], dict[str, None]] = {}
    reasons = {}
    for f in failed:
        why = next((note for note in f.notes if note.severity == "failure"), f.notes[0] if f.notes else None)
        if why is None:
            continue
        tasks.setdefault((f.recipe, str(why)), {})[f.task] = None
        reasons[f.recipe, str(why)] = why
    return tuple(
        Lacking(recipe=recipe, reason=reasons[recipe, text], tasks=tuple(names))
        for (recipe, text), names in tasks.items()
    )
