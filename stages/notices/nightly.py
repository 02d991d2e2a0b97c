"""What the nightly pass finds wrong: the names of its rules, stable, since people filter by them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .notice import Code, Severity

_Alert = partial(
    Code, area="nightly", anchor="howto/nightly.md#when-something-is-wrong", severity=Severity.ALERT, about="subject"
)
_Failure = partial(
    Code, area="nightly", anchor="howto/nightly.md#when-something-is-wrong", severity=Severity.FAILURE, about="subject"
)

FAILURE = _Failure("failure", "a checkpoint or task could not be scored", ("{reason}",))
FORECAST = _Failure(
    "forecast",
    "the forecast could not be made",
    ("{error}", "recipe {recipe} gave no forecast of any task when it was registered: nothing is tracked"),
)
OUTSIDE = _Alert(
    "outside",
    "a score beyond its registered band",
    ("{value} % at {tokens} tokens is {side} the registered band, {low} to {high} %",),
)
DRIFT = _Alert(
    "drift",
    "scores drift away from the registered forecast",
    ("has shifted {direction} from the registered forecast: {value} % at {tokens} tokens, {points} points",),
)
DROPPED = _Alert(
    "dropped",
    "a score below that of the checkpoint before",
    ("{value} % at {tokens} tokens, after {before} % at {then}: a larger fall than sampling explains",),
)
BENCHMARK = _Alert(
    "benchmark",
    "a task asks something else than when the forecast was registered",
    (
        "is registered but no longer scored; put the task back",
        "asks something else ({then} when registered, {now} now); its band no longer holds",
    ),
)
SCORER = _Alert(
    "scorer",
    "scores are computed otherwise than when the forecast was registered",
    ("scores are computed otherwise than when its forecast was registered ({then} then, {now} now)",),
)
GONE = _Alert(
    "gone",
    "data that was there is gone",
    ("{names} was there and is gone; the forecast is made without it (restore it, or say --accept-gone once)",),
)
PLAN = _Alert(
    "plan",
    "the run is not the one whose forecast was registered",
    (
        "the config plans {now}, but {then} is registered; undo the change, or register anew with --register",
        "{run} has {params} parameters, but {planned} were planned",
        "{run} is at {tokens} tokens, beyond the {planned} planned",
    ),
)
CLOCK = _Alert(
    "clock",
    "the clock is behind the last pass",
    ("it is {now} now, but a pass ended at {then}; set it",),
)
HISTORY = _Failure(
    "history",
    "a line of the history could not be read",
    ("is not a record of a pass: it was set aside in history.bad; restore the file from a copy",),
)

_COURSE = "Compare the training loss at that step with its own curve; then ask whether it was scored as the ladder was."
ADVICE = {  # what to look at first, where the sentence does not say it
    OUTSIDE.name: _COURSE,
    DRIFT.name: _COURSE,
    DROPPED.name: "See which documents changed: benchcast versus compares two checkpoints.",
    BENCHMARK.name: "Undo the change of the task, or register the forecast anew (--register).",
    SCORER.name: "Score as before, or register the forecast anew (--register).",
}


@dataclass(frozen=True, kw_only=True)
class Several:
    """How several notices of one code about tasks of one run are told in one line: what they share, and each alone.

    ``each`` has the values of the code's sentence, and ``task``; the tokens are said once for those that share them.
    """

    shared: str
    each: str


SEVERAL = {
    OUTSIDE.name: Several(
        shared="{count} scores are outside the registered band", each="{task} {value} % ({side} {low} to {high})"
    ),
    DRIFT.name: Several(
        shared="{count} scores have shifted from the registered forecast", each="{task} {value} % ({points} points)"
    ),
    DROPPED.name: Several(
        shared="{count} scores fell by more than sampling explains", each="{task} {before} to {value} %"
    ),
    BENCHMARK.name: Several(
        shared="{count} tasks are not what was registered (other questions, or no longer scored)", each="{task}"
    ),
}
