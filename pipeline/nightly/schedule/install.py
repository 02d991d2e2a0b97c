"""Having the pass run by itself: a marked line in the user's crontab, or a user timer of systemd.

Both start a small script in the folder of the pass, readable by its owner only, which has the paths and the environment
of the day it was installed: cron starts its children with next to none.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...core import files as store
from ...core import reading
from ...core.config import Config
from ...core.digest import object_digest
from ...core.errors import BenchcastError, InputError, UnreadableError
from ...core.redact import secrets_of
from ..settings import settings_of
from ..state import State
from . import cron

MARK = "# benchcast: "
SCRIPT = "cron.sh"
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "SLURM_CONF",
    "OMP_NUM_THREADS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
KEPT_PREFIXES = ("HF_", "TRANSFORMERS_", "BENCHCAST_", "XDG_")


class Scheduler(Protocol):
    """Somewhere that starts the pass; every method returns lines to print."""

    def install(self, at: str) -> list[str]:
        """Have it start at these times."""

    def remove(self) -> list[str]:
        """Undo that."""

    def show(self) -> list[str]:
        """What is installed; empty if nothing is."""


def scheduler_for(config: Path, *, systemd: bool) -> Scheduler:
    """The place for a config's pass.

    Raises
    ------
    InputError
        When the config is wrong, or its path cannot stand in a crontab.
    """
    path = config.resolve()
    if any(ord(c) < 32 for c in str(path)):
        raise InputError(f"{path!r}: a path with control characters cannot stand in a crontab; rename it")
    return Timer(path) if systemd else Crontab(path)


HEAD = "#!/bin/sh\n# Written by benchcast cron install; run that again after changing the environment.\n"
SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)  # what a shell takes for the name of a variable


@dataclass(frozen=True, kw_only=True)
class Script:
    """The file that starts the pass, what to say of it, and whether it was there before."""

    path: Path
    lines: list[str]
    new: bool


def write_script(config: Path) -> Script:
    """Write the script that starts the pass with today's environment, for its owner only."""
    content, settings = settings_of(config)
    path = State(config.parent / settings.folder).folder / SCRIPT
    kept, strange = _environment(content)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(kept.items()))
    command = shlex.join([sys.executable, "-P", "-m", "benchcast", "reevaluate", str(config)])
    text = f"{HEAD}{exports}cd {shlex.quote(str(config.parent))} || exit 2\nexec {command}\n"
    new = not path.exists()
    store.write_bytes(os.fsencode(text), path, mode=0o700)
    lines = [f"{path}: readable by you alone, keeps of your environment {', '.join(sorted(kept))}"]
    if secret := [name for name, value in sorted(kept.items()) if secrets_of([(name, value)])]:
        lines.append(f"{path}: {', '.join(secret)} may hold passwords; benchcast cron remove deletes the file")
    lines += [f"left out: {name!r} of your environment is not a name that a shell knows" for name in strange]
    return Script(path=path, lines=lines, new=new)


def _environment(config: Config) -> tuple[dict[str, str], list[str]]:
    """Variables that the pass needs, and names among them that no shell would take: they could be commands."""
    urls = " ".join(config.reevaluate.notify.urls) if config.reevaluate else ""
    named = re.findall(r"\$\{?(\w+)", urls)
    wanted = {k: v for k, v in os.environ.items() if k in KEPT_VARIABLES or k in named or k.startswith(KEPT_PREFIXES)}
    return {k: v for k, v in wanted.items() if SHELL_NAME.fullmatch(k)}, sorted(
        k for k in wanted if not SHELL_NAME.fullmatch(k)
    )


def _delete(path: Path) -> list[str]:
    """Remove a script that ``write_script`` wrote, and nothing else; it has what it kept of the environment."""
    try:
        ours = path.name == SCRIPT and HEAD.encode() in reading.data(path, reading.MOST_CONFIG)
        if not ours or path.is_symlink():
            return [f"{path}: is not as cron install wrote it, and is left"]
        path.unlink()
    except UnreadableError:
        return []
    except OSError as error:
        return [f"{path}: could not be deleted ({error.strerror}); delete it, it may hold passwords"]
    return [f"deleted: {path}, with what it kept of your environment"]


def _places_of(config: Path) -> list[Path]:
    """Where a config that can still be read has its script."""
    try:
        _, settings = settings_of(config)
    except BenchcastError:
        return []
    return [config.parent / settings.folder / SCRIPT]


def outdated(config: Path) -> list[Path]:
    """Scripts that a version before 0.2 wrote: they start a module that is no longer there."""
    scripts = []
    for path in _places_of(config):
        with contextlib.suppress(OSError, UnreadableError):
            text = reading.data(path, reading.MOST_CONFIG)
            if HEAD.encode() in text and b" -m pipeline.cli " in text:
                scripts.append(path)
    return scripts


class Crontab:
    """The user's crontab; every line but our own is kept byte for byte."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._mark = MARK.encode() + os.fsencode(config)

    def install(self, at: str) -> list[str]:
        """See ``Scheduler``."""
        times = cron.cron(at)
        kept = self._others(before := _crontab())
        made = write_script(self._config)
        # In a crontab a % ends the command, quoted or not, unless a backslash is before it.
        command = f"/bin/sh {shlex.quote(str(made.path))}".replace("%", r"\%")
        line = os.fsencode(f"{times} {command} ") + self._mark.replace(b"%", rb"\%")
        try:
            _write_crontab(kept + line + b"\n", before)
        except BenchcastError:
            if made.new:
                _delete(made.path)
            raise
        return [line.decode(errors="replace"), *made.lines]

    def remove(self) -> list[str]:
        """See ``Scheduler``."""
        before = _crontab()
        ours = self._own(before)
        lines = [f"removed: {line.decode(errors='replace')}" for line in ours]
        if ours:
            _write_crontab(self._others(before), before)
        paths = dict.fromkeys([*filter(None, map(_script_of, ours)), *_places_of(self._config)])
        if not Timer(self._config).show():  # it starts the same script
            lines += [line for path in paths for line in _delete(path)]
        return lines if ours else [f"{self._config}: is not in the crontab", *lines]

    def show(self) -> list[str]:
        """See ``Scheduler``."""
        return [line.decode(errors="replace") for line in self._own(_crontab())]

    def _own(self, text: bytes) -> list[bytes]:
        return [line for line in text.split(b"\n") if self._is_own(line)]

    def _is_own(self, line: bytes) -> bool:
        return line.rstrip().endswith(b" " + self._mark.replace(b"%", rb"\%")) and not line.lstrip().startswith(b"#")

    def _others(self, text: bytes) -> bytes:
        kept = [line for line in text.removesuffix(b"\n").split(b"\n") if not self._is_own(line)] if text else []
        return b"".join(line + b"\n" for line in kept)


def _script_of(line: bytes) -> Path | None:
    """The script that a line of ours starts."""
    try:
        words = shlex.split(os.fsdecode(line).replace(r"\%", "%"), comments=True)
        return Path(words[words.index("/bin/sh") + 1])
    except (ValueError, IndexError):
        return None


def _crontab() -> bytes:
    done = _run(["crontab", "-l"])
    if done.returncode == 0:
        return done.stdout
    if b"no crontab for" in done.stderr:
        return b""
    raise BenchcastError(f"crontab -l: {_says(done)}")


def _write_crontab(text: bytes, before: bytes) -> None:
    done = _run(["crontab", "-"], text) if text else _run(["crontab", "-r"])
    if done.returncode != 0:
        raise BenchcastError(f"crontab: {_says(done)}; your crontab is as it was")
    if _crontab() != text:
        _run(["crontab", "-"], before)
        raise BenchcastError("crontab: did not keep what it was given; put back as it was")


def _run(command: list[str], text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        raise BenchcastError(f"{command[0]}: is not installed here") from None
    except OSError as error:
        raise BenchcastError(f"{command[0]}: cannot be run ({error.strerror or error})") from None
    except subprocess.TimeoutExpired:
        raise BenchcastError(f"{command[0]}: did not answer within 60 s") from None


def _says(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(done.stderr.decode(errors="replace").split()) or f"ended with {done.returncode}"


def _in_crontab(config: Path) -> bool:
    try:
        return bool(Crontab(config).show())
    except BenchcastError:  # no crontab here
        return False


class Timer:
    """A service and a timer in the user's systemd folder."""

    def __init__(self, config: Path) -> None:
        self._config = config
        name = re.sub(r"[^\w-]", "-", config.stem)
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        unit = f"benchcast-{name}-{object_digest(str(config))[:8]}"
        self._service, self._timer = (home / "systemd" / "user" / f"{unit}.{kind}" for kind in ("service", "timer"))

    def install(self, at: str) -> list[str]:
        """See ``Scheduler``."""
        calendar = cron.calendar(at)
        made = write_script(self._config)
        path = str(made.path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        about = str(self._config).replace("%", "%%")
        # 75 is try later; 1 and 3 show the service as failed, as people expect of what needs them.
        store.write_text(
            f"[Unit]\nDescription=benchcast reevaluate {about}\n\n[Service]\nType=oneshot\n"
            f'ExecStart=/bin/sh "{path}"\nSuccessExitStatus=75\n',
            self._service,
        )
        store.write_text(
            f"[Unit]\nDescription=benchcast reevaluate {about}\n\n[Timer]\nOnCalendar={calendar}\n"
            "Persistent=true\n\n[Install]\nWantedBy=timers.target\n",
            self._timer,
        )
        return [f"{self._timer}: {calendar}", *made.lines, *self._systemctl(["enable", "--now", self._timer.name])]

    def remove(self) -> list[str]:
        """See ``Scheduler``."""
        if not self._timer.exists():
            return [f"{self._config}: has no timer"]
        lines = self._systemctl(["disable", "--now", self._timer.name])
        for path in (self._timer, self._service):
            path.unlink(missing_ok=True)
        if not _in_crontab(self._config):
            lines += [line for path in _places_of(self._config) for line in _delete(path)]
        return [f"removed: {self._timer}", *lines]

    def show(self) -> list[str]:
        """See ``Scheduler``."""
        if not self._timer.exists():
            return []
        return [f"{path}:\n{path.read_text(encoding='utf-8')}" for path in (self._timer, self._service)]

    def _systemctl(self, words: list[str]) -> list[str]:
        """Tell the user's systemd; where there is none to talk to, say what to run."""
        try:
            done = [_run(["systemctl", "--user", *some]) for some in (["daemon-reload"], words)]
        except BenchcastError:
            done = []
        if done and all(d.returncode == 0 for d in done):
            return ["systemd: done (loginctl enable-linger lets it run while you are logged out)"]
        return [
            f"systemd does not answer here; run: systemctl --user daemon-reload && systemctl --user {shlex.join(words)}"
        ]
