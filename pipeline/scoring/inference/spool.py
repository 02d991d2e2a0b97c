"""A folder over which jobs and answers are handed between processes that share nothing but a file system.

Whoever takes a job renames its file, and a rename happens once: so every job has one taker. Files are written whole
under another name first. They hold JSON and numpy arrays; nothing in them is code, and nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
import typing
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import first_line
from .worker import JobResult, WorkerJob, WorkerSettings

BEAT = 5.0  # seconds between two signs of life
LETTERS = "json"  # name of the array that holds the JSON text


@dataclass(frozen=True)
class Failure:
    """What a worker answers when it failed for a reason that is not the checkpoint's: the error in one line."""

    error: str


def _dataclasses(*roots: Any) -> dict[str, Any]:
    """These dataclasses and all that their fields are declared to hold, by name: nothing else is ever built."""
    known: dict[str, Any] = {}
    rest = list(roots)
    while rest:
        kind = rest.pop()
        rest += typing.get_args(kind)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__name__ not in known:
            known[kind.__name__] = kind
            rest += typing.get_type_hints(kind).values()
    return known


KNOWN = _dataclasses(WorkerSettings, WorkerJob, JobResult, Failure)


def pack(value: Any, arrays: dict[str, Any]) -> Any:
    """A value as JSON; arrays are put aside under the names that the JSON has for them.

    Raises
    ------
    TypeError
        When it holds something that cannot travel.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype != object:
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [pack(v, arrays) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(k, arrays), pack(v, arrays)] for k, v in value.items()]}
    kind = KNOWN.get(type(value).__name__)
    if kind is type(value):
        fields = {f.name: pack(getattr(value, f.name), arrays) for f in dataclasses.fields(kind)}
        return {"class": type(value).__name__, "fields": fields}
    raise TypeError(f"a {type(value).__name__} cannot be handed to a worker on another machine")


def unpack(value: Any, arrays: Any) -> Any:
    """What ``pack`` was given."""
    if not isinstance(value, dict):
        return value
    if "class" in value:
        return KNOWN[value["class"]](**{k: unpack(v, arrays) for k, v in value["fields"].items()})
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "path":
        return Path(content)
    if kind == "dict":
        return {unpack(k, arrays): unpack(v, arrays) for k, v in content}
    return {"list": list, "tuple": tuple}[kind](unpack(v, arrays) for v in content)


def write(path: Path, value: Any) -> None:
    """Write a value, whole or not at all."""
    arrays: dict[str, Any] = {}
    text = json.dumps(pack(value, arrays)).encode()
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with unfinished.open("wb") as file:
        np.savez(file, **(arrays | {LETTERS: np.frombuffer(text, dtype=np.uint8)}))
    unfinished.replace(path)


def read(path: Path) -> Any:
    """Read a value that ``write`` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return unpack(json.loads(arrays[LETTERS].tobytes()), arrays)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A job that somebody has taken: its number and slot, who has it, and its file."""

    number: int
    slot: int
    taker: str
    path: Path


class Spool:
    """The folder: ``jobs`` wait, ``taken`` are being answered, ``answers`` are in, ``alive`` holds signs of life."""

    DRIVER = "driver"  # the name of the one that hands out jobs

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[float, float]] = {}

    def make(self, settings: WorkerSettings, setup: str) -> None:
        """Lay the folder out; only its owner may read it, since prompts may be private."""
        self.folder.mkdir(parents=True, mode=0o700)
        for name in ("jobs", "taken", "answers", "alive", "logs"):
            (self.folder / name).mkdir()
        (self.folder / "setup.sh").write_text(setup, encoding="utf-8")
        write(self.folder / "settings", settings)

    def settings(self) -> WorkerSettings:
        """How the workers compute."""
        found = read(self.folder / "settings")
        assert isinstance(found, WorkerSettings)
        return found

    def put(self, number: int, slot: int, job: WorkerJob) -> None:
        """Let a job wait; jobs of one slot are of one checkpoint, mostly."""
        write(self.folder / "jobs" / f"{number:08d}-{slot}", job)

    def waiting(self) -> dict[int, int]:
        """Number to slot of the jobs that wait, oldest first."""
        names = (name.split("-") for name in self._names("jobs"))
        return {int(number): int(slot) for number, slot in names}

    def take(self, number: int, slot: int, taker: str) -> Taken | None:
        """Take a job; None when somebody else was faster."""
        path = self.folder / "taken" / f"{number:08d}-{slot}@{taker}"
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "jobs" / f"{number:08d}-{slot}").rename(path)
        # Over NFS a rename that happened can be answered with an error: what counts is whose name is there.
        return Taken(number=number, slot=slot, taker=taker, path=path) if path.exists() else None

    def taken(self) -> list[Taken]:
        """The jobs that somebody has."""
        found = []
        for name in self._names("taken"):
            job, taker = name.split("@", 1)
            number, slot = job.split("-")
            found.append(Taken(number=int(number), slot=int(slot), taker=taker, path=self.folder / "taken" / name))
        return found

    def put_back(self, taken: Taken) -> None:
        """Let a job wait again."""
        with contextlib.suppress(FileNotFoundError):
            taken.path.rename(self.folder / "jobs" / f"{taken.number:08d}-{taken.slot}")

    def answer(self, taken: Taken, result: JobResult | Failure) -> None:
        """Hand in an answer."""
        write(self.folder / "answers" / f"{taken.number:08d}", result)
        taken.path.unlink(missing_ok=True)

    def forget(self, number: int) -> None:
        """Take a job away that nobody needs an answer to any more."""
        for folder in ("jobs", "taken"):
            for name in self._names(folder):
                if int(name.split("-")[0]) == number:
                    (self.folder / folder / name).unlink(missing_ok=True)

    def answers(self) -> Iterator[tuple[int, JobResult | Failure]]:
        """The answers that are in; each is given once."""
        for name in self._names("answers"):
            path = self.folder / "answers" / name
            try:
                result = read(path)
            except OSError:  # the file system may be away: looked at again
                raise
            except Exception as error:  # it will not get better, and somebody waits for it
                result = Failure(f"its answer cannot be read: {first_line(error)}")
            path.unlink()
            yield int(name), result

    @contextmanager
    def alive(self, name: str) -> Iterator[None]:
        """Give signs of life meanwhile."""
        path, done = self.folder / "alive" / name, threading.Event()

        def beat() -> None:
            with contextlib.suppress(OSError):  # the folder may be gone
                path.touch()
                while not done.wait(BEAT):
                    os.utime(path)

        thread = threading.Thread(target=beat, daemon=True)
        path.touch()
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            path.unlink(missing_ok=True)

    def names_alive(self) -> list[str]:
        """Who has given a sign of life and not said good-bye."""
        return [name for name in self._names("alive") if name != self.DRIVER]

    def silent(self, name: str) -> float:
        """Seconds since the last sign of life, by this process's clock: clocks of two machines are not compared."""
        try:
            beat = (self.folder / "alive" / name).stat().st_mtime
        except OSError:
            beat = 0.0
        now = time.monotonic()
        if name not in self._seen or self._seen[name][0] != beat:
            self._seen[name] = beat, now
        return now - self._seen[name][1]

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.folder / folder) if not name.startswith("."))
        except FileNotFoundError:
            return []
