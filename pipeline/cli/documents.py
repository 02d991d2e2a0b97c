"""``benchcast documents``: which documents are expected to flip by a target, and which never move."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from ..core.errors import InputError, plain
from .options import DataPath, JsonPath, config_argument, print_account, write_json
from .panels import Panel

if TYPE_CHECKING:
    from benchcast.reports.records.documents import DocumentsResult

PANEL, HELP_ORDER = Panel.FORECAST, 20  # where it stands in ``benchcast --help``
LISTED = 20  # documents of one task in the terminal; --json has all
KINDS = ("svg", "png", "pdf")


def add_to(app: typer.Typer) -> None:
    """Enter the command into the command line."""
    app.command(epilog="Example: benchcast documents configs/demo.yaml --task recall")(documents)


def documents(
    config: Annotated[Path, config_argument("YAML config whose scores have documents")],
    data: DataPath = None,
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="shell pattern of tasks")] = "*",
    target: Annotated[
        str | None, typer.Option("--target", metavar="RUN", help="shell pattern of targets; empty: the largest")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="also draw them: .svg, .png or .pdf")
    ] = None,
    json: JsonPath = None,
) -> None:
    """Which documents are expected to flip between the largest run and a target, and which never move.

    With one task, the documents that are expected to gain and to lose most are listed; --json has all of them.
    """
    kind = None if figure is None else figure.suffix.lower().removeprefix(".")
    if kind is not None and kind not in KINDS:
        raise InputError(f"--figure: {figure}: the name must end in .svg, .png or .pdf")
    from ..core.config import Config, load
    from ..forecasting.document_flips import document_flips

    result = document_flips(load(config, Config), config.resolve().parent, data, task, target)
    print_account(result.provenance.account)
    for notice in result.notes:
        typer.echo(f"left out: {plain(notice)}", err=True)
    if json is not None:
        write_json(result.model_dump_json(by_alias=True), json)
    if json != "-":
        _show(result)
    if figure is not None and kind is not None:
        from benchcast.reports.figures.documents import documents_figure

        from ..core import files

        files.write_bytes(documents_figure(result.tasks, cast(Literal["svg", "png", "pdf"], kind)), figure)
        if json != "-":
            typer.echo(f"figure: {plain(str(figure))}")


def _show(result: DocumentsResult) -> None:
    """The table of tasks; with one task its documents too."""
    from benchcast.reports.text import documents_table
    from benchcast.reports.text.table import as_rich

    from .tables.forecast import console, say

    table = documents_table.summary(result)
    console().print(as_rich(table))
    for line in table.notes:
        say(line)
    if len(result.tasks) == 1:
        console().print(as_rich(documents_table.documents(result.tasks[0], LISTED)))
