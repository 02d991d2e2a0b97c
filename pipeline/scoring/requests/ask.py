"""What checkpoints are asked: tasks and texts as token ids, encoded once per tokenizer and put together in groups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...core.config import ScoreSettings
from ...core.digest import object_digest
from ...core.errors import first_line
from ..checkpoints import files as checkpoints
from ..checkpoints.discover import Checkpoint
from ..checkpoints.files import ABOUT_ITSELF, CheckpointError
from . import encode
from .encode import Text, Windows
from .encoded import Encoded, join
from .tasks import Task, TaskError

GROUP_TOKENS = 2_000_000  # a group is stored when it is answered: minutes on a GPU, at most
KEPT_GROUPS = 8
CHANGED = "changed while it was scored: tried again next time"


class ChangedError(CheckpointError):
    """The checkpoint is no longer the one that was hashed."""


@dataclass(frozen=True)
class Wanted:
    """A task or a validation text by its name, and the hash of what it asks."""

    name: str
    digest: str
    version: str


@dataclass(frozen=True)
class Ask(Wanted):
    """One that is ready to be asked."""

    what: Task | Text


@dataclass(frozen=True)
class Group:
    """Cells whose requests are batched together; ``parts`` are the requests (or windows) of each, in order."""

    key: str
    asks: tuple[Ask, ...]
    parts: tuple[Encoded | Windows, ...]
    requests: Encoded
    limit: int

    def singles(self) -> list[Group]:
        """The same cells, each in a group of its own."""
        pairs = zip(self.asks, self.parts, strict=True)
        return [Group(object_digest([self.key, a.digest]), (a,), (p,), requests_of(p), self.limit) for a, p in pairs]

    @property
    def documents(self) -> int:
        """Documents of all its cells."""
        return sum(len(a.what.questions) if isinstance(a.what, Task) else len(a.what.documents) for a in self.asks)


class Asked:
    """Everything a ladder is asked; keeps tokens for checkpoints with the same tokenizer and context."""

    def __init__(self, asks: Sequence[Ask], settings: ScoreSettings) -> None:
        self.asks = list(asks)
        self._settings = settings
        self._harnesses: dict[str, Any] = {}
        self._tokenizers: dict[str, Any] = {}
        self._parts: dict[tuple[str, int, str], Encoded | Windows | TaskError] = {}
        self._groups: OrderedDict[tuple[str, int, tuple[str, ...]], list[Group]] = OrderedDict()

    def groups(
        self, checkpoint: Checkpoint, asks: Sequence[Ask]
    ) -> tuple[list[Group], list[tuple[Ask, str]], list[str]]:
        """The asks as groups, those that cannot be asked of this checkpoint, and remarks worth a warning.

        Raises
        ------
        CheckpointError
            When config or tokenizer cannot be used.
        ChangedError
            When they are no longer those that were hashed.
        """
        lm = self._harness(checkpoint)  # read from files only now
        remarks = encode.odd_special_tokens(lm)
        words, limit = self._words(checkpoint), int(lm.max_length)
        parts: list[tuple[Ask, Encoded | Windows]] = []
        problems: list[tuple[Ask, str]] = []
        for ask in asks:
            try:
                part = self._part(lm, words, limit, ask)
                if isinstance(ask.what, Task) and isinstance(part, Encoded):
                    cut = encode.check_length(ask.what, part, limit, self._settings.most_truncated)
                    if cut:
                        remarks.append(f"{ask.name}: {cut} prompts cut to {limit} tokens")
                parts.append((ask, part))
            except TaskError as error:
                problems.append((ask, str(error)))
        key = (words, limit, tuple(ask.digest for ask, _ in parts))
        if key not in self._groups:
            self._groups[key] = [_group(words, limit, some) for some in _cut(parts)]
        self._groups.move_to_end(key)
        while len(self._groups) > KEPT_GROUPS:
            self._groups.popitem(last=False)
        return self._groups[key], problems, remarks

    def _harness(self, checkpoint: Checkpoint) -> Any:
        config = {k: v for k, v in checkpoint.files.config.items() if k not in ABOUT_ITSELF}
        key = object_digest([checkpoint.words, config])
        if key not in self._harnesses:
            loaded = self._tokenizers.get(self._words(checkpoint))
            made = encode.harness(checkpoint.files, self._settings, loaded)
            if checkpoints.signature(checkpoint.files) != checkpoint.seen:  # kept, it would be another checkpoint's too
                raise ChangedError(CHANGED)
            self._harnesses[key] = made
            self._tokenizers[self._words(checkpoint)] = made.tokenizer
        return self._harnesses[key]

    def _words(self, checkpoint: Checkpoint) -> str:
        # lm-eval gives some kinds of models a BOS whatever the settings say.
        return f"{checkpoint.words}/{checkpoint.files.config.get('model_type')}"

    def _part(self, lm: Any, words: str, limit: int, ask: Ask) -> Encoded | Windows:
        key = (words, limit if isinstance(ask.what, Text) else 0, ask.digest)
        if key not in self._parts:
            try:
                self._parts[key] = (
                    encode.windows(lm, ask.what) if isinstance(ask.what, Text) else encode.task_requests(lm, ask.what)
                )
            except TaskError as error:
                self._parts[key] = error
            except Exception as error:  # a tokenizer someone else wrote: anything can come
                self._parts[key] = TaskError(f"cannot be tokenized: {first_line(error)}")
        part = self._parts[key]
        if isinstance(part, TaskError):
            raise part
        return part


def requests_of(part: Encoded | Windows) -> Encoded:
    """The requests of a task or of a text."""
    return part.encoded if isinstance(part, Windows) else part


def _cut(parts: Sequence[tuple[Ask, Encoded | Windows]]) -> list[list[tuple[Ask, Encoded | Windows]]]:
    """In order, as many as fit into a group: what is left after some groups is cut as it was before."""
    groups: list[list[tuple[Ask, Encoded | Windows]]] = []
    room = 0
    for ask, part in parts:
        size = len(requests_of(part).tokens)
        if not groups or size > room:
            groups.append([])
            room = GROUP_TOKENS
        groups[-1].append((ask, part))
        room -= size
    return groups


def _group(words: str, limit: int, some: Sequence[tuple[Ask, Encoded | Windows]]) -> Group:
    key = object_digest([words, limit, [ask.digest for ask, _ in some]])
    requests = join([requests_of(part) for _, part in some])
    return Group(key, tuple(ask for ask, _ in some), tuple(part for _, part in some), requests, limit)
