"""Rule ``scorer``: scores are computed otherwise than when the forecast was registered."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import ObservedRun


class Scorer:
    """Another version of lm-eval, another precision: the band is about other numbers."""

    code = nightly.SCORER
    order = 80
    watches = ObservedRun

    def check(self, seen: ObservedRun) -> Iterator[Notice]:
        """See ``Rule``."""
        if seen.setup_then != seen.setup_now:
            yield condition(self.code, seen.name, then=seen.setup_then, now=seen.setup_now)


RULE = Scorer()
