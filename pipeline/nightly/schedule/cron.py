"""When the pass starts: the five fields of crontab(5), checked, and the same for systemd.time(7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...core.errors import InputError

WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Field:
    """One of the five: its name, range, and names for its numbers."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def parts(self, text: str) -> list[tuple[int, int, int]]:
        """First, last and step of every part of the list."""
        return [self._part(part) for part in text.split(",")]

    def _part(self, part: str) -> tuple[int, int, int]:
        found = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if found is None or (found[4] and found[1] != "*" and not found[3]):
            raise ValueError(part)
        step = int(found[4] or 1)
        if found[1] == "*":
            first, last = self.low, self.high
        else:
            first = self._number(found[2])
            last = self._number(found[3]) if found[3] else first
        if not (self.low <= first <= last <= self.high and 1 <= step <= self.high):
            raise ValueError(part)
        return first, last, step

    def _number(self, text: str) -> int:
        named = [n.lower() for n in self.names]
        return named.index(text.lower()) + self.low if text.lower() in named else int(text)


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, DAYS),
)


def cron(at: str) -> str:
    """The times as a crontab has them.

    Raises
    ------
    InputError
        For anything that cron would not take: one bad line and it takes no line of a crontab.
    """
    if at.strip() in WORDS:
        return at.strip()
    fields = at.split()
    if len(fields) != 5 or any(ord(c) < 32 for c in at.strip()):
        raise InputError(f'--at: {at!r} is not five fields (minute hour day month weekday), such as "0 3 * * *"')
    for field, text in zip(FIELDS, fields, strict=True):
        try:
            field.parts(text)
        except ValueError:
            raise InputError(f"--at: {text!r} is no {field.name} ({field.low}-{field.high}, *, lists, */n)") from None
    return " ".join(fields)


def calendar(at: str) -> str:
    """The same times as systemd's OnCalendar.

    Raises
    ------
    InputError
        Where cron means either of two days, which one OnCalendar cannot say.
    """
    fields = cron(at)
    minute, hour, day, month, weekday = WORDS.get(fields, fields).split()
    if not day.startswith("*") and not weekday.startswith("*"):
        raise InputError(f"--at: {at!r} names days of the month and of the week; cron runs on either, systemd on both")
    days = "" if weekday.startswith("*") else ",".join(DAYS[n] for n in _numbers(FIELDS[4], weekday)) + " "
    month, day, hour, minute = (
        _listed(f, t)
        for f, t in zip((FIELDS[3], FIELDS[2], FIELDS[1], FIELDS[0]), (month, day, hour, minute), strict=True)
    )
    return f"{days}*-{month}-{day} {hour}:{minute}:00"


def _listed(field: Field, text: str) -> str:
    return "*" if text == "*" else ",".join(f"{n:02d}" for n in _numbers(field, text))


def _numbers(field: Field, text: str) -> list[int]:
    """Every number that a field means; Sunday once."""
    numbers = {n for first, last, step in field.parts(text) for n in range(first, last + 1, step)}
    return sorted(numbers - {7} | {0} if field is FIELDS[4] and 7 in numbers else numbers)
