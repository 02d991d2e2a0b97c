"""``benchcast ingest``: from what other tools wrote to a ladder table, and from a table to what others read."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import InputError, plain
from ..data import sources
from .options import JsonPath, object_json, write_json
from .panels import Panel

_FIRST, *_OTHERS = sources.names()  # the demo, which needs no ingestion, stands last
SOURCES = f"{', '.join(_OTHERS)} or {_FIRST}"
PANEL, HELP_ORDER = Panel.BEGIN, 20  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter the command into the command line."""
    app.command(epilog="Example: benchcast ingest lm_eval --from results/ --out ladder.csv")(ingest)


def ingest(
    source: Annotated[str, typer.Argument(help=SOURCES)],
    from_: Annotated[Path | None, typer.Option("--from", metavar="PATH", help="local file or folder")] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="ladder table to write: .csv, .parquet or .json")
    ] = Path("ladder.csv"),
    add: Annotated[
        Path | None,
        typer.Option("--add", metavar="TABLE", help="ladder table to put beside it, such as scores to losses"),
    ] = None,
    records: Annotated[
        Path | None, typer.Option("--records", metavar="DIR", help="write Every Eval Ever records instead of a table")
    ] = None,
    json: JsonPath = None,
) -> None:
    """Turn results into a validated ladder table.

    The published testbeds, overtraining and model_ladder, are downloaded (and their hashes checked) without --from.
    trainer reads the trainer_state.json files of Hugging Face runs, wandb the CSV exports of Weights & Biases.
    """
    from ..core import files as store
    from ..core.config import DataSettings
    from ..data import ingest as reader

    if source not in sources.names():
        raise InputError(_no_source(source))
    settings = DataSettings.model_validate({"source": source})
    loaded = reader.read_data(settings, Path(), from_)
    table, account = loaded.table, loaded.account
    if add is not None:
        loaded = reader.merge_tables(reader.read_data(DataSettings(source="table"), Path(), add), loaded)
        table, account = loaded.table, loaded.account
    counts = {"rows": len(table), "runs": int(table["run"].nunique()), "tasks": int(table["task"].nunique())}
    if records is not None:
        import time

        from ..data.sources.every_eval_ever import reader as every_eval_ever

        counts = {"records": len(every_eval_ever.write_every_eval_ever(table, records, int(time.time())))}
    else:
        store.write_table(table, out)
    where = str(out if records is None else records)
    if json is not None:
        kept = account.model_dump(mode="json")
        write_json(object_json("ingest/1", out=where, **counts, about=list(loaded.about), account=kept), json)
    if json != "-":
        typer.echo(f"{where}: {', '.join(f'{number} {what}' for what, number in counts.items())}")
        for line in loaded.about:
            typer.echo(f"  {line}")
    for line in account.lines():
        typer.echo(f"  {plain(line)}", err=True)


def _no_source(given: str) -> str:
    """What is wrong with a source's name, and what was meant."""
    if Path(given).exists():
        return f"{given}: is a path, no source; write: benchcast ingest lm_eval --from {given}"
    near = difflib.get_close_matches(given, sources.names(), 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{given!r} is not a known source ({SOURCES.replace(' or ', ', ')}){meant}"
