"""What the readers of tables and results decided, and where two statements of one fact do not agree."""

from __future__ import annotations

from functools import partial

from .notice import Code, Severity

# What a rule decided on, and two statements of one fact that may mean that a number is wrong.
_Rule = partial(Code, area="readers", anchor="inputs.md#what-a-number-belongs-to", severity=Severity.INFO)
_Doubt = partial(Code, area="readers", anchor="inputs.md#what-a-number-belongs-to")

# ---- tables ----

SEPARATED = _Rule(
    "separator",
    "the cells of a file are not separated by commas",
    ("{file} is separated by {separator}, not by commas", "separated by {separator}, not by commas"),
    anchor="inputs.md#sources",
)
REPEATED = _Rule(
    "repeated-rows",
    "rows that repeat others count once",
    (
        "{rows:d} rows of {file} repeat others, and count once",
        "{repeated:d} of {rows:d} rows repeat others and count once (rows {names})",
    ),
    anchor="inputs.md#what-is-left-out",
    about="file",
)
FEWER_DOCUMENTS = _Rule(
    "fewer-documents",
    "of several rows of one score, the one of the most documents is used",
    ("{rows:d} rows of {file} are of fewer documents (n) than another row of the same score, which is used",),
    anchor="inputs.md#what-is-left-out",
)
WHERE = _Rule(
    "where",
    "the config keeps some of the rows",
    ("where keeps {kept:d} of {rows:d} rows",),
    anchor="inputs.md#what-is-left-out",
    about="file",
)
UNPAIRED = _Doubt(
    "unpaired",
    "scores and losses of a run lie at different tokens",
    (
        "scores and losses of {apart:d} of {both:d} runs lie at different tokens and are not paired "
        "(run {run!r}: {score:.9g} and {loss:.9g}); a law from loss to accuracy cannot use them",
    ),
    anchor="inputs.md#clocks-and-units",
)
ODD_RATIO = _Doubt(
    "odd-ratio",
    "no run has a usual number of tokens per parameter",
    (
        "all runs have {least:.3g} to {most:.3g} tokens per parameter, usual are {low:g} to {high:g}: "
        "are both plain counts?",
    ),
    anchor="inputs.md#clocks-and-units",
    about="file",
)
OTHER_FLOPS = _Doubt(
    "flops-not-6nd",
    "the FLOPs of a table are not 6·params·tokens",
    (
        "its FLOPs are {low:.3g} to {high:.3g} times 6·params·tokens (median {median:.3g}): the fitted law and the "
        "published ones count 6ND, the isoFLOP analysis as the table does",
    ),
    anchor="inputs.md#clocks-and-units",
    about="file",
)
NO_TOKENS = _Rule(
    "tokens-from-flops",
    "a table has FLOPs and no tokens, which follow from them",
    (
        "{file} has no tokens: they are computed as C / 6N",
        "{table} has no tokens: they are computed as C / 6N, as if its FLOPs were 6ND",
    ),
    anchor="inputs.md#clocks-and-units",
)
NO_ISOFLOP = _Rule(
    "no-isoflop",
    "the runs are no sweep at equal compute",
    (
        "no isoFLOP analysis: {error}",
        "no isoFLOP analysis: the table has several rows of a run, not finished runs only",
        "no isoFLOP analysis: {budgets:d} budgets have three or more model sizes, {least:d} are needed",
    ),
    anchor="methods/planning.md#isoflop",
)
NO_ENVELOPE = _Rule(
    "no-envelope",
    "the training curves have no envelope",
    ("no envelope of the training curves: {error}",),
    anchor="methods/planning.md#the-choices-matter-more-than-the-interval",
)

# ---- ladder.yaml ----

IDLE_PLACES = _Doubt(
    "idle-places",
    "a pattern of ladder.yaml matches no run",
    ("these patterns match no run: {patterns}",),
    about="file",
)
SEVERAL_PLACES = _Rule(
    "several-places",
    "several patterns of ladder.yaml match a run; the first is used",
    ("{file}: run {run!r} matches several patterns; the first, {pattern!r}, is used (also {others})",),
)
SHORT_RUN = _Doubt(
    "short-run",
    "a run ends before the tokens that ladder.yaml gives it",
    ("run {run!r} ends at {last:.9g} tokens here; {file} says {tokens:.9g} for the whole run",),
    anchor="inputs.md#clocks-and-units",
)
SEVERAL_MODELS = _Doubt(
    "several-models",
    "several models have the same run and step",
    ("{file} gives several models the same run and step: {models}",),
)
NAMES_DIFFER = _Doubt(
    "names-differ",
    "names of models say another step or other tokens than ladder.yaml",
    ("the names of {models:d} models say another step or other tokens than {file}, which is used: {names}",),
    anchor="inputs.md#names-of-models",
)
PARAMS_DIFFER = _Doubt(
    "params-differ",
    "two statements of a model's parameters do not agree",
    (
        "params in {file} and in the results differ for {models:d} models, by more than embeddings can; "
        "those of {file} are used: {names}",
        "params {params:g} in {file}, but {stated:g} in its results: {file} is used",
        "params: {told}; the first is used: check whether embeddings are in it",
        "params {params:g} of {file} is used ({why})",
        "{file} says {params:g} parameters, {config} has {own:.9g} with embeddings; {file} is used",
        "its params are {params:.9g} by {who}, {own:.9g} by config.json (with embeddings); the first is used",
    ),
    about="model",
)
PARAMS_UNCONFIRMED = _Rule(
    "params-unconfirmed",
    "a model's own files do not tell its parameters",
    ("its params are {params:.9g} by {who}; config.json is of no architecture that could confirm it",),
    about="model",
)
RECORD_DIFFERS = _Doubt(
    "record-differs",
    "a record says another step or other tokens than ladder.yaml",
    ("{file} says {quantity} {own:g}, its record {said:g}; {file} is used",),
    about="record",
)

# ---- results of lm-eval and lighteval ----

MODELS_DIFFER = _Doubt(
    "models-differ",
    "a result names two models",
    ("model_name and model_args of {results:d} results say different models: {names}",),
    anchor="inputs.md#names-of-models",
)
SHOTS_DIFFER = _Doubt(
    "shots-differ",
    "a result states two numbers of shots",
    ("n-shot and the task's own num_fewshot differ for {results:d} results; n-shot is used: {names}",),
    anchor="inputs.md#what-was-asked-differently",
)
LAMBADA = _Rule(
    "lambada",
    "LAMBADA's perplexity is read as a loss",
    ("LAMBADA's perplexity counts as a loss: its logarithm, nats per target word (metric val_loss)",),
    anchor="inputs.md#clocks-and-units",
)
NO_SAMPLES = _Rule(
    "no-samples",
    "results without samples have accuracies and no loss",
    ("{lacking:d} of {cells:d} cells have no NLL, since no samples were logged ({tasks})",),
    anchor="inputs.md#sources",
)
PART_OF_TASK = _Doubt(
    "part-of-task",
    "scores are of a part of their task's documents",
    (
        "{partial:d} of {results:d} results are of a part of the documents only, so their sampling error is large: "
        "{names}",
    ),
    anchor="inputs.md#what-was-asked-differently",
)
TOO_MANY_DOCUMENTS = _Doubt(
    "too-many-documents",
    "a result says that it is of more documents than there are",
    ("{results:d} results say that they are of more documents than their task has: {names}",),
    anchor="inputs.md#bounds",
)
CHANCE_LOOKED_UP = _Rule(
    "chance-looked-up",
    "the score of guessing is from Benchcast's own table",
    ("the results state no score of guessing for {names}; it comes from Benchcast's table",),
    anchor="trust.md#the-task-is-at-chance",
)
CHANCE_UNKNOWN = _Rule(
    "chance-unknown",
    "the score of guessing is not known",
    (
        "no score of guessing is known for {names}",
        "task {task} is not in eval_metadata.csv: its chance level and number of documents are unknown",
    ),
    anchor="trust.md#the-task-is-at-chance",
)
SEVERAL_SUITES = _Rule(
    "several-suites",
    "several suites have a task of one name",
    ("several suites have task {task}; they count as different tasks: {suites}",),
    anchor="inputs.md#what-was-asked-differently",
)

# ---- Every Eval Ever ----

OTHER_SCHEMA = _Rule(
    "other-schema",
    "records are of another version of their schema",
    ("records of schema {version} are read as schema {known}",),
    anchor="inputs.md#sources",
)
EXACT_MATCH = _Rule(
    "exact-match",
    "an exact match is an accuracy",
    ("exact_match of Every Eval Ever records is read as acc",),
    anchor="inputs.md#clocks-and-units",
)
SCALED = _Rule(
    "scaled-scores",
    "scores are divided by the highest there is",
    ("scores whose max_score is {scale:g} are divided by it",),
    anchor="inputs.md#clocks-and-units",
)

# ---- logs of trainers ----

TOKENS_DIFFER = _Doubt(
    "tokens-differ",
    "two statements of a checkpoint's tokens do not agree",
    (
        "the trainer counted {counted:.9g} tokens by step {step:g}, tokens_per_step of {file} gives {expected:.9g}; "
        "the trainer's count is used",
        "{column} is {tokens:.9g} in line {line}, {step} times {batch} is {product:.9g}; {column} is used",
    ),
    anchor="inputs.md#clocks-and-units",
    about="run",
)
BATCH_CHANGED = _Doubt(
    "batch-changed",
    "the tokens of a step changed during a run",
    (
        "run {run!r} has {first:.6g} tokens a step up to step {early:g} and {last:.6g} up to step {late:g}: "
        "the batch size changed, or the trainer began to count later",
        "run {run!r} was trained with batch sizes {sizes} per device (train_batch_size of its states): "
        "its steps may be of different numbers of tokens",
    ),
    anchor="inputs.md#clocks-and-units",
)
MEASURED_TWICE = _Doubt(
    "measured-twice",
    "a loss was measured twice at one step",
    (
        "{key} at step {step:g} was measured twice, {first:.9g} and {second:.9g}; the first is used",
        "the second {key} at step {step:g} is that of the best checkpoint, loaded at the end; the first is used",
    ),
    about="run",
)
WANDB_STEPS = _Doubt(
    "wandb-steps",
    "which column of an export counts the steps",
    (
        "steps are {steps!r}, which W&B may count by logged lines: check them",
        "steps are {steps!r}, not {others}",
    ),
    anchor="inputs.md#clocks-and-units",
    about="file",
)
WANDB_TOKENS = _Rule(
    "wandb-tokens",
    "which column of an export counts the tokens",
    ("tokens are {tokens!r}, as logged",),
    anchor="inputs.md#clocks-and-units",
    about="file",
)
RUN_TWICE = _Rule(
    "run-twice",
    "a run appears twice in an export",
    ("run {run!r} appears twice with the same values, and counts once",),
    anchor="inputs.md#what-is-left-out",
    about="file",
)

# ---- checkpoints that are scored ----

SPELLED_TWICE = _Doubt(
    "spelled-twice",
    "two names of runs are one number",
    ("runs {names} are one number, written in two ways; they count as two runs",),
    anchor="inputs.md#names-of-models",
)

# ---- a config that is written from results ----

STEP_DIFFERS = _Doubt(
    "step-differs",
    "two statements of a checkpoint's step do not agree",
    ("step: {told}; the first is used",),
    about="model",
)
COUNTED_DIFFERENTLY = _Doubt(
    "params-counted-differently",
    "parameters of the models come from several sources, which may count embeddings differently",
    ("parameters come from several sources ({told}): check that all include embeddings, or none",),
)
LADDER_KEPT = _Rule(
    "ladder-kept",
    "a ladder.yaml exists already",
    ("exists already and is used unchanged",),
    about="file",
)
UNUSED_OPTION = _Rule(
    "unused-option",
    "an option of the command line is not used",
    ("{options}: not used, since {why}",),
)
BARE_MULTIPLIER = _Rule(
    "bare-multiplier",
    "a number in the names was read as tokens per parameter",
    (
        "{names} in the names was read as tokens per parameter (of Chinchilla's {chinchilla:g} tokens per parameter "
        "it would be {times:g} times as many: then correct tokens in ladder.yaml)",
    ),
    anchor="inputs.md#names-of-models",
)
UNFINISHED = _Rule(
    "unfinished-run",
    "the last step of a run counts as an earlier checkpoint, not as its end",
    (
        "the last step of {runs} saw fewer tokens than --token-multiplier says, and counts as an earlier "
        "checkpoint of a longer run",
    ),
    anchor="inputs.md#clocks-and-units",
)
LAST_STEP = _Rule(
    "last-step",
    "tokens of earlier steps are computed from those of the last",
    ("--token-multiplier holds for the end of a run: its last step in these results counts as the end",),
    anchor="inputs.md#clocks-and-units",
)
OPTION_DIFFERS = _Doubt(
    "option-differs",
    "an option of the command line contradicts what the models state",
    ("{option} {given:.10g} contradicts {models:d} of the models; what they state themselves is used: {told}",),
)

# ---- planned targets ----

TARGET_SCALE = _Doubt(
    "target-scale",
    "a planned target is so far from the fitted runs that its numbers may be in another unit",
    (
        "{flops:.3g} FLOPs are {fewer:.3g} times fewer than the smallest fitted run's; "
        "are its numbers in the table's units?",
        "{flops:.3g} FLOPs are {times:.3g} times the largest fitted run's; are its numbers in the table's units?",
    ),
    anchor="inputs.md#clocks-and-units",
    about="target",
)
TARGET_RATIO = _Doubt(
    "target-ratio",
    "a planned target has tokens per parameter unlike any fitted run: its numbers may be in another unit",
    (
        "{ratio:.3g} tokens per parameter, the fitted runs {low:.3g} to {high:.3g}; "
        "are its numbers in the table's units?",
    ),
    anchor="inputs.md#clocks-and-units",
    about="target",
)
TARGET_CONVENTION = _Doubt(
    "target-convention",
    "the FLOPs of a planned target are not 6·params·tokens, but those of the ladder are",
    (
        "its FLOPs are {factor:.3g} times 6·params·tokens, the ladder's are 6·params·tokens: "
        "laws in FLOPs and laws in params and tokens forecast different runs",
    ),
    anchor="inputs.md#clocks-and-units",
    about="target",
)
DOCUMENTS_UNUSED = _Rule(
    "documents-unused",
    "the scores of a task's documents are not enough to forecast from",
    ("no fitted run has scores of this task's documents", "the documents cannot be used: {error}"),
    anchor="inputs.md#documents",
    about="task",
)
