"""JSON without NaN: what it writes every strict reader reads, and nothing else is changed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from benchcast.reports.text.strict_json import dumps, without_nan
from hypothesis import given
from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=20)


def refused(word: str) -> Any:
    raise ValueError(word)


@given(VALUES)
def test_what_json_can_say_is_read_back_as_it_was(value: Any) -> None:
    assert json.loads(dumps(value), parse_constant=refused) == value


def test_what_json_cannot_say_is_null() -> None:
    value = {"a": (1.5, math.nan), "b": {"c": -math.inf}, 3: np.float64("nan"), "n": np.int64(7)}
    assert without_nan(value) == {"a": [1.5, None], "b": {"c": None}, "3": None, "n": 7}
    assert dumps({"b": math.inf, "a": "ü"}, sort_keys=True) == '{"a": "ü", "b": null}'
