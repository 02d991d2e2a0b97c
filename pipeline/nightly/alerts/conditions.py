"""What is not as it should be, as conditions: notices that are told once when they arise and once when they clear.

The code of such a notice is the name of the rule that found it, its severity the exit code while it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchcast.stages.notices import Code, Notice, Severity, recalled

from ...core.errors import plain as spelled
from ...core.redact import MOST_LETTERS, redacted

# What the pass exits with while a condition of this severity stands; of several, the first here.
EXIT_CODES = {Severity.CONFIG: 2, Severity.ALERT: 3, Severity.FAILURE: 1}
SEVERITIES = {code: severity for severity, code in EXIT_CODES.items()}


def condition(
    code: Code, subject: str = "", /, *, severity: Severity | None = None, **values: str | int | float
) -> Notice:
    """One thing that is wrong, as it may be mailed, logged and kept: no secrets, control characters and floods."""
    notice = code.of(values, subject).rated(severity or code.severity)
    body = _clean(notice.body)
    if body == notice.body:
        return notice
    kept = {name: _clean(value) if isinstance(value, str) else value for name, value in values.items()}
    return Notice(body, code=notice.code, severity=notice.severity, subject=subject, values=kept)


def _clean(text: str) -> str:
    text = redacted(spelled(text))
    return text if len(text) <= MOST_LETTERS else text[:MOST_LETTERS] + " …"


def key(condition: Notice) -> tuple[str, str]:
    """What makes two conditions the same, whatever their numbers."""
    return condition.code, condition.subject


def plain(conditions: Iterable[Notice]) -> list[dict[str, Any]]:
    """As JSON."""
    return [{"rule": c.code, "subject": c.subject, "text": c.body, "code": EXIT_CODES[c.severity]} for c in conditions]


def read(plain: Iterable[Mapping[str, Any]]) -> list[Notice]:
    """From JSON."""
    return [
        recalled(
            c["rule"],
            _clean(c["text"]),
            subject=c["subject"],
            severity=SEVERITIES.get(c.get("code"), Severity.ALERT),  # type: ignore[arg-type]
        )
        for c in plain
    ]


def exit_code(conditions: Iterable[Notice]) -> int:
    """0 when nothing is wrong."""
    standing = {c.severity for c in conditions}
    return next((code for severity, code in EXIT_CODES.items() if severity in standing), 0)
