"""What is asked of a checkpoint, whatever it is: tasks with their questions, parts as token ids, what a kind must tell.

A kind is what lm-eval calls an output type, and the validation texts: one file each. Loading tasks (``tasks``), putting
requests into groups (``book``) and storing cells know kinds only by what is here; how a kind's answers become numbers
is in the file of its name in ``measure``.
"""

from __future__ import annotations

import contextlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ....core.config import ScoreSettings
from ..chosen import ChosenDocuments
from ..encoded import Encoded, Prompts


@dataclass(frozen=True, kw_only=True)
class Question:
    """One document: lm-eval's requests for it, the answers they ask for, and which of them is right.

    After the answers' requests there may be more: those that ask for the answers without the prompt.
    ``answer_bytes`` are the answers' lengths. ``more_golds`` are further right answers; ``gold`` is -1 where no answer
    is known to be right. ``by_choice`` says that a document is right where a right answer is the best of them.
    """

    doc: Any
    requests: tuple[Any, ...]
    answers: tuple[str, ...]
    gold: int
    answer_bytes: tuple[int, ...]
    more_golds: tuple[int, ...] = ()
    by_choice: bool = True

    @property
    def golds(self) -> tuple[int, ...]:
        """Positions of all right answers."""
        return () if self.gold < 0 else (self.gold, *self.more_golds)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task ready to be asked; ``harness`` is lm-eval's object, ``digest`` the hash of everything that is asked.

    ``seed`` is that of answers that are drawn, ``origin`` what it was loaded by: settings, and where paths start from.
    With ``chosen`` the questions are some of the task's, and the score of all is estimated.
    """

    name: str
    kind: TaskKind
    harness: Any
    questions: tuple[Question, ...]
    num_fewshot: int
    version: str
    digest: str
    origin: tuple[ScoreSettings, Path]
    seed: int = 0
    chosen: ChosenDocuments | None = None

    @property
    def runs_code(self) -> bool:
        """Whether its metric runs what the model wrote."""
        return self.kind.runs_code(self.harness)

    @property
    def requests(self) -> list[Any]:
        """All requests, document after document."""
        return [request for question in self.questions for request in question.requests]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some of a task's requests that are answered, and stored, before the others: ``prompts`` with ``encoded`` beside.

    ``requests`` are their positions among the task's requests for text, each counted as often as it is repeated,
    ``golds`` those of ``encoded`` in the encoded requests of the whole part.
    """

    requests: tuple[int, ...]
    golds: tuple[int, ...]
    encoded: Encoded
    prompts: Prompts
    documents: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """A task or text as token ids; a kind may add what else a checkpoint is asked.

    With ``pieces`` these are asked one by one; they hold all of ``encoded``.
    """

    encoded: Encoded
    pieces: tuple[Piece, ...] = ()


class Kind(ABC):
    """How requests of one kind are asked. ``name`` is that of its measure, too."""

    name: ClassVar[str]
    by_context: ClassVar[bool] = False  # whether the tokens depend on the model's context, not only on its tokenizer

    @abstractmethod
    def encode(self, lm: Any, what: Any) -> Part:
        """The token ids, by lm-eval's model class ``lm``.

        Raises
        ------
        TaskError
            When it cannot be asked.
        """

    @abstractmethod
    def documents(self, what: Any) -> int:
        """How many documents are asked about."""

    def check(self, what: Any, part: Any, limit: int, most: float) -> list[str]:
        """Remarks worth a warning about requests to a context of ``limit`` tokens.

        Raises
        ------
        TaskError
            When it cannot be asked within that context, or more than the share ``most`` of the prompts would be cut.
        """
        return []


class TaskKind(Kind):
    """A kind of lm-eval's tasks."""

    output_types: ClassVar[tuple[str, ...]]

    def runs_code(self, harness: Any) -> bool:
        """Whether a task's metric runs what the model wrote."""
        return False

    def prepare(self, harness: Any, settings: ScoreSettings) -> None:
        """Set what the settings say, before lm-eval builds the requests.

        Raises
        ------
        TaskError
            For a task that the settings do not allow.
        """
        return

    @abstractmethod
    def questions(self, harness: Any, settings: ScoreSettings, base: Path) -> Iterable[Question]:
        """The documents of a task whose requests lm-eval has built; paths in the settings start from ``base``.

        Raises
        ------
        TaskError
            For a task that cannot be asked, or whose answers are not right.
        """

    @abstractmethod
    def digest(self, harness: Any, questions: Sequence[Question], seed: int) -> str:
        """Hash of everything that decides the score besides the model."""

    def documents(self, what: Task) -> int:
        """How many documents are asked about."""
        return len(what.questions)


def sources(harness: Any, *more: Any) -> list[str]:
    """Source of the functions that turn answers into metrics, which a task file may bring along."""
    functions = [
        getattr(harness.config, "process_results", None),
        *harness.aggregation().values(),
        *getattr(harness, "_metric_fn_list", {}).values(),
        *more,
    ]
    found = []
    for function in functions:
        # lm-eval's own are covered by its version; what has no source (a partial, a builtin) by its name.
        if callable(function) and not str(getattr(function, "__module__", "")).startswith("lm_eval."):
            with contextlib.suppress(OSError, TypeError):
                found.append(inspect.getsource(function))
    return found
