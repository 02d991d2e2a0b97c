"""What ``--json`` writes is read again, also where an estimate could give no number: NaN is null, both ways."""

from __future__ import annotations

import math
from typing import Any, get_args, get_origin

import numpy as np
import pandas as pd
import pytest
from benchcast.forecasting.run import run
from benchcast.planning import run as plan
from benchcast.reports.records.base import Frozen
from benchcast.reports.records.forecast import Result
from benchcast.reports.records.plan import PlanResult
from benchcast.stages.laws.loss.chinchilla import ChinchillaLoss
from benchcast.stages.notices import Notice
from benchcast.stages.planning.published import PUBLISHED_LAWS
from pydantic import BaseModel


def _models(kind: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    if kind not in seen:
        seen.add(kind)
        for field in kind.model_fields.values():
            for part in _parts(field.annotation):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    _models(part, seen)
    return seen


def _parts(annotation: Any) -> list[Any]:
    return (
        [annotation, *(p for a in get_args(annotation) for p in _parts(a))] if get_origin(annotation) else [annotation]
    )


FINITE = {  # counts that a config or a table states, and shares that the code sets: they are finite by their own checks
    "level",
    "flops",
    "params",
    "tokens",
    "chance",
    "factor",
    "share",
    "ratio_low",
    "token_multiplier",
    "x",
    "y",
    "lengths",
    "accuracy",
    "curve_low",
    "curve_high",
    "low",
    "high",
    "members",
    "false_alarms",
}


@pytest.mark.parametrize("kind", [Result, PlanResult])
def test_a_number_that_may_be_none_can_be_read_as_null(kind: type[Frozen]) -> None:
    """Every float of the contract either takes null, or is finite wherever it comes from."""
    for model in _models(kind, set()):
        schema = model.model_json_schema()
        for name, field in schema["properties"].items():
            if name not in FINITE:
                assert not _plain_number(field), f"{model.__name__}.{name} writes NaN as null and cannot read it"


def _plain_number(field: dict[str, Any]) -> bool:
    if field.get("type") == "number":
        return True
    inside = field.get("items") or field.get("additionalProperties")
    return isinstance(inside, dict) and _plain_number(inside)


def _poisoned(value: Any) -> Any:
    """A copy in which every number that may be null is."""
    if isinstance(value, BaseModel):
        changed = {}
        for name, field in type(value).model_json_schema()["properties"].items():
            own = {"schema": "schema_"}.get(name, name)
            nullable = {"type": "null"} in field.get("anyOf", []) and {"type": "number"} in field.get("anyOf", [])
            changed[own] = math.nan if nullable else _poisoned(getattr(value, own))
        return value.model_copy(update=changed)
    if isinstance(value, tuple):
        return tuple(map(_poisoned, value))
    return value


def test_results_full_of_nan_are_read_again() -> None:
    config = {
        "data": {"source": "demo"},
        "targets": [{"run": "1.3M-10x"}],
        "recipes": ["ladder", "auto"],
        "tasks": ["recall"],
    }
    for result in (run(config), plan.run(_sweep(), data=None)):
        for one in (result, _poisoned(result)):
            text = one.model_dump_json(by_alias=True)
            again = type(result).model_validate_json(text)
            assert again.model_dump_json(by_alias=True) == text
            assert "NaN" not in text
            codes = [notice.code for notice in _notices(one)]
            assert codes == [notice.code for notice in _notices(again)]
            assert codes
            assert "other" not in codes


def _notices(value: Any) -> list[Notice]:
    """Every notice of a record, in order."""
    if isinstance(value, BaseModel):
        return [notice for name in type(value).model_fields for notice in _notices(getattr(value, name))]
    if isinstance(value, tuple):
        return [notice for part in value for notice in _notices(part)]
    return [value] if isinstance(value, Notice) else []


def _sweep() -> dict[str, Any]:
    return {"flops": 1e22, "resamples": 100, "batches": {"source": "demo"}}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("target", ["1e300", "1e-300", "1e30"])
def test_targets_beyond_all_reason_warn_nobody_and_can_be_read(target: str) -> None:
    config = {
        "data": {"source": "demo"},
        "targets": [{"flops": target, "token_multiplier": 20}],
        "recipes": ["ladder", "llama3", "auto"],
        "tasks": ["recall"],
    }
    for result in (run(config), plan.run({"flops": target})):
        text = result.model_dump_json(by_alias=True)
        assert type(result).model_validate_json(text).model_dump_json(by_alias=True) == text


def test_a_plan_of_runs_that_follow_no_law_is_read_again(tmp_path: Any) -> None:
    p = PUBLISHED_LAWS["chinchilla-refit"].values()
    n = np.geomspace(1e7, 1e9, 12)
    d = np.geomspace(1e9, 1e10, 12)[::-1]
    loss = ChinchillaLoss.loss_at(p, n, d) * np.random.default_rng(0).uniform(0.7, 1.3, 12)
    pd.DataFrame({"params": n, "tokens": d, "loss": loss}).to_csv(tmp_path / "runs.csv", index=False)
    result = plan.run({"flops": 1e22, "resamples": 100, "data": {"path": "runs.csv"}}, tmp_path)
    text = result.model_dump_json(by_alias=True)
    assert PlanResult.model_validate_json(text).model_dump_json(by_alias=True) == text
