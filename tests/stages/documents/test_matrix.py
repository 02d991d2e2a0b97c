"""The table of documents against definitions written out, and every fault it must name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.documents.matrix import DocumentMatrix
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

PLACES = pd.DataFrame(
    {"run": ["a", "a", "b"], "params": [1e6, 1e6, 4e6], "tokens": [1e8, 2e8, 1e8]},
    index=[7, 8, 9],  # as cut out of a larger table
)
NLL = np.array([[1.0, 3.0, np.nan], [0.5, 1.5, 2.5], [np.nan, np.nan, np.nan]], dtype=np.float32)


def matrix(**changed: Any) -> DocumentMatrix:
    return DocumentMatrix(**({"places": PLACES, "nll": NLL} | changed))


def test_means_leave_out_what_is_not_known() -> None:
    np.testing.assert_allclose(matrix().mean_nll(), [2.0, 1.5, np.nan])
    expected = [-np.log((np.exp(-1) + np.exp(-3)) / 2), -np.log(np.exp([-0.5, -1.5, -2.5]).mean()), np.nan]
    np.testing.assert_allclose(matrix().nll_of_mean_prob(), expected, rtol=1e-6)


def test_a_long_answer_does_not_underflow() -> None:
    values = np.array([[2000.0, 2001.0]])
    one = DocumentMatrix(places=PLACES.iloc[:1], nll=values)
    np.testing.assert_allclose(one.nll_of_mean_prob(), [2000 - np.log((1 + np.exp(-1)) / 2)])


@given(arrays(np.float64, (1, 6), elements=st.floats(0, 50)))
def test_the_mean_probability_is_never_below_the_geometric_mean(values: np.ndarray[Any, Any]) -> None:
    """Jensen's inequality; equal where the documents are alike."""
    one = DocumentMatrix(places=PLACES.iloc[:1], nll=values)
    assert values.min() - 1e-4 <= one.nll_of_mean_prob()[0] <= one.mean_nll()[0] + 1e-4


def test_runs_and_rows_keep_their_order_and_their_names() -> None:
    whole = matrix(names=np.array(["x", "y", "z"]), correct=np.eye(3, dtype=bool), margin=NLL)
    part = whole.of_runs(["b", "a", "other"])
    assert part.places["run"].tolist() == ["a", "a", "b"]
    assert part.places.index.tolist() == [0, 1, 2]
    turned = whole.of_rows(np.array([2, 0]))
    assert turned.places["run"].tolist() == ["b", "a"]
    assert turned.correct is not None
    np.testing.assert_array_equal(turned.correct, np.eye(3, dtype=bool)[[2, 0]])
    np.testing.assert_array_equal(whole.of_runs(["b"]).nll, NLL[2:])
    assert whole.of_runs(["b"]).names is whole.names
    with pytest.raises(ValueError, match="none of these runs has documents: c"):
        whole.of_runs(["c"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"unit": "bits"}, "unit must be one of nats/token, nats/byte; got 'bits'"),
        ({"nll": NLL[:2]}, "nll has 2 rows and places 3"),
        ({"nll": NLL[0]}, "nll must be a table"),
        ({"nll": np.ones((3, 3), dtype=int)}, "nll must be of a floating type; got int64"),
        ({"nll": np.full((3, 3), np.inf)}, "nll of checkpoint 0, document 0 is infinite"),
        ({"margin": NLL[:, :2]}, "margin has shape"),
        ({"correct": NLL}, "correct must be of type bool; got float32"),
        ({"correct": np.ones((3, 2), dtype=bool)}, "correct has shape"),
        ({"names": np.array(["x", "x", "y"])}, "names must be 3 different ids"),
        ({"names": np.array(["x"])}, "names must be 3 different ids"),
        ({"places": PLACES.drop(columns="params")}, "places lacks params"),
        ({"places": PLACES.assign(tokens=0)}, "tokens of run a must be a number above zero"),
        ({"places": PLACES.assign(params="many")}, "params of run a must be a number above zero; got 'many'"),
        ({"places": PLACES.assign(tokens=1e8)}, "run a at 1e\\+08 tokens appears twice"),
    ],
)
def test_what_does_not_belong_together_is_said(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matrix(**changed)


def test_what_the_caller_holds_is_not_changed() -> None:
    before = PLACES.copy()
    matrix()
    pd.testing.assert_frame_equal(PLACES, before)
