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
FEW_POINTS = _Code("few-points", "few runs for the number of parameters", anchor="methods/auto.md#candidates")

# ---- the target ----

FAMILY_CHANGE = _Code(
    "family-change",
    "the target is of another family (data or recipe) than the ladder",
    ("the target is of family {family!r}, the laws were fitted on {fitted!r}",),
    anchor="trust.md#the-target-is-trained-differently",
)
ANNEALING = _Code(
    "annealing",
    "the target was annealed; whether the ladder's runs were is not known",
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
    "the target is within the ladder's compute, not beyond it",
    anchor="methods/auto.md#backtest",
)

# ---- the fits and the backtest ----

UNTESTED = _Code(
    "untested",
    "the ladder is too short to test any forecast on it",
    anchor="trust.md#the-target-is-far-beyond-what-was-tested",
)
BEYOND_TESTED = _Code(
    "beyond-tested",
    "the target is farther beyond the ladder, in size or in length, than anything the backtest tried",
    (
        "{ratio:.1f}x the ladder's {axis}, tested up to {tested:.1f}x",
        "{ratio:.0f}x beyond the ladder, tested up to {tested:.0f}x",  # of compute, as earlier versions said it
    ),
    summary="farther beyond the ladder, tested less far",
    anchor="trust.md#the-target-is-far-beyond-what-was-tested",
)
NO_SKILL = _Code(
    "no-skill",
    "in the backtest the forecast was no better than the largest score carried forward",
    anchor="methods/auto.md#grades",
)
BOUND_HIT = _Code(
    "bound-hit", "most of the weight is on laws with a parameter at its bound", anchor="methods/laws.md#fitting"
)
LEVERAGE = _Code(
    "leverage",
    "without the largest runs the forecast would lie outside its interval",
    anchor="methods/auto.md#backtest",
)

CHECKPOINTS_STAND_IN = _Code(
    "checkpoints-stand-in",
    "checkpoints stand for shorter runs, as the runs are few or of one length: wrong where the learning rate falls",
    summary="checkpoints stand for shorter runs",
    anchor="methods/auto.md#thin-ladders",
)

ESTIMATED_SCORES = Code(
    "estimated-scores",
    "scores of the task are estimated from some of its documents; the error of that is in their standard errors",
    (
        "estimated from {asked:d} of {total:d} documents, {how}; the error of that is in the standard errors",
        "scores {whose} are estimated from some of the task's documents ({parts}); "
        "the error of that is in their standard errors",
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
    "the grade is D: the ladder gives no ground for a number, and none is given",
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
    "the largest runs score no better than guessing: when the task is learned cannot be seen",
    ("the largest runs stay near chance: when the task is learned cannot be seen",),
    summary="the largest runs stay near chance",
)
NEVER_RIGHT = _Reason(
    "never-right",
    "guessing scores nothing and so does every run: when the task is learned cannot be seen from this metric",
    ("no run of the ladder ever scores: when the task is learned cannot be seen from this metric",),
    summary="no run of the ladder ever scores",
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
    "the interval says nothing",
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
    "in the backtest the largest score carried forward missed by no more",
    ("missed by {points:.1f} points in the backtest, the largest score carried forward by {carried:.1f}",),
    summary="missed by no less in the backtest than the largest score carried forward",
)
FEW_RUNS = _Reason(
    "few-runs",
    "the ladder has so few runs that its backtest is short",
    ("only {runs:d} runs",),
    summary="fewer than 10 runs",
)
FEW_DOCUMENTS = _Reason(
    "few-documents",
    "the task has so few questions that no score of it is exact",
    ("only {documents:.0f} documents",),
    summary="fewer than 100 documents",
    anchor="trust.md#few-documents",
)
