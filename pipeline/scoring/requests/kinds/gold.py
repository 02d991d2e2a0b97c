"""The reference answer of a document that is to be generated: what its likelihood is asked for beside the answer.

It is the answer that lm-eval shows in few-shot examples: ``doc_to_target``, of several the first. Where that is none
(the target of HumanEval is its tests, that of DROP the names of its answer's fields), the text is found elsewhere: in
the field that ``KNOWN`` names, or where ``score.gold_text`` says. What is the same in all documents is no answer.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ....core import reading
from ....core.config import ScoreSettings
from ....core.errors import Fault, FaultsError, TaskError, first_line
from .unsafe import runs_code

# Tasks of lm-eval whose target is no worked answer, and the field of their documents that is, or a template of it.
KNOWN = {
    "gsm8k_cot*": "answer",  # worked, as its examples are; the target is the number alone
    "humaneval*": "canonical_solution",
    "mbpp*": "code",
    "minerva_math*": "solution",
    "hendrycks_math*": "solution",
    "drop": " {{answers[0]|join(', ')}}",  # its prompts end with the question
}
SAME = 10  # documents, at least, whose targets tell that they are no answers by being all the same
MOST_TRACES = 1 << 30  # bytes of a file of texts
Reference = Callable[[Any, int], tuple[str, bool]]  # (document, its number) to its text, and whether it is our choice


def reference(harness: Any, name: str, settings: ScoreSettings, base: Path) -> Reference:
    """What finds the reference answer of a task's documents; an empty text where there is none.

    The second value says that the text is not the task's own target, so that the task's delimiter is put before it
    only where it does not itself begin with white space.

    Raises
    ------
    TaskError
        For a template or file of ``score.gold_text`` that cannot be used.
    """
    given = next((text for pattern, text in settings.gold_text.items() if fnmatch.fnmatchcase(name, pattern)), None)
    if given is not None:
        return _of_file(base / given, given) if given.endswith(".jsonl") else _of_template(given)
    field = next((field for pattern, field in KNOWN.items() if fnmatch.fnmatchcase(name, pattern)), None)
    tested = runs_code(harness)  # looked up once: it reads the task's functions

    def of(doc: Any, _: int) -> tuple[str, bool]:
        known = "" if field is None or not isinstance(doc, Mapping) else _known(field, doc)
        return (known, True) if known.strip() else (_target(harness, doc, tested=tested), False)

    return of


def check_names(settings: ScoreSettings, tasks: Iterable[str]) -> None:
    """Whether ``score.gold_text`` speaks of the tasks there are; raises FaultsError with every name that does not."""
    names = list(tasks)
    odd = [p for p in settings.gold_text if not any(fnmatch.fnmatchcase(name, p) for name in names)]
    if odd:
        faults = [Fault(f"score.gold_text: {p}", "is none of the tasks", "name one of score.tasks") for p in odd]
        raise FaultsError(faults)


def after_prompt(harness: Any, doc: Any, text: str, *, chosen: bool) -> str:
    """The text as it follows the prompt: with what lm-eval puts before an answer in few-shot examples."""
    from lm_eval.api.utils import maybe_delimit

    prefix = harness.doc_to_prefix(doc) if hasattr(harness, "doc_to_prefix") else None
    if prefix:  # the prompt ends with it
        return str(maybe_delimit(prefix, text)[len(prefix) :])
    delimiter = getattr(harness.config, "target_delimiter", None)
    if delimiter is None or (chosen and text[0].isspace()):
        return text
    return f"{delimiter}{text}"


def target(harness: Any, doc: Any) -> Any:
    """What the task's own metrics compare with, None where there is nothing."""
    try:
        return harness.doc_to_target(doc)
    except Exception:  # a template or code of a task file; where it is needed, it is told
        return None


def none_of(texts: Sequence[str]) -> bool:
    """Whether the targets of all documents are no answers: a constant, such as a name that a template gets wrong."""
    return len(texts) >= SAME and len(set(texts)) == 1


def _known(field: str, doc: Mapping[str, Any]) -> str:
    """The text of a field or template of ``KNOWN``; empty for a task of that name with other documents."""
    if "{{" not in field:
        return doc[field] if isinstance(doc.get(field), str) else ""
    from lm_eval.utils import apply_template

    try:
        return str(apply_template(field, dict(doc)))
    except Exception:  # no such fields
        return ""


def _target(harness: Any, doc: Any, *, tested: bool) -> str:
    """The task's own target as lm-eval writes it into few-shot examples, or empty; ``tested`` by running the answer."""
    target = harness.doc_to_target(doc)
    if isinstance(target, list):
        target = target[0] if target else ""
    if isinstance(target, int) and not isinstance(target, bool):
        if getattr(harness.config, "doc_to_choice", None) is not None:
            choices = harness.doc_to_choice(doc)
            return str(choices[target]) if 0 <= target < len(choices) else ""
        return "" if isinstance(harness.config.doc_to_target, int) else str(target)  # a constant answers nothing
    if tested:
        return ""  # tests that the answer must pass
    return str(target) if isinstance(target, str | float) else ""


def _of_template(template: str) -> Reference:
    from lm_eval.utils import apply_template

    def of(doc: Any, number: int) -> tuple[str, bool]:
        try:
            text = str(apply_template(template, doc))
        except Exception as error:  # a template somebody wrote: anything can come
            raise TaskError(f"score.gold_text: document {number}: {first_line(error)}") from error
        if not text.strip():
            raise TaskError(f"score.gold_text: document {number}: the text is empty")
        return text, True

    return of


def _of_file(path: Path, given: str) -> Reference:
    texts = _texts(path, given)

    def of(_: Any, number: int) -> tuple[str, bool]:
        if number not in texts:
            raise TaskError(f"score.gold_text: {given} has no text for document {number}")
        return texts[number], True

    return of


def _texts(path: Path, given: str) -> dict[int, str]:
    """Number of a document to its text: by ``doc_id``, or else by its line."""
    where = f"score.gold_text: {given}"
    try:
        lines = [line for line in reading.text(path, MOST_TRACES).split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise TaskError(f"{where} cannot be read: {error}") from error
    texts: dict[int, str] = {}
    for number, line in enumerate(lines):
        try:
            entry = reading.json_of(line)
        except ValueError as error:
            raise TaskError(f"{where}: line {number + 1} {error}") from error
        text = entry.get("text") if isinstance(entry, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise TaskError(f'{where}: line {number + 1} has no "text"')
        which = entry.get("doc_id", number)
        if isinstance(which, bool) or not isinstance(which, int) or which in texts:
            raise TaskError(f"{where}: line {number + 1}: doc_id {json.dumps(which)[:40]} is not a number or repeated")
        texts[which] = text
    return texts
