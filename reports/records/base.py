"""What all records share: how they are frozen, how a missing number is written, and where a result comes from."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .account import AccountRecord


def _null_is_nan(value: Any) -> Any:
    return math.nan if value is None else value


# NaN in Python and null in JSON, both ways: a number that an estimate could not give.
Number = Annotated[float, BeforeValidator(_null_is_nan, json_schema_input_type=float | None)]


class Frozen(BaseModel):
    """An immutable record that refuses unknown fields and non-finite numbers in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Provenance(Frozen):
    """What produced the result: enough to reproduce it, nothing that changes when it is reproduced."""

    benchcast: str
    python: str
    packages: dict[str, str]
    config: dict[str, Any]
    config_digest: str
    data: str
    data_digest: str
    rows: int
    about: tuple[str, ...] = Field(default=(), description="what is known about the data, in sentences")
    account: AccountRecord = Field(
        default=AccountRecord(), description="what the reader read, took and left out, and why"
    )
