"""Rule ``clock``: the clock is behind the last pass."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from benchcast.stages.notices import Notice, nightly

from ...state import stamp
from ..conditions import condition
from ..contexts import PassInputs

SLACK = timedelta(minutes=2)  # that clocks may be set back by for good reasons


class Clock:
    """A clock that runs backwards makes a history that proves nothing."""

    code = nightly.CLOCK
    order = 30
    watches = PassInputs

    def check(self, seen: PassInputs) -> Iterator[Notice]:
        """See ``Rule``."""
        if seen.latest is not None and seen.began < seen.latest - SLACK:
            yield condition(self.code, now=stamp(seen.began), then=stamp(seen.latest))


RULE = Clock()
