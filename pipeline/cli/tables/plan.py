"""A plan as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Callable

from benchcast.reports.records.plan import Estimate, PlanResult
from rich.table import Table

from .forecast import _console, shown


def count(value: float | None) -> str:
    """Parameters or tokens: 74.7B, 1.29T."""
    if value is None:
        return "–"
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def plain(value: float | None) -> str:
    """A loss, a rate or an exponent."""
    return "–" if value is None else f"{value:.3g}"


def loss(value: float | None) -> str:
    """A loss in nats per token."""
    return "–" if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share."""
    return "–" if value is None else f"{100 * value:.2g} %"


def within(e: Estimate | None, show: Callable[[float | None], str] = plain) -> str:
    """A value with its interval."""
    if e is None or e.value is None:
        return "–"
    if e.low is None or e.high is None:
        return f"{show(e.value)} (no interval)"
    return f"{show(e.value)} ({show(e.low)}–{show(e.high)})"


def plan(result: PlanResult) -> None:
    """The answer of every method, hyperparameters, what a deviation costs, growth, and the specification curve."""
    console = _console()
    level = f"{100 * result.level:.3g} %"
    for flops in dict.fromkeys(a.flops for a in result.answers):
        table = Table(title=shown(f"{result.title}: {flops:.3g} FLOPs"), title_justify="left")
        for name in ("method", "parameters", "tokens", "tokens/param", "loss"):
            table.add_column(name, justify="left" if name == "method" else "right")
        for a in (a for a in result.answers if a.flops == flops):
            cells = (within(a.params, count), within(a.tokens, count), within(a.token_multiplier), within(a.loss, loss))
            table.add_row(shown(a.method), *cells)
        console.print(table)
        _hypers(result, flops)
        _costs(result, flops)
    _growth(result)
    _curves(result)
    _specifications(result)
    first = result.answers[0]
    console.print(f"first row: the plan ({shown(first.source)})", highlight=False)
    console.print(
        f"{level} intervals of the plan: {shown(first.interval)}; published laws: what their printed digits "
        "leave open, where no covariance is known",
        highlight=False,
    )
    if result.fit is not None:
        f = result.fit
        console.print(
            shown(
                f"fit: {f.n} runs, {f.status}, {100 * f.agreement:.0f} % of the searches agree, gradient "
                f"{f.gradient:.1g}, "
                f"{100 * f.resamples_at_optimum:.1f} % of the resamples at their optimum"
            ),
            highlight=False,
        )
    for note in dict.fromkeys([*result.notes, *(result.isoflop.findings if result.isoflop else ())]):
        console.print(f"note: {shown(note)}", highlight=False)


def _hypers(result: PlanResult, flops: float) -> None:
    table = Table()
    for name in ("batch size and learning rate", "batch size, tokens", "peak learning rate", "regret, sizes held out"):
        table.add_column(name, justify="left" if name.startswith("batch size and") else "right")
    for h in (h for h in result.hyperparams if h.flops == flops):
        table.add_row(shown(h.method), within(h.batch_size, count), within(h.lr), percent(h.regret))
    _console().print(table)


def _costs(result: PlanResult, flops: float) -> None:
    table = Table()
    for name in ("model size", "parameters", "tokens", "extra loss", "compute wasted"):
        table.add_column(name, justify="left" if name == "model size" else "right")
    for n in (n for n in result.near_optimal if n.flops == flops):
        ends = f"{within(n.low, count)} to {within(n.high, count)}"
        table.add_row(f"within {100 * n.share:g} % of the least loss", ends, "", "", "")
    for d in (d for d in result.deviations if d.flops == flops):
        table.add_row(
            f"{d.factor:g} x the optimum",
            count(d.params),
            count(d.tokens),
            within(d.extra_loss, loss),
            within(d.waste, percent),
        )
    _console().print(table)


def _growth(result: PlanResult) -> None:
    table = Table()
    for name in ("growth", "N* ~ C^", "D* ~ C^", "10x compute: N x", "D x"):
        table.add_column(name, justify="left" if name == "growth" else "right")
    for g in result.growth:
        cells = (within(e) for e in (g.params_exponent, g.tokens_exponent, g.params_10x, g.tokens_10x))
        table.add_row(shown(g.method), *cells)
    _console().print(table)


def _curves(result: PlanResult) -> None:
    """Critical batch size and schedules, where the config has curves."""
    console = _console()
    if (b := result.batches) is not None:
        console.print(
            f"critical batch size at loss {b.loss:.3f}: {within(b.critical_batch, count)} tokens; 1/alpha_B "
            f"{within(b.inverse_alpha_b)}; " + ", ".join(f"{k} {within(v)}" for k, v in b.exponents.items()),
            highlight=False,
        )
        for note in b.notes:
            console.print(f"note: {shown(note)}", highlight=False)
    if (s := result.schedules) is not None:
        for c in s.curves:
            kind = "held out" if c.held_out else "fitted"
            console.print(f"schedule {shown(c.name)} ({kind}): mean error {c.error:.4f} nats/token", highlight=False)


def _specifications(result: PlanResult) -> None:
    sizes = sorted(s.params for s in result.specifications if s.params is not None)
    if not sizes:
        return
    ratios = sorted(s.tokens / s.params for s in result.specifications if s.params and s.tokens)
    middle = len(sizes) // 2
    _console().print(
        f"specification curve: {len(sizes)} of {len(result.specifications)} analyses answer; N* from "
        f"{count(sizes[0])} to "
        f"{count(sizes[-1])} (median {count(sizes[middle])}), tokens per parameter "
        f"{ratios[0]:.3g} to {ratios[-1]:.3g}: "
        "choices of the analysis, beside the interval of one of them",
        highlight=False,
    )


def published() -> None:
    """The papers' printed numbers beside what their printed constants give."""
    from benchcast.stages.planning.published_checks import checks

    table = Table(title="Printed or used, and computed from the printed constants", title_justify="left")
    for name in ("paper", "quantity", "printed or used", "computed (90 % interval)", ""):
        table.add_column(name, justify="right" if "p" in name and ("printed" in name or "computed" in name) else "left")
    for c in checks():
        show = count if max(c.printed, c.computed) >= 1e3 else plain
        table.add_row(
            c.paper, c.quantity, show(c.printed), f"{show(c.computed)} ({show(c.low)}–{show(c.high)})", c.says
        )
    _console().print(table)
