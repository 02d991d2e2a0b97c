"""The forecast of a pass: as registered before a run started, as refreshed with its scores, and what the rules say."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.forecast import Forecast, Result
from benchcast.reports.records.nightly import Track, Verdict
from benchcast.reports.sections import verdict
from benchcast.stages.notices import Notice

from ..core.config import Config, ReevaluateSettings, Target
from ..core.errors import BenchcastError, InputError, first_line
from ..core.metrics import ACCURACIES
from ..data.ingest import Data
from ..data.task_setup import asked_version
from ..forecasting import run as forecasting
from ..forecasting.context import FittedLadders
from ..forecasting.task_scores import SCORE, named_scores
from ..registry import register
from ..registry.register import Record
from .alerts import rules
from .alerts.contexts import ForecastProblem, ObservedRun, ObservedTask
from .state import State
from .tracking import bands as registered
from .tracking import drawing, registrations, track
from .tracking import points as measured
from .tracking.points import Documents, Point

logger = logging.getLogger(__name__)
Note = Callable[[str], None]
Entry = Mapping[str, Any]
NOT_REGISTERED = "it could not be registered; the messages say why"


@dataclass(kw_only=True)
class PassForecast:
    """What a pass forecast: the refreshed result, the line for the history, the tracked runs, what is wrong."""

    result: Result | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    tracks: list[Track] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    conditions: list[Notice] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Context:
    """What the passes of one config share."""

    config: Config
    settings: ReevaluateSettings
    base: Path
    data: Data
    state: State
    history: Sequence[Entry]
    cells: Mapping[tuple[str, str], str]
    setup: str
    complete: bool
    note: Note
    ladders: FittedLadders = field(default_factory=FittedLadders)
    """Fits that the report and the register share where they see the same runs."""

    @property
    def table(self) -> pd.DataFrame:
        return self.data.table

    @property
    def recipe(self) -> str:
        return self.settings.recipe or self.config.recipes[0].name

    def points(self, run: str) -> list[Point]:
        return measured.points_of_table(self.table, run, self.config.metrics, self.cells)

    def versions(self) -> dict[str, list[str]]:
        """Score, as forecasts call it, to what its task asks now; several where the table mixes versions."""
        rows = named_scores(self.table)
        versions = rows["task_version"].fillna("").astype(str).map(asked_version)
        asked = versions.groupby(rows[SCORE].astype(str))
        return {str(task): sorted(set(versions)) for task, versions in asked}


def forecast(
    config: Config,
    base: Path,
    data: Data,
    state: State,
    history: Sequence[Entry],
    *,
    complete: bool,
    register_anew: bool,
    note: Note,
) -> PassForecast:
    """Forecast, track, and put together what is to be remembered; ``complete`` when nothing is left to be scored.

    All of it is from the one ``data``: a file that is written meanwhile is the next pass's.
    """
    assert config.reevaluate is not None
    cells, setup = _cells(config, base)
    table = data.table
    context = _Context(
        config=config,
        settings=config.reevaluate,
        base=base,
        data=data,
        state=state,
        history=history,
        cells=cells,
        setup=setup or _setup(table),
        complete=complete,
        note=note,
    )
    outcome = PassForecast()
    note("forecasting")
    runs = list(dict.fromkeys(table["run"].astype(str)))
    with _forgiving("", outcome):
        outcome.result = forecasting.run(
            registered.with_tracked(config, runs), base, data, sweeping=True, ladders=context.ladders
        )
    if outcome.result is not None:
        outcome.entry["forecasts"] = [_for_history(f) for f in outcome.result.forecasts]
    targets = registered.tracked(config)
    if targets:
        _track_all(context, targets, outcome, register_anew=register_anew)
    return outcome


@contextlib.contextmanager
def _forgiving(subject: str, outcome: PassForecast) -> Iterator[None]:
    """Make a forecast that fails a condition: it must not cost the pass its scores and its other forecast."""
    try:
        yield
    except InputError as error:
        problem = ForecastProblem(subject=subject, error=" ".join(str(error).split()), of_config=True)
        outcome.conditions += rules.check(problem)
    except BenchcastError:  # such as a full disk
        raise
    except Exception as error:
        logger.debug("the forecast %s failed", subject or "of the config", exc_info=True)
        outcome.conditions += rules.check(ForecastProblem(subject=subject, error=first_line(error)))


def _track_all(context: _Context, targets: Mapping[str, Target], outcome: PassForecast, *, register_anew: bool) -> None:
    old = measured.remembered(context.history)
    now = {run: context.points(run) for run in context.settings.track.values()}
    _register(context, targets, now, {p.run for p in old.values()}, outcome, register_anew=register_anew)
    records = register.read(context.state.register) if context.state.register.exists() else ()
    fresh = [p for points in now.values() for p in points if not p.same(old.get(p.key))]
    outcome.entry["points"] = [p.plain() for p in fresh]
    entries = [*context.history, outcome.entry]
    for name, target in targets.items():
        run = context.settings.track[name]
        record, then = registrations.record_of(entries, records, name), registrations.last(entries, name)
        if record is None or then is None:
            outcome.verdicts.append(verdict.unregistered(name, run, NOT_REGISTERED))
            continue
        earlier = {k: p for k, p in old.items() if p.run == run}
        _track_one(
            context,
            target,
            record,
            then,
            measured.merged(earlier, now[run]),
            {p.tokens for p in fresh if p.run == run},
            outcome,
        )


def _register(
    context: _Context,
    targets: Iterable[str],
    now: Mapping[str, Sequence[Point]],
    known: Set[str],
    outcome: PassForecast,
    *,
    register_anew: bool,
) -> None:
    """Register the forecast for the targets that need it, and say so in the line for the history."""
    path = context.state.register
    runs = context.settings.track
    begun = {name: runs[name] in known or bool(now[runs[name]]) for name in targets}
    names = list(targets) if register_anew else registrations.open_ones(context.history, begun)
    record = None
    if any(begun.values()) and not register_anew:
        record = registrations.orphan(context.history, register.read(path) if path.exists() else ())
    if record is not None:  # it was made when at most what is remembered had begun
        begun = {name: runs[name] in known for name in begun}
    elif names:
        with _forgiving("registered", outcome):
            record = registered.renew(context.config, context.base, context.data, path, context.ladders)
    if record is None or not names:
        return
    late = [name for name in names if begun[name]]
    entry = {
        "hash": record.hash,
        "time": record.time,
        "targets": names,
        "late": late,
        "complete": context.complete,
        "versions": context.versions(),
        "setup": context.setup,
    }
    if register_anew or registrations.differs(context.history, entry):
        context.note(f"registered {record.hash[:12]}" + (f", after {', '.join(late)} had begun" if late else ""))
        outcome.entry["registered"] = entry


def _track_one(
    context: _Context,
    target: Target,
    record: Record,
    then: Entry,
    points: dict[str, list[Point]],
    fresh: Set[float],
    outcome: PassForecast,
) -> None:
    name = str(target.name)
    run = context.settings.track[name]
    family = context.table.loc[context.table["run"].eq(run), "family"]
    bands = registered.bands(record, name, context.recipe, str(family.iloc[0]) if len(family) else None)
    store = context.base / context.config.score.store if context.config.score else None
    if not bands:
        outcome.conditions += rules.check(ForecastProblem(subject=name, recipe=context.recipe))
        outcome.verdicts.append(verdict.unregistered(name, run, f"recipe {context.recipe} gave no number for any task"))
        return
    followed = track.track(target, run, points, bands, Documents(store), context.settings)
    changed = list(
        rules.check(
            ObservedRun(
                target=target,
                points=points,
                bands=bands,
                versions_then=then["versions"],
                versions_now=context.versions(),
                setup_then=then["setup"],
                setup_now=context.setup,
            )
        )
    )
    outcome.conditions += changed
    for task, said in followed.verdicts.items():
        series = followed.series[task]
        outcome.conditions += rules.check(
            ObservedTask(target=followed.target, task=task, series=series, verdict=said, fresh=fresh)
        )
    forecasts = outcome.result.forecasts if outcome.result else ()
    drawn = drawing.of_run(
        followed, record, target, context.recipe, forecasts, points, changed, late=name in then["late"]
    )
    outcome.tracks.append(drawn)
    outcome.verdicts.append(verdict.of_run(drawn))


def _cells(config: Config, base: Path) -> tuple[dict[tuple[str, str], str], str]:
    """(digest of the checkpoint, task) to cell, and how scores are computed, in words."""
    if config.score is None:
        return {}, ""
    from ..scoring.store import Store
    from ..scoring.store.index import Index
    from ..scoring.store.tables import now, wanted

    store = Store(base / config.score.store)
    plan = store.plan()
    _, names = now(plan)
    with contextlib.closing(Index(store)) as index:
        contents = wanted(index, plan)
    cells = {(str(c["checkpoint"]), task): str(c["cell"]) for c in contents for task in names[c["requests"]]}
    setups = {", ".join(f"{k} {v}" for k, v in sorted(c["setup"].items())) for c in contents}
    return cells, "; ".join(sorted(setups))


def _setup(table: pd.DataFrame) -> str:
    return "lm-eval " + ", ".join(sorted(set(table["lm_eval"].dropna().astype(str)) - {""}))


def _for_history(f: Forecast) -> dict[str, Any]:
    fields = ("recipe", "family", "task", "target", "forecast", "low", "high", "status", "grade", "actual")
    return {k: getattr(f, k) for k in (*fields, *(["metric"] if f.metric not in ACCURACIES else []))}
