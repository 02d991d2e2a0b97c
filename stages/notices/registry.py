"""What settling registered forecasts has to say."""

from __future__ import annotations

from functools import partial

from .notice import Code

_Code = partial(Code, area="registry", anchor="trust.md#you-looked-first")
_Otherwise = partial(Code, area="registry", anchor="trust.md#the-benchmark-changed")

FEWER_CHECKPOINTS = _Code(
    "fewer-checkpoints",
    "a score is the mean of fewer checkpoints than the forecast was of",
    (
        "{run} has {has:d} of the last {wanted:d} checkpoints that its score is the mean of: "
        "the mean of fewer is noisier",
    ),
    anchor="methods/auto.md#settlement",
)
FITTED_SCORE = _Code(
    "fitted-score",
    "a score was among those that the forecast was fitted on",
    ("{who} was in the table that the forecast was fitted on, so it does not count as a test ({count:d}: {tasks})",),
)
KNOWN_SCORE = _Code(
    "known-score",
    "a score was known before its forecast was registered",
    ("{who} was in the data when the forecast was registered, so its score was known ({count:d}: {tasks})",),
)
UNKNOWN_TABLE = _Code(
    "unknown-table",
    "whether a score was known when its forecast was registered cannot be checked",
    (
        "{forecasts:d} forecasts were registered by an earlier version, which did not record the table they "
        "were fitted on: whether their scores were known then cannot be checked",
    ),
)
PROVES_NOTHING = _Code(
    "proves-nothing",
    "every score was known before, so that settling tests no forecast",
    ("every score was in the data when its forecast was registered: this repeats the report and tests nothing",),
)
OTHER_PLAN = _Otherwise(
    "other-plan",
    "the run is not of the size or length that was forecast",
    ("{run} has {share:.2g} times the {quantity} of {target!r} as forecast: it does not settle it",),
    anchor="methods/auto.md#settlement",
)
PART_OF_DOCUMENTS = _Otherwise(
    "part-of-documents",
    "a score is of a part of the documents that were forecast",
    ("{task} was measured on {documents:g} documents, and forecast of {whole:g}: a part of them does not settle it",),
    about="run",
)
OTHER_VERSION = _Otherwise(
    "other-version",
    "a score is of another version of the task",
    (
        "{task} is version {version} in the table, and was forecast as version {wanted}: "
        "another version does not settle it",
    ),
    about="run",
)
OTHER_QUESTION = _Otherwise(
    "other-question",
    "a score is of other shots or another prompt than was forecast",
    ("{task} was forecast, the table has {has}: other shots or another prompt do not settle it",),
    about="run",
)
