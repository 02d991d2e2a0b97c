"""When the pass starts: the five fields of crontab(5), checked, and the same for systemd.time(7).

What a field means is read by ``cronsim``, which follows Debian's cron; but it takes more than every cron does (``L``,
``#``, ``1/5``, a field of seconds), so the form of a field is checked here first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from cronsim import CronSim, CronSimError

from ...core.errors import InputError

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
NUMBER = r"(?:\d+|[a-z]{3})"
PART = rf"(?:\*|{NUMBER}-{NUMBER})(?:/\d+)?|{NUMBER}"
FORM = re.compile(rf"(?:{PART})(?:,(?:{PART}))*", re.ASCII | re.IGNORECASE)  # of a field, as every cron takes it
ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # cronsim wants a time to begin at; the fields do not depend on it


class Field(NamedTuple):
    """One of the five fields: its name here and in ``cronsim``, and its range."""

    name: str
    attribute: str
    low: int
    high: int


FIELDS = (
    Field("minute", "minutes", 0, 59),
    Field("hour", "hours", 0, 23),
    Field("day of the month", "days", 1, 31),
    Field("month", "months", 1, 12),
    Field("day of the week", "weekdays", 0, 7),
)


def is_cron(at: str) -> bool:
    """Whether it is meant as times of a crontab; right or wrong."""
    return at.strip().startswith("@") or len(at.split()) == len(FIELDS)


def cron(at: str) -> str:
    """The times as a crontab has them.

    Raises
    ------
    InputError
        For anything that cron would not take: one bad line and it takes no line of a crontab.
    """
    if at.strip() in NICKNAMES:
        return at.strip()
    texts = at.split()
    if len(texts) != len(FIELDS) or any(ord(c) < 32 for c in at.strip()):
        names = ", ".join(NICKNAMES)
        raise InputError(
            f'--at: {at!r} is not five fields (minute hour day month weekday), such as "0 3 * * *", nor one of {names}'
        )
    for field, text in zip(FIELDS, texts, strict=True):
        _numbers(field, text)
    return " ".join(texts)


def kubernetes(at: str) -> str:
    """The same times as a CronJob's ``schedule``, whose week has no seventh day: Sunday is 0."""
    fields = cron(at)
    if fields in NICKNAMES:
        return fields
    *others, weekday = fields.split()
    if "7" in weekday:
        weekday = ",".join(str(day) for day in sorted({number % 7 for number in _numbers(FIELDS[4], weekday)}))
    return " ".join([*others, weekday])


def calendar(at: str) -> str:
    """The same times as systemd's OnCalendar.

    Raises
    ------
    InputError
        Where cron means either of two days, which one OnCalendar cannot say.
    """
    fields = cron(at)
    texts = NICKNAMES.get(fields, fields).split()
    _, _, day, _, weekday = texts
    if not day.startswith("*") and not weekday.startswith("*"):
        raise InputError(f"--at: {at!r} names days of the month and of the week; cron runs on either, systemd on both")
    # systemd's week begins with Sunday too, and has no second name for it.
    days = sorted({number % 7 for number in _numbers(FIELDS[4], weekday)})
    named = "" if weekday.startswith("*") else ",".join(DAYS[number] for number in days) + " "
    minute, hour, day, month = (_listed(field, text) for field, text in zip(FIELDS[:4], texts[:4], strict=True))
    return f"{named}*-{month}-{day} {hour}:{minute}:00"


def _listed(field: Field, text: str) -> str:
    return "*" if text == "*" else ",".join(f"{number:02d}" for number in _numbers(field, text))


def _numbers(field: Field, text: str) -> list[int]:
    """Every number that a field means, ascending.

    Raises
    ------
    InputError
        When it means none, or is not of the form that every cron takes.
    """
    alone = " ".join(text if each is field else "*" for each in FIELDS)
    steps = [int(step) for step in re.findall(r"/(\d+)", text)]
    try:
        if not FORM.fullmatch(text) or any(step > field.high for step in steps):
            raise CronSimError(text)
        numbers: set[int] = getattr(CronSim(alone, ANY_TIME), field.attribute)
    except CronSimError:
        raise InputError(
            f"--at: {text!r} is not a valid {field.name} ({field.low}-{field.high}, *, lists, */n)"
        ) from None
    return sorted(numbers)
