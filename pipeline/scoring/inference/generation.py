"""Texts that a live model writes, by lm-eval's own ``HFLM``: its batches, padding, stop sequences and arguments."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from ...core.digest import file_digest
from ...core.errors import CheckpointError, first_line
from ..checkpoints.files import GENERATION_CONFIG, Files
from ..requests.encoded import Prompts
from . import model as models

BETWEEN = ":"  # the states of the generators of CPU and GPU, in hex


@dataclass(frozen=True)
class _Request:
    """What lm-eval reads of a request."""

    args: tuple[str, dict[str, Any]]


class Writer:
    """lm-eval's model class around the live model; made anew when architecture or tokenizer change."""

    def __init__(self, *, batch_size: int, max_length: int | None, add_bos_token: bool) -> None:
        self._batch_size, self._max_length, self._add_bos_token = batch_size, max_length, add_bos_token
        self._lm: Any = None
        self._tokenizer = ""

    def write(self, model: Any, files: Files, prompts: Prompts) -> tuple[tuple[str, ...], str, int]:
        """The texts, the state of the random generators where they are drawn, and how many rows a batch had at most.

        Raises
        ------
        CheckpointError
            When the model cannot continue the prompts: arguments that it does not know, or a row that does not fit.
        """
        lm = self._around(model, files)
        # Weights are swapped into a live model; what it would have been loaded with otherwise is not only they.
        model.generation_config = own_generation_config(model, files)
        size = self._batch_size
        while True:
            lm.batch_size_per_gpu = size
            try:
                return *continued(lm, prompts, model.device), size
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise CheckpointError(f"one sequence does not fit into the memory of {model.device}") from error
                size = max(1, size // 2)
                torch.cuda.empty_cache()

    def _around(self, model: Any, files: Files) -> Any:
        tokenizer = hashlib.sha256(repr([(p.name, file_digest(p)) for p in files.tokenizer_files]).encode()).hexdigest()
        if self._lm is None or self._lm.model is not model or tokenizer != self._tokenizer:
            from lm_eval.models.huggingface import HFLM

            with _quiet():
                self._lm = HFLM(
                    pretrained=model,
                    backend="causal",
                    tokenizer=str(files.tokenizer_folder),
                    trust_remote_code=False,
                    max_length=self._max_length,
                    add_bos_token=self._add_bos_token,
                    batch_size=self._batch_size,
                )
            self._tokenizer = tokenizer
        return self._lm


def continued(lm: Any, prompts: Prompts, device: Any) -> tuple[tuple[str, ...], str]:
    """What a model class of lm-eval writes after the prompts, and the state of torch's generators, if it drew.

    Raises
    ------
    CheckpointError
        When it cannot.
    """
    requests = [_Request((text, given)) for text, given in zip(prompts.texts, prompts.arguments, strict=True)]
    try:
        with _quiet(), _drawing(prompts, device) as drawn:
            texts = tuple(map(str, lm.generate_until(requests, disable_tqdm=True)))
        return texts, drawn[0] if drawn else ""
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # arguments from a task file, through two libraries: anything can come
        raise CheckpointError(f"cannot generate: {first_line(error)}") from error


def own_generation_config(model: Any, files: Files) -> Any:
    """The defaults of generation that ``from_pretrained`` gives a model of this folder.

    Raises
    ------
    CheckpointError
        When the folder's own cannot be used.
    """
    if not (files.folder / GENERATION_CONFIG).is_file():
        return GenerationConfig.from_model_config(model.config)
    try:
        return GenerationConfig.from_pretrained(str(files.folder), local_files_only=True)
    except Exception as error:  # a file someone else wrote: anything can come
        raise CheckpointError(f"{GENERATION_CONFIG} cannot be used: {first_line(error)}") from error


@contextmanager
def _drawing(prompts: Prompts, device: Any) -> Iterator[list[str]]:
    """Random generators as they were after the requests before these; yields a list for their state afterwards."""
    states: list[str] = []
    if prompts.seed is None:
        yield states
        return
    gpus = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(prompts.seed)
        saved = prompts.state.split(BETWEEN) if prompts.state else []
        if len(saved) == 1 + len(gpus):
            torch.set_rng_state(_bytes(saved[0]))
            for gpu, state in zip(gpus, saved[1:], strict=True):
                torch.cuda.set_rng_state(_bytes(state), gpu)
        yield states
        now = [torch.get_rng_state(), *(torch.cuda.get_rng_state(gpu) for gpu in gpus)]
        states.append(BETWEEN.join(bytes(state.numpy()).hex() for state in now))


def _bytes(text: str) -> Any:
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence both libraries: what matters is raised."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with models.quiet():
            yield
    finally:
        logger.setLevel(level)
