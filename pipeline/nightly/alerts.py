"""Telling people: standard error, apprise and a command, each message once to each; a failure to tell fails nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import NotifySettings
from pipeline.errors import first_line
from pipeline.nightly.quiet import Voice

TERMINAL, APPRISE, COMMAND = "terminal", "apprise", "command"


class NotToldError(Exception):
    """A channel did not take a message; it is tried again in the next pass."""


def deliver(
    settings: NotifySettings, title: str, history: Sequence[Mapping[str, Any]], told: dict[str, int], voice: Voice,
    base: Path, status: Path, report: Path,
) -> dict[str, int]:  # fmt: skip
    """Give every channel the messages it has not had yet; returns channel to the last pass it was told of.

    The command runs in ``base``. ``told`` is what this returned before; a channel that is new hears of the last pass
    only.
    """
    last = int(history[-1]["seq"]) if history else 0
    channels: dict[str, Callable[[list[str]], None]] = {TERMINAL: lambda lines: voice.say("\n".join(lines))}
    if settings.urls:
        channels[APPRISE] = lambda lines: _apprise(settings.urls, title, lines)
    if settings.command:
        channels[COMMAND] = lambda lines: _command(settings, lines, base, status, report)
    found = {}
    for name, tell in channels.items():
        since = told.get(name, last - 1 if told else 0)
        found[name] = last
        lines = [str(m) for entry in history if entry["seq"] > since for m in entry.get("messages", ())]
        if lines:
            try:
                tell(lines)
            except Exception as error:  # whatever a notifier does, the pass goes on
                voice.note(f"warning: {name} could not be told, and is tried again next time: {first_line(error)}")
                found[name] = since
    return found


def expanded(urls: Sequence[str]) -> list[str]:
    """URLs with $NAME and ${NAME} taken from the environment, so that no password need be in the config.

    Raises
    ------
    NotToldError
        When a name is not set.
    """
    found = []
    for number, url in enumerate(urls, start=1):
        whole = os.path.expandvars(url)
        if "$" in whole:
            raise NotToldError(f"reevaluate.notify.urls[{number}]: a $NAME in it is not set in the environment")
        found.append(whole)
    return found


def _apprise(urls: Sequence[str], title: str, lines: Sequence[str]) -> None:
    import apprise  # extra: nightly

    sender = apprise.Apprise()
    for number, url in enumerate(expanded(urls), start=1):
        if not sender.add(url):
            raise NotToldError(f"reevaluate.notify.urls[{number}] is no URL that apprise knows")
    if not sender.notify(title=title, body="\n".join(lines)):
        raise NotToldError("apprise could not deliver to every URL")


def _command(settings: NotifySettings, lines: Sequence[str], base: Path, status: Path, report: Path) -> None:
    more = {"BENCHCAST_STATUS": str(status), "BENCHCAST_REPORT": str(report)}
    done = subprocess.run(list(settings.command), input="\n".join(lines) + "\n", text=True, timeout=settings.timeout,
                          cwd=base, env=os.environ | more, capture_output=True, check=False)  # fmt: skip
    if done.returncode != 0:
        raise NotToldError(f"{settings.command[0]} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
