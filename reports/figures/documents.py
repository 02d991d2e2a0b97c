"""Documents between the largest run and a target: the probability of a right answer at both, sorted, a panel a task."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..records.documents import TaskDocuments
from ..text.numbers import percent
from ..text.wording import NAME, clean
from .canvas import Grid, styled
from .marks import FORECAST, GREY, PURPLE

GRID = Grid(across=2, row=2.35, margin=0.12, left=0.075, gap=0.115, below=0.42, around=0.75)
MOST = 400  # documents drawn of a task: more are thinned evenly along the sorted curve


def documents_figure(tasks: Sequence[TaskDocuments], kind: Literal["svg", "png", "pdf"] = "svg") -> bytes:
    """A panel per task: documents sorted by their probability now, with an arrow's line to that at the target.

    The bytes are of an SVG, PNG or PDF file; the same records give the same bytes.
    """
    with styled():
        canvas, axes, height = GRID.draw(len(tasks))
        for ax, task in zip(axes, tasks, strict=True):
            _panel(ax, task)
        handles = [
            Line2D([], [], color=GREY, lw=1.4),
            Line2D([], [], color=FORECAST, lw=0.8, marker="^", ms=3),
            Line2D([], [], color=PURPLE, lw=0.8, marker="v", ms=3),
        ]
        labels = ["at the largest run", "at the target: higher", "at the target: lower"]
        canvas.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 1 - 0.02 / height), ncols=3)
        return _bytes(canvas, kind)


def _panel(ax: Axes, task: TaskDocuments) -> None:
    now = np.array([d.now for d in task.documents], dtype=float)
    target = np.array([d.target for d in task.documents], dtype=float)
    order = np.argsort(now, kind="stable")
    now, target = now[order], target[order]
    x = np.linspace(0, 100, len(now)) if len(now) > 1 else np.array([50.0])
    if len(now) > MOST:
        kept = np.linspace(0, len(now) - 1, MOST).round().astype(int)
        x, now, target = x[kept], now[kept], target[kept]
    for up, colour, marker in ((True, FORECAST, "^"), (False, PURPLE, "v")):
        moved = (target > now) if up else (target < now)
        ax.vlines(x[moved], 100 * now[moved], 100 * target[moved], color=colour, lw=0.4, alpha=0.6)
        ax.plot(x[moved], 100 * target[moved], ls="none", marker=marker, ms=1.6, color=colour)
    ax.plot(x, 100 * now, color=GREY, lw=1.4, zorder=3)
    ax.axhline(50, color="black", lw=0.5, ls=":")
    ax.set(xlim=(-1, 101), ylim=(-2, 102), xlabel="documents, sorted (%)", ylabel="P(right) (%)")
    title = (
        f"{clean(task.task, NAME)}: {percent(task.measured)} → {percent(task.forecast)} % ({clean(task.target, NAME)})"
    )
    ax.set_title(title, fontsize="small")


def _bytes(figure: Figure, kind: Literal["svg", "png", "pdf"]) -> bytes:
    """Without a date or a version: a glyph that no font has shows as a box, which is not worth a warning."""
    no_date: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
        "png": {"Software": None},
    }
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from .*font")
        figure.savefig(buffer, format=kind, metadata=no_date[kind], dpi=200)
    return buffer.getvalue()
