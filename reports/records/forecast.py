"""What a run produces, as frozen objects: the machine contract of ``benchcast run --json`` and all the report reads.

``Result.model_json_schema()`` is the exported JSON schema. Accuracies and errors are fractions, losses are in the
unit their ``y_unit`` names, FLOPs and tokens are plain counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, WithJsonSchema

from . import display
from .base import Frozen, Number, Provenance
from .notices import StoredNotice
from .optimum import Optimum
from .quantities import Quantity
from .target import Target

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

# Any name of a recipe that the registry knows; the schema names those that come with the package.
RecipeName = Annotated[str, WithJsonSchema({"enum": ["llama3", "overtraining", "ladder", "auto"], "type": "string"})]


class Baselines(Frozen):
    """What to beat: a one-step law in C, and the largest ladder model's score carried forward."""

    direct: float | None
    carry_forward: float | None


class Alternative(Frozen):
    """What one admissible form says, and how much it counts."""

    form: str
    forecast: Number
    weight: Number


class Forecast(Frozen):
    """One number of one target: accuracy (or mean accuracy) with its prediction interval."""

    recipe: RecipeName
    family: str
    task: str
    target: str = Field(description="the target run's name, or how it was described")
    params: float | None
    tokens: float | None
    flops: float
    forecast: float | None = Field(description="accuracy as a fraction; null when the recipe cannot answer")
    low: float | None
    high: float | None
    level: float = Field(description="nominal coverage of [low, high]")
    metric: str = Field(default="", description="lm-eval's name of the score, a filter after a comma; empty: not known")
    last: int = Field(default=1, description="a score is the mean of a run's last so many checkpoints")
    members: dict[str, float] = Field(default={}, description="of an average: weight by task")
    asked: dict[str, str] = Field(default={}, description="task (or members) with shots and prompt, where known")
    documents: dict[str, Number] = Field(
        default={}, description="task (or members) to how many documents the ladder was measured on, where known"
    )
    versions: dict[str, str] = Field(default={}, description="task (or members) to its version, where known")
    stderr: float | None = Field(description="standard error of the forecast of a new observation")
    status: Literal["ok", "warning", "failed", "refused"] = Field(description="refused: grade D, no number is given")
    notes: tuple[StoredNotice, ...]
    baselines: Baselines
    actual: float | None = Field(description="the measured score; null when unknown")
    chance: float | None = None
    middle: float | None = Field(default=None, description="forecast of the middle quantity (loss or NLL)")
    middle_actual: float | None = None
    grade: Literal["A", "B", "C", "D"] | None = Field(default=None, description="auto only: what it may be trusted for")
    reasons: tuple[StoredNotice, ...] = Field(default=(), description="why that grade")
    codes: tuple[str, ...] = Field(default=(), description="warnings by name: the codes of the notes that show theirs")
    inflation: float | None = Field(default=None, description="interval in multiples of the forms' own spread")
    tested_ratio: float | None = Field(default=None, description="largest extrapolation ratio in the backtest")
    alternatives: tuple[Alternative, ...] = Field(default=(), description="what every form says: specification curve")

    def __repr__(self) -> str:
        number = "no number" if self.forecast is None else f"{100 * self.forecast:.1f} %"
        if self.forecast is not None and self.low is not None and self.high is not None:
            number += f" ({100 * self.low:.1f} to {100 * self.high:.1f} with {100 * self.level:.3g} % confidence)"
        grade = f", grade {self.grade}" if self.grade else ""
        return f"<Forecast by {self.recipe}: {self.target} on {self.task}: {number}{grade}>"

    __str__ = __repr__

    @property
    def target_run(self) -> Target:
        """The target as an object."""
        return Target.of(self.target, params=self.params, tokens=self.tokens, flops=self.flops)


class BacktestSummary(Frozen):
    """How a recipe did on the ladder's own runs, forecast from cheaper ones; accuracies as fractions."""

    recipe: RecipeName
    family: str
    task: str = Field(description="empty: over all tasks")
    ratio_low: Number = Field(description="extrapolation ratios from")
    ratio_high: float | None = Field(description="to; null for no end")
    n: int
    error: Number = Field(description="mean absolute error")
    carry_error: Number = Field(description="mean absolute error of carrying the largest score forward")
    coverage: Number
    width: Number = Field(description="median width of the interval")
    interval_score: Number = Field(description="mean Winkler score; smaller is better")
    delta_score: Number = Field(description="the same of the heaviest form's delta-method interval")


class TaskBacktest(Frozen):
    """Single forecasts of the backtest, one per entry: a run of the ladder, forecast from cheaper ones."""

    recipe: RecipeName
    family: str
    task: str
    run: tuple[str, ...]
    ratio: tuple[Number, ...] = Field(description="FLOPs of the run over the largest FLOPs that were fitted")
    forecast: tuple[Number, ...]
    low: tuple[Number, ...]
    high: tuple[Number, ...]
    actual: tuple[Number, ...]


class Registered(Frozen):
    """Whether the forecasts were put on the record before."""

    count: int = Field(description="how many of the forecasts are in the register, to the last digit")
    hash: str = Field(default="", description="of the oldest record that holds one of them")
    time: str = Field(default="", description="when that was: UTC, ISO 8601")


class Diagnostic(Frozen):
    """How a run sits on a law it was fitted on."""

    run: str
    residual: Number = Field(description="in residual standard deviations, on the scale of the fit")
    leverage: Number = Field(description="variance of the curve there over that of the noise; 1: the law follows it")


class Lacking(Frozen):
    """A recipe that the data do not allow, where the config named no recipes."""

    recipe: RecipeName
    reason: StoredNotice
    tasks: tuple[str, ...] = Field(description="for which it gave no number")


class NextRun(Frozen):
    """The run to add to the ladder that is expected to narrow the widest interval of the answer most."""

    family: str
    task: str = Field(description="whose interval it is")
    target: str
    params: float
    tokens: float
    flops: float
    budget: Number = Field(description="FLOPs that the candidates could cost at most")
    shrinks: Number = Field(description="expected share by which the standard error of that forecast falls")


class LawFit(Frozen):
    """One fitted law: what was estimated, how well, and from what."""

    recipe: RecipeName
    family: str
    task: str
    law: str
    formula: str = Field(description="the law in Typst mathematics")
    source: str = Field(description="citation")
    x_unit: str
    y_unit: str
    estimates: dict[str, Number]
    stderrs: dict[str, float | None]
    status: Literal["converged", "bound hit", "abnormal"]
    notes: tuple[StoredNotice, ...]
    n: int
    residual_std: float | None
    diagnostics: tuple[Diagnostic, ...] = Field(default=(), description="of the tasks that get figures")


class PanelPoint(Frozen):
    """One measurement in a panel."""

    x: float
    y: float
    run: str
    role: Literal["fit", "intermediate", "held out", "unused", "reference"]
    group: str = Field(default="", description="e.g. the model size, for colour and marker; a reference's legend")


class Curve(Frozen):
    """A fitted curve on a grid: the estimate, the band of the curve, and the interval of a new observation."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    curve_low: tuple[float, ...]
    curve_high: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class Panel(Frozen):
    """One set of axes: measurements and the law through them."""

    x_label: str
    y_label: str
    x_log: bool
    y_is_accuracy: bool = Field(description="a fraction that is shown in percent: an accuracy or an error")
    x_quantity: Quantity = Field(default=Quantity.UNSTATED, description="which number of a forecast the axis shows")
    y_quantity: Quantity = Field(
        default=Quantity.UNSTATED, description="the same; where it is empty a forecast has no place"
    )
    points: tuple[PanelPoint, ...]
    curves: tuple[Curve, ...]


class Figure(Frozen):
    """The panels of one (recipe, family, task): step one, step two, and the composed forecast."""

    recipe: RecipeName
    family: str
    task: str
    panels: tuple[Panel, ...]


class Sweep(Frozen):
    """Forecasts of planned runs along compute, at a fixed number of tokens per parameter."""

    recipe: RecipeName
    family: str
    task: str
    token_multiplier: float = Field(description="tokens per parameter")
    flops: tuple[float, ...] = Field(description="counted as the ladder's are")
    forecast: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    direct: tuple[float | None, ...] = Field(description="the one-step baseline")


class Scores(Frozen):
    """The last measured score of every run on one task."""

    family: str
    task: str
    metric: str
    chance: float | None
    runs: tuple[str, ...]
    accuracy: tuple[float, ...]


class LadderRun(Frozen):
    """One run of the ladder as the report lists it."""

    run: str
    family: str
    params: float
    tokens: float
    flops: float
    checkpoints: int
    role: Literal["fit", "held out", "unused"]
    lengths: tuple[float, ...] = Field(default=(), description="training tokens of every checkpoint")


class Result(display.DisplayMixin, Frozen):
    """Everything ``benchcast run`` found.

    Printed it is the headline table; a notebook shows it as HTML.
    """

    schema_: Literal["benchcast.run/1"] = Field(default="benchcast.run/1", alias="schema")
    title: str
    forecasts: tuple[Forecast, ...]
    laws: tuple[LawFit, ...]
    figures: tuple[Figure, ...]
    ladder: tuple[LadderRun, ...]
    backtests: tuple[BacktestSummary, ...] = ()
    sweeps: tuple[Sweep, ...] = Field(default=(), description="for the web page's slider; empty when not asked for")
    scores: tuple[Scores, ...] = ()
    trials: tuple[TaskBacktest, ...] = Field(default=(), description="the backtest's single forecasts")
    lacking: tuple[Lacking, ...] = Field(
        default=(), description="recipes that run where none is named, and what of them the data do not allow"
    )
    next_run: NextRun | None = Field(
        default=None, description="the run to add; null: not asked for, or none tells more"
    )
    optima: tuple[Optimum, ...] = Field(default=(), description="the best size for a budget, by validation loss")
    registered: Registered | None = Field(default=None, description="null: no register was asked")
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """The forecasts as a pandas frame, one a row; fractions, not percent."""
        return display.renderer().as_frame(self)

    def plot(self, task: str | None = None, family: str | None = None) -> matplotlib.figure.Figure:
        """The answer as a Matplotlib figure: every task's forecast with its interval; or one task along compute.

        ``family`` is needed where a task was forecast in several.

        Raises
        ------
        BenchcastError
            When the result has no such task, or several families have it.
        """
        return display.renderer().as_figure(self, task, family)

    def write(self, out: str | Path, html: bool = False) -> dict[str, Path]:
        """Typeset the report into a folder; paths by kind: pdf, json, csv, and html when asked for.

        Raises
        ------
        BenchcastError
            When it cannot be typeset, or the place not be written; what was there is untouched.
        """
        return display.renderer().write_report(self, Path(out), html)
