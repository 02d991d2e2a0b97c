"""What the sections of every config are made of: strict models, positive numbers, patterns, bounds."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, get_args

from benchcast.stages.fit import checks
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from . import metrics, units


class Strict(BaseModel):
    """Frozen, and an unknown key is an error (with what was probably meant)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_values(cls, data: Any) -> Any:
        """``last: true`` does not mean 1: a truth value counts only where one is asked for."""
        for name, value in data.items() if isinstance(data, dict) else ():
            given = value if isinstance(value, list | tuple) else [value]
            field = cls.model_fields.get(name) if isinstance(name, str) else None
            if field and any(isinstance(v, bool) for v in given) and not _takes_bool(field.annotation):
                raise ValueError(f"{name}: must be a number or text, not true or false")
        return data


def _takes_bool(annotation: Any) -> bool:
    return annotation is bool or any(map(_takes_bool, get_args(annotation)))


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _finite_positive(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ValueError("must be positive and finite")
    return value


# PyYAML reads 1e18 as a string; pydantic's lax float repairs it. The last one named is applied first.
Positive = Annotated[
    float,
    BeforeValidator(units.quantity, json_schema_input_type=float | str),
    BeforeValidator(_no_bool, json_schema_input_type=float | str),
    AfterValidator(_finite_positive),
]
StepTokens = Annotated[
    float,
    BeforeValidator(units.length, json_schema_input_type=float | str),
    BeforeValidator(_no_bool, json_schema_input_type=float | str),
    AfterValidator(_finite_positive),
]
SequenceLength = Annotated[int, BeforeValidator(units.length, json_schema_input_type=int | str)]
Patterns = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=str | tuple[str, ...]),
]


def _are_scores(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Names and patterns of scores; ValueError for a name that no score can have."""
    for name in (value,) if isinstance(value, str) else value:
        if name == "auto" or metrics.is_share(name) or any(sign in name for sign in "*?["):
            continue
        if metrics.metric_of(name) is not None:
            raise ValueError(f"{name!r} is a loss; name a score: auto, acc, acc_norm, exact_match, pass@1, f1, …")
        near = metrics.meant(name)
        raise ValueError(f"{name!r} is not a known metric" + (f"; did you mean {near!r}?" if near else ""))
    if not value:
        raise ValueError("names no metric; leave the key out, or name one")
    return value


Metrics = Annotated[
    str | tuple[str, ...],
    BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v, json_schema_input_type=str | tuple[str, ...]),
    AfterValidator(_are_scores),
]


def _bounds(value: float | tuple[float, float]) -> float | tuple[float, float]:
    if isinstance(value, tuple) and value[0] >= value[1]:
        raise ValueError("the lower bound must be below the upper")
    checks.limits("an accuracy", "a bound", value)
    return value


Bounds = Annotated[float | tuple[float, float], AfterValidator(_bounds)]


class RecipeSettings(Strict):
    """Settings of one recipe; each recipe has a model of its own, whose ``name`` is the recipe's."""

    takes_references: ClassVar[bool] = False
    """Whether the recipe's step from loss to accuracy sees the config's reference models."""

    name: str
