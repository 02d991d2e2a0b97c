"""``benchcast init``: a first config from what lies in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Enter the command into the command line."""
    app.command(epilog="Example: benchcast init results/ --token-multiplier 20")(init)


def init(
    found: Annotated[
        Path, typer.Argument(metavar="PATH", help="folder of lm-eval results or of checkpoints, or a ladder table")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="config to write")] = Path("benchcast.yaml"),
    token_multiplier: Annotated[
        float | None, typer.Option("--token-multiplier", metavar="M", help="tokens per parameter each model saw")
    ] = None,
    tokens_per_step: Annotated[
        float | None, typer.Option("--tokens-per-step", metavar="T", help="tokens of one optimizer step")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a config that is there")] = False,
) -> None:
    """Write a commented config from what a folder holds, and say what is left to fill in.

    For results of lm-eval it also writes ladder.yaml beside them, with what the models' names tell; never over one
    that is there.
    """
    from pipeline import init as starting
    from pipeline import store

    for name, value in (("--token-multiplier", token_multiplier), ("--tokens-per-step", tokens_per_step)):
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"{name}: {value:g} must be positive and finite")
    made = starting.draft(found, out, token_multiplier, tokens_per_step)
    if out.exists() and not force:
        raise InputError(f"{out}: is there already (--force replaces it, --out names another)")
    starting.check(made.files[out])
    for path, text in made.files.items():
        store.write_text(text, path)
        typer.echo(f"wrote {path}")
    for line in made.to_do:
        typer.echo(f"next: {line}")
    scores = "\nscore:" in made.files[out]
    typer.echo(f"then: benchcast {'score' if scores else 'run'} {out}" + ("" if scores else " --html"))
