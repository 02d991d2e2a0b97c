"""Finding checkpoints: folders and models by name that are complete and have a place on the ladder."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import checkpoints as notices
from benchcast.stages.notices import readers

from ...core.config import ScoreSettings
from ...core.errors import CheckpointError, Fault, FaultsError, InputError, NotTrainedError, first_line
from ...core.redact import redacted
from ..store import Store
from . import agreement, place
from . import files as checkpoints
from .files import Files, Hash, Signature
from .names import HubName
from .patterns import Candidate, Finder
from .place import NOT_TOLD, Places

logger = logging.getLogger(__name__)
UNTRAINED = "checkpoints before the first step (zero tokens)"
TWINS = "folders with the same files, run and step as another, which is scored"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A folder to score; ``source`` is its name in the table, ``about`` its columns of the ladder table.

    ``digest`` is of all its files, ``signature`` the signature they had when they were hashed; ``tokenizer`` identifies
    the tokenizer, ``token_ids`` everything that may decide token ids. ``name`` is that of a model by name, ``commit``
    its revision's commit where that is known.
    """

    files: Files
    source: str
    about: dict[str, Any]
    digest: str
    tokenizer: str
    token_ids: str
    signature: Signature
    name: HubName | None = None
    commit: str = ""

    @property
    def revision(self) -> dict[str, str]:
        """The commit of a model by name, for the records of what is scored; nothing where none is known."""
        return {"commit": self.commit} if self.commit else {}

    @property
    def as_planned(self) -> dict[str, Any]:
        """Its entry in the plan of a run."""
        about = {"source": self.source, "digest": self.digest, "place": self.about, "tokenizer": self.tokenizer[:12]}
        return about | self.revision

    @property
    def model_args(self) -> dict[str, str]:
        """What lm-eval's results say it was: a path, or a model and its revision."""
        if self.name is None:
            return {"pretrained": self.source}
        return {"pretrained": self.name.model, "revision": self.name.revision}


@dataclass(kw_only=True)
class DiscoveredCheckpoints:
    """What the entries led to; ``broken`` maps (source, digest) to what is wrong with a folder, or is not here.

    ``waiting`` are folders that are still being written, ``to_fetch`` models by name that would be fetched; ``account``
    names what is left out without being broken.
    """

    checkpoints: list[Checkpoint] = field(default_factory=list)
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    to_fetch: list[str] = field(default_factory=list)
    account: Account = field(default_factory=Account)


def find(
    settings: ScoreSettings, base: Path, file_hash: Hash, fetching: Callable[[str], None] | None = None
) -> DiscoveredCheckpoints:
    """Every checkpoint that the entries of ``score.checkpoints`` mean: models by name first, then folders.

    A folder whose files are not complete, or changed a moment ago, is still being written and is left alone; one that
    stays incomplete is broken.

    Parameters
    ----------
    fetching : callable, optional
        Is told what is fetched where ``score.download`` is set; without it nothing is fetched.

    Raises
    ------
    FaultsError
        When a pattern matches nothing, a name means two things, settings name files that do not exist, or checkpoints
        contradict each other (see ``schema.validate``).
    """
    ladder = None if settings.ladder is None else base / settings.ladder
    places = Places(settings.place, settings.pattern, ladder)
    candidates = Finder(settings, base, fetching).find()
    discovered = DiscoveredCheckpoints(waiting=candidates.waiting, to_fetch=candidates.to_fetch)
    discovered.broken |= {(source, ""): reason for source, reason in candidates.missing.items()}
    if candidates.twice:
        discovered.account.leave(TWINS, *candidates.twice)
    for candidate in candidates.found:
        discovered.account.read("checkpoint folders" if candidate.name is None else "revisions of models by name")
        try:
            os.fsencode(candidate.folder).decode("utf-8")
        except UnicodeDecodeError:
            discovered.broken[candidate.source, ""] = (
                "its name is not UTF-8, which the libraries that load models need: rename it"
            )
            continue
        try:
            _look(discovered, settings, base, places, candidate, file_hash)
        except OSError as error:
            discovered.broken[candidate.source, ""] = f"cannot be read: {error.strerror or error}"
    _other_names(discovered, candidates.found)
    _set_aside(discovered, _same_place(discovered))
    _set_aside(discovered, _impossible(discovered.checkpoints))
    _set_aside(discovered, agreement.falling([(c.source, c.about) for c in discovered.checkpoints]))
    _set_aside(discovered, _other_conventions(discovered.checkpoints))
    _set_aside(
        discovered,
        checkpoints.odd_ones((c.source, str(c.about["family"]), c.tokenizer) for c in discovered.checkpoints),
    )
    _note_same_files(discovered)
    if discovered.checkpoints and (together := place.faults([c.about for c in discovered.checkpoints])):
        raise FaultsError([Fault("places of the checkpoints", what) for what in together])
    return discovered


def _look(
    discovered: DiscoveredCheckpoints,
    settings: ScoreSettings,
    base: Path,
    places: Places,
    candidate: Candidate,
    file_hash: Hash,
) -> None:
    """Enter one folder into what is found."""
    source = candidate.source
    files = checkpoints.files_of(candidate.folder, None if settings.tokenizer is None else base / settings.tokenizer)
    signature = checkpoints.signature(files)
    try:
        problem = checkpoints.unfinished(files)
    except Exception as error:  # files someone else wrote: anything can come
        problem = _why(error)
    if (problem and candidate.busy) or _still_written(candidate, files, settings):
        logger.debug("%s: is still being written", source)
        discovered.waiting.append(source)
        return
    digest = checkpoints.digest(files, file_hash)
    try:
        if problem:
            raise CheckpointError(f"{problem}; {candidate.advice}" if candidate.advice else problem)
        about, remarks = places.place_of(source, files, candidate.name)
        tokenizer = checkpoints.tokenizer_digest(files, file_hash)
        token_ids = checkpoints.token_ids_digest(files, file_hash)
    except NotTrainedError:
        discovered.account.leave(UNTRAINED, source)
        return
    except Exception as error:
        discovered.broken[source, digest] = _why(error)
        return
    if checkpoints.signature(files) != signature:  # what was hashed and what was read need not be one checkpoint
        discovered.waiting.append(source)
        return
    for remark in remarks:
        discovered.account.note(remark.about(source))
    discovered.checkpoints.append(
        Checkpoint(
            files=files,
            source=source,
            about=about,
            digest=digest,
            tokenizer=tokenizer,
            token_ids=token_ids,
            signature=signature,
            name=candidate.name,
            commit=candidate.commit,
        )
    )


def _other_names(discovered: DiscoveredCheckpoints, candidates: Sequence[Candidate]) -> None:
    """Revisions that nothing places, such as ``main``, and whose files the same model has at one that is placed."""
    models = {c.source: c.name.model for c in candidates if c.name is not None}
    placed = {(c.name.model, c.digest): c.source for c in discovered.checkpoints if c.name is not None}
    for (source, digest), reason in list(discovered.broken.items()):
        twin = placed.get((models.get(source, ""), digest))
        if twin is not None and reason.startswith(NOT_TOLD):
            del discovered.broken[source, digest]
            discovered.account.leave(TWINS, f"{source} (as {twin})")


def note_moved(discovered: DiscoveredCheckpoints, store: Store) -> None:
    """Tell of revisions that are another commit than in the store's last run."""
    try:
        plan = store.plan()
    except InputError:  # nothing was scored so far
        return
    then = {c.get("source"): c.get("commit") for c in plan["checkpoints"] if isinstance(c, dict)}
    for c in discovered.checkpoints:
        if c.commit and then.get(c.source) not in (None, c.commit):
            discovered.account.note(notices.REF_MOVED(c.source, now=c.commit[:12], then=str(then[c.source])[:12]))


def _why(error: Exception) -> str:
    return redacted(str(error) if isinstance(error, CheckpointError) else first_line(error))


def _same_place(discovered: DiscoveredCheckpoints) -> dict[str, str]:
    """Checkpoints that claim one run and step: equal ones are one, of others nobody knows which is meant."""
    places: dict[tuple[Any, Any], list[Checkpoint]] = {}
    spellings: dict[str, dict[str, str]] = {}
    for c in discovered.checkpoints:
        run = str(c.about["run"])
        places.setdefault((_one_spelling(run), c.about["step"]), []).append(c)
        spellings.setdefault(_one_spelling(run), {}).setdefault(run, c.source)
    for names in spellings.values():
        if len(names) > 1:
            listed_spellings = " and ".join(f"{run!r} ({source})" for run, source in names.items())
            discovered.account.note(readers.SPELLED_TWICE(names=listed_spellings))
    reasons, twins = {}, set()
    for (_, step), claim in places.items():
        first = claim[0]
        if all(c.digest == first.digest and c.about == first.about for c in claim):
            for c in claim[1:]:
                discovered.account.leave(TWINS, f"{c.source} (as {first.source})")
                twins.add(c.source)
            continue
        for c in claim:
            reasons[c.source] = _claimed(c, [o for o in claim if o is not c], step)
    discovered.checkpoints = [c for c in discovered.checkpoints if c.source not in twins]
    return reasons


def _note_same_files(discovered: DiscoveredCheckpoints) -> None:
    """Tell of checkpoints of a run that are the same at several steps: one of the steps is not theirs."""
    same: dict[tuple[str, str], list[str]] = {}
    for c in discovered.checkpoints:
        same.setdefault((str(c.about["run"]), c.digest), []).append(c.source)
    for first, *others in same.values():
        if others:
            discovered.account.note(notices.SAME_FILES(first, others=listed(others)))


def _claimed(one: Checkpoint, others: Sequence[Checkpoint], step: float) -> str:
    """Why a checkpoint cannot stand at a run and step where others stand."""
    differ = "other files" if any(o.digest != one.digest for o in others) else "another place on the ladder"
    what = ", ".join(dict.fromkeys(repr(c.about["run"]) for c in (one, *others)))
    return (
        f"has the same run and step as {listed(o.source for o in others)} ({what}, {step:g}) and {differ}: "
        "which of them is meant? Remove one, or give it its own run or step"
    )


def _one_spelling(run: str) -> str:
    """A run's name, where it is a number the number: spreadsheets and other readers take 007, 7 and 7.0 for one."""
    try:
        return repr(float(run)) if re.fullmatch(r"[0-9.eE+-]+", run) else run
    except ValueError:
        return run


def _impossible(placed: Sequence[Checkpoint]) -> dict[str, str]:
    """Checkpoints whose place alone is impossible, with the reason."""
    if not placed or not place.faults([c.about for c in placed]):
        return {}  # all at once, since it is the usual case
    alone = {c.source: "; ".join(place.faults([c.about])) for c in placed}
    return {source: what for source, what in alone.items() if what}


def _other_conventions(placed: Sequence[Checkpoint]) -> dict[str, str]:
    """Checkpoints whose FLOPs are counted otherwise than those of most of their family."""
    odd = {}
    for family in {c.about["family"] for c in placed}:
        of_family = [c for c in placed if c.about["family"] == family]
        counted = [c.about["flops_convention"] for c in of_family]
        usual = max(dict.fromkeys(counted), key=counted.count)
        for c in of_family:
            if c.about["flops_convention"] != usual:
                what = f"its FLOPs are counted as {c.about['flops_convention']!r}, those of its family as {usual!r}"
                odd[c.source] = f"{what}: recompute them in one convention"
    return odd


def _set_aside(discovered: DiscoveredCheckpoints, reasons: dict[str, str]) -> None:
    discovered.broken |= {
        (c.source, c.digest): reasons[c.source] for c in discovered.checkpoints if c.source in reasons
    }
    discovered.checkpoints = [c for c in discovered.checkpoints if c.source not in reasons]


def matching(settings: ScoreSettings, base: Path) -> tuple[str, ...]:
    """Those of the entries that match a folder or a revision in the hub's cache, or name a revision outright."""
    return tuple(Finder(settings, base).matching())


def missing(settings: ScoreSettings, base: Path) -> dict[str, str]:
    """Models, or revisions of them, that are named and not here, each with the command that fetches it.

    Raises
    ------
    FaultsError
        When an entry means nothing or two things, or nothing at all is here.
    """
    return Finder(settings, base).find().missing


def _still_written(candidate: Candidate, files: Files, settings: ScoreSettings) -> bool:
    if candidate.fetched:
        return False
    if settings.marker is not None and candidate.name is None:  # nobody puts a marker into the hub's cache
        return not (files.folder / settings.marker).is_file()
    now = time.time()
    try:
        last = max(map(_written, (files.folder, *files.folder.iterdir())))
    except OSError:  # a file that was renamed while we looked
        return True
    # A time in the future is a clock that was set back, not a file being written.
    return 0 <= now - last < settings.quiet_seconds


def _written(path: Path) -> float:
    """When a file was written last, seconds since 1970; of a link that leads nowhere, the link."""
    try:
        return path.stat().st_mtime
    except OSError:
        return path.lstat().st_mtime
