"""The YAML config, validated: every fault is reported at once with its path in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Frozen, and an unknown key is an error (with what was probably meant)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreSettings(Strict):
    """``score``: which checkpoints and tasks ``benchcast score`` runs lm-eval on."""

    checkpoints: tuple[str, ...] = Field(min_length=1, description="glob patterns of checkpoint folders")
    tasks: tuple[str, ...] = Field(min_length=1, description="lm-eval task names")
    include_path: Path | None = Field(default=None, description="folder of task YAML files to add")
    validation_text: tuple[Path, ...] = Field(default=(), description="text files for the validation loss")
    num_fewshot: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, ge=1, description="documents per task; empty for all")
    batch_size: int = Field(default=64, ge=1)
    device: str = Field(default="auto", description="auto (GPU if present), cpu, cuda, cuda:1, …")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    add_bos_token: bool = False
    max_length: int | None = Field(default=None, ge=1)
    seed: int = 1234
    out: Path = Field(default=Path("scores.csv"), description="the ladder table to write")
