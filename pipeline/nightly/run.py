"""One pass: lock, score what is new, forecast, compare with what was registered, report, remember, tell."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from benchcast.stages.notices import Notice, nightly

from ..core.config import Config, ReevaluateSettings, load
from ..core.digest import object_digest
from ..core.errors import LATER, BenchcastError, InputError, LaterError
from ..core.redact import MOST_TEXT, bounded, redacted, shown
from .alerts import channels as alerts
from .alerts import conditions
from .alerts.conditions import condition
from .quiet import Voice, voice
from .state import State, stamp, time_of

if TYPE_CHECKING:
    from ..data.ingest import Data
    from .tracking.compare import Compared

SLACK = timedelta(minutes=2)  # that clocks may be set back by for good reasons
SCORING_RULES = ("failure", "gone", "clock", "history")  # found without a forecast
NAMED = 20  # of many things, in status.json


@dataclass(frozen=True)
class Options:
    """Of the command line."""

    verbose: bool = False
    retry_failed: bool = False
    register: bool = False
    accept_gone: bool = False


@dataclass
class Seen:
    """What a pass found before it forecast."""

    data: Data
    data_digest: str
    places: dict[str, str] = field(default_factory=dict)
    scored: int = 0
    left: int = 0
    waiting: list[str] = field(default_factory=list)
    conditions: list[Notice] = field(default_factory=list)


def settings_of(path: Path) -> tuple[Config, ReevaluateSettings]:
    """A config with its ``reevaluate`` section (which may be missing: its defaults).

    Raises
    ------
    InputError
        When the table it scores into is not the one it forecasts from.
    """
    config = load(path, Config)
    base = path.resolve().parent
    if config.score is not None:
        read = config.data.path and base / config.data.path
        if config.data.source != "table" or read is None or read.resolve() != (base / config.score.out).resolve():
            raise InputError(
                f"{path}: data: must be {{source: table, path: {config.score.out}}}, the table that is "
                "scored into (score.out)"
            )
    settings = config.reevaluate or ReevaluateSettings()
    return config.model_copy(update={"reevaluate": settings}), settings


def run(path: Path, options: Options) -> int:
    """Do one pass; returns its exit code.

    Raises
    ------
    LaterError
        When another pass is at work, or no checkpoint is complete.
    BenchcastError
        When the pass cannot be completed; the next one goes on where it stopped.
    """
    config, settings = settings_of(path)
    state = State(path.resolve().parent / settings.folder)
    with state.lock(), voice(state.folder, verbose=options.verbose) as speak, _stoppable():
        speak.hide(alerts.secrets(settings.notify))
        with contextlib.suppress(OSError):
            os.nice(max(settings.nice - os.nice(0), 0))
        try:
            code = _Pass(config, settings, path, state, options, speak).run()
        except SystemExit:
            speak.say(f"{state.folder}: the pass was stopped; the next one goes on")
            raise
        except Exception as error:
            # It is printed, mailed by cron, logged and told: without secrets, and not without end.
            error.args = (bounded(redacted(str(error), alerts.secrets(settings.notify))),)
            speak.log(f"error: {error}")
            _remember(error, config, settings, path.resolve().parent, state, speak)
            raise
        speak.note(f"done, exit code {code}")
        return code


def _remember(
    error: Exception, config: Config, settings: ReevaluateSettings, base: Path, state: State, speak: Voice
) -> None:
    """Note that a pass failed, and tell the notifiers, once for the same failure; standard error hears every time."""
    code = error.exit_code if isinstance(error, BenchcastError) else 1
    if code == LATER:
        return
    before, says = state.status(), " ".join(str(error).split())[:MOST_TEXT] or type(error).__name__
    if before.get("error") != says:
        _tell(_channels(config, settings, base, state), f"error: the pass failed: {says}", speak)
    with contextlib.suppress(BenchcastError):
        state.write_status(before | {"time": stamp(datetime.now(UTC)), "exit_code": code, "error": says})


def _channels(config: Config, settings: ReevaluateSettings, base: Path, state: State) -> dict[str, alerts.Channel]:
    return alerts.channels(settings.notify, f"Benchcast: {config.title}", base, state)


def _tell(channels: dict[str, alerts.Channel], line: str, speak: Voice) -> None:
    for name, channel in channels.items():
        alerts.tell(name, channel, [line], speak)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """A pass that is asked to end leaves through its clean-up: what is scored is stored."""

    def stop(*_: object) -> NoReturn:
        raise SystemExit(LATER)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Pass:
    def __init__(
        self, config: Config, settings: ReevaluateSettings, path: Path, state: State, options: Options, speak: Voice
    ) -> None:
        self._config, self._settings, self._state, self._options, self._speak = config, settings, state, options, speak
        self._base = path.resolve().parent
        self._began = datetime.now(UTC)
        self._bad_lines = state.set_bad_lines_aside()
        for number in self._bad_lines:
            speak.note(f"warning: line {number} of the history is no record of a pass: set aside in history.bad")
        self._history = state.history()
        self._last: dict[str, Any] = self._history[-1] if self._history else {}
        self._before = conditions.read(self._last.get("conditions", ()))

    def run(self) -> int:
        seen = self._see()
        digest = object_digest(self._config.model_dump(mode="json", exclude={"out"}))
        same = [c for c in self._before if c.code not in SCORING_RULES]
        entry: dict[str, Any] = {
            "seq": int(self._last.get("seq", 0)) + 1,
            "time": stamp(self._began),
            "benchcast": installed("benchcast"),
            "config_digest": digest,
            "data_digest": seen.data_digest,
        }
        as_before = all(self._last.get(k) == entry[k] for k in ("benchcast", "config_digest", "data_digest"))
        if as_before and not self._options.register:
            stands = [*seen.conditions, *same]
            if {conditions.key(c) for c in stands} == {conditions.key(c) for c in self._before}:
                self._speak.note("nothing new")
                return self._finish(seen, None)
            messages = conditions.changes(self._before, stands)
            entry |= {"conditions": conditions.plain(stands), "messages": messages, "scored": seen.scored}
            return self._finish(seen, entry)
        if self._last and self._last["config_digest"] != digest:
            self._speak.note("the config was edited since the last pass")
        entry |= {"config_edited": bool(self._last) and self._last["config_digest"] != digest}
        from .tracking import compare

        found = compare.forecast(
            self._config,
            self._base,
            seen.data,
            self._state,
            self._history,
            complete=not seen.left,
            register_anew=self._options.register,
            note=self._speak.note,
        )
        stands = [*seen.conditions, *found.conditions]
        entry |= found.entry | {
            "scored": seen.scored,
            "left": seen.left,
            "conditions": conditions.plain(stands),
            "messages": conditions.changes(self._before, stands),
        }
        entry["report"] = self._report(found, entry)
        return self._finish(seen, entry)

    def _report(self, found: Compared, entry: Mapping[str, Any]) -> str | None:
        """Typeset, under the date of today; None when there is no forecast."""
        if found.result is None:
            return None
        from benchcast.reports.documents import forecast as document
        from benchcast.reports.documents import tracking
        from benchcast.reports.documents.typesetting import ReportError

        from ..registry import register
        from .alerts.news import news

        records = register.read(self._state.register) if self._state.register.exists() else ()
        result = found.result.model_copy(update={"registered": register.looked_up(found.result, records)})
        latest = news(entry, self._history, found.tracks)
        named = {str(e.get("report")) for e in self._history}
        with self._state.new_report() as part:
            try:
                document.write(result, part, html=True, latest=latest)
            except ReportError as error:
                raise BenchcastError(f"the report could not be typeset: {error}") from error
            tracking.write(found.tracks, part)
            return self._state.keep_report(part, f"{self._began.astimezone():%Y-%m-%d}", named)

    def _finish(self, seen: Seen, entry: dict[str, Any] | None) -> int:
        """Remember what was found, and tell it."""
        if entry is not None:
            self._state.append(entry)
            self._history.append(entry)
        if seen.places != (known := self._state.known()):
            kept = {} if self._options.accept_gone else {k: v for k, v in known.items() if k not in seen.places}
            self._state.write_known(kept | seen.places)
        last = self._history[-1] if self._history else {}
        stands = conditions.read(last.get("conditions", ()))
        report = next((e["report"] for e in reversed(self._history) if e.get("report")), None)
        code = conditions.exit_code(stands)
        before = self._state.status()
        told = before.get("told", {})
        status = {
            "time": stamp(self._began),
            "exit_code": code,
            "seq": last.get("seq", 0),
            "scored": seen.scored,
            "left": seen.left,
            "waiting": _first(seen.waiting),
            "conditions": shown([conditions.line(c) for c in stands]),
            "report": report,
            "told": told,
        }
        self._state.write_status(status)
        channels = _channels(self._config, self._settings, self._base, self._state)
        told = alerts.deliver(channels, self._history, told, self._speak)
        if (failed := before.get("error")) is not None:
            line = f"cleared: the pass works again, after: {failed}"
            self._speak.say(line)
            _tell(channels, line, self._speak)
        if told != status["told"]:
            self._state.write_status(status | {"told": told})
        if seen.left:
            self._speak.note(f"{seen.left} cells are left for the next pass")
        return code

    def _see(self) -> Seen:
        """Score what is new, and read the table."""
        from ..core.digest import table_digest
        from ..data import ingest

        found: list[Notice] = []
        places: dict[str, str] = {}
        scored, left, waiting = 0, 0, list[str]()
        if self._config.score is not None:
            scored, left, waiting, places, failures = self._score()
            found += failures
        try:
            data = ingest.read(self._config.data, self._base)
        except InputError as error:  # of data, and not of the config
            raise BenchcastError(str(error)) from error
        for line in data.account.lines():
            self._speak.note(f"data: {line}")
        table = data.table
        if self._config.score is None:
            rows = table[["run", "tokens"]].drop_duplicates()
            places = {f"{r.run} at {r.tokens:.4g} tokens": str(r.run) for r in rows.itertuples()}
        found += self._gone(places)
        if (behind := self._clock()) is not None:
            found.append(behind)
        found += [
            condition(nightly.HISTORY, f"{self._state.folder / 'history.jsonl'}: line {number}")
            for number in self._bad_lines
        ]
        return Seen(data, table_digest(table), places, scored, left, waiting, found)

    def _score(self) -> tuple[int, int, list[str], dict[str, str], list[Notice]]:
        from ..scoring.run import score
        from ..scoring.store import Store

        assert self._config.score is not None
        settings = scoring(self._config, self._base)
        until = self._settings.max_hours and time.monotonic() + 3600 * self._settings.max_hours
        try:
            summary = score(
                settings,
                self._base,
                self._speak,
                retry_failed=self._options.retry_failed,
                limits=limits(self._settings, until),
            )
        except sqlite3.Error as error:  # the disk filled up in the middle; what is on disk is whole
            raise BenchcastError(f"{self._base / settings.store}: its index cannot be written ({error})") from error
        if not len(summary.table) and not summary.failures:
            raise LaterError("no checkpoint is complete and scored so far; try again later")
        if not len(summary.table):
            what = "; ".join(f"{source}: {reason}" for source, _, reason in summary.failures[:3])
            raise BenchcastError(f"no checkpoint is scored so far{': ' + what if what else ''}")
        self._speak.note(f"{summary.scored} cells scored now, {summary.cells} wanted")
        plan = Store(self._base / settings.store).plan()
        places = {c["source"]: str(c["place"]["run"]) for c in plan["checkpoints"]}
        # What is being written, or is broken, is there.
        places |= {source: "" for source in (*summary.waiting, *plan["broken"]) if source not in places}
        failures = [
            condition(
                nightly.FAILURE,
                source if task == "*" else task if source == "*" else f"{source}, {task}",
                reason=reason,
            )
            for source, task, reason in summary.failures
        ]
        return summary.scored, summary.left, summary.waiting, places, failures

    def _gone(self, places: dict[str, str]) -> Iterator[Notice]:
        if self._options.accept_gone:
            return
        by_run: dict[str, list[str]] = {}
        for source, run in self._state.known().items():
            if source not in places:
                by_run.setdefault(run, []).append(source)
        for run, sources in by_run.items():
            shown = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
            yield condition(nightly.GONE, run, names=shown)

    def _clock(self) -> Notice | None:
        """The clock against every time that was written down."""
        times = map(time_of, [*(e["time"] for e in self._history), self._state.status().get("time")])
        latest = max((t for t in times if t is not None), default=self._began)
        if self._began >= latest - SLACK:
            return None
        return condition(nightly.CLOCK, now=stamp(self._began), then=stamp(latest))


def _first(names: list[str]) -> list[str]:
    """The first of many, and a count of the others."""
    more = [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return [*names[:NAMED], *more]


def scoring(config: Config, base: Path) -> Any:
    """The score section, without patterns that match nothing yet: the big run may not have begun.

    Raises
    ------
    FaultsError
        From the scorer, when none matches.
    """
    from ..scoring.checkpoints import discover

    assert config.score is not None
    kept = discover.matching(config.score.checkpoints, base)
    return config.score.model_copy(update={"checkpoints": kept}) if kept else config.score


def limits(settings: ReevaluateSettings, until: float | None) -> Any:
    """What one pass may score."""
    from ..scoring.limits import Limits

    return Limits(checkpoints=settings.max_checkpoints, until=until, newest_first=True)
