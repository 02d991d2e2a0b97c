"""What the published recipes, and the making of a forecast, have to say."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

_Code = partial(Code, area="recipes", anchor="trust.md#the-recipe-does-not-fit-the-ladder", page_one=1)

NO_FORECAST = _Code(
    "no-forecast",
    "no number could be made",
    ("no forecast: {why}",),
    severity=Severity.FAILURE,
)
NOT_ABOVE_CHANCE = _Code(
    "not-above-chance",
    "the largest runs score no better than guessing",
    ("the largest runs score no better than guessing: {score} cannot be forecast from them",),
    anchor="trust.md#the-task-is-at-chance",
)
ASSUMED_ERROR = _Code(
    "assumed-error",
    "the width of the interval is an assumed sampling error, since the table has none",
    (
        "the law fits the scores exactly, and the table has no sampling error: "
        "one of {points:.0f} points is assumed (add n or stderr to the table)",
    ),
    anchor="methods/intervals.md#what-it-does-not-know",
)
ZERO_LOSS = _Code(
    "zero-loss",
    "the target is so far away that the law of the loss gives a loss of zero",
    ("the law of the loss reaches zero before the target, which is too far away for it",),
)
CUT = _Code(
    "cut-at-one",
    "the law of the score gives less than 0 or more than 1 at the target; the forecast is cut there",
)
NO_COLUMN = _Code(
    "no-loss-column",
    "the table lacks the loss that the recipe goes through",
    ("the table has no {loss} for this task", "the table has no {column}"),
    severity=Severity.FAILURE,
)
SEVERAL_LOSSES = _Code(
    "several-losses",
    "the table has several validation losses and the recipe goes through one: which is not chosen in silence",
    ("the table has several validation losses ({losses}): name one in the config, as loss: of the recipe",),
    severity=Severity.FAILURE,
)
FEW_RUNS = _Code(
    "too-few-runs",
    "fewer runs than the laws of the recipe can be fitted on",
    (
        "fewer than {fewest:d} runs",
        "{runs:d} runs with a loss are too few for a law of {parameters:d} parameters",
        "{runs:d} runs are too few for {law}, which has {parameters:d} parameters",
    ),
    severity=Severity.FAILURE,
)
NO_LOSS = _Code(
    "no-loss-above-zero",
    "its mean loss is zero or less, of which the law takes the logarithm: the run is left out",
    about="run",
)
NO_CHANCE = _Code(
    "no-chance",
    "the score of guessing is not known",
    ("the table has no score of guessing (chance) for this task: the law's lowest score is set to 0",),
    anchor="trust.md#the-task-is-at-chance",
)
FEW_OPTIMAL = _Code(
    "few-optimal-runs",
    "fewer runs are compute-optimal than the line needs; it is fitted on all",
    ("only {optimal:d} compute-optimal runs: the line is fitted on all {runs:d}",),
)
CURVATURE_UNTESTED = _Code(
    "curvature-untested",
    "too few compute-optimal runs to test whether the line is bent",
)
BENT = _Code(
    "bent-line",
    "the loss is not a straight line in log C, as the recipe assumes",
    ("the NLL is not a straight line in log C on this ladder: the recipe's line forecasts it {side}",),
)
REFERENCES = _Code(
    "reference-models",
    "models of other families enter the step from loss to accuracy",
    (
        "{models:d} reference models ({families}) enter the step from {loss} to accuracy, each family with its own "
        "offset in the loss; training data decides where that line lies (arXiv 2502.12120)",
    ),
    anchor="methods/laws.md#reference-models",
    severity=Severity.INFO,
)
REFERENCES_REFUSED = _Code(
    "references-refused",
    "reference models are not used with a loss that another tokenizer would change",
    (
        "the reference models are not used: {loss} is counted per token, so another tokenizer changes it; with the "
        "same tokenizer and text name it under references.loss",
    ),
    anchor="methods/laws.md#reference-models",
)
REFERENCES_LACKING = _Code(
    "references-lacking",
    "no reference model has the loss and a score of the task",
    ("the reference models are not used: none has {loss} and a score of this task, asked as the ladder was",),
    anchor="methods/laws.md#reference-models",
)
LAW_RAISED = _Code(
    "law-refused",
    "a law refused the ladder's data, so no path goes through it",
    ("could not be fitted: {error}",),
    anchor="methods/auto.md#candidates",
    severity=Severity.INFO,
    about="law",
)
METRICS_NOT_FORECAST = Code(
    "metrics-not-forecast",
    "a task with an accuracy has other scores too; they are forecast only if `metric` names them",
    ("{tasks}: has scores that are not forecast: {metrics} (name them under metric to forecast them too)",),
    area="recipes",
    anchor="inputs.md#scores-and-their-names",
    severity=Severity.INFO,
)
