"""A task of which some documents are asked: which they are, and how the score of all follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from benchcast.stages.documents.subset import Subset

from ...core.digest import object_digest


@dataclass(frozen=True, kw_only=True)
class ChosenDocuments:
    """Some documents of a task whose requests, all of them, have the digest ``whole``.

    ``digest`` is that of the choice with its weights, ``chance`` the score of guessing over all documents (NaN where
    it is what the task's own measure says).
    """

    subset: Subset
    whole: str
    digest: str
    chance: float = math.nan

    @property
    def requests(self) -> str:
        """Hash of what is asked, and of how the score of all documents follows."""
        return object_digest(["some documents", self.whole, self.digest])

    def about(self) -> dict[str, Any]:
        """What a cell tells of it."""
        return {
            "whole": self.whole,
            "choice": self.digest,
            "method": self.subset.method,
            "documents": len(self.subset.documents),
            "total": self.subset.total,
            "how": self.how,
        }

    @property
    def how(self) -> str:
        """How they were chosen, in words."""
        subset = self.subset
        if subset.method == "even":
            why = f": {subset.remark}" if subset.remark else ", as no checkpoint was scored on all"
            return f"at even distances{why}"
        by = f"chosen by {subset.checkpoints} checkpoints of {subset.runs} runs that were scored on all"
        return f"{by} ({subset.remark})" if subset.remark else by
