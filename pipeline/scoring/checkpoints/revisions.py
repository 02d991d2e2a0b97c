"""What the name of a model and its revision tells of its place: ``stage1-step10000-tokens21B``, ``step1000``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...data import model_names
from ...data.model_names import UNITS

_DIGITS = re.compile(r"\d+(?:\.(?P<decimals>\d+))?(?P<unit>[kmbt]?)", re.IGNORECASE)


def told(source: str, others: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """Run, step and tokens by the name ``org/name@revision``, and why the tokens are in doubt, where they are.

    Tokens in a name are rounded to its last digit (``tokens21B``). Where the step times ``tokens_per_step`` is as near,
    that is exact, and the name's tokens are left away.

    Parameters
    ----------
    others : sequence of mapping
        What else is stated of the checkpoint, the nearest first.
    """
    read = model_names.numbers(source)
    columns: dict[str, Any] = {"run": read.run}
    if read.step is not None:
        columns["step"] = read.step.value
    if read.tokens is None:
        return columns, read.unsure.get("tokens", "")
    each = next((given["tokens_per_step"] for given in others if "tokens_per_step" in given), None)
    counted = None if each is None or read.step is None else each * read.step.value
    rounding = _last_digit(read.tokens.text)
    trained = columns.get("step") != 0
    near = counted is not None and abs(counted - read.tokens.value) <= rounding
    if not near and not (read.tokens.value == 0 and trained and "step" in columns):
        columns["tokens"] = read.tokens.value
    return columns, ""


def _last_digit(text: str) -> float:
    """What the last digit of a number in a name stands for: a billion in ``tokens21B``."""
    match = _DIGITS.search(text)
    if match is None:
        return 0.0
    return UNITS[match["unit"].lower()] / 10.0 ** len(match["decimals"] or "")
