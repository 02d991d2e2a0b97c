"""Parameters and FLOPs of a decoder from its HF ``config.json``, under the conventions the papers use.

"N parameters" and "C FLOPs" mean different things in different papers, and the choice moves a compute-optimal answer
by more than its interval does. So a convention always has a name here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CONVENTIONS = ("6ND", "6ND-no-embedding", "6ND-no-embedding-no-head", "6ND+attention", "deepseek")

# The same quantity under the names that families of models give it, in the order they are looked up.
KEYS = {
    "n_layer": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "d_model": ("hidden_size", "n_embd", "d_model"),
    "n_head": ("num_attention_heads", "n_head", "n_heads"),
    "d_ff": ("intermediate_size", "ffn_dim", "n_inner", "mlp_hidden_size"),
    "vocab_size": ("vocab_size", "embedding_size"),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "seq_length"),
}
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


@dataclass(frozen=True, kw_only=True)
class Family:
    """What a family of models fixes and ``config.json`` does not say."""

    gated: bool = True  # three matrices in the MLP instead of two
    tied: bool = False  # default of tie_word_embeddings
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    norm: Literal[0, 1, 2] = 1  # vectors of a norm: none, RMSNorm's scale, LayerNorm's scale and shift
    norms_per_layer: int = 2
    qk_norm: Literal["none", "head", "full"] = "none"  # a norm of queries and keys, per head or over all heads
    learned_positions: bool = False
    extra_positions: int = 0  # OPT keeps two rows more than its context


_BIASED = {"gated": False, "qkv_bias": True, "out_bias": True, "mlp_bias": True, "norm": 2}
FAMILIES = {
    "llama": Family(),
    "mistral": Family(),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(qk_norm="head"),
    "olmo": Family(norm=0),
    "olmo2": Family(qk_norm="full"),
    "gemma": Family(tied=True),
    "gemma2": Family(tied=True, norms_per_layer=4),
    "gpt2": Family(**_BIASED, tied=True, learned_positions=True),  # type: ignore[arg-type]
    "opt": Family(**_BIASED, tied=True, learned_positions=True, extra_positions=2),  # type: ignore[arg-type]
    "gpt_neox": Family(**_BIASED),  # type: ignore[arg-type]
}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A dense decoder: widths in units, ``context`` in tokens.

    ``gated`` is True for an MLP of three matrices (SwiGLU), False for two; ``tied`` means that the output head is the
    input embedding. ``family`` holds what else has parameters (biases, norms, learned positions).
    """

    n_layer: int
    d_model: int
    n_head: int
    n_kv_head: int
    head_dim: int
    d_ff: int
    vocab_size: int
    context: int
    gated: bool
    tied: bool
    family: Family

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Read the mapping of an HF ``config.json``.

        Raises
        ------
        ValueError
            Naming the key that is missing or not a positive integer; for an unknown ``model_type`` or a mixture of
            experts.
        """
        if mixtures := [key for key in EXPERTS if int(config.get(key) or 0) > 1]:
            raise ValueError(f"{mixtures[0]}: mixtures of experts are not supported, only dense models")
        family = _family(config)
        size = {name: _size(config, name) for name in KEYS if name != "d_ff"}
        heads, width = size["n_head"], size["d_model"]
        if not config.get("head_dim") and width % heads:
            raise ValueError(f"the hidden size {width} is not a multiple of the {heads} attention heads; give head_dim")
        # GPT-2 leaves its inner width out, or null, for four times the hidden size.
        optional = not family.gated and not any(config.get(key) for key in KEYS["d_ff"])
        return cls(
            **size,
            d_ff=4 * width if optional and "n_embd" in config else _size(config, "d_ff"),
            n_kv_head=_integer(config, "num_key_value_heads", heads),
            head_dim=_integer(config, "head_dim", width // heads),
            gated=family.gated,
            tied=bool(config.get("tie_word_embeddings", family.tied)),
            family=family,
        )

    def params(self, embeddings: bool = True, head: bool = True) -> int:
        """Number of parameters, with or without input embeddings (token and learned position) and output head.

        A tied matrix is counted once, if either of its two uses is asked for.
        """
        f, d = self.family, self.d_model
        inside, keys = self.n_head * self.head_dim, self.n_kv_head * self.head_dim
        attention = 2 * d * inside + 2 * d * keys + f.qkv_bias * (inside + 2 * keys) + f.out_bias * d
        wide = 2 if self.gated else 1
        mlp = (wide + 1) * d * self.d_ff + f.mlp_bias * (wide * self.d_ff + d)
        norms = f.norm * f.norms_per_layer * d
        norms += {"none": 0, "head": 2 * self.head_dim, "full": inside + keys}[f.qk_norm]
        matrix = self.vocab_size * d
        positions = (self.context + f.extra_positions) * d if f.learned_positions else 0
        outside = matrix * (embeddings or head) if self.tied else matrix * (embeddings + head)
        return self.n_layer * (attention + mlp + norms) + f.norm * d + outside + positions * embeddings

    def flops_per_token(self, convention: str, seq_len: int | None = None) -> float:
        """Training FLOPs per token, forward and backward.

        Parameters
        ----------
        convention : one of ``CONVENTIONS``
            ``6ND``: 6 N with all parameters. ``6ND-no-embedding``: N without input embeddings (the head multiplies,
            the look-up does not). ``6ND-no-embedding-no-head``: N of the layers only (Kaplan et al., arXiv
            2001.08361, section 2.1). ``6ND+attention``: 6 N + 12 n_layer n_head head_dim l, all parameters and the
            attention over l positions (PaLM, arXiv 2204.02311, appendix B). ``deepseek``: M = 72 n_layer d^2 +
            12 n_layer d l (DeepSeek LLM, arXiv 2401.02954, equation 2).
        seq_len : int, optional
            Sequence length l in tokens of training; the model's context when left out.

        Raises
        ------
        ValueError
            For an unknown convention or a sequence length below one.
        """
        length = self.context if seq_len is None else seq_len
        if length < 1:
            raise ValueError(f"seq_len is {length}; it must be at least 1")
        if convention == "deepseek":
            return float(72 * self.n_layer * self.d_model**2 + 12 * self.n_layer * self.d_model * length)
        if convention == "6ND+attention":
            return float(6 * self.params() + 12 * self.n_layer * self.n_head * self.head_dim * length)
        if convention not in CONVENTIONS:
            raise ValueError(f"{convention!r} is not a FLOP convention ({', '.join(CONVENTIONS)})")
        counted = self.params(embeddings=convention == "6ND", head=not convention.endswith("no-head"))
        return 6.0 * counted


def _family(config: Mapping[str, Any]) -> Family:
    """By ``model_type``, or by the key names where there is none; then what the config itself says."""
    kind = config.get("model_type")
    if kind is None:
        kind = "gpt2" if "n_embd" in config else "opt" if "ffn_dim" in config else "llama"
    if kind not in FAMILIES:
        raise ValueError(f"model_type: {kind!r} is not known here ({', '.join(FAMILIES)})")
    stated: dict[str, Any] = {}
    if (attention := config.get("attention_bias")) is not None and kind != "qwen2":
        stated |= {"qkv_bias": bool(attention), "out_bias": bool(attention)}
    if kind == "llama" and config.get("mlp_bias") is not None:
        stated |= {"mlp_bias": bool(config["mlp_bias"])}
    if kind == "opt" and config.get("word_embed_proj_dim", config.get("hidden_size")) != config.get("hidden_size"):
        raise ValueError("word_embed_proj_dim: differs from hidden_size, which is not supported")
    return Family(**(vars(FAMILIES[kind]) | stated))


def _size(config: Mapping[str, Any], name: str) -> int:
    """A required size, under whichever of its names the config has."""
    for key in KEYS[name]:
        if config.get(key) is not None:
            return _integer(config, key)
    raise ValueError(f"{KEYS[name][0]} is missing from the config (looked for {', '.join(KEYS[name])})")


def _integer(config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = config.get(key)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 1:
        raise ValueError(f"{key}: {value!r} is not a positive integer")
    return int(value)
