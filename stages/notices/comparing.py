"""What the comparison of two checkpoints, and a run with a policy, have to say."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="comparing")

PAIRS_UNKNOWN = _Code(
    "pairs-unknown",
    "two runs are compared without their documents, as if each was scored on others: only a larger difference is sure",
    anchor="howto/gate.md#the-rules",
    about="task",
)
ASKED_OTHERWISE = _Code(
    "asked-otherwise",
    "two checkpoints were scored on a task in different ways: a difference may come from the prompt, not the model",
    anchor="howto/versus.md#asked-alike-or-not",
    about="task",
)
