"""Train the demonstration ladder: tiny Llama-architecture decoders, one epoch, one CPU thread per run.

Sizes and tokens-per-parameter span three decades of training FLOPs in about an hour and a half on two cores.
A finished run is never trained again; a run cut short starts over.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

VOCAB, SEQ = 2048, 128  # entries of the tokenizer, tokens of a sequence
# name: (hidden size, layers, heads, sequences per step)
SHAPES = {
    "56K": (24, 1, 2, 4),
    "92K": (32, 2, 2, 4),
    "182K": (48, 3, 3, 4),
    "332K": (64, 4, 2, 8),
    "640K": (96, 4, 3, 8),
    "1.3M": (128, 5, 2, 8),
}
CHECKPOINTS = (0.25, 0.5, 0.75, 1.0)  # shares of a run's steps


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training run: a shape, its tokens per parameter, and a seed (init and place in the corpus)."""

    shape: str
    multiplier: int
    seed: int = 0

    @property
    def name(self) -> str:
        """Shape, tokens per parameter, and the seed where it is not the first."""
        return f"{self.shape}-{self.multiplier}x" + (f"-s{self.seed}" if self.seed else "")


RUNS = (
    *(Run(shape="56K", multiplier=m) for m in (5, 10, 20, 40, 80)),
    *(Run(shape="92K", multiplier=m) for m in (5, 10, 20, 40)),
    Run(shape="92K", multiplier=20, seed=1),
    Run(shape="92K", multiplier=20, seed=2),
    *(Run(shape="182K", multiplier=m) for m in (5, 10, 20, 40)),
    Run(shape="182K", multiplier=20, seed=1),
    *(Run(shape="332K", multiplier=m) for m in (5, 10, 20)),
    Run(shape="332K", multiplier=10, seed=1),
    *(Run(shape="640K", multiplier=m) for m in (5, 10)),
    *(Run(shape="1.3M", multiplier=m) for m in (3, 6, 10)),
)


def build_model(shape: str, seed: int) -> Any:
    """A freshly initialised ``LlamaForCausalLM`` with tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, layers, heads, _ = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=hidden,
        intermediate_size=(8 * hidden // 3 + 15) // 16 * 16,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=SEQ,
        tie_word_embeddings=True,
        initializer_range=0.06,  # models this narrow learn much faster than from the usual 0.02
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over 5 % of the steps, then cosine to a tenth of the peak."""
    warmup = max(10, steps // 20)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))))


def train(run: Run, data: Path, out: Path, peak: float | None = None) -> dict[str, Any]:
    """Train one run and save its checkpoints under ``out/<run>/step-*``; returns its summary.

    ``params`` counts the (tied) embeddings; ``flops`` is 6·params·tokens.
    """
    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
    began = time.time()
    model = build_model(run.shape, run.seed)
    params = sum(p.numel() for p in model.parameters())
    tokens = np.load(data / "train.npy", mmap_mode="r")
    hidden, _, _, batch_size = SHAPES[run.shape]
    per_step = SEQ * batch_size
    steps = math.ceil(params * run.multiplier / per_step)
    offset = run.seed * 5_000_000 % (len(tokens) - steps * per_step - 1)
    # Wider models want smaller steps; the constant was chosen on short runs of 92K and 332K.
    peak = peak or 0.02 / math.sqrt(hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    saves = {math.ceil(steps * share) for share in CHECKPOINTS}
    recent: list[float] = []
    for step in range(steps):
        start = offset + step * per_step
        batch = torch.from_numpy(tokens[start : start + per_step].astype(np.int64)).view(batch_size, SEQ)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak)
        logits = model(input_ids=batch, use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].reshape(-1, VOCAB), batch[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        recent = [*recent[-49:], loss.item()]
        if step + 1 in saves:
            save(model, run, data, out, step + 1, params, (step + 1) * per_step)
    summary = {
        "run": run.name,
        "params": params,
        "tokens": steps * per_step,
        "steps": steps,
        "train_loss": sum(recent) / len(recent),
        "seconds": time.time() - began,
    }
    (out / run.name / "done.json").write_text(json.dumps(summary))
    return summary


def save(model: Any, run: Run, data: Path, out: Path, step: int, params: int, tokens: int) -> None:
    """Write one checkpoint that stands alone: weights, tokenizer, and what the ladder table needs to know."""
    folder = out / run.name / f"step-{step:06d}"
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((data / "tokenizer" / name).read_bytes())
    about = {
        "run": run.name,
        "family": "debian-prose",
        "step": step,
        "params": params,
        "tokens": tokens,
        "flops": 6 * params * tokens,
        "flops_convention": "6ND",
    }
    (folder / "benchcast.json").write_text(json.dumps(about, indent=1))
