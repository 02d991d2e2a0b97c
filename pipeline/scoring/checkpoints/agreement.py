"""Two statements of one fact about a checkpoint: step, tokens and size, as different files and settings give them.

A step is a whole number and must be the same everywhere. Tokens may be rounded, and their last batch smaller. Sizes
are counted in several ways, with and without embeddings, and rounded in names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from benchcast.stages.compute.architecture import Architecture
from benchcast.stages.notices import Notice, readers

from ...core.errors import CheckpointError
from .files import Files

ROUNDING_RTOL = 0.01  # what two statements of one number may differ by
SIZE_FACTOR = 2.0  # a stated size further from that of config.json is another model's
Statements = list[tuple[str, Mapping[str, Any]]]  # who says it, and what: numbers are numbers


def contradiction(statements: Statements) -> str:
    """How two of the statements contradict each other, naming both; empty where none do."""
    for name, tolerance in (
        ("step", 1e-9),
        ("params", ROUNDING_RTOL),
        ("tokens", ROUNDING_RTOL),
        ("tokens_per_step", ROUNDING_RTOL),
    ):
        stated = [(who, given[name]) for who, given in statements if name in given]
        for who, value in stated[1:]:
            if _apart(value, stated[0][1], tolerance):
                verb = "is" if name == "step" else "are"
                return (
                    f"its {name} {verb} {stated[0][1]:.9g} by {stated[0][0]}, {value:.9g} by {who}: correct one of them"
                )
    return _tokens(statements)


def _tokens(statements: Statements) -> str:
    """Tokens that are counted against step times tokens per step."""
    nearest: dict[str, tuple[str, float]] = {}
    for who, given in statements:
        for name in ("step", "tokens", "tokens_per_step"):
            if name in given:
                nearest.setdefault(name, (who, given[name]))
    if len(nearest) < 3:
        return ""
    (at, step), (counter, tokens), (who, each) = nearest["step"], nearest["tokens"], nearest["tokens_per_step"]
    if not _apart(tokens, step * each, ROUNDING_RTOL):
        return ""
    return (
        f"its tokens are {tokens:.9g} by {counter}, but step {step:.9g} (by {at}) times tokens_per_step {each:.9g} "
        f"(by {who}) are {step * each:.9g}: correct one of them"
    )


def size(params: float, statements: Statements, files: Files) -> tuple[str, list[Notice]]:
    """What is wrong with a stated N against ``config.json``, and remarks where it is only rounded; both may be empty.

    Parameters
    ----------
    params : float
        N as it goes into the table, a plain count.
    """
    who = next((who for who, given in statements if "params" in given), "")
    if not who or params <= 0:  # that it cannot be is told by the ladder table's own checks
        return "", []
    try:
        model = Architecture.from_config(files.config)
        ways = [float(model.params(embeddings=e, head=h)) for e, h in ((True, True), (False, True), (False, False))]
    except (ValueError, TypeError, OverflowError, AttributeError, CheckpointError):
        return "", [readers.PARAMS_UNCONFIRMED(params=params, who=who)]
    near = min(ways, key=lambda counted: abs(counted / params - 1))
    if not _apart(near, params, ROUNDING_RTOL):
        return "", []
    difference = f"its params are {params:.9g} by {who}, {ways[0]:.9g} by config.json"
    if not 1 / SIZE_FACTOR <= near / params <= SIZE_FACTOR:
        return f"{difference}: correct one of them", []
    return "", [readers.PARAMS_DIFFER(params=params, who=who, own=ways[0])]


def falling(places: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Checkpoints of runs whose tokens fall or stand still while steps grow, each with the reason.

    Which of them are wrong cannot be known, so all of such a run are named.
    """
    runs: dict[str, list[tuple[float, float, str]]] = {}
    for source, about in places:
        runs.setdefault(str(about["run"]), []).append((about["step"], about["tokens"], source))
    reasons = {}
    for run, points in runs.items():
        for (step, tokens, one), (later, more, other) in pairwise(sorted(points)):
            if later > step and more <= tokens:
                what = (
                    f"run {run!r} has {tokens:.9g} tokens at step {step:.9g} ({one}) and {more:.9g} at step "
                    f"{later:.9g} ({other}): tokens grow with the steps; was the count begun anew?"
                )
                reasons.update(dict.fromkeys((source for *_, source in points), what))
                break
    return reasons


def _apart(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) > tolerance * max(abs(one), abs(other))
