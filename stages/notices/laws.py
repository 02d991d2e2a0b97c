"""What a fitted law has to say about itself."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="laws", anchor="methods/laws.md#fitting", page_one=1, about="law")

AT_BOUND = _Code(
    "law-at-bound",
    "a parameter of the law lies at a bound of its search: the data do not hold it",
    ("{parameters} at the bound",),
)
NO_NOISE = _Code(
    "no-noise-estimate",
    "as many parameters as points: the law passes through them, and has no interval",
    ("{points:d} points for {parameters:d} parameters: no noise estimate, no interval",),
)
INVERSE = _Code(
    "error-rises",
    "the error rises as the loss falls, where the law expects it to fall",
    ("error rises as loss falls (inverse scaling)",),
)
