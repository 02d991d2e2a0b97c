"""What the comparison of two checkpoints, and a run with a policy, have to say."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="comparing")

PAIRS_UNKNOWN = _Code(
    "pairs-unknown",
    "two runs' scores are compared without their documents, as if each was asked others: only a larger difference is sure",
    anchor="howto/gate.md#the-rules",
    about="task",
)
ASKED_OTHERWISE = _Code(
    "asked-otherwise",
    "two checkpoints were asked a task in another way: a difference may be the prompt's and not the model's",
    anchor="howto/versus.md#asked-alike-or-not",
    about="task",
)
