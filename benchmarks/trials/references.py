"""Reference models: each mix of the over-training testbed with and without the other in the step from loss to accuracy.

The loss is one text that both mixes were measured on, with one tokenizer. On the ladders' own backtests: no target's
score is there, neither the ladder's nor the other mix's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchcast.forecasting.context import FamilyContext, contexts_of
from benchcast.forecasting.jobs import jobs_of
from benchcast.forecasting.references import with_references
from benchcast.stages.forecast.auto import AutoForecaster
from benchcast.stages.forecast.pathways import SECOND

from .backtests import WORKERS, line, outcomes
from .marks import Marks
from .suites import CONFIGS, LABELS, NOBODYS_RUN, Suite, config_of, markdown

SUITE, LOSS = "gadre2024", "c4_val"


def context_of(suite: Suite, family: str, others: list[str]) -> FamilyContext:
    """One mix as the ladder, with the others as references or without any."""
    kept = suite.data.table[suite.data.table["family"].isin([family, *others])]
    changes = {"references": {"families": others, "loss": LOSS}} if others else {}
    config = config_of(SUITE, targets=[NOBODYS_RUN], **changes)
    data = with_references(config, CONFIGS, replace(suite.data, table=kept.reset_index(drop=True)))
    return contexts_of(jobs_of(config, data.table, references=data.references))[family]


def report(testbeds: Path) -> None:
    """Print every mix along compute, and the weight of the paths that reference models are in."""
    suite, lines = Suite.read(SUITE, testbeds), []
    families = suite.families()
    for family in families:
        others = [other for other in families if other != family]
        scores = []
        for way, named in (("without", []), ("with", others)):
            pooled = context_of(suite, family, named).forecaster(AutoForecaster(workers=WORKERS)).backtest_
            rows = outcomes(pooled)
            rows = rows[rows["axis"].eq("flops")]
            scores.append(Marks.of(rows).score)
            of_references = [
                path.second in SECOND and SECOND[path.second].references for path in pooled.forecasts.paths
            ]
            share = float(pooled.pooled.weights[:, of_references].sum(axis=1).mean())
            label = f"{LABELS.get(family, family)}, {way} {', '.join(LABELS.get(o, o) for o in others)}"
            lines.append(line(label, rows) | {"weight": f"{share:.2f}"})
        lines[-1]["Winkler"] += f" ({scores[1] / scores[0]:.3f} of it)"
    print("\nReference models in the step from loss to accuracy; backtests along compute\n")
    print(markdown(lines))
