"""The policy of a gate: which run, which registered forecast, and what its scores must be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..core.config import DataSettings, load
from ..core.errors import Fault, FaultsError
from ..core.settings import Patterns, Positive, Strict

Share = Annotated[float, Field(gt=0, lt=0.5)]
KINDS = ("interval", "course", "at_least", "no_worse_than")


class Rule(Strict):
    """One of ``rules``: what the scores of some tasks must be. Exactly one kind: all keys but ``tasks`` and ``by``."""

    tasks: Patterns = Field(default=("*",), min_length=1, description="shell patterns of tasks (or averages)")
    interval: Literal["not_below", "inside"] | None = Field(
        default=None, description="the registered interval: not below it, or inside it"
    )
    course: Literal["not_below"] | None = Field(
        default=None, description="the course registered for all lengths of the run: no drift below it"
    )
    at_least: float | None = Field(default=None, description="the score, a fraction")
    no_worse_than: str | None = Field(default=None, description="RUN or RUN@STEP of the same scores")
    by: Positive | None = Field(default=None, description="with no_worse_than: the margin, a fraction")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [name for name in KINDS if getattr(self, name) is not None]
        if len(kinds) != 1:
            has = f"it has {', '.join(kinds)}" if kinds else "it has none"
            raise ValueError(f"give one of {', '.join(KINDS)} ({has})")
        for name in ("at_least", "by"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ValueError(
                    f"{name}: {value:g} must be a fraction between 0 and 1 (is it in percent? divide by 100)"
                )
        if (self.by is None) != (self.no_worse_than is None):
            raise ValueError("no_worse_than needs by, the margin, and by needs no_worse_than")
        return self

    @property
    def kind(self) -> Literal["not_below", "inside", "on_course", "at_least", "no_worse_than"]:
        """Which of the kinds it is."""
        if self.interval is not None:
            return self.interval
        if self.course is not None:
            return "on_course"
        return "at_least" if self.at_least is not None else "no_worse_than"


class Policy(Strict):
    """What ``benchcast gate`` decides by; paths are relative to the file."""

    register_: Path = Field(alias="register", description="the register with the forecast (forecasts.jsonl)")
    target: str = Field(min_length=1, description="name of the target in the register")
    run: str = Field(min_length=1, description="the run of the scores that it became")
    scores: DataSettings = Field(description="source and path of the scores")
    rules: tuple[Rule, ...] = Field(min_length=1)
    recipe: str | None = Field(default=None, description="whose forecast; empty: the only one, or auto")
    family: str | None = Field(default=None, description="whose forecast; empty: the run's own family")
    record: str | None = Field(
        default=None, min_length=6, description="hash of the record; empty: the last that had not seen the run"
    )
    looks: Literal["end", "every"] = Field(
        default="end", description="judge the end of the run only, or every checkpoint as it comes"
    )
    false_alarms: Share = Field(
        default=0.05, description="probability of a no-go, over all rules and looks, where every rule holds"
    )
    false_passes: Share = Field(default=0.05, description="probability of a go, over all looks, where a rule is broken")
    shift: Share = Field(default=0.02, description="with course: a change of accuracy that matters")


def read(path: Path) -> Policy:
    """A policy from its file.

    Raises
    ------
    FaultsError
        With every fault and its YAML path.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise FaultsError([Fault(str(path), what, "configs/gate.yaml shows a policy")])
    return load(path, Policy)
