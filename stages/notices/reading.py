"""From text back to notices: results that were written as JSON, by this version or an earlier one, hold sentences.

The patterns are made from the templates of the codes, so that what is emitted can be read, and nothing else has to know
how a sentence is worded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

from .notice import CODES, OTHER, Code, Notice, Severity, Value

NUMBER = r"[-+]?(?:\d[\d.]*(?:e[-+]?\d+)?|inf|nan)"
NAMED = re.compile(r"(?P<said>.*) \((?P<code>[a-z0-9-]+)\)", re.DOTALL)
SUBJECT = "_subject"


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """A template as a regular expression: its own words in order, and what its groups mean."""

    code: Code
    expression: re.Pattern[str]
    kinds: dict[str, Callable[[str], Value]]
    words: tuple[str, ...]

    @property
    def letters(self) -> int:
        """How many letters are its own."""
        return sum(len(word.strip()) for word in self.words)

    def read(self, said: str, named: bool, subject: str | None = None) -> Notice | None:
        """The notice that a text is; of a given ``subject`` the text is the sentence alone."""
        match = self.expression.fullmatch(said) if self._has_words(said) else None
        if match is None:
            return None
        try:
            values = {name: kind(match[name]) for name, kind in self.kinds.items()}
            if subject is None:
                subject = match[SUBJECT] if self.code.about else ""
            return self.code.of(values, subject or "", named=named)
        except (ValueError, SyntaxError):
            return None

    def _has_words(self, said: str) -> bool:
        """Whether its words are there in their order: else the expression would try every split of a long text."""
        end = 0
        for word in self.words:
            start = said.find(word, end)
            if start < 0:
                return False
            end = start + len(word)
        return True


def read(text: str) -> Notice:
    """The notice that a text is; a notice is itself. Its text is always the one given.

    A text that ends with a code in brackets is of that code. One that no template matches, of an earlier version or
    written by hand, is of the code ``other``.
    """
    return text if isinstance(text, Notice) else _read(str(text), len(CODES))


def read_all(texts: Iterable[str]) -> tuple[Notice, ...]:
    """Several, in order."""
    return tuple(map(read, texts))


def recalled(code: str, body: str, *, subject: str = "", severity: Severity = Severity.WARNING) -> Notice:
    """The notice of a code that was kept with its sentence; the values follow from the sentence where they can."""
    known = CODES.get(code)
    for pattern in () if known is None else sorted(_patterns(known), key=lambda p: -p.letters):
        notice = pattern.read(body, named=False, subject=subject)
        if notice is not None and notice.body == body:
            return notice.rated(severity)
    return Notice(body, code=code, severity=severity, subject=subject)


@lru_cache(maxsize=8192)
def _read(text: str, _count: int) -> Notice:
    """The first pattern that gives just this text, those with the most letters of their own first."""
    tail = NAMED.fullmatch(text)
    if tail is not None and (code := CODES.get(tail["code"])) is not None:
        for pattern in sorted(_patterns(code), key=lambda p: -p.letters):
            if (notice := pattern.read(tail["said"], named=True)) is not None and str(notice) == text:
                return notice
        return Notice(tail["said"], code=code.name, severity=code.severity, named=True)
    for pattern in _all(_count):
        if (notice := pattern.read(text, named=False)) is not None and str(notice) == text:
            return notice
    return OTHER(text=text)


@lru_cache(maxsize=1)
def _all(_count: int) -> list[_Pattern]:
    """Every pattern but those that would match anything."""
    found = [p for code in CODES.values() for p in _patterns(code) if p.letters]
    return sorted(found, key=lambda p: -p.letters)


def _patterns(code: Code) -> Iterator[_Pattern]:
    subject = f"(?:(?P<{SUBJECT}>.+?): )?" if code.about else ""
    for template in code.sentences():
        parts, kinds, words = [subject], dict[str, Callable[[str], Value]](), list[str]()
        # A meaning that is said without values is no template: its braces, if any, are its own.
        parsed = Formatter().parse(template) if template in code.templates else [(template, None, None, None)]
        for literal, name, spec, conversion in parsed:
            parts.append(re.escape(literal))
            words.append(literal)
            if name in kinds:
                parts.append(f"(?P={name})")
            elif name:
                form, kinds[name] = _kind(spec or "", conversion)
                parts.append(f"(?P<{name}>{form})")
        expression = re.compile("".join(parts), re.DOTALL)
        yield _Pattern(code=code, expression=expression, kinds=kinds, words=tuple(words))


def _kind(spec: str, conversion: str | None) -> tuple[str, Callable[[str], Value]]:
    """What a value looks like in text, and how it is read."""
    if conversion == "r":
        return r"'.*?'|\".*?\"", lambda text: str(ast.literal_eval(text))
    if spec.endswith("d"):
        return r"[-+]?\d+", int
    if spec.endswith("%"):
        return NUMBER + "%", lambda text: float(text[:-1]) / 100
    if spec[-1:] in tuple("efg"):
        return NUMBER, float
    return ".*?", str
