"""What the ladder's validation losses say of the best size for a budget: the frontier, isoFLOP curves, the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..figures import plan as plan_figures
from ..figures.optimum import Planned, frontier_figure
from ..records.answer import is_planned
from ..records.optimum import Frontier, Optimum
from ..records.plan import Estimate
from ..text.numbers import count, finite, significant, within
from ..text.wording import NAME, clean
from .content import Content
from .picture import Files, Picture, picture


@dataclass(frozen=True, kw_only=True)
class Best:
    """One family's part: sentences and figures."""

    text: tuple[str, ...]
    pictures: tuple[Picture, ...]


def section(c: Content, files: Files) -> list[Best]:
    """A part for every family whose runs tell; figures go into ``files``."""
    return [_best(c, each, files) for each in c.result.optima]


def _best(c: Content, optimum: Optimum, files: Files) -> Best:
    planned = _planned(c, optimum)
    return Best(
        text=tuple(_sentences(c, optimum, planned)),
        pictures=tuple(_pictures(c, optimum, planned, files)),
    )


def _planned(c: Content, optimum: Optimum) -> list[Planned]:
    """Page one's planned run, where its size is known."""
    found = {}
    for f in c.answer.rows:
        if f.family == optimum.family and is_planned(c.result, f.target) and f.params and f.tokens:
            found[f.target] = Planned(name=f.target, flops=f.flops, params=f.params, tokens=f.tokens)
    return list(found.values())


def _sentences(c: Content, optimum: Optimum, planned: list[Planned]) -> Iterator[str]:
    of = f" of {clean(optimum.family, NAME)}" if len(c.result.optima) > 1 else ""
    text = clean(optimum.loss, NAME)
    if optimum.isoflop:
        budgets = len(optimum.isoflop.budgets)
        yield (
            f"At {budgets} budgets the ladder{of} has three or more sizes. The size with the lowest loss on {text} "
            f"grows as C to the {_range(optimum.isoflop.exponent)}."
        )
    if optimum.frontier:
        yield (
            f"The law {optimum.frontier.law} through the losses of {optimum.frontier.runs} finished runs{of} on {text} "
            f"has its least loss for a budget C at a size that grows as C to the {_range(optimum.frontier.exponent)}."
        )
        for run in planned:
            yield _against(run, optimum.frontier, c.level)


def _range(e: Estimate) -> str:
    return within(finite(e.value), finite(e.low), finite(e.high), significant)


def _against(run: Planned, frontier: Frontier, level: str) -> str:
    """A planned run beside the frontier at its compute."""
    low, best, high = (
        float(np.exp(np.interp(np.log(run.flops), np.log(frontier.flops), np.log(series))))
        for series in (frontier.low, frontier.params, frontier.high)
    )
    tokens = run.flops / frontier.per_pair / best
    inside = "inside that range" if low <= run.params <= high else "outside that range"
    return (
        f"With the compute of {clean(run.name, NAME)} that is {count(best)} parameters ({count(low)} to {count(high)} "
        f"with {level} confidence) on {count(tokens)} tokens; the planned {count(run.params)} on "
        f"{count(run.tokens)} lies {inside}."
    )


def _pictures(c: Content, optimum: Optimum, planned: list[Planned], files: Files) -> Iterator[Picture]:
    name = f"optimum{len(files)}"
    if optimum.isoflop:
        files[f"{name}-isoflop.svg"] = plan_figures.isoflop(optimum.isoflop)
        caption = "Loss over model size at equal compute with its minima, and the power law through them."
        yield picture(f"{name}-isoflop.svg", "Two line plots.", caption)
    if optimum.frontier:
        files[f"{name}-frontier.svg"] = frontier_figure(optimum, planned)
        caption = "Loss by compute; the best size and tokens for a budget, with their intervals"
        caption += ", and the planned run." if planned else "."
        yield picture(f"{name}-frontier.svg", "Two line plots.", caption)
