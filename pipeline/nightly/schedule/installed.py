"""Is the pass installed, does it still start this config with this Python, and will anything start it?"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from ...core.errors import BenchcastError, InputError
from . import cron, script
from .check import Check
from .install import Crontab, script_of, words_of
from .systemd import Timer

DAEMONS = {"cron", "crond", "fcron", "bcron-sched"}
NO_DAEMON = "none is seen here: unless something else reads crontabs, nothing will start the pass"
PROCESSES = Path("/proc")


def checks(path: Path) -> Iterator[Check]:
    """Crontab and timer of this user, for this config."""
    config = path.resolve()
    again = f"run again: benchcast cron install {path}"
    timer = Timer(config)
    lines, unread = _lines(config)
    by_systemd = bool(timer.show())
    yield _summary(path, lines, unread, by_systemd=by_systemd)
    for old in script.outdated(config):
        yield Check(what="script", ok=False, says=f"{old} is of an earlier version and starts nothing; {again}")
    for line in lines:
        yield _line(config, line, again)
    if lines and PROCESSES.is_dir():
        running = sorted(DAEMONS & set(_processes()))
        yield Check(what="cron daemon", ok=bool(running), says=", ".join(running) or NO_DAEMON)
    if by_systemd:
        wrong = _started(config, timer.script()) or timer.trouble()
        yield Check(what="timer", ok=not wrong, says=f"{wrong}; {again} --systemd" if wrong else "is active")


def _lines(config: Path) -> tuple[list[bytes], str]:
    """This config's lines of the crontab, and why it cannot be read."""
    try:
        return Crontab(config).lines(), ""
    except BenchcastError as error:
        return [], str(error)


def _summary(path: Path, lines: list[bytes], unread: str, *, by_systemd: bool) -> Check:
    count = len(lines) + by_systemd
    if count > 1:
        where = f"{len(lines)} times in the crontab" + " and as a timer of systemd" * by_systemd
        return Check(what="installed", ok=False, says=f"{where}: keep one (benchcast cron show, cron remove)")
    if lines:
        return Check(what="installed", ok=True, says=lines[0].decode(errors="replace"))
    if by_systemd:
        return Check(what="installed", ok=True, says="as a user timer of systemd")
    seen = f" ({unread})" if unread else ""
    other = f"benchcast cron install {path}, or cron line for another scheduler"
    return Check(what="installed", ok=True, says=f"not in a crontab or systemd of yours{seen}: {other}")


def _line(config: Path, line: bytes, again: str) -> Check:
    """Whether a line of the crontab still starts this config."""
    words = line.decode(errors="replace").split()
    times = words[0] if words[0].startswith("@") else " ".join(words[:5])
    try:
        cron.cron(times)
    except InputError as error:
        return Check(what="crontab", ok=False, says=f"{str(error).removeprefix('--at: ')}; {again}")
    wrong = _pasted(config, line) if script_of(line) is None else _started(config, script_of(line))
    return Check(what="crontab", ok=not wrong, says=f"{wrong}; {again}" if wrong else f"{times}: starts this config")


def _started(config: Path, path: Path | None) -> str:
    """What is wrong with the script that is started; empty when it is the config's own and still works."""
    if path is None:
        return "what is installed is not as cron install wrote it"
    if path not in script.places_of(config):
        return f"starts {path}, but reevaluate.folder of the config is another now"
    if not path.is_file():
        return f"starts {path}, which is gone"
    if path in script.outdated(config):
        return f"starts {path}, which is of an earlier version"
    return _words(config, script.starts(path))


def _pasted(config: Path, line: bytes) -> str:
    """The same of a line that starts the pass itself."""
    words = words_of(line)
    first = next((i for i, word in enumerate(words) if word == "-P"), 0)
    return _words(config, words[first - 1 :] if first else [])


def _words(config: Path, words: list[str]) -> str:
    """What is wrong with the command of a pass."""
    if "reevaluate" not in words[:-1] or "benchcast" not in words:
        return "does not start benchcast reevaluate"
    python, started = words[0], words[words.index("reevaluate") + 1]
    if not Path(python).exists():
        return f"starts {python}, which is gone"
    if Path(started) != config:
        return f"starts {started}, which is another config"
    if python != sys.executable:
        return f"starts {python}, and the doctor looked at {sys.executable}"
    return ""


def _processes() -> Iterator[str]:
    """First words of the commands that can be seen running; of ``busybox crond`` both."""
    for place in PROCESSES.glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = place.read_text(errors="replace").split("\0")
            yield from (Path(word).name for word in words[:2])
