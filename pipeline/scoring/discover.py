"""Finding checkpoints: folders that match the patterns, are complete, and have a place on the ladder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import ScoreSettings
from pipeline.errors import Fault, FaultsError, first_line
from pipeline.scoring import checkpoints, place
from pipeline.scoring.checkpoints import CheckpointError, Files, Hash
from pipeline.scoring.place import Places


@dataclass(frozen=True)
class Checkpoint:
    """A folder to score; ``source`` is its name in the table, ``about`` its columns of the ladder table."""

    files: Files
    source: str
    about: dict[str, Any]
    digest: str
    tokenizer: str


@dataclass
class Found:
    """What the patterns led to; ``broken`` maps (source, digest) to what is wrong with a folder."""

    checkpoints: list[Checkpoint] = field(default_factory=list)
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


def find(settings: ScoreSettings, base: Path, file_hash: Hash) -> Found:
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
    found = Found()
    taken: dict[tuple[Any, Any], str] = {}
    for folder, source in _folders(settings.checkpoints, base):
        tokenizer = None if settings.tokenizer is None else base / settings.tokenizer
        files = checkpoints.files(folder, tokenizer)
        try:
            problem = checkpoints.unfinished(files)
        except Exception as error:  # files someone else wrote: anything can come
            problem = str(error) if isinstance(error, CheckpointError) else first_line(error)
        if _still_written(files, settings):
            found.waiting.append(source)
            continue
        try:
            digest = checkpoints.digest(files, file_hash)
        except OSError as error:
            found.broken[source, ""] = f"cannot be read: {error}"
            continue
        try:
            if problem:
                raise CheckpointError(problem)
            about = places.of(source, files)
            twin = taken.setdefault((about["run"], about["step"]), source)
            if twin != source:
                raise CheckpointError(f"has the same run and step as {twin}")
            words = checkpoints.tokenizer_digest(files, file_hash)
            found.checkpoints.append(Checkpoint(files, source, about, digest, words))
        except Exception as error:
            found.broken[source, digest] = str(error) if isinstance(error, CheckpointError) else first_line(error)
    _set_aside(found, _impossible(found.checkpoints))
    _set_aside(found, _other_conventions(found.checkpoints))
    _set_aside(found, checkpoints.odd_ones((c.source, str(c.about["family"]), c.tokenizer) for c in found.checkpoints))
    if found.checkpoints and (together := place.faults([c.about for c in found.checkpoints])):
        raise FaultsError([Fault("places of the checkpoints", what) for what in together])
    return found


def _impossible(found: Sequence[Checkpoint]) -> dict[str, str]:
    """Checkpoints whose place alone is impossible, with the reason."""
    if not found or not place.faults([c.about for c in found]):
        return {}  # all at once, since it is the usual case
    alone = {c.source: "; ".join(place.faults([c.about])) for c in found}
    return {source: what for source, what in alone.items() if what}


def _other_conventions(found: Sequence[Checkpoint]) -> dict[str, str]:
    """Checkpoints whose FLOPs are counted otherwise than those of most of their family."""
    odd = {}
    for family in {c.about["family"] for c in found}:
        own = [c for c in found if c.about["family"] == family]
        counted = [c.about["flops_convention"] for c in own]
        usual = max(dict.fromkeys(counted), key=counted.count)
        for c in own:
            if c.about["flops_convention"] != usual:
                what = f"its FLOPs are counted as {c.about['flops_convention']!r}, those of its family as {usual!r}"
                odd[c.source] = f"{what}: recompute them in one convention"
    return odd


def _set_aside(found: Found, reasons: dict[str, str]) -> None:
    found.broken |= {(c.source, c.digest): reasons[c.source] for c in found.checkpoints if c.source in reasons}
    found.checkpoints = [c for c in found.checkpoints if c.source not in reasons]


def _folders(patterns: Iterable[str], base: Path) -> list[tuple[Path, str]]:
    folders: dict[Path, Path] = {}
    faults = []
    for pattern in patterns:
        matched = [p for p in _glob(pattern, base) if p.is_dir()]
        if not matched:
            faults.append(Fault(f"score.checkpoints: {pattern!r}", f"matches no folder under {base}"))
        folders.update({p.resolve(): p for p in matched})
    if faults:
        raise FaultsError(faults)
    return [(p, p.relative_to(base).as_posix() if p.is_relative_to(base) else p.as_posix()) for p in folders.values()]


def matching(patterns: Iterable[str], base: Path) -> tuple[str, ...]:
    """Those of the patterns that match a folder."""
    return tuple(p for p in patterns if any(found.is_dir() for found in _glob(p, base)))


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
        last = max(p.stat().st_mtime for p in (files.folder, *files.folder.iterdir()))
    except OSError:  # a file that was renamed while we looked
        return True
    # A time in the future is a clock that was set back, not a file being written.
    return 0 <= now - last < settings.quiet_seconds
