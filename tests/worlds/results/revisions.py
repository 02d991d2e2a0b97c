"""Results by revision, made by ``lm_eval`` itself: four tiny models, trained here, each at three of its steps.

    python tests/worlds/results/revisions.py FOLDER

On the hub a checkpoint is ``pretrained=org/model,revision=step1000``. A local folder has no revisions, and
transformers ignores the argument: so the weights of that step are put into the model's folder before each run. What
``lm_eval`` then writes is what it writes for models of the hub: one folder per model, whose result files differ in
``config.model_args`` only.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from worlds import tiny_models

WIDTHS = {"lm-xs": 16, "lm-s": 24, "lm-m": 32, "lm-l": 48}
STEPS = (12, 24, 40)
BATCH, LENGTH = 16, 24  # sequences, tokens
TASK = "next_words"
QUESTIONS = 30


def build(folder: Path) -> None:
    """Train, and evaluate every step by the entry point of the real command, in this process."""
    _task(folder / "tasks")
    trained = [(name, step) for name, width in WIDTHS.items() for step in _train(folder, name, width)]
    for name, step in trained:
        _evaluate(folder, name, step)


def _task(folder: Path) -> None:
    """Which words come next in a sentence the models are trained on: the other answers come from elsewhere in it."""
    rng = random.Random(0)
    words = tiny_models.WORDS
    questions = []
    for i in range(QUESTIONS):
        start = rng.randrange(len(words))
        at = [(start + k) % len(words) for k in range(6)]
        gold = " ".join(words[k] for k in at[4:])
        elsewhere = rng.sample([k for k in range(len(words)) if k != at[4]], 3)
        others = [f"{words[k]} {words[(k + 1) % len(words)]}" for k in elsewhere]
        choices = [*others[: i % 4], gold, *others[i % 4 :]]
        questions.append({"query": " ".join(words[k] for k in at[:4]), "choices": choices, "gold": i % 4})
    tiny_models.write_task(folder, TASK, questions)


def _train(folder: Path, name: str, width: int) -> tuple[int, ...]:
    """Weights of every step below ``folder/steps/<name>``."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_models.write_tokenizer(folder / "models" / name)
    torch.manual_seed(width)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=tiny_models.CONTEXT,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    ids = torch.tensor(tokenizer.encode(" ".join([tiny_models.TEXT] * 4)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(1, STEPS[-1] + 1):
        starts = torch.randint(len(ids) - LENGTH, (BATCH,))
        batch = torch.stack([ids[s : s + LENGTH] for s in starts])
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in STEPS:
            model.save_pretrained(folder / "steps" / name / f"step{step}")
    return STEPS


def _evaluate(folder: Path, name: str, step: int) -> None:
    for file in (folder / "steps" / name / f"step{step}").iterdir():
        shutil.copy(file, folder / "models" / name / file.name)
    model = f"pretrained=models/{name},revision=step{step},dtype=float32,add_bos_token=False"
    arguments = f"run --model hf --model_args {model} --tasks {TASK} --include_path {folder}/tasks --device cpu"
    arguments += " --batch_size 16 --output_path results --log_samples"
    nothing = str(folder / "none" / "m.py")  # instead of lm-eval's 14,000 task files, which it reads each time
    import lm_eval.tasks.manager as manager
    from lm_eval.__main__ import cli_evaluate

    manager.__file__ = nothing
    sys.argv = ["lm_eval", *arguments.split()]
    cli_evaluate()


def values(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """What ``lm_eval`` itself says: scores and the number of parameters, by model and step."""
    found = {}
    for path in (folder / "results").rglob("results_*.json"):
        content = json.loads(path.read_text())
        arguments = content["config"]["model_args"]
        if isinstance(arguments, str):
            arguments = dict(part.split("=") for part in arguments.split(","))
        scores = content["results"][TASK] | {"params": content["config"]["model_num_parameters"]}
        found[Path(arguments["pretrained"]).name, int(arguments["revision"].removeprefix("step"))] = scores
    return found


if __name__ == "__main__":
    os.chdir(sys.argv[1])  # pretrained=models/lm-m is a path from here, as a name of the hub would look
    import torch

    torch.set_num_threads(1)
    build(Path.cwd())
