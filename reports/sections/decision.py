"""Page one for those who decide: the answer of each task, its cost, how sure it is, what could be wrong, what next."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from benchcast.stages.notices import grading, laws, read_all

from ..figures import answer as answer_figure
from ..records.answer import has_number
from ..records.forecast import Forecast
from ..text import wording as w
from ..text.backtest_table import overall
from ..text.metric_names import metric_label
from ..text.numbers import count, finite, percent, points, ratio, scientific, score, score_range
from ..text.table import Column, Row, Table, table
from ..text.wording import NAME, recipe_name
from .content import Content, basis
from .headline import headline, lead
from .picture import Files, Picture

MOST = 44  # answers on page one
FEW_REFUSED = 12  # more answers without a number than these are counted, not listed
MANY, DANGERS, FEWER = 28, 6, 3  # beyond so many answers there are fewer lines below them
SIZES = {10: (7.0, 9.5, 10.0), 16: (5.6, 9.0, 9.0), 26: (4.6, 8.0, 8.5), MOST: (3.7, 7.5, 7.5)}  # by rows at most
NAMED = 4  # tasks or targets listed by name in a sentence
GRADES = {
    "A": "expected to miss by at most 2 points",
    "B": "by at most 4",
    "C": "by more, or farther beyond the ladder than was tested, or in the backtest no better than carrying forward",
    "D": "the ladder gives no ground for a number",
}
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
ADD_AUTO = "Add auto to recipes, or leave recipes out: its forecasts are tested on the ladder first, and graded."


@dataclass(frozen=True, kw_only=True)
class Block:
    """What one question is answered with, under its name; commands in lines stand in backticks."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the table and the figure beside it are set: millimetres; ``type`` (table), ``text`` (below it): points."""

    row: float
    head: float
    foot: float
    strip: float
    type: float
    text: float


@dataclass(frozen=True, kw_only=True)
class PageOne:
    """All of page one but title and figures of the nightly pass; ``answers`` and ``strip`` have rows of one height."""

    headline: str
    answers: Table | None
    strip: Picture | None
    layout: Layout
    below: tuple[str, ...]
    blocks: tuple[Block, ...]


def page_one(c: Content, files: Files) -> PageOne:
    """Page one of a result; its figure goes into ``files``."""
    rows = listed(c)[:MOST]
    layout = _layout(len(rows))
    return PageOne(
        headline=headline(c.result),
        answers=_answers(c, rows) if rows else None,
        strip=_strip(c, rows, layout, files),
        layout=layout,
        below=tuple(below(c)),
        blocks=tuple(blocks(c)),
    )


def listed(c: Content) -> list[Forecast]:
    """The answers that page one lists, those without a number last; these are only counted where they are many."""
    rows = c.answer.rows
    lacking = [f for f in rows if not has_number(f)]
    return [*c.answer.numbers, *(lacking if len(lacking) <= FEW_REFUSED else ())]


def _layout(rows: int) -> Layout:
    """Few rows are set wide, many so that all of them and the lines below fit on the page."""
    row, size, text = SIZES[min(most for most in SIZES if rows <= most)]
    return Layout(row=row, head=9.0, foot=6.0, strip=60.0, type=size, text=text)


def _answers(c: Content, rows: Sequence[Forecast]) -> Table:
    known = any(finite(f.actual) is not None for f in rows)
    graded = c.answer.graded
    columns: list[Column] = [("Task", "l", 3.6), ("Metric", "l", 2.2), ("Forecast", "r", 1.7)]
    columns += [(f"{c.level} interval", "r", 1.8)] + [("Grade", "c", 1.3)] * graded + [("Carried forward", "r", 1.6)]
    columns += [("Measured", "r", 1.6)] * known
    room = 34 - 5 * graded - 9 * known
    cells: list[Row] = []
    for f in rows:
        number = [percent(f.forecast), score_range(f.low, f.high)] if has_number(f) else ["none", ""]
        grade = [f.grade or ""] * graded
        measured = [_measured(f)] * known
        cells.append(
            [
                c.row_name(f, room),
                metric_label(f.metric),
                *number,
                *grade,
                percent(f.baselines.carry_forward),
                *measured,
            ]
        )
    averages = sum(bool(f.members) for f in rows)
    return table(columns, cells, [averages] if 0 < averages < len(rows) else [])


def _measured(f: Forecast) -> str:
    low, high, actual = finite(f.low), finite(f.high), finite(f.actual)
    outside = None not in (low, high, actual) and not (low or 0) <= (actual or 0) <= (high or 0)
    return percent(f.actual) + " outside" * outside


def _strip(c: Content, rows: Sequence[Forecast], layout: Layout, files: Files) -> Picture | None:
    if not answer_figure.drawn(rows):
        return None
    inch = 25.4
    strip = answer_figure.Strip(
        width=layout.strip / inch, head=layout.head / inch, row=layout.row / inch, foot=layout.foot / inch
    )
    files["answer.svg"] = answer_figure.strip_svg(rows, strip)
    alt = f"Dot plot of the table beside it: forecasts with their {c.level} interval, the largest run, and chance."
    return Picture(file="answer.svg", alt=alt, caption="")


def below(c: Content) -> list[str]:
    """How to read the table, and why a task has no number."""
    rows = c.answer.rows
    if not rows:
        return []
    lines = [f"In percent. Carried forward: {_largest(c)} again, as one would expect without any law."]
    if c.answer.graded:
        letters = [letter for letter in GRADES if any(f.grade == letter for f in rows)]
        lines.append("Grades: " + "; ".join(f"{letter}, {GRADES[letter]}" for letter in letters) + ".")
    return [*lines, *_refusals(c), *_more(c)]


def _largest(c: Content) -> str:
    fitted_runs = [run for run in c.result.ladder if run.role == "fit"]
    families = {run.family for run in fitted_runs}
    if not fitted_runs or len(families) > 1:
        return "the score of the ladder's largest run"
    return f"the score of the ladder's largest run, {w.clean(max(fitted_runs, key=lambda run: run.flops).run, NAME)},"


def _more(c: Content) -> list[str]:
    left_out, more = len(c.answer.rows) - len(listed(c)), max(0, len(listed(c)) - MOST)
    lines = [f"{left_out} tasks without a number are not listed here."] if left_out else []
    return lines + [f"{more} more tasks are in the table of all forecasts, on the last pages."] * bool(more)


def _refusals(c: Content) -> list[str]:
    """Why there is no number, reason by reason; a forecast may be refused for several."""
    refused: dict[str, list[Forecast]] = {}
    losses: list[str] = []
    for f in c.answer.rows:
        if not has_number(f):
            for reason in f.reasons or f.notes[:1] or read_all(("too little data",)):
                refused.setdefault(w.summary(reason), []).append(f)
            losses += [f"{c.row_name(f, NAME)}: {n}." for n in f.notes if n.code == grading.GOLD_LOSS.name]
    ordered = sorted(refused.items(), key=lambda item: -len(item[1]))
    room = _lines(c)
    told = [f"No number for {_who(c, part)}: {why}." for why, part in ordered[:room]]
    return [*told, *losses[:room]]


# ---- the blocks ----


def blocks(c: Content) -> list[Block]:
    """Cost, record, dangers, what next, and whether it is on record: each under its name."""
    if not c.answer.rows:
        return []
    named = {
        "Cost": _cost(c),
        "Stands on": [basis(c)],
        "How sure": record(c),
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
    said = f"{w.clean(first.target, NAME)}: {scientific(first.flops)} training FLOPs{size}"
    if not fitted_runs:
        return [f"{said}."]
    spent = first.flops / sum(fitted_runs)
    runs = f"the {len(fitted_runs)} runs of the ladder" if len(fitted_runs) > 1 else "the one run of the ladder"
    return [f"{said}, {ratio(spent)} times what {runs} took together ({scientific(sum(fitted_runs))})."]


def record(c: Content) -> list[str]:
    """What the backtest says in a sentence, and what the held-out runs say."""
    return [_backtest(c), *_held_out(c)]


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
    known = [f.tested_ratio for f in c.answer.rows if f.tested_ratio]
    return f", up to {ratio(max(known))} times their compute," if known else ""


def _held_out(c: Content) -> list[str]:
    known = [f for f in c.known if has_number(f)]
    if not known:
        return []
    runs = len({f.target for f in known})
    miss = statistics.fmean(abs((f.forecast or 0.0) - (f.actual or 0.0)) for f in known)
    bases = [(f.baselines.carry_forward, f.actual) for f in known]
    carried = [abs(base - actual) for base, actual in bases if base is not None and actual is not None]
    against = f", carrying forward by {percent(statistics.fmean(carried))}" if carried else ""
    stated = [inside for f in known if (inside := _inside(f)) is not None]
    where = " (next page)" if c.answer.others else ""
    held = f"{_counted(runs, 'held-out run')}, which no law has seen{where}"
    return [
        f"On {held}, the forecasts miss by {percent(miss)} points{against}; {sum(stated)} of {len(stated)} scores are "
        f"inside the interval."
    ]


def _inside(f: Forecast) -> bool | None:
    low, high, actual = finite(f.low), finite(f.high), finite(f.actual)
    return None if low is None or high is None or actual is None else low <= actual <= high


def compared(c: Content) -> list[str]:
    """The answer beside the largest run, and beside the published recipes on the task of the headline."""
    known = [f for f in c.answer.numbers if finite(f.baselines.carry_forward) is not None]
    if not known:
        return []
    gains = sorted((f.forecast or 0.0) - (f.baselines.carry_forward or 0.0) for f in known)
    surely = sum((f.low or 0.0) > (f.baselines.carry_forward or 0.0) for f in known)
    tasks = "" if len(known) == 1 else f" on {surely} of {len(known)} tasks"
    holds = f"the whole interval lies above it{tasks}" if surely else "no interval lies above it as a whole"
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
    lines = [f"{_capital(said[code][1])}: {_who(c, warned[code])}." for code in ordered[: _lines(c)]]
    more = len(ordered) - _lines(c)
    return [*lines, *([f"{more} rarer warnings are in the notes at the end."] if more > 0 else []), UNCOVERED]


def _warnings(f: Forecast) -> Iterable[tuple[str, int, str]]:
    """What page one says of a forecast: code (or text, where none is known), rank, sentence; each once."""
    found: dict[str, tuple[int, str]] = {}
    for note in f.notes:
        if note.page_one is not None:
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
    lines = [*_reach(c), *_next_run(c)]
    if not c.answer.graded:
        lines.append(ADD_AUTO)
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
                needs.setdefault(axis, scientific(least) if axis == "FLOPs" else count(least))
    if not needs:
        return []
    target = w.clean(c.answer.targets[0], NAME)
    run = " and ".join(f"{least} {axis}" for axis, least in needs.items())
    return [f"A run of at least {run} would bring {target} as near to the ladder as the backtest has tested."]


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


def without(page: PageOne, name: str) -> PageOne:
    """The page without one block."""
    return replace(page, blocks=tuple(block for block in page.blocks if block.name != name))


# ---- who ----


def _lines(c: Content) -> int:
    """How many warnings page one has room for."""
    return FEWER if len(c.answer.rows) > MANY else DANGERS


def _who(c: Content, rows: Sequence[Forecast]) -> str:
    """Which tasks, in words."""
    every = c.answer.rows
    if len(rows) == len(every):
        return "every task" if len(every) > 1 else c.row_name(every[0], NAME)
    if len(rows) <= NAMED:
        return ", ".join(c.row_name(f, NAME) for f in rows)
    return f"{len(rows)} of {len(every)} tasks"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}s" if n != 1 else f"the {what}"
