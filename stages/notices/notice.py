"""What a notice is: a sentence for people, with the facts that it was made from.

A ``Code`` stands for one kind of thing that a person should know; calling it with the facts of one case makes a
``Notice``. A notice is a string, so that JSON, CSV and a terminal show it as it is; whoever must decide something by it
asks for its code, and never for how its sentence begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from string import Formatter
from types import MappingProxyType
from typing import Any, NoReturn

Value = str | int | float


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    """The numbers stand; a rule decided something that one may want to know."""
    WARNING = "warning"
    """The numbers may be wrong, or are less certain than they look."""
    FAILURE = "failure"
    """Something could not be made, read or scored."""
    CONFIG = "config"
    """The configuration asks for what cannot be done."""
    ALERT = "alert"
    """A run, or the data it is judged by, is not as it was when its forecast was registered."""


class Notice(str):
    """One thing that a person should know: a frozen string with its facts.

    Attributes
    ----------
    code : str
        Name of its ``Code``.
    severity : Severity
    subject : str
        What it is about (a law, a run, a file); it stands before the sentence. Empty: what it was found with.
    values : mapping of str to str, int or float
        The facts that the sentence tells. A notice that was read back from text has them as rounded as the text.
    body : str
        The sentence without the subject.
    named : bool
        Whether the sentence ends with the code in brackets, and the result lists the code among its ``codes``.
    """

    code: str
    severity: Severity
    subject: str
    values: Mapping[str, Value]
    body: str
    named: bool

    def __new__(
        cls,
        body: str,
        *,
        code: str,
        severity: Severity,
        subject: str = "",
        values: Mapping[str, Value] | None = None,
        named: bool = False,
    ) -> Notice:
        """From a finished sentence; calling a ``Code`` makes the sentence too."""
        said = f"{body} ({code})" if named else body
        notice = super().__new__(cls, f"{subject}: {said}" if subject else said)
        facts = MappingProxyType(dict(values or {}))
        notice.__dict__.update(code=code, severity=severity, subject=subject, values=facts, body=body, named=named)
        return notice

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a notice is frozen: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        facts = (self.body, self.code, self.severity, self.subject, dict(self.values), self.named)
        return _again, facts

    @property
    def definition(self) -> Code:
        """Its code with meaning, documentation and rank; that of ``other`` where the code is not known here."""
        return CODES.get(self.code, OTHER)

    @property
    def page_one(self) -> int | None:
        """Its rank on page one of a report; None: it does not stand there."""
        return self.definition.page_one

    @property
    def summary(self) -> str:
        """The sentence that all notices of its code share, without their numbers; empty where there is none."""
        return self.definition.summary

    def about(self, subject: str) -> Notice:
        """The same, about this subject."""
        return Notice(
            self.body, code=self.code, severity=self.severity, subject=subject, values=self.values, named=self.named
        )

    def rated(self, severity: Severity) -> Notice:
        """The same, as bad as this."""
        return Notice(
            self.body, code=self.code, severity=severity, subject=self.subject, values=self.values, named=self.named
        )


def _again(body: str, code: str, severity: Severity, subject: str, values: Mapping[str, Value], named: bool) -> Notice:
    return Notice(body, code=code, severity=severity, subject=subject, values=values, named=named)


CODES: dict[str, Code] = {}
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Code:
    """One kind of notice. Making one enters it in ``CODES``, in whatever module it stands.

    Parameters
    ----------
    name : str
        In small letters with hyphens, stable: people filter by it.
    meaning : str
        One general sentence for the documentation; the text of a notice that is given no values.
    templates : tuple of str
        Sentences with values in ``str.format``'s notation. The names of the values say which of them is meant.
    area : str
        Which part of Benchcast emits it: a heading of the documentation.
    anchor : str
        Page and heading under ``docs/`` where more is said, ``trust.md#the-task-is-at-chance``.
    severity : Severity
    page_one : int or None
        0: on page one of a report before all others; 1: there, the most frequent first; None: not there.
    summary : str
        What the sentences have in common, without numbers: page one groups the reasons of refusals by it.
    about : str
        What its subject is, such as ``law``; empty when it has none.
    """

    name: str
    meaning: str
    templates: tuple[str, ...] = ()
    _: KW_ONLY
    area: str = ""
    anchor: str = ""
    severity: Severity = Severity.WARNING
    page_one: int | None = None
    summary: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        """Enter it, once.

        Raises
        ------
        ValueError
            When the name is taken by another, is not a name, or two templates have the same values.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a code: small letters, digits and hyphens")
        if CODES.get(self.name, self) != self:
            raise ValueError(f"two codes are named {self.name!r}")
        if len(self._by_names()) < len(self.templates):
            raise ValueError(f"code {self.name!r} has two templates with the same values")
        CODES[self.name] = self

    def __call__(
        self, subject: str = "", /, *, named: bool = False, severity: Severity | None = None, **values: Value
    ) -> Notice:
        """The notice of one case.

        Raises
        ------
        ValueError
            When no template has just these values.
        """
        notice = self.of(values, subject, named=named)
        return notice if severity is None else notice.rated(severity)

    def of(self, values: Mapping[str, Value], subject: str = "", *, named: bool = False) -> Notice:
        """The same from a mapping."""
        template = self._by_names().get(frozenset(values))
        if template is None and values:
            raise ValueError(f"code {self.name!r} has no template with the values {', '.join(sorted(values))}")
        body = self.meaning if template is None else template.format(**values)
        return Notice(body, code=self.name, severity=self.severity, subject=subject, values=values, named=named)

    def sentences(self) -> tuple[str, ...]:
        """Every template, the meaning among them where notices without values have no other."""
        return self.templates if frozenset[str]() in self._by_names() else (self.meaning, *self.templates)

    def _by_names(self) -> dict[frozenset[str], str]:
        return {names(template): template for template in self.templates}


def names(template: str) -> frozenset[str]:
    """The values that a template tells."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


OTHER = Code(
    "other",
    "a sentence that no code stands for: of an earlier version, or written by hand",
    ("{text}",),
    area="general",
    anchor="reference/notices.md#how-to-read-them",
    page_one=1,
)
