"""Token ids by lm-eval's own code, once per tokenizer; and texts for the validation loss, in lm-eval's windows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core import reading
from ...core.config import ScoreSettings
from ...core.errors import CheckpointError, Fault, FaultsError, TaskError, first_line
from ..checkpoints.files import Files
from .encoded import Encoded, Ints, pack
from .tasks import Task

MOST_TEXT = 1 << 30  # bytes of a validation text, all of which is held in memory


@dataclass(frozen=True, kw_only=True)
class ValidationText:
    """A text, or the documents of a JSONL file, that the validation loss is measured on."""

    name: str
    documents: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Windows:
    """A text as requests, one per window; ``documents`` (w,) says which document a window is from."""

    encoded: Encoded
    documents: Ints


def texts(settings: ScoreSettings, base: Path) -> list[ValidationText]:
    """Read the validation texts: UTF-8 text files, or JSONL with a ``text`` in every line.

    Raises
    ------
    FaultsError
        Naming every file, and the line, that cannot be used.
    """
    read, faults = [], []
    for path in settings.validation_text:
        try:
            content = reading.text(base / path, MOST_TEXT).replace("\r\n", "\n").replace("\r", "\n")  # as Python does
            documents = _lines(content) if path.suffix == ".jsonl" else (content,)
            if not any(documents):
                raise ValueError("is empty")
            "".join(documents).encode("utf-8")  # JSON may hold half a character, which no tokenizer takes
        except (OSError, ValueError) as error:
            where = f"score.validation_text: {path}"
            faults.append(Fault(where, f"cannot be read: {error}", "give UTF-8 text or JSONL"))
            continue
        digest = hashlib.sha256(json.dumps(["rolling", documents]).encode()).hexdigest()
        read.append(ValidationText(name=path.stem, documents=documents, digest=digest))
    if faults:
        raise FaultsError(faults)
    return read


def harness(files: Files, settings: ScoreSettings, tokenizer: Any = None) -> Any:
    """lm-eval's ``HFLM`` for a checkpoint's tokenizer and config, around a model without memory.

    ``tokenizer`` is one that is loaded already.

    Raises
    ------
    CheckpointError
        When transformers cannot make a tokenizer or a model of the folder.
    """
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(str(files.folder), local_files_only=True, trust_remote_code=False)
        _check_context(config, settings.max_length)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        lm = HFLM(
            pretrained=model,
            backend="causal",
            tokenizer=tokenizer or str(files.tokenizer_folder),
            trust_remote_code=False,
            max_length=settings.max_length,
            add_bos_token=settings.add_bos_token,
        )
        _check_tokenizer(lm.tokenizer, model)
    except CheckpointError:
        raise
    except Exception as error:  # files someone else wrote, through two libraries: anything can come
        raise CheckpointError(f"config or tokenizer cannot be loaded: {first_line(error)}") from error
    return lm


def odd_special_tokens(lm: Any) -> list[str]:
    """Where tokenizer and config disagree about special tokens, in sentences."""
    odd = []
    for name in ("bos_token_id", "eos_token_id"):
        ours, theirs = getattr(lm.tokenizer, name), getattr(lm.model.config, name, None)
        known = theirs if isinstance(theirs, list) else [theirs]
        if ours is not None and theirs is not None and ours not in known:
            odd.append(f"{name} is {ours} in the tokenizer but {theirs} in config.json; is it this model's tokenizer?")
    return odd


def task_requests(lm: Any, task: Task) -> Encoded:
    """The task's requests as token ids.

    Raises
    ------
    TaskError
        When an answer has no tokens.
    """
    lm._loglikelihood_tokens = lambda encoded, **_: encoded
    try:
        encoded = lm.loglikelihood(task.requests, disable_tqdm=True)
    except IndexError as error:  # lm-eval looks at the first token of an answer that has none
        raise TaskError("an answer has no tokens") from error
    finally:
        del lm._loglikelihood_tokens
    numbers = [number for number, question in enumerate(task.questions) for _ in question.requests]
    packed = pack((prompt, answer, n) for (_, prompt, answer), n in zip(encoded, numbers, strict=True))
    if (packed.answers < 1).any():
        raise TaskError(f"document {numbers[int(np.argmin(packed.answers))]}: an answer has no tokens")
    return packed


def check_length(task: Task, encoded: Encoded, limit: int, most: float) -> int:
    """How many documents lose the start of a prompt to the context of ``limit`` tokens.

    Raises
    ------
    TaskError
        When they are more than the share ``most`` of the documents, or an answer alone is longer than the context.
    """
    if (encoded.answers > limit).any():
        raise TaskError(f"an answer has more tokens than the model's {limit}")
    cut = len(np.unique(encoded.documents[encoded.truncated(limit)]))
    if cut > most * len(task.questions):
        raise TaskError(f"{cut} of {len(task.questions)} prompts are longer than the model's {limit} tokens")
    return cut


def windows(lm: Any, text: ValidationText) -> Windows:
    """The windows of lm-eval's ``loglikelihood_rolling``, document after document."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    requests: list[tuple[list[int], list[int], int]] = []
    documents: list[int] = []
    for number, document in enumerate(text.documents):
        if not document:
            continue
        tokens = lm.tok_encode(document)
        rolling = get_rolling_token_windows(tokens, lm.prefix_token_id, lm.max_length, 1)
        for prompt, answer in map(make_disjoint_window, rolling):
            requests.append((prompt, answer, len(requests)))
            documents.append(number)
    return Windows(pack(requests), np.array(documents, dtype=np.int64))


def _check_context(config: Any, wanted: int | None) -> None:
    """lm-eval takes any ``max_length``, and a model asked beyond its context answers nonsense or dies."""
    names = ("n_positions", "max_position_embeddings", "n_ctx")  # where lm-eval looks for it
    context = next((value for name in names if isinstance(value := getattr(config, name, None), int)), None)
    if wanted is not None and context is not None and wanted > context:
        raise CheckpointError(f"score.max_length is {wanted}, but the model's context is {context} tokens")


def _check_tokenizer(tokenizer: Any, model: Any) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    top = max(tokenizer.get_vocab().values()) + 1
    if top > rows:
        raise CheckpointError(f"the tokenizer has {top} ids but the model embeds {rows}: not this model's tokenizer")


def _lines(content: str) -> tuple[str, ...]:
    documents: list[str] = []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = reading.json_of(line)
        except ValueError as error:
            raise ValueError(f"line {number} {error}") from error
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            raise ValueError(f'line {number} has no "text"')
        documents.append(entry["text"])
    return tuple(documents)
