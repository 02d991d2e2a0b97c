"""Checkpoint folders: finding them, what they say about themselves, and loading them without trusting them.

A checkpoint is a folder with Hugging Face's ``config.json``, ``*.safetensors`` and tokenizer files, and a
``benchcast.json`` that says where on the ladder it stands::

    {"run": "56K-5x", "family": "my-mix", "step": 549, "params": 56136, "tokens": 281088,
     "flops": 94672160256, "flops_convention": "6ND"}

Nothing is unpickled, no code from a folder is run, and nothing is fetched from a hub. lm-eval scores a model with
missing tensors or NaN weights without a word, so all of that is an error here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import schema
from pipeline.digest import file_digest
from pipeline.errors import BenchcastError, Fault, FaultsError

ABOUT = ("run", "family", "step", "params", "tokens", "flops", "flops_convention")
TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model")


class CheckpointError(BenchcastError):
    """One checkpoint, or one task on it, that cannot be scored; the others go on."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder to score; ``source`` is its name in the table, ``about`` its columns of the ladder table."""

    folder: Path
    source: str
    about: dict[str, Any]
    digest: str
    tokenizer: str


def find(patterns: Iterable[str], base: Path) -> tuple[list[Checkpoint], list[str]]:
    """Every checkpoint that the glob patterns match, in order, and one line per folder that is none.

    Raises
    ------
    FaultsError
        When a pattern matches no folder, or the checkpoints contradict each other (see ``schema.validate``).
    """
    folders, faults = {}, []
    for pattern in patterns:
        matched = [p for p in _glob(pattern, base) if p.is_dir()]
        if not matched:
            faults.append(Fault(f"score.checkpoints: {pattern!r}", f"matches no folder under {base}"))
        folders.update({p.resolve(): p for p in matched})
    if faults:
        raise FaultsError(faults)
    found, failures = [], []
    taken: dict[tuple[Any, Any], str] = {}
    for folder in folders.values():
        source = folder.relative_to(base).as_posix() if folder.is_relative_to(base) else folder.as_posix()
        try:
            checkpoint = describe(folder, source)
            twin = taken.setdefault((checkpoint.about["run"], checkpoint.about["step"]), source)
            if twin != source:
                raise CheckpointError(f"its benchcast.json names the same run and step as {twin}")
            found.append(checkpoint)
        except (CheckpointError, OSError) as error:
            failures.append(f"{source}: {error}")
    if found:
        _validate([c.about for c in found], "benchcast.json of the checkpoints")
    return found, failures


def describe(folder: Path, source: str) -> Checkpoint:
    """Read what the folder says about itself and hash its contents, without loading anything.

    Raises
    ------
    CheckpointError
        When a file is missing or ``benchcast.json`` does not hold what the ladder table needs.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file():
        raise CheckpointError("has no config.json; a checkpoint is a folder that save_pretrained wrote")
    if not weights:
        raise CheckpointError("has no *.safetensors; write the weights with save_pretrained (pickles are not read)")
    words = sorted({p for pattern in TOKENIZER_FILES for p in folder.glob(pattern) if p.is_file()})
    if not words:
        raise CheckpointError("has no tokenizer files; write them with tokenizer.save_pretrained")
    about = _about(folder / "benchcast.json")
    shards = sorted(folder.glob("*.safetensors.index.json"))
    digest = _sha256([*weights, *shards, folder / "config.json", *words])
    return Checkpoint(folder, source, about, digest, _sha256(words))


def load(checkpoint: Checkpoint, dtype: str, device: str) -> Any:
    """The checkpoint's model on ``device``, after checking that the file holds exactly its tensors.

    Raises
    ------
    CheckpointError
        For missing, unexpected or misshapen tensors, a head that contradicts the tied embeddings, or weights that
        are not finite.
    """
    import torch
    import transformers

    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        str(checkpoint.folder),
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are reported below, by name
    )
    for what, names in (
        ("lacks", info["missing_keys"]),
        ("holds unknown", info["unexpected_keys"]),
        ("holds misshapen", {name for name, *_ in info["mismatched_keys"]}),
    ):
        if names:
            raise CheckpointError(f"the safetensors file {what} tensors: {_some(names)}")
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    tied = getattr(model.config, "tie_word_embeddings", False)
    if tied and head is not None and head.weight is not embeddings.weight:
        raise CheckpointError("config.json ties the output head to the embeddings, but the file holds a different head")
    bad = [name for name, p in model.named_parameters() if not bool(torch.isfinite(p).all())]
    if bad:
        raise CheckpointError(f"weights are NaN or infinite: {_some(bad)}")
    return model.to(device).eval()


def check_tokenizer(tokenizer: Any, model: Any) -> list[str]:
    """What is odd about the pair, in sentences.

    Raises
    ------
    CheckpointError
        When the tokenizer has ids that the embedding has no row for.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    top = max(tokenizer.get_vocab().values()) + 1
    if top > rows:
        raise CheckpointError(f"the tokenizer has {top} ids but the model embeds {rows}: not this model's tokenizer")
    odd = []
    for name in ("bos_token_id", "eos_token_id"):
        ours, theirs = getattr(tokenizer, name), getattr(model.config, name, None)
        known = theirs if isinstance(theirs, list) else [theirs]
        if ours is not None and theirs is not None and ours not in known:
            odd.append(f"{name} is {ours} in the tokenizer but {theirs} in config.json; is it this model's tokenizer?")
    return odd


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' and lm-eval's logs and bars: what matters in them is raised or counted instead."""
    from transformers.utils import logging as theirs

    harness = logging.getLogger("lm_eval")
    level, theirs_level, bars = harness.level, theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    harness.setLevel(logging.ERROR)
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        harness.setLevel(level)
        theirs.set_verbosity(theirs_level)
        if bars:
            theirs.enable_progress_bar()


def _glob(pattern: str, base: Path) -> list[Path]:
    path = Path(pattern)
    root = Path(path.anchor) if path.is_absolute() else base
    relative = path.relative_to(path.anchor).as_posix() if path.is_absolute() else pattern
    return sorted(root.glob(relative)) if relative not in ("", ".") else [root]


def _about(path: Path) -> dict[str, Any]:
    wanted = "{" + ", ".join(f'"{name}": …' for name in ABOUT) + "}"
    if not path.is_file():
        raise CheckpointError(f"has no benchcast.json; write one: {wanted}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"benchcast.json is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"benchcast.json must be {wanted}")
    missing = [name for name in ABOUT if found.get(name) in (None, "")]
    if missing:
        raise CheckpointError(f"benchcast.json lacks {', '.join(missing)}; write {wanted}")
    about = {name: found[name] for name in ABOUT}
    try:
        row = _validate([about], "benchcast.json").iloc[0]
    except FaultsError as error:
        raise CheckpointError("; ".join(f"benchcast.json: {f.what}" for f in error.faults)) from error
    return {name: row[name] for name in ABOUT}


def _validate(abouts: list[dict[str, Any]], file: str) -> pd.DataFrame:
    """The ladder table's own checks, on a table without scores."""
    rows = [{**about, "task": "-", "metric": "nll", "value": 0.0} for about in abouts]
    return schema.validate(pd.DataFrame(rows), file)


def _sha256(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name}\0{file_digest(path)}\0".encode())
    return total.hexdigest()


def _some(names: Iterable[str], most: int = 3) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:most]) + (f" and {len(ordered) - most} more" if len(ordered) > most else "")
