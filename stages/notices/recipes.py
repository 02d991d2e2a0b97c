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
    ("not above chance at the top of the ladder: {score} cannot be forecast from it",),
    anchor="trust.md#the-task-is-at-chance",
)
ASSUMED_ERROR = _Code(
    "assumed-error",
    "the interval has the width of an assumed sampling error, since the scores tell none",
    (
        "the fitted scores leave no uncertainty and say nothing of their sampling error: "
        "one of {points:.0f} points is assumed (give n or stderr)",
    ),
    anchor="methods/intervals.md#what-it-does-not-know",
)
ZERO_LOSS = _Code(
    "zero-loss",
    "the target is so far away that the first law gives it no loss at all",
    ("the first law reaches a loss of zero before the target: far outside its range",),
)
CUT = _Code(
    "cut-at-one",
    "the second law leaves the range of a score before the target",
    ("the curve leaves [0, 1] at the target; the forecast is cut there",),
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
        "{runs:d} runs with a loss for a law of {parameters:d} parameters",
        "{runs:d} runs for {law}'s {parameters:d} parameters",
    ),
    severity=Severity.FAILURE,
)
NO_LOSS = _Code(
    "no-loss-above-zero",
    "a run has a mean loss of zero or less, of which the law's logarithm cannot be taken; it is left out",
    ("no loss above zero",),
    about="run",
)
NO_CHANCE = _Code(
    "no-chance",
    "the score of guessing is not known",
    ("the table gives no chance for this task: the floor is taken as 0",),
    anchor="trust.md#the-task-is-at-chance",
)
FEW_OPTIMAL = _Code(
    "few-optimal-runs",
    "fewer runs are compute-optimal than the line needs; it is fitted on all",
    ("only {optimal:d} compute-optimal runs: the line is fitted on all {runs:d}",),
)
CURVATURE_UNTESTED = _Code(
    "curvature-untested",
    "whether the line is bent cannot be tested",
    ("too few compute-optimal runs to test the line for curvature",),
)
BENT = _Code(
    "bent-line",
    "the loss is bent in log C, where the recipe draws a line",
    ("NLL is not linear in log C on this ladder: the line will forecast the NLL {side}",),
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
    "tasks with an accuracy have other scores too, which are forecast only where `metric` names them",
    ("{tasks}: scores that are there and not forecast: {metrics} (name them under metric to forecast them too)",),
    area="recipes",
    anchor="inputs.md#scores-and-their-names",
    severity=Severity.INFO,
)
