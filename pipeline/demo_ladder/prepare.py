"""From packages to training tokens, tokenizer, validation text and tasks, in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import corpus, tasks
from .train import VOCAB

END = "<|endoftext|>"
VALIDATION_BYTES = 200_000


def train_tokenizer(blocks: list[list[str]], folder: Path) -> None:
    """A byte-level BPE of ``VOCAB`` entries; id 0 ends a block."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(("\n".join(b) for b in blocks[::5]), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END, model_max_length=128
    )
    fast.save_pretrained(folder)


def encode(blocks: list[list[str]], folder: Path) -> np.ndarray:
    """All blocks as one stream of token ids, each followed by the end token."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def pieces() -> Iterator[np.ndarray]:
        for start in range(0, len(blocks), 1000):
            for encoding in tokenizer.encode_batch(["\n".join(b) for b in blocks[start : start + 1000]]):
                yield np.array([*encoding.ids, 0], dtype=np.uint16)

    return np.concatenate(list(pieces()))


def prepare(folder: Path, own_corpus: Path | None = None) -> dict[str, object]:
    """Build everything training and scoring need under ``folder``; returns the provenance. Idempotent."""
    done = folder / "provenance.json"
    if done.exists():
        stored: dict[str, object] = json.loads(done.read_text())
        return stored
    folder.mkdir(parents=True, exist_ok=True)
    versions = {} if own_corpus else corpus.fetch(folder)
    source = own_corpus or folder / "unpacked"
    train, held_out = corpus.split(corpus.paragraphs(source))
    half = len(held_out) // 2
    validation = "\n\n".join(p for b in held_out[:half] for p in b)
    (folder / "validation.txt").write_text(validation.encode()[:VALIDATION_BYTES].decode(errors="ignore"))
    train_tokenizer(train, folder / "tokenizer")
    stream = encode(train, folder / "tokenizer")
    np.save(folder / "train.npy", stream)
    names = tasks.build(train, held_out[half:], folder / "tasks")
    provenance: dict[str, object] = {
        "corpus": versions or {"corpus": str(own_corpus)},
        "train_bytes": sum(len(p.encode()) for b in train for p in b),
        "train_tokens": len(stream),
        "validation_8gram_overlap": round(corpus.overlap(train, held_out), 4),
        "tasks": names,
    }
    partial = done.with_suffix(".part")
    partial.write_text(json.dumps(provenance, indent=1))
    os.replace(partial, done)
    return provenance
