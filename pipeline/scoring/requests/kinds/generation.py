"""Tasks whose answers the model writes: prompts to continue, and beside them the likelihood of the reference answer.

The requests are cut into pieces that are answered and stored one by one, along lm-eval's own batches: it sorts all
requests of a task by length and cuts them into batches, and which texts share a batch decides how they are padded. So a
piece is some of these batches, whole, and the answers are those of one uninterrupted ``lm_eval run`` of the task.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....core.config import ScoreSettings
from ....core.digest import bytes_digest
from ....core.errors import TaskError
from ....data.document_metrics import answer_bytes
from ..encoded import Encoded, Ints, Prompts, pack
from . import gold
from .base import Part, Piece, Question, Task, TaskKind
from .choices import answers_after_prompts
from .unsafe import judging, runs_code

PIECE = 64  # requests that are answered before they are stored, or one batch if that is more
FLAG = "--confirm-run-unsafe-code"
UNSAFE = f"its metric runs code that the model wrote; give {FLAG} (score.run_unsafe_code: true) to allow it"


@dataclass(frozen=True, kw_only=True)
class Written(Part):
    """A task to be written: ``encoded`` are the reference answers after their prompts, those that fit the context.

    ``prompt_tokens`` (q,) and ``cut`` (q,) are of every document's longest prompt, ``longest`` is the number of new
    tokens at most. ``gold_left`` counts the reference answers that are longer than the context.
    """

    prompt_tokens: Ints
    cut: Any
    longest: int
    gold_left: int


class Generation(TaskKind):
    """``generate_until``."""

    name = "generation"
    output_types = ("generate_until",)
    by_context = True  # which reference answers fit

    def runs_code(self, harness: Any) -> bool:
        """Whether a task says so, as lm-eval marks it, or its metric looks as if it ran what the model wrote."""
        return runs_code(harness)

    def prepare(self, harness: Any, settings: ScoreSettings) -> None:
        """Refuse code of the model, and put the settings' arguments over the task's, as lm-eval does."""
        if runs_code(harness) and not settings.run_unsafe_code:
            raise TaskError(UNSAFE)
        if settings.gen_kwargs:
            harness.set_config(key="generation_kwargs", value=dict(settings.gen_kwargs), update=True)

    def questions(self, harness: Any, settings: ScoreSettings, base: Path) -> Iterable[Question]:
        """A question for every document: its requests, and its reference answer where it has one."""
        find = gold.reference(harness, harness.config.task, settings, base)
        found = []
        for number, group in itertools.groupby(harness.instances, key=lambda r: r.doc_id):
            requests = tuple(sorted(group, key=lambda r: r.idx))
            for request in requests:
                _check(request, number)
            found.append((requests, *find(requests[0].doc, number)))
        if not found:
            raise TaskError("has no documents")
        constant = gold.none_of([text for _, text, chosen in found if not chosen])
        for requests, text, chosen in found:
            doc = requests[0].doc
            has = bool(text.strip()) and (chosen or not constant)
            yield Question(
                doc=doc,
                requests=requests,
                answers=(gold.after_prompt(harness, doc, text, chosen=chosen),) if has else (),
                gold=0,
                answer_bytes=(answer_bytes(text),) if has else (),
            )

    def digest(self, harness: Any, questions: Sequence[Question], seed: int) -> str:
        """Hash of prompts, arguments, filters, metrics, reference answers, and of the seed where it decides."""
        config = harness.dump_config()
        kept = {key: config.get(key) for key in ("metric_list", "filter_list", "repeats", "doc_to_choice")}
        how = ["generation", str(harness.VERSION), sorted(harness.aggregation()), kept, _code_of(harness)]
        total = hashlib.sha256(json.dumps(_plain(how), default=str).encode())
        for question in questions:
            asked = [list(r.args) for r in question.requests]
            seeds = [seed] if any(map(sampled, _arguments(question))) else []
            content = [asked, question.answers, question.answer_bytes, question.doc, gold.target(harness, question.doc)]
            content += [seeds]
            total.update(json.dumps(content, default=str).encode())
        return total.hexdigest()

    def encode(self, lm: Any, what: Task) -> Written:
        """Pieces of prompts along lm-eval's batches, and the reference answers as token ids."""
        from lm_eval.models.utils import normalize_gen_kwargs

        flat = requests_of(what)
        lengths = {text: len(lm.tok_encode(text)) for text in dict.fromkeys(r.args[0] for _, r in flat)}
        if empty := [number for number, request in flat if not lengths[request.args[0]]]:
            raise TaskError(
                f"document {empty[0]}: its prompt is empty, and a model needs something to go on from: set "
                "score.add_bos_token, or leave the document out"
            )
        longest = max(int(normalize_gen_kwargs(r.args[1], lm.max_gen_toks)["max_gen_toks"]) for _, r in flat)
        limit = int(lm.max_length)
        if longest >= limit:
            raise TaskError(
                f"asks for {longest} new tokens, but the model's context is {limit}: set score.gen_kwargs: "
                "{max_gen_toks: …} below that"
            )
        prompt_tokens = np.array([max(lengths[r.args[0]] for r in q.requests) for q in what.questions], dtype=np.int64)
        encoded, left = _references(lm, what, limit)
        return Written(
            encoded=encoded,
            pieces=tuple(_pieces(lm, what, flat, lengths, encoded)),
            prompt_tokens=prompt_tokens,
            cut=prompt_tokens > limit - longest,
            longest=longest,
            gold_left=left,
        )

    def check(self, what: Task, part: Written, limit: int, most: float) -> list[str]:
        """How many prompts lose their start, and what has no gold loss; raises as ``Kind`` says."""
        cut, said = int(part.cut.sum()), []
        room = f"{limit} tokens less {part.longest} for the answer"
        if cut > most * len(what.questions):
            raise TaskError(f"{cut} of {len(what.questions)} prompts are longer than the model's {room}")
        if cut:
            said.append(f"{cut} prompts cut to the model's {room}")
        if part.gold_left:
            said.append(f"{part.gold_left} reference answers are longer than the model's {limit} tokens: no gold loss")
        return said


def requests_of(task: Task) -> list[tuple[int, Any]]:
    """(document's number, request) of everything that is to be written, a request as often as it is repeated."""
    asked = ((number, request) for number, question in enumerate(task.questions) for request in question.requests)
    return [pair for pair in asked for _ in range(max(1, pair[1].repeats or 1))]


def sampled(arguments: Mapping[str, Any]) -> bool:
    """Whether an answer is drawn, by lm-eval's own reading of the arguments."""
    do_sample = arguments.get("do_sample")
    return bool(float(arguments.get("temperature") or 0.0) > 0.0 if do_sample is None else do_sample)


def _check(request: Any, number: int) -> None:
    if request.request_type != "generate_until":
        raise TaskError(f"also asks for {request.request_type}, which is not scored beside generation")
    if len(request.args) != 2 or not isinstance(request.args[0], str) or not isinstance(request.args[1], dict):
        raise TaskError(f"document {number}: its prompt is not a text with generation_kwargs")


def _arguments(question: Question) -> list[dict[str, Any]]:
    return [request.args[1] for request in question.requests]


def _references(lm: Any, task: Task, limit: int) -> tuple[Encoded, int]:
    """The reference answers after their prompts, without those that the context has no room for, and their number."""
    asked = []
    for number, question in enumerate(task.questions):
        if question.answers:
            asked.append((number, _Pair((question.requests[0].args[0], question.answers[0]))))
    encoded = answers_after_prompts(lm, asked) if asked else pack([])
    fits = np.flatnonzero(encoded.answers <= limit)
    return encoded.some(fits), len(encoded) - len(fits)


@dataclass(frozen=True)
class _Pair:
    """What lm-eval reads of a request for a log-likelihood."""

    args: tuple[str, str]


def _pieces(
    lm: Any, task: Task, flat: list[tuple[int, Any]], lengths: Mapping[str, int], encoded: Encoded
) -> Iterator[Piece]:
    from lm_eval.models.utils import Collator

    size = int(lm.batch_size)
    requests = [(*request.args, position) for position, (_, request) in enumerate(flat)]
    order = Collator(requests, sort_fn=lambda r: (-lengths[r[0]], r[0]), group_by="gen_kwargs", group_fn=lambda r: r[1])
    batches = [[position for *_, position in batch] for batch in order.get_batched(n=size)]
    drawn = any(sampled(request.args[1]) for _, request in flat)
    seed = task.seed if drawn else None
    place = {int(document): i for i, document in enumerate(encoded.documents)}
    together = max(1, PIECE // size)
    for start in range(0, len(batches), together):
        positions = [position for batch in batches[start : start + together] for position in batch]
        documents = dict.fromkeys(flat[p][0] for p in positions)
        golds = sorted(place.pop(number) for number in documents if number in place)
        yield Piece(
            requests=tuple(positions),
            golds=tuple(golds),
            encoded=encoded.some(golds),
            prompts=Prompts(
                texts=tuple(flat[p][1].args[0] for p in positions),
                arguments=tuple(flat[p][1].args[1] for p in positions),
                seed=seed,
            ),
            documents=len(documents),
        )


def _files(harness: Any) -> list[Path]:
    """Source files of the functions that a task brings along; lm-eval's own modules are covered by its version."""
    files = set()
    for function in judging(harness):
        function = getattr(function, "func", function)  # of a partial
        if callable(function) and not str(getattr(function, "__module__", "")).startswith("lm_eval."):
            try:
                files.add(Path(inspect.getsourcefile(function) or ""))
            except TypeError:  # a builtin
                continue
    return sorted(path for path in files if path.is_file())


def _code_of(harness: Any) -> list[str]:
    return [bytes_digest(path.read_bytes()) for path in _files(harness)]


def _plain(value: Any) -> Any:
    """The value with names in place of functions, whose text would hold an address."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    return value
