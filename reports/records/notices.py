"""Notices in records: kept as they are, written as their text, and read back from it."""

from __future__ import annotations

from typing import Annotated, Any

from benchcast.stages.notices import Notice, read
from pydantic import GetPydanticSchema
from pydantic_core import CoreSchema, core_schema


def _keep(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Notice:
    return value if isinstance(value, Notice) else read(inner(value))


def _schema(source: Any, handler: Any) -> CoreSchema:
    """A string for JSON and its schema."""
    return core_schema.no_info_wrap_validator_function(_keep, core_schema.str_schema())


StoredNotice = Annotated[Notice, GetPydanticSchema(_schema)]
