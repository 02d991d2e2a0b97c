"""Checkpoints' documents as one matrix: aligned by id, and what does not belong together is left out and said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from benchcast.data.documents.choices import margins
from benchcast.data.documents.collect import Asked, CheckpointDocuments, Documents, aligned
from benchcast.reports.records.account import Account
from hypothesis import given
from hypothesis import strategies as st

PLACE: dict[str, Any] = {"params": 1e6, "flops": 6e13}


def checkpoint(run: str, values: dict[str, float], tokens: float = 1e7, right: bool = True) -> CheckpointDocuments:
    nll = np.array(list(values.values()))
    more = {"margin": 1 - nll, "correct": nll < 1} if right else {}
    return CheckpointDocuments(run=run, tokens=tokens, names=np.array(list(values)), nll=nll, **PLACE, **more)


@given(st.permutations(list("abcdef")), st.permutations(list("abcdef")))
def test_the_order_of_the_documents_does_not_matter(one: list[str], other: list[str]) -> None:
    known = dict(zip("abcdef", (0.5, 1.5, 0.25, 2.0, 0.75, 3.0), strict=True))
    matrix = aligned(
        [checkpoint("r", {n: known[n] for n in one}), checkpoint("s", {n: known[n] for n in other})], "nats/byte"
    )
    assert matrix is not None
    assert matrix.names is not None
    assert matrix.margin is not None
    assert matrix.correct is not None
    for row in range(2):
        assert dict(zip(matrix.names, matrix.nll[row], strict=True)) == known
        assert dict(zip(matrix.names, matrix.margin[row], strict=True)) == {n: 1 - v for n, v in known.items()}
        assert dict(zip(matrix.names, matrix.correct[row], strict=True)) == {n: v < 1 for n, v in known.items()}


def test_what_a_checkpoint_was_not_asked_is_not_known_and_what_others_were_not_is_left_out() -> None:
    account = Account()
    whole = {"a": 0.5, "b": 1.5, "c": 2.5}
    parts = [
        checkpoint("r", whole),
        checkpoint("s", whole),
        checkpoint("t", {"a": 0.25, "c": 1.0, "x": 9.0}),
        checkpoint("u", {"x": 1.0, "a": 0.5}),
    ]
    matrix = aligned(parts, "nats/byte", "quiz", account)
    assert matrix is not None
    assert matrix.correct is not None
    assert matrix.names is not None
    assert matrix.names.tolist() == ["a", "b", "c"]
    assert matrix.places["run"].tolist() == ["r", "s", "t"]
    np.testing.assert_array_equal(matrix.nll[2], np.array([0.25, np.nan, 1.0], dtype=np.float32))
    assert matrix.correct[2].tolist() == [True, False, False]
    lines = "\n".join(account.record().lines())
    assert "documents that most checkpoints were not scored on: quiz, t at 1e+07 tokens" in lines
    assert "checkpoints scored on less than half of a task's documents: quiz, u at 1e+07 tokens" in lines


def test_a_checkpoint_or_a_document_that_is_there_twice() -> None:
    account = Account()
    twice = CheckpointDocuments(run="s", tokens=1e7, names=np.array(["a", "a"]), nll=np.ones(2), **PLACE)
    matrix = aligned([checkpoint("r", {"a": 1.0}), checkpoint("r", {"a": 2.0}), twice], "nats/byte", "quiz", account)
    assert matrix is not None
    assert matrix.nll.tolist() == [[1.0]]
    assert {left.reason for left in account.record().left_out} == {
        "documents of a checkpoint that appear twice",
        "checkpoints with a document twice",
    }


def test_right_and_wrong_are_known_only_where_all_checkpoints_tell() -> None:
    parts = [checkpoint("r", {"a": 1.0, "b": 2.0}), checkpoint("s", {"a": 1.0, "b": 2.0}, right=False)]
    matrix = aligned(parts, "nats/token")
    assert matrix is not None
    assert matrix.margin is None
    assert matrix.correct is None
    assert matrix.unit == "nats/token"
    assert aligned([], "nats/token") is None


def test_a_loss_that_is_no_number_is_not_known() -> None:
    matrix = aligned([checkpoint("r", {"a": math.inf, "b": 1.0, "c": math.nan})], "nats/byte")
    assert matrix is not None
    assert np.isnan(matrix.nll).tolist() == [[True, False, True]]


def test_documents_must_give_the_accuracy_of_the_table() -> None:
    parts = [checkpoint(run, {"a": 0.5, "b": 2.0, "c": 0.5, "d": 3.0}) for run in ("r", "s", "t")]
    documents = Documents(read=lambda asked, runs, account: [p for p in parts if p.run in runs])
    asked = Asked(task="quiz")
    matrix = documents.matrix(asked, ["r", "s", "t"], {("r", 1e7): 0.5, ("s", 1e7): 0.75})
    assert matrix is not None
    assert matrix.places["run"].tolist() == ["r"]
    lines = "\n".join(documents.account.record().lines())
    assert "documents that give another accuracy than the table: quiz, s at 1e+07 tokens" in lines
    assert "documents of checkpoints that the table lacks: quiz, t at 1e+07 tokens" in lines
    assert documents.matrix(asked, ["nobody"]) is None


@given(
    st.lists(st.lists(st.integers(-9, 0), min_size=2, max_size=5), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
    st.sampled_from(["acc", "acc_norm"]),
)
def test_margins_are_those_of_a_loop_over_the_documents(questions: list[list[int]], random: Any, metric: str) -> None:
    golds = [random.randrange(len(q)) for q in questions]
    lengths = [[random.randint(1, 4) for _ in q] for q in questions]
    number = np.repeat(np.arange(len(questions)), [len(q) for q in questions])
    gold = np.concatenate([np.arange(len(q)) == g for q, g in zip(questions, golds, strict=True)])
    flat = np.concatenate([np.array(q, dtype=float) for q in questions])
    found = margins(flat, np.concatenate(lengths), number, gold, metric)
    assert found is not None
    for i, (q, g, n) in enumerate(zip(questions, golds, lengths, strict=True)):
        scores = [v / (k if metric == "acc_norm" else 1) for v, k in zip(q, n, strict=True)]
        best_wrong = max(s for j, s in enumerate(scores) if j != g)
        assert found[0][i] == pytest.approx(scores[g] - best_wrong)
        assert found[1][i] == (int(np.argmax(scores)) == g)


def test_a_single_answer_has_no_margin() -> None:
    assert (
        margins(
            np.array([-1.0, -2.0, -3.0]), np.ones(3, dtype=int), np.array([0, 0, 1]), np.array([1, 0, 1]) > 0, "acc"
        )
        is None
    )
