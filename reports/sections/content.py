"""What the report says, as plain strings and tables: the template only sets them.

A table is ``{"head", "align", "widths", "rules", "rows"}``; a cell is a string, or ``{"text", "span"}`` over several
rows, or null where a span covers it.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import yaml
from benchcast.stages.notices import grading, read_all

from ..text import wording as w

Record = Mapping[str, Any]
Table = dict[str, Any]
Key = tuple[str, str, str]
FULL_ROWS = 20  # forecasts in the page-one table; more go to an appendix and page one has a row per task and target
COMPACT_ROWS = 10
PAGE_ONE_NOTES = 6
DETAILED = 12  # (family, task) pairs with figures and parameters
FOREST_GROUPS = 48
INDEXED = 8  # more (family, task) pairs than these get an index
ANSWER = "auto"  # the recipe whose numbers are the answer where it ran; the others stand in the appendix
NAME = 44  # characters of a name in a table


class Content:
    """One result, indexed for the report."""

    def __init__(self, result: Record) -> None:
        self.result = result
        self.forecasts: list[Record] = list(result["forecasts"])
        self.recipes = list(dict.fromkeys(f["recipe"] for f in self.forecasts))
        self.targets = list(dict.fromkeys(f["target"] for f in self.forecasts))
        self.families = list(dict.fromkeys(f["family"] for f in self.forecasts))
        self.pairs = list(dict.fromkeys((f["family"], f["task"]) for f in self.forecasts))
        self.groups = self._groups()
        self.level = " / ".join(dict.fromkeys(w.level(f["level"]) for f in self.forecasts)) or "90 %"
        affected = Counter(note for f in self.forecasts for note in notes_of(f))
        first = {w.clean(note) for f in self.forecasts for note in read_all(f["notes"]) if note.page_one == 0}
        self.notes = {note: index + 1 for index, (note, _) in enumerate(_by_weight(affected, first))}
        self.affected = affected
        self.one_each = len({(f["family"], f["target"]) for f in self.forecasts}) == len(self.families)
        self.graded = any(f.get("grade") for f in self.forecasts)
        answers = [f for f in self.forecasts if f["recipe"] == ANSWER]
        self.answers = answers or self.forecasts
        self.known = [f for f in self.answers if w.finite(f["actual"]) is not None]

    def _groups(self) -> dict[Key, list[Record]]:
        """Forecasts by (family, task, target): tasks in order of appearance, targets together, recipes inside."""
        groups: dict[Key, list[Record]] = {}
        for family, task in self.pairs:
            for target in self.targets:
                key = (family, task, target)
                rows = [f for f in self.forecasts if (f["family"], f["task"], f["target"]) == key]
                if rows:
                    groups[key] = sorted(rows, key=lambda f: self.recipes.index(f["recipe"]))
        return groups

    def pair_name(self, pair: tuple[str, str]) -> str:
        """A task's name, with its family where there are several."""
        family, task = pair
        return f"{task} ({family})" if len(self.families) > 1 else task

    def small(self, pair: tuple[str, str]) -> tuple[str, list[tuple[float, float, str]], list[Record]]:
        """Title, measured runs (FLOPs, accuracy, role) and forecasts of a task."""
        ladder = {run["run"]: run for run in self.result["ladder"]}
        measured_ = [s for s in self.result.get("scores", ()) if (s["family"], s["task"]) == pair]
        runs = [
            (ladder[run]["flops"], accuracy, ladder[run]["role"])
            for s in measured_
            for run, accuracy in zip(s["runs"], s["accuracy"], strict=True)
            if run in ladder
        ]
        return w.clean(self.pair_name(pair), 34), runs, [f for f in self.forecasts if (f["family"], f["task"]) == pair]

    def label(self, key: Key, most: int) -> str:
        """A group's name: only the parts that differ within this report."""
        family, task, target = key
        if len(self.families) > 1 and self.one_each:  # the family says which target it is
            return w.clean(f"{task} · {w.clean(family, max(6, most - len(task) - 3) if most else 0)}", most)
        if len(self.families) > 1:
            target = target.removeprefix(family).lstrip("-_ ") or target
        others = [family] * (len(self.families) > 1) + [target] * (len(self.targets) > 1)
        # The task is what a row is about: the other parts share what room it leaves.
        room = max(6, (most - len(task)) // max(len(others), 1) - 3) if most else 0
        short = [w.clean(part, room) for part in others]
        return w.clean(" · ".join([task, *short]), most)


def _by_weight(affected: Counter[str], first: Collection[str]) -> list[tuple[str, int]]:
    """Notes, most frequent first; before all others those that come ``first``."""
    return sorted(affected.most_common(), key=lambda item: item[0] not in first)


def notes_of(f: Record) -> list[str]:
    """A forecast's notes, each once; why it was refused without the numbers, which differ from task to task."""
    refused = [f"no number is given: {w.summary(reason)}" for reason in read_all(f.get("reasons", ()))]
    found: list[str] = []
    for note in read_all(f["notes"]):
        found += refused if note.code == grading.REFUSED.name else [w.clean(note)]
    return list(dict.fromkeys(found))


def index(c: Content, sections: Iterable[Record], sheets: Iterable[Record]) -> list[dict[str, str]]:
    """Where each task is shown, by name; nothing for a report whose tasks are seen at a glance."""
    if len(c.pairs) <= INDEXED:
        return []
    places = {tuple(s["pair"]): s["key"] for s in sections}
    places |= {tuple(pair): sheet["key"] for sheet in sheets for pair in sheet["pairs"]}
    named = sorted((w.clean(c.pair_name(pair), NAME), key) for pair, key in places.items())
    return [{"name": name, "key": key} for name, key in named]


def recipe_name(recipe: str) -> str:
    """A recipe's display name."""
    return w.RECIPES.get(recipe, w.clean(recipe, NAME))


def table(columns: Sequence[tuple[str, str, float]], rows: list[list[Any]], rules: Iterable[int] = ()) -> Table:
    """A table from (heading, alignment l/r/c, share of the width or 0 for its own) per column."""
    head, align, widths = ([column[i] for column in columns] for i in range(3))
    return {"head": head, "align": align, "widths": widths, "rows": rows, "rules": list(rules)}


def question(c: Content) -> list[str]:
    """What was asked and how far the answer reaches, in sentences."""
    fitted = [run for run in c.result["ladder"] if run["role"] == "fit"]
    who = w.clean(c.targets[0], 80) if len(c.targets) == 1 else f"these {len(c.targets)} models"
    names = {task for _, task in c.pairs}
    tasks = "this task" if len(names) == 1 else f"{len(names)} tasks"
    lines = [f"What will {who} score on {tasks}? " if c.forecasts else "Nothing was forecast. "]
    if fitted:
        spans = [(min(r[k] for r in fitted), max(r[k] for r in fitted)) for k in ("params", "flops")]
        lines[0] += (
            f"Answered from {len(fitted)} training runs of {w.count(spans[0][0])} to {w.count(spans[0][1])} parameters "
            f"and {w.scientific(spans[1][0])} to {w.scientific(spans[1][1])} FLOPs."
        )
    return [*lines, verdict(c)]


def verdict(c: Content) -> str:
    """How the forecasts did where the truth is known, against both baselines on the same rows."""
    refused = sum(f["status"] == "refused" for f in c.answers)
    failed = sum(f["status"] == "failed" or f["forecast"] is None for f in c.answers) - refused
    tail = f" {failed} of {len(c.answers)} forecasts could not be made." if failed else ""
    tail += f" For {refused} of {len(c.answers)} no number is given." if refused else ""
    rows = _comparable(c.known)
    if not rows:
        return "No measured score is known yet, so only the intervals say how far to trust these numbers." + tail
    own, direct, carried = (_mean_error(rows, get) for get in GETTERS)
    bounded, inside = _coverage(c.known)
    return (
        f"Where the score has been measured, the forecasts miss by {own} points on average, the direct law by "
        f"{direct}, and carrying the largest ladder model's score forward by {carried} ({len(rows)} forecasts); "
        f"{inside} of {bounded} measured scores lie inside the {c.level} interval." + tail
    )


GETTERS: tuple[Callable[[Record], Any], ...] = (
    lambda f: f["forecast"],
    lambda f: f["baselines"]["direct"],
    lambda f: f["baselines"]["carry_forward"],
)


def measured(f: Record) -> Any:
    """The score that was measured, if any."""
    return f["actual"]


def _comparable(rows: Iterable[Record]) -> list[Record]:
    """Rows with a measured score, a forecast and both baselines: the only fair comparison."""
    return [f for f in rows if all(w.finite(value) is not None for value in (f["actual"], *(g(f) for g in GETTERS)))]


def _mean_error(rows: Sequence[Record], get: Callable[[Record], Any]) -> str:
    """Mean absolute error in points."""
    return w.percent(statistics.fmean(abs(get(f) - f["actual"]) for f in rows)) if rows else w.DASH


def _coverage(rows: Iterable[Record]) -> tuple[int, int]:
    """How many measured scores have an interval, and how many lie in it."""
    marks = [inside(f) for f in rows]
    return sum(m != w.DASH for m in marks), sum(m == "in" for m in marks)


def inside(f: Record) -> str:
    """``in`` or ``out`` of the interval; a dash where either is unknown."""
    if any(w.finite(f[key]) is None for key in ("actual", "low", "high")):
        return w.DASH
    return "in" if f["low"] <= f["actual"] <= f["high"] else "out"


def scorecard(c: Content) -> Table:
    """One row per recipe: how many forecasts, how wide, how wrong."""
    rows = []
    for recipe in c.recipes:
        own = [f for f in c.forecasts if f["recipe"] == recipe]
        widths = [
            f["high"] - f["low"] for f in own if w.finite(f["low"]) is not None and w.finite(f["high"]) is not None
        ]
        state = Counter(f["status"] for f in own)
        fair = _comparable(own)
        bounded, hit = _coverage(own)
        rows.append(
            [recipe_name(recipe), str(len(own)), str(state["ok"]), str(state["warning"]), str(state["failed"])]
            + [w.percent(statistics.median(widths)) if widths else w.DASH, f"{hit} of {bounded}" if bounded else w.DASH]
            + [_mean_error(fair, get) for get in GETTERS]
        )
    heads = ["Recipe", "Forecasts", "ok", "warning", "failed", "Median width", "Inside"]
    heads += ["Mean miss", "of direct law", "of carry-fwd."]
    widths_ = [1.8, 1.2, 0.7, 1.0, 0.9, 1.5, 1.1, 1.3, 1.5, 1.5]
    return table([(h, "l" if i == 0 else "r", widths_[i]) for i, h in enumerate(heads)], rows)


def targets(c: Content) -> Table:
    """The models forecast, and how far beyond the ladder each lies."""
    largest = max((run["flops"] for run in c.result["ladder"] if run["role"] == "fit"), default=None)
    rows = []
    for name in c.targets:
        f = next(f for f in c.forecasts if f["target"] == name)
        params, tokens = w.finite(f["params"]), w.finite(f["tokens"])
        ratio = f"{tokens / params:.3g}" if params and tokens else w.DASH
        beyond = f"{f['flops'] / largest:.3g}×" if largest else w.DASH
        rows.append([w.clean(name, NAME), w.count(params), w.count(tokens), w.scientific(f["flops"]), ratio, beyond])
    heads = (
        ("Target", "l", 2.5),
        ("Parameters", "r", 1),
        ("Tokens", "r", 1),
        ("FLOPs", "r", 1),
        ("Tokens/param.", "r", 1.2),
    )
    return table([*heads, ("Compute, × largest ladder run", "r", 2.4)], rows)


def headline(c: Content) -> Table:
    """Every forecast: task and target span their recipes."""
    many, more = len(c.families) > 1, len(c.targets) > 1
    columns = [("Family", "l", 1.4)] * many + [("Task", "l", 2.4)] + [("Target", "l", 1.5)] * more
    columns += [("Recipe", "l", 1.7), ("Forecast", "r", 1.1), (f"{c.level} interval", "r", 1.6), ("Direct", "r", 0.9)]
    columns += [("Carry-fwd.", "r", 1.4), ("Actual", "r", 0.9), ("Inside?", "c", 0.9)]
    columns += [("Grade", "c", 0.9)] * c.graded + [("Status, notes", "l", 1.9)]
    rows: list[list[Any]] = []
    rules = []
    for (family, task, target), group in c.groups.items():
        names = [family] * many + [task] + [target] * more
        rules.append(len(rows))
        for index, f in enumerate(group):
            spans = [{"text": w.clean(name, NAME), "span": len(group)} if index == 0 else None for name in names]
            rows.append([*spans, *_forecast_cells(c, f)])
    return table(columns, rows, rules)


def _forecast_cells(c: Content, f: Record) -> list[str]:
    """The numbers of one forecast."""
    base = f["baselines"]
    marks = ", ".join(str(number) for number in sorted({c.notes[note] for note in notes_of(f)}))
    cells = [recipe_name(f["recipe"]), w.percent(f["forecast"]), w.interval(f["low"], f["high"])]
    cells += [w.percent(value) for value in (base["direct"], base["carry_forward"], f["actual"])]
    grade = [f.get("grade") or w.DASH] * c.graded
    return [*cells, inside(f), *grade, f"{f['status']} {marks}".strip()]


def compact(c: Content) -> Table:
    """One row per task and target, a column per recipe: page one of a large result."""
    recipes = [(recipe_name(r), "r", 1.9) for r in c.recipes]
    columns = [("Task", "l", 3.1), *recipes, ("Direct", "r", 1.1), ("Carry-fwd.", "r", 1.1), ("Actual", "r", 0.8)]
    rows = []
    for key, group in list(c.groups.items())[:COMPACT_ROWS]:
        cells = []
        for recipe in c.recipes:
            own = next((f for f in group if f["recipe"] == recipe), None)
            known = own is not None and w.finite(own["forecast"]) is not None
            cells.append(
                f"{w.percent(own['forecast'])} ({w.interval(own['low'], own['high'])})" if own and known else w.DASH
            )
        spread = [_spread(get(f) for f in group) for get in (*GETTERS[1:], measured)]
        rows.append([c.label(key, 30), *cells, *spread])
    return table(columns, rows)


def _spread(values: Iterable[Any]) -> str:
    """One number where the recipes agree on it, else its range."""
    shown = [w.percent(v) for v in sorted(v for v in values if w.finite(v) is not None)]
    return w.DASH if not shown else shown[0] if shown[0] == shown[-1] else f"{shown[0]}{w.DASH}{shown[-1]}"


def notes(c: Content) -> list[str]:
    """Every note once, with its number and how many forecasts carry it."""
    return [f"{n}. {text} ({c.affected[text]} of {len(c.forecasts)} forecasts)" for text, n in c.notes.items()]


def laws(c: Content) -> tuple[Table, list[str]]:
    """Parameters of the laws of the detailed tasks, and of laws that belong to no single task; their notes."""
    shown = set(c.pairs[:DETAILED])
    groups: dict[Key, list[Record]] = {}
    for law in c.result["laws"]:
        if (law["family"], law["task"]) in shown or _shared(c, law):
            groups.setdefault((law["recipe"], law["family"], law["task"]), []).append(law)
    remarks: dict[str, int] = {}
    rows: list[list[Any]] = []
    rules = []
    for (recipe, family, task), group in groups.items():
        rules.append(len(rows))
        name = f"{family} · {task}" if len(c.families) > 1 else task
        for index, law in enumerate(group):
            names = (recipe_name(recipe), w.clean(name, NAME) or w.DASH)
            spans = [{"text": text, "span": len(group)} if index == 0 else None for text in names]
            rows.append([*spans, *_law_cells(law, remarks)])
    columns = [("Recipe", "l", 1.4), ("Task", "l", 2.0), ("Law", "l", 1.7), ("Parameters ± standard error", "l", 5.0)]
    columns += [("n", "r", 0.5), ("Resid.\u00a0s.d.", "r", 1.05), ("Status", "l", 1.2)]
    return table(columns, rows, rules), [f"{n}. {text}" for text, n in remarks.items()]


def _shared(c: Content, law: Record) -> bool:
    """A law of no forecast task, such as the loss law of a whole family."""
    return (law["family"], law["task"]) not in set(c.pairs)


def _law_cells(law: Record, remarks: dict[str, int]) -> list[str]:
    """Law, parameters, n, residual standard deviation, status; new notes are entered in ``remarks``."""
    values = (f"{w.parameter(k)} = {w.estimate(v, law['stderrs'].get(k))}" for k, v in law["estimates"].items())
    unbroken = ";  ".join(w.clean(value).replace(" ", w.NBSP) for value in values)
    residual = w.finite(law["residual_std"])
    spread = w.DASH if residual is None else f"{residual:.2g}"
    marks = [str(remarks.setdefault(w.clean(note), len(remarks) + 1)) for note in dict.fromkeys(law["notes"])]
    status = f"{law['status']} {', '.join(marks)}".strip()
    return [w.clean(law["law"], NAME), unbroken, str(law["n"]), spread, status]


def methods(c: Content) -> list[dict[str, str]]:
    """Each law's formula and source, once."""
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for law in c.result["laws"]:
        entry = {
            "recipe": recipe_name(law["recipe"]),
            "law": w.clean(law["law"], NAME),
            "source": w.clean(law["source"]),
        }
        units = f"{w.clean(law['x_unit'])} → {w.clean(law['y_unit'])}"
        seen.setdefault((law["recipe"], law["formula"]), entry | {"formula": law["formula"], "units": units})
    return list(seen.values())


def ladder(c: Content) -> Table:
    """The runs, as given."""
    many = len({run["family"] for run in c.result["ladder"]}) > 1
    columns = [("Run", "l", 2.2)] + [("Family", "l", 1.4)] * many + [("Parameters", "r", 1.1), ("Tokens", "r", 1)]
    columns += [("FLOPs", "r", 1.2), ("Tokens/param.", "r", 1.2), ("Checkpoints", "r", 1.1), ("Role", "l", 1)]
    rows = []
    for run in c.result["ladder"]:
        ratio = f"{run['tokens'] / run['params']:.3g}" if run["params"] else w.DASH
        names = [w.clean(run["run"], NAME)] + [w.clean(run["family"], NAME)] * many
        sizes = [w.count(run["params"]), w.count(run["tokens"]), w.scientific(run["flops"], 2), ratio]
        rows.append([*names, *sizes, str(run["checkpoints"]), run["role"]])
    return table(columns, rows)


def provenance(c: Content) -> dict[str, Any]:
    """Versions, digests and the configuration, and the command that gives this result again."""
    p = c.result["provenance"]
    config = p["config"]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(p["packages"].items()))
    rows = [["Benchcast", p["benchcast"]], ["Python", p["python"]], ["Packages", packages]]
    rows += [["Data", f"{p['data']} ({p['rows']} rows)"], ["Data digest", p["data_digest"]]]
    rows += [["Configuration digest", p["config_digest"]]]
    command = config.get("command")
    given = isinstance(command, str) and command.strip()
    return {
        "facts": table([("", "l", 1.3), ("", "l", 6)], [[w.clean(cell) for cell in row] for row in rows]),
        "about": [w.clean(sentence) for sentence in p["about"]],
        "account": [w.clean(line) for line in told(p.get("account") or {})],
        "config": yaml.dump(config, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=96),
        "command": w.clean(command) if given else "benchcast run config.yaml",
    }


def told(account: Mapping[str, Any]) -> list[str]:
    """What the reader left out and decided, a line each."""
    lines = []
    for left in account.get("left_out", ()):
        more = left["count"] - len(left["examples"])
        names = ", ".join(left["examples"]) + (f" and {more} more" if more > 0 and left["examples"] else "")
        lines.append(f"left out {left['count']}: {left['reason']}" + (f": {names}" if names else ""))
    return [*lines, *account.get("notes", ())]


class Dumper(yaml.SafeDumper):
    """YAML with large numbers as powers of ten."""


def _float(dumper: Any, value: float) -> Any:
    """``6.9e+09``, with the point and the sign without which YAML 1.1 would read a string."""
    if not 1e6 <= abs(value) < float("inf"):
        return dumper.represent_float(value)
    digits = next(n for n in range(1, 18) if float(f"{value:.{n}e}") == value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:.{digits}e}")


Dumper.add_representer(float, _float)
