"""Rule ``outside``: a score beyond its registered band."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import ObservedTask


class Outside:
    """A score beyond the edge of its band by more than its sampling error (``stages.monitor.sequential.outside``)."""

    code = nightly.OUTSIDE
    order = 90
    watches = ObservedTask

    def check(self, seen: ObservedTask) -> Iterator[Notice]:
        """See ``Rule``."""
        flags, series = seen.verdict.outside, seen.series
        if (at := seen.last_hit((flags != 0).tolist())) is not None:
            yield condition(
                self.code,
                seen.subject,
                value=float(series.value[at]),
                tokens=float(series.tokens[at]),
                side="below" if flags[at] < 0 else "above",
                low=float(series.low[at]),
                high=float(series.high[at]),
            )


RULE = Outside()
