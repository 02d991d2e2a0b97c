"""What is decided about the checkpoints that are scored."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="checkpoints", anchor="inputs.md#models-by-name")

REF_MOVED = _Code(
    "ref-moved",
    "a revision of a model is another commit than in the last run",
    ("is now commit {now}; at the last run it was {then}, which is another checkpoint",),
    about="checkpoint",
)

SAME_FILES = _Code(
    "same-files",
    "checkpoints of one run have the same files at several steps",
    ("has the same files as {others}, at another step of the same run: no training lies between them",),
    about="checkpoint",
)
