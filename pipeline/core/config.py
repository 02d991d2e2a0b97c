"""The YAML config, validated: every fault is reported at once with its path in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from benchcast.stages.compute.budget import TrainingBudget, complete_budget
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from . import config_faults, reading, units
from .errors import FaultsError, UnreadableError
from .plugins import plugins
from .score_settings import PlaceSettings as PlaceSettings
from .score_settings import ScoreSettings as ScoreSettings
from .settings import Metrics, Patterns, Positive, RecipeSettings, Strict

T = TypeVar("T", bound=BaseModel)
SOURCES = tuple(plugins("data.sources", "SOURCE"))
RECIPES = {name: recipe.settings for name, recipe in plugins("forecasting.recipes", "RECIPE").items()}
if TYPE_CHECKING:
    AnyRecipe = RecipeSettings
else:
    _Recipe = reduce(or_, RECIPES.values())
    # A recipe that needs no settings may be given by its name.
    _Bare = Literal[
        tuple(n for n, kind in RECIPES.items() if not any(f.is_required() for f in kind.model_fields.values()))
    ]
    AnyRecipe = Annotated[
        _Recipe,
        Field(discriminator="name"),
        BeforeValidator(lambda v: {"name": v} if isinstance(v, str) else v, json_schema_input_type=_Recipe | _Bare),
    ]
# Where the config names none: auto, which grades its forecasts, and beside it every recipe that needs no settings.
USUAL_RECIPES: tuple[RecipeSettings, ...] = tuple(
    kind() for kind in RECIPES.values() if not any(f.is_required() for f in kind.model_fields.values())
)


class DataSettings(Strict):
    """``data``: where the ladder table comes from."""

    source: Literal[SOURCES] = Field(description="kind of the data that is read")  # type: ignore[valid-type]
    path: Path | None = Field(
        default=None, description="file or folder to read; --data on the command line replaces it"
    )


class RunsSettings(Strict):
    """``runs``: which runs the laws may see; shell patterns on run names."""

    fit: Patterns | None = Field(
        default=None,
        description="runs that the laws are fitted on; left out: all runs but the targets and those under exclude",
    )
    exclude: Patterns = Field(default=(), description="runs that are neither fitted on nor forecast")


class Target(Strict):
    """One target: a run of the table (its score is then the actual), or a run that does not exist yet."""

    run: str | None = Field(default=None, description="a run of the table: its name, or a shell pattern such as 7B-*")
    name: str | None = Field(
        default=None, description="what reports call a planned run; left out: made from its numbers"
    )
    flops: Positive | None = Field(default=None, description="training FLOPs of a planned run, such as 3.8e25")
    params: Positive | None = Field(default=None, description="parameters of a planned run, such as 7B")
    tokens: Positive | None = Field(default=None, description="training tokens of a planned run, such as 1.4T")
    token_multiplier: Positive | None = Field(default=None, description="tokens per parameter of a planned run")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        numbers = (self.flops, self.params, self.tokens, self.token_multiplier)
        if self.run is not None:
            if any(n is not None for n in numbers) or self.name is not None:
                raise ValueError("give either run, or flops/params/tokens/token_multiplier, not both")
        else:
            self._check_units(self.budget())
        return self

    def _check_units(self, whole: TrainingBudget) -> None:
        """A model of 70 parameters on 1400 tokens was meant in billions: a fault that says so."""
        wrong = None
        if self.params is not None or self.tokens is not None:
            wrong = units.impossible(whole.params, whole.tokens)
        if wrong is None and self.token_multiplier is not None:
            wrong = units.impossible_multiplier(self.token_multiplier)
        if wrong is None and not math.isfinite(whole.flops):
            wrong = "its FLOPs are too large for a number"
        if wrong:
            raise ValueError(wrong)

    def budget(self) -> TrainingBudget:
        """C, N and D of a target given by numbers."""
        return complete_budget(self.flops, self.params, self.tokens, self.token_multiplier)


class ReferenceSettings(Strict):
    """``references``: other models, for the step from loss to accuracy only; older, larger, of other data."""

    families: Patterns = Field(
        default=(), description="families of the same table that are reference models; they do not count as the ladder"
    )
    files: tuple[DataSettings, ...] = Field(
        default=(), description="tables of reference models, each with source and path"
    )
    loss: str | None = Field(
        default=None,
        min_length=1,
        description="also use this loss per token; set it only if ladder and reference models share tokenizer and text",
    )

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not self.families and not self.files:
            raise ValueError("names no models; give families of the table, or files")
        return self


class NotifySettings(Strict):
    """``reevaluate.notify``: who hears of a new condition, and of one that cleared."""

    urls: Annotated[tuple[str, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        default=(), description="apprise URLs (mailto://, slack://, …); $NAME is replaced from the environment"
    )
    command: tuple[str, ...] = Field(
        default=(),
        description="program and arguments, run in the config's folder; message on stdin, status in $BENCHCAST_STATUS",
    )
    timeout: float = Field(default=60, gt=0, description="seconds until the command is ended")


class ReevaluateSettings(Strict):
    """``reevaluate``: the nightly pass."""

    folder: Path = Field(
        default=Path("nightly"), description="folder for history, status, reports, log, register and lock"
    )
    track: dict[str, str] = Field(
        default={},
        description="planned target (by name, with params and tokens) to the run in the scores that is this target",
    )
    recipe: str | None = Field(default=None, description="recipe whose forecast is tracked; left out: the first one")
    points: int = Field(default=16, ge=2, description="number of training lengths at which the band is registered")
    earliest: float = Field(default=0.02, gt=0, lt=1, description="the band begins at this share of the planned tokens")
    false_alarms: float = Field(
        default=0.05, gt=0, lt=1, description="probability of at least one false alarm over the whole run"
    )
    shift: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="smallest change of accuracy that matters, as a fraction (0.02 = 2 points)",
    )
    max_hours: float | None = Field(
        default=None, gt=0, description="after so many hours a pass begins no further checkpoint"
    )
    max_checkpoints: int | None = Field(
        default=None, ge=1, description="most checkpoints scored in one pass, newest first"
    )
    nice: int = Field(
        default=10, ge=0, le=19, description="niceness of the process: 19 leaves the most CPU time to others"
    )
    notify: NotifySettings = NotifySettings()


def _weighed(value: object) -> object:
    """YAML reads {gsm8k exact_match,strict-match: 1} as two names, the first without a weight."""
    if isinstance(value, dict) and (bare := [name for name, weight in value.items() if weight is None]):
        raise ValueError(f"{bare[0]!r} has no weight (put a name with a comma in quotes)")
    return value


Average = Annotated[Patterns | dict[str, Positive], BeforeValidator(_weighed)]


class Config(Strict):
    """A Benchcast config file."""

    title: str = Field(default="Benchmark forecast", min_length=1, description="title of the report")
    data: DataSettings
    runs: RunsSettings = RunsSettings()
    targets: tuple[Target, ...] = Field(
        min_length=1, description="runs to forecast; page one is about the first planned one"
    )
    recipes: tuple[AnyRecipe, ...] = Field(
        default=USUAL_RECIPES,
        min_length=1,
        description="left out: auto, and the published recipes that the data allow; a list: exactly these",
    )
    references: ReferenceSettings | None = None
    tasks: Patterns = Field(default=("*",), description="tasks to forecast: names or shell patterns")
    averages: dict[str, Average] = Field(
        default={}, description="averages to forecast as well: a name, with patterns of tasks or a weight per task"
    )
    metric: Metrics = Field(
        default="auto",
        description="auto: acc_norm or acc, else the score that a task has; or patterns, such as exact_match*",
    )
    level: float = Field(default=0.9, gt=0.5, lt=1.0, description="probability that the interval holds the score")
    documents: bool | None = Field(
        default=None, description="use the scores of single documents; left out: where there are any"
    )
    figures: int = Field(default=24, ge=0, description="draw figures of at most so many (family, task) pairs")
    out: Path = Field(default=Path("out"), description="folder for the report; --out on the command line replaces it")
    score: ScoreSettings | None = None
    reevaluate: ReevaluateSettings | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The patterns of ``metric``."""
        return (self.metric,) if isinstance(self.metric, str) else self.metric

    @property
    def names_recipes(self) -> bool:
        """Whether the recipes are the user's choice; else those that the data do not allow are left out."""
        return "recipes" in self.model_fields_set

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        # Two planned runs of one name are found where the names of the table are known.
        lists: dict[str, list[Any]] = {"targets": [t.run or i for i, t in enumerate(self.targets)]}
        for name, entries in (lists | {"recipes": list(self.recipes)}).items():
            for i, one in enumerate(entries):
                if (first := entries.index(one)) < i:
                    raise ValueError(f"{name}[{i}]: repeats {name}[{first}]; keep one of them")
        return self

    @model_validator(mode="after")
    def _references_are_used(self) -> Self:
        if self.references is not None and not any(recipe.takes_references for recipe in self.recipes):
            takers = ", ".join(name for name, settings in RECIPES.items() if settings.takes_references)
            raise ValueError(f"references: none of the recipes takes them; add one of {takers}, or remove the key")
        return self

    @model_validator(mode="after")
    def _tracked_are_planned(self) -> Self:
        planned = {t.name: t for t in self.targets if t.name is not None}
        for name, run in (self.reevaluate.track if self.reevaluate else {}).items():
            if name not in planned:
                raise ValueError(f"reevaluate.track: {name!r} is not a target with a name (name, params and tokens)")
            if name == run:
                raise ValueError(f"reevaluate.track: {name!r}: a planned target needs another name than its run")
            if planned[name].budget().params is None:
                raise ValueError(f"reevaluate.track: target {name!r} needs params and tokens")
        wanted = self.reevaluate.recipe if self.reevaluate else None
        if wanted is not None and wanted not in [r.name for r in self.recipes]:
            raise ValueError(f"reevaluate.recipe: {wanted!r} is none of the config's recipes")
        return self


class ScoreConfig(Strict):
    """A config for ``benchcast score``: only its ``score`` section is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: ScoreSettings


def given(config: T | Mapping[str, Any] | str | Path, kind: type[T], base: Path | None) -> tuple[T, Path]:
    """A config however it was given, and the folder its relative paths start from.

    A path is read (its folder is the base); a mapping is validated; what is a config already is taken as it is.

    Raises
    ------
    FaultsError
        With every fault.
    """
    if isinstance(config, str | Path):
        return load(Path(config), kind), base or Path(config).resolve().parent
    if isinstance(config, Mapping):
        return _validated(Path("config"), kind, dict(config)), base or Path()
    return config, base or Path()


def load(path: Path, kind: type[T], changes: dict[str, Any] | None = None) -> T:
    """Read and validate a config, with ``changes`` of the command line over its top-level keys.

    Raises
    ------
    FaultsError
        With every fault and its YAML path.
    """
    try:
        raw = reading.yaml_of(reading.text(path))
    except UnreadableError as what:
        raise FaultsError([config_faults.no_config(path, f"cannot be read: {what}")]) from None
    if not isinstance(raw, dict):
        raise FaultsError([config_faults.no_config(path, "is not a mapping of keys to values")])
    if path.suffix == ".json" and not raw.keys() & kind.model_fields.keys():
        raise FaultsError([config_faults.no_config(path, "")])
    return _validated(path, kind, raw | (changes or {}))


def _validated(path: Path, kind: type[T], raw: dict[str, Any]) -> T:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        errors = [dict(e) for e in error.errors(include_url=False)]
        # A list whose items are all wrong is not "too short" as well.
        errors = [e for e in errors if not (e["type"] == "too_short" and e["input"])]
        # Few are shown: to guess what each of many wrong keys was meant to be would take minutes.
        faults = [
            config_faults.fault(path, kind, raw, e, guess=i < config_faults.GUESSED) for i, e in enumerate(errors)
        ]
        # A union reports every branch: keep the first complaint about a key.
        raise FaultsError(list({fault.where: fault for fault in reversed(faults)}.values())[::-1]) from None
