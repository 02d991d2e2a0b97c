"""What a reader of the answer asks next: cost, how sure, compared with what, what could be wrong, what next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchcast.stages.notices import Severity, grading, laws

from ..records.answer import beyond, has_number, is_planned
from ..records.forecast import Forecast
from ..text import forecast_table
from ..text import wording as w
from ..text.backtest_table import overall
from ..text.numbers import count, finite, percent, points, ratio, scientific, score
from ..text.wording import NAME, recipe_name
from .content import Content, basis, held_out
from .headline import lead, run_name

NAMED = 4  # tasks or targets listed by name in a sentence
FEWEST = 3  # runs that auto needs
RARE = 0.05  # so many held-out scores outside by chance alone: less likely than this is a warning
MANY, DANGERS, FEWER = 28, 6, 3  # beyond so many answers there are fewer lines below them
NOT_LOOKED_UP = "Not looked up: run again with `--register FILE`."
NOT_REGISTERED = (
    "No. Nothing shows that these numbers were made before the scores were known; "
    "`benchcast register CONFIG --register FILE` puts them on record."
)
ON_RECORD = "On record"
UNCOVERED = (
    "No interval covers what the table does not show: another data mix, an annealing phase, tokenizer or prompt of the "
    "target."
)
AT_BOUND = "The data do not fix a parameter of the law: the interval may be too narrow"
SUGGEST = "`benchcast suggest CONFIG --budget FLOPS` names the run to add that tells most for its cost."
NOTHING_PLANNED = "Add a planned run to targets, a name with params and tokens: page one is then about that run."
MORE_FOR_AUTO = "Add runs to the ladder: auto, whose forecasts are tested on it first and graded, needs at least three."
ADD_AUTO = "Add auto to recipes, or leave recipes out: its forecasts are tested on the ladder first, and graded."


@dataclass(frozen=True, kw_only=True)
class Block:
    """What one question is answered with, under its name; commands in lines stand in backticks."""

    name: str
    lines: tuple[str, ...]


def blocks(c: Content, paged: bool = True) -> list[Block]:
    """Cost, record, dangers, what next, and whether it is on record: each under its name."""
    if not c.answer.rows:
        return []
    named = {
        "Cost": _cost(c),
        "Stands on": [basis(c)],
        "How sure": record(c, paged),
        "Compared with": compared(c),
        "Could be wrong": dangers(c),
        "What next": what_next(c),
        ON_RECORD: _registered(c),
    }
    return [Block(name=name, lines=tuple(lines)) for name, lines in named.items() if lines]


def _cost(c: Content) -> list[str]:
    fitted_runs = [run.flops for run in c.result.ladder if run.role == "fit"]
    first = lead(c.answer) if c.answer.numbers else c.answer.rows[0]
    size = f" ({count(first.params)} parameters on {count(first.tokens)} tokens)" if first.params else ""
    said = f"{run_name(first.target, start=True)}: {scientific(first.flops)} training FLOPs{size}"
    if not fitted_runs:
        return [f"{said}."]
    spent = first.flops / sum(fitted_runs)
    runs = f"the {len(fitted_runs)} runs of the ladder" if len(fitted_runs) > 1 else "the one run of the ladder"
    return [f"{said}, {ratio(spent)} times what {runs} took together ({scientific(sum(fitted_runs))})."]


def record(c: Content, paged: bool = True) -> list[str]:
    """What the backtest says in a sentence, and what the held-out runs say."""
    return [_backtest(c), *_held_out(c, paged)]


def _backtest(c: Content) -> str:
    tested = [t for t in c.result.backtests if t.recipe == c.answer.recipe and not t.task and overall(t) and t.n]
    n = sum(t.n for t in tested)
    if n:
        error, carried, inside = (
            sum(t.n * value for t, value in zip(tested, values, strict=True)) / n
            for values in zip(*((t.error, t.carry_error, t.coverage) for t in tested), strict=True)
        )
        return (
            f"In {n} forecasts of the ladder's own runs from cheaper ones{_tested_to(c)} the method missed by "
            f"{percent(error)} points on average, carrying forward by {percent(carried)}; {100 * inside:.0f} % of the "
            f"measured scores were inside the {c.level} interval."
        )
    if c.answer.graded:
        return "The ladder is too short for a backtest: how far such forecasts miss was not tested."
    name = recipe_name(c.answer.recipe)
    return f"{name} is a published recipe: it was not tested on the ladder's own runs, and its forecasts have no grade."


def _tested_to(c: Content) -> str:
    """How far beyond the runs it was fitted on the farthest of these forecasts lay."""
    tested = _tested(c)
    return f", up to {ratio(tested)} times their compute," if tested else ""


def _held_out(c: Content, paged: bool) -> list[str]:
    held = held_out(c.known)
    if held is None:
        return []
    against = "" if held.carried is None else f", carrying forward by {percent(held.carried)}"
    where = " (next page)" if paged and c.answer.others else ""
    runs = f"{_counted(held.runs, 'held-out run')}, which no law has seen{where}"
    return [
        f"On {runs}, the forecasts miss by {percent(held.miss)} points{against}; {held.inside} of {held.stated} scores "
        f"are inside the interval."
    ]


def compared(c: Content) -> list[str]:
    """The answer beside the largest run, and beside the published recipes on the task of the headline."""
    known = [f for f in c.answer.numbers if finite(f.baselines.carry_forward) is not None]
    if not known:
        return []
    gains = sorted((f.forecast or 0.0) - (f.baselines.carry_forward or 0.0) for f in known)
    surely = sum((f.low or 0.0) > (f.baselines.carry_forward or 0.0) for f in known)
    tasks = "" if len(known) == 1 else f" on {surely} of {len(known)} tasks"
    reach = "its interval reaches" if len(known) == 1 else "every interval reaches"
    holds = f"the whole interval lies above it{tasks}" if surely else f"{reach} below that run's score"
    return [f"The ladder's largest run: the forecast lies {_off(gains)} it; {holds}.", *_beside(c)]


def _off(gains: Sequence[float]) -> str:
    """``3.1 to 20.4 points above``: from the least gain to the most."""
    if gains[0] >= 0 or gains[-1] <= 0:
        ends = dict.fromkeys(percent(abs(gain)) for gain in (gains[0], gains[-1]))
        return f"{' to '.join(ends)} points {'above' if gains[0] >= 0 else 'below'}"
    return f"{points(gains[0])} to {points(gains[-1])} points from"


def _beside(c: Content) -> list[str]:
    """What the other recipes say on the task of the headline."""
    first = lead(c.answer)
    group = c.groups[first.family, first.task, first.target]
    others = {f.recipe: f for f in group if f.recipe != c.answer.recipe and has_number(f)}
    if not others:
        return []
    said = ", ".join(f"{recipe_name(name)} {score(f.forecast, f.low, f.high)}" for name, f in others.items())
    kind = "The published recipes" if c.answer.graded else "The other recipes"
    return [f"{kind} on {c.row_name(first, NAME)}: {said} %, where the answer is {score(first.forecast)}."]


def dangers(c: Content) -> list[str]:
    """What could make the answers wrong: the warnings of page one's forecasts, most frequent first."""
    warned: dict[str, list[Forecast]] = {}
    said: dict[str, tuple[int, str]] = {}
    for f in c.answer.rows:
        for code, rank, text in _warnings(f):
            said.setdefault(code, (rank, text))
            warned.setdefault(code, []).append(f)
    ordered = sorted(warned, key=lambda code: (said[code][0], -len(warned[code])))
    lines = [f"{_capital(said[code][1])} ({who(c, warned[code])})." for code in ordered[: room(c)]]
    more = len(ordered) - room(c)
    far = None if grading.BEYOND_TESTED.name in said else _untested(c)
    if far is not None:
        target, went = run_name(c.answer.rows[0].target, start=True), ratio(far[1])
        lines.insert(
            0, f"{target} lies {ratio(far[0])} times beyond the ladder in compute; the backtest went up to {went}."
        )
    rarer = f"{more} rarer warnings are" if more > 1 else "1 rarer warning is"
    return [
        *_too_narrow(c),
        *_below_largest(c),
        *lines,
        *([f"{rarer} in the notes at the end."] if more > 0 else []),
        UNCOVERED,
    ]


def _too_narrow(c: Content) -> list[str]:
    """Whether held-out scores fell outside their intervals more often than these allow.

    As if scores were independent; those of one run are not, which the line says.
    """
    known = [f for f in c.known if forecast_table.inside(f) is not None]
    if not known:
        return []
    from scipy.stats import binom

    out, stated = sum(forecast_table.inside(f) is False for f in known), known[0].level
    if binom.sf(out - 1, len(known), 1 - stated) >= RARE:
        return []
    alone = " (those of one run move together)" if len(known) > 1 else ""
    return [
        f"The intervals may be too narrow: {out} of {len(known)} held-out scores{alone} fell outside, where "
        f"{(1 - stated) * len(known):.1f} were to be expected."
    ]


def _below_largest(c: Content) -> list[str]:
    """Whether most forecasts of a larger run lie below what the largest run scored, where scores rise with compute.

    They do where the one-step law goes up.
    """
    known = [f for f in c.answer.numbers if finite(f.baselines.carry_forward) is not None]
    ratio_ = beyond(c.result, known[0]) if known else None
    if ratio_ is None or ratio_ <= 1:
        return []
    bases = [(f.forecast or 0.0, f.baselines.carry_forward or 0.0, finite(f.baselines.direct)) for f in known]
    below = sum(value < carried and direct is not None and direct > carried for value, carried, direct in bases)
    if 2 * below <= len(known):
        return []
    where = f" on {below} of {len(known)} tasks" if len(known) > 1 else ""
    return [
        f"The forecast lies below the score of the ladder's largest run{where}, though scores rise with compute: "
        f"it may be too low."
    ]


def _warnings(f: Forecast) -> Iterable[tuple[str, int, str]]:
    """What page one says of a forecast: code (or text, where none is known), rank, sentence; each once."""
    found: dict[str, tuple[int, str]] = {}
    for note in f.notes:
        if note.page_one is not None and (has_number(f) or note.severity != Severity.FAILURE):
            key = note.code if note.definition.name == note.code != "other" else str(note)
            text = AT_BOUND if note.code == laws.AT_BOUND.name else w.clean(note.body)
            found.setdefault(key, (note.page_one, text))
    # What lowered a grade, unless a warning says it already.
    for reason in f.reasons if has_number(f) else ():
        if reason.page_one is not None and reason.code not in f.codes:
            found.setdefault(reason.code, (1, w.summary(reason)))
    return [(code, rank, text) for code, (rank, text) in found.items()]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def what_next(c: Content) -> list[str]:
    """Which run to add and what it would buy, or how to find out; only what was computed."""
    planned = is_planned(c.result, c.answer.rows[0].target)
    lines = [*_reach(c), *_next_run(c)] if planned else [NOTHING_PLANNED]
    if not c.answer.graded:
        fitted = sum(run.role == "fit" for run in c.result.ladder)
        lines.append(ADD_AUTO if fitted >= FEWEST else MORE_FOR_AUTO)
    elif not lines:
        lines.append(SUGGEST)
    return lines


def _reach(c: Content) -> list[str]:
    """What a run must have so that the target is no farther beyond the ladder than the backtest went."""
    needs: dict[str, str] = {}
    for f in c.answer.rows:
        for reason in f.reasons:
            values, axis = reason.values, str(reason.values.get("axis", ""))
            of_target = {"parameters": f.params, "tokens": f.tokens, "FLOPs": f.flops}.get(axis)
            if reason.code == grading.BEYOND_TESTED.name and of_target and "tested" in values:
                least = of_target / float(values["tested"])
                needs.setdefault(axis, f"{scientific(least) if axis == 'FLOPs' else count(least)} {axis}")
    first = lead(c.answer) if c.answer.numbers else c.answer.rows[0]
    far = _untested(c)
    if far is not None and not needs:
        needs = {"FLOPs": f"{scientific(first.flops / far[1])} FLOPs ({100 / far[1]:.0f} % of the target's)"}
    if not needs:
        return []
    run = " and ".join(needs.values())
    target = run_name(first.target)
    return [f"A run of at least {run} would bring {target} as near to the ladder as the backtest has tested."]


def _untested(c: Content) -> tuple[float, float] | None:
    """How far the target lies beyond the ladder in compute, and how far was tested; None where it was tested so far."""
    first = lead(c.answer) if c.answer.numbers else c.answer.rows[0]
    ratio_, tested = beyond(c.result, first), _tested(c)
    return (ratio_, tested) if ratio_ is not None and tested is not None and ratio_ > tested else None


def _tested(c: Content) -> float | None:
    """How far beyond the runs it was fitted on, in compute, the backtest's farthest forecast lay."""
    return max((f.tested_ratio for f in c.answer.rows if f.tested_ratio), default=None)


def _next_run(c: Content) -> list[str]:
    run = c.result.next_run
    if run is None:
        return []
    task = next((f for f in c.answer.rows if (f.family, f.task) == (run.family, run.task)), None)
    name = c.row_name(task, NAME) if task else w.clean(run.task, NAME)
    cost = finite(task.flops) if task else None
    share = f", {100 * run.flops / cost:.0f} % of the target's" if cost else ""
    return [
        f"Add a run of {count(run.params)} parameters on {count(run.tokens)} tokens ({scientific(run.flops)} FLOPs"
        f"{share}): it is expected to take {100 * run.shrinks:.0f} % off the standard error of the least sure "
        f"forecast, {name}. For other budgets: `benchcast suggest CONFIG --budget FLOPS`."
    ]


def _registered(c: Content) -> list[str]:
    """Yes with date and hash, no, or in part."""
    found = c.result.registered
    if found is None:
        return [NOT_LOOKED_UP]
    total = len(c.forecasts)
    if not found.count:
        return [NOT_REGISTERED]
    share = "Yes" if found.count == total else f"{found.count} of {total} forecasts"
    return [f"{share}, since {found.time[:10]} (record {found.hash[:12]})."]


def room(c: Content) -> int:
    """How many warnings page one has room for."""
    return FEWER if len(c.answer.rows) > MANY else DANGERS


def who(c: Content, rows: Sequence[Forecast]) -> str:
    """Which tasks, in words."""
    every = c.answer.rows
    if len(rows) == len(every):
        return "every task" if len(every) > 1 else c.row_name(every[0], NAME)
    if len(rows) <= NAMED:
        return ", ".join(c.row_name(f, NAME) for f in rows)
    return f"{len(rows)} of {len(every)} tasks"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}s" if n != 1 else f"the {what}"
