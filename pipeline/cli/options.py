"""What several commands share: their paths and flags, and how JSON is written to a file or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import BenchcastError, plain

if TYPE_CHECKING:
    from benchcast.reports.records.account import AccountRecord

DataPath = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="file or folder to read instead of the config's data.path")
]
JsonPath = Annotated[str | None, typer.Option("--json", metavar="FILE", help="write the result as JSON; - for stdout")]
JsonFlag = Annotated[bool, typer.Option("--json", help="print JSON")]
HtmlFlag = Annotated[bool, typer.Option("--html", help="also write an interactive web page, one file")]


def config_argument(about: str) -> Any:
    """The argument CONFIG of a command, with its own line of help."""
    return typer.Argument(metavar="CONFIG", help=about)


def write_json(text: str, target: str) -> None:
    """Write JSON to a file, or to standard output when ``target`` is a dash.

    Raises
    ------
    BenchcastError
        When standard output is closed, or the file cannot be written.
    """
    if target == "-":
        print_json(text)
        return
    from ..core import files

    files.write_text(text + "\n", Path(target))


def print_json(text: str) -> None:
    """Write JSON to standard output, all of it: a reader that is gone is an error here, not at the end of the process.

    Raises
    ------
    BenchcastError
        When standard output is closed.
    """
    if sys.stdout is None:  # as after ``>&-`` in a shell
        raise BenchcastError("--json: standard output is closed, so nothing can be written to it")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_account(account: AccountRecord) -> None:
    """Say on standard error what was left out of the data, or decided about it."""
    for line in account.told():
        typer.echo(f"data: {plain(line)}", err=True)
