"""``benchcast backtest | compare``: how far a forecast may be trusted, and which family it says is better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DataPath,
    JsonPath,
    Multiplier,
    config_argument,
    load_config,
    load_with_data,
    positive,
    print_account,
    show,
)
from .panels import Panel

ConfigPath = Annotated[Path, config_argument("YAML config; see configs/demo.yaml")]
PANEL, HELP_ORDER = Panel.TRUST, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast backtest configs/demo.yaml")(backtest)
    app.command(epilog="Example: benchcast compare configs/mixes.yaml c4_original rpj --flops 1e22")(compare)


def backtest(config: ConfigPath, data: DataPath = None, json: JsonPath = None) -> None:
    """Forecast the ladder's own runs from cheaper ones: error and coverage by task and extrapolation ratio.

    It is the very procedure of the auto recipe, with what was known at each cutoff.
    """
    from ..forecasting import questions
    from .tables.forecast import progress
    from .tables.trust import tested

    settings = load_config(config)
    with progress("backtesting") as step:
        summaries, account = questions.backtest(settings, config.resolve().parent, data, step)
    print_account(account)
    show(summaries, account, "backtest", json, tested)


def compare(
    config: ConfigPath,
    first: Annotated[str, typer.Argument(metavar="A", help="family (data mix, recipe) of the table")],
    second: Annotated[str, typer.Argument(metavar="B", help="the family to compare it with")],
    flops: Annotated[
        float, typer.Option("--flops", metavar="C", parser=positive(), help="training FLOPs of the target, as 3.8e25")
    ],
    token_multiplier: Multiplier = 20.0,
    data: DataPath = None,
    json: JsonPath = None,
) -> None:
    """The probability that family A scores higher than B at a target, task by task.

    Both are forecasts; for two checkpoints that are scored already there is versus. The errors of the two are taken as
    independent; where they go together the winner is surer than it says.
    """
    from benchcast.reports.records.account import Account

    from ..forecasting import questions
    from .tables.trust import compared

    settings, base, loaded = load_with_data(config, data)
    account = Account()
    answers = questions.compare(settings, base, loaded, first, second, flops, token_multiplier, account)
    print_account(account.record())
    account.add(loaded.account)
    show(answers, account.record(), "compare", json, compared)
