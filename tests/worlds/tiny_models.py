"""Random tiny checkpoints and tasks on disk, for the tests that score something."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

TEXT = "the cat sat on a mat while seven naïve dogs ran under that red bridge and sang of rivers"
WORDS = TEXT.split()
CONTEXT = 96  # tokens


def question(number: int) -> dict[str, Any]:
    """Choices of one and of several tokens, 2 to 4 of them, of different lengths."""
    query = " ".join(WORDS[(number * 5 + i * (1 + number % 3)) % len(WORDS)] for i in range(3 + number % 6))
    choices = [
        " ".join(WORDS[(number + 7 * j + i) % len(WORDS)] for i in range(1 + (number + j) % 3)) for j in range(4)
    ]
    choices = list(dict.fromkeys(choices))[: 2 + number % 3]
    return {"query": query, "choices": choices, "gold": number % len(choices)}


QUESTIONS = [question(n) for n in range(30)]


def write_task(folder: Path, name: str, questions: list[dict[str, Any]], shots: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(q) + "\n" for q in questions), encoding="utf-8")
    (folder / f"{name}.yaml").write_text(
        f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: '{data}'}}}}\n"
        "test_split: test\nfewshot_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{query}}"\ndoc_to_choice: "{{choices}}"\ndoc_to_target: gold\n'
        f"num_fewshot: {shots}\nmetric_list: [{{metric: acc}}, {{metric: acc_norm}}]\nmetadata: {{version: 1}}\n",
        encoding="utf-8",
    )


def write_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 9, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<s>", pad_token="<s>")
    fast.save_pretrained(folder)
    return fast


def write_checkpoint(folder: Path, run: str, seed: int = 0, step: int = 10, *, tied: bool = False) -> Any:
    """A random Llama of one layer; returns the model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = write_tokenizer(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    params = sum(p.numel() for p in model.parameters())
    about = {
        "run": run,
        "family": "random",
        "step": step,
        "params": params,
        "tokens": 1000,
        "flops": 6000 * params,
        "flops_convention": "6ND",
    }
    (folder / "benchcast.json").write_text(json.dumps(about))
    return model


def loglik(model: Any, tokenizer: Any, prompt: str, answer: str) -> float:
    """Log-likelihood of ``answer`` after ``prompt`` in nats, one plain forward pass."""
    start, tokens = len(tokenizer.encode(prompt)), tokenizer.encode(prompt + answer)
    return tokens_loglik(model, tokens[:start], tokens[start:])


def tokens_loglik(model: Any, given: list[int], wanted: list[int]) -> float:
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([given + wanted[:-1]])).logits[0, len(given) - 1 :].double()
    return math.fsum(logits.log_softmax(-1)[i, token].item() for i, token in enumerate(wanted))


def edit(folder: Path, change: Any) -> None:
    """Change a checkpoint's tensors in place."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
