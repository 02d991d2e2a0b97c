"""``benchcast reevaluate | history``: the forecast kept honest every night."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML config with a reevaluate section")]


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast reevaluate configs/nightly.yaml --dry-run")(reevaluate)


def reevaluate(
    config: ConfigPath,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="say on stdout what is done")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what would be scored, and do nothing")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try again what could not be scored")] = False,
    register: Annotated[
        bool, typer.Option("--register", help="register the forecast anew, though the run has begun")
    ] = False,
    accept_gone: Annotated[
        bool, typer.Option("--accept-gone", help="checkpoints that are gone are meant to be")
    ] = False,
) -> None:
    """One pass for cron: score what is new, forecast, compare with the registered forecast, report, alert.

    Exit codes: 0 fine; 1 something could not be scored or written; 2 the configuration; 3 an alert stands;
    75 try later (another pass is at work, or this one was stopped). Stdout stays empty without -v; what is new and
    wrong, or cleared, is told once on stderr.
    """
    from pipeline.nightly import dry, one_pass

    if dry_run:
        for line in dry.lines(config):
            typer.echo(line)
        return
    code = one_pass.run(config, one_pass.Options(verbose, retry_failed, register, accept_gone))
    if code:
        raise typer.Exit(code)
