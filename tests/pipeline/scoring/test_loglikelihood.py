"""Rows of branches against plain forward passes: the same numbers, for any requests and for other architectures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import tiny_models

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import transformers
from benchcast.scoring.inference import loglikelihood as engine
from benchcast.scoring.inference.rows import batches, halves, rows, tokens
from benchcast.scoring.requests.encoded import Encoded, join, pack

VOCABULARY, CONTEXT = 40, 24
Request = tuple[list[int], list[int]]


def build(config: Any) -> Any:
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(scope="module")
def model() -> Any:
    return build(
        transformers.LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=CONTEXT,
            initializer_range=0.5,
            pad_token_id=0,
        )
    )


words = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=CONTEXT)
answers = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=4)
# Choices of a document mostly begin alike; a few words of the prompt of its own make some that do not.
documents = st.lists(
    st.tuples(words, st.lists(st.tuples(st.booleans(), words, answers), min_size=1, max_size=4)), min_size=1, max_size=5
)


def requests(drawn: Any) -> list[list[Request]]:
    return [[(own if apart else prompt, answer) for apart, own, answer in choices] for prompt, choices in drawn]


def packed(asked: list[list[Request]]) -> Encoded:
    return pack((prompt, answer, n) for n, choices in enumerate(asked) for prompt, answer in choices)


def expected(model: Any, asked: list[list[Request]], limit: int = CONTEXT) -> np.ndarray:
    """One plain forward pass per request; prompts are cut from the left as lm-eval cuts them."""
    found = []
    for choices in asked:
        for prompt, answer in choices:
            kept = (prompt + answer)[-(limit + 1) :]
            found.append(tiny_models.tokens_loglik(model, kept[: -len(answer)], answer))
    return np.array(found)


@given(documents, st.booleans(), st.integers(1, 9))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_log_likelihoods_are_those_of_one_request_at_a_time(model: Any, drawn: Any, share: bool, size: int) -> None:
    asked = requests(drawn)
    encoded = packed(asked)
    found = engine.answer(model, encoded, engine.layout(encoded, CONTEXT, size, share=share))
    np.testing.assert_allclose(found.logliks, expected(model, asked), rtol=1e-4, atol=1e-4)


@given(documents, st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_halves_hold_the_same_requests(drawn: Any, size: int) -> None:
    encoded = packed(requests(drawn))
    for batch in batches(rows(encoded, CONTEXT, share=True), size, 10**6):
        if len(batch.tokens) < 2:
            continue
        parts = halves(batch)
        assert sum(len(part.tokens) for part in parts) == len(batch.tokens)
        whole = sorted(zip(batch.request.tolist(), batch.wanted.tolist(), strict=True))
        assert sorted(pair for p in parts for pair in zip(p.request.tolist(), p.wanted.tolist(), strict=True)) == whole
        for part, start in zip(parts, (0, len(parts[0].tokens)), strict=True):
            of_part = part.tokens.reshape(-1)[part.at[part.place]]
            flat = batch.tokens[start : start + len(part.tokens)].reshape(-1)
            assert (of_part == flat[part.at[part.place]]).all()


def test_greedy_is_the_most_likely_token_everywhere(model: Any) -> None:
    prompt = [3, 1, 4]
    with torch.no_grad():
        best = int(model(torch.tensor([prompt])).logits[0, -1].argmax())
        after = int(model(torch.tensor([[*prompt, best]])).logits[0, -1].argmax())
    encoded = packed([[(prompt, [best, after]), (prompt, [best, (after + 1) % VOCABULARY]), (prompt, [best])]])
    found = engine.answer(model, encoded, engine.layout(encoded, CONTEXT, 8, share=True))
    assert found.greedy.tolist() == [True, False, True]


def test_choices_of_one_document_are_one_row() -> None:
    prompt = list(range(10))
    asked = [[(prompt, [20 + i, 30]) for i in range(4)], [(prompt, [i]) for i in range(4)]]
    shared, alone = rows(packed(asked), CONTEXT, share=True), rows(packed(asked), CONTEXT, share=False)
    assert [len(r.tokens) for r in shared] == [10 + 4, 10]
    assert len(alone) == 5  # answers of one token are one row anyway
    assert tokens(alone) == 4 * 11 + 10
    both = join([packed(asked[:1]), packed(asked[1:])])
    assert [r.tokens for r in rows(both, CONTEXT, share=True)] == [r.tokens for r in shared]


def test_equal_choices_get_equal_numbers(model: Any) -> None:
    # CommonsenseQA lists "healthy" twice: which of the two is chosen must not hang on rounding.
    asked = [[([1, 2, 3, 4, 5], [7, 8, 9]), ([1, 2, 3, 4, 5], [10, 11]), ([1, 2, 3, 4, 5], [7, 8, 9])]]
    for share in (True, False):
        found = engine.answer(model, packed(asked), engine.layout(packed(asked), CONTEXT, 8, share=share))
        assert found.logliks[0] == found.logliks[2]


def test_a_batch_that_does_not_fit_is_halved_and_so_are_the_rest(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [[([n % 7 + 1] * 6, [n % VOCABULARY]), ([n % 7 + 1] * 6, [1, 2])] for n in range(24)]
    encoded = packed(asked)
    original, sizes = engine._logits, []

    def small(given_model: Any, batch: Any, at: Any, device: Any) -> Any:
        if len(batch.tokens) > 3:
            raise torch.OutOfMemoryError("out of memory")
        sizes.append(len(batch.tokens))
        return original(given_model, batch, at, device)

    monkeypatch.setattr(engine, "_logits", small)
    layout = engine.layout(encoded, CONTEXT, 16, share=True)
    found = engine.answer(model, encoded, layout)
    np.testing.assert_allclose(found.logliks, expected(model, asked), rtol=1e-4, atol=1e-4)
    assert layout.batch_size <= 3
    assert max(sizes) <= 3
    engine.answer(model, encoded, layout)  # the next checkpoint starts with what fitted
    monkeypatch.setattr(engine, "_logits", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("none")))
    with pytest.raises(torch.OutOfMemoryError):
        engine.answer(model, encoded, layout)


SMALL: dict[str, Any] = {"vocab_size": VOCABULARY, "initializer_range": 0.4, "pad_token_id": 0}
WIDTHS: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
FAMILIES = {
    "gpt2": lambda: transformers.GPT2Config(**SMALL, n_embd=16, n_layer=2, n_head=2, n_positions=64),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**SMALL, **WIDTHS),
    "qwen2": lambda: transformers.Qwen2Config(**SMALL, **WIDTHS, num_key_value_heads=1),
    "mistral": lambda: transformers.MistralConfig(**SMALL, **WIDTHS, num_key_value_heads=1, sliding_window=8),
    "gemma2": lambda: transformers.Gemma2Config(
        **SMALL, **WIDTHS, num_key_value_heads=1, head_dim=8, sliding_window=8, final_logit_softcapping=2.0
    ),
    "olmo2": lambda: transformers.Olmo2Config(**SMALL, **WIDTHS),
    "opt": lambda: transformers.OPTConfig(
        **SMALL,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=32,
        max_position_embeddings=64,
        word_embed_proj_dim=16,
    ),
    "bloom": lambda: transformers.BloomConfig(**SMALL, hidden_size=16, n_layer=2, n_head=2),
    "mamba": lambda: transformers.MambaConfig(**SMALL, hidden_size=16, num_hidden_layers=2, state_size=4),
    "granite": lambda: transformers.GraniteConfig(**SMALL, **WIDTHS, logits_scaling=3.0, embedding_multiplier=2.0),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_other_architectures_get_the_numbers_of_plain_forward_passes(family: str) -> None:
    model = build(FAMILIES[family]())
    rng = np.random.default_rng(1)
    asked = []
    for _ in range(12):
        prompt = rng.integers(1, VOCABULARY, rng.integers(8, 30)).tolist()
        asked.append([(prompt, rng.integers(1, VOCABULARY, rng.integers(1, 5)).tolist()) for _ in range(4)])
    encoded = packed(asked)
    share = engine.shares(model, encoded, 64, 8, "auto")
    if family in ("mistral", "gemma2", "bloom", "mamba"):
        assert not share  # windows shorter than the rows, no positions, no attention
    if family in ("gpt2", "gpt_neox", "qwen2", "olmo2", "granite"):
        assert share
    found = engine.answer(model, encoded, engine.layout(encoded, 64, 8, share=share))
    np.testing.assert_allclose(found.logliks, expected(model, asked, 64), rtol=1e-4, atol=1e-4)
