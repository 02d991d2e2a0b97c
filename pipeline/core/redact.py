"""Text for logs, messages and other people: without secrets, and bounded.

What is taken out: the values of environment variables whose names say that they are secret, passwords and paths of
URLs (a webhook's path is its password; notification URLs have nothing that is not), and tokens of well-known forms.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

HIDDEN = "***"
SECRET_NAMES = re.compile(r"TOKEN|KEY|SECRET|PASSW|PASSPHRASE|CREDENTIAL|WEBHOOK|AUTH|COOKIE", re.IGNORECASE)
SHORTEST = 8  # letters of a value that is looked for: shorter ones are found in innocent text
FIRST = 20  # messages told at once
MOST_LINES = 22
MOST_LETTERS = 400  # of a line
MOST_TEXT = 4000

_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)://([^\s'\"<>]+?)(?=[,;:.)\]]*(?:[\s'\"<>]|$))")
_FORMS = (
    re.compile(r"\b(?:hf|gh[pousr]|glpat|github_pat|xox[a-z]|sk|pk|rk)[_-][A-Za-z0-9_-]{8,}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.?[A-Za-z0-9_-]*"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}"),
)
# What stands before ``secret`` in ``my_secret=`` is not matched: it stays anyway, and the search would take the square
# of a text's length.
_NAMED = re.compile(
    r"(?i)((?:\b(?:(?:access|auth|api|hf|bearer|refresh|id|github)[_-]?)?token|secret|passw(?:or)?d|api[_-]?key|"
    r"access[_-]?key)[\"']?\s*[=:]\s*[\"']?)([^\s\"'&,;)]{3,})"
)


def secrets_of(environment: Iterable[tuple[str, str]]) -> list[str]:
    """Values that must not be shown, of the variables whose names say so, and passwords in those that are URLs."""
    secrets = []
    for name, value in environment:
        if SECRET_NAMES.search(name):
            secrets.append(value)
        secrets += [part for user in re.findall(r"://([^/@\s]+)@", value) for part in (user, user.partition(":")[2])]
    return secrets


def redacted(text: str, secrets: Sequence[str] = ()) -> str:
    """Text without secrets: those given, those of the environment, and what looks like one."""
    values = {value for value in (*secrets, *secrets_of(os.environ.items())) if len(value) >= SHORTEST}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = _URL.sub(_url, text)
    for form in _FORMS:
        text = form.sub(HIDDEN, text)
    return _NAMED.sub(rf"\g<1>{HIDDEN}", text)


def _url(match: re.Match[str]) -> str:
    """Scheme and host of a web address; of any other, the scheme alone: its host may be a token."""
    scheme, rest = match[1], match[2]
    if scheme.lower() == "file":
        return match[0]
    if scheme.lower() not in ("http", "https", "ftp"):
        return f"{scheme}://{HIDDEN}"
    place = re.split(r"[/?#]", rest, maxsplit=1)
    host = place[0].rpartition("@")[2]
    return f"{scheme}://{host}" + (f"/{HIDDEN}" if len(place) > 1 and place[1] else rest[len(place[0]) :])


def bounded(text: str, most: int = MOST_TEXT) -> str:
    """Text of at most ``MOST_LINES`` lines and about ``most`` letters; its last line, often a count, stays."""
    lines = [line if len(line) <= MOST_LETTERS else line[:MOST_LETTERS] + " …" for line in text.split("\n")]
    kept = lines[:-1][: MOST_LINES - 1]
    while kept and sum(map(len, kept)) > most:
        kept.pop()
    left = len(lines) - 1 - len(kept)
    return "\n".join([*kept, *([f"({left} lines are left out here)"] if left else []), lines[-1]])


def shown(lines: Sequence[str]) -> list[str]:
    """The first twenty of many lines, each bounded, and a count of the others."""
    kept = [" ".join(line.split("\n")) for line in lines[:FIRST]]
    more = [f"and {len(lines) - len(kept)} more"] if len(lines) > len(kept) else []
    return bounded("\n".join([*kept, *more])).split("\n") if kept else []
