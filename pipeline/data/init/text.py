"""Text of the files that ``benchcast init`` writes: YAML scalars, comments and numbers that read back as they were."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import yaml


def scalar(value: str) -> str:
    """A YAML scalar that reads back as this string, whatever is in it."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value, re.ASCII)
    if plain and isinstance(yaml.safe_load(value), str):
        return value
    return str(yaml.dump(value, default_style='"', allow_unicode=True, width=float("inf"))).strip()


def comment(value: str) -> str:
    """Text on one line, for a comment."""
    return "".join(c if c.isprintable() else "\ufffd" for c in value)


def number(value: float) -> str:
    """``1.3e9``: a float that YAML and people read, to six digits."""
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def exact(value: float) -> str:
    """The same without rounding: 299892736000 stays what it is, since other tables are joined on it."""
    digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()[1:]
    if len(digits) > 6 and value == int(value) and value < 1e15:
        return f"{int(value)}"
    text = "".join(map(str, digits))
    return f"{text[0]}{'.' if text[1:] else ''}{text[1:]}e{int(exponent) + len(text) - 1}"


def relative(path: Path, base: Path) -> str:
    """From the config's folder where that goes downwards, else from the root."""
    path, base = path.resolve(), base.resolve()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
