"""What a nightly report says first: how the tracked runs do, what is wrong, what changed since the last pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchcast.stages.notices.nightly import ADVICE

from ..figures.track import MOST, ordered, track_figure
from ..records.nightly import Ends, News, Standing, Track, TrackedScore, Verdict
from ..text.numbers import count, interval, percent
from ..text.table import Column, Table, table
from ..text.wording import NAME, clean
from .picture import Files, Picture, picture

NONE = "Nothing changed."
MOST_CHANGES = 12
MOST_ALERTS = 10
MOST_DRAWN = 2  # runs with a figure on page one


@dataclass(frozen=True, kw_only=True)
class RunNews:
    """A tracked run: its verdict, what it is held against, and its figure."""

    verdict: str
    detail: str
    record: str
    urgent: bool
    picture: Picture | None


@dataclass(frozen=True, kw_only=True)
class Latest:
    """What template and web page show of it, first on the page.

    ``urgent``: whether the verdict is bad news; ``early``: whether there is none yet.
    """

    verdict: str
    urgent: bool
    early: bool
    runs: tuple[RunNews, ...]
    tracking: Table | None
    alerts: tuple[str, ...]
    advice: tuple[str, ...]
    report: str
    heading: str
    changes: tuple[str, ...]


def section(news: News, files: Files | None = None) -> Latest:
    """The section of one pass; its figures go into ``files``, and none are drawn without."""
    changes = [clean(line) for line in news.changes]
    shown, left = changes[:MOST_CHANGES], len(changes) - MOST_CHANGES
    more = [f"{left} more changes."] if left > 0 else []
    since = clean(news.since, NAME)
    return Latest(
        verdict=clean(news.verdict),
        urgent=any(_urgent(verdict) for verdict in news.verdicts),
        early=all(verdict.standing in (Standing.EARLY, Standing.WAITING) for verdict in news.verdicts),
        runs=tuple(_runs(news, files)),
        tracking=_tracking(news.tracking),
        alerts=tuple(_alerts(news)),
        advice=tuple(dict.fromkeys(ADVICE[alert.rule] for alert in news.alerts if alert.rule in ADVICE)),
        report=clean(news.report),
        heading=f"What changed since {since} UTC" if since else "The first night",
        changes=tuple([*shown, *more] or [NONE]),
    )


def _urgent(verdict: Verdict) -> bool:
    return verdict.standing in (Standing.ALARM, Standing.UNJUDGED, Standing.UNREGISTERED)


def _runs(news: News, files: Files | None) -> Iterator[RunNews]:
    """Every tracked run, with its figure where it is one of few."""
    tracks = {track.target: track for track in news.tracks}
    several = len(news.verdicts) > 1
    for index, verdict in enumerate(news.verdicts):
        track = tracks.get(verdict.target)
        drawn = None if files is None or track is None or index >= MOST_DRAWN else _picture(track, files)
        yield RunNews(
            verdict=clean(verdict.line) + "." if several else "",
            detail=clean(verdict.detail),
            record="" if track is None else _record(track),
            urgent=_urgent(verdict),
            picture=drawn,
        )


def _record(track: Track) -> str:
    """When its forecast was registered, and where it is on the record."""
    when = "" if track.late else ", before the run began"  # the verdict's detail says what late means
    return f"Its forecast was registered on {clean(track.registered)[:10]}{when} (record {clean(track.hash)[:12]})."


def _picture(track: Track, files: Files) -> Picture | None:
    tasks = ordered(track)
    if not tasks:
        return None
    name = f"track{sum(file.startswith('track') for file in files)}.svg"
    files[name] = track_figure(track)
    more = f" {len(tasks) - MOST} more tasks are in tracking.pdf." if len(tasks) > MOST else ""
    caption = (
        f"{clean(track.run, NAME)} so far. Shaded: the band that was registered for it, up to its planned end; "
        f"dots: its scores with their sampling error.{more}"
    )
    alt = ", ".join(clean(task.task, NAME) for task in tasks[:MOST])
    return picture(name, f"A panel per task: {alt}.", caption)


def _alerts(news: News) -> Iterator[str]:
    for alert in news.alerts[:MOST_ALERTS]:
        since = f"since {clean(alert.since)}" if alert.since else "new"
        yield f"{clean(alert.rule)} ({since}): {clean(alert.text)}"
    if len(news.alerts) > MOST_ALERTS:
        yield f"{len(news.alerts) - MOST_ALERTS} more are in status.json."


def _tracking(rows: Sequence[TrackedScore]) -> Table | None:
    """The newest scores of the runs under way beside their bands, and the end as registered and as forecast now."""
    if not rows:
        return None
    runs, tasks = len({row.run for row in rows}) > 1, any(row.task for row in rows)
    same = len({row.tokens for row in rows}) == 1
    columns: list[Column] = [("Run", "l", 1.8)] * runs + [("Task", "l", 2.2)] * tasks
    columns += [("Tokens so far", "r", 1.1)] * (not same or runs)
    columns += [("Measured", "r", 0.9), ("Registered band", "r", 1.5), ("Against the band", "l", 2.5)]
    ends = any(row.registered or row.refreshed for row in rows)
    columns += [("End, as registered", "r", 1.7), ("End, forecast now", "r", 1.7)] if ends else []
    return table(columns, [_row(row, runs, tasks, not same or runs, ends) for row in rows])


def _row(row: TrackedScore, runs: bool, tasks: bool, tokens: bool, ends: bool) -> list[str]:
    names = [clean(row.run, NAME)] * runs + [clean(row.task, NAME)] * tasks + [count(row.tokens)] * tokens
    cells = [*names, percent(row.measured), interval(row.low, row.high), clean(row.verdict)]
    return [*cells, *([_end(row.registered), _end(row.refreshed)] if ends else [])]


def _end(ends: Ends | None) -> str:
    """``57.2 (52.4–62.1)``."""
    if ends is None or ends.forecast is None:
        return "–"
    return f"{percent(ends.forecast)} ({interval(ends.low, ends.high)})"
