"""Rule ``forecast``: a forecast could not be made."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, Severity, nightly

from ..conditions import condition
from ..contexts import ForecastProblem


class Forecast:
    """A forecast that fails costs the pass neither its scores nor its other forecasts, but it is told."""

    code = nightly.FORECAST
    order = 50
    watches = ForecastProblem

    def check(self, seen: ForecastProblem) -> Iterator[Notice]:
        """See ``Rule``."""
        if seen.error:
            severity = Severity.CONFIG if seen.of_config else None
            yield condition(self.code, seen.subject, severity=severity, error=seen.error)
        else:
            yield condition(self.code, seen.subject, recipe=seen.recipe)


RULE = Forecast()
