"""``benchcast init``: a first config from what lies in a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer
from benchcast.reports.records.account import Account

from ..core import units
from ..core.errors import BenchcastError, InputError, plain
from .options import JsonPath, object_json, positive, write_json
from .panels import Panel

PANEL, HELP_ORDER = Panel.BEGIN, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter the command into the command line."""
    app.command(epilog="Example: benchcast init results/ --token-multiplier 20")(init)


def init(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="folder of results or of checkpoints, a ladder table, or org/name@revision"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="config to write")] = Path("benchcast.yaml"),
    token_multiplier: Annotated[
        float | None,
        typer.Option(
            "--token-multiplier", metavar="M", parser=positive(), help="tokens per parameter each model was trained on"
        ),
    ] = None,
    tokens_per_step: Annotated[
        float | None,
        typer.Option(
            "--tokens-per-step", metavar="T", parser=positive(units.length), help="tokens of one optimizer step"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a config that is there")] = False,
    json: JsonPath = None,
) -> None:
    """Write a commented config from what a folder holds, and say what is left to fill in.

    For results it also writes ladder.yaml beside them, with what the results state and the models' names
    tell; never over one that is there: then it says which models that one lacks.
    """
    from ..core import files as store
    from ..data.init import models as models_by_name
    from ..data.init import start as starting

    if os.path.lexists(out) and not force:
        raise InputError(f"{out}: is there already (--force replaces it, --out names another)")
    account = Account()
    try:
        if not os.path.lexists(source) and (model := _model(source)) is not None:
            made = models_by_name.draft(*model, out, tokens_per_step, account)
        else:
            made = starting.draft(source, out, token_multiplier, tokens_per_step, account)
        starting.check(made.files[out])
    except BenchcastError:
        _tell(account)
        raise
    _tell(account)
    for path, text in made.files.items():
        if path != out and os.path.lexists(path):
            raise InputError(f"{path}: was written by somebody else meanwhile; run init again")
        store.write_text(text, path)
    command = "score" if "\nscore:" in made.files[out] else "run"
    if json is not None:
        kept = account.record().model_dump(mode="json")
        written = [str(path) for path in made.files]
        write_json(object_json("init/1", wrote=written, next=list(made.to_do), command=command, account=kept), json)
    if json == "-":
        return
    for path in made.files:
        typer.echo(f"wrote {plain(str(path))}")
    for line in made.to_do:
        typer.echo(plain(line if line.startswith("  ") else f"next: {line}"))
    typer.echo(f"then: benchcast {command} {plain(str(out))}{' --html' if command == 'run' else ''}")


def _model(source: Path) -> tuple[str, dict[str, Path]] | None:
    """The entry of a config for a model by name, with the folders of its revisions; None for a path.

    Raises
    ------
    InputError
        When no such revision is in the hub's cache.
    """
    from ..scoring.checkpoints import hub, names

    text = re.sub(r"^hf:/(?!/)", names.PREFIX, str(source))  # a path has no two slashes
    try:
        name = names.parse(text)
    except ValueError as error:
        raise InputError(f"{text}: {error}") from None
    return None if name is None or not name.sure else (text, hub.here(name))


def _tell(account: Account) -> None:
    """What was left out and decided, for people."""
    for line in account.record().told():
        typer.echo(f"note: {plain(line)}", err=True)
