"""Lines to paste for schedulers that Benchcast does not change itself: a crontab, SLURM's scrontab, Kubernetes."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...core.config import Config
from ...core.errors import InputError
from ..settings import settings_of
from . import cron, script
from .install import MARK, Crontab

HOURS = 24  # that a pass may take where reevaluate.max_hours does not say
REPORT_HOURS = 1  # beside the scoring: forecast and report
MOST_LINE = 990  # characters of a line that every cron takes
MOST_NAME = 52  # characters of a CronJob's name: Kubernetes appends eleven to it
FOLDER, USER, CLAIM = "/data", 1000, "benchcast-data"  # of the Containerfile; and a claim to be named by the user
GRACE_SECONDS = 120  # a pass that is asked to end stores what it has


@dataclass(frozen=True, kw_only=True)
class Pasted:
    """The text to paste, and what to know about it."""

    text: str
    notes: list[str]


def line(config: Path, at: str) -> Pasted:
    """A line of a crontab.

    Raises
    ------
    InputError
        For times that cron would not take, and a config that is wrong.
    """
    path, content = config.resolve(), settings_of(config)[0]
    command, notes = _command(path, content)
    text = Crontab(path).line(at, command)
    if len(text) > MOST_LINE:
        notes.append(
            f"it has {len(text)} characters, and some crons take {MOST_LINE}: benchcast cron install is shorter"
        )
    return Pasted(text=text, notes=[*notes, "paste it with: crontab -e"])


def scrontab(config: Path, at: str) -> Pasted:
    """An entry of SLURM's scrontab(1): the options of the job, then the line.

    SLURM submits the next job of an entry when the last has ended, so two passes never overlap. Raises as ``line``.
    """
    path, (content, settings) = config.resolve(), settings_of(config)
    command, notes = _command(path, content)
    hours = _hours(settings.max_hours)
    log = path.parent / settings.folder / "scrontab.log"
    options = [f"--job-name={_name(path)}", f"--time={hours}:00:00", f"--output={log}", "--open-mode=append"]
    if content.score is not None and content.score.executor != "slurm":
        options += ["--gpus=1"] * content.score.device.startswith("cuda")
        notes.append("add what a pass of yours needs: #SCRON --partition=…, --account=…, --cpus-per-task=…, --mem=…")
    rows = [f"{MARK}{path}", *(f"#SCRON {option}" for option in options), f"{cron.cron(at)} {command}"]
    return Pasted(text="\n".join(rows), notes=[*notes, "paste it with: scrontab -e"])


def kubernetes(config: Path, at: str, image: str, time_zone: str) -> Pasted:
    """A CronJob that runs the container in the folder of the config, which is a volume.

    Raises as ``line``.
    """
    path, (content, settings) = config.resolve(), settings_of(config)
    if not image.strip() or any(c.isspace() for c in image):
        raise InputError(f"--image: {image!r} is not the name of an image, such as registry/benchcast:1.0")
    gpus = content.score is not None and content.score.device.startswith("cuda")
    container: dict[str, Any] = {
        "name": "benchcast",
        "image": image,
        "args": ["reevaluate", path.name],
        "workingDir": FOLDER,
        **({"resources": {"limits": {"nvidia.com/gpu": 1}}} if gpus else {}),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "data", "mountPath": FOLDER}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }
    seconds = 3600 * _hours(settings.max_hours)
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": _name(path)},
        "spec": {
            "schedule": cron.kubernetes(at),
            "timeZone": time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 7,
            # Alerts and failures end it with another code than 0: the next night goes on, a retry would say the same.
            "jobTemplate": {
                "spec": {"backoffLimit": 0, "activeDeadlineSeconds": seconds, "template": {"spec": pod}},
            },
        },
    }
    notes = [
        f"claimName: {CLAIM}: name the claim of a volume that has {path.name} and what it names, owned by user {USER}",
        *_outside(path.parent, content),
        "apply it with: kubectl apply -f FILE",
    ]
    return Pasted(text=yaml.safe_dump(job, sort_keys=False).rstrip("\n"), notes=notes)


def _command(path: Path, content: Config) -> tuple[str, list[str]]:
    """The pass with today's environment, but for passwords: what is pasted is read by others."""
    found = script.environment(content)
    kept = {k: v for k, v in found.kept.items() if k not in found.secret and k != "HOME" and "\n" not in v}
    env = ["env", *(f"{name}={value}" for name, value in kept.items())] if kept else []
    words = shlex.join([*env, *script.command(path)])
    left = [f"left out: {name} may be a password; set it where the job runs" for name in found.secret]
    return f"cd {shlex.quote(str(path.parent))} && {words}", left


def _hours(most: float | None) -> int:
    return HOURS if most is None else math.ceil(most) + REPORT_HOURS


def _name(path: Path) -> str:
    """A name of a job: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", f"benchcast-{path.stem}".lower())[:MOST_NAME].strip("-")


def _outside(base: Path, content: Config) -> list[str]:
    """Paths of the config that are not in its folder: the container would not see them."""
    paths: Sequence[Path | str | None] = [content.data.path, content.reevaluate.folder if content.reevaluate else None]
    if (score := content.score) is not None:
        paths = [*paths, score.store, score.out, score.hub_cache, *score.checkpoints]
    outside = {str(p) for p in paths if p is not None and not _is_in(base, base / str(p))}
    return [f"{path}: is not in {base}, which alone is in the volume" for path in sorted(outside)]


def _is_in(base: Path, path: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(base)
