"""What the tasks ask, kept from run to run: a run with nothing to score loads neither lm-eval nor torch to see that.

The hash of a task's requests is kept in ``<store>/requests.json`` under everything that decides it: versions, this
package's own code, the settings that matter, and the SHA-256 of every file that was read while the tasks were built or
that a task names as its data. Whatever is not surely the same is built again. Data sets of the hub are taken to be the
same while they lie in the cache: a run that scores anything builds all tasks, and then notices.
"""

from __future__ import annotations

import glob
import json
import logging
import os
import platform
import site
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...core import digest, reading
from ...core import files as disk
from ...core.config import ScoreSettings
from ...core.digest import file_digest, object_digest
from ...core.errors import BenchcastError
from ...core.versions import installed_version
from ...data import document_metrics
from .book import PreparedRequest, RequestSpec
from .kinds.base import Task

NAME = "requests.json"
FORMAT = 1  # of the file; raise it when what is kept changes
MOST_KEPT = 8  # sets of settings
SMALL = 8 << 20  # bytes: below, a file is hashed every time; above, known by inode, modification time and size
DECIDING_SETTINGS = (
    "tasks",
    "include_path",
    "validation_text",
    "num_fewshot",
    "limit",
    "seed",
    "gen_kwargs",
    "gold_text",
    "run_unsafe_code",
)
CLOCK_LAG = 0.05  # seconds that a file system's clock may be behind that of the process
Hash = Callable[[Path], str]
logger = logging.getLogger(__name__)

_opened: dict[str, object] | None = None  # what is read just now, while somebody wants to know, and how it looked


def code_files() -> list[Path]:
    """The source that decides what is asked: all folders of the scorer, and what it reads and hashes by."""
    scorer = Path(__file__).parents[1]
    shared = [Path(str(module.__file__)) for module in (document_metrics, reading, digest)]
    return sorted([*scorer.rglob("*.py"), *shared])


class RequestCache:
    """The requests of one store that earlier runs have built."""

    def __init__(self, folder: Path, settings: ScoreSettings, base: Path, file_hash: Hash) -> None:
        self._path = folder / NAME
        self._settings, self._base, self._file_hash = settings, base, file_hash

    def recall(self) -> list[RequestSpec] | None:
        """What the settings ask for, or None when anything could have changed since it was remembered."""
        known = self._read().get(self._key())
        try:
            if known is None or not known["asks"]:
                logger.debug("%s: knows nothing of these settings, versions and code", self._path)
                return None
            if self._listed(known["patterns"]) != known["patterns"]:
                logger.debug("%s: files have come or gone", self._path)
                return None
            if edited := next((p for p, d in known["files"].items() if self._hash(Path(p)) != d), None):
                logger.debug("%s: %s was edited", self._path, edited)
                return None
            return [RequestSpec(name=n, digest=d, version=v) for n, d, v in known["asks"]]
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            return None

    def remember(self, specs: Sequence[PreparedRequest], opened: Mapping[str, object], began: float) -> None:
        """Keep what was built, with the files it came from; nothing when they cannot be told.

        Nor when one of them was written since the build ``began`` (seconds since 1970): what is hashed now need not
        be what was read then.
        """
        tasks = [spec.what for spec in specs if isinstance(spec.what, Task)]
        if any(callable(getattr(t.harness.config, "custom_dataset", None)) for t in tasks):
            return  # code that gets its data from wherever it likes
        patterns = self._listed([*self._own_patterns(), *(p for t in tasks for p in _data_patterns(t.harness))])
        files = {*map(os.path.abspath, opened.keys()), *(name for names in patterns.values() for name in names)}
        try:
            digests = {name: self._hash(Path(name)) for name in sorted(files) if Path(name).is_file()}
            latest = max((max(s.st_mtime, s.st_ctime) for s in map(os.stat, digests)), default=0.0)
        except OSError:
            return
        if latest > began - CLOCK_LAG or unsteady(opened):
            return
        entry = {"asks": [[a.name, a.digest, a.version] for a in specs], "patterns": patterns, "files": digests}
        known = {k: v for k, v in self._read().items() if k != self._key()}
        kept = dict(list(known.items())[-(MOST_KEPT - 1) :]) | {self._key(): entry}
        with suppress(BenchcastError):  # a full disk is told by what must be written
            disk.write_text(json.dumps(kept, indent=1) + "\n", self._path)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _key(self) -> str:
        code = [file_digest(path) for path in code_files()]
        versions = [installed_version(name, "") for name in ("lm-eval", "datasets", "jinja2", "pyyaml")]
        settings = {k: v for k, v in self._settings.model_dump(mode="json").items() if k in DECIDING_SETTINGS}
        # Task files may name their data relative to where the command was started.
        return object_digest(
            [FORMAT, platform.python_version(), versions, code, settings, str(self._base), os.getcwd()]
        )

    def _own_patterns(self) -> list[str]:
        include = [] if self._settings.include_path is None else [f"{self._base / self._settings.include_path}/**"]
        traces = (t for t in self._settings.gold_text.values() if t.endswith(".jsonl"))
        include += [str(self._base / path) for path in traces]
        return [*include, *(str(self._base / path) for path in self._settings.validation_text)]

    def _listed(self, patterns: Iterable[str]) -> dict[str, list[str]]:
        return {p: sorted(os.path.abspath(f) for f in glob.glob(p, recursive=True) if _counts(f)) for p in patterns}

    def _hash(self, path: Path) -> str:
        return file_digest(path) if path.stat().st_size <= SMALL else self._file_hash(path)


@contextmanager
def listening() -> Iterator[dict[str, object]]:
    """The files that this process opens for reading meanwhile, but for those of installed packages.

    By name, with how each looked when it was first opened (see ``unsteady``).
    """
    global _opened
    if not getattr(sys, "_benchcast_listens", False):
        sys.addaudithook(_hear)  # for the rest of the process: it can be silenced, not removed
        sys._benchcast_listens = True  # type: ignore[attr-defined]
    _opened, files = {}, dict[str, object]()
    try:
        yield files
    finally:
        opened, _opened = _opened, None
        apart = _apart()
        opened = opened or {}
        files |= {p: look for p, look in opened.items() if _counts(p) and not os.path.realpath(p).startswith(apart)}


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if _opened is not None and event == "open" and isinstance(args[0], str):
        flags = args[2] if len(args) > 2 and isinstance(args[2], int) else os.O_RDONLY
        if flags & os.O_ACCMODE == os.O_RDONLY and args[0] not in _opened:
            _opened[args[0]] = _look(args[0])
            if problem := _endless(args[0]):
                raise OSError(f"{args[0]} {problem}, no file")


def _endless(path: str) -> str:
    """What a path is whose reader would wait or read for ever; empty for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    if stat.S_ISFIFO(status.st_mode):
        return "is a FIFO"
    zeros = stat.S_ISCHR(status.st_mode) and os.path.realpath(path) in ("/dev/zero", "/dev/full", "/dev/tty")
    return "is a device" if zeros else ""


def _look(path: str) -> object:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


def unsteady(opened: Mapping[str, object]) -> list[str]:
    """Those of the files that ``listening`` heard of that do not look as they did then."""
    return [path for path, look in opened.items() if _look(path) != look]


def _apart() -> tuple[str, ...]:
    """Folders whose files are known by a package's version, or are copies of files that are looked at themselves."""
    installed = [*sysconfig.get_paths().values(), *site.getsitepackages(), sys.prefix, sys.base_prefix]
    cache = [os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")]
    cache += [os.environ[name] for name in ("HF_DATASETS_CACHE", "HF_HUB_CACHE") if os.environ.get(name)]
    folders = [os.path.realpath(p) for p in [*installed, *cache, "/proc", "/sys", "/dev", "/etc", "/usr"]]
    return tuple(p + os.sep for p in folders if p != os.sep)


def _counts(path: str) -> bool:
    return os.path.isfile(path) and "__pycache__" not in path and not path.endswith((".pyc", ".lock"))


def _data_patterns(harness: Any) -> Iterator[str]:
    """Patterns of the local files that a task's data set is made from."""
    config = harness.dump_config()
    given = config.get("dataset_kwargs")
    kwargs = given if isinstance(given, Mapping) else {}
    for name in _names(kwargs.get("data_files")):
        if "://" not in name or name.startswith("file://"):
            yield name.removeprefix("file://")
            if kwargs.get("data_dir"):
                yield os.path.join(str(kwargs["data_dir"]), name)
    for folder in (kwargs.get("data_dir"), config.get("dataset_path")):
        if isinstance(folder, str) and os.path.exists(folder):
            yield f"{folder}/**" if os.path.isdir(folder) else folder


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str | os.PathLike):
        yield os.fspath(value)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _names(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _names(part)
