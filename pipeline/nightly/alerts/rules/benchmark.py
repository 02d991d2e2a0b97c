"""Rule ``benchmark``: a task asks something else than when the forecast was registered."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import ObservedRun


class Benchmark:
    """Tasks whose questions changed since the forecast was registered, or that are asked no more."""

    code = nightly.BENCHMARK
    order = 70
    watches = ObservedRun

    def check(self, seen: ObservedRun) -> Iterator[Notice]:
        """See ``Rule``."""
        for task in seen.bands:
            plain = task if task in seen.versions_then else task.rsplit(" (", 1)[0]
            if plain not in seen.versions_then:  # an average
                continue
            then = seen.versions_then[plain]
            points = seen.points.get(plain)
            now = [points[-1].version] if points else seen.versions_now.get(plain, ())
            subject = f"{seen.name}, {task}"
            if plain not in seen.versions_now:
                yield condition(self.code, subject)
            elif not set(now) <= set(then):
                yield condition(self.code, subject, then=", ".join(then), now=", ".join(now))


RULE = Benchmark()
