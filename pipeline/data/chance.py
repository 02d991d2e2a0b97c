"""Scores of guessing for well-known tasks, for results that do not tell how many choices there were.

One divided by the number of choices, or 0 where the answer is not chosen among some. Tasks whose number of choices
differs from document to document (such as truthfulqa_mc1) are not in the table, nor is truthfulqa_mc2, whose score is a
share of probability: what a model gives that knows nothing depends on how long the answers are. Names are lm-eval's;
patterns of the shell stand for families of tasks.

An answer that is generated is no guess, and its level is 0; but where it is the letter of a choice, as in MMLU-Pro by
generation (up to ten letters; arXiv 2406.01574), a model that has learnt the form and nothing else is right by
chance, and that is the level of guessing. One that has not learnt the form scores below it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

BY_CHOICE = (
    "acc",
    "acc_norm",
    "acc_norm_token",
    "acc_bytes",
    "acc_mutual_info",
)  # metrics of the best of given answers

# The first pattern that fits counts.
LEVELS: Mapping[str, float] = {
    # free answers
    "lambada*": 0.0,
    "gsm8k*": 0.0,
    "asdiv*": 0.0,
    "triviaqa*": 0.0,
    "nq_open*": 0.0,
    "squad*": 0.0,
    "drop*": 0.0,
    "minerva_math*": 0.0,
    "webqs*": 0.0,
    "humaneval*": 0.0,
    "mbpp*": 0.0,
    "coqa*": 0.0,
    "ifeval*": 0.0,
    "hendrycks_math*": 0.0,
    "aime*": 0.0,
    # two choices
    "piqa*": 0.5,
    "winogrande*": 0.5,
    "boolq*": 0.5,
    "copa*": 0.5,
    "xcopa*": 0.5,
    "wsc*": 0.5,
    "xwinograd*": 0.5,
    "rte": 0.5,
    "glue_rte": 0.5,
    "sglue_rte": 0.5,
    "wic": 0.5,
    "multirc": 0.5,
    "wnli": 0.5,
    "sst2": 0.5,
    "sst": 0.5,
    "cola": 0.5,
    "mrpc": 0.5,
    "qqp": 0.5,
    "qnli*": 0.5,
    "blimp*": 0.5,
    "xstorycloze*": 0.5,
    "xstory_cloze*": 0.5,
    "storycloze*": 0.5,
    "story_cloze*": 0.5,
    "paws*": 0.5,
    "ethics_cm": 0.5,
    "ethics_justice": 0.5,
    "ethics_deontology": 0.5,
    "ethics_utilitarianism": 0.5,
    "toxigen*": 0.5,
    "prost": 0.25,
    # three
    "cb": 1 / 3,
    "sglue_cb": 1 / 3,
    "mnli*": 1 / 3,
    "anli*": 1 / 3,
    "xnli*": 1 / 3,
    "social_iqa*": 1 / 3,
    "socialiqa*": 1 / 3,
    "social_i_qa*": 1 / 3,
    "siqa*": 1 / 3,
    "pubmedqa*": 1 / 3,
    # ten: before mmlu*
    "mmlu_pro*": 0.1,
    # four
    "arc_*": 0.25,
    "arc:*": 0.25,
    "hellaswag*": 0.25,
    "openbookqa*": 0.25,
    "sciq*": 0.25,
    "mmlu*": 0.25,
    "hendryckstest*": 0.25,
    "race*": 0.25,
    "logiqa*": 0.25,
    "swag*": 0.25,
    "headqa*": 0.25,
    "medqa*": 0.25,
    "medmcqa*": 0.25,
    "cmmlu*": 0.25,
    "ceval*": 0.25,
    "gpqa*": 0.25,
    "belebele*": 0.25,
    "global_mmlu*": 0.25,
    "kmmlu*": 0.25,
    "quality": 0.25,
    "cosmosqa": 0.25,
    "cosmos_qa": 0.25,
    "openbook_qa*": 0.25,
    # five
    "commonsense_qa*": 0.2,
    "commonsenseqa*": 0.2,
    "csqa*": 0.2,
    "mathqa*": 0.2,
    "math_qa*": 0.2,
}
# Of some number of choices, or some with and some without, though the answer is generated.
MIXED = ("bbh*", "bigbench*", "agieval*", "gpqa*", "truthfulqa*", "*_mc1", "*_mc2")
VARYING = ("truthfulqa*", "*_mc1", "*_mc2", "*_generate*", "*_gen", "*_llama", "*_cot*", "*_perplexity")


@lru_cache(maxsize=4096)
def level(task: str) -> float | None:
    """The score of guessing in a task, a fraction; None when the table does not have it."""
    name = _plain(task)
    known = next((value for pattern, value in LEVELS.items() if fnmatchcase(name, pattern)), None)
    if known and any(fnmatchcase(name, pattern) for pattern in VARYING) and not name.startswith(("lambada", "arc")):
        return None
    return known


@lru_cache(maxsize=4096)
def generated(task: str) -> float | None:
    """The score of guessing in a task whose answers are generated: 0, or the table's where the answer is a letter.

    None where some of the task's questions have choices, or how many is not known.
    """
    name = _plain(task)
    known = level(task)
    if known is not None:
        return known
    patterns = (*MIXED, *(pattern for pattern, value in LEVELS.items() if value))
    choices = any(fnmatchcase(one, pattern) for one in (name, task.lower()) for pattern in patterns)
    return None if choices else 0.0


def _plain(task: str) -> str:
    """A task's name without the suite that some tools put before it."""
    name = re.sub(
        r"^(leaderboard|harness|lighteval|helm|original|bigbench|custom|community|extended)[_|]", "", task.lower()
    )
    return name if name.startswith("hendryckstest") else name.replace("-", "_")
