"""Rule ``failure``: a checkpoint or task could not be scored."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import EVERY, PassInputs


class Failure:
    """Every failure of the scorer, until it is scored or no longer wanted."""

    code = nightly.FAILURE
    order = 10
    watches = PassInputs

    def check(self, seen: PassInputs) -> Iterator[Notice]:
        """See ``Rule``."""
        for source, task, reason in seen.failures:
            subject = source if task == EVERY else task if source == EVERY else f"{source}, {task}"
            yield condition(self.code, subject, reason=reason)


RULE = Failure()
