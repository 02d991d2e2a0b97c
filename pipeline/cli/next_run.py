"""``benchcast solve | suggest``: the compute that a score needs, and the run to add to the ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DataPath,
    JsonPath,
    Multiplier,
    config_argument,
    fraction,
    load_with_data,
    positive,
    print_account,
    show,
)
from .panels import Panel

ConfigPath = Annotated[Path, config_argument("YAML config; see configs/demo.yaml")]
PANEL, HELP_ORDER = Panel.PLAN, 20  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast solve configs/demo.yaml --task recall --accuracy 0.7")(solve)
    app.command(epilog="Example: benchcast suggest configs/demo.yaml --budget 1e13")(suggest)


def solve(
    config: ConfigPath,
    task: Annotated[str, typer.Option("--task", help="task, or a shell pattern")],
    accuracy: Annotated[
        float,
        typer.Option("--accuracy", metavar="SCORE", parser=fraction, help="score to reach, such as 0.7"),
    ],
    token_multiplier: Multiplier = 20.0,
    data: DataPath = None,
    json: JsonPath = None,
) -> None:
    """How much training compute (and N, D) a score needs, with the budgets where the interval's ends reach it."""
    from ..forecasting import questions
    from .tables.trust import needed

    settings, base, loaded = load_with_data(config, data)
    answers = questions.solve(settings, base, loaded, task, accuracy, token_multiplier)
    show(answers, loaded.account, "solve", json, needed)


def suggest(
    config: ConfigPath,
    budget: Annotated[
        float, typer.Option("--budget", metavar="C", parser=positive(), help="training FLOPs one more run may cost")
    ],
    most: Annotated[int, typer.Option("--most", min=1, help="suggestions per target")] = 3,
    data: DataPath = None,
    json: JsonPath = None,
) -> None:
    """Which run to add to the ladder: what each would take off the target's standard error, best first.

    Of runs that buy the same within one percent the cheapest comes first.
    """
    from benchcast.reports.records.account import Account

    from ..forecasting import questions
    from .tables.trust import suggested

    settings, base, loaded = load_with_data(config, data)
    account = Account()
    answers = questions.suggest(settings, base, loaded, budget, most, account)
    print_account(account.record())
    account.add(loaded.account)
    show(answers, account.record(), "suggest", json, suggested)
