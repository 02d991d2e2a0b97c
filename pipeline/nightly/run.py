"""One pass: lock, score what is new, forecast, compare with what was registered, report, remember, tell."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..core.config import Config, ReevaluateSettings
from ..core.digest import object_digest
from ..core.errors import LATER, BenchcastError, plain
from ..core.redact import MOST_TEXT, bounded, redacted, shown
from .alerts import channels as alerts
from .alerts import conditions, grouping, rules
from .alerts.contexts import PassInputs
from .inputs import gather
from .quiet import PassLogger, pass_logger
from .settings import settings_of
from .state import State, stamp

if TYPE_CHECKING:
    from .compare import PassForecast

MOST_NAMED = 20  # of many things, in status.json
STOPPED = "the pass was stopped; the next one goes on"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command line."""

    verbose: bool = False
    retry_failed: bool = False
    register: bool = False
    accept_gone: bool = False


def run_pass(path: Path, options: Options) -> int:
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
    with _stoppable():  # before there is a holder that others see, and until the lock is free again
        try:
            with state.lock(), pass_logger(state.folder, verbose=options.verbose) as logger:
                return _run_logged(config, settings, path, state, options, logger)
        except SystemExit:
            sys.stderr.write(f"{plain(str(state.folder))}: {STOPPED}\n")
            raise


def _run_logged(
    config: Config, settings: ReevaluateSettings, path: Path, state: State, options: Options, logger: PassLogger
) -> int:
    """The pass, with the lock held and everything that is printed in the log."""
    logger.hide(alerts.secrets(settings.notify))
    with contextlib.suppress(OSError):
        os.nice(max(settings.nice - os.nice(0), 0))
    try:
        code = _Pass(config, settings, path, state, options, logger).run()
    except SystemExit:
        logger.log(f"{state.folder}: {STOPPED}")
        raise
    except Exception as error:
        # It is printed, mailed by cron, logged and told: without secrets, and not without end.
        error.args = (bounded(redacted(str(error), alerts.secrets(settings.notify))),)
        logger.log(f"error: {error}")
        _remember(error, config, settings, path.resolve().parent, state, logger)
        raise
    logger.note(f"done, exit code {code}")
    return code


def _remember(
    error: Exception, config: Config, settings: ReevaluateSettings, base: Path, state: State, logger: PassLogger
) -> None:
    """Note that a pass failed, and tell the notifiers, once for the same failure; standard error hears every time."""
    code = error.exit_code if isinstance(error, BenchcastError) else 1
    if code == LATER:
        return
    before, says = state.status(), " ".join(str(error).split())[:MOST_TEXT] or type(error).__name__
    if before.get("error") != says:
        _tell(_channels(config, settings, base, state), f"error: the pass failed: {says}", logger)
    with contextlib.suppress(BenchcastError):
        state.write_status(before | {"time": stamp(datetime.now(UTC)), "exit_code": code, "error": says})


def _channels(config: Config, settings: ReevaluateSettings, base: Path, state: State) -> dict[str, alerts.Channel]:
    return alerts.channels(settings.notify, f"Benchcast: {config.title}", base, state)


def _tell(channels: dict[str, alerts.Channel], line: str, logger: PassLogger) -> None:
    for name, channel in channels.items():
        alerts.tell(name, channel, [line], logger)


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
        self,
        config: Config,
        settings: ReevaluateSettings,
        path: Path,
        state: State,
        options: Options,
        logger: PassLogger,
    ) -> None:
        self._config, self._settings, self._state, self._options, self._logger = (
            config,
            settings,
            state,
            options,
            logger,
        )
        self._base = path.resolve().parent
        self._began = datetime.now(UTC)
        self._bad_lines = state.set_bad_lines_aside()
        for number in self._bad_lines:
            logger.note(f"warning: line {number} of the history is not a record of a pass: set aside in history.bad")
        self._history = state.history()
        self._last: dict[str, Any] = self._history[-1] if self._history else {}
        self._before = conditions.read(self._last.get("conditions", ()))

    def run(self) -> int:
        inputs = gather(
            self._config,
            self._settings,
            self._base,
            self._state,
            self._logger,
            history=self._history,
            bad_lines=self._bad_lines,
            began=self._began,
            retry_failed=self._options.retry_failed,
            accept_gone=self._options.accept_gone,
        )
        of_inputs = list(rules.check(inputs))
        found_before_forecasting = {rule.code.name for rule in rules.watching(PassInputs)}
        digest = object_digest(self._config.model_dump(mode="json", exclude={"out"}))
        same = [c for c in self._before if c.code not in found_before_forecasting]
        entry: dict[str, Any] = {
            "seq": int(self._last.get("seq", 0)) + 1,
            "time": stamp(self._began),
            "benchcast": installed("benchcast"),
            "config_digest": digest,
            "data_digest": inputs.data_digest,
        }
        as_before = all(self._last.get(k) == entry[k] for k in ("benchcast", "config_digest", "data_digest"))
        if as_before and not self._options.register:
            stands = [*of_inputs, *same]
            if {conditions.key(c) for c in stands} == {conditions.key(c) for c in self._before}:
                self._logger.note("nothing new")
                return self._finish(inputs, None)
            messages = grouping.changes(self._before, stands)
            entry |= {"conditions": conditions.plain(stands), "messages": messages, "scored": inputs.scored}
            entry |= {k: self._last[k] for k in ("verdict",) if k in self._last}
            return self._finish(inputs, entry)
        if self._last and self._last["config_digest"] != digest:
            self._logger.note("the config was edited since the last pass")
        entry |= {"config_edited": bool(self._last) and self._last["config_digest"] != digest}
        from benchcast.reports.sections import verdict

        from . import compare

        outcome = compare.forecast(
            self._config,
            self._base,
            inputs.data,
            self._state,
            self._history,
            complete=not inputs.left,
            register_anew=self._options.register,
            note=self._logger.note,
        )
        stands = [*of_inputs, *outcome.conditions]
        entry |= outcome.entry | {
            "scored": inputs.scored,
            "left": inputs.left,
            "conditions": conditions.plain(stands),
            "messages": grouping.changes(self._before, stands),
            "verdict": verdict.plain(outcome.verdicts),
        }
        entry["report"] = self._report(outcome, entry)
        return self._finish(inputs, entry)

    def _report(self, outcome: PassForecast, entry: Mapping[str, Any]) -> str | None:
        """Typeset, under the date of today; None when there is no forecast."""
        if outcome.result is None:
            return None
        from benchcast.reports.documents import forecast as document
        from benchcast.reports.documents import tracking
        from benchcast.reports.documents.typesetting import ReportError

        from ..registry import register
        from .alerts.news import news

        records = register.read(self._state.register) if self._state.register.exists() else ()
        result = outcome.result.model_copy(update={"registered": register.looked_up(outcome.result, records)})
        latest = news(entry, self._history, outcome.tracks, outcome.verdicts, str(self._state.reports))
        named = {str(e.get("report")) for e in self._history}
        with self._state.new_report() as part:
            try:
                document.write(result, part, html=True, latest=latest)
            except ReportError as error:
                raise BenchcastError(f"the report could not be typeset: {error}") from error
            tracking.write(outcome.tracks, part)
            return self._state.keep_report(part, f"{self._began.astimezone():%Y-%m-%d}", named)

    def _finish(self, inputs: PassInputs, entry: dict[str, Any] | None) -> int:
        """Remember what was found, and tell it."""
        if entry is not None:
            self._state.append(entry)
            self._history.append(entry)
        if inputs.places != (known := self._state.known()):
            kept = {} if self._options.accept_gone else {k: v for k, v in known.items() if k not in inputs.places}
            self._state.write_known({**kept, **inputs.places})
        last = self._history[-1] if self._history else {}
        stands = conditions.read(last.get("conditions", ()))
        report = next((e["report"] for e in reversed(self._history) if e.get("report")), None)
        code = conditions.exit_code(stands)
        before = self._state.status()
        notified = before.get("told", {})
        status = {
            "time": stamp(self._began),
            "exit_code": code,
            "seq": last.get("seq", 0),
            "scored": inputs.scored,
            "left": inputs.left,
            "waiting": _first(inputs.waiting),
            "verdict": last.get("verdict", {}).get("text", ""),
            "conditions": shown([grouping.line(group) for group in grouping.causes(stands)]),
            "report": report,
            "told": notified,
        }
        self._state.write_status(status)
        channels = _channels(self._config, self._settings, self._base, self._state)
        notified = alerts.deliver(channels, self._history, notified, self._state.reports, self._logger)
        if (failed := before.get("error")) is not None:
            line = f"cleared: the pass works again, after: {failed}"
            self._logger.say(line)
            _tell(channels, line, self._logger)
        if notified != status["told"]:
            self._state.write_status(status | {"told": notified})
        if inputs.left:
            self._logger.note(f"{inputs.left} cells are left for the next pass")
        if status["verdict"]:
            self._logger.note(f"verdict: {status['verdict']}")
        self._index()
        return code

    def _index(self) -> None:
        """Have the index page say what the history says. It can be made anew from there, so it fails no pass."""
        if not self._state.index_is_stale():
            return
        from . import overview

        try:
            overview.write_nights(self._state, self._settings.track, title=self._config.title)
        except BenchcastError as error:
            self._logger.note(f"the index page was not written: {error}")


def _first(names: Sequence[str]) -> list[str]:
    """The first of many, and a count of the others."""
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return [*names[:MOST_NAMED], *more]
