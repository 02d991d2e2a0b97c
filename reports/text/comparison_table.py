"""Two checkpoints side by side, and a run against a policy: worded here once, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ..records.comparing.gate import GateResult, RuleOutcome
from ..records.comparing.versus import Comparison, FlippedDocument, TaskComparison
from .numbers import DASH, count, finite, interval, level, percent, points
from .table import Row, Table
from .wording import NAME, clean

ALL = {1: "the rule is", 2: "both rules are"}
OUTCOMES = {"kept": "kept", "broken": "broken", "open": "not decided"}


# ---- versus ----


def answer(rows: Sequence[TaskComparison], alpha: float, power: float) -> str:
    """The outcome of a comparison in a sentence."""
    of = f"of {len(rows)} tasks" if len({r.task for r in rows}) == len(rows) else f"of {len(rows)} scores"
    by = f"(Holm, {level(alpha)})" if len(rows) > 1 else f"(at {level(alpha)})"
    better, worse = sum(r.better == "B" for r in rows), sum(r.better == "A" for r in rows)
    rest = [r for r in rows if r.better is None]
    if not better and not worse:
        where = f"on any {of}" if len(rows) > 1 else f"on {clean(rows[0].task, NAME)}"
        first = f"No sure difference {where} {by}"
    elif len(rows) == 1:
        first = f"B is {'better' if better else 'worse'} on {clean(rows[0].task, NAME)} {by}"
    elif better:
        first = f"B is better on {better} {of} {by}, worse on {worse or 'none'}"
    else:
        first = f"B is worse on {worse} {of} {by}, better on none"
    return first + (f"; {_unseen(rest, rows, power)}" if rest else "") + "."


def _unseen(rest: Sequence[TaskComparison], rows: Sequence[TaskComparison], power: float) -> str:
    """What would have been seen where nothing was."""
    known = [d for r in rest if (d := finite(r.detectable)) is not None]
    where = "" if len(rest) == len(rows) else f"on the other {len(rest)} " if len(rest) > 1 else "on the other one "
    if not known:
        return f"{where}there are too few documents, or too few that differ, to see any difference"
    said = f"{where}a difference of {percent(max(known))} points would have been seen with {level(power)} probability"
    few = len(rest) - len(known)
    return said + (f", but for {few} with too few documents, or too few that differ" if few else "")


def comparison(c: Comparison, narrow: bool = False) -> Table:
    """A row per task: both scores, difference, interval, flips, what is sure; ``narrow`` leaves some columns out."""
    several = len({r.task for r in c.tasks}) < len(c.tasks)
    rows: list[Row] = []
    for r in c.tasks:
        size = f"{r.documents:,}" if r.clusters is None else f"{r.documents:,} in {r.clusters} groups"
        flips = [DASH if n is None else str(n) for n in (r.lost, r.won)]
        seen = DASH if finite(r.detectable) is None else percent(r.detectable)
        change = [points(r.difference), _signed(r.low, r.high)]
        cells = [clean(r.task, NAME), r.metric, size, percent(r.a), percent(r.b), *change, *flips]
        rows.append([*cells, _p(r.adjusted), seen, r.better or DASH])
    head: tuple[str, ...] = (
        "task",
        "metric",
        "documents",
        "A",
        "B",
        "B − A",
        f"{level(c.level)} interval",
        "right → wrong",
    )
    head += ("wrong → right", "p (Holm)", "would be seen", "better")
    left_out = ({"documents", "right → wrong", "wrong → right", "would be seen"} if narrow else set()) | (
        set() if several else {"metric"}
    )
    kept = [i for i, name in enumerate(head) if name not in left_out]
    notes = _notes(c)
    if narrow:
        notes += (
            "In a wider window the table has documents, flips and the difference that would be seen; so has --json.",
        )
    return Table(
        head=tuple(head[i] for i in kept),
        rows=tuple([row[i] for i in kept] for row in rows),
        align="".join("llrrrrrrrrrl"[i] for i in kept),
        title=f"A = {clean(c.a)}, B = {clean(c.b)}; scores in percent",
        notes=notes,
    )


def _notes(c: Comparison) -> tuple[str, ...]:
    lines = [c.answer]
    if c.mean is not None:
        m = c.mean
        lines.append(f"Mean of {m.tasks} tasks: B − A is {points(m.difference)} points ({_signed(m.low, m.high)}).")
    losses = [r for r in c.tasks if r.nll_low is not None and r.nll_high is not None]
    if losses:
        down = sum(r.nll_high is not None and r.nll_high < 0 for r in losses)
        up = sum(r.nll_low is not None and r.nll_low > 0 for r in losses)
        lines.append(
            f"NLL of the gold answers ({level(c.level)} interval of each, numbers in --json): "
            f"lower with B on {down}, higher on {up}, neither on {len(losses) - down - up}."
        )
    return tuple(lines)


def _signed(low: float, high: float) -> str:
    known = finite(low) is not None and finite(high) is not None
    return f"{points(low)} to {points(high)}" if known else DASH


def _p(value: float) -> str:
    known = finite(value)
    return DASH if known is None else "< 0.001" if known < 0.001 else f"{known:.3f}"


def documents_csv(flips: Sequence[FlippedDocument]) -> list[dict[str, object]]:
    """Flipped documents as rows of a table."""
    return [{**f.model_dump(), "change": "gained" if f.b > f.a else "lost"} for f in flips]


# ---- gate ----


def rules(g: GateResult) -> Table:
    """A row per task and rule: what was asked, what was measured, what holds."""
    rows: list[Row] = []
    for r in g.rules:
        size = DASH if r.documents is None else f"{r.documents:,.0f}"
        rows.append(
            [clean(r.task, NAME), r.asked, r.metric or DASH, percent(r.value), size, OUTCOMES[r.outcome], r.why]
        )
    head = ("task", "rule", "metric", "measured", "documents", "outcome", "why")
    title = f"{clean(g.run)} against {clean(g.policy)}, scores in percent"
    return Table(head=head, rows=tuple(rows), align="lllrrll", title=title, notes=_gate_notes(g))


def _gate_notes(g: GateResult) -> tuple[str, ...]:
    spent = "" if g.share == 1 else f" (over the whole run; this look may spend {level(g.share)} of both rates)"
    lines = [
        g.answer,
        f"A run that keeps every rule is stopped with probability {level(g.false_alarms)} at most, one that breaks a "
        f"rule passes with {level(g.false_passes)} at most{spent}.",
    ]
    if g.record:
        lines.append(
            f"Registered {g.registered[:10]} in record {g.record[:12]}, recipe {g.recipe}, "
            f"family {clean(g.family, NAME)}."
        )
    if g.without_rule:
        lines.append(f"Registered, and no rule is about it: {', '.join(clean(t, NAME) for t in g.without_rule)}.")
    return tuple(lines)


def gate_answer(g: GateResult) -> str:
    """The verdict in a sentence, with its reason."""
    place = ""
    if g.tokens is not None and g.planned_tokens:
        share = g.tokens / g.planned_tokens
        place = f" at {count(g.tokens)} tokens" + ("" if share > 0.95 else f" ({level(round(share, 2))} of the run)")
    broken, open_ = ([r for r in g.rules if r.outcome == o] for o in ("broken", "open"))
    number = len(g.rules)
    if g.verdict == "no-go":
        return f"No-go{place}: {_each(broken)}."
    if g.verdict == "go":
        return f"Go{place}: {ALL.get(number, f'all {number} rules are')} kept."
    return f"Inconclusive{place}: {len(open_)} of {number} rules cannot be decided: {_each(open_)}."


def _each(outcomes: Sequence[RuleOutcome], most: int = 3) -> str:
    """Every reason with the tasks that it holds for."""
    tasks: dict[str, dict[str, None]] = {}
    for r in outcomes:
        tasks.setdefault(r.why, {})[clean(r.task, NAME)] = None
    said = [f"{_named(list(of))}: {why}" for why, of in list(tasks.items())[:most]]
    more = sum(r.why in list(tasks)[most:] for r in outcomes)
    return "; ".join(said) + (f"; and {more} more" if more else "")


def _named(tasks: Sequence[str], most: int = 3) -> str:
    return ", ".join(tasks[:most]) + (f" and {len(tasks) - most} more" if len(tasks) > most else "")


def asked(kind: str, low: float | None, high: float | None, least: float | None, other: str, by: float | None) -> str:
    """What a rule asks, in words."""
    if kind == "at_least":
        return f"at least {percent(least)}"
    if kind == "no_worse_than":
        return f"at most {percent(by)} points below {clean(other, NAME)}"
    edges = "" if low is None or high is None else f" ({interval(low, high)}{' here' if kind == 'on_course' else ''})"
    return {
        "not_below": f"not below its registered interval{edges}",
        "inside": f"inside its registered interval{edges}",
        "on_course": f"no drift below its registered course{edges}",
    }[kind]


def reason(r: RuleOutcome) -> str:
    """Why a rule that could be tested is kept, broken, or neither."""
    value, edges = percent(r.value), f"registered {interval(r.low, r.high)}"
    if r.kind in ("at_least", "no_worse_than"):
        return {
            "kept": f"surely above {percent(r.least)}",
            "broken": f"{value} is surely below {percent(r.least)}",
            "open": f"too few documents to tell {value} from {percent(r.least)}{_more(r)}",
        }[r.outcome]
    if r.kind == "on_course" and r.outcome != "open":
        return "no drift" if r.outcome == "kept" else f"{value}, and has drifted below its course ({edges} here)"
    if r.outcome == "kept":
        return "surely inside" if r.kind == "inside" else f"surely not below {percent(r.low)}"
    below = r.value is not None and r.low is not None and r.value < r.low
    above = r.value is not None and r.high is not None and r.value > r.high
    if r.outcome == "broken":
        return f"{value} is {'below' if below else 'above'} its interval ({edges})"
    if below or (above and r.kind == "inside"):
        allowed = interval(r.tolerated_low, r.tolerated_high)
        return f"{value} is outside its interval ({edges}), but chance allows {allowed}"
    return f"too few documents to tell {value} from the edge of its interval ({edges}){_more(r)}"


def _more(r: RuleOutcome) -> str:
    return "" if r.documents_needed is None else f" (about {r.documents_needed:,.0f} would do)"
