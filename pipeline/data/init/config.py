"""The configs that ``benchcast init`` writes: what to forecast from a table, or which checkpoints to score."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...core.metrics import is_share
from .. import sources
from ..sources.lm_eval.files import shown
from .text import comment, exact, number, relative, scalar

FEWEST_TO_TEST = 9
FEWEST_TO_HOLD_OUT = 6  # with fewer runs every one is needed for the fit
FEWEST_FOR_AUTO = 7  # runs to fit on, below which auto refuses to forecast
SCHEMA_LINE = "# yaml-language-server: $schema=config.schema.json  (benchcast schema config > config.schema.json)"
PLANNED = "planned"
BY_DEFAULT = "recipes:            # by default auto, and beside it the published ones that the data allow"
# What the recipes that go through a loss lack, in results of tools other than lm-eval.
LACKING = {
    "lighteval": "losses, which are not read from lighteval",
    "olmes": "bits_per_byte_corr in the scores or predictions",
}


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a source holds: its table, and whether the runs in it stand where they will (else only tasks are told)."""

    table: pd.DataFrame
    source: str  # its name in a config
    placed: bool = True

    @property
    def of_results(self) -> bool:
        """Whether these are results of a tool, whose only ``val_loss`` is LAMBADA's perplexity."""
        return self.source in sources.result_sources()

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return int(self.table["run"].nunique())

    @property
    def largest(self) -> pd.Series:
        """The row of the checkpoint with the most FLOPs."""
        return self.table.loc[self.table["flops"].idxmax()]

    @property
    def accuracies_only(self) -> bool:
        """Whether no loss says more than the accuracies do: only ``auto`` can forecast from them."""
        losses = {"nll", "bits_per_byte"} | (set() if self.of_results else {"val_loss"})
        return not losses & set(self.table["metric"])

    @property
    def holds_out(self) -> bool:
        """Whether the largest run is held out to show how a forecast fares."""
        return self.placed and self.runs >= (FEWEST_FOR_AUTO + 1 if self.accuracies_only else FEWEST_TO_HOLD_OUT)


def forecast(source: Path, out: Path, held: Held) -> str:
    """A config that forecasts from a source with the recipes it has the metrics for."""
    about = _counted(held.table) if held.placed else "models to be placed in ladder.yaml"
    hint = "   # its ladder.yaml says where each model stands" if held.of_results else ""
    return f"""\
# Written by benchcast init from {comment(relative(source, out.parent))}: {about}.
#   benchcast run {comment(out.name)} --html
{SCHEMA_LINE}
title: {scalar(f"Forecast from {shown(Path(source.resolve().name))}")}
data: {{source: {held.source}, path: {scalar(relative(source, out.parent))}}}{hint}
targets:
{_targets(held)}
{_recipes(held)}
# tasks: ["*"]          # shell patterns; all by default
# metric: auto          # acc_norm or acc; of tasks without them every other score, as exact_match
# level: 0.9            # nominal coverage of the intervals
out: out
"""


def needs(held: Held) -> tuple[str, ...]:
    """What the recipes need before they can forecast anything."""
    if not held.accuracies_only or held.runs >= FEWEST_FOR_AUTO:
        return ()
    more = "" if held.source in LACKING else ", or run lm_eval again with --log_samples (llama3 needs 4 runs)"
    return (
        f"auto, the one recipe for accuracies without losses, needs {FEWEST_FOR_AUTO} runs and these results have "
        f"{held.runs}: score more runs{more}",
    )


def _counted(table: pd.DataFrame) -> str:
    scored = table[table["metric"].map(is_share).astype(bool)]
    return f"{table['run'].nunique()} runs, {scored['task'].nunique()} tasks"


def _targets(held: Held) -> str:
    if not held.placed:
        return (
            f"  # The run to forecast: say its size (params, and tokens per parameter; or tokens, or flops).\n"
            f"  - {{name: {PLANNED}, params: 7e9, token_multiplier: 20}}\n"
            '  # - run: "name of your largest run"   # held out: shows how a forecast fares'
        )
    largest, runs = held.largest, set(held.table["run"])
    flops, multiplier = 10 * largest["flops"], largest["tokens"] / largest["params"]
    name = next(n for n in (PLANNED, *(f"{PLANNED}-{i}" for i in range(1, len(runs) + 2))) if n not in runs)
    lines = [
        f"  # The run to forecast, training FLOPs and tokens per parameter: here 10 times the FLOPs of the largest\n"
        f"  # ({comment(str(largest['run']))}), at its tokens per parameter. Or give params and tokens.\n"
        f"  - {{name: {name}, flops: {number(flops)}, token_multiplier: {multiplier:.3g}}}"
    ]
    if held.holds_out:
        lines.append(
            "  # Held out: the laws never see it, and the report shows how a forecast of it fares.\n"
            f"  - run: {scalar(glob.escape(str(largest['run'])))}"
        )
    return "\n".join(lines)


def _recipes(held: Held) -> str:
    """No list where ``auto`` can answer, and what the published recipes lack; else those that have what they need."""
    fewest = FEWEST_FOR_AUTO if held.accuracies_only else FEWEST_TO_TEST
    if not held.placed or held.runs >= fewest:
        lines = [f"#   {name} {lacks}" for name, lacks in _published(held).items() if lacks]
        return "\n".join([f"# {BY_DEFAULT}", *lines])
    lack = f"needs {fewest} runs to test itself on the larger of them, and there are {held.runs}"
    auto = "  - auto   # {}; {}".format("the one recipe that needs accuracies only", lack)
    lines = [auto if held.accuracies_only else f"  # - auto   # {lack}"]
    lines += [f"  # - {name}   # {lacks}" if lacks else f"  - {name}" for name, lacks in _published(held).items()]
    return "\n".join(["recipes:", *lines])


def _published(held: Held) -> dict[str, str]:
    """The published recipes, and what each lacks in this table; empty where it lacks nothing."""
    table, metrics = held.table, set(held.table["metric"])
    losses = sorted(table.loc[table["metric"].eq("val_loss"), "task"].unique())
    how = "needs " + LACKING.get(held.source, "the samples: lm_eval --log_samples")
    chosen = f"{{name: overtraining, loss: {scalar(losses[0])}}}" if losses else "overtraining"
    without = "needs a validation loss (metric val_loss)"
    if losses and held.of_results:
        without = f"goes through LAMBADA's perplexity, if you list it: {chosen}"
    elif len(losses) > 1:
        without = f"needs to know which of the {len(losses)} validation losses; list it: {chosen}"
    ready = len(losses) == 1 and not held.of_results
    return {
        "llama3": "" if "nll" in metrics else how,
        "ladder": "" if {"nll", "bits_per_byte"} & metrics else how,
        "overtraining": "" if ready else without,
    }


def scoring(
    found: str,
    out: Path,
    patterns: Sequence[str],
    pattern: str | None,
    sizes: Mapping[str, str],
    tokens_per_step: float | None = None,
) -> str:
    """A config that scores checkpoints.

    Parameters
    ----------
    found : str
        What it is written from, for a comment.
    patterns : sequence of str
        Shell patterns of the checkpoints' folders, from the config's folder; or models by name.
    pattern : str, optional
        How their names tell run and step.
    sizes : mapping
        What is known of each run's size, for a comment.
    tokens_per_step : float, optional
        Tokens of one optimizer step, where the person said it.
    """
    step = f"tokens_per_step: {exact(tokens_per_step)}" if tokens_per_step else "# tokens_per_step: 524288"
    named = f"pattern: {scalar(pattern)}" if pattern else '# pattern: "{run}/step-{step}"   # folder names'
    lines = "".join(f"#   {comment(run)}: {comment(size)}\n" for run, size in sizes.items())
    return f"""\
# Written by benchcast init from {comment(found)}:
{lines}#   benchcast score {comment(out.name)}    # scores them: the ladder table
#   benchcast run {comment(out.name)}      # forecasts from it: a PDF
{SCHEMA_LINE}
score:
  checkpoints: [{", ".join(map(scalar, patterns))}]
  tasks: [arc_easy, hellaswag]          # lm-eval tasks and groups: `lm_eval ls tasks`
  # validation_text: [validation.txt]   # for a validation loss, which the overtraining recipe needs
  {named}
  place:
    family: my-mix                      # one data mix and recipe; laws are fitted within one
    {step:<35} # tokens, unless trainer_state.json or benchcast.json tells them
  out: ladder.csv

data: {{source: table, path: ladder.csv}}
targets:
  - {{name: {PLANNED}, params: 7e9, token_multiplier: 20}}   # the run to forecast: say its size
  # - run: "1B*"                        # a run of the ladder, held out: shows how a forecast fares
# {BY_DEFAULT}
"""
