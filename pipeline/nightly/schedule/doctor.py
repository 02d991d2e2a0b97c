"""Before the first night: would a pass work?"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ...core.config import Config, NotifySettings, ReevaluateSettings
from ...core.errors import BenchcastError, FaultsError, NotToldError
from ..alerts import channels as alerts
from ..alerts.rules.clock import SLACK
from ..settings import settings_of
from ..state import State, stamp
from . import build_tasks, installed, tracked
from .check import Check

LEAST_FREE = 1 << 30  # bytes
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def run_checks(path: Path) -> Iterator[Check]:
    """Look at everything a pass needs.

    Raises
    ------
    FaultsError
        When the config itself is wrong.
    """
    config, settings = settings_of(path)
    base = path.resolve().parent
    yield Check(what="config", ok=True, says=str(path))
    yield from _folders(config, settings, base)
    yield from _records(base / settings.folder)
    if config.score is not None:
        yield from _scoring(config, path.resolve())
    yield from _notifiers(settings.notify, base)
    yield from _clock(base / settings.folder)
    yield from tracked.checks(config, settings, base)
    yield from installed.checks(path)


def _folders(config: Config, settings: ReevaluateSettings, base: Path) -> Iterator[Check]:
    """Paths that are written, and the room there."""
    wanted = {"reevaluate.folder": base / settings.folder}
    if config.score is not None:
        wanted |= {"score.store": base / config.score.store, "score.out": (base / config.score.out).parent}
    for key, folder in wanted.items():
        place = next(p for p in (folder, *folder.parents) if p.exists())
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            yield Check(what=key, ok=False, says=f"{folder} cannot be written ({error.strerror or error})")
            continue
        free = shutil.disk_usage(place).free
        room = f"{free / 1e9:.1f} GB free"
        yield Check(
            what=key,
            ok=free >= LEAST_FREE,
            says=f"{folder}: {room}" + ("" if free >= LEAST_FREE else "; less than 1 GB is too little"),
        )


def _records(folder: Path) -> Iterator[Check]:
    """History and register, if there are some."""
    from ...registry import register

    if not folder.is_dir():
        yield Check(what="history", ok=True, says="none yet")
        return
    try:
        state = State(folder)
        if bad := state.bad_lines():
            yield Check(
                what="history",
                ok=False,
                says=f"{len(bad)} lines of {folder / 'history.jsonl'} are not records of a pass "
                f"(the first: line {bad[0]}); the next pass sets them aside",
            )
            return
        passes = len(state.history())
        records = len(register.read(state.register)) if state.register.exists() else 0
        yield Check(
            what="history", ok=True, says=f"{passes} passes with news, {records} registered forecasts, chain intact"
        )
    except BenchcastError as error:
        yield Check(what="history", ok=False, says=str(error))


def _scoring(config: Config, path: Path) -> Iterator[Check]:
    from ...scoring.checkpoints import discover

    assert config.score is not None
    kept = discover.matching(config.score, path.parent)
    missing = [p for p in config.score.checkpoints if p not in kept]
    says = f"nothing matches {', '.join(missing)}" if missing else f"{len(kept)} patterns match"
    yield Check(what="score.checkpoints", ok=bool(kept), says=says + (" yet" if kept and missing else ""))
    try:
        absent = discover.missing(config.score.model_copy(update={"checkpoints": kept}), path.parent)
    except FaultsError as error:
        absent = {fault.where.removeprefix("score.checkpoints: "): fault.what for fault in error.faults}
    for model, why in absent.items():
        yield Check(what=f"score.checkpoints: {model}", ok=False, says=why)
    packages = [name for name in ("torch", "lm_eval") if importlib.util.find_spec(name) is None]
    if packages:
        yield Check(
            what="scoring", ok=False, says=f"{', '.join(packages)} is not installed: pip install 'benchcast[score]'"
        )
        return
    yield _slurm() if config.score.executor == "slurm" else _device(config.score.device)
    yield _tasks(path)


def _device(device: str) -> Check:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(count))
    if device.startswith("cuda"):
        number = int(device.partition(":")[2] or 0)
        return Check(what="GPU", ok=number < count, says=names or f"score.device is {device}, but there is no GPU")
    return Check(what="GPU", ok=True, says=names if count and device != "cpu" else "none is used; the CPU scores")


def _slurm() -> Check:
    """The GPUs are on other machines; here only SLURM's commands must be found."""
    from ...scoring.inference.slurm import COMMANDS

    missing = [name for name in COMMANDS if shutil.which(name) is None]
    return Check(what="SLURM", ok=not missing, says=f"no {', '.join(missing)} on the path" if missing else "is here")


def _tasks(path: Path) -> Check:
    """Whether every task can be built without a network."""
    command = [sys.executable, "-P", "-W", "ignore", "-m", build_tasks.__name__, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=600, env=os.environ | OFFLINE, check=False
        )
    except subprocess.TimeoutExpired:
        return Check(what="tasks offline", ok=False, says="could not be built within 10 minutes")
    lines = done.stdout.splitlines()
    unbuilt = [line.removeprefix(f"{build_tasks.MARK} ") for line in lines if line.startswith(build_tasks.MARK)]
    if done.returncode == 0:
        return Check(what="tasks offline", ok=True, says="all can be built without a network")
    last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return Check(what="tasks offline", ok=False, says="; ".join(unbuilt) or last)


def _notifiers(settings: NotifySettings, base: Path) -> Iterator[Check]:
    if settings.command:
        name = settings.command[0]
        # As the pass runs it: a name with a slash lies beside the config, another is looked up.
        program = shutil.which(str(base / name) if "/" in name else name)
        yield Check(what="notify.command", ok=program is not None, says=program or f"{name!r} is not a program here")
    if settings.urls and importlib.util.find_spec("apprise") is None:
        yield Check(what="notify.urls", ok=False, says="apprise is not installed: pip install 'benchcast[nightly]'")
    elif settings.urls:
        import apprise

        try:
            good = [apprise.Apprise.instantiate(url) is not None for url in alerts.expanded(settings.urls)]
            bad = [str(n) for n, ok in enumerate(good, start=1) if not ok]
            yield Check(
                what="notify.urls",
                ok=not bad,
                says=f"number {', '.join(bad)} is unknown to apprise" if bad else "known",
            )
        except NotToldError as error:
            yield Check(what="notify.urls", ok=False, says=str(error))
    if not (settings.urls or settings.command):
        yield Check(
            what="notify",
            ok=True,
            says="no urls, no command: messages go to standard error, which cron mails to its MAILTO",
        )


def _clock(folder: Path) -> Iterator[Check]:
    """The clock against the last pass, and against that of the disk, which may be another machine's."""
    now = datetime.now(UTC)
    last: list[str] = []
    if folder.is_dir():
        with contextlib.suppress(BenchcastError):
            last = [str(e["time"]) for e in State(folder).history()]
    latest = max((datetime.fromisoformat(t) for t in last), default=now)
    ok = now >= latest - SLACK
    yield Check(
        what="clock", ok=ok, says=stamp(now) + ("" if ok else f", before the last pass at {stamp(latest)}; set it")
    )
    place = next(p for p in (folder, *folder.parents) if p.exists())
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(dir=place) as file:
        apart = abs(os.stat(file.name).st_mtime - time.time())
        yield Check(
            what="clock of the disk", ok=apart < SLACK.total_seconds(), says=f"{apart:.0f} s apart from this machine's"
        )
