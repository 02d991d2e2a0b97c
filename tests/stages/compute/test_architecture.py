"""Parameter counts against published sizes and transformers' own count; FLOPs against the papers' closed forms."""

from __future__ import annotations

import pytest
from benchcast.stages.compute.architecture import CONVENTIONS, Architecture
from hypothesis import given
from hypothesis import strategies as st
from worlds.architectures import LLAMA_2_7B

LLAMA_3_8B = LLAMA_2_7B | {"intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 128256}
GPT_2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_positions": 1024}
PYTHIA_160M = {
    "model_type": "gpt_neox",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "vocab_size": 50304,
    "max_position_embeddings": 2048,
}
OPT_125M = {
    "model_type": "opt",
    "hidden_size": 768,
    "ffn_dim": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "vocab_size": 50272,
    "max_position_embeddings": 2048,
    "word_embed_proj_dim": 768,
}
QWEN2_0_5B = {
    "model_type": "qwen2",
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}
MISTRAL_7B = LLAMA_3_8B | {"model_type": "mistral", "vocab_size": 32000}


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (LLAMA_2_7B, 6_738_415_616),
        (LLAMA_3_8B, 8_030_261_248),
        (GPT_2, 124_439_808),
        (PYTHIA_160M, 162_322_944),
        (OPT_125M, 125_239_296),
        (QWEN2_0_5B, 494_032_768),
        (MISTRAL_7B, 7_241_732_096),
    ],
    ids=["llama-2-7b", "llama-3-8b", "gpt2", "pythia-160m", "opt-125m", "qwen2-0.5b", "mistral-7b"],
)
def test_published_parameter_counts(config: dict[str, object], published: int) -> None:
    assert Architecture.from_config(config).params() == published


def test_pythias_published_count_without_embeddings() -> None:
    """The authors give 85,056,000 for the 160M model, embeddings and head left out."""
    assert Architecture.from_config(PYTHIA_160M).params(embeddings=False, head=False) == 85_056_000


TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "max_position_embeddings": 64,
}
GATED = {"intermediate_size": 48, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    ("model_type", "more"),
    [
        ("llama", GATED),
        ("llama", GATED | {"attention_bias": True, "mlp_bias": True, "head_dim": 16}),
        ("mistral", GATED | {"head_dim": 8}),
        ("qwen2", GATED),
        ("qwen3", GATED | {"head_dim": 16}),
        ("olmo", GATED),
        ("olmo2", GATED),
        ("gemma", GATED | {"head_dim": 16}),
        ("gemma2", GATED | {"head_dim": 16}),
        ("gpt_neox", {"intermediate_size": 96}),
        ("opt", {"ffn_dim": 96, "word_embed_proj_dim": 32}),
        ("gpt2", {"n_inner": 80}),
        ("gpt2", {}),
    ],
)
def test_the_count_is_transformers_own(model_type: str, more: dict[str, object]) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    filled = transformers.AutoConfig.for_model(model_type, **TINY, **more, pad_token_id=0)
    model = transformers.AutoModelForCausalLM.from_config(filled)
    ours = Architecture.from_config(filled.to_dict())
    assert ours.params() == sum(p.numel() for p in model.parameters())
    embedding = model.get_input_embeddings().weight.numel()
    if not ours.tied and not ours.family.learned_positions:
        assert ours.params(embeddings=False) == ours.params() - embedding


def test_conventions_against_closed_forms() -> None:
    model = Architecture.from_config(LLAMA_2_7B)
    layers, matrix = 6_476_271_616, 32000 * 4096
    assert model.flops_per_token("6ND") == 6 * 6_738_415_616
    assert model.flops_per_token("6ND-no-embedding") == 6 * (layers + matrix)
    assert model.flops_per_token("6ND-no-embedding-no-head") == 6 * layers
    assert model.flops_per_token("6ND+attention") == 6 * 6_738_415_616 + 12 * 32 * 4096 * 4096
    assert model.flops_per_token("deepseek", 2048) == 72 * 32 * 4096**2 + 12 * 32 * 4096 * 2048


@given(st.sampled_from(CONVENTIONS), st.integers(1, 10**6))
def test_flops_grow_with_the_sequence_only_where_attention_counts(convention: str, length: int) -> None:
    model = Architecture.from_config(LLAMA_2_7B)
    step = model.flops_per_token(convention, length + 1) - model.flops_per_token(convention, length)
    assert step == (12 * 32 * 4096 if convention in ("6ND+attention", "deepseek") else 0)


def test_a_tied_matrix_counts_once_and_whenever_it_is_used() -> None:
    model = Architecture.from_config(QWEN2_0_5B)
    matrix = 151936 * 896
    assert model.params(embeddings=False) == model.params(head=False) == model.params()
    assert model.params(embeddings=False, head=False) == model.params() - matrix


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"num_hidden_layers": -2}, "num_hidden_layers: -2"),
        ({"vocab_size": "many"}, "vocab_size: 'many'"),
        ({"num_attention_heads": 30}, "head_dim"),
        ({"model_type": "mamba"}, "model_type: 'mamba'"),
        ({"num_local_experts": 8}, "mixtures of experts"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Architecture.from_config(LLAMA_2_7B | change)


def test_unknown_conventions_and_lengths_are_named() -> None:
    model = Architecture.from_config(GPT_2)
    with pytest.raises(ValueError, match="7ND"):
        model.flops_per_token("7ND")
    with pytest.raises(ValueError, match="seq_len"):
        model.flops_per_token("deepseek", 0)
