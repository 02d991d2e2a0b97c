"""A plan as a person reads it in a terminal."""

from __future__ import annotations

from benchcast.reports.records.plan import PlanResult
from benchcast.reports.text import plan_table
from benchcast.reports.text.numbers import count, level, significant, within
from benchcast.reports.text.table import Table, as_rich

from .forecast import console, say


def plan(result: PlanResult) -> None:
    """The answer of every method, hyperparameters, what a deviation costs, growth, and the specification curve."""
    here = console()
    for flops in dict.fromkeys(a.flops for a in result.answers):
        for table in (plan_table.answers_at, plan_table.rates_at, plan_table.costs_at):
            here.print(as_rich(table(result, flops)))
    here.print(as_rich(plan_table.growth(result)))
    _curves(result)
    _specifications(result)
    first = result.answers[0]
    say(f"first row: the plan ({first.source})")
    say(
        f"{level(result.level)} intervals of the plan: {first.interval}; published laws: what their printed digits "
        "leave open, where no covariance is known"
    )
    if (f := result.fit) is not None:
        say(
            f"fit: {f.n} runs, {f.status}, {100 * f.agreement:.0f} % of the searches agree, gradient "
            f"{f.gradient:.1g}, {100 * f.resamples_at_optimum:.1f} % of the resamples at their optimum"
        )
    for note in dict.fromkeys([*result.notes, *(result.isoflop.findings if result.isoflop else ())]):
        say(f"note: {note}")


def _curves(result: PlanResult) -> None:
    """Critical batch size and schedules, where the config has curves."""
    if (b := result.batches) is not None:
        exponents = ", ".join(f"{name} {plan_table.within(e)}" for name, e in b.exponents.items())
        say(
            f"critical batch size at loss {b.loss:.3f}: {plan_table.within(b.critical_batch, count)} tokens; "
            f"1/alpha_B {plan_table.within(b.inverse_alpha_b)}; {exponents}"
        )
        for note in b.notes:
            say(f"note: {note}")
    if (s := result.schedules) is not None:
        for c in s.curves:
            kind = "held out" if c.held_out else "fitted"
            say(f"schedule {c.name} ({kind}): mean error {plan_table.error(c)} nats/token")


def _specifications(result: PlanResult) -> None:
    sizes = sorted(s.params for s in result.specifications if s.params is not None)
    if not sizes:
        return
    ratios = sorted(s.tokens / s.params for s in result.specifications if s.params and s.tokens)
    median = sizes[len(sizes) // 2]
    say(
        f"specification curve: {len(sizes)} of {len(result.specifications)} analyses answer; N* from "
        f"{count(sizes[0])} to {count(sizes[-1])} (median {count(median)}), tokens per parameter "
        f"{significant(ratios[0])} to {significant(ratios[-1])}: choices of the analysis, beside the interval of one "
        "of them"
    )


def published() -> None:
    """The papers' printed numbers beside what their printed constants give."""
    from benchcast.stages.planning.published_checks import reproduced_values

    rows = []
    for c in reproduced_values():
        show = count if max(c.printed, c.computed) >= 1e3 else significant
        rows.append([c.paper, c.quantity, show(c.printed), within(c.computed, *c.interval, show), c.remark])
    head = ("paper", "quantity", "printed or used", "computed (90 % interval)", "")
    title = "Printed or used, and computed from the printed constants"
    console().print(as_rich(Table(head=head, rows=tuple(rows), align="llrrl", title=title)))
