"""The config's section ``score``: checkpoints, tasks, where they are computed, and what a SLURM task asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from benchcast.stages.compute.architecture import CONVENTIONS as FLOP_CONVENTIONS
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from .settings import Patterns, Positive, SequenceLength, StepTokens, Strict

# One word; what the array is, and where it runs and writes, is not the config's to say.
_OPTION = re.compile(r"--(?!(?:array|parsable|output|wrap|wait|chdir)(?:=|$))[a-z][a-z0-9-]*(?:=\S+)?")


def _quoted(value: object) -> object:
    """YAML reads 2:00:00 without quotes as a number of seconds, and SLURM a number as minutes."""
    if value is not None and not isinstance(value, str):
        raise ValueError('is a number to YAML; write it in quotes, such as "2:00:00"')
    return value


def _option(value: str) -> str:
    if _OPTION.fullmatch(value) is None:
        raise ValueError(f"{value!r} is not an option of sbatch that can be set here; write it as --name=value")
    return value


class SlurmSettings(Strict):
    """``score.slurm``: what each task asks SLURM for, beside ``cpus_per_worker`` and ``gpus_per_worker``."""

    partition: str | None = Field(default=None, description="partition that the tasks are queued in")
    account: str | None = Field(default=None, description="account that the time is charged to")
    time: Annotated[str | None, BeforeValidator(_quoted)] = Field(
        default=None, description='time limit of a task as sbatch takes it, in quotes: "2:00:00"'
    )
    memory: str | None = Field(default=None, description="memory of a task as sbatch takes it: 32G")
    options: tuple[Annotated[str, AfterValidator(_option)], ...] = Field(
        default=(), description="further options of sbatch, such as --constraint=a100"
    )
    setup: tuple[str, ...] = Field(
        default=(), description="shell commands that a task runs first, such as module load cuda"
    )


class PlaceSettings(Strict):
    """``score.place``: what holds for every checkpoint that does not say otherwise itself."""

    run: str | None = Field(default=None, description="name of the training run")
    family: str | None = Field(
        default=None, description="data mix or recipe of the run; laws are fitted within one family"
    )
    params: Positive | None = Field(
        default=None, description="parameters N; left out: counted from config.json, embeddings included"
    )
    tokens_per_step: StepTokens | None = Field(
        default=None, description="training tokens of one step; tokens D = step times this number"
    )
    seq_len: SequenceLength | None = Field(
        default=None, ge=1, description="sequence length in training; the FLOPs of attention need it"
    )
    flops_convention: Literal[FLOP_CONVENTIONS] | None = Field(  # type: ignore[valid-type]
        default=None, description="how training FLOPs are counted; left out: 6ND"
    )


class ScoreSettings(Strict):
    """``score``: which checkpoints and tasks ``benchcast score`` runs lm-eval on."""

    checkpoints: Patterns = Field(
        min_length=1,
        description="checkpoint folders (glob patterns), or models of the Hugging Face hub as org/name@revision",
    )
    hub_cache: Path | None = Field(
        default=None,
        description="folder of the hub's models: the hub's cache, or folders org/name/revision; left out: HF_HUB_CACHE",
    )
    download: bool = Field(
        default=False, description="download revisions that are missing; false: say which command downloads them"
    )
    tasks: Patterns = Field(min_length=1, description="names of lm-eval tasks and groups")
    include_path: Path | None = Field(default=None, description="folder with your own task YAML files")
    validation_text: tuple[Path, ...] = Field(
        default=(), description="text or JSONL files to compute a validation loss on"
    )
    num_fewshot: int | None = Field(
        default=None, ge=0, description="examples in the prompt; left out: as the task says"
    )
    limit: int | None = Field(
        default=None, ge=1, description="score only the first so many documents of each task; left out: all"
    )
    documents: int | None = Field(
        default=None,
        ge=2,
        description="score so many documents of each task, chosen once, and estimate the full score from them",
    )
    whole: Patterns = Field(
        default=(),
        description="checkpoints (patterns) scored on all documents; they choose those of the others",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="precision that the model is computed in"
    )
    add_bos_token: bool = Field(default=False, description="put the token for a text's beginning before every prompt")
    max_length: int | None = Field(
        default=None, ge=1, description="longest input in tokens; left out: the model's context length"
    )
    most_truncated: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of a task's prompts that may be cut to fit the context; above it the task fails",
    )
    seed: int = Field(
        default=1234, description="random seed for few-shot examples and sampled answers; lm-eval has the same default"
    )
    gen_kwargs: dict[str, Any] = Field(
        default={},
        description="changes generation_kwargs of every task that generates text, like lm-eval's --gen_kwargs",
    )
    gold_text: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={},
        description="reference answers by task (name or pattern): a template or a .jsonl; the loss is taken on them",
    )
    run_unsafe_code: bool = Field(
        default=False,
        description="score tasks whose metric runs code that the model wrote; time and memory are limited, no sandbox",
    )

    tokenizer: Path | None = Field(default=None, description="folder of the tokenizer, for checkpoints without one")
    ladder: Path | None = Field(
        default=None, description="ladder.yaml, the file that gives run, step, params and tokens of each folder"
    )
    pattern: str | None = Field(default=None, description='how to read folder names, such as "{run}/step-{step}"')
    place: PlaceSettings = PlaceSettings()
    marker: str | None = Field(default=None, description="file whose presence says that a checkpoint is complete")
    quiet_seconds: float = Field(
        default=30,
        ge=0,
        description="without marker: score a checkpoint when its files have not changed for so many seconds",
    )

    store: Path = Field(
        default=Path("scores"), description="folder where scores are kept, so that nothing is scored twice"
    )
    out: Path = Field(default=Path("scores.csv"), description="table of scores to write (CSV)")

    backend: Literal["hf", "vllm"] = Field(
        default="hf", description="hf: Benchcast's own scorer; vllm: lm-eval's vLLM backend"
    )
    executor: Literal["local", "ray", "slurm"] = Field(
        default="local", description="where the workers run: on this machine, on a Ray cluster, as tasks of SLURM"
    )
    slurm: SlurmSettings = SlurmSettings()
    workers: int | None = Field(
        default=None, ge=1, description="number of workers; left out: one per GPU, or one on CPUs; required with slurm"
    )
    cpus_per_worker: float | None = Field(
        default=None, gt=0, description="CPUs of one worker, for Ray or SLURM; also its torch threads"
    )
    gpus_per_worker: float | None = Field(
        default=None, ge=0, description="GPUs of one worker; left out: 1 with Ray if it has GPUs, 0 with SLURM"
    )
    batch_size: int = Field(
        default=32, ge=1, description="most sequences in one forward pass; halved when memory runs out"
    )
    device: str = Field(default="auto", description="auto (GPUs if there are any), cpu, cuda, cuda:1, …")
    share_prefix: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="compute the common prompt of a document's choices once; auto: where it is exact and faster",
    )

    @model_validator(mode="after")
    def _one_way_to_ask_less(self) -> Self:
        if self.limit is not None and self.documents is not None:
            raise ValueError("give limit (the first documents) or documents (chosen ones), not both")
        if self.whole and self.documents is None:
            raise ValueError("whole needs documents: without it every checkpoint is scored on all documents")
        return self
