"""What is not as it should be, as conditions: each is told once when it arises and once when it clears."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...core.errors import plain as spelled
from ...core.redact import MOST_LETTERS, redacted

FAILED, CONFIG, ALERT = 1, 2, 3
ORDER = (CONFIG, ALERT, FAILED)  # the first of them that stands is the exit code

# Names of the rules, stable: people filter by them.
RULES = {
    "failure": "a checkpoint or task could not be scored",
    "forecast": "the forecast could not be made",
    "outside": "a score beyond its registered band",
    "drift": "scores drift away from the registered forecast",
    "dropped": "a score below that of the checkpoint before",
    "benchmark": "a task asks something else than when the forecast was registered",
    "scorer": "scores are computed otherwise than when the forecast was registered",
    "gone": "data that was there is gone",
    "plan": "the run is not the one whose forecast was registered",
    "clock": "the clock is behind the last pass",
    "history": "a line of the history could not be read",
}


@dataclass(frozen=True)
class Condition:
    """One thing that is wrong: by which rule, with what, in a sentence, and the exit code while it stands."""

    rule: str
    subject: str
    text: str
    code: int = ALERT

    def __post_init__(self) -> None:
        """It is mailed, logged and kept: without secrets, control characters and floods."""
        text = redacted(spelled(self.text))
        object.__setattr__(self, "text", text if len(text) <= MOST_LETTERS else text[:MOST_LETTERS] + " …")

    @property
    def key(self) -> tuple[str, str]:
        """What makes two conditions the same, whatever their numbers."""
        return self.rule, self.subject

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.text}" if self.subject else f"{self.rule}: {self.text}"


def plain(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """As JSON."""
    return [asdict(c) for c in conditions]


def read(plain: Iterable[Mapping[str, Any]]) -> list[Condition]:
    """From JSON."""
    return [Condition(c["rule"], c["subject"], c["text"], c.get("code", ALERT)) for c in plain]


def changes(before: Sequence[Condition], now: Sequence[Condition]) -> list[str]:
    """A line for every condition that arose or cleared."""
    had, have = {c.key for c in before}, {c.key for c in now}
    arose = [f"{'error' if c.code == FAILED else 'alert'}: {c}" for c in now if c.key not in had]
    return arose + [f"cleared: {c}" for c in before if c.key not in have]


def exit_code(conditions: Iterable[Condition]) -> int:
    """0 when nothing is wrong."""
    codes = {c.code for c in conditions}
    return next((code for code in ORDER if code in codes), 0)
