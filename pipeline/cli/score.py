"""``benchcast score``, ``status`` and ``store``: scoring a ladder and looking after the scores."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MOST_FAULTS, BenchcastError, InputError, plain
from .options import JsonPath, config_argument, object_json, write_json
from .panels import Panel

if TYPE_CHECKING:
    from ..core.config import ScoreSettings
    from ..scoring.store import Store

store_app = typer.Typer(help="Look after a folder of scored cells.", no_args_is_help=True)
ConfigPath = Annotated[Path, config_argument("YAML config with a score section")]
StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="folder of scored cells (score.store of the config)")]
INTERRUPTED = 130  # exit code, as a shell gives it for SIGINT
PANEL, HELP_ORDER = Panel.SCORE, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast score configs/score.yaml --workers 2")(score)
    app.command(epilog="Example: benchcast status configs/score.yaml")(status)
    app.add_typer(store_app, name="store")


def score(
    config: ConfigPath,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="ladder table to write")] = None,
    store: Annotated[Path | None, typer.Option("--store", metavar="DIR", help="folder of the scored cells")] = None,
    executor: Annotated[str | None, typer.Option("--executor", help="local, ray (extra: ray) or slurm")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="how many; empty: one per GPU", min=1)] = None,
    unsafe: Annotated[
        bool, typer.Option("--confirm-run-unsafe-code", help="score tasks that run code which the model wrote")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try again what could not be scored")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="hash every file again, whatever its time and size")] = False,
    download: Annotated[
        bool, typer.Option("--download", help="fetch revisions of models by name that are not there")
    ] = False,
    choose_documents: Annotated[
        bool, typer.Option("--choose-documents", help="choose score.documents anew, by all that was scored whole since")
    ] = False,
    json: JsonPath = None,
) -> None:
    """Score checkpoints with lm-eval, each once (needs the extra: pip install 'benchcast[score]').

    Only what is missing is scored; stop it at any time and run it again. Exit code 1 if something could not be scored.
    """
    settings = _settings(config)
    changes: dict[str, Any] = {"out": out and out.resolve(), "store": store and store.resolve(), "workers": workers}
    if executor is not None and executor not in ("local", "ray", "slurm"):
        raise InputError(f"--executor: {executor!r} is none of local, ray and slurm")
    changes["executor"] = executor
    changes["run_unsafe_code"] = unsafe or None
    changes["download"] = download or None
    settings = settings.model_copy(update={k: v for k, v in changes.items() if v is not None})
    if choose_documents and settings.documents is None:
        raise InputError("--choose-documents: score.documents of the config does not ask for some of them")
    from ..scoring.progress import terminal
    from ..scoring.run import score as run

    try:
        with terminal() as progress:
            summary = run(
                settings,
                config.resolve().parent,
                progress,
                retry_failed=retry_failed,
                verify=verify,
                choose_documents=choose_documents,
            )
    except KeyboardInterrupt:
        typer.echo("stopped; what was scored is stored: run it again to go on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    failures = [dict(zip(("checkpoint", "task", "reason"), f, strict=True)) for f in summary.failures]
    table = config.resolve().parent / settings.out
    if json is not None:
        content = {
            "scored": summary.scored,
            "cells": summary.cells,
            "failures": failures,
            "waiting": list(summary.waiting),
            "account": summary.account.model_dump(mode="json"),
            "table": str(table),
        }
        write_json(object_json("score/1", **content), json)
    if json != "-":
        for source in summary.waiting:
            typer.echo(f"left alone: {source}: is still being written", err=True)
        if failures:
            _print_failures(failures)
    for line in summary.account.lines():
        typer.echo(plain(line), err=True)
    if json != "-":
        typer.echo(f"{table}: {len(summary.table)} rows; {summary.scored} cells scored now, {summary.cells} wanted")
    if failures:
        raise typer.Exit(1)


def status(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML config, or the folder of a store")],
    every: Annotated[bool, typer.Option("--all", help="a row for every checkpoint")] = False,
    json: JsonPath = None,
) -> None:
    """Print which checkpoint is scored on which task, as of the last run of score."""
    from ..scoring import status as states

    folder = config if config.is_dir() else config.resolve().parent / _settings(config).store
    matrix = states.matrix_of(_store(folder))
    if json is not None:
        write_json(object_json("status/1", **matrix.as_dict()), json)
    if json != "-":
        states.show(matrix, every=every)


@store_app.command(epilog="Example: benchcast store rebuild scores")
def rebuild(store: StorePath) -> None:
    """Make the index of a store again from what is on disk."""
    from ..scoring.store.index import Index

    opened = _store(store)
    bad: list[str] = []
    index = store / "index.sqlite"
    if index.is_file():  # it may be broken
        index.unlink()
    with contextlib.closing(Index(opened, say=bad.append)) as made:
        count = made.rebuild()
    for line in bad:
        typer.echo(f"warning: {line}", err=True)
    typer.echo(f"{store}: {count} cells" + (f", {len(bad)} broken left out" if bad else ""))


@store_app.command(epilog="Example: benchcast store check scores")
def check(store: StorePath) -> None:
    """Compare a store's files with what was written, and its index with its files; exit code 1 if something is off."""
    from ..scoring.store.index import Index
    from ..scoring.subsets import files as choices

    opened = _store(store)
    lines = list(opened.faults())
    faults = [line for line in lines if not line.startswith("unchecked ")]
    faults += choices.faults(store)
    with contextlib.closing(Index(opened, say=faults.append)) as index:
        on_disk = {p.parent.name for p in store.glob("cells/??/*/results.json")}
        indexed, differing = index.cells(), index.differing()
    mend = f"(run benchcast store rebuild {store})"
    faults += [f"{opened.path(cell)}: is not in the index {mend}" for cell in sorted(on_disk - indexed)]
    faults += [f"{opened.path(cell)}: is in the index but gone {mend}" for cell in sorted(indexed - on_disk)]
    faults += [f"{opened.path(cell)}: the index says something else {mend}" for cell in differing]
    for fault in faults:
        typer.echo(f"error: {plain(fault)}", err=True)
    if old := sum(line.startswith("unchecked ") for line in lines):
        what = "are of a version that wrote no digest of results: their edits show only in documents and index"
        typer.echo(f"note: {old} cells {what}", err=True)
    if partly := len(opened.partials.cells()):
        typer.echo(f"note: {partly} cells more are answered in part; score goes on with those it still asks", err=True)
    typer.echo(f"{store}: {len(on_disk)} cells, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


@store_app.command(epilog="Example: benchcast store export scores --out scores.parquet")
def export(
    store: StorePath,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV or Parquet to write")] = Path("scores.csv"),
    every: Annotated[
        bool, typer.Option("--all", help="cells of every setup and limit, not only those the last run wanted")
    ] = False,
    documents: Annotated[bool, typer.Option("--documents", help="one row per answer, not the ladder table")] = False,
) -> None:
    """Write the cells that the last run wanted as a ladder table, or the values of all their documents."""
    from ..core import files
    from ..scoring.store.index import Index
    from ..scoring.store.tables import documents_of, flat, now, table, wanted

    opened = _store(store)
    with contextlib.closing(Index(opened)) as index:
        plan = None if every else opened.plan()
        contents = index.everything() if plan is None else wanted(index, plan)
    bad: list[str] = []
    if documents:
        rows = documents_of(opened, contents, bad.append)
    else:
        rows = flat(contents) if plan is None else table(contents, *now(plan))
    for line in bad[:MOST_FAULTS]:
        typer.echo(f"left out: {line}", err=True)
    if len(bad) > MOST_FAULTS:
        typer.echo(f"left out: {len(bad) - MOST_FAULTS} more", err=True)
    if rows.empty and bad:
        raise BenchcastError(f"{store}: no cell's documents can be read")
    if rows.empty:
        raise InputError(f"{store}: holds no scores yet; run benchcast score first")
    files.write_table(rows, out)
    typer.echo(f"{out}: {len(rows)} rows")
    if bad:
        raise typer.Exit(1)


def _settings(config: Path) -> ScoreSettings:
    from ..core.config import ScoreConfig, load

    return load(config, ScoreConfig).score


def _store(folder: Path) -> Store:
    from ..scoring.store import Store

    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder of scores; run benchcast score first")
    return Store(folder)


def _print_failures(failures: list[dict[str, str]]) -> None:
    from benchcast.reports.text.table import Table, as_rich
    from rich.console import Console

    console = Console(stderr=True)
    console = console if console.is_terminal else Console(stderr=True, width=160)
    rows = tuple([failure[key] for key in ("checkpoint", "task", "reason")] for failure in failures)
    title = f"{len(failures)} could not be scored"
    console.print(as_rich(Table(head=("checkpoint", "task", "why"), rows=rows, align="lll", title=title), fold=True))
    console.print("failed cells are tried again with --retry-failed, or when the checkpoint changes", highlight=False)
