"""Rule ``outside``: a score beyond its registered band."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.reports.text.numbers import count, percent
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
                value=percent(float(series.value[at])),
                tokens=count(float(series.tokens[at])),
                side="below" if flags[at] < 0 else "above",
                low=percent(float(series.low[at])),
                high=percent(float(series.high[at])),
            )


RULE = Outside()
