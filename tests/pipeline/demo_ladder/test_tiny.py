"""The tiny demo's language and task; training and scoring it is what the tutorial's test does."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from benchcast.core.errors import InputError
from benchcast.demo_ladder import tiny


def test_the_text_says_the_facts_that_the_questions_are_about() -> None:
    said = {tuple(line.split()) for line in tiny.Language().sentences(20_000)}
    questions = list(tiny.Language().questions())
    right = [(*q["query"].split(), q["choices"][q["gold"]]) in said for q in questions]
    wrong = [(*q["query"].split(), choice) in said for q in questions for choice in q["choices"]]
    assert sum(right) > 0.9 * len(questions)
    assert sum(wrong) == sum(right), "no other answer is ever said"
    assert len({q["query"] for q in questions}) == len(questions) == tiny.QUESTIONS
    places = Counter(q["gold"] for q in questions)
    assert min(places[i] for i in range(4)) > len(questions) / 8, "the right answer has no usual place"


def test_every_sentence_has_as_many_tokens() -> None:
    pytest.importorskip("transformers")
    sentences = tiny.Language().sentences(2000)
    tokenizer = tiny._tokenizer(sentences)
    assert {len(ids) for ids in tokenizer(sentences)["input_ids"]} == {tiny.PIECES}
    assert tokenizer.decode(tokenizer(sentences[0])["input_ids"]) == sentences[0]
    for question in tiny.Language().questions():
        ids = tokenizer(f"{question['query']} {question['choices'][0]}")["input_ids"]
        assert tokenizer.unk_token_id not in ids


def test_without_torch_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'benchcast\[score\]'"):
        tiny.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
