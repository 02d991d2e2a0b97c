"""Rule ``drift``: scores drift away from the registered forecast."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.reports.text.numbers import count, percent, points
from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import ObservedTask


class Drift:
    """The deviation from the forecast has shifted, by a sequential test (``stages.monitor.sequential.drift``)."""

    code = nightly.DRIFT
    order = 100
    watches = ObservedTask

    def check(self, seen: ObservedTask) -> Iterator[Notice]:
        """See ``Rule``."""
        flags, series = seen.verdict.drift, seen.series
        if (at := seen.last_hit((flags != 0).tolist())) is not None:
            yield condition(
                self.code,
                seen.subject,
                direction="downwards" if flags[at] < 0 else "upwards",
                value=percent(float(series.value[at])),
                tokens=count(float(series.tokens[at])),
                points=points(float(series.deviation[at])),
            )


RULE = Drift()
