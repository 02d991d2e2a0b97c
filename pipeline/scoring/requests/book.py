"""What checkpoints are asked: tasks and texts as token ids, encoded once per tokenizer and put together in groups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...core.config import ScoreSettings
from ...core.digest import object_digest
from ...core.errors import ChangedError, TaskError, first_line
from ..checkpoints import files as checkpoints
from ..checkpoints.discover import Checkpoint
from ..checkpoints.files import ABOUT_ITSELF
from . import encode
from .encoded import Encoded, join
from .kinds.base import Part, Piece, Task
from .kinds.texts import ValidationText

GROUP_TOKENS = 2_000_000  # a group is stored when it is answered: minutes on a GPU, at most
KEPT_GROUPS = 8  # lists of groups, the last ones used: a ladder has few tokenizers and contexts
CHANGED = "changed while it was scored: tried again next time"


@dataclass(frozen=True, kw_only=True)
class RequestSpec:
    """What is asked, in short: a task or a validation text by its name, and the hash of what it asks.

    Where some of a task's documents are asked, ``whole`` is the hash of all of them.
    """

    name: str
    digest: str
    version: str
    whole: str = ""


@dataclass(frozen=True, kw_only=True)
class PreparedRequest(RequestSpec):
    """The same with the task or text itself, ready to be asked."""

    what: Task | ValidationText


@dataclass(frozen=True, kw_only=True)
class RequestGroup:
    """Cells whose requests are batched together; ``parts`` are the requests of each, in order.

    Or one ``piece`` of a single cell's requests: ``pieces`` are then the keys of all its pieces, in order.
    """

    key: str
    specs: tuple[PreparedRequest, ...]
    parts: tuple[Part, ...]
    requests: Encoded
    limit: int
    piece: Piece | None = None
    pieces: tuple[str, ...] = ()

    def singles(self) -> list[RequestGroup]:
        """The same cells, each in a group of its own."""
        pairs = zip(self.specs, self.parts, strict=True)
        return [
            RequestGroup(
                key=object_digest([self.key, a.digest]),
                specs=(a,),
                parts=(p,),
                requests=p.encoded,
                limit=self.limit,
            )
            for a, p in pairs
        ]

    @property
    def documents(self) -> int:
        """Documents of all its cells, or of its piece."""
        if self.piece is not None:
            return self.piece.documents
        return sum(spec.what.kind.documents(spec.what) for spec in self.specs)


class RequestBook:
    """Everything a ladder is asked; keeps tokens for checkpoints with the same tokenizer and context."""

    def __init__(self, specs: Sequence[PreparedRequest], settings: ScoreSettings) -> None:
        self.specs = list(specs)
        self._settings = settings
        self._harnesses: dict[str, Any] = {}
        self._tokenizers: dict[str, Any] = {}
        self._parts: dict[tuple[str, int, str], Part | TaskError] = {}
        self._groups: OrderedDict[tuple[str, int, tuple[str, ...]], list[RequestGroup]] = OrderedDict()

    def groups(
        self, checkpoint: Checkpoint, specs: Sequence[PreparedRequest]
    ) -> tuple[list[RequestGroup], list[tuple[PreparedRequest, str]], list[str]]:
        """The requests as groups, those that cannot be asked of this checkpoint, and remarks worth a warning.

        Raises
        ------
        CheckpointError
            When config or tokenizer cannot be used.
        ChangedError
            When they are no longer those that were hashed.
        """
        lm = self._harness(checkpoint)  # read from files only now
        remarks = encode.odd_special_tokens(lm)
        tokenizer_key, limit = self._tokenizer_key(checkpoint), int(lm.max_length)
        parts: list[tuple[PreparedRequest, Part]] = []
        problems: list[tuple[PreparedRequest, str]] = []
        for spec in specs:
            try:
                part = self._part(lm, tokenizer_key, limit, spec)
                said = spec.what.kind.check(spec.what, part, limit, self._settings.most_truncated)
                remarks += [f"{spec.name}: {remark}" for remark in said]
                parts.append((spec, part))
            except TaskError as error:
                problems.append((spec, str(error)))
        key = (tokenizer_key, limit, tuple(spec.digest for spec, _ in parts))
        if key not in self._groups:
            whole = [pair for pair in parts if not pair[1].pieces]
            groups = [_group(tokenizer_key, limit, some) for some in _cut(whole)]
            self._groups[key] = groups + [
                g for s, p in parts if p.pieces for g in _in_pieces(tokenizer_key, limit, s, p)
            ]
        self._groups.move_to_end(key)
        while len(self._groups) > KEPT_GROUPS:
            self._groups.popitem(last=False)
        return self._groups[key], problems, remarks

    def _harness(self, checkpoint: Checkpoint) -> Any:
        config = {k: v for k, v in checkpoint.files.config.items() if k not in ABOUT_ITSELF}
        key = object_digest([checkpoint.token_ids, config])
        if key not in self._harnesses:
            loaded = self._tokenizers.get(self._tokenizer_key(checkpoint))
            made = encode.harness(checkpoint.files, self._settings, loaded)
            if (
                checkpoints.signature(checkpoint.files) != checkpoint.signature
            ):  # kept, it would be another checkpoint's too
                raise ChangedError(CHANGED)
            self._harnesses[key] = made
            self._tokenizers[self._tokenizer_key(checkpoint)] = made.tokenizer
        return self._harnesses[key]

    def _tokenizer_key(self, checkpoint: Checkpoint) -> str:
        # lm-eval gives some kinds of models a BOS whatever the settings say.
        return f"{checkpoint.token_ids}/{checkpoint.files.config.get('model_type')}"

    def _part(self, lm: Any, tokenizer_key: str, limit: int, spec: PreparedRequest) -> Part:
        kind = spec.what.kind
        key = (tokenizer_key, limit if kind.by_context else 0, spec.digest)
        if key not in self._parts:
            try:
                self._parts[key] = kind.encode(lm, spec.what)
            except TaskError as error:
                self._parts[key] = error
            except Exception as error:  # a tokenizer someone else wrote: anything can come
                self._parts[key] = TaskError(f"cannot be tokenized: {first_line(error)}")
        part = self._parts[key]
        if isinstance(part, TaskError):
            raise part
        return part


def _cut(parts: Sequence[tuple[PreparedRequest, Part]]) -> list[list[tuple[PreparedRequest, Part]]]:
    """In order, as many as fit into a group: what is left after some groups is cut as it was before."""
    groups: list[list[tuple[PreparedRequest, Part]]] = []
    room = 0
    for spec, part in parts:
        size = len(part.encoded.tokens)
        if not groups or size > room:
            groups.append([])
            room = GROUP_TOKENS
        groups[-1].append((spec, part))
        room -= size
    return groups


def _group(tokenizer_key: str, limit: int, some: Sequence[tuple[PreparedRequest, Part]]) -> RequestGroup:
    key = object_digest([tokenizer_key, limit, [spec.digest for spec, _ in some]])
    requests = join([part.encoded for _, part in some])
    return RequestGroup(
        key=key,
        specs=tuple(spec for spec, _ in some),
        parts=tuple(part for _, part in some),
        requests=requests,
        limit=limit,
    )


def _in_pieces(tokenizer_key: str, limit: int, spec: PreparedRequest, part: Part) -> list[RequestGroup]:
    """A group for every piece. Its key tells which requests it has: another batch size cuts them elsewhere."""
    keys = tuple(object_digest([tokenizer_key, limit, spec.digest, piece.requests]) for piece in part.pieces)
    return [
        RequestGroup(
            key=key, specs=(spec,), parts=(part,), requests=piece.encoded, limit=limit, piece=piece, pieces=keys
        )
        for key, piece in zip(keys, part.pieces, strict=True)
    ]
