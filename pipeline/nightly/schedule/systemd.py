"""The pass as a user timer of systemd: a service, a timer, and the script that both start."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from ...core import files as store
from ...core.digest import object_digest
from ...core.errors import BenchcastError, InputError
from . import cron, script
from .programs import Undo, all_or_nothing, run, says

WANTED = "timers.target.wants"  # where systemctl enable puts its link


class Timer:
    """A service and a timer in the user's systemd folder."""

    def __init__(self, config: Path) -> None:
        self._config = config
        name = re.sub(r"[^\w-]", "-", config.stem)
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        unit = f"benchcast-{name}-{object_digest(str(config))[:8]}"
        self._service, self._timer = (home / "systemd" / "user" / f"{unit}.{kind}" for kind in ("service", "timer"))

    def install(self, at: str) -> list[str]:
        """See ``Scheduler``; a systemd that does not take it leaves nothing behind."""
        calendar = cron.calendar(at) if cron.is_cron(at) else _checked(at)
        before = self._timer.exists()
        with all_or_nothing() as undo:
            # Put back last: when the files are as they were, systemd is told so.
            undo.step(lambda: run(["systemctl", "--user", "restart" if before else "stop", self._timer.name]))
            undo.step(lambda: run(["systemctl", "--user", "daemon-reload"]))
            path, lines = script.write(self._config, undo)
            self._write(path, calendar, undo)
            self._enable(undo)
        linger = "loginctl enable-linger lets it run while you are logged out"
        return [f"{self._timer}: {calendar}", *lines, f"systemd: the timer is enabled and started ({linger})"]

    def _write(self, path: Path, calendar: str, undo: Undo) -> None:
        started = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        about = f"[Unit]\nDescription=benchcast reevaluate {str(self._config).replace('%', '%%')}\n\n"
        # 75 is try later; 1 and 3 show the service as failed, as people expect of what needs them.
        service = f'[Service]\nType=oneshot\nExecStart=/bin/sh "{started}"\nSuccessExitStatus=75\n'
        timer = f"[Timer]\nOnCalendar={calendar}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
        for unit, text in ((self._service, service), (self._timer, timer)):
            undo.file(unit)
            store.write_text(about + text, unit)

    def _enable(self, undo: Undo) -> None:
        if not self._link.is_symlink():
            undo.step(self._unlink)
        for words in (["daemon-reload"], ["enable", "--now", self._timer.name]):
            try:
                done = run(["systemctl", "--user", *words])
                why = "" if done.returncode == 0 else says(done)
            except BenchcastError as error:
                why = str(error)
            if why:
                raise BenchcastError(
                    f"systemctl --user {words[0]}: {why}; nothing was installed. "
                    "Where no systemd of yours runs, leave out --systemd: the crontab is used"
                )

    @property
    def _link(self) -> Path:
        return self._timer.parent / WANTED / self._timer.name

    def _unlink(self) -> None:
        self._link.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are in it
            self._link.parent.rmdir()

    def remove(self) -> list[str]:
        """See ``Scheduler``; where systemd does not answer, its files are removed all the same."""
        if not self._timer.exists():
            return [f"{self._config}: has no timer"]
        try:
            done = run(["systemctl", "--user", "disable", "--now", self._timer.name])
            why = "" if done.returncode == 0 else says(done)
        except BenchcastError as error:
            why = str(error)
        for path in (self._timer, self._service):
            path.unlink(missing_ok=True)
        self._unlink()
        with contextlib.suppress(BenchcastError):
            run(["systemctl", "--user", "daemon-reload"])
        return [f"removed: {self._timer}", *([f"systemd did not answer ({why}): its files are gone"] if why else [])]

    def show(self) -> list[str]:
        """See ``Scheduler``."""
        if not self._timer.exists():
            return []
        return [f"{path}:\n{path.read_text(encoding='utf-8')}" for path in (self._timer, self._service)]

    def script(self) -> Path | None:
        """The script that the service starts; None where it is not there, or not as it was installed."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            started = re.search(r'^ExecStart=/bin/sh "(.*)"$', self._service.read_text(encoding="utf-8"), re.MULTILINE)
            if started is not None:
                plain = started[1].replace("$$", "$").replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\")
                return Path(plain)
        return None

    def trouble(self) -> str:
        """Why systemd would not start it; empty when it would."""
        try:
            done = run(["systemctl", "--user", "is-active", self._timer.name])
        except BenchcastError as error:
            return str(error)
        return "" if done.returncode == 0 else f"the timer is not active ({done.stdout.decode().strip() or says(done)})"


def _checked(at: str) -> str:
    """An OnCalendar expression that systemd itself takes.

    Raises
    ------
    InputError
        When it takes it not.
    """
    if not at.strip() or any(ord(c) < 32 for c in at):
        raise InputError(f"--at: {at!r} is neither five fields of a crontab nor an OnCalendar expression")
    try:
        done = run(["systemd-analyze", "calendar", "--", at])
    except BenchcastError:  # it is not here: systemctl says so of the timer
        return at.strip()
    if done.returncode != 0:
        raise InputError(f"--at: {at!r} is neither five fields of a crontab nor an OnCalendar expression: {says(done)}")
    return at.strip()
