"""Models by name: ``org/name@revision`` as a config writes it, told from folders and from glob patterns.

``hf://org/name@revision`` is always a model of the hub, ``./org/name`` always a folder. Without an ``@`` the revision
is the main branch; ``*``, ``?`` and ``[…]`` in a revision make it a pattern of revisions.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...data import model_names

PREFIX = "hf://"
MAIN = "main"
OTHER_REFS = "refs/"  # pull requests and conversions: only a pattern that begins so means them
_SHAPE = re.compile(r"(?P<model>[^/@*?\[\]\\~]+/[^/@*?\[\]\\]+)(?:@(?P<revision>.*))?", re.DOTALL)
_PREFIXED = re.compile(r"(?:models/(?=[^/@]+/))?(?P<model>[^@]*)(?:@(?P<revision>.*))?", re.DOTALL)
_NO_REVISION = re.compile(r"[\x00-\x20\x7f~^:\\]|\.\.|//|^/|/$|@\{|^-")  # what git allows in no name, and no option


@dataclass(frozen=True, kw_only=True)
class HubName:
    """A model of the hub at a revision, or at a pattern of revisions.

    ``sure`` says that it is written as no folder would be: with ``hf://``, or with a revision.
    """

    model: str
    revision: str = MAIN
    sure: bool = False

    @property
    def source(self) -> str:
        """Its name in tables: ``org/name@revision``."""
        return f"{self.model}@{self.revision}"

    @property
    def is_pattern(self) -> bool:
        """Whether it means every revision that fits."""
        return any(letter in self.revision for letter in "*?[")

    def matching(self, revisions: Iterable[str]) -> list[str]:
        """Those of the revisions that fit the pattern, in the order of their steps."""
        others = self.revision.startswith(OTHER_REFS)
        fitting = [r for r in dict.fromkeys(revisions) if others or not r.startswith(OTHER_REFS)]
        return sorted((r for r in fitting if fnmatch.fnmatchcase(r, self.revision)), key=_in_order)

    def at(self, revision: str) -> HubName:
        """The same model at another revision."""
        return HubName(model=self.model, revision=revision, sure=True)


def parse(text: str) -> HubName | None:
    """The model that an entry of ``score.checkpoints`` may mean; None for what can only be a folder.

    Raises
    ------
    ValueError
        When it is written as a model and none can be called so; the message is one line.
    """
    prefixed = text.startswith(PREFIX)
    match = (_PREFIXED if prefixed else _SHAPE).fullmatch(text.removeprefix(PREFIX))
    if match is None or (not prefixed and text.startswith(".")):
        return None
    model, revision = match["model"], match["revision"]
    if revision is None and not prefixed and not re.fullmatch(r"[\w.-]+/[\w.-]+", model, re.ASCII):
        return None
    sure = prefixed or revision is not None
    try:
        from huggingface_hub.utils import validate_repo_id

        validate_repo_id(model)
    except (ImportError, ValueError) as error:
        if not sure:
            return None
        missing = "models by name need huggingface_hub: pip install 'benchcast[score]'"
        raise ValueError(missing if isinstance(error, ImportError) else " ".join(str(error).split())) from None
    if revision is not None and (not revision or _NO_REVISION.search(revision)):
        raise ValueError(f"{revision!r} is not a revision: write the name of a branch or tag, or a commit")
    return HubName(model=model, revision=revision or MAIN, sure=sure)


def command(model: str, revisions: Sequence[str], cache: str = "") -> str:
    """The shell command that fetches revisions of a model into the hub's cache.

    Parameters
    ----------
    cache : str
        Its folder, where it is not the one that the environment names.
    """
    where = f" --cache-dir {shlex.quote(cache)}" if cache else ""
    if len(revisions) == 1:
        return f"hf download {model} --revision {shlex.quote(revisions[0])}{where}"
    names = " ".join(map(shlex.quote, revisions))
    return f'for r in {names}; do hf download {model} --revision "$r"{where}; done'


def _in_order(revision: str) -> tuple[float, str]:
    """By the step that a revision's name tells; those that tell none come last."""
    step = model_names.numbers(f"model@{revision}").step
    return (float("inf") if step is None else step.value), revision
