"""``benchcast backtest | solve | compare | suggest | register | settle``: how far a forecast may be trusted."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import InputError, plain
from .options import DataPath, JsonFlag, config_argument, print_account, print_json
from .panels import Panel

if TYPE_CHECKING:
    from ..core.config import Config
    from ..data.ingest import Data

ConfigPath = Annotated[Path, config_argument("YAML config; see configs/auto.yaml")]
Multiplier = Annotated[float, typer.Option("--token-multiplier", min=1e-3, help="tokens per parameter")]
RegisterPath = Annotated[Path, typer.Option("--register", metavar="FILE", help="the register")]
PANEL, HELP_ORDER = Panel.TRUST, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast backtest configs/auto.yaml")(backtest)
    app.command(epilog="Example: benchcast solve configs/auto.yaml --task recall --accuracy 0.7")(solve)
    app.command(epilog="Example: benchcast compare configs/mixes.yaml c4_original rpj --flops 1e22")(compare)
    app.command(epilog="Example: benchcast suggest configs/auto.yaml --budget 1e13")(suggest)
    app.command(epilog="Example: benchcast register configs/auto.yaml --register forecasts.jsonl")(register)
    app.command(epilog="Example: benchcast settle scores.csv --as 'the big run=70B-final'")(settle)


def backtest(config: ConfigPath, data: DataPath = None, json: JsonFlag = False) -> None:
    """Forecast the ladder's own runs from cheaper ones: error and coverage by task and extrapolation ratio.

    It is the very procedure of the auto recipe, with what was known at each cutoff.
    """
    from ..forecasting import questions
    from .tables.forecast import progress
    from .tables.trust import tested

    settings = _load(config)
    with progress("backtesting") as step:
        summaries, account = questions.backtest(settings, config.resolve().parent, data, step)
    print_account(account)
    _show(summaries, json, tested)


def solve(
    config: ConfigPath,
    task: Annotated[str, typer.Option("--task", help="task, or a shell pattern")],
    accuracy: Annotated[float, typer.Option("--accuracy", min=0, max=1, help="score to reach, as a fraction")],
    token_multiplier: Multiplier = 20.0,
    data: DataPath = None,
    json: JsonFlag = False,
) -> None:
    """How much training compute (and N, D) a score needs, with the budgets where the interval's ends reach it."""
    from ..forecasting import questions
    from .tables.trust import needed

    settings, base, loaded = _load_with_data(config, data)
    answers = questions.solve(settings, base, loaded, task, accuracy, token_multiplier)
    _show(answers, json, needed)


def compare(
    config: ConfigPath,
    first: Annotated[str, typer.Argument(metavar="A", help="family (data mix, recipe) of the table")],
    second: Annotated[str, typer.Argument(metavar="B", help="the family to compare it with")],
    flops: Annotated[float, typer.Option("--flops", min=1, help="training FLOPs of the target")],
    token_multiplier: Multiplier = 20.0,
    data: DataPath = None,
    json: JsonFlag = False,
) -> None:
    """The probability that family A scores higher than B at a target, task by task.

    The errors of the two are taken as independent; where they go together the winner is surer than it says.
    """
    from benchcast.reports.records.account import Account

    from ..forecasting import questions
    from .tables.trust import compared

    _finite("--flops", flops)
    _finite("--token-multiplier", token_multiplier)
    settings, base, loaded = _load_with_data(config, data)
    account = Account()
    answers = questions.compare(settings, base, loaded, first, second, flops, token_multiplier, account)
    print_account(account.record())
    _show(answers, json, compared)


def suggest(
    config: ConfigPath,
    budget: Annotated[float, typer.Option("--budget", min=1, help="training FLOPs one more run may cost")],
    most: Annotated[int, typer.Option("--most", min=1, help="suggestions per target")] = 3,
    data: DataPath = None,
    json: JsonFlag = False,
) -> None:
    """Which run to add to the ladder: what each would take off the target's standard error, best first.

    Of runs that buy the same within one percent the cheapest comes first.
    """
    from benchcast.reports.records.account import Account

    from ..forecasting import questions
    from .tables.trust import suggested

    _finite("--budget", budget)
    settings, base, loaded = _load_with_data(config, data)
    account = Account()
    answers = questions.suggest(settings, base, loaded, budget, most, account)
    print_account(account.record())
    _show(answers, json, suggested)


def register(
    config: ConfigPath, register: RegisterPath = Path("forecasts.jsonl"), data: DataPath = None, json: JsonFlag = False
) -> None:
    """Forecast, and put the forecasts on the record before the truth is known.

    The register is append-only and chained by hashes: a later edit shows. Keep the printed hash somewhere else, and
    cutting records off the end shows as well.
    """
    from ..forecasting import run as forecasting
    from ..registry import known
    from ..registry import register as records
    from .tables.forecast import progress

    settings = _load(config)
    records.check(register)  # a broken chain, or what is not a file, is told before the work, not after it
    with progress("forecasting") as step:
        result = forecasting.run(settings, config.resolve().parent, data, step)
    print_account(result.provenance.account)
    for line in known.already(result):
        typer.echo(f"warning: {plain(line)}", err=True)
    record = records.register(result, register)
    if json:
        print_json(record.model_dump_json())
    else:
        typer.echo(f"{register}: {len(record.forecasts)} forecasts on the record, {record.time}\nhash {record.hash}")


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
    json: JsonFlag = False,
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
    if json:
        print_json(result.model_dump_json())
        return
    settlement(result)
    if paths:
        typer.echo(f"\nreport: {paths['pdf']}")


def _finite(option: str, value: float) -> None:
    """That a number is one: the least and the most of an option let infinity pass."""
    if not math.isfinite(value):
        raise InputError(f"{option}: {value:g} must be positive and finite")


def _load(path: Path) -> Config:
    from ..core.config import Config, load

    return load(path, Config)


def _load_with_data(path: Path, data: Path | None) -> tuple[Config, Path, Data]:
    """A config, the folder of its paths, and its data, read once; what was left out or decided is told."""
    from ..data import ingest

    settings, base = _load(path), path.resolve().parent
    loaded = ingest.read_data(settings.data, base, data)
    print_account(loaded.account)
    return settings, base, loaded


def _show(answers: Sequence[Any], as_json: bool, table: Any) -> None:
    if as_json:
        print_json(json_module.dumps([each.model_dump(mode="json") for each in answers]))
    else:
        table(answers)
