"""``benchcast demo``: a tiny ladder of checkpoints and a task, to try ``score`` and all that follows on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import plain
from .panels import Panel

PANEL, HELP_ORDER = Panel.BEGIN, 30  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter the command into the command line."""
    app.command(epilog="Example: benchcast demo try/")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where to write checkpoints/ and tasks/")],
    big: Annotated[bool, typer.Option("--big", help="train the run that the ladder is to forecast, into big/")] = False,
) -> None:
    """Train tiny models in seconds, to try scoring and forecasting on.

    Six models of an invented language, two checkpoints each, and a task about its facts. Nothing is downloaded.
    What is there already is left alone. Needs the extra: pip install 'benchcast[score]'.
    """
    from ..demo_ladder import tiny
    from .tables.forecast import progress

    began = time.perf_counter()
    with progress("training") as step:
        made = tiny.write(folder, big=big, step=step)
    place = made[0].parents[1]
    seconds = time.perf_counter() - began
    typer.echo(f"wrote {len(made)} checkpoints below {plain(str(place))} and the task {tiny.TASK} in {seconds:.0f} s")
