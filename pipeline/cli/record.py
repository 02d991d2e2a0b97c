"""``benchcast register | settle | gate``: forecasts put on the record, how they did, and whether a run may go on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import InputError, plain
from .options import DataPath, JsonPath, config_argument, load_config, print_account, write_json
from .panels import Panel

ConfigPath = Annotated[Path, config_argument("YAML config; see configs/demo.yaml")]
RegisterPath = Annotated[Path, typer.Option("--register", metavar="FILE", help="the register")]
PANEL, HELP_ORDER = Panel.RECORD, 10  # where it stands in ``benchcast --help``
GATE_EXITS = {"go": 0, "no-go": 3, "inconclusive": 4}


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast register configs/demo.yaml --register forecasts.jsonl")(register)
    app.command(epilog="Example: benchcast settle scores.csv --as 'the big run=70B-final'")(settle)
    app.command(epilog="Example: benchcast gate configs/gate.yaml")(gate)


def register(
    config: ConfigPath, register: RegisterPath = Path("forecasts.jsonl"), data: DataPath = None, json: JsonPath = None
) -> None:
    """Forecast, and put the forecasts on the record before the truth is known.

    The register is append-only and chained by hashes: a later edit shows. Keep the printed hash somewhere else, and
    cutting records off the end shows as well.
    """
    from ..forecasting import run as forecasting
    from ..registry import known
    from ..registry import register as records
    from .tables.forecast import progress

    settings = load_config(config)
    records.check(register)  # a broken chain, or what is not a file, is told before the work, not after it
    with progress("forecasting") as step:
        result = forecasting.run(settings, config.resolve().parent, data, step)
    print_account(result.provenance.account)
    for line in known.already(result):
        typer.echo(f"warning: {plain(line)}", err=True)
    record = records.register(result, register)
    if json is not None:
        write_json(record.model_dump_json(), json)
    if json != "-":
        without = sum(each.forecast is None for each in record.forecasts)
        refused = f" ({without} without a number)" if without else ""
        typer.echo(
            f"{register}: {len(record.forecasts)} forecasts on the record{refused}, {record.time}\nhash {record.hash}"
        )


def settle(
    truth: Annotated[Path, typer.Argument(metavar="TABLE", help="ladder table (CSV or Parquet) with the runs' scores")],
    register: RegisterPath = Path("forecasts.jsonl"),
    as_: Annotated[
        list[str] | None, typer.Option("--as", metavar="TARGET=RUN", help="the run a planned target became; repeatable")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="a score is the mean of a run's last checkpoints [as forecast]")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="SVG", help="draw the calibration so far")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="write settlement.pdf and its JSON")] = None,
    json: JsonPath = None,
) -> None:
    """Score registered forecasts against the truth: error, interval hit, log score, CRPS, calibration."""
    from ..core import files
    from ..core.config import DataSettings
    from ..data import ingest
    from ..registry import register as records
    from ..registry import settle as settling
    from .tables.trust import settlement

    pairs = [text.partition("=") for text in as_ or []]
    if wrong := [target for target, sign, run in pairs if not (sign and target and run)]:
        raise InputError(f"--as {wrong[0]!r}: give TARGET=RUN")
    named = [target for target, _, _ in pairs]
    if twice := [target for target in named if named.count(target) > 1]:
        raise InputError(f"--as {twice[0]}: names two runs; a target became one")
    every = records.read(register)
    loaded = ingest.read_data(DataSettings(source="table"), Path(), truth)
    print_account(loaded.account)
    result = settling.settle(every, loaded.table, {target: run for target, _, run in pairs}, last=last)
    if plot is not None:
        from benchcast.reports.figures.calibration import calibration_figure

        files.write_text(calibration_figure(result.calibration, len(result.settled) - result.refused), plot)
    paths = result.write(out) if out is not None else {}
    if json is not None:
        write_json(result.model_dump_json(), json)
    if json == "-":
        return
    settlement(result)
    if paths:
        typer.echo(f"\nreport: {paths['pdf']}")


def gate(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="YAML policy; see configs/gate.yaml")],
    json: JsonPath = None,
) -> None:
    """Go, no-go or inconclusive: a run's scores against the registered forecast and the other rules of a policy.

    Exit code 0: go; 3: no-go; 4: inconclusive (too few documents, or a score is missing); 2: the policy is wrong.
    """
    from ..comparing.gate import judge
    from ..comparing.policy import read

    result = judge(read(policy), policy)
    print_account(result.account)
    if json is not None:
        write_json(result.model_dump_json(by_alias=True), json)
    if json != "-":
        from benchcast.reports.text import comparison_table

        from .tables.trust import answered

        answered(comparison_table.rules(result))
    raise typer.Exit(GATE_EXITS[result.verdict])
