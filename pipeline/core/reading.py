"""Reading a file that somebody else wrote: bounded, UTF-8, regular files only, no key twice.

A FIFO, a device or a folder is refused before it is opened (a reader must not hang), a file larger than its kind can
be is refused before it is loaded, and what is wrong is one short line that the caller puts the file's name before.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from .errors import UnreadableError

MOST_CONFIG = 8 << 20  # bytes of a config, ladder.yaml, or a trainer's or model's JSON beside it
MOST_RESULT = 64 << 20  # of one result file
MOST_TABLE = 4 << 30  # of a table or samples, unpacked


def check(path: Path, most: int = MOST_TABLE) -> None:
    """Refuse what is not a regular file, or larger than ``most`` bytes, before it is opened.

    Raises
    ------
    UnreadableError
        Saying what it is instead.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UnreadableError(getattr(error, "strerror", None) or str(error)) from None
    if not stat.S_ISREG(status.st_mode):
        kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
        kind = next((name for test, name in kinds if test(status.st_mode)), "a device")
        raise UnreadableError(f"is {kind}, no file")
    if status.st_size > most:
        raise UnreadableError(
            f"has {status.st_size / 2**20:.0f} MiB, more than the {most / 2**20:.0f} MiB such a file may have"
        )


def data(path: Path, most: int = MOST_RESULT) -> bytes:
    """The bytes of a regular file.

    Raises
    ------
    UnreadableError
        For anything else, or a file over ``most`` bytes.
    """
    check(path, most)
    try:
        with path.open("rb") as file:
            # Not read(most + 1), which would set that much memory aside; a file that grows meanwhile is cut off.
            content = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
    if len(content) > most:
        raise UnreadableError(f"has more than {most / 2**20:.0f} MiB")
    return content


def unpacked(path: Path, most: int = MOST_TABLE) -> bytes:
    """The bytes of a file, of a ``.gz`` the unpacked ones; no more than ``most`` of them are ever made.

    Raises
    ------
    UnreadableError
        As ``data`` does, and for a broken or too large archive.
    """
    if path.suffix != ".gz":
        return data(path, most)
    check(path, most)
    parts, size = [], 0
    try:
        with gzip.open(path, "rb") as file:
            while part := file.read(1 << 20):
                size += len(part)
                if size > most:
                    raise UnreadableError(f"unpacks to more than {most / 2**20:.0f} MiB")
                parts.append(part)
    except (OSError, EOFError) as error:
        raise UnreadableError(f"is not a whole gzip file ({error})") from None
    return b"".join(parts)


def decoded(content: bytes) -> str:
    """Bytes as UTF-8 text, with or without a byte order mark.

    Raises
    ------
    UnreadableError
        Naming the encoding it looks like.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError("is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(
            f"line {line} is not UTF-8 (byte 0x{content[error.start]:02x}); save it as UTF-8"
        ) from None


def text(path: Path, most: int = MOST_CONFIG) -> str:
    """A regular UTF-8 file as text; raises as ``data`` and ``decoded`` do."""
    return decoded(data(path, most))


def json_of(content: bytes | str) -> Any:
    """JSON, in which no object may have a key twice; NaN and Infinity, which lm-eval writes, are read.

    ``pydantic_core.from_json`` is faster, but of two equal keys it keeps the last and says nothing.

    Raises
    ------
    UnreadableError
        Saying where it is not JSON, or which key appears twice.
    """
    try:
        return json.loads(decoded(content) if isinstance(content, bytes) else content, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise UnreadableError("is not JSON that can be read: it is nested too deep") from None
    except ValueError as error:
        raise error if isinstance(error, UnreadableError) else UnreadableError(f"is not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keyed = dict(pairs)
    if len(keyed) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UnreadableError(f"has the key {twice!r} twice in one object")
    return keyed


class _Loader(yaml.SafeLoader):
    """``yaml.safe_load`` that refuses a key given twice, and text that no file can hold."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """A scalar without half characters: YAML's ``\\ud800`` makes one, and no result could be written with it."""
        scalar = super().construct_scalar(node)
        if isinstance(scalar, str) and any("\ud800" <= letter <= "\udfff" for letter in scalar):
            raise UnreadableError(f"line {node.start_mark.line + 1}: {ascii(scalar)[:80]} holds half of a character")
        return scalar

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping whose own keys are all different; what ``<<`` merges in may be overridden."""
        keys: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise UnreadableError(f"line {key_node.start_mark.line + 1}: a key must be text or a number")
            if key in keys:
                raise UnreadableError(f"line {key_node.start_mark.line + 1}: the key {key!r} appears twice")
            keys.add(key)
        return super().construct_mapping(node, deep)


def yaml_of(written: str) -> Any:
    """YAML as ``yaml.safe_load`` reads it, but a key given twice is an error.

    Raises
    ------
    UnreadableError
        With the line.
    """
    try:
        return yaml.load(written, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise UnreadableError(_yaml_fault(error, written)) from None
    except RecursionError:
        raise UnreadableError("is nested too deep") from None
    except ValueError as error:  # such as a date that does not exist
        raise error if isinstance(error, UnreadableError) else UnreadableError(str(error)) from None


def _yaml_fault(error: yaml.YAMLError, written: str) -> str:
    """What is wrong with YAML, at its line; what people mostly do wrong in words of its own."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())[:300]
    lines = written.split("\n")
    line = lines[mark.line].strip() if mark.line < len(lines) else ""
    if "\\t" in problem:
        return f"line {mark.line + 1}: begins with a tab; YAML takes spaces only"
    if problem.startswith("mapping values are not allowed"):
        key, _, value = line.partition(": ")
        if ": " in value:
            return f"line {mark.line + 1}: a text with a colon needs quotes; write {key}: {json.dumps(value)[:100]}"
        return (
            f"line {mark.line + 1}: {line[:60]!r} does not fit the line above; keys of one section begin in one column"
        )
    said = getattr(error, "context", None)
    context = f" ({said})" if said else ""
    return " ".join(f"line {mark.line + 1}, column {mark.column + 1}: {problem}{context}".split())[:300]


def number(value: Any) -> float:
    """A finite number as JSON or a table gives it; NaN for anything else, text and truth values included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
