"""A live model whose weights are swapped from checkpoint to checkpoint, and the checks that need the weights.

The first checkpoint of an architecture is loaded by transformers. One with the same config and the same tensors is
then read into the live model; everything else goes through transformers again, which also finds the words for what is
wrong with it. lm-eval scores a model with missing tensors or NaN weights without a word; here that is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import transformers
from safetensors import safe_open

from ...core.errors import CheckpointError
from ..checkpoints import files as checkpoints
from ..checkpoints.files import ABOUT_ITSELF, Files


class LiveModel:
    """One model on one device; ``put`` makes it the model of a checkpoint."""

    def __init__(self, dtype: str, device: str) -> None:
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._device = device
        self._kind: Any = None
        self._shapes: Any = None
        self.model: Any = None
        self.builds = 0

    def put(self, files: Files) -> Any:
        """The model of a checkpoint, on the device.

        Raises
        ------
        CheckpointError
            For missing, unexpected or misshapen tensors, a head that contradicts the tied embeddings, or weights that
            are not finite.
        """
        kind = {key: value for key, value in files.config.items() if key not in ABOUT_ITSELF}
        try:
            shapes = {name: shape for name, (_, shape) in checkpoints.tensors(files).items()}
            if self.model is not None and kind == self._kind and shapes == self._shapes:
                self._swap(files)
            else:
                self._kind, self.model = None, None  # its memory is needed for the next one
                self.model = _load(files, self._dtype).to(self._device).eval()
                self.builds += 1
                # Only a file that names its tensors as the model does can be read into it directly.
                plain = set(shapes) <= set(self.model.state_dict()) and not _names_one_tensor_twice(self.model, shapes)
                self._kind, self._shapes = (kind, shapes) if plain else (None, None)
        except CheckpointError:
            raise
        except torch.OutOfMemoryError as error:
            raise CheckpointError(f"does not fit into the memory of {self._device}") from error
        except Exception as error:  # a file someone else wrote, through two libraries: anything can come
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(f"cannot be loaded: {what}") from error
        bad = [name for name, p in self.model.named_parameters() if not bool(torch.isfinite(p).all())]
        if bad:
            raise CheckpointError(f"weights are NaN or infinite: {some(bad)}")
        return self.model

    def _swap(self, files: Files) -> None:
        held = self.model.state_dict()
        with torch.no_grad():
            for path in files.weights:
                with safe_open(str(path), framework="pt") as tensors:
                    for name in tensors.keys():  # noqa: SIM118 - not a mapping
                        held[name].copy_(tensors.get_tensor(name))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' logs and bars: what matters in them is raised instead."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def some(names: Iterable[str], most: int = 3) -> str:
    """The first few of many names."""
    ordered = sorted(names)
    return ", ".join(ordered[:most]) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")


def _names_one_tensor_twice(model: Any, names: Iterable[str]) -> bool:
    """Whether tied weights stand twice in the file: they may contradict each other, which only ``_load`` checks."""
    held = model.state_dict()
    places = [held[name].data_ptr() for name in names if held[name].numel()]
    return len(set(places)) < len(places)


def _contradictory(model: Any, files: Files) -> bool:
    """Whether tensors that are one in the model stand in the file with different values."""
    held, first = model.state_dict(), dict[int, torch.Tensor]()
    names = checkpoints.tensors(files)
    if not _names_one_tensor_twice(model, names.keys() & held.keys()):
        return False
    for path in files.weights:
        with safe_open(str(path), framework="pt") as tensors:
            for name in names.keys() & held.keys() & set(tensors.keys()):
                tensor = tensors.get_tensor(name)
                if held[name].numel() and not torch.equal(first.setdefault(held[name].data_ptr(), tensor), tensor):
                    return True
    return False


def _load(files: Files, dtype: torch.dtype) -> Any:
    with quiet():
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            str(files.folder),
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below, by name
        )
    for what, names in (
        ("lacks", info["missing_keys"]),
        ("holds unknown", info["unexpected_keys"]),
        ("holds misshapen", {one if isinstance(one, str) else one[0] for one in info["mismatched_keys"]}),
    ):
        if names:
            raise CheckpointError(f"the safetensors file {what} tensors: {some(names)}")
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    tied = getattr(model.config, "tie_word_embeddings", False)
    apart = tied and head is not None and head.weight is not embeddings.weight
    if apart or _contradictory(model, files):  # transformers 4 ties what differs without a word
        raise CheckpointError("config.json ties the output head to the embeddings, but the file holds a different head")
    return model
