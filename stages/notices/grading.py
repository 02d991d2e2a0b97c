"""Warnings of ``auto`` by name, reasons of a grade, and how the scores of a task came about."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

_Code = partial(Code, area="grading", page_one=1)
# Scores that came about differently are no one measurement: that comes first.
_Mixed = partial(Code, area="grading", anchor="trust.md#the-scores-were-not-asked-alike", page_one=0)

# ---- the task's signal ----

AT_CHANCE = _Code("at-chance", "the largest runs do not score above chance", anchor="trust.md#the-task-is-at-chance")
NO_TREND = _Code(
    "no-trend", "the score does not rise with compute", anchor="trust.md#the-score-is-not-smooth-in-the-loss"
)
INVERSE_SCALING = _Code(
    "inverse-scaling", "the score falls as compute grows", anchor="trust.md#the-score-is-not-smooth-in-the-loss"
)
U_SHAPED = _Code(
    "u-shaped", "the score falls and rises again with compute", anchor="trust.md#the-score-is-not-smooth-in-the-loss"
)
FEW_POINTS = _Code(
    "few-points", "few runs: hardly more than the laws have parameters", anchor="methods/auto.md#candidates"
)

# ---- the target ----

FAMILY_CHANGE = _Code(
    "family-change",
    "the target belongs to another family (data or recipe) than the ladder: this can shift its score",
    ("the target belongs to family {family!r}, the fitted runs to {fitted!r}: this can shift its score",),
    anchor="trust.md#the-target-is-trained-differently",
)
ANNEALING = _Code(
    "annealing",
    "the target's learning rate was annealed at the end; whether the ladder's was is not known",
    anchor="trust.md#the-target-is-trained-differently",
)
MIXED_FLOPS = _Code(
    "mixed-flops",
    "the FLOPs of target and ladder are counted differently",
    ("the target's FLOPs are counted as {target}, the ladder's as {ladder}",),
    anchor="trust.md#the-target-is-trained-differently",
)
WITHIN_LADDER = _Code(
    "within-ladder",
    "the target has no more compute than the ladder's largest run: this tests no extrapolation",
    anchor="methods/auto.md#backtest",
)

# ---- the fits and the backtest ----

UNTESTED = _Code(
    "untested",
    "the ladder has too few runs or budgets for a backtest: no forecast on it could be tested",
    anchor="trust.md#the-target-is-far-beyond-what-was-tested",
)
BEYOND_TESTED = _Code(
    "beyond-tested",
    "the target is farther beyond the ladder, in size or in training length, than any forecast of the backtest",
    (
        "the target has {ratio:.1f} times the ladder's {axis}, and the backtest reached {tested:.1f} times",
        "{ratio:.0f}x beyond the ladder, tested up to {tested:.0f}x",  # of compute, as earlier versions said it
    ),
    summary="the target is farther beyond the ladder than the backtest reached",
    anchor="trust.md#the-target-is-far-beyond-what-was-tested",
)
NO_SKILL = _Code(
    "no-skill",
    "in the backtest the forecast was no better than the largest run's score carried forward",
    anchor="methods/auto.md#grades",
)
BOUND_HIT = _Code(
    "bound-hit",
    "most of the forecast comes from laws whose fit stopped at a limit: the runs do not determine them",
    anchor="methods/laws.md#fitting",
)
LEVERAGE = _Code(
    "leverage",
    "fitted without the largest runs, the forecast would lie outside its interval",
    anchor="methods/auto.md#backtest",
)

CHECKPOINTS_STAND_IN = _Code(
    "checkpoints-stand-in",
    "few runs, or runs of one length, so checkpoints count as shorter runs: wrong if the learning rate was decayed",
    summary="checkpoints count as shorter runs",
    anchor="methods/auto.md#thin-ladders",
)

ESTIMATED_SCORES = Code(
    "estimated-scores",
    "scores of the task are estimated from some of its documents; their standard errors include the error of that",
    (
        "estimated from {asked:d} of {total:d} documents, {how}; the standard errors include the error of that",
        "scores {whose} are estimated from some of the task's documents ({parts}); "
        "their standard errors include the error of that",
    ),
    area="grading",
    anchor="methods/subset.md#what-the-table-says",
    severity=Severity.INFO,
    page_one=1,
    about="task",
)

AVERAGE_BOTH_WAYS = Code(
    "average-both-ways",
    "an average is forecast half from its own scores and half as the mean of its tasks' forecasts",
    area="grading",
    anchor="methods/auto.md#averages",
    severity=Severity.INFO,
)

# ---- how the scores came about ----

MIXED_TASK_VERSIONS = _Mixed(
    "mixed-task-versions",
    "the task was scored in different versions",
    ("the task was scored in different versions: {mixed}",),
)
MIXED_HARNESS = _Mixed(
    "mixed-harness",
    "the scores come from different versions of lm-eval",
    ("the scores come from different versions of lm-eval: {mixed}",),
)
MIXED_CHAT_TEMPLATES = _Mixed(
    "mixed-chat-templates",
    "the questions were put in different chat templates",
    ("the questions were put in different chat templates: {mixed}",),
)
MIXED_TOKENIZERS = _Mixed(
    "mixed-tokenizers",
    "the models have different tokenizers",
    ("the models have different tokenizers: {mixed}",),
)
MIXED_DTYPES = _Mixed(
    "mixed-dtypes",
    "the weights were scored in different precisions",
    ("the weights were scored in different precisions: {mixed}",),
)

# ---- reasons of a grade ----

_Reason = partial(Code, area="grading", anchor="methods/auto.md#grades", page_one=1)

REFUSED = Code(
    "refused",
    "grade D: a forecast from this ladder could not be trusted, so none is given",
    ("not forecastable from this ladder: {reasons}",),
    area="grading",
    anchor="methods/auto.md#grades",
    severity=Severity.FAILURE,
)  # page one says why instead
EXPECTED_MISS = Code(
    "expected-miss",
    "how far the forecast is expected to miss",
    ("expected to miss by {points:.1f} points",),
    area="grading",
    anchor="methods/auto.md#grades",
    severity=Severity.INFO,
)
STAYS_NEAR_CHANCE = _Reason(
    "stays-near-chance",
    "the largest runs score no better than guessing, so the ladder does not show when the task is learned",
    ("the largest runs stay near chance, so the ladder does not show when the task is learned",),
    summary="the largest runs stay near chance",
)
NEVER_RIGHT = _Reason(
    "never-right",
    "every run scores zero, as guessing does, so this metric does not show when the task is learned",
    ("every run of the ladder scores zero, so this metric does not show when the task is learned",),
    summary="every run of the ladder scores zero",
    anchor="trust.md#every-score-is-zero",
)
GOLD_LOSS = Code(
    "gold-loss",
    "what can be forecast where scores are zero or few: the loss of the reference answers",
    (
        "the reference answers' loss is forecast at {loss:.3f} bits per byte ({low:.3f} to {high:.3f} for a new run; "
        "largest run {last:.3f})",
    ),
    area="grading",
    anchor="trust.md#every-score-is-zero",
    severity=Severity.INFO,
)
WIDE_INTERVAL = _Reason(
    "wide-interval",
    "the interval is too wide to say anything",
    ("the interval is {points:.0f} points wide",),
    summary="the interval is too wide",
)
BACKTEST_MISS = _Reason(
    "backtest-miss",
    "forecasts at this distance missed by too much in the backtest",
    ("forecasts at this distance missed by {points:.0f} points in the backtest",),
    summary="forecasts at this distance missed by too much in the backtest",
)
BASELINE_AS_GOOD = _Reason(
    "baseline-as-good",
    "in the backtest the largest run's score carried forward missed by no more",
    ("missed by {points:.1f} points in the backtest; the largest run's score carried forward missed by {carried:.1f}",),
    summary="in the backtest no better than the largest run's score carried forward",
)
FEW_RUNS = _Reason(
    "few-runs",
    "the ladder has few runs, so its backtest is short",
    ("only {runs:d} runs",),
    summary="fewer than 10 runs",
)
FEW_DOCUMENTS = _Reason(
    "few-documents",
    "the task has so few documents that its scores are imprecise",
    ("only {documents:.0f} documents",),
    summary="fewer than 100 documents",
    anchor="trust.md#few-documents",
)
