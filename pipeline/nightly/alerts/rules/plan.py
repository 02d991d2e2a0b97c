"""Rule ``plan``: the run is not the one whose forecast was registered."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.reports.text.numbers import count
from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import ObservedRun

SAME_PLAN = 1e-6  # relative: two numbers that were written down from one
SAME_PARAMS = 0.05  # N of the run may differ by this share from the planned one: embeddings counted or not


class Plan:
    """Another plan in the config, another size of the run, or more tokens than were planned; the first that holds."""

    code = nightly.PLAN
    order = 60
    watches = ObservedRun

    def check(self, seen: ObservedRun) -> Iterator[Notice]:
        """See ``Rule``."""
        planned = seen.target.budget()
        params, tokens = planned.params or 0.0, planned.tokens or 0.0
        band = next(iter(seen.bands.values()))
        if not (_close(band.params, params, SAME_PLAN) and _close(band.planned, tokens, SAME_PLAN)):
            now, then = _plan(params, tokens), _plan(band.params, band.planned)
            yield condition(self.code, seen.name, now=now, then=then)
            return
        points = [point for of_task in seen.points.values() for point in of_task]
        if odd := [p for p in points if not _close(p.params, band.params, SAME_PARAMS)]:
            last = odd[-1]
            yield condition(self.code, seen.name, run=last.run, params=count(last.params), planned=count(band.params))
        elif band.is_past_its_end(most := max((p.tokens for p in points), default=0.0)):
            yield condition(self.code, seen.name, run=points[0].run, tokens=count(most), planned=count(band.planned))


def _plan(params: float, tokens: float) -> str:
    return f"{count(params)} parameters on {count(tokens)} tokens"


def _close(a: float, b: float, share: float) -> bool:
    return abs(a - b) <= share * max(a, b)


RULE = Plan()
