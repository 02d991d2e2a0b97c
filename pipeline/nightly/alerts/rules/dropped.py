"""Rule ``dropped``: a score below that of the checkpoint before."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.reports.text.numbers import count, percent
from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import ObservedTask


class Dropped:
    """Fewer documents right than at the checkpoint before, by more than sampling explains.

    See ``stages.monitor.sequential.dropped``.
    """

    code = nightly.DROPPED
    order = 110
    watches = ObservedTask

    def check(self, seen: ObservedTask) -> Iterator[Notice]:
        """See ``Rule``."""
        series = seen.series
        if (at := seen.last_hit(seen.verdict.dropped.tolist())) is not None:
            yield condition(
                self.code,
                seen.subject,
                value=percent(float(series.value[at])),
                tokens=count(float(series.tokens[at])),
                before=percent(float(series.value[at - 1])),
                then=count(float(series.tokens[at - 1])),
            )


RULE = Dropped()
