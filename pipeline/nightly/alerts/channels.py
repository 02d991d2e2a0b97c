"""Telling people: standard error, apprise and a command, each message once to each; a failure to tell fails nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.config import NotifySettings
from ...core.errors import NotToldError, first_line
from ...core.redact import shown
from ..quiet import PassLogger
from ..state import State

SECRET_LETTERS = 12  # letters of a word that may be a password; a shorter one is found in innocent text
TERMINAL, APPRISE, COMMAND = "terminal", "apprise", "command"


Channel = Callable[[list[str]], None]
Entry = Mapping[str, Any]


def channels(settings: NotifySettings, title: str, base: Path, state: State) -> dict[str, Channel]:
    """Who is told, but for standard error: name to what takes the lines. The command runs in ``base``."""
    channels_by_name: dict[str, Channel] = {}
    if settings.urls:
        channels_by_name[APPRISE] = lambda lines: _apprise(settings.urls, title, lines)
    if settings.command:
        channels_by_name[COMMAND] = lambda lines: _command(settings, lines, base, state)
    return channels_by_name


def deliver(
    known: Mapping[str, Channel],
    history: Sequence[Entry],
    notified: Mapping[str, int],
    reports: Path,
    logger: PassLogger,
) -> dict[str, int]:
    """Give every channel, standard error among them, the messages it has not had yet.

    Returns channel to the last pass it was told of; ``notified`` is what this returned before. A channel that is new
    hears of the last pass only. ``reports`` is the folder of the reports, for their paths.
    """
    last = int(history[-1]["seq"]) if history else 0
    every: dict[str, Channel] = {TERMINAL: lambda lines: logger.say("\n".join(lines)), **known}
    last_heard = {}
    for name, channel in every.items():
        since = notified.get(name, last - 1)
        lines = [line for number in range(len(history)) for line in _told(history, number, since, reports)]
        last_heard[name] = last if tell(name, channel, lines, logger) else since
    return last_heard


def _told(history: Sequence[Entry], number: int, since: int, reports: Path) -> list[str]:
    """What is said of one pass: how the tracked runs do, what arose and cleared, and where the report is."""
    entry = history[number]
    messages = [str(message) for message in entry.get("messages", ())] if entry["seq"] > since else []
    if not messages:
        return []
    verdict = entry.get("verdict", {})
    text = verdict.get("text") if verdict.get("runs") else None  # that no run is tracked is no news
    report = next((e["report"] for e in reversed(history[: number + 1]) if e.get("report")), None)
    head = [f"verdict: {text}"] if text else []
    earlier = "" if entry.get("report") else " (of an earlier pass: this one made none)"  # nothing new to forecast from
    place = [f"report: {reports / report / 'report.pdf'}{earlier}"] if report else []
    return [*head, *shown(messages), *place]


def tell(name: str, channel: Channel, lines: list[str], logger: PassLogger) -> bool:
    """Give a channel some lines; whether it took them."""
    try:
        if lines:
            channel(lines)
    except Exception as error:  # whatever a notifier does, the pass goes on
        logger.note(f"warning: {name} could not be told, and is tried again next time: {first_line(error)}")
        return False
    return True


def expanded(urls: Sequence[str]) -> list[str]:
    """URLs with $NAME and ${NAME} taken from the environment, so that no password need be in the config.

    Raises
    ------
    NotToldError
        When a name is not set.
    """
    complete = []
    for number, url in enumerate(urls, start=1):
        whole = os.path.expandvars(url)
        if "$" in whole:
            raise NotToldError(f"reevaluate.notify.urls[{number}]: a $NAME in it is not set in the environment")
        complete.append(whole)
    return complete


def _apprise(urls: Sequence[str], title: str, lines: Sequence[str]) -> None:
    import apprise  # extra: nightly

    sender = apprise.Apprise()
    for number, url in enumerate(expanded(urls), start=1):
        if not sender.add(url):
            raise NotToldError(f"reevaluate.notify.urls[{number}] is not a URL that apprise knows")
    if not sender.notify(title=title, body="\n".join(lines)):
        raise NotToldError("apprise could not deliver to every URL")


def _command(settings: NotifySettings, lines: Sequence[str], base: Path, state: State) -> None:
    more = {"BENCHCAST_STATUS": str(state.folder / "status.json"), "BENCHCAST_REPORT": str(state.reports / "latest")}
    program = Path(settings.command[0]).name  # its arguments may be passwords
    with subprocess.Popen(
        list(settings.command),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=base,
        env=os.environ | more,
        start_new_session=True,
    ) as process:
        try:
            _, says = process.communicate("\n".join(lines) + "\n", timeout=settings.timeout)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it started
            raise NotToldError(f"{program} did not end within {settings.timeout:g} s, and was ended") from None
    if process.returncode != 0:
        raise NotToldError(f"{program} ended with {process.returncode}: {says.strip()[-200:]}")


def secrets(settings: NotifySettings) -> list[str]:
    """What must not be said of them: the URLs, also as the environment completes them, and the command's arguments."""
    whole = [*settings.urls, *map(os.path.expandvars, settings.urls)]
    parts = [part for url in whole for part in re.split(r"[:/@?&=]+", url) if len(part) >= SECRET_LETTERS]
    return [*whole, *parts, *(word for word in settings.command[1:] if len(word) >= SECRET_LETTERS)]
