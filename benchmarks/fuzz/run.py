"""Two fuzzers of everything that reads a file: no traceback, no hang, no flood, and no contradiction taken in silence.

    python -m benchmarks.fuzz files    --reader lm_eval --count 2000 --seed 0
    python -m benchmarks.fuzz semantic --reader lm_eval --count 2000 --seed 0
    python -m benchmarks.fuzz replay FOLDER/semantic-lm_eval-0-17

``files`` breaks bytes, lines, cells and keys, blindly: the outcome must be a table or an error that a user can read.
``semantic`` makes a contradiction on purpose, such as an accuracy that its samples deny: the outcome must be an error,
a line in the account, or the table as it was. What fails is written, with its files, to ``--keep``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchcast.core.errors import BenchcastError

from . import mutate, semantic, ways
from .world import Files, Read, World
from .worlds import WORLDS

LONGEST = 10  # seconds
MOST_LINES = 21
MOST_BYTES = 4 << 30  # of address space
KINDS = ("files", "semantic")


class Hang(BaseException):
    """Reading took too long; no ``except Exception`` may swallow it."""


@dataclass(frozen=True)
class Failure:
    """What went wrong, where it is to be replayed from."""

    number: int
    what: str
    done: str

    def __str__(self) -> str:
        return f"#{self.number} {self.done}: {self.what}"


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def place(folder: Path, path: str, content: bytes) -> None:
    """A file, or the special thing that stands for one."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if content == mutate.FOLDER:
        target.mkdir()
    elif content == mutate.FIFO:
        os.mkfifo(target)
    elif content == mutate.LOOP:
        target.symlink_to(target.name)
    elif content == mutate.DANGLING:
        target.symlink_to("nowhere")
    elif content == mutate.DEVICE:
        target.symlink_to("/dev/zero")
    elif content != mutate.GONE:
        target.write_bytes(content)


def take_away(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


class Case:
    """A folder that holds a world; one mutation at a time is put in, read and taken out."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        for path, content in world.files.items():
            place(folder, path, content)
        self.base = world.read(folder)

    @contextmanager
    def changed(self, files: Files) -> Iterator[None]:
        for path, content in files.items():
            take_away(self.folder / path)
            place(self.folder, path, content)
        try:
            yield
        finally:
            for path in files:
                take_away(self.folder / path)
                if path in self.world.files:
                    place(self.folder, path, self.world.files[path])

    def read(self) -> tuple[Read | None, str]:
        """What reading gave, or nothing and why: an error that is right has an empty reason."""
        try:
            with at_most(LONGEST), warnings.catch_warnings():
                warnings.simplefilter("error")
                return self.world.read(self.folder), ""
        except Hang:
            return None, f"hangs for more than {LONGEST} s"
        except BenchcastError as error:
            return None, unreadable(str(error))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            last = traceback.extract_tb(error.__traceback__)
            ours = [f for f in last if "/pipeline/" in f.filename or "/stages/" in f.filename]
            at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
            return None, f"{type(error).__name__} at {at}: {str(error)[:150]}"

    def command_line(self) -> str:
        """What is wrong with the command's outcome; empty where nothing is."""
        arguments = [part.replace("{in}", str(self.folder)) for part in self.world.command]
        command = [sys.executable, "-m", "benchcast", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, timeout=30, cwd=Path(__file__).parents[2])
        except subprocess.TimeoutExpired:
            return "the command hangs for more than 30 s"
        errors = done.stderr.decode("utf-8", "replace")
        if done.returncode not in (0, 1, 2):
            return f"exit code {done.returncode}"
        if "Traceback" in errors or "--debug" in errors or "Warning:" in errors:
            return f"traceback or warning: {errors[-200:]!r}"
        if "\x1b" in errors or "\x1b" in done.stdout.decode("utf-8", "replace"):
            return "terminal escapes are printed"
        return "a flood of messages" if len(errors.splitlines()) > 60 else ""


def unreadable(message: str) -> str:
    """Why a person cannot use an error's message; empty where nothing is wrong with it."""
    lines = message.split("\n")
    if len(lines) > MOST_LINES:
        return f"the message has {len(lines)} lines"
    if not message.strip():
        return "the message is empty"
    if any(not c.isprintable() for line in lines for c in line):
        return f"the message has control characters: {message[:80]!r}"
    return f"a line of {max(map(len, lines))} letters" if max(map(len, lines)) > 1100 else ""


def silent(case: Case, now: Read, allowed: semantic.Allowed) -> str:
    """What a contradiction changed without a word; empty where it was told or changed nothing."""
    if set(now.told) - set(case.base.told):
        return ""
    if allowed(case.base.rows, now.rows):
        return ""
    changed = [key for key in {**case.base.rows, **now.rows} if case.base.rows.get(key) != now.rows.get(key)]
    if not changed:
        return "ACCEPTED: the table is as it was, but nothing says what is wrong"
    key = min(changed, key=str)
    return f"ACCEPTED {len(changed)} rows differ: {key}: {case.base.rows.get(key)} -> {now.rows.get(key)}"


def run(kind: str, reader: str, count: int, seed: int, keep: Path | None = None, commands: int = 0) -> list[Failure]:
    """Try ``count`` mutations of a reader's worlds; ``commands`` of them also by the real command line."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    failures: list[Failure] = []
    try:
        makers = semantic.worlds(reader) if kind == "semantic" else WORLDS[reader]
        cases = [Case(make(), root / str(i)) for i, make in enumerate(makers)]
        for number in range(count):
            rng = random.Random(f"{seed} {kind} {reader} {number}")
            case = rng.choice(cases)
            if kind == "semantic":
                files, done, allowed = semantic.contradict(reader, case.world.files, rng)
            else:
                files, done = ways.mutate(case.world.files, rng)
                allowed = semantic.anything
            with case.changed(files):
                now, why = case.read()
                if not why and now is not None:
                    why = silent(case, now, allowed)
                if not why and commands and number % max(count // commands, 1) == 0:
                    why = case.command_line()
                if why:
                    failures.append(Failure(number, why, done))
                    if keep is not None:
                        _keep(keep / f"{kind}-{reader}-{seed}-{number}", case.world.files | files, failures[-1], reader)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return failures


def every(kind: str, reader: str, seed: int) -> list[Failure]:
    """Try each kind of mutation once on one of a reader's worlds: what a test has the time for."""
    rng = random.Random(f"{seed} {kind} {reader}")
    failures: list[Failure] = []
    makers = semantic.worlds(reader) if kind == "semantic" else WORLDS[reader]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as root:
        cases = [Case(make(), Path(root) / str(i)) for i, make in enumerate(makers)]
        if kind == "semantic":  # a contradiction may fit one world only
            tries = [(case, *one) for case in cases for one in semantic.every(reader, case.world.files, rng)]
            tries = list({one[2].partition(" [")[0]: one for one in tries}.values())
        else:
            case = rng.choice(cases)
            tries = [(case, *one, semantic.anything) for one in ways.every(case.world.files, rng)]
        for number, (case, files, done, allowed) in enumerate(tries):
            with case.changed(files):
                now, why = case.read()
            if not why and now is not None:
                why = silent(case, now, allowed)
            if why:
                failures.append(Failure(number, why, done))
    return failures


def _keep(folder: Path, files: Files, failure: Failure, reader: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files.items():
        place(folder, path, content)
    (folder / "failure.json").write_text(json.dumps({"reader": reader, "what": str(failure)}))


def replay(folder: Path) -> int:
    """Read a kept failure again, with its traceback."""
    about = json.loads((folder / "failure.json").read_text())
    print(about["what"])
    world = [*WORLDS[about["reader"]], *semantic.worlds(about["reader"])][0]()
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(folder, name, dirs_exist_ok=True, symlinks=True)
        found = world.read(Path(name))
    print(*found.told, sep="\n")
    print(*found.rows.items(), sep="\n")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=(*KINDS, "replay"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--reader", action="append", choices=tuple(WORLDS))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--commands", type=int, default=10, help="of them also by the real command line")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for what fails")
    given = parser.parse_args()
    if given.kind == "replay":
        return replay(given.folder)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    bad = 0
    for reader in given.reader or (semantic.READERS if given.kind == "semantic" else WORLDS):
        start = time.monotonic()
        failures = run(given.kind, reader, given.count, given.seed, given.keep, given.commands)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{given.kind:8} {reader:16} {given.count} tried, {len(failures)} failed, seed {given.seed}, "
            f"{time.monotonic() - start:.0f} s, peak {peak} MiB",
            flush=True,
        )
        seen = Counter(_kind_of(failure) for failure in failures)
        for kind, number in seen.most_common(25):
            first = next(f for f in failures if _kind_of(f) == kind)
            print(f"  {number:5} x {str(first)[:420]}")
        bad += bool(failures)
    return 1 if bad else 0


def _kind_of(failure: Failure) -> str:
    """Failures that are likely one defect."""
    if failure.what.startswith("ACCEPTED"):
        return failure.done.partition(" [")[0]
    return failure.what.partition(": ")[0]
