"""The config that ``benchcast init`` writes for a model by name: which of its revisions to score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchcast.reports.records.account import Account, listed

from .. import model_names
from . import config as init_config
from .folders import size
from .start import Draft


def draft(
    entry: str, snapshots: Mapping[str, Path], out: Path, tokens_per_step: float | None, account: Account
) -> Draft:
    """A config that scores revisions of a model of the hub.

    Parameters
    ----------
    entry : str
        As ``score.checkpoints`` takes it: ``org/name@revision``, or a pattern of revisions.
    snapshots : mapping
        The folders of its revisions, by ``org/name@revision``.
    out : Path
        The config.
    tokens_per_step : float, optional
        Tokens of one optimizer step, as the person says.
    account : Account
        Gets what was left out.
    """
    read = {source: model_names.numbers(source) for source in snapshots}
    if untrained := [source for source, numbers in read.items() if numbers.step and numbers.step.value == 0]:
        account.leave("checkpoints at step 0, which have seen no tokens", *untrained)
    trained = {source: numbers for source, numbers in read.items() if source not in untrained}
    runs: dict[str, list[str]] = {}
    for source, numbers in trained.items():
        runs.setdefault(numbers.run, []).append(source)
    sizes = {run: f"{len(sources)} revisions, {size(snapshots[sources[0]])}" for run, sources in runs.items()}
    text = init_config.scoring(f"revisions of {entry}", out, [entry], None, sizes, tokens_per_step)
    lacking = [source for source, numbers in trained.items() if numbers.tokens is None]
    stepless = [source for source, numbers in trained.items() if numbers.step is None]
    unless = " tokens_per_step," if lacking and not tokens_per_step else ""
    to_do = [f"{out}: set tasks,{unless} and the planned run"]
    if stepless:
        to_do.append(
            f"a ladder.yaml (score.ladder) with step and tokens of {listed(stepless)}, which their names do not tell"
        )
    return Draft({out: text}, tuple(to_do))
