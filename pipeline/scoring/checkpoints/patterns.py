"""From the entries of ``score.checkpoints`` to folders: glob patterns of folders, and models by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchcast.reports.records.account import listed

from ...core.config import ScoreSettings
from ...core.errors import (
    CheckpointError,
    Fault,
    FaultsError,
    NotHereError,
    NothingMeantError,
    NotWholeError,
    plain,
)
from ...core.redact import redacted
from . import names
from .hub import Hub, Snapshot, advice
from .names import PREFIX, HubName

OR_FETCH = "or let it be fetched: score.download: true"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A folder that may be a checkpoint; ``source`` is its name in the table.

    Of a model by name: ``name``, its ``commit`` where it is known, whether this run has fetched it or somebody is
    ``busy`` fetching revisions of it, and what to do when files are missing.
    """

    folder: Path
    source: str
    name: HubName | None = None
    commit: str = ""
    fetched: bool = False
    busy: bool = False
    advice: str = ""


@dataclass(kw_only=True)
class Candidates:
    """What the entries led to; ``missing`` maps names of models to why they, or revisions of them, are not here.

    ``waiting`` are revisions that somebody is fetching; ``twice`` are folders that were also named as a revision;
    ``to_fetch`` are those that would be fetched, where this is only a look.
    """

    found: list[Candidate] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    to_fetch: list[str] = field(default_factory=list)


class Finder:
    """Reads the entries of one config.

    Parameters
    ----------
    fetching : callable, optional
        Is told what is fetched; without it nothing is, whatever ``score.download`` says.
    """

    def __init__(self, settings: ScoreSettings, base: Path, fetching: Callable[[str], None] | None = None) -> None:
        self._settings, self._base = settings, base
        self._fetching = fetching if settings.download else None
        self._only_looks = settings.download and fetching is None

    @cached_property
    def hub(self) -> Hub:
        """The hub's cache; its library is not imported for folders alone."""
        named = self._settings.hub_cache
        return Hub(None if named is None else self._base / named.expanduser())

    def find(self) -> Candidates:
        """Every folder that an entry means, in the order of the entries.

        Raises
        ------
        FaultsError
            For entries that mean nothing, or two things; and when nothing at all is found.
        """
        found = Candidates()
        faults: list[Fault] = []
        folders: dict[Path, Candidate] = {}
        absent: dict[str, list[str]] = {}
        for text in self._settings.checkpoints:
            try:
                name, matched = self._meant(text)
            except FaultsError as error:
                faults += error.faults
                continue
            if name is not None:
                self._of_model(name, found, absent)
            folders |= {p.resolve(): Candidate(folder=p, source=self._called(p)) for p in matched}
        found.missing |= {model: self._absent(model, revisions) for model, revisions in absent.items()}
        if found.missing and not (found.found or found.waiting or found.to_fetch or folders):
            faults += [Fault(f"score.checkpoints: {model}", why) for model, why in found.missing.items()]
        if faults:
            raise FaultsError(faults)
        by_name = {c.folder.resolve(): c.source for c in found.found}
        found.twice = [f"{c.source} (as {by_name[at]})" for at, c in folders.items() if at in by_name]
        found.found += [c for at, c in folders.items() if at not in by_name]
        return found

    def matching(self) -> Iterator[str]:
        """The entries that mean something: folders, revisions that are here, and those that should be here by name.

        Others that are wrong are among them too, for ``find`` to say so.
        """
        for text in self._settings.checkpoints:
            try:
                self._meant(text)
            except NothingMeantError:
                continue
            except FaultsError:
                pass
            yield text

    def _meant(self, text: str) -> tuple[HubName | None, list[Path]]:
        """The model, or the folders, that an entry means.

        Raises
        ------
        FaultsError
            When it means neither, or both.
        """
        where = f"score.checkpoints: {text!r}"
        matched = [] if text.startswith(PREFIX) else [p for p in _glob(text, self._base) if os.path.isdir(p)]
        try:
            name = names.parse(text)
        except ValueError as error:
            if matched:
                return None, matched
            raise FaultsError([Fault(where, f"matches no folder, and names no model: {error}")]) from None
        if name is not None and (matched or not name.sure) and not self._here(name):
            name = None  # what looks like a folder is a model only where there is one
        if name is None and not matched:
            raise NothingMeantError([Fault(where, f"matches no folder under {self._base}", _of_hub(text))])
        if name is not None and matched:
            fix = f"write ./{text} for the folder, {PREFIX}{text} for the model"
            raise FaultsError([Fault(where, f"is a folder, and a model in {self.hub.folder}", fix)])
        if name is not None and name.is_pattern and not (self._settings.download or self._here(name)):
            raise NothingMeantError([self._nothing_fits(where, name)])
        return name, matched

    def _here(self, name: HubName) -> bool:
        """Whether the cache has the model, and of a pattern a revision that fits."""
        revisions = self.hub.revisions(name.model)
        return bool(name.matching(revisions)) if name.is_pattern else self.hub.has(name.model)

    def _nothing_fits(self, where: str, name: HubName) -> Fault:
        revisions = self.hub.revisions(name.model)
        near = difflib.get_close_matches(name.revision, revisions, cutoff=0.3) or revisions
        what = f"matches no revision in the hub's cache at {self.hub.folder}"
        what += f", which has {listed(near)} of this model" if near else ", which has nothing of this model"
        fix = self.hub.command(name.model, ["REVISION"])
        return Fault(where, what, f"fetch those that you want: {fix}, {OR_FETCH}")

    def _of_model(self, name: HubName, found: Candidates, absent: dict[str, list[str]]) -> None:
        """Enter what is here of a model's revisions, and what could not be found or fetched."""
        busy = self.hub.being_fetched(name.model, self._settings.quiet_seconds)
        for one in self._revisions(name, found):
            if any(c.source == one.source for c in found.found):
                continue
            try:
                snapshot = self._snapshot(one)
            except NotHereError as error:
                if self._only_looks:
                    found.to_fetch.append(one.source)
                elif busy:
                    found.waiting.append(one.source)
                elif isinstance(error, NotWholeError):
                    rest = self.hub.command(one.model, [one.revision])
                    found.missing[one.source] = f"{error}; fetch the rest: {rest} ({OR_FETCH})"
                else:
                    absent.setdefault(one.model, []).append(one.revision)
                continue
            except CheckpointError as error:
                found.missing[one.source] = redacted(str(error))
                continue
            found.found.append(
                Candidate(
                    folder=snapshot.folder,
                    source=plain(one.source),
                    name=one,
                    commit=snapshot.commit,
                    fetched=snapshot.fetched,
                    busy=busy,
                    advice=advice(self.hub, one, snapshot.folder),
                )
            )

    def _revisions(self, name: HubName, found: Candidates) -> list[HubName]:
        """The revisions that a name means: itself, or those that fit, here and on the hub if that may be asked."""
        if not name.is_pattern:
            return [name]
        revisions = self.hub.revisions(name.model)
        if self._only_looks:
            found.to_fetch.append(name.source)
        if self._fetching is not None:
            try:
                revisions += self.hub.offered(name.model)
            except CheckpointError as error:
                found.missing[name.source] = redacted(str(error))
        return [name.at(revision) for revision in name.matching(revisions)]

    def _snapshot(self, name: HubName) -> Snapshot:
        try:
            return self.hub.snapshot(name)
        except NotHereError:
            if self._fetching is None:
                raise
        self._fetching(f"fetching {name.source}")
        return self.hub.fetch(name)

    def _absent(self, model: str, revisions: list[str]) -> str:
        verb = "is" if len(revisions) == 1 else "are"
        here = [r for r in self.hub.revisions(model) if r not in revisions]  # a name may lead nowhere
        has = f", which has {listed(here)}" if here else ""
        return (
            f"{', '.join(revisions)} {verb} not in the hub's cache at {self.hub.folder}{has}; "
            f"fetch: {self.hub.command(model, revisions)} ({OR_FETCH})"
        )

    def _called(self, folder: Path) -> str:
        return _name(folder.relative_to(self._base) if folder.is_relative_to(self._base) else folder)


def _of_hub(text: str) -> str:
    """What to write for a model, after an entry that looks like one."""
    try:
        name = names.parse(text)
    except ValueError:
        return ""
    return f"for a model of the hub write {PREFIX}{text}" if name is not None else ""


def _name(folder: Path) -> str:
    """How a folder is called in tables and messages: what is not text, or would move the cursor, is escaped."""
    return plain(os.fsencode(folder.as_posix()).decode("utf-8", "backslashreplace"))


def _glob(pattern: str, base: Path) -> list[Path]:
    path = Path(pattern)
    root = Path(path.anchor) if path.is_absolute() else base
    relative = path.relative_to(path.anchor).as_posix() if path.is_absolute() else pattern
    return sorted(root.glob(relative)) if relative not in ("", ".") else [root]
