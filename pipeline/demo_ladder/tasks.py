"""Tasks made from held-out text, written as lm-eval task files: five of multiple choice, and one that generates.

A document of multiple choice is ``{"query", "choices", "gold"}``, with the gold answer at a random position; one of the
generative task is ``{"query", "answer"}``. The recipes follow what is known to rise smoothly with scale on models of
0.05 to 2 million parameters.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

Doc = dict[str, object]
CONTEXT_WORDS = 24
MOST_PROMPT = 300  # characters of a prompt that is continued: with the answer, below 128 tokens

YAML = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {path}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
num_fewshot: 0
metric_list:
  - metric: acc
  - metric: acc_norm
metadata:
  version: 1
"""
# The answer is the first word of what the model writes.
GENERATIVE_YAML = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {path}
test_split: test
output_type: generate_until
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{answer}}}}"
num_fewshot: 0
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: 6
  do_sample: false
filter_list:
  - name: first-word
    filter:
      - function: regex
        regex_pattern: "^\\\\s*(\\\\S+)"
      - function: take_first
metric_list:
  - metric: exact_match
metadata:
  version: 1
"""
GENERATED = 400  # documents of the generative task: few paragraphs say a phrase twice


class Vocabulary:
    """Words of the training text by frequency rank, to find distractors that are just as common."""

    def __init__(self, train: list[list[str]]) -> None:
        counts = Counter(w for block in train for p in block for w in p.split() if w.isalpha() and w.islower())
        self.words = [w for w, _ in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))]
        self.rank = {w: i for i, w in enumerate(self.words)}

    def distractors(self, word: str, rng: random.Random, avoid: set[str], n: int = 3) -> list[str]:
        """``n`` words within about 10 % of ``word``'s frequency rank."""
        rank = self.rank[word]
        reach = max(6, rank // 10)
        near = [w for w in self.words[max(0, rank - reach) : rank + reach + 1] if w != word and w not in avoid]
        return rng.sample(near, n) if len(near) >= n else []


def _doc(rng: random.Random, query: str, gold: str, others: list[str]) -> Doc:
    choices = [gold, *others]
    rng.shuffle(choices)
    return {"query": query, "choices": choices, "gold": choices.index(gold)}


def _cloze(low: int, high: int, vocabulary: Vocabulary) -> Callable[[list[str], random.Random], Doc | None]:
    """Next-word cloze on words whose frequency rank lies in ``[low, high)``."""

    def make(words: list[str], rng: random.Random) -> Doc | None:
        spots = [i for i in range(10, len(words)) if low <= vocabulary.rank.get(words[i], -1) < high]
        if not spots:
            return None
        i = rng.choice(spots)
        others = vocabulary.distractors(words[i], rng, set())
        return _doc(rng, " ".join(words[max(0, i - CONTEXT_WORDS) : i]), words[i], others) if others else None

    return make


def _recall(vocabulary: Vocabulary) -> Callable[[list[str], random.Random], Doc | None]:
    """A rarer word that stood earlier in the same context; the distractors did not."""

    def make(words: list[str], rng: random.Random) -> Doc | None:
        spots = [
            i
            for i in range(16, len(words))
            if 200 <= vocabulary.rank.get(words[i], -1) < 20000 and words[i] in words[max(0, i - 40) : i - 4]
        ]
        if not spots:
            return None
        i = rng.choice(spots)
        context = words[max(0, i - 40) : i]
        others = vocabulary.distractors(words[i], rng, set(context))
        return _doc(rng, " ".join(context), words[i], others) if others else None

    return make


def _recall_phrase(vocabulary: Vocabulary) -> Callable[[list[str], random.Random], Doc | None]:
    """The last word of three that stood together earlier in the same context, to be written by the model."""

    def make(words: list[str], rng: random.Random) -> Doc | None:
        spots = []
        for i in range(12, len(words)):
            context = words[max(0, i - 40) : i]
            earlier = [context[j : j + 3] for j in range(len(context) - 5)]
            if words[i] in vocabulary.rank and words[i - 2 : i + 1] in earlier and len(" ".join(context)) < MOST_PROMPT:
                spots.append(i)
        if not spots:
            return None
        i = rng.choice(spots)
        return {"query": " ".join(words[max(0, i - 40) : i]), "answer": words[i]}

    return make


def _word_order(words: list[str], rng: random.Random) -> Doc | None:
    """The sentence as written against the same with two neighbouring words swapped."""
    if len(words) < 12:
        return None
    words = words[:16]
    spots = [i for i in range(4, len(words) - 1) if words[i].isalpha() and words[i + 1].isalpha()]
    spots = [i for i in spots if words[i].lower() != words[i + 1].lower()]
    if not spots:
        return None
    i = rng.choice(spots)
    swapped = [*words[:i], words[i + 1], words[i], *words[i + 2 :]]
    return _doc(rng, " ".join(words[:3]), " ".join(words[3:]), [" ".join(swapped[3:])])


def _continuation(paragraphs: list[list[str]]) -> Callable[[list[str], random.Random], Doc | None]:
    """The ten words that follow against ten words from the same place in other paragraphs."""
    long = [p for p in paragraphs if len(p) >= CONTEXT_WORDS + 10]

    def make(words: list[str], rng: random.Random) -> Doc | None:
        if len(words) < CONTEXT_WORDS + 10:
            return None
        others = [" ".join(p[CONTEXT_WORDS : CONTEXT_WORDS + 10]) for p in rng.sample(long, 3)]
        gold = " ".join(words[CONTEXT_WORDS : CONTEXT_WORDS + 10])
        return None if gold in others else _doc(rng, " ".join(words[:CONTEXT_WORDS]), gold, others)

    return make


def build(train: list[list[str]], held_out: list[list[str]], folder: Path, n: int = 800, seed: int = 0) -> list[str]:
    """Write ``n`` documents and one lm-eval YAML per task under ``folder``; returns the task names."""
    vocabulary = Vocabulary(train)
    paragraphs = [p.split() for block in held_out for p in block]
    makers: dict[str, Callable[[list[str], random.Random], Doc | None]] = {
        "cloze_function": _cloze(0, 150, vocabulary),
        "cloze_content": _cloze(300, 4000, vocabulary),
        "recall": _recall(vocabulary),
        "word_order": _word_order,
        "continuation": _continuation(paragraphs),
        "recall_phrase": _recall_phrase(vocabulary),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in makers.items():
        generates = name == "recall_phrase"
        wanted = min(n, GENERATED) if generates else n
        docs = list(_take(make, paragraphs, wanted, random.Random(f"{name}-{seed}")))
        path = (folder / f"{name}.jsonl").resolve()
        path.write_text("".join(json.dumps(d) + "\n" for d in docs))
        template = GENERATIVE_YAML if generates else YAML
        (folder / f"{name}.yaml").write_text(template.format(name=name, path=path))
    return list(makers)


def _take(
    make: Callable[[list[str], random.Random], Doc | None], paragraphs: list[list[str]], n: int, rng: random.Random
) -> Iterator[Doc]:
    """At most one document per paragraph, so that documents are independent."""
    order = list(range(len(paragraphs)))
    rng.shuffle(order)
    made = 0
    for i in order:
        if made == n:
            return
        if (doc := make(paragraphs[i], rng)) is not None:
            made += 1
            yield doc
