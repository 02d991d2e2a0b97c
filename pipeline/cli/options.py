"""What several commands share: paths, counts and flags, and how JSON is written to a file or to standard output.

Every command that has a result has ``--json FILE``: one object, which names its ``schema`` (``benchcast.solve/1``).
``--json -`` prints it: then nothing else is on standard output.
"""

from __future__ import annotations

import json as json_module
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core import units
from ..core.errors import BenchcastError, InputError, plain

if TYPE_CHECKING:
    from benchcast.reports.records.account import AccountRecord

    from ..core.config import Config
    from ..data.ingest import Data

FEWEST_FLOPS = 1e10  # 40K parameters on 40K tokens; below, parameters or tokens were meant
OTHER_FILES = (".yaml", ".yml", ".csv", ".parquet", ".pdf", ".html")  # what a config, a table or a report is called


def _json_file(target: str | None) -> str | None:
    """Refuse to write JSON over what is surely something else: ``--json c.yaml`` forgot a word.

    Raises
    ------
    InputError
        Saying what to write instead.
    """
    if target is not None and Path(target).suffix.lower() in OTHER_FILES:
        raise InputError(f"--json {target}: is not a name for JSON; give a name that ends in .json, or - for stdout")
    return target


DataPath = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="file or folder to read instead of the config's data.path")
]
JsonPath = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        callback=_json_file,
        help="write the result as JSON; - prints it, and nothing else, on stdout",
    ),
]
HtmlFlag = Annotated[bool, typer.Option("--html", help="also write an interactive web page, one file")]


def config_argument(about: str) -> Any:
    """The argument CONFIG of a command, with its own line of help."""
    return typer.Argument(metavar="CONFIG", help=about)


def positive(read: Callable[[Any], Any] = units.quantity) -> Callable[[Any], float]:
    """A parser of an option: a positive number, as ``read`` takes it (``7B``, ``1.4T``, ``3.8e25``)."""

    def parse(text: str | float) -> float:
        """Raise ValueError for anything else; the command line names the option."""
        try:
            value = read(text)
            number = float(value)
        except ValueError as what:
            known = "could not convert" not in str(what)
            raise ValueError(f"{text!r}: {what if known else 'is not a number; write 7e9 or 7B'}") from None
        if not 0 < number < math.inf:
            raise ValueError(f"{number:g} must be positive and finite")
        return number

    return parse


Multiplier = Annotated[
    float, typer.Option("--token-multiplier", metavar="M", parser=positive(), help="tokens per parameter")
]


def training_flops(text: str | float) -> float:
    """A parser of an option: the FLOPs of a whole training run, above what any language model takes."""
    flops = positive()(text)
    if flops < FEWEST_FLOPS:
        raise ValueError(f"{text} FLOPs train no language model; FLOPs are about 6·params·tokens, such as 3.8e25")
    return flops


def fraction(text: str | float) -> float:
    """A parser of an option: a score between 0 and 1; ValueError for another number, or a percentage."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"{text}: give the score as a fraction between 0 and 1, such as 0.7 for 70 %")
    return value


def object_json(schema: str, **content: Any) -> str:
    """A result that has no record of its own as JSON: its ``schema`` first, then what it holds."""
    return json_module.dumps({"schema": f"benchcast.{schema}", **content}, indent=2)


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


def load_config(path: Path) -> Config:
    """A config, checked."""
    from ..core.config import Config, load

    return load(path, Config)


def load_with_data(path: Path, data: Path | None) -> tuple[Config, Path, Data]:
    """A config, the folder of its paths, and its data, read once; what was left out or decided is told."""
    from ..data import ingest

    settings, base = load_config(path), path.resolve().parent
    loaded = ingest.read_data(settings.data, base, data)
    print_account(loaded.account)
    return settings, base, loaded


def show(
    answers: Sequence[Any], account: AccountRecord, name: str, json: str | None, table: Callable[[Any], None]
) -> None:
    """Answers as JSON, with what was left out of the data, or as a table."""
    if json is not None:
        rows = [each.model_dump(mode="json") for each in answers]
        write_json(object_json(f"{name}/1", answers=rows, account=account.model_dump(mode="json")), json)
    if json != "-":
        table(answers)
