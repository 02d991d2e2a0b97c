"""Rule ``gone``: data that was there is gone."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import PassInputs

MOST_NAMED = 3  # checkpoints of a run; of others only the number is told


class Gone:
    """Checkpoints, or rows of the table, that an earlier pass saw and this one does not; told run by run."""

    code = nightly.GONE
    order = 20
    watches = PassInputs

    def check(self, seen: PassInputs) -> Iterator[Notice]:
        """See ``Rule``."""
        if seen.accept_gone:
            return
        missing: dict[str, list[str]] = {}
        for source, run in seen.known.items():
            if source not in seen.places:
                missing.setdefault(run, []).append(source)
        for run, sources in missing.items():
            more = f" and {len(sources) - MOST_NAMED} more" if len(sources) > MOST_NAMED else ""
            yield condition(self.code, run, names=", ".join(sources[:MOST_NAMED]) + more)


RULE = Gone()
