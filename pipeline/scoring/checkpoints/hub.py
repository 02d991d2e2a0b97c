"""Models of the Hugging Face hub on this machine: which revisions there are, and the folders they lie in.

A model's files come from the hub's cache (``models--org--name`` with ``refs``, ``snapshots`` and ``blobs``), or from a
plain copy ``org/name/revision`` in the same place. The library finds, checks and fetches snapshots. Only the names in
``refs`` are listed here: the library's scan of a cache reads every model in it, and gives a model up with all its
revisions when one file of one of them is gone.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import CheckpointError, InputError, NotHereError, NotWholeError, first_line
from .files import TOKENIZER_FILES
from .names import MAIN, HubName, command

COMMIT = re.compile(r"[0-9a-f]{40}")
WRITTEN = re.compile(r"\.[0-9a-f]{8}\.tmp$")  # a ref that the library is just writing
WANTED = ["*.json", "*.safetensors", "*.jinja", *TOKENIZER_FILES]  # all that is read of a model
UNWANTED = ["*/*", "consolidated*"]  # other formats of the same weights
MOST_REASON = 300  # letters of the library's own words


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A revision's folder, and its commit where that is known; ``fetched`` says that this run has fetched it."""

    folder: Path
    commit: str = ""
    fetched: bool = False


class Hub:
    """The hub's cache in a folder; by default the one that ``HF_HUB_CACHE``, ``HF_HOME`` or the library names.

    Raises
    ------
    InputError
        When the library is not installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            from huggingface_hub import constants
        except ImportError:
            raise InputError("models by name need huggingface_hub: pip install 'benchcast[score]'") from None
        self.folder = Path(folder or constants.HF_HUB_CACHE).expanduser()
        self._named = "" if folder is None else str(self.folder)

    def command(self, model: str, revisions: list[str]) -> str:
        """The shell command that fetches revisions into this cache."""
        return command(model, revisions, self._named)

    def revisions(self, model: str) -> list[str]:
        """The names of the revisions that are here, whole or not; empty for a model that is not here.

        Raises
        ------
        InputError
            When the cache cannot be read.
        """
        try:
            return self._revisions(model)
        except OSError as error:
            raise InputError(f"{self.folder}: the hub's cache cannot be read: {error.strerror or error}") from error

    def _revisions(self, model: str) -> list[str]:
        refs = self._cached(model) / "refs"
        names = [p.relative_to(refs).as_posix() for p in refs.rglob("*") if not p.is_dir() and _is_name(p.name)]
        plain = self.folder / model
        if (plain / "config.json").is_file():
            names.append(MAIN)
        elif plain.is_dir():
            names += [p.name for p in plain.iterdir() if p.is_dir() and _is_name(p.name)]
        return sorted(dict.fromkeys(names))

    def has(self, model: str) -> bool:
        """Whether anything of the model is here."""
        return self._cached(model).is_dir() or bool(self.revisions(model))

    def snapshot(self, name: HubName) -> Snapshot:
        """The folder of a revision that is here.

        Raises
        ------
        NotHereError
            When it is not.
        NotWholeError
            When it lacks files.
        CheckpointError
            When the cache is broken.
        """
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            folder = self._snapshot(name, here_only=True)
        except LocalEntryNotFoundError as error:
            if (plain := self._plain(name)) is not None:
                return Snapshot(folder=plain)
            if part := getattr(error, "snapshot_path", None):
                raise NotWholeError(f"lacks files in the hub's cache at {part}") from None
            raise NotHereError(f"is not in the hub's cache at {self.folder}") from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"the hub's cache cannot be read: {first_line(error)}") from error
        return self._checked(name, folder)

    def fetch(self, name: HubName) -> Snapshot:
        """The folder of a revision that is fetched now; what is here of it already is not fetched again.

        Raises
        ------
        CheckpointError
            When it cannot be fetched, with the library's reason.
        """
        from huggingface_hub.utils import disable_progress_bars

        if not sys.stderr.isatty():  # in a log every step would be a line
            disable_progress_bars()
        try:
            folder = self._snapshot(name, here_only=False)
        except Exception as error:  # of the library, of HTTP, of the disk: anything can come
            raise CheckpointError(f"cannot be fetched: {_said(error)}") from error
        found = self._checked(name, folder)
        return Snapshot(folder=found.folder, commit=found.commit, fetched=True)

    def _snapshot(self, name: HubName, *, here_only: bool) -> Path:
        """The folder of a revision as the library gives it; raises whatever the library does."""
        from huggingface_hub import snapshot_download

        folder = snapshot_download(
            name.model,
            revision=name.revision,
            cache_dir=self.folder,
            allow_patterns=WANTED,
            ignore_patterns=UNWANTED,
            local_files_only=here_only,
        )
        return Path(folder)

    def offered(self, model: str) -> list[str]:
        """The names of the branches and tags that the hub, or its mirror at ``HF_ENDPOINT``, has of a model.

        Raises
        ------
        CheckpointError
            When it cannot be asked.
        """
        from huggingface_hub import HfApi

        try:
            refs = HfApi().list_repo_refs(model)
        except Exception as error:  # as above
            raise CheckpointError(f"the hub cannot be asked for its revisions: {_said(error)}") from error
        return [ref.name for ref in (*refs.branches, *refs.tags)]

    def being_fetched(self, model: str, seconds: float) -> bool:
        """Whether somebody wrote a half-fetched file of the model within the last seconds."""
        now = time.time()
        halves = (self._cached(model) / "blobs").glob("*.incomplete")
        return any(0 <= now - when < seconds for when in map(_written, halves))

    def _cached(self, model: str) -> Path:
        from huggingface_hub.file_download import repo_folder_name

        return self.folder / str(repo_folder_name(repo_id=model, repo_type="model"))

    def _plain(self, name: HubName) -> Path | None:
        """Where a plain copy of a revision lies; its folder is the model's own where that holds one revision."""
        model = self.folder / name.model
        folders = [model / name.revision, *([model] if name.revision == MAIN else [])]
        return next((f for f in folders if (f / "config.json").is_file()), None)

    def _checked(self, name: HubName, folder: Path) -> Snapshot:
        """The snapshot in a folder, which the library read from a file that anybody may have written."""
        snapshots = self._cached(name.model).resolve() / "snapshots"
        if folder.resolve().parent != snapshots.resolve() or not COMMIT.fullmatch(folder.name):
            raise CheckpointError(f"the hub's cache is broken: refs/{name.revision} names no commit")
        return Snapshot(folder=folder, commit=folder.name)


def advice(hub: Hub, name: HubName, folder: Path) -> str:
    """What to do about a snapshot whose files cannot be scored; empty where fetching them again would not help."""
    if (folder / "adapter_config.json").is_file():
        return ""
    again = hub.command(name.model, [name.revision])
    if any(folder.glob("*.safetensors*")):
        return f"fetch it again: {again}"
    return (
        f"fetch what is missing: {again}; where the revision has pickles only, take one that has safetensors, such as "
        f"a conversion in a pull request ({name.model}@refs/pr/N), or save it so"
    )


def here(name: HubName, folder: Path | None = None) -> dict[str, Path]:
    """The snapshot folders of the revisions that a name means and the cache has, by ``org/name@revision``.

    Raises
    ------
    InputError
        When it has none of them, with the command that fetches it.
    """
    hub = Hub(folder)
    found = {}
    for revision in name.matching(hub.revisions(name.model)) if name.is_pattern else [name.revision]:
        with contextlib.suppress(CheckpointError):
            found[f"{name.model}@{revision}"] = hub.snapshot(name.at(revision)).folder
    if not found:
        wanted = "REVISION" if name.is_pattern else name.revision
        fix = hub.command(name.model, [wanted])
        raise InputError(f"{name.source}: is not in the hub's cache at {hub.folder} (fetch it first: {fix})")
    return found


def _is_name(name: str) -> bool:
    return not name.startswith(".") and not WRITTEN.search(name)


def _said(error: Exception) -> str:
    return first_line(error)[:MOST_REASON]


def _written(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return float("-inf")
