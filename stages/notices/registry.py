"""What settling registered forecasts has to say."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="register", anchor="trust.md#you-looked-first")
