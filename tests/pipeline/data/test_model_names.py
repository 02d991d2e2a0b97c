"""What the names of public checkpoints tell, and what is not read from them because it may mean two things."""

from __future__ import annotations

import re

import pytest
from benchcast.data.model_names import UNITS, Numbers, numbers
from hypothesis import example, given
from hypothesis import strategies as st

QUANTITIES = ("step", "params", "tokens", "token_multiplier", "batch")


def told(name: str) -> dict[str, float]:
    """The quantities that a name tells, by name."""
    found = numbers(name)
    return {q: getattr(found, q).value for q in QUANTITIES if getattr(found, q) is not None}


@pytest.mark.parametrize(
    ("name", "run", "expected"),
    [
        # TinyLlama: steps in thousands, tokens at the end
        (
            "TinyLlama/TinyLlama-1.1B-intermediate-step-50K-105b",
            "TinyLlama-1.1B-intermediate",
            {"step": 50e3, "params": 1.1e9, "tokens": 1.05e11},
        ),
        (
            "TinyLlama/TinyLlama-1.1B-intermediate-step-480k-1T",
            "TinyLlama-1.1B-intermediate",
            {"step": 480e3, "params": 1.1e9, "tokens": 1e12},
        ),
        (
            "TinyLlama/TinyLlama-1.1B-intermediate-step-955k-token-2T",
            "TinyLlama-1.1B-intermediate",
            {"step": 955e3, "params": 1.1e9, "tokens": 2e12},
        ),
        (
            "TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T",
            "TinyLlama-1.1B-intermediate",
            {"step": 1431e3, "params": 1.1e9, "tokens": 3e12},
        ),
        # Pythia: size, batch, seed, data
        ("EleutherAI/pythia-160m@step143000", "pythia-160m", {"step": 143000, "params": 1.6e8}),
        ("EleutherAI/pythia-14m@step0", "pythia-14m", {"step": 0, "params": 1.4e7}),
        (
            "EleutherAI/pythia-160m-0.5MtokBS@step1000",
            "pythia-160m-0.5MtokBS",
            {"step": 1000, "params": 1.6e8, "batch": 5e5},
        ),
        ("EleutherAI/pythia-70m-deduped@step512", "pythia-70m-deduped", {"step": 512, "params": 7e7}),
        ("EleutherAI/pythia-160m-seed3@step1000", "pythia-160m-seed3", {"step": 1000, "params": 1.6e8}),
        ("EleutherAI/pythia-1.4b-deduped-v0", "pythia-1.4b-deduped-v0", {"params": 1.4e9}),
        # OLMo: date in the name; stage, step and tokens in the revision
        (
            "allenai/OLMo-2-0425-1B@stage1-step10000-tokens21B",
            "OLMo-2-0425-1B",
            {"step": 10000, "params": 1e9, "tokens": 2.1e10},
        ),
        ("allenai/OLMo-1B@step20000-tokens84B", "OLMo-1B", {"step": 20000, "params": 1e9, "tokens": 8.4e10}),
        ("allenai/OLMo-1B@step0-tokens0B", "OLMo-1B", {"step": 0, "params": 1e9, "tokens": 0}),
        ("runs/160m/step738020-unsharded-hf", "160m", {"step": 738020, "params": 1.6e8}),
        (
            "swiss-ai/Apertus-8B-2509@step50000-tokens210B",
            "Apertus-8B-2509",
            {"step": 50000, "params": 8e9, "tokens": 2.1e11},
        ),
        # DataDecide and the OLMo ladder: 5xC is five times Chinchilla's 20 tokens per parameter
        (
            "allenai/DataDecide-dclm-150M-5xC@step1000-seed-default",
            "DataDecide-dclm-150M-5xC@seed-default",
            {"step": 1000, "params": 1.5e8, "token_multiplier": 100},
        ),
        ("ladder/190M-0.5xC/step5000", "190M-0.5xC", {"step": 5000, "params": 1.9e8, "token_multiplier": 10}),
        ("demo/1.3M-20tpp", "1.3M-20tpp", {"params": 1.3e6, "token_multiplier": 20}),
        ("lm-10M-40x", "lm-10M-40x", {"params": 1e7, "token_multiplier": 40}),
        # SmolLM, BLOOM, open_llama, DCLM, RWKV, Qwen, OPT, Cerebras
        (
            "HuggingFaceTB/SmolLM2-135M-intermediate-checkpoints@step-120000",
            "SmolLM2-135M-intermediate-checkpoints",
            {"step": 120000, "params": 1.35e8},
        ),
        (
            "HuggingFaceTB/SmolLM3-3B-checkpoints@stage1-step-40000",
            "SmolLM3-3B-checkpoints",
            {"step": 40000, "params": 3e9},
        ),
        (
            "bigscience/bloom-1b1-intermediate@global_step1000",
            "bloom-1b1-intermediate",
            {"step": 1000, "params": 1.1e9},
        ),
        ("openlm-research/open_llama_3b_v2_200bt", "open_llama_3b_v2_200bt", {"params": 3e9, "tokens": 2e11}),
        ("apple/DCLM-7B-8k", "DCLM-7B-8k", {"params": 7e9}),
        ("RWKV/RWKV-5-World-1B5-v2-20231025-ctx4096", "RWKV-5-World-1B5-v2-20231025-ctx4096", {"params": 1.5e9}),
        ("Qwen/Qwen2.5-0.5B", "Qwen2.5-0.5B", {"params": 5e8}),
        ("facebook/opt-125m", "opt-125m", {"params": 1.25e8}),
        ("cerebras/Cerebras-GPT-111M", "Cerebras-GPT-111M", {"params": 1.11e8}),
        ("meta-llama/Llama-3.1-8B", "Llama-3.1-8B", {"params": 8e9}),
        ("allenai/OLMo-7B-0424-2T", "OLMo-7B-0424-2T", {"params": 7e9, "tokens": 2e12}),
        ("org/olmo_1.3B-100B-tokens", "olmo_1.3B-100B-tokens", {"params": 1.3e9, "tokens": 1e11}),
        ("LLM360/CrystalCoder@CrystalCoder_phase1_checkpoint_055500", "CrystalCoder", {"step": 55500}),
        ("tomg-group-umd/Gemstone-256x23", "Gemstone-256x23", {}),
        ("gpt2", "gpt2", {}),
        ("nvidia/Nemotron-H-8B-Base-8K", "Nemotron-H-8B-Base-8K", {"params": 8e9}),
        ("gradientai/Llama-3-8B-Instruct-Gradient-1048k", "Llama-3-8B-Instruct-Gradient-1048k", {"params": 8e9}),
        ("LongSafari/hyenadna-large-1m-seqlen-hf", "hyenadna-large-1m-seqlen-hf", {}),
        ("facebook/esm2_t33_650M_UR50D", "esm2_t33_650M_UR50D", {"params": 6.5e8}),
        ("lm-160M-tokens=20971520000", "lm-160M-tokens=20971520000", {"params": 1.6e8, "tokens": 20971520000}),
        ("chinchilla_70B_1.4T", "chinchilla_70B_1.4T", {"params": 7e10, "tokens": 1.4e12}),
        (
            "org/lm-160M-batch-size-0.5M-tokens@step10",
            "lm-160M-batch-size-0.5M-tokens",
            {"step": 10, "params": 1.6e8, "batch": 5e5},
        ),
        # What trainers call their folders
        ("/ckpt/llama-1b/iter_0005000", "llama-1b", {"step": 5000, "params": 1e9}),
        ("llama-1b/iter_0005000", "llama-1b", {"step": 5000, "params": 1e9}),
        ("./ckpts/3b/checkpoint-500", "3b", {"step": 500, "params": 3e9}),
        ("/ckpt/1b/step-2000/", "1b", {"step": 2000, "params": 1e9}),
        ("/ckpt/56K/step-549", "56K", {"step": 549, "params": 5.6e4}),
        ("/x/400M/ep0-ba1000", "400M", {"step": 1000, "params": 4e8}),
        ("runs/160m/checkpoints/10000", "160m", {"step": 10000, "params": 1.6e8}),
        (
            "/runs/160m/megatron_gpt--val_loss=2.15-step=1000-consumed_samples=128000.0",
            "megatron_gpt",
            {"step": 1000, "params": 1.6e8},
        ),
        (
            "lm-160M-bs512-lr3e-4-warmup-steps-2000/step-50",
            "lm-160M-bs512-lr3e-4-warmup-steps-2000",
            {"step": 50, "params": 1.6e8},
        ),
        ("pythia-1.4b-100k-steps", "pythia-1.4b", {"step": 1e5, "params": 1.4e9}),
        (
            "/hub/models--EleutherAI--pythia-160m/snapshots/50f5173d932e8e61f858120bcb800b97af589f46",
            "models--EleutherAI--pythia-160m",
            {"params": 1.6e8},
        ),
        ("/7b-runs/160m/step1000", "160m", {"step": 1000, "params": 1.6e8}),
        ("7b-lab/lm", "lm", {}),
        ("N=1.6e8-D=2e9", "N=1.6e8-D=2e9", {"params": 1.6e8, "tokens": 2e9}),
    ],
)
def test_what_a_name_tells(name: str, run: str, expected: dict[str, float]) -> None:
    assert told(name) == expected
    assert numbers(name).run == run


@pytest.mark.parametrize(
    ("name", "quantity", "why"),
    [
        ("microsoft/phi-3-mini-4k-instruct", "params", "4k may be a context"),
        ("microsoft/phi-3-mini-128k-instruct", "params", "128k may be a context"),
        ("mistralai/Mixtral-8x7B-v0.1", "params", "mixture of experts"),
        ("allenai/OLMoE-1B-7B-0924@step10000-tokens41B", "params", "mixture of experts"),
        ("Qwen/Qwen3-30B-A3B", "params", "mixture of experts"),
        ("ibm/granite-3.0-1b-a400m-base", "params", "mixture of experts"),
        ("meta-llama/Llama-4-Scout-17B-16E", "params", "mixture of experts"),
        ("stabilityai/stablelm-2-1_6b", "params", "1_6b may be 1.6b or 6b"),
        ("Qwen/Qwen2.5-7B-Instruct-1M", "params", "7B and 1M"),
        ("mosaicml/mpt-1b-redpajama-200b", "params", "1b and 200b"),
        ("org/model-1T", "params", "may be parameters or tokens"),
        ("name-step-100-7B", "tokens", "may be parameters or tokens"),
        ("LLM360/Amber@ckpt_356", "step", "may count checkpoints"),
        ("allenai/OLMo-2-0425-1B@stage2-ingredient1-step1000-tokens3B", "tokens", "stages before it"),
        ("runs/160m/10000", "step", "may be a step"),
        ("org/lm-1B@100B", "tokens", "may be tokens"),
        ("org/lm-160M-2Mtok", "tokens", "may be those of one step"),
        ("babylm/babylm-100M", "params", "words of text"),
        ("togethercomputer/evo-1-131k-base", "params", "may be a context"),
    ],
)
def test_what_may_mean_two_things_is_not_read(name: str, quantity: str, why: str) -> None:
    found = numbers(name)
    assert getattr(found, quantity) is None
    assert why in found.unsure[quantity]


@pytest.mark.parametrize("name", ["stabilityai/stablelm-3b-4e1t", "lm-160M-eval-steps-500", "phi-1_5", "llama-7b-4bit"])
def test_other_numbers_are_none_of_these(name: str) -> None:
    assert not {"step", "tokens", "batch", "token_multiplier"} & set(told(name))


def test_a_later_stage_is_a_run_of_its_own() -> None:
    names = [f"allenai/OLMo-2-0425-1B@{stage}-step1000-tokens3B" for stage in ("stage1", "stage2-ingredient1")]
    assert [numbers(name).run for name in names] == ["OLMo-2-0425-1B", "OLMo-2-0425-1B@stage2-ingredient1"]


def test_a_bare_multiplier_is_marked() -> None:
    assert numbers("lm-10M-10x").bare
    assert not numbers("lm-10M-10xC").bare


pieces = st.sampled_from(
    [
        "pythia",
        "OLMo",
        "-",
        "_",
        "/",
        "@",
        ".",
        "step",
        "iter_",
        "checkpoint-",
        "tokens",
        "tok",
        "B",
        "b",
        "M",
        "m",
        "k",
        "K",
        "T",
        "x",
        "xC",
        "stage",
        "0",
        "1",
        "7",
        "12",
        "160",
        "0.5",
        "1431",
        "000",
        "BS",
        "ctx",
        "ckpt_",
        "e",
        "=",
        " ",
    ]
)
names = st.one_of(st.text(max_size=60), st.lists(pieces, max_size=14).map("".join))


@given(names)
@example("TinyLlama-1.1B-intermediate-step-1431k-3T")
@example("step" * 200)
@example("1" * 5000 + "B")
@example("-" * 5000 + "step-1")
def test_no_number_is_invented(name: str) -> None:
    """Every number stands in the name, times a unit that stands behind it; and every name is read."""
    found: Numbers = numbers(name)
    assert found.run or not name
    for quantity in QUANTITIES:
        if (read := getattr(found, quantity)) is None:
            continue
        assert read.text in name
        assert quantity not in found.unsure
        digits = {float(d) for d in re.findall(r"\d+(?:\.\d+)?(?:e\+?\d+)?", read.text.lower())}
        inner = {float(f"{a}.{b}") for a, b in re.findall(r"(\d+)[bmp](\d+)", read.text.lower())}
        factors = [*UNITS.values(), 20.0]
        assert any(abs(read.value - d * f) <= 1e-9 * abs(read.value) for d in digits | inner for f in factors)
        assert read.value >= 0


@given(st.integers(0, 10**9), st.sampled_from(["step{}", "step-{}", "iter_{:07d}", "checkpoint-{}", "global_step{}"]))
def test_steps_are_read_as_they_are_written(step: int, pattern: str) -> None:
    found = numbers(f"/runs/lm-160M/{pattern.format(step)}")
    assert found.step is not None
    assert found.step.value == step
    assert found.run == "lm-160M"
    assert found.params is not None
    assert found.params.value == 1.6e8
