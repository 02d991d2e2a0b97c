"""What a fitted law has to say about itself."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="laws", anchor="methods/laws.md#fitting", page_one=1, about="law")

AT_BOUND = _Code(
    "law-at-bound",
    "the fit stopped at the limit of a parameter: the runs do not determine it, so forecasts beyond them may be off",
    ("the fit stopped at the limit of {parameters}: the runs do not determine it, so forecasts beyond may be off",),
)
NO_NOISE = _Code(
    "no-noise-estimate",
    "no more points than parameters: the law goes through every point, so its error is unknown",
    ("{points:d} points for {parameters:d} parameters: the law goes through every point, so its error is unknown",),
)
INVERSE = _Code(
    "error-rises",
    "the error rises where the loss falls; the law expects the opposite (inverse scaling)",
)
