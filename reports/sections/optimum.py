"""What the ladder's validation losses say of the best size for a budget: the frontier, isoFLOP curves, the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..figures import plan as plan_figures
from ..figures.optimum import PER_PAIR, Planned, frontier_figure
from ..records.answer import is_planned
from ..records.optimum import Frontier, Optimum
from ..records.plan import Estimate
from ..text.numbers import count, finite, ratio, significant, within
from ..text.wording import NAME, clean
from .content import Content
from .picture import Files, Picture, picture

FEW = 5  # sizes on a frontier below which its exponent hangs on where they take over from each other


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
        points = "checkpoints" if optimum.within_runs else "finished runs"
        yield (
            f"Of the {points}{of} the lowest loss on {text} at every compute makes a frontier of "
            f"{optimum.frontier.sizes} sizes; the size on it grows as C to the {_range(optimum.frontier.exponent)}."
        )
        if optimum.within_runs:
            yield "Within a run the learning rate has not come down yet: these losses are too high for their compute."
        if optimum.frontier.sizes < FEW:
            yield "With so few sizes the exponent is only a rough guide."
        for run in planned:
            yield _against(run, optimum.frontier)


def _range(e: Estimate) -> str:
    return within(finite(e.value), finite(e.low), finite(e.high), significant)


def _against(run: Planned, frontier: Frontier) -> str:
    """A planned run beside the frontier at its compute."""
    best = frontier.prefactor * run.flops ** (finite(frontier.exponent.value) or 0.0)
    tokens = run.flops / PER_PAIR / best
    times = run.params / best
    size = f"{ratio(times)} times as large" if times >= 1 else f"{ratio(1 / times)} times smaller"
    return (
        f"Drawn on to the compute of {clean(run.name, NAME)}, the frontier asks for {count(best)} parameters on "
        f"{count(tokens)} tokens; the planned model, {count(run.params)} on {count(run.tokens)}, is {size}. "
        f"A smaller model on more tokens costs a little loss and is cheaper to use: see benchcast plan."
    )


def _pictures(c: Content, optimum: Optimum, planned: list[Planned], files: Files) -> Iterator[Picture]:
    name = f"optimum{len(files)}"
    if optimum.isoflop:
        files[f"{name}-isoflop.svg"] = plan_figures.isoflop(optimum.isoflop)
        caption = "Loss over model size at equal compute with its minima, and the power law through them."
        yield picture(f"{name}-isoflop.svg", "Two line plots.", caption)
    if optimum.frontier:
        files[f"{name}-frontier.svg"] = frontier_figure(optimum, planned)
        caption = "Loss over compute with the frontier, and the best size and tokens for a budget (C = 6·N·D)."
        yield picture(f"{name}-frontier.svg", "Two line plots.", caption)
