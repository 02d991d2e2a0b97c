"""The result files below a folder, found by what is in them: lm-eval's as short records, all others named.

A file is parsed once and only what the ladder needs is kept: thousands of results fit into little memory.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchcast.reports.records.account import Account

from ....core import reading
from ....core.errors import Fault, UnreadableError
from ...document_metrics import Mean
from .. import reader_of
from . import foreign
from .identity import Identity, identity_of

PACKED = (".json.gz", ".json.bz2", ".json.xz", ".json.zst", ".zip", ".tar", ".tar.gz", ".tgz")
OLMES_NAME = re.compile(r"task-\d+-.+-metrics")
MOST_UNNAMED = 1 << 20  # bytes of a JSON file that is parsed only to say what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of one result file. ``metrics`` has every number by metric and filter, as the file gives it."""

    name: str
    shots: Any
    version: str
    metrics: Mapping[str, Any]
    effective: Any  # number of documents scored
    original: Any  # number of documents the task has
    output_type: str  # as lm-eval calls it; empty where it is not stated
    delimiter: str
    digest: str  # of the documents and prompts, where samples were logged
    prompt: str = ""
    configured: Any = None  # shots as the task's configuration has them
    not_means: frozenset[str] = frozenset()  # metrics that the task's configuration aggregates in another way
    losses: Mapping[str, Mean] = field(default_factory=dict)  # of the right answers, where the file itself has them


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """One result file; ``shown`` is its path below the folder, as text that can be written anywhere."""

    path: Path
    shown: str
    stamp: str
    digest: str
    identity: Identity
    version: str
    limit: Any
    date: str
    args_text: str
    tasks: tuple[Task, ...]
    groups: tuple[str, ...]
    old: bool  # of lm-eval 0.3

    @property
    def base(self) -> str:
        """What the name says before the date: lm-eval adds the date to a file that the user named."""
        return self.path.stem.removesuffix(f"_{self.stamp}") if self.stamp else self.path.stem


Record = Callable[[Path, str, bytes, dict[str, Any]], ResultFile]
Records = tuple[list[ResultFile], dict[str, list[str]]]  # and the other tools' files by tool


def shown(path: Path, folder: Path | None = None) -> str:
    """A path as text that can be written as UTF-8, relative to a folder; bytes that are no UTF-8 are spelled."""
    inside = path.relative_to(folder) if folder is not None and path.is_relative_to(folder) else path
    return os.fsencode(inside.as_posix()).decode("utf-8", "backslashreplace")


def json_files(folder: Path, account: Account) -> Iterator[Path]:
    """Every ``*.json`` below a folder, by name; folders that cannot be listed are left out with a line."""

    def refused(error: OSError) -> None:
        account.leave("folders that cannot be listed", shown(Path(os.fsdecode(error.filename or folder)), folder))

    for place, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        for name in (name for name in folders if os.path.islink(os.path.join(place, name))):
            account.leave("folders that are links, which are not followed", shown(Path(place) / name, folder))
        for name in sorted(names):
            if name.lower().endswith(".json") and not name.startswith("."):
                yield Path(place) / name
            elif name.startswith("results") and name.lower().endswith(PACKED):
                account.leave("packed results, which are not read: unpack them", shown(Path(place) / name, folder))


def result_files(folder: Path, account: Account, faults: list[Fault]) -> Records:
    """The results of lm-eval below a folder, oldest first, and the other tools' files by tool.

    A file called ``results*.json`` that is cut short is a fault; everything else that cannot be read is left out with
    a line of the account.
    """
    return records(folder, account, faults, (foreign.LM_EVAL,), _record)


def records(folder: Path, account: Account, faults: list[Fault], tools: Sequence[str], record: Record) -> Records:
    """The results of some tools below a folder, oldest first, and the other tools' files by tool."""
    results: list[ResultFile] = []
    others: dict[str, list[str]] = {}
    for path in json_files(folder, account):
        name = shown(path, folder)
        content = _content(path, name, account, faults)
        if content is None:
            continue
        data, parsed = content
        tool = foreign.tool(parsed)
        if tool not in tools:
            others.setdefault(tool, []).append(name)
            continue
        try:
            results.append(record(path, name, data, parsed))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            faults.append(Fault(str(path), f"is a result file of {tool} that cannot be read: {error}"))
    account.read("result files", len(results))
    return sorted(results, key=lambda f: (f.stamp, f.shown)), others


def _content(path: Path, name: str, account: Account, faults: list[Fault]) -> tuple[bytes, Any] | None:
    """A JSON file's bytes and content; None for one that cannot be read, which is said."""
    named = path.stem == "results" or path.stem.startswith("results_") or OLMES_NAME.fullmatch(path.stem) is not None
    try:
        reading.check(path, reading.MOST_RESULT)
    except UnreadableError as error:
        account.leave(f"JSON files that cannot be results: one {error}", name)
        return None
    try:
        data = reading.data(path)
        return data, _parsed(data, named)
    except UnreadableError as error:
        if named:
            what = f"is not a result file that can be read: {error}"
            faults.append(Fault(str(path), what, "it may have been cut short: copy it again or delete it"))
        else:
            account.leave("files called .json that cannot be read", f"{name} ({error})")
        return None


def leave_others(others: Mapping[str, list[str]], account: Account) -> None:
    """A line for every other tool whose files lie in the folder."""
    for tool, names in others.items():
        reader = reader_of(tool)
        how = f" (benchcast ingest {reader} reads them)" if reader else ""
        account.leave(f"files of {tool}{how}" if tool else "JSON files that are not results of lm-eval", *names)


def _parsed(data: bytes, named: bool) -> Any:
    """The content; None for what is surely no result and too large to parse for its name's sake."""
    if not named and len(data) > MOST_UNNAMED and b'"results"' not in data:
        return None
    return reading.json_of(data)


def _record(path: Path, name: str, data: bytes, content: dict[str, Any]) -> ResultFile:
    config = _mapping(content.get("config"))
    given = config.get("model_args")
    groups = {str(g) for g, children in _mapping(content.get("group_subtasks")).items() if children}
    groups |= {str(g) for g in _mapping(content.get("groups"))}
    if configs := _mapping(content.get("configs")):
        groups |= {str(g) for g, v in _mapping(content.get("versions")).items() if v == "N/A" and g not in configs}
    old = "configs" not in content and "n-shot" not in content and not content.get("lm_eval_version")
    return ResultFile(
        path=path,
        shown=name,
        stamp=stamp_of(path),
        digest=hashlib.sha256(data).hexdigest(),
        identity=identity_of(content),
        version=str(content.get("lm_eval_version") or ("0.3" if old else "")),
        limit=config.get("limit"),
        date=_date(content),
        args_text=given if isinstance(given, str) else "",
        tasks=tuple(_task(content, str(task)) for task in content["results"] if str(task) not in groups),
        groups=tuple(str(task) for task in content["results"] if str(task) in groups),
        old=old,
    )


def _task(content: dict[str, Any], task: str) -> Task:
    scores = content["results"][task]
    if not isinstance(scores, Mapping):
        raise ValueError(f"task {task!r} has no mapping of scores")
    config = _mapping(_mapping(content.get("configs")).get(task))
    ran = _mapping(content.get("config"))
    counted = _mapping(_mapping(content.get("n-samples")).get(task))
    return Task(
        name=sys.intern(task),  # the same few texts in thousands of files
        shots=_mapping(content.get("n-shot")).get(task, config.get("num_fewshot", ran.get("num_fewshot"))),
        version=sys.intern(str(_mapping(content.get("versions")).get(task, ""))),
        metrics={sys.intern(str(metric)): value for metric, value in scores.items()},
        effective=counted.get("effective", scores.get("sample_len")),
        original=counted.get("original"),
        output_type=sys.intern(str(config.get("output_type") or "")),
        delimiter=sys.intern(str(config.get("target_delimiter", " "))),
        digest=str(_mapping(content.get("task_hashes")).get(task, "")),
        configured=config.get("num_fewshot"),
        not_means=frozenset(_not_means(config.get("metric_list"))),
    )


def _not_means(metrics: Any) -> Iterator[str]:
    """Metrics of a task's configuration whose score is stated not to be the mean over the documents."""
    for metric in metrics if isinstance(metrics, list) else ():
        name, how = _mapping(metric).get("metric"), _mapping(metric).get("aggregation")
        if isinstance(name, str) and how not in (None, "mean"):
            yield sys.intern(name)


def stamp_of(path: Path) -> str:
    """The date in a file's name: ``results_<stamp>`` and ``<name>_<stamp>``; empty when there is none."""
    before, _, after = path.stem.rpartition("_")
    if before and after[:4].isdigit() and "T" in after:
        return after
    return path.stem.removeprefix("results_") if path.stem.startswith("results_") else ""


def _date(content: Mapping[str, Any]) -> str:
    date = content.get("date")
    return "" if date is None else f"{date:.0f}" if isinstance(date, float) else str(date)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
