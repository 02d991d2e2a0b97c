"""`benchcast versus | gate`: which of two checkpoints is better, and whether a run may go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import InputError
from .options import JsonPath, print_account, write_json
from .panels import Panel

if TYPE_CHECKING:
    from ..comparing.answers import Checkpoint
    from ..comparing.versus import Clusters

PANEL, HELP_ORDER = Panel.TRUST, 20  # where it stands in ``benchcast --help``
EXIT_CODES = {"go": 0, "no-go": 3, "inconclusive": 4}


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast versus --config configs/demo.yaml 640K-5x 1.3M-3x")(versus)
    app.command(epilog="Example: benchcast gate configs/gate.yaml")(gate)


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

    from ..comparing import named
    from ..comparing.versus import AUTO, Options, compare

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
        clusters=None if clusters is None else _clusters(clusters),
        together=_groups(group or ()),
    )
    where = str(config or store or "")
    a, b = (named.checkpoint(given, default, where, account, cluster_field) for given in (first, second))
    result, flips = compare(a, b, options, account)
    print_account(result.account)
    if documents is not None:
        import pandas as pd
        from benchcast.reports.text.comparison_table import documents_csv

        from ..core import files

        columns = ["task", "metric", "document", "a", "b", "change"]
        files.write_table(pd.DataFrame(documents_csv(flips), columns=columns), documents)
    if json is not None:
        write_json(result.model_dump_json(), json)
    if json != "-":
        from benchcast.reports.text import comparison_table

        from .tables.decide import shown

        shown(comparison_table.comparison(result))
        if documents is not None:
            typer.echo(f"{documents}: documents that flipped: {len(flips)}")


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
        write_json(result.model_dump_json(), json)
    if json != "-":
        from benchcast.reports.text import comparison_table

        from .tables.decide import shown

        shown(comparison_table.rules(result))
    raise typer.Exit(EXIT_CODES[result.verdict])


def _groups(given: Sequence[str]) -> dict[str, str]:
    groups = {}
    for text in given:
        name, sign, pattern = text.partition("=")
        if not (name and sign and pattern):
            raise InputError(f"--group {text!r}: give NAME=TASKS, such as mmlu=mmlu_*")
        groups[name] = pattern
    return groups


def _clusters(path: Path) -> Clusters:
    """What belongs together, by task (empty: any) and document."""
    import csv
    import io

    from ..core import reading
    from ..core.errors import UnreadableError

    try:
        rows = csv.DictReader(io.StringIO(reading.text(path, reading.MOST_TABLE)))
        columns = rows.fieldnames or []
        clusters: dict[tuple[str, str], str] = {}
        for column in ("document", "cluster"):
            if column not in columns:
                raise InputError(f"{path}: has no column {column} (document and cluster are needed, task may be there)")
        for row in rows:
            clusters[row.get("task") or "", str(row["document"])] = str(row["cluster"])
    except UnreadableError as what:
        raise InputError(f"{path}: cannot be read: {what}") from None
    return clusters
