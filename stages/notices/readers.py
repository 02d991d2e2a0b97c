"""What the readers of tables and results decided, and where two statements of one fact do not agree."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

_Code = partial(Code, area="readers", anchor="inputs.md", severity=Severity.INFO)
