"""The command line: a thin layer over the other wings; heavy imports happen inside the commands."""

from __future__ import annotations

import pkgutil
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer

from ..core.errors import BenchcastError, InputError, first_line, plain
from .panels import Panel

app = typer.Typer(
    name="benchcast",
    help="Forecast a big language model's benchmark scores from a ladder of small ones.",
    epilog="Example: benchcast run configs/demo.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
NOT_COMMANDS = ("app", "options", "panels")  # modules of this folder that hold no command


class CommandFile(Protocol):
    """A module of this folder with one command, or some that belong together."""

    PANEL: Panel
    """Panel of ``benchcast --help`` that all its commands stand in; the panels come in the order of use."""

    HELP_ORDER: int
    """Place in that panel; smaller comes first."""

    def add_to(self, app: typer.Typer) -> None:
        """Enter the commands into the command line."""


def command_files(folders: Iterable[str] | None = None) -> list[CommandFile]:
    """Every module of this folder that holds commands, in the order of the help.

    Parameters
    ----------
    folders
        Where to look instead of this folder; they must stand in this package's ``__path__``.
    """
    names = [
        module.name
        for module in pkgutil.iter_modules(folders or [str(Path(__file__).parent)])
        if not module.ispkg and module.name not in NOT_COMMANDS
    ]
    modules = [cast(CommandFile, import_module(f".{name}", __package__)) for name in names]
    return sorted(modules, key=lambda module: (module.PANEL.place, module.HELP_ORDER))


def enter(file: CommandFile, app: typer.Typer) -> None:
    """Enter a file's commands and groups of commands, all in the file's panel."""
    before = len(app.registered_commands), len(app.registered_groups)
    file.add_to(app)
    for command in app.registered_commands[before[0] :]:
        command.rich_help_panel = str(file.PANEL)
    for group in app.registered_groups[before[1] :]:
        group.rich_help_panel = str(file.PANEL)


for _module in command_files():
    enter(_module, app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        typer.echo(f"benchcast {installed('benchcast')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and stop")
    ] = False,
) -> None:
    """What holds for every command."""


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse an empty word: as a path it would silently mean the current folder.

    Raises
    ------
    InputError
        Naming the option that it follows.
    """
    for before, word in pairwise(["", *words]):
        if word.startswith("--") and word.endswith("="):
            raise InputError(f"{word[:-1]}: its value is empty")
        if not word:
            raise InputError(f"{before}: its value is empty" if before.startswith("-") else "an argument is empty")


def _words(given: Sequence[str]) -> list[str]:
    """The words of the command line; ``--json`` without a file is ``--json -``."""
    follows = [*given[1:], "--"]
    return [f"{w}=-" if w == "--json" and n.startswith("--") else w for w, n in zip(given, follows, strict=False)]


def _misused(error: Exception, words: Sequence[str]) -> str:
    """What typer found wrong with the words, as one line that says what to do."""
    what = re.sub(r"^Invalid value for '?([^':]+)'?: (?:Value error, )?", r"\1: ", error.format_message())  # type: ignore[attr-defined]
    what = " ".join(what.split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return what
    first = next((word for word in words if not word.startswith("-")), "")
    if what.startswith("No such command") and first and Path(first).exists():
        meant = "init" if Path(first).is_dir() else "run"
        return f"{first}: is no command; the command comes first, such as: benchcast {meant} {first}"
    if "unexpected extra argument" in what:
        ingests, html = context.info_name == "ingest", "--html" in words
        hint = "a pattern such as 'mmlu_*' needs quotes"
        what += f"; {'give the path as --from PATH' if ingests else '--html takes no name' if html else hint}"
    example = "" if what.startswith("--") else (context.command.epilog or "").partition("Example: ")[2]
    return f"{what} ({context.command_path} --help{'; for example: ' if example else ''}{example})"


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as one line: where in whose source it was raised helps nobody who gave a table."""
    line = f"warning: {plain(' '.join(str(message).split()))[:300]}"
    if line not in _printed_warnings:
        _printed_warnings.add(line)
        typer.echo(line, err=True)


_printed_warnings: set[str] = set()


def main() -> None:
    """Entry point: errors become one line each and an exit code."""
    debug = "--debug" in sys.argv
    if not debug:
        warnings.showwarning = _print_warning
    words = _words(sys.argv[1:])
    try:
        _refuse_empty(words)
        sys.exit(app(args=words, standalone_mode=False))
    except BenchcastError as error:
        if debug:
            raise
        for line in getattr(error, "account", ()):
            typer.echo(f"data: {plain(line)}", err=True)
        for line in str(error).split("\n"):
            typer.echo(f"error: {plain(line)}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own: the words were wrong
            if words:
                typer.echo(f"error: {plain(_misused(error, words))}", err=True)
            else:
                error.show()  # type: ignore[attr-defined]
            sys.exit(getattr(error, "exit_code", 2))
        if debug:
            raise
        typer.echo(f"error: {first_line(error)} (run with --debug to see where)", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
