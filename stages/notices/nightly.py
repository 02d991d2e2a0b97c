"""What the nightly pass finds wrong: the names of its rules, stable, since people filter by them."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

_Alert = partial(
    Code, area="nightly", anchor="tutorial.md#5-watch-the-big-run", severity=Severity.ALERT, about="subject"
)
_Failure = partial(
    Code, area="nightly", anchor="tutorial.md#5-watch-the-big-run", severity=Severity.FAILURE, about="subject"
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
    ("{value:.1%} at {tokens:.3g} tokens is {side} the registered band, {low:.1%} to {high:.1%}",),
)
DRIFT = _Alert(
    "drift",
    "scores drift away from the registered forecast",
    ("has shifted {direction} from the registered forecast: {value:.1%} at {tokens:.3g} tokens, {points:+.1f} points",),
)
DROPPED = _Alert(
    "dropped",
    "a score below that of the checkpoint before",
    ("{value:.1%} at {tokens:.3g} tokens, after {before:.1%} at {then:.3g}: more than sampling explains",),
)
BENCHMARK = _Alert(
    "benchmark",
    "a task asks something else than when the forecast was registered",
    (
        "is registered but no longer scored; put it back",
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
    ("{names} was there and is gone; the forecast is made without it (restore it, or --accept-gone)",),
)
PLAN = _Alert(
    "plan",
    "the run is not the one whose forecast was registered",
    (
        "the config plans {now}, but {then} is registered; undo it, or --register anew",
        "{run} has N {params:.4g}; N {planned:.4g} was planned",
        "{run} is at {tokens:.4g} tokens, beyond the {planned:.4g} planned",
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
