"""``score.slurm``: what a task of a SLURM array asks for."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from .settings import Strict

# One word; what the array is, and where it runs and writes, is not the config's to say.
_OPTION = re.compile(r"--(?!(?:array|parsable|output|wrap|wait|chdir)(?:=|$))[a-z][a-z0-9-]*(?:=\S+)?")


def _quoted(value: object) -> object:
    """YAML reads 2:00:00 without quotes as a number of seconds, and SLURM a number as minutes."""
    if value is not None and not isinstance(value, str):
        raise ValueError('is a number to YAML; write it in quotes, such as "2:00:00"')
    return value


def _option(value: str) -> str:
    if _OPTION.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no option of sbatch that can be set here; write it as --name=value")
    return value


class SlurmSettings(Strict):
    """``score.slurm``: what each task asks SLURM for, beside ``cpus_per_worker`` and ``gpus_per_worker``."""

    partition: str | None = None
    account: str | None = None
    time: Annotated[str | None, BeforeValidator(_quoted)] = Field(
        default=None, description='time limit of a task as sbatch takes it, in quotes: "2:00:00"'
    )
    memory: str | None = Field(default=None, description="of a task, as sbatch takes it: 32G")
    options: tuple[Annotated[str, AfterValidator(_option)], ...] = Field(
        default=(), description="more options of sbatch, such as --constraint=a100"
    )
    setup: tuple[str, ...] = Field(default=(), description="shell lines that a task runs first: module load cuda")
