"""Finding checkpoints: folders that match the patterns, are complete, and have a place on the ladder."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ...core.config import ScoreSettings
from ...core.errors import CheckpointError, Fault, FaultsError, NotTrainedError, first_line, plain
from ...core.redact import redacted
from . import agreement, place
from . import files as checkpoints
from .files import Files, Hash, Signature
from .place import Places

logger = logging.getLogger(__name__)
UNTRAINED = "checkpoints before the first step (zero tokens)"
TWINS = "folders with the same files, run and step as another, which is scored"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A folder to score; ``source`` is its name in the table, ``about`` its columns of the ladder table.

    ``digest`` is of all its files, ``signature`` the signature they had when they were hashed; ``tokenizer`` identifies
    the tokenizer, ``token_ids`` everything that may decide token ids.
    """

    files: Files
    source: str
    about: dict[str, Any]
    digest: str
    tokenizer: str
    token_ids: str
    signature: Signature


@dataclass(kw_only=True)
class DiscoveredCheckpoints:
    """What the patterns led to; ``broken`` maps (source, digest) to what is wrong with a folder.

    ``waiting`` are folders that are still being written; ``account`` names what is left out without being broken.
    """

    checkpoints: list[Checkpoint] = field(default_factory=list)
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    account: Account = field(default_factory=Account)


def find(settings: ScoreSettings, base: Path, file_hash: Hash) -> DiscoveredCheckpoints:
    """Every checkpoint that the glob patterns match, in the order of their names.

    A folder whose files are not complete, or changed a moment ago, is still being written and is left alone; one that
    stays incomplete is broken.

    Raises
    ------
    FaultsError
        When a pattern matches no folder, settings name files that do not exist, or checkpoints contradict each other
        (see ``schema.validate``).
    """
    ladder = None if settings.ladder is None else base / settings.ladder
    places = Places(settings.place, settings.pattern, ladder)
    discovered = DiscoveredCheckpoints()
    for folder, source in _folders(settings.checkpoints, base):
        discovered.account.read("checkpoint folders")
        try:
            os.fsencode(folder).decode("utf-8")
        except UnicodeDecodeError:
            discovered.broken[source, ""] = (
                "its name is not UTF-8, which the libraries that load models need: rename it"
            )
            continue
        try:
            _look(discovered, settings, base, places, folder, source, file_hash)
        except OSError as error:
            discovered.broken[source, ""] = f"cannot be read: {error.strerror or error}"
    _set_aside(discovered, _same_place(discovered))
    _set_aside(discovered, _impossible(discovered.checkpoints))
    _set_aside(discovered, agreement.falling([(c.source, c.about) for c in discovered.checkpoints]))
    _set_aside(discovered, _other_conventions(discovered.checkpoints))
    _set_aside(
        discovered,
        checkpoints.odd_ones((c.source, str(c.about["family"]), c.tokenizer) for c in discovered.checkpoints),
    )
    if discovered.checkpoints and (together := place.faults([c.about for c in discovered.checkpoints])):
        raise FaultsError([Fault("places of the checkpoints", what) for what in together])
    return discovered


def _look(
    discovered: DiscoveredCheckpoints,
    settings: ScoreSettings,
    base: Path,
    places: Places,
    folder: Path,
    source: str,
    file_hash: Hash,
) -> None:
    """Enter one folder into what is found."""
    files = checkpoints.files_of(folder, None if settings.tokenizer is None else base / settings.tokenizer)
    signature = checkpoints.signature(files)
    try:
        problem = checkpoints.unfinished(files)
    except Exception as error:  # files someone else wrote: anything can come
        problem = _why(error)
    if _still_written(files, settings):
        logger.debug("%s: is still being written", source)
        discovered.waiting.append(source)
        return
    digest = checkpoints.digest(files, file_hash)
    try:
        if problem:
            raise CheckpointError(problem)
        about, remarks = places.place_of(source, files)
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
        )
    )


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


def _folders(patterns: Iterable[str], base: Path) -> list[tuple[Path, str]]:
    folders: dict[Path, Path] = {}
    faults = []
    for pattern in patterns:
        matched = [p for p in _glob(pattern, base) if os.path.isdir(p)]  # unlike is_dir, never an error
        if not matched:
            faults.append(Fault(f"score.checkpoints: {pattern!r}", f"matches no folder under {base}"))
        folders.update({p.resolve(): p for p in matched})
    if faults:
        raise FaultsError(faults)
    return [(p, _name(p.relative_to(base) if p.is_relative_to(base) else p)) for p in folders.values()]


def _name(folder: Path) -> str:
    """How a folder is called in tables and messages: what is not text, or would move the cursor, is escaped."""
    return plain(os.fsencode(folder.as_posix()).decode("utf-8", "backslashreplace"))


def matching(patterns: Iterable[str], base: Path) -> tuple[str, ...]:
    """Those of the patterns that match a folder."""
    return tuple(p for p in patterns if any(map(os.path.isdir, _glob(p, base))))


def _glob(pattern: str, base: Path) -> list[Path]:
    path = Path(pattern)
    root = Path(path.anchor) if path.is_absolute() else base
    relative = path.relative_to(path.anchor).as_posix() if path.is_absolute() else pattern
    return sorted(root.glob(relative)) if relative not in ("", ".") else [root]


def _still_written(files: Files, settings: ScoreSettings) -> bool:
    if settings.marker is not None:
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
