"""``benchcast backtest | compare | versus``: how far a forecast may be trusted, and which model is better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import InputError
from .options import (
    DataPath,
    JsonPath,
    Multiplier,
    config_argument,
    load_config,
    load_with_data,
    print_account,
    show,
    training_flops,
    write_json,
)
from .panels import Panel

if TYPE_CHECKING:
    from ..comparing.answers import Checkpoint

ConfigPath = Annotated[Path, config_argument("YAML config; see configs/demo.yaml")]
PANEL, HELP_ORDER = Panel.TRUST, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast backtest configs/demo.yaml")(backtest)
    app.command(epilog="Example: benchcast compare configs/mixes.yaml c4_original rpj --flops 1e22")(compare)
    app.command(epilog="Example: benchcast versus --config configs/demo.yaml 640K-5x 1.3M-3x")(versus)


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
        float,
        typer.Option("--flops", metavar="C", parser=training_flops, help="training FLOPs of the target"),
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


def versus(
    first: Annotated[str, typer.Argument(metavar="A", help="a scored checkpoint: RUN@STEP, or a path, or PATH::NAME")],
    second: Annotated[str, typer.Argument(metavar="B", help="the checkpoint that is compared with it")],
    config: Annotated[
        Path | None, typer.Option("--config", metavar="CONFIG", help="names are of this config's scored checkpoints")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", metavar="DIR", help="names are of the checkpoints in this store")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", metavar="TASK", help="shell pattern of tasks; repeatable")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", metavar="METRIC", help="auto, or a pattern of metrics; repeatable [as CONFIG has it, or auto]"
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option("--alpha", help="probability that any task is called different where none is")
    ] = 0.05,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME=TASKS", help="pool tasks as one, such as mmlu=mmlu_*; each is a cluster"),
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option("--clusters", metavar="CSV", help="columns document, cluster (and task): what belongs together"),
    ] = None,
    cluster_field: Annotated[
        str | None,
        typer.Option("--cluster-field", metavar="FIELD", help="field of lm-eval's documents that says the same"),
    ] = None,
    any_prompt: Annotated[
        bool, typer.Option("--any-prompt", help="compare although the prompts differ; it is told")
    ] = False,
    documents: Annotated[
        Path | None, typer.Option("--documents", metavar="CSV", help="write every document that flipped")
    ] = None,
    json: JsonPath = None,
) -> None:
    """Which of two scored checkpoints is better: both are measured, and compared document by document.

    (compare is for two families at a target that nobody has trained yet.) A and B are RUN@STEP (or RUN: its last
    checkpoint) of --config or --store; or folders of lm-eval results with samples, or one file of them; or PATH::NAME.
    """
    from benchcast.reports.records.account import Account

    from ..comparing import named, together
    from ..comparing.versus import AUTO, Options
    from ..comparing.versus import compare as compared
    from .tables.trust import answered, is_narrow

    if config is not None and store is not None:
        raise InputError("--config and --store: give one of them")
    if not 0 < alpha < 0.5:
        raise InputError(f"--alpha: {alpha:g} must be above 0 and below 0.5")
    account = Account()
    default: list[Checkpoint] | None = None
    metrics: tuple[str, ...] = ()
    if config is not None:
        default, metrics = named.of_config(config, account)
    elif store is not None:
        default = named.of_store(store)
    options = Options(
        alpha=alpha,
        tasks=tuple(task or ("*",)),
        metrics=tuple(metric or metrics or (AUTO,)),
        any_prompt=any_prompt,
        clusters=None if clusters is None else together.read_clusters(clusters),
        cluster_field=cluster_field,
        together=together.groups(group or ()),
    )
    where = str(config or store or "")
    a, b = (named.checkpoint(given, default, where, account, cluster_field) for given in (first, second))
    if first == second:
        raise InputError(f"{first}: A and B are the same checkpoint; name two")
    result, flips = compared(a, b, options, account)
    print_account(result.account)
    if documents is not None:
        import pandas as pd
        from benchcast.reports.text.comparison_table import documents_csv

        from ..core import files

        columns = ["task", "metric", "document", "a", "b", "change"]
        files.write_table(pd.DataFrame(documents_csv(flips), columns=columns), documents)
    if json is not None:
        write_json(result.model_dump_json(by_alias=True), json)
    if json != "-":
        from benchcast.reports.text import comparison_table

        answered(comparison_table.comparison(result, narrow=is_narrow()))
        if documents is not None:
            typer.echo(f"{documents}: documents that flipped: {len(flips)}")
