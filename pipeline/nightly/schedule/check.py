"""One thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was looked at, whether it is well, and what was found."""

    what: str
    ok: bool
    says: str
