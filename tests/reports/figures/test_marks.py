"""Measured, law and forecast are told apart by shape, and by colour whatever colours a reader sees."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from benchcast.reports.figures import marks
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Machado, Oliveira and Fernandes (IEEE TVCG 15, 2009), table 1, severity 1.0: what is seen, from linear RGB.
SEEN = {
    "all colours": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # sRGB, IEC 61966-2-1
WHITE = TO_XYZ @ np.ones(3)
TELLS = 20.0  # CIE 1976 colour difference; 2.3 is just noticeable


def lab(colour: str, seen: Array) -> Array:
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(seen @ linear, 0, 1) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", SEEN)
def test_kinds_differ_in_colour_for_everybody(seen: str) -> None:
    kinds = (marks.BLACK, marks.LAW, marks.FORECAST)
    for one, other in combinations(kinds, 2):
        assert np.linalg.norm(lab(one, SEEN[seen]) - lab(other, SEEN[seen])) > TELLS


def test_no_forecast_has_the_shape_of_a_measured_run() -> None:
    measured = {look["marker"] for look in (marks.MEASURED, marks.HELD_OUT)}
    recipes = [marks.recipe_mark(name) for name in ("auto", "llama3", "overtraining", "ladder")]
    methods = [marks.method_mark(i) for i in range(7)]
    assert not measured & ({shape for _, shape in recipes} | {shape for shape, _ in methods})
    assert len(set(recipes)) == len({shape for _, shape in recipes}) == len({colour for colour, _ in recipes}) == 4


def test_the_legend_of_sizes_reads_off_the_circles() -> None:
    sizes = [56e3, 92e3, 182e3, 332e3, 640e3]
    legend = marks.size_legend(sizes)
    assert list(legend) == ["56K", "92K", "182K", "332K", "640K"]
    drawn = marks.measured(182e3, sizes)
    assert (legend["182K"].get_color(), legend["182K"].get_markersize()) == (drawn["color"], drawn["ms"])
    many = marks.size_legend(np.geomspace(1e6, 1e10, 40))
    assert len(many) <= marks.MOST_SIZES
    assert list(many)[0 :: len(many) - 1] == ["1M", "10B"]
