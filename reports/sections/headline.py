"""The answer in a sentence, made from the result: first line of the report, the terminal and ``repr(result)``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

from benchcast.stages.notices import grading, recipes

from ..records.answer import Answer, answer, beyond, is_planned
from ..records.forecast import Forecast, Result
from ..text import wording as w
from ..text.metric_names import short_tasks
from ..text.numbers import finite, level, ratio, score, score_range
from ..text.wording import recipe_name

NAME = 60  # characters of a name in the sentence
FAMILIES = 3  # told by name
LIKELY = 2 / 3  # chance from which a score is called likely
NOTHING = "Nothing was forecast."
ADVICE = {
    grading.STAYS_NEAR_CHANCE.name: "Add larger runs, or measure a task that small models can do",
    grading.NEVER_RIGHT.name: "Add larger runs, or measure a task that small models can do",
    grading.AT_CHANCE.name: "Add larger runs, or measure a task that small models can do",
    recipes.NO_COLUMN.name: "Measure that loss, or use the recipe auto, which needs scores only",
}
MORE_RUNS = "Add runs to the ladder, the next larger ones first"


def headline(result: Result) -> str:
    """What the target will score, how sure that is and how far beyond the ladder it lies; or why there is no number.

    Plain text on one line: one sentence on the score, one on how it compares with the runs that were measured.
    """
    a = answer(result)
    if not a.rows:
        return NOTHING
    if not a.numbers:
        return _none(a)
    if len(a.families) > 1:
        return _families(result, a)
    first = lead(a)
    parts = [f"{_who(result, a, first)} is forecast{_by(a)} to score {_said(a, first)}{_rest(a, first)}."]
    return " ".join([*parts, *_compared(result, a), *_refused(a)])


def lead(a: Answer) -> Forecast:
    """The forecast that the sentence tells: the first average, else the task that surely gains most, else the first."""
    first = a.numbers[0]
    return first if first.members else max(filter(_gains, a.numbers), key=_gain, default=first)


def short_names(a: Answer) -> dict[str, str]:
    """Tasks by the shortest name that tells them apart; what has none keeps its own."""
    return short_tasks((f.task, f.metric) for f in a.rows)


def task_name(a: Answer, f: Forecast) -> str:
    """A task's name as a sentence says it."""
    return w.clean(short_names(a).get(f.task, f.task), NAME)


def run_name(target: str, start: bool = False) -> str:
    """A target in a sentence, or at its ``start``; ``planned``, as init and --flops call it, in words."""
    return f"{'T' if start else 't'}he planned run" if target == "planned" else w.clean(target, NAME)


def _gains(f: Forecast) -> bool:
    """Whether the whole interval lies above the largest run: a smaller gain may be none."""
    low, carried = finite(f.low), finite(f.baselines.carry_forward)
    return low is not None and carried is not None and low > carried


def _gain(f: Forecast) -> float:
    return (f.forecast or 0.0) - (finite(f.baselines.carry_forward) or 0.0)


def _who(result: Result, a: Answer, f: Forecast) -> str:
    """``3M-20x, 81 times the ladder's largest run,``; the compute is meant."""
    ratio_ = beyond(result, f)
    name = run_name(f.target, start=True)
    if ratio_ is None:
        return name
    if ratio_ <= 1:
        return f"{name}, no larger in compute than the ladder's largest run,"
    return f"{name}, {ratio(ratio_)} times the compute of the ladder's largest run,"


def _by(a: Answer) -> str:
    """Which recipe, where it is none that grades its forecasts."""
    return "" if a.graded else f" by the recipe {recipe_name(a.recipe)}"


def _said(a: Answer, f: Forecast) -> str:
    """``71 % on recall (58 to 84 with 90 % confidence)``."""
    measured = "" if finite(f.actual) is None else f"; measured: {score(f.actual, f.low, f.high)} %"
    return (
        f"{score(f.forecast, f.low, f.high)} % {_on(a, f)} ({_interval(f)} with {level(f.level)} confidence{measured})"
    )


def _on(a: Answer, f: Forecast) -> str:
    if f.members:
        return f"on the average “{task_name(a, f)}”"
    return f"on {task_name(a, f)}"


def _interval(f: Forecast) -> str:
    return score_range(f.low, f.high) or "no interval"


def _rest(a: Answer, first: Forecast) -> str:
    """The other tasks, by the range of their forecasts."""
    others = [f for f in a.numbers if f is not first and not f.members]
    if not others:
        return ""
    values = sorted(f.forecast for f in others if f.forecast is not None)
    ends = list(dict.fromkeys((f"{100 * values[0]:.0f}", f"{100 * values[-1]:.0f}")))
    if first.members:
        return f", and {' to '.join(ends)} % on {_counted(len(others), 'single task')}"
    most = ", where it gains most," if _gains(first) else ""
    return f"{most} and {' to '.join(ends)} % on {_counted(len(others), 'other task')}"


def _counted(n: int, what: str) -> str:
    return f"the {n} {what}s" if n > 1 else f"the {what}"


def _compared(result: Result, a: Answer) -> list[str]:
    """How it would stand among the runs that were measured; nothing of a run that was measured itself.

    The whole interval tells first. Where it does not lie above all runs, a forecast that is likely to is named, with
    its chance: one a little above the best of many noisy scores says nothing.
    """
    rows = [lead(a)] if lead(a).members or len(a.numbers) == 1 else list(a.numbers)
    if not is_planned(result, rows[0].target):
        return []
    known = [(f, others) for f in rows if (others := _measured(result, f))]
    if not known:
        return []
    n = max(len(others) for _, others in known)
    every = f"all {n} runs measured" if n > 1 else "the one run measured"
    surely = sum((finite(f.low) or 0.0) > max(others) for f, others in known)
    likely = sum(_likely_above(f) > max(others) for f, others in known)
    on = f"On {_share(surely or likely, len(known))} tasks " if len(known) > 1 else ""
    its, it = ("its", "it") if on else ("Its", "It")
    if surely:
        return [f"{on}{its} whole interval lies above {every}."]
    if likely:
        return [f"{on}{it} is likely to score above {every} (2 chances in 3 or more)."]
    if on:
        return []
    below = sum(value < (finite(known[0][0].low) or 0.0) for value in known[0][1])
    return [f"Its whole interval lies above {below or 'none'} of the {n} runs measured."]


def _share(some: int, every: int) -> str:
    return f"all {every}" if some == every else f"{some} of {every}"


def _likely_above(f: Forecast) -> float:
    """The score that the target exceeds with the chance ``LIKELY``, from the lower half of its interval."""
    if f.forecast is None or (low := finite(f.low)) is None:
        return 0.0
    normal = NormalDist()
    share = normal.inv_cdf(LIKELY) / normal.inv_cdf((1 + f.level) / 2)
    return f.forecast - share * (f.forecast - low)


def _measured(result: Result, f: Forecast) -> list[float]:
    """The measured scores of a forecast's task in its family."""
    own = [s for s in result.scores if (s.family, s.task) == (f.family, f.task)]
    return [value for s in own for value in s.accuracy if finite(value) is not None]


def _refused(a: Answer) -> list[str]:
    lacking = len(a.rows) - len(a.numbers)
    return [f"For {lacking} of {len(a.rows)} tasks no number is given."] if lacking else []


def _families(result: Result, a: Answer) -> str:
    """One task in every family: the first task with a number in most of them."""
    counts = Counter(f.task for f in a.numbers)
    averages = {f.task for f in a.numbers if f.members}
    task = max(counts, key=lambda name: (counts[name], name in averages))
    rows = [f for f in a.numbers if f.task == task]
    told = rows[:FAMILIES]
    one = len({f.target for f in rows}) == 1
    scores = [f"{score(f.forecast, f.low, f.high)} % ({_interval(f)}) {_of(f, one)}" for f in told]
    more = f" and {len(rows) - len(told)} more" if len(rows) > len(told) else ""
    who = f"{_who(result, a, rows[0])} is" if one else "The targets are"
    rest = sum(not f.members for f in a.numbers if f.task != task)
    others = f" {rest} more forecasts are below." if rest else ""
    sure = f"with {level(rows[0].level)} confidence"
    lines = f"{who} forecast{_by(a)} to score {_on(a, rows[0])} {_joined(scores)}{more}, {sure}.{others}"
    return " ".join([lines, *_refused(a)])


def _of(f: Forecast, one_target: bool) -> str:
    return f"in the family {w.clean(f.family, NAME)}" if one_target else f"for {w.clean(f.target, NAME)}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _none(a: Answer) -> str:
    """No number at all: why, and what to do."""
    targets = w.clean(", ".join(map(run_name, a.targets)), NAME)
    tasks = f"{task_name(a, a.rows[0])}" if len(a.rows) == 1 else f"any of {len(a.rows)} tasks"
    reasons = [reason for f in a.rows for reason in (f.reasons or f.notes[:1])]
    if not reasons:
        return f"No number is given for {targets} on {tasks}. {MORE_RUNS}."
    causes = Counter(w.summary(reason) for reason in reasons)
    cause, _ = causes.most_common(1)[0]
    of_cause = [reason for reason in reasons if w.summary(reason) == cause]
    return (
        f"No number is given for {targets} on {tasks}: {w.shared(of_cause)}. {ADVICE.get(of_cause[0].code, MORE_RUNS)}."
    )
