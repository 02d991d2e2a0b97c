"""The index page of a folder: its nights, how the forecasts moved, and every report in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchcast.reports.records.answer import GRADED
from benchcast.reports.records.forecast import Result
from benchcast.reports.records.nightly import ForecastSeries, Standing
from benchcast.reports.records.overview import Night, Overview, Place, RunReport
from benchcast.reports.sections.headline import headline
from pydantic import ValidationError

from ..core import files as store
from ..core import reading
from ..core.errors import InputError, UnreadableError
from . import history as past
from .alerts import conditions, grouping
from .settings import settings_of
from .state import State

INDEX = "index.html"
DEPTH = 3  # folders below the one that is asked for, where results and nights are looked for
FILES = (("page", "report.html"), ("PDF", "report.pdf"), ("tracking", "tracking.pdf"))
URGENT = (Standing.ALARM, Standing.UNJUDGED, Standing.UNREGISTERED)
Entry = Mapping[str, Any]


def is_of_reports(path: Path) -> bool:
    """Whether a path is a folder that is no nightly folder: one of reports."""
    return path.is_dir() and not (path / "history.jsonl").is_file()


def place_of(path: Path) -> tuple[Path, dict[str, str], str]:
    """The nightly folder that a config or a path means, target to run, and a title.

    Raises
    ------
    InputError
        When there was no pass yet.
    """
    if path.is_dir():
        if is_of_reports(path):
            raise InputError(f"{path}: holds no history.jsonl of nights; name a config, or the folder of its passes")
        return path, past.tracked(State(path).history()), ""
    config, settings = settings_of(path)
    folder = path.resolve().parent / settings.folder
    if not folder.is_dir():
        raise InputError(f"{folder}: there was no pass yet; run benchcast reevaluate {path}")
    return folder, dict(settings.track), config.title


def write_nights(state: State, track: Mapping[str, str], target: str = "*", task: str = "*", title: str = "") -> Path:
    """The index of a nightly folder, beside its reports; returns its path.

    Raises
    ------
    BenchcastError
        When it cannot be written.
    """
    page = state.index
    write(page, nights(state, track, target, task, title))
    return page


def write(page: Path, overview: Overview) -> None:
    """Write an index page whole.

    Raises
    ------
    BenchcastError
        When it cannot be written; what was there is untouched.
    """
    from benchcast.reports.documents.index_page import index_bytes

    store.write_bytes(index_bytes(overview), page)


def nights(state: State, track: Mapping[str, str], target: str = "*", task: str = "*", title: str = "") -> Overview:
    """What happened in a nightly folder."""
    history = state.history()
    stands = conditions.read(history[-1].get("conditions", ())) if history else ()
    made = [_night(entry, state) for entry in history]
    return Overview(
        title=title or f"Nights of {state.folder.resolve().name}",
        verdict=made[-1].verdict if made else "",
        urgent=bool(made) and made[-1].urgent,
        standing=tuple(grouping.line(group) for group in grouping.causes(stands)),
        series=tuple(_answers(past.found_series(state, track, target, task))),
        nights=tuple(made),
    )


def _answers(series: Sequence[ForecastSeries]) -> list[ForecastSeries]:
    """Those of the recipe that gives the answer, where it ran: published recipes beside it are in the reports."""
    answers = [each for each in series if each.recipe == GRADED]
    return answers or list(series)


def _night(entry: Entry, state: State) -> Night:
    verdict = entry.get("verdict") or {}
    report = entry.get("report")
    return Night(
        time=datetime.fromisoformat(entry["time"]),
        verdict=str(verdict.get("text", "")),
        urgent=verdict.get("standing") in URGENT,
        messages=tuple(map(str, entry.get("messages", ()))),
        # Of a run that somebody else scores the table has the scores, and the pass made none.
        scored=max(int(entry.get("scored") or 0), len(entry.get("points", ()))),
        files=tuple(_places(state.reports / str(report), state.folder)) if report else (),
    )


def _places(folder: Path, base: Path) -> Iterator[Place]:
    """The files of a report that are there, relative to the page."""
    for label, file in FILES:
        if (folder / file).is_file():
            yield Place(label=label, path=quote((folder / file).relative_to(base).as_posix()))


# ---- a folder of reports ----


def folder(path: Path) -> Overview:
    """Every report in a folder and its folders, each with its headline; nights as one entry.

    Raises
    ------
    InputError
        When there is none.
    """
    nightly = [file.parent for file in _below(path, "history.jsonl")]
    results = [file for file in _below(path, "result.json") if not any(n in file.parents for n in nightly)]
    entries = [*(_nights_entry(n, path) for n in nightly), *(_run(file, path) for file in results)]
    runs = tuple(entry for entry in entries if entry is not None)
    if not runs:
        raise InputError(
            f"{path}: holds no result.json of a run and no history.jsonl of nights; name a folder that does"
        )
    return Overview(title=f"Reports of {path.resolve().name}", runs=runs)


def _below(path: Path, file: str) -> list[Path]:
    """Files of this name in a folder and the folders below it; ``latest`` is a link to one of them."""
    found = (p for depth in range(DEPTH + 1) for p in path.glob("*/" * depth + file))
    return sorted(p for p in found if not any((path / q).is_symlink() for q in p.relative_to(path).parents))


def _nights_entry(folder: Path, base: Path) -> RunReport | None:
    """A nightly folder: how its last night ended, and where its index and its newest report are."""
    state = State(folder)
    history = state.history()
    if not history:
        return None
    last = _night(history[-1], state)
    forecasts = history[-1].get("forecasts", ())
    index, newest = state.index, next((e["report"] for e in reversed(history) if e.get("report")), None)
    places = [Place(label="nights", path=quote(index.relative_to(base).as_posix()))] if index.is_file() else []
    places += list(_places(state.reports / str(newest), base)) if newest else []
    return RunReport(
        folder=folder.relative_to(base).as_posix(),
        title=f"{len(history)} nights, the last on {last.time:%Y-%m-%d}",
        headline=last.verdict or "No verdict was recorded.",
        targets=tuple(dict.fromkeys(str(f["target"]) for f in forecasts)),
        tasks=len({f["task"] for f in forecasts}),
        files=tuple(places),
    )


def _run(file: Path, base: Path) -> RunReport | None:
    """A stored result; None of a file that is no result of a run, such as a plan's."""
    try:
        result = Result.model_validate_json(reading.text(file, reading.MOST_TABLE))
    except (UnreadableError, ValidationError):
        return None
    return RunReport(
        folder=file.parent.relative_to(base).as_posix(),
        title=result.title,
        headline=headline(result),
        targets=tuple(dict.fromkeys(f.target for f in result.forecasts)),
        tasks=len({f.task for f in result.forecasts}),
        files=tuple(_places(file.parent, base)),
    )
