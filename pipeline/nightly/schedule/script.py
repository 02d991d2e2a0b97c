"""The small script that crontab and systemd start: the paths and the environment of the day it was installed."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from ...core import files as store
from ...core import reading
from ...core.config import Config
from ...core.errors import BenchcastError, UnreadableError
from ...core.redact import secrets_of
from ..settings import settings_of
from .programs import Undo

SCRIPT = "cron.sh"
HEAD = "#!/bin/sh\n# Written by benchcast cron install; run that again after changing the environment.\n"
SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)  # what a shell takes for the name of a variable
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


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the pass needs of today's environment; ``secret`` are names of what may be passwords.

    ``strange`` are names that no shell would take: they could be commands.
    """

    kept: dict[str, str]
    secret: list[str]
    strange: list[str]


def environment(config: Config) -> Environment:
    """Variables of today that the pass needs."""
    urls = " ".join(config.reevaluate.notify.urls) if config.reevaluate else ""
    named = re.findall(r"\$\{?(\w+)", urls)
    wanted = {k: v for k, v in os.environ.items() if k in KEPT_VARIABLES or k in named or k.startswith(KEPT_PREFIXES)}
    kept = {k: v for k, v in sorted(wanted.items()) if SHELL_NAME.fullmatch(k)}
    return Environment(
        kept=kept,
        secret=[name for name, value in kept.items() if name in named or secrets_of([(name, value)])],
        strange=sorted(set(wanted) - set(kept)),
    )


def command(config: Path) -> list[str]:
    """The pass, with this Python."""
    return [sys.executable, "-P", "-m", "benchcast", "reevaluate", str(config)]


def place(config: Path) -> Path:
    """Where a config has its script.

    Raises
    ------
    BenchcastError
        When the config cannot be read.
    """
    return config.parent / settings_of(config)[1].folder / SCRIPT


def write(config: Path, undo: Undo) -> tuple[Path, list[str]]:
    """Write the script, for its owner only; its path, and lines to print."""
    content, settings = settings_of(config)
    path = config.parent / settings.folder / SCRIPT
    found = environment(content)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in found.kept.items())
    text = f"{HEAD}{exports}cd {shlex.quote(str(config.parent))} || exit 2\nexec {shlex.join(command(config))}\n"
    undo.file(path)
    store.write_bytes(os.fsencode(text), path, mode=0o700)
    lines = [f"{path}: readable by you alone, keeps of your environment {', '.join(found.kept)}"]
    if found.secret:
        lines.append(f"{path}: {', '.join(found.secret)} may hold passwords; benchcast cron remove deletes the file")
    lines += [f"left out: {name!r} of your environment is not a name that a shell knows" for name in found.strange]
    return path, lines


def delete(path: Path) -> list[str]:
    """Remove a script that ``write`` wrote, and nothing else; it has what it kept of the environment."""
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


def places_of(config: Path) -> list[Path]:
    """Where a config that can still be read has its script."""
    try:
        return [place(config)]
    except BenchcastError:
        return []


def outdated(config: Path) -> list[Path]:
    """Scripts that a version before 0.2 wrote: they start a module that is no longer there."""
    scripts = []
    for path in places_of(config):
        with contextlib.suppress(OSError, UnreadableError):
            text = reading.data(path, reading.MOST_CONFIG)
            if HEAD.encode() in text and b" -m pipeline.cli " in text:
                scripts.append(path)
    return scripts


def starts(path: Path) -> list[str]:
    """The words of the command that a script ends with; none where it is not as ``write`` wrote it."""
    try:
        text = os.fsdecode(reading.data(path, reading.MOST_CONFIG))
        last = text.rstrip("\n").splitlines()[-1]
        return shlex.split(last.removeprefix("exec ")) if HEAD in text else []
    except (UnreadableError, OSError, ValueError, IndexError):
        return []
