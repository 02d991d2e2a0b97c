"""Rule ``history``: a line of the history could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from benchcast.stages.notices import Notice, nightly

from ..conditions import condition
from ..contexts import PassInputs


class History:
    """Lines that were cut, or edited by somebody; the pass has set them aside."""

    code = nightly.HISTORY
    order = 40
    watches = PassInputs

    def check(self, seen: PassInputs) -> Iterator[Notice]:
        """See ``Rule``."""
        for number in seen.bad_lines:
            yield condition(self.code, f"{seen.history}: line {number}")


RULE = History()
