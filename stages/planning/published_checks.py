"""What the printed constants give, beside what the papers print or used: where they disagree it is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compute.architecture import Architecture
from ..fit.intervals import central_interval
from ..laws.loss.chinchilla import ChinchillaLoss
from . import hyperparams
from .published import EXPONENTS, PUBLISHED_LAWS, power_split, rounding

# Shapes of DeepSeek LLM's two models (arXiv 2401.02954, table 2), trained on 2T tokens of sequence length 4096.
DEEPSEEK = {
    "7B": {"hidden_size": 4096, "num_hidden_layers": 30, "num_attention_heads": 32, "intermediate_size": 11008},
    "67B": {"hidden_size": 8192, "num_hidden_layers": 95, "num_attention_heads": 64, "intermediate_size": 22016},
}
# Learning rate and batch size in tokens that they were trained with (same table).
USED = {"7B": (4.2e-4, 9.4e6), "67B": (3.2e-4, 18.9e6)}


@dataclass(frozen=True, kw_only=True)
class ReproducedValue:
    """A quantity, what the paper prints or used, what its constants give, and the interval of that (90 %)."""

    paper: str
    quantity: str
    printed: float
    computed: float
    interval: tuple[float, float]
    remark: str = ""


def reproduced_values() -> list[ReproducedValue]:
    """Llama 3, DeepSeek 7B and 67B, Chinchilla 70B, and the growth at ten times the compute."""
    return [*_llama3(), *_deepseek(), *_chinchilla(), *_growth()]


def _llama3() -> list[ReproducedValue]:
    law, flops = PUBLISHED_LAWS["llama3"], 3.8e25
    (size, tokens), (sizes, many) = (power_split(p, flops) for p in (law.values(), law.draws()))
    needed = np.log(16.55e12 / 0.29) / np.log(flops)
    return [
        ReproducedValue(
            paper="Llama 3",
            quantity="tokens at 3.8e25 FLOPs",
            printed=16.55e12,
            computed=float(tokens[0]),
            interval=central_interval(many),
            remark=f"the printed digits are rounded: 16.55T needs alpha = {needed:.3f}",
        ),
        ReproducedValue(
            paper="Llama 3",
            quantity="parameters at 3.8e25 FLOPs",
            printed=402e9,
            computed=float(size[0]),
            interval=central_interval(sizes),
            remark=f"by 6ND; 402B x 16.55T x 6 is {402e9 * 16.55e12 * 6:.3g} FLOPs, not 3.8e25",
        ),
    ]


def _deepseek() -> list[ReproducedValue]:
    rows, law = [], hyperparams.PUBLISHED_RULES["deepseek"]
    one = np.array(1.0)
    for name, shape in DEEPSEEK.items():
        config = shape | {"vocab_size": 102400, "max_position_embeddings": 4096, "model_type": "llama"}
        flops = np.array(Architecture.from_config(config).flops_per_token("deepseek") * 2e12)
        values, draws = law.at(one, one, flops), law.at(one, one, flops, 2000)
        rows += [
            ReproducedValue(
                paper=f"DeepSeek {name}",
                quantity=quantity,
                printed=used,
                computed=float(value),
                interval=central_interval(drawn),
                remark="used; the loss is flat around the optimum",
            )
            for quantity, used, value, drawn in zip(
                ("learning rate", "batch size, tokens"), USED[name], values, draws, strict=True
            )
        ]
    return rows


def _chinchilla() -> list[ReproducedValue]:
    rows = []
    for name in ("chinchilla", "chinchilla-refit"):
        law = PUBLISHED_LAWS[name]
        best, drawn = (ChinchillaLoss.optimum_at(p, 5.76e23) for p in (law.values(), law.draws()))
        remark = (
            "the interval is the refit's" if law.covariance else "the printed constants do not give the paper's model"
        )
        rows += [
            ReproducedValue(
                paper=f"Chinchilla ({name})",
                quantity="parameters at 5.76e23 FLOPs",
                printed=70e9,
                computed=float(best.params[0]),
                interval=central_interval(drawn.params),
                remark=remark,
            ),
            ReproducedValue(
                paper=f"Chinchilla ({name})",
                quantity="tokens at 5.76e23 FLOPs",
                printed=1.4e12,
                computed=float(best.tokens[0]),
                interval=central_interval(drawn.tokens),
            ),
        ]
    return rows


def _growth() -> list[ReproducedValue]:
    """Ten times the compute: 5.5x and 1.8x are quoted of Kaplan in arXiv 2203.15556; Chinchilla grows both alike."""
    quoted = {"kaplan": (5.5, 1.8), "chinchilla approach 1": (10**0.5, 10**0.5)}
    rows = []
    for name, text, _ in EXPONENTS:
        if name not in quoted:
            continue
        half = rounding(text)
        for what, value, exponent in zip(
            ("parameters", "tokens"), quoted[name], (float(text), 1 - float(text)), strict=True
        ):
            rows.append(
                ReproducedValue(
                    paper=name,
                    quantity=f"{what} at ten times the compute, x",
                    printed=value,
                    computed=10**exponent,
                    interval=(10 ** (exponent - half), 10 ** (exponent + half)),
                )
            )
    return rows
