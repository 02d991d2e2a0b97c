"""lm-eval's own model class around a checkpoint's tokenizer and config: what makes token ids, once per tokenizer."""

from __future__ import annotations

from typing import Any

from ...core.config import ScoreSettings
from ...core.errors import CheckpointError, first_line
from ..checkpoints.files import Files


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
            batch_size=settings.batch_size,
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
