"""The parts of a plan's report: what each says, its table, and its figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..figures import plan as figures
from ..records.base import Provenance
from ..records.plan import BatchReport, FitReport, IsoFLOPReport, PlanResult, ScheduleReport
from ..text import plan_table
from ..text.numbers import DASH, count, level, loss, scientific, significant
from ..text.plan_table import within
from ..text.table import Column, Table, table
from ..text.wording import clean
from .picture import Files, Picture, picture


@dataclass(frozen=True, kw_only=True)
class Part:
    """A heading, sentences, and where there are some a table and a figure."""

    heading: str
    text: tuple[str, ...] = ()
    table: Table | None = None
    figure: Picture | None = None

    def drawn(self, files: Files, file: str, svg: bytes, caption: str) -> Part:
        """The part with a figure."""
        files[file] = svg
        return replace(self, figure=picture(file, "", caption))


def parts(result: PlanResult, files: Files) -> Iterator[Part]:
    """All parts in order; figures go into ``files``."""
    caption = "The optimum by every method, with intervals."
    yield answers(result).drawn(files, "growth.svg", figures.growth(result), caption)
    yield Part(heading="Batch size and learning rate", table=plan_table.rates_page(result))
    caption = "Lines of equal loss (nats/token) of the plan's law, its efficient frontier, and the plan."
    yield costs(result).drawn(files, "contours.svg", figures.contours(result), caption)
    yield Part(heading="What ten times the compute buys", table=plan_table.growth_page(result))
    if result.isoflop:
        caption = "The isoFLOP sweep and the power law through its minima."
        yield isoflop(result.isoflop).drawn(files, "isoflop.svg", figures.isoflop(result.isoflop), caption)
    if result.surfaces:
        caption = "Loss above the surface's minimum, in percent; blue: runs within 2 % of the best; star: the optimum."
        text = ("The loss is flat around its optimum: judge a law by its regret.",)
        part = Part(heading="Learning rate and batch size", text=text)
        yield part.drawn(files, "surfaces.svg", figures.surfaces(result.surfaces), caption)
    if result.batches:
        caption = "Measured loss (dots) and the law (lines) at every batch size, a panel per model size."
        yield batches(result.batches).drawn(files, "batches.svg", figures.overlays(result.batches.curves), caption)
    if result.schedules:
        caption = "Measured loss (dots) and the annealing law (lines)."
        drawn = figures.overlays(result.schedules.curves)
        yield schedules(result.schedules).drawn(files, "schedules.svg", drawn, caption)
    if any(s.params for s in result.specifications):
        caption = (
            f"N* at {scientific(result.answers[0].flops)} FLOPs under every choice (green: isoFLOP); band: the "
            "plan's interval."
        )
        part = Part(heading="Specification curve", text=(_spec_sentence(result),))
        yield part.drawn(files, "specs.svg", figures.specifications(result), caption)
    if result.fit:
        yield fit(result.fit)


def summary(result: PlanResult) -> str:
    """The plan in one sentence."""
    a = result.answers[0]
    expected = f" and expect a loss of {within(a.loss, loss)} nats/token" if a.loss else ""
    return (
        f"With {scientific(a.flops)} FLOPs train {within(a.params, count)} parameters on {within(a.tokens, count)} "
        f"tokens{expected} ({clean(a.method, 40)}; {level(result.level)} interval: {a.interval})."
    )


def answers(result: PlanResult) -> Part:
    """The plan, and what other methods say."""
    notes = dict.fromkeys(clean(f"{a.method}: {note}", 300) for a in result.answers for note in a.notes)
    text = (
        "The first row of each budget is the plan; the others are what other methods and published laws say. "
        "Intervals of published laws are what their printed digits leave open, unless a covariance is known."
    )
    return Part(heading="", text=(text, *notes), table=plan_table.answers_page(result))


def costs(result: PlanResult) -> Part:
    """What another model size costs."""
    text = "At equal compute. Compute wasted: what a better split would have saved for the same loss."
    heading = "How far from the optimum is still good"
    return Part(heading=heading, text=(text,), table=plan_table.costs_page(result))


def isoflop(report: IsoFLOPReport) -> Part:
    """What the isoFLOP sweep says, and what is wrong with it."""
    others = "; ".join(f"{k} {within(v)}" for k, v in report.other_curves.items())
    flat = "; ".join(f"within {100 * float(k):g} %: C to the {within(v)}" for k, v in report.flatness.items())
    text = [
        f"Exponent of N* by {report.curve}: {within(report.exponent)}; by other curves: {others}.",
        f"Growth of the width of the near-optimal range (log N): {flat}.",
    ]
    if report.bias is not None:
        text.append(
            f"On noise-free losses of the fitted law the same analysis misses N* by {100 * report.bias:+.1f} % at the "
            "first budget."
        )
    text += [f"Finding: {clean(f, 300)}." for f in report.findings] or ["The sweep shows none of the known biases."]
    return Part(heading="IsoFLOP analysis", text=tuple(text))


def batches(b: BatchReport) -> Part:
    """The critical batch size, and time against compute."""
    columns: list[Column] = [("Batch size, tokens", "r", 1.0), ("Steps", "r", 1.0), ("Tokens", "r", 1.0)]
    rows = [[count(r.batch_size), f"{r.steps:.3g}", count(r.tokens)] for r in b.reaches]
    exponents = "; ".join(f"{clean(k)} {within(v)}" for k, v in b.exponents.items())
    text = [
        f"At a loss of {b.loss:.3f} the critical batch size is {within(b.critical_batch, count)} tokens "
        f"({b.contours} contours); 1/alpha_B {within(b.inverse_alpha_b)}; {exponents}. The law L(N, S) misses "
        f"the measured losses by {100 * b.misfit:.1f} % (standard deviation).",
        *(f"Not identified or refuted: {clean(n, 300)}." for n in b.notes),
        f"Time against compute, to that loss with {count(b.reaches[0].params)} parameters:",
    ]
    return Part(heading="Critical batch size and steps", text=tuple(text), table=table(columns, rows))


def schedules(s: ScheduleReport) -> Part:
    """The annealing law, and how it fits every curve."""
    columns: list[Column] = [("Schedule", "l", 2.0), ("Role", "l", 1.0)]
    columns += [("Mean absolute error, nats/token", "r", 1.5)]
    rows = [[clean(c.name, 40), c.group, plan_table.error(c)] for c in s.curves]
    numbers = "; ".join(f"{clean(k)} {within(v)}" for k, v in s.estimates.items())
    text = [
        f"{numbers}. A drop of the learning rate has done 63 % of its work after {s.memory:.3g} steps at "
        f"the peak rate, and more slowly at smaller ones (exponent {s.gamma:.2g})."
    ]
    text += [clean(note, 300) for note in s.notes]
    return Part(heading="Loss along the learning-rate schedule", text=tuple(text), table=table(columns, rows))


def _spec_sentence(result: PlanResult) -> str:
    sizes = sorted(s.params for s in result.specifications if s.params)
    a = result.answers[0].params
    return (
        f"{len(sizes)} analyses of the same runs give N* from {count(sizes[0])} to {count(sizes[-1])}; the plan's "
        f"interval is {count(a.low)} to {count(a.high)}. The spread over choices is no sampling error: it stands "
        "beside the interval."
    )


def fit(f: FitReport) -> Part:
    """The fitted law's parameters, and how sure the search is."""
    columns: list[Column] = [("Parameter", "l", 1.0), ("Estimate with interval", "r", 2.0)]
    columns += [("Standard error", "r", 1.0)]
    rows = [[clean(k), within(v), significant(f.stderrs[k])] for k, v in f.estimates.items()]
    second = f.runner_up_objective
    text = [
        f"{clean(f.law)}, {clean(f.source, 120)}; {f.n} observations, {f.status}. "
        f"{100 * f.agreement:.0f} % of the searches end at this optimum (objective {f.objective:.6g}, scaled gradient "
        f"{f.gradient:.1g}); " + ("no other was found." if second is None else f"the next best has {second:.6g}.")
    ]
    return Part(heading="The fitted law", text=(*text, *(clean(n, 300) for n in f.notes)), table=table(columns, rows))


def command(p: Provenance) -> str:
    """The command that repeats the plan; a table is named by its file, wherever it lies."""
    return "benchcast plan plan.yaml" + (f" --data {clean(p.data, 80)}" if p.rows else "")


def facts(p: Provenance) -> Table:
    """Versions, digests, and what the reader left out or decided."""
    rows = [
        ["Benchcast", p.benchcast],
        ["Python", p.python],
        ["Data", clean(p.data, 80)],
        ["Rows", str(p.rows)],
        ["Data digest", p.data_digest or DASH],
        ["Config digest", p.config_digest],
        ["Packages", ", ".join(f"{k} {v}" for k, v in p.packages.items())],
    ]
    rows += [["When read" if i == 0 else "", clean(line, 300)] for i, line in enumerate(p.account.decisions())]
    return table([("", "l", 1.0), ("", "l", 5.0)], rows)
