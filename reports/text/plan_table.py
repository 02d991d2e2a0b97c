"""The tables of a plan: its rows are worded here once, for the PDF, a terminal, a notebook and a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..records.plan import Answer, CurveOverlay, Deviation, Estimate, Growth, Hyper, NearOptimal, PlanResult
from . import numbers
from .numbers import DASH, count, loss, scientific, share, significant, typed
from .table import Column, Row, Table, as_lines, table
from .wording import clean, plain

if TYPE_CHECKING:
    import pandas as pd

NAME = 30  # characters of a method on a page


def within(e: Estimate | None, show: Callable[[float], str] = significant) -> str:
    """A value with its interval, as the tables show it."""
    return DASH if e is None else numbers.within(e.value, e.low, e.high, show)


def error(curve: CurveOverlay) -> str:
    """How far a law is from a measured curve, nats per token."""
    return DASH if curve.error is None else f"{curve.error:.4f}"


# ---- one row of each ----


def sizes(a: Answer) -> list[str]:
    """What a method answers: parameters, tokens, tokens per parameter, loss."""
    return [within(a.params, count), within(a.tokens, count), within(a.token_multiplier), within(a.loss, loss)]


def rates(h: Hyper) -> list[str]:
    """Batch size, peak learning rate, regret."""
    return [within(h.batch_size, count), within(h.lr), share(h.regret)]


def near_optimal(n: NearOptimal) -> list[str]:
    """Model sizes that are nearly as good: what they are within, and from where to where."""
    sizes = f"{within(n.low, count)} to {within(n.high, count)}"
    return [f"within {100 * n.share:g} % of the least loss", sizes, "", "", ""]


def deviation(d: Deviation, times: str) -> list[str]:
    """A model of another size than the optimum, and what that costs."""
    cost = [within(d.extra_loss, loss), within(d.waste, share)]
    return [f"{d.factor:g} {times} the optimum", count(d.params), count(d.tokens), *cost]


def exponents(g: Growth) -> list[str]:
    """How the optimum grows by one method."""
    return [within(e) for e in (g.params_exponent, g.tokens_exponent, g.params_10x, g.tokens_10x)]


# ---- for the PDF ----

COSTS: tuple[Column, ...] = (
    ("FLOPs", "l", 0.7),
    ("Model size", "l", 1.4),
    ("Parameters", "r", 2.6),
    ("Tokens", "r", 0.7),
    ("Extra loss", "r", 1.5),
    ("Compute wasted", "r", 1.5),
)


def answers_page(result: PlanResult) -> Table:
    """All answers, a group of rows per budget."""
    columns: list[Column] = [("FLOPs", "l", 0.8), ("Method", "l", 1.5), ("Parameters", "r", 1.7), ("Tokens", "r", 1.7)]
    columns += [("Tokens/param", "r", 1.3), ("Loss", "r", 1.6)]
    rows: list[Row] = []
    rules: list[int] = []
    last = None
    for a in result.answers:
        if last not in (None, a.flops):
            rules.append(len(rows))
        rows.append([scientific(a.flops) if a.flops != last else "", clean(a.method, NAME), *sizes(a)])
        last = a.flops
    return table(columns, rows, rules)


def rates_page(result: PlanResult) -> Table:
    """Batch size and learning rate by every law."""
    columns: list[Column] = [("FLOPs", "l", 0.8), ("Law", "l", 1.5), ("Batch size, tokens", "r", 1.7)]
    columns += [("Peak learning rate", "r", 2.0), ("Regret, sizes held out", "r", 1.2)]
    return table(columns, [[scientific(h.flops), clean(h.method, NAME), *rates(h)] for h in result.hyperparams])


def costs_page(result: PlanResult) -> Table:
    """What another model size costs, budget by budget."""
    rows: list[Row] = []
    rules: list[int] = []
    for flops in dict.fromkeys(n.flops for n in result.near_optimal):
        rules += [len(rows)] if rows else []
        at = scientific(flops)
        rows += [[at, *near_optimal(n)] for n in result.near_optimal if n.flops == flops]
        rows += [[at, *deviation(d, "times")] for d in result.deviations if d.flops == flops]
    return table(COSTS, rows, rules)


def growth_page(result: PlanResult) -> Table:
    """Exponents, and what ten times the compute buys."""
    columns: list[Column] = [("Method", "l", 1.5), ("N* grows as C to the", "r", 1.5), ("D* as C to the", "r", 1.5)]
    columns += [("10x compute: N x", "r", 1.3), ("D x", "r", 1.3)]
    return table(columns, [[clean(g.method, 34), *exponents(g)] for g in result.growth])


# ---- for a terminal ----


def _narrow(head: Iterable[str], rows: Iterable[Row], title: str = "") -> Table:
    """Names on the left, numbers on the right."""
    names = tuple(head)
    return Table(head=names, rows=tuple(rows), align="l" + "r" * (len(names) - 1), title=title)


def answers_at(result: PlanResult, flops: float) -> Table:
    """What every method answers at one budget."""
    head = ("method", "parameters", "tokens", "tokens/param", "loss")
    rows = [[a.method, *sizes(a)] for a in result.answers if a.flops == flops]
    return _narrow(head, rows, f"{result.title}: {typed(flops)} FLOPs")


def rates_at(result: PlanResult, flops: float) -> Table:
    """Batch size and learning rate at one budget."""
    head = ("batch size and learning rate", "batch size, tokens", "peak learning rate", "regret, sizes held out")
    return _narrow(head, [[h.method, *rates(h)] for h in result.hyperparams if h.flops == flops])


def costs_at(result: PlanResult, flops: float) -> Table:
    """What another model size costs at one budget."""
    rows = [near_optimal(n) for n in result.near_optimal if n.flops == flops]
    rows += [deviation(d, "x") for d in result.deviations if d.flops == flops]
    return _narrow(("model size", "parameters", "tokens", "extra loss", "compute wasted"), rows)


def growth(result: PlanResult) -> Table:
    """Exponents, and what ten times the compute buys."""
    head = ("growth", "N* ~ C^", "D* ~ C^", "10x compute: N x", "D x")
    return _narrow(head, [[g.method, *exponents(g)] for g in result.growth])


# ---- for Python ----


def answers(result: PlanResult) -> Table:
    """What each method says about each budget: the plan as it prints and as a notebook shows it."""
    head = ("FLOPs", "method", "kind", "parameters", "tokens", "tokens/param.")
    rows = [[typed(a.flops), a.method, a.kind, *sizes(a)[:3]] for a in result.answers]
    return Table(head=head, rows=tuple(rows), align="llrrrr", title=result.title)


def as_text(result: PlanResult) -> str:
    """The answers as plain text."""
    return "\n".join([plain(result.title), *as_lines(answers(result))])


def frame(result: PlanResult) -> pd.DataFrame:
    """The answers, one a row."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for a in result.answers:
        row: dict[str, Any] = {"flops": a.flops, "method": a.method, "kind": a.kind}
        for name, e in (("params", a.params), ("tokens", a.tokens), ("token_multiplier", a.token_multiplier)):
            row |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
        rows.append(row | {"source": a.source})
    return pd.DataFrame(rows)
