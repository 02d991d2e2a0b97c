"""The index of nights and reports as one web page: how the run does, how the forecasts moved, where the reports are.

Plain HTML with small pictures inside; the script only sorts the tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from ..figures import marks
from ..records.nightly import ForecastSeries
from ..records.overview import Night, Overview, Place, RunReport
from ..text import wording as w
from ..text.metric_names import score_name
from ..text.numbers import DASH, count, finite, score, score_range
from . import markup
from .markup import element, name, paragraphs, scrolling

WIDTH, HEIGHT, EDGE = 240, 64, 7  # of a series, pixels
LEGEND = (
    "The line is the forecast of the run's end, night by night, with its interval in grey. The blue band is the "
    "forecast that was registered before the run. Dots are the scores of the run so far, not of its end. In percent."
)


def index_bytes(overview: Overview) -> bytes:
    """The page, UTF-8; the same records give the same bytes."""
    title = w.clean(overview.title, 160) or "Benchcast reports"
    parts = {
        "TITLE": markup.markup([element("title", title)]),
        "HEADING": markup.markup([element("h1", title)]),
        "BODY": markup.markup([*_verdict(overview), *_forecasts(overview), *_nights(overview), *_runs(overview)]),
    }
    return markup.filled("index.html", ("web.css", "index.css"), ("tables.js",), parts)


def _verdict(overview: Overview) -> list[Element]:
    """How the tracked runs do, and the alerts that stand."""
    if not overview.nights:
        return []
    text = w.clean(overview.verdict) or "The last night recorded no verdict."
    alerts = [element("h2", "Alerts"), *paragraphs(map(w.clean, overview.standing))] if overview.standing else []
    calm = [] if overview.standing else [element("p", "No alert stands.")]
    return [element("p", text, class_="lead bad" if overview.urgent else "lead"), *calm, *alerts]


# ---- forecasts ----


def _forecasts(overview: Overview) -> list[Element]:
    """A table per target, a row per task."""
    targets = list(dict.fromkeys(each.target for each in overview.series))
    parts = [part for target in targets for part in _target(target, overview.series)]
    return [*parts, element("p", LEGEND, class_="small")] if parts else []


def _target(target: str, every: Iterable[ForecastSeries]) -> list[Element]:
    own = [each for each in every if each.target == target]
    heads = ["Task, night by night", "Forecast now", "Registered", "Measured so far"]
    rows = (_series(each, _label(each, own)) for each in own)
    head = _head(heads, left=1)
    table = element("table", head, element("tbody", *rows), class_="sortable tight")
    return [
        element("h2", "Forecasts of ", name(w.clean(target, w.NAME))),
        scrolling(table, f"Forecasts of {w.clean(target)}"),
    ]


def _label(one: ForecastSeries, own: Sequence[ForecastSeries]) -> str:
    """Its task; with recipe and family where there are several."""
    recipes, families = {each.recipe for each in own}, {each.family for each in own}
    more = [w.recipe_name(one.recipe)] * (len(recipes) > 1) + [w.clean(one.family)] * (len(families) > 1)
    return w.clean(one.task) + (f" ({', '.join(more)})" if more else "")


def _series(one: ForecastSeries, label: str) -> Element:
    last = -1 if one.forecast else None
    now = (None, None, None) if last is None else (one.forecast[last], one.low[last], one.high[last])
    ends = one.registered
    before = (None, None, None) if ends is None else (ends.forecast, ends.low, ends.high)
    newest = max(one.measured, key=lambda m: m.tokens, default=None)
    seen = [DASH] if newest is None else [f"{score(newest.value, 0.5, 0.5)} at {count(newest.tokens)} tokens"]
    return element(
        "tr",
        element("th", name(label), *_metric(one), spark(one, label), scope="row", class_="left series"),
        element("td", _within(*now), data_v=finite(now[0])),
        element("td", _within(*before), data_v=finite(before[0])),
        element("td", *seen, data_v=None if newest is None else newest.value),
    )


def _metric(one: ForecastSeries) -> list[Element]:
    return [element("span", f" {score_name(one.metric)}", class_="small")]


def _within(forecast: float | None, low: float | None, high: float | None) -> str:
    """``54 (50 to 58)``; the brackets stay on one line."""
    bounds = score_range(low, high).replace(" ", w.NBSP)
    return score(forecast, low, high) + (f" ({bounds})" if finite(forecast) is not None and bounds else "")


def spark(one: ForecastSeries, label: str) -> Element:
    """The series as a small picture: forecasts in their interval, the registered band, and what is measured so far."""
    ends = one.registered
    band = [] if ends is None else [v for v in (ends.low, ends.forecast, ends.high) if v is not None]
    newest = {m.time: m.value for m in sorted(one.measured, key=lambda m: m.tokens)}  # of every night the last one
    every = (*one.forecast, *one.low, *one.high, *band, *newest.values())
    known = [v for v in every if v is not None and math.isfinite(v)] or [0.0, 1.0]
    at = _Scale([*one.times, *newest], min(known), max(known))
    rows = zip(one.times, one.forecast, one.low, one.high, strict=True)
    made = [(at.x(time), at.y(f), at.y(low), at.y(high)) for time, f, low, high in rows if None not in (f, low, high)]
    parts = [
        *([_registered(at, *band)] if len(band) == 3 else []),
        *_moved(made),
        *(_dot(at.x(time), at.y(value)) for time, value in newest.items()),
    ]
    box = f"0 0 {WIDTH} {HEIGHT}"
    said = f"{label}: {_said(one)}"
    return element("svg", element("title", said), *parts, viewBox=box, role="img", class_="spark", aria_label=said)


def _said(one: ForecastSeries) -> str:
    """The series in words, for those who cannot see it."""
    told = [
        f"{_within(f, low, high)} on {time:%Y-%m-%d}"
        for time, f, low, high in zip(one.times, one.forecast, one.low, one.high, strict=True)
    ]
    ends = one.registered
    start = "" if ends is None else f"registered {_within(ends.forecast, ends.low, ends.high)}; "
    return f"{start}forecast {told[0]}" + (f", and {told[-1]} after {len(told)} nights" if len(told) > 1 else "")


class _Scale:
    """Where times and scores lie in the picture."""

    def __init__(self, times: Sequence[datetime], low: float, high: float) -> None:
        self._first, self._span = min(times), (max(times) - min(times)).total_seconds()
        self._low, self._height = low, (high - low) or 1.0

    def x(self, time: datetime) -> float:
        share = (time - self._first).total_seconds() / self._span if self._span else 0.5
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)

    def y(self, value: float | None) -> float:
        share = ((value or 0.0) - self._low) / self._height
        return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 1)


def _registered(at: _Scale, low: float, forecast: float, high: float) -> Element:
    top, bottom, middle = at.y(high), at.y(low), at.y(forecast)
    height = round(max(bottom - top, 1.0), 1)
    return element(
        "g",
        element("rect", x=0, width=WIDTH, y=top, height=height, fill=marks.LAW, fill_opacity=0.18),
        element("line", x1=0, x2=WIDTH, y1=middle, y2=middle, stroke=marks.LAW, stroke_dasharray="4 3"),
    )


def _moved(made: Sequence[tuple[float, float, float, float]]) -> list[Element]:
    """The forecasts: an interval around a line; one night is a bar. The last one is a diamond, as everywhere."""
    if not made:
        return []
    upper, lower = [f"{x},{high}" for x, _, _, high in made], [f"{x},{low}" for x, _, low, _ in reversed(made)]
    outline = " ".join([*upper, *lower])
    shade = element("polygon", points=outline, fill="currentColor", fill_opacity=0.16, stroke="none")
    line = element("polyline", points=" ".join(f"{x},{y}" for x, y, _, _ in made), fill="none", stroke=marks.FORECAST)
    x, y, _, _ = made[-1]
    diamond = element("path", d=f"M{x} {round(y - 5, 1)}l4 5l-4 5l-4 -5z", fill=marks.FORECAST)
    return [shade, line, diamond]


def _dot(x: float, y: float) -> Element:
    return element("circle", cx=x, cy=y, r=3, fill="currentColor")


# ---- nights and reports ----


def _nights(overview: Overview) -> list[Element]:
    """Every night that found something, the newest first."""
    if not overview.nights:
        return []
    newest = sorted(overview.nights, key=lambda night: night.time, reverse=True)
    head = _head(["Night (UTC)", "Verdict, and what arose or cleared", "New scores", "Report"], left=2)
    table = element("table", head, element("tbody", *map(_night, newest)), class_="sortable tight")
    return [element("h2", "Nights"), scrolling(table, "Nights, the newest first")]


def _night(night: Night) -> Element:
    verdict = element("b" if night.urgent else "span", w.clean(night.verdict) or "No verdict was recorded.")
    return element(
        "tr",
        element(
            "th",
            element("span", f"{night.time:%Y-%m-%d}", class_="day"),
            f" {night.time:%H:%M}",
            scope="row",
            class_="left",
        ),
        element("td", verdict, *paragraphs(map(w.clean, night.messages), "small"), class_="text"),
        element("td", str(night.scored), data_v=night.scored),
        element("td", *_links(night.files), class_="left"),
    )


def _links(files: Iterable[Place]) -> list[Element]:
    return [element("a", place.label, href=place.path) for place in files] or [element("span", DASH)]


def _runs(overview: Overview) -> list[Element]:
    """The reports of the folder."""
    if not overview.runs:
        return []
    head = _head(["Folder", "What it says", "Targets", "Tasks", "Report"], left=3)
    table = element("table", head, element("tbody", *map(_run, overview.runs)), class_="sortable tight")
    return [element("h2", "Reports"), scrolling(table, "Reports of this folder")]


def _run(run: RunReport) -> Element:
    targets = w.clean(", ".join(run.targets), w.NAME)
    return element(
        "tr",
        element("th", name(w.clean(run.folder)), scope="row", class_="left name"),
        element("td", element("b", w.clean(run.title)), element("p", run.headline), class_="text"),
        element("td", name(targets), class_="left name"),
        element("td", str(run.tasks), data_v=run.tasks),
        element("td", *_links(run.files), class_="left"),
    )


def _head(heads: Sequence[str], left: int) -> Element:
    cells = (
        element("th", text, scope="col", class_="left" if i < left or text == "Report" else None)
        for i, text in enumerate(heads)
    )
    return element("thead", element("tr", *cells))
