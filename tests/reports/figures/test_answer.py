"""The page-one figure: names that stand apart, everything in view, rows as high as the table's beside it."""

from __future__ import annotations

import itertools
import re

import pytest
from benchcast.reports.figures import answer
from benchcast.reports.records.forecast import Forecast
from worlds.reports import as_record, make_graded

STRIP = answer.Strip(width=2.4, head=0.35, row=0.28, foot=0.24)


@pytest.mark.parametrize("places", [[0.1, 0.12, 0.13, 0.15], [1.2, 1.2, 1.2, 1.2], [2.2, 2.3, 2.35, 2.38], [0.2, 2.2]])
def test_names_never_overprint_and_stay_inside(places: list[float]) -> None:
    widths = [0.3, 0.55, 0.4, 0.4][: len(places)]
    centers = answer._apart(places, widths, 0.0, STRIP.width)
    edges = [(center - width / 2, center + width / 2) for center, width in zip(centers, widths, strict=True)]
    assert edges[0][0] >= -1e-9
    assert edges[-1][1] <= STRIP.width + 1e-9
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(edges))


def test_the_strip_is_as_high_as_its_rows_and_names_each_mark_once() -> None:
    rows: list[Forecast | None] = [None, *as_record(make_graded()).forecasts]
    svg = answer.strip_svg(rows, STRIP).decode()
    found = re.search(r'height="([\d.]+)pt"', svg)
    assert found
    assert float(found[1]) / 72 == pytest.approx(STRIP.head + STRIP.row * len(rows) + STRIP.foot, abs=1e-3)
    assert answer.has_marks(rows)
    assert not answer.has_marks([None])
    drawn = answer.answer_figure([(f.task, f) for f in rows if f is not None])
    assert sorted(text.get_text() for text in drawn.texts) == ["chance", "forecast", "largest run", "measured"]
    (axes,) = drawn.axes
    low, high = axes.get_xlim()
    for f in rows:
        if f is not None and f.low is not None and f.high is not None:
            assert low < 100 * f.low < 100 * f.high < high
