"""A ladder to try the tool on: tiny models of an invented language, trained in seconds, and a task about its facts.

The language has sentences of three words: someone, a verb, and what it is that someone eats, owns or sees
(``bako eats milu``). Who does what is drawn once, and common names are said more often than rare ones, so that larger
models and longer training know more of the facts: the score of ``facts`` rises from chance as it does on real ladders.
Nothing is downloaded, and every checkpoint is the same on every machine up to rounding.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core import files
from ..core.errors import InputError

SEED = 0
PEOPLE, VERBS, THINGS = 400, ("eats", "owns", "sees"), 12  # things that each verb may have
SENTENCES, BATCH = 5, 32  # of a sequence; sequences of a step
PIECES = 7  # tokens of a sentence: two for each word, and the end of the line
QUESTIONS = 240  # documents of the task
TASK = "facts"

YAML = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
num_fewshot: 0
metric_list: [{{metric: acc}}]
metadata: {{version: 1}}
"""


@dataclass(frozen=True, kw_only=True)
class TinyRun:
    """One training: its name, the model's width, tokens per parameter, and the shares of its steps that are kept."""

    name: str
    hidden: int
    multiplier: int
    kept: tuple[float, ...] = (0.5, 1.0)


LADDER = (
    TinyRun(name="3K-60x", hidden=12, multiplier=60),
    TinyRun(name="4K-40x", hidden=16, multiplier=40),
    TinyRun(name="4K-80x", hidden=16, multiplier=80),
    TinyRun(name="6K-40x", hidden=20, multiplier=40),
    TinyRun(name="6K-60x", hidden=20, multiplier=60),
    TinyRun(name="8K-40x", hidden=24, multiplier=40),
)
BIG = (TinyRun(name="14K-40x", hidden=32, multiplier=40, kept=(0.25, 0.5, 0.75, 1.0)),)


class Language:
    """The invented language: its words, its facts, its text, and questions about it."""

    def __init__(self) -> None:
        rng = random.Random(SEED)
        syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
        words = [a + b for a in syllables for b in syllables]
        rng.shuffle(words)
        self.people = words[:PEOPLE]
        # No two things of a verb begin alike: the first half of the answer tells it.
        firsts = rng.sample(syllables, THINGS)
        self.things = {verb: [first + rng.choice(syllables) for first in firsts] for verb in VERBS}
        self.facts = {(one, verb): rng.choice(self.things[verb]) for one in self.people for verb in VERBS}

    def said(self, one: str, verb: str) -> str:
        """The sentence of a fact, one line."""
        return f"{one} {verb} {self.facts[one, verb]}\n"

    def sentences(self, count: int) -> list[str]:
        """Sentences in the order of training; the k-th person is named k times as rarely as the first."""
        rng = np.random.default_rng(SEED)
        share = 1 / np.arange(1, PEOPLE + 1)
        who = rng.choice(PEOPLE, count, p=share / share.sum())
        verbs = rng.integers(0, len(VERBS), count)
        return [self.said(self.people[i], VERBS[j]) for i, j in zip(who, verbs, strict=True)]

    def questions(self) -> Iterator[dict[str, Any]]:
        """Documents of the task: four things, of which one is right; common people are asked about more often."""
        rng = random.Random(SEED + 1)
        pairs = [(one, verb) for one in self.people for verb in VERBS]
        # The first of exponential times with rates 1/rank: drawn without replacement, weighed by how common they are.
        times = [rng.expovariate(1 / (1 + i // len(VERBS))) for i in range(len(pairs))]
        for i in sorted(range(len(pairs)), key=times.__getitem__)[:QUESTIONS]:
            one, verb = pairs[i]
            gold = self.facts[one, verb]
            choices = [gold, *rng.sample([thing for thing in self.things[verb] if thing != gold], 3)]
            rng.shuffle(choices)
            yield {"query": f"{one} {verb}", "choices": choices, "gold": choices.index(gold)}


def write(folder: Path, *, big: bool = False, step: Callable[[str, int, int], None] | None = None) -> list[Path]:
    """Train the ladder, or the big run, and write its checkpoints and the task below ``folder``; their folders.

    A checkpoint that is there already is left alone. ``step`` hears of each run: its name, how many are trained, and
    of how many. Needs torch, tokenizers and transformers.

    Raises
    ------
    InputError
        When these are not installed.
    """
    try:
        import torch
        from transformers.utils import logging
    except ImportError:
        raise InputError("the demo trains models with torch: pip install 'benchcast[score]'") from None
    logging.disable_progress_bar()  # a bar for every checkpoint written
    torch.set_num_threads(1)  # models this small are slower on several
    language = Language()
    _write_task(language, folder / "tasks")
    tokenizer = _tokenizer([language.said(*fact) for fact in language.facts])
    made: list[Path] = []
    runs = BIG if big else LADDER
    for done, run in enumerate(runs):
        if step is not None:
            step(run.name, done, len(runs))
        place = folder / ("big" if big else "checkpoints") / run.name
        made += _train(run, language, tokenizer, place)
    return made


def _write_task(language: Language, folder: Path) -> None:
    data = folder / f"{TASK}.jsonl"
    files.write_text("".join(json.dumps(question) + "\n" for question in language.questions()), data)
    files.write_text(YAML.format(name=TASK, path=json.dumps(str(data.absolute()))), folder / f"{TASK}.yaml")


def _tokenizer(sentences: Sequence[str]) -> Any:
    """Two letters a token, with the space before them; no merges to learn, so it is the same everywhere."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Split(Regex(" ?[a-z]{2}|\n"), "isolated")
    pieces = {piece for sentence in sentences for piece, _ in split.pre_tokenize_str(sentence)}
    vocabulary = {piece: i for i, piece in enumerate(["<s>", "<unk>", *sorted(pieces)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Fuse()
    special = {"bos_token": "<s>", "eos_token": "<s>", "pad_token": "<s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def _train(run: TinyRun, language: Language, tokenizer: Any, folder: Path) -> list[Path]:
    """Train one run with AdamW and a cosine, and save the checkpoints that are asked for."""
    import torch
    from torch.nn.functional import cross_entropy

    model = _model(run.hidden, len(tokenizer))
    params = sum(p.numel() for p in model.parameters())
    per_step = BATCH * SENTENCES * PIECES
    steps = math.ceil(params * run.multiplier / per_step)
    saves = {math.ceil(share * steps): folder / f"step-{math.ceil(share * steps)}" for share in run.kept}
    if all((place / "model.safetensors").exists() for place in saves.values()):
        return list(saves.values())
    every = [language.said(*fact) for fact in language.facts]
    ids = dict(zip(every, tokenizer(every)["input_ids"], strict=True))  # of a few sentences, said again and again
    text = [ids[sentence] for sentence in language.sentences(steps * BATCH * SENTENCES)]
    data = torch.tensor(text).view(steps, BATCH, SENTENCES * PIECES)
    peak = 0.12 / math.sqrt(run.hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    for step, batch in enumerate(data, 1):
        for group in optimizer.param_groups:
            group["lr"] = peak * min(1.0, step / 20) * (0.1 + 0.45 * (1 + math.cos(math.pi * step / steps)))
        logits = model(input_ids=batch, use_cache=False).logits
        cross_entropy(logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step in saves:
            _save(model, tokenizer, saves[step], {"run": run.name, "step": step, "tokens": step * per_step})
    return list(saves.values())


def _model(hidden: int, vocabulary: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        initializer_range=0.15,  # models this narrow learn much faster than from the usual 0.02
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)


def _save(model: Any, tokenizer: Any, folder: Path, about: dict[str, Any]) -> None:
    """A checkpoint that stands alone; ``benchcast.json`` says where it stands on the ladder."""
    params = sum(p.numel() for p in model.parameters())
    about |= {"family": "invented", "params": params, "flops": 6 * params * about["tokens"], "flops_convention": "6ND"}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files.write_text(json.dumps(about) + "\n", folder / "benchcast.json")
