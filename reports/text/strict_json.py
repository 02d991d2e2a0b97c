"""JSON that every reader takes: NaN and infinity, which JSON cannot say, are null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """A JSON-like value as text, in its own letters and not as escapes."""
    return json.dumps(without_nan(value), indent=indent, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)


def without_nan(value: Any) -> Any:
    """The same structure with null for what JSON cannot say, keys as text, and numpy's scalars as Python's."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
