"""``benchcast plan``: how large, on how many tokens, with what batch size and learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core import units
from ..core.errors import InputError, plain
from .options import JsonPath, object_json, positive, print_account, training_flops, write_json
from .panels import Panel

PANEL, HELP_ORDER = Panel.PLAN, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast plan --flops 3.8e25")(plan)
    app.command(epilog="Example: benchcast flops config.json --tokens 2e12")(flops)


def plan(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="YAML config; without it, --flops is enough")
    ] = None,
    flops: Annotated[list[str] | None, typer.Option("--flops", metavar="C", help="training FLOPs; repeatable")] = None,
    law: Annotated[
        str | None, typer.Option("--law", metavar="NAME", help="published law to plan by when there is no data")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="CSV", help="runs to fit: columns params, tokens, loss [, flops, run]"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for plan.pdf and plan.json")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="only print what the papers' constants give, beside what they print")
    ] = False,
    json: JsonPath = None,
) -> None:
    """Plan a training run: parameters, tokens, batch size, learning rate and loss, each with an interval.

    With --data or a config's data the law is fitted on your runs; without, a published law answers. Files are written
    with --out, or when a config is given without --json.
    """
    from ..core.config import load
    from ..planning import run as planner
    from ..planning.config import PlanConfig

    if published:
        from .tables.plan import published as show_published

        show_published()
        return
    if config is None and not flops:
        raise InputError("give a config, or --flops (for example: benchcast plan --flops 3.8e25)")
    _enough(flops or ())
    changes = _changes(flops, law)
    settings = load(config, PlanConfig, changes) if config else _without_config(changes)
    if data is not None:
        data = data.resolve()
    result = planner.run(settings, config.resolve().parent if config else Path(), data)
    print_account(result.provenance.account)
    if json is not None:
        write_json(result.model_dump_json(by_alias=True), json)
    if json != "-":
        from .tables.plan import plan as show

        show(result)
    if out is not None or (config is not None and json is None):
        path = result.write(out or settings.out)["pdf"]
        if json != "-":
            typer.echo(f"\nreport: {path}")


def _enough(flops: Sequence[str]) -> None:
    """That no training compute is a number of parameters."""
    for text in flops:
        try:
            training_flops(text)
        except ValueError as what:
            raise InputError(f"--flops: {what}") from None


def _changes(flops: list[str] | None, law: str | None) -> dict[str, Any]:
    """What the command line sets over the config."""
    return ({"flops": flops} if flops else {}) | ({"published": law} if law else {})


def _without_config(changes: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from ..core.errors import Fault, FaultsError
    from ..planning.config import PlanConfig

    try:
        return PlanConfig.model_validate(changes)
    except ValidationError as error:
        names = {"flops": "--flops", "published": "--law"}
        faults = []
        for e in error.errors(include_url=False):
            where = names.get(str(e["loc"][0]) if e["loc"] else "published", "--law")
            given = "" if isinstance(e.get("input"), dict) else f"{e.get('input')!r}: "
            faults.append(Fault(where, given + str(e["msg"]).removeprefix("Value error, ").removeprefix("published: ")))
        raise FaultsError(faults) from None


def flops(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.JSON", help="config.json of a Hugging Face model")],
    seq_len: Annotated[
        float | None,
        typer.Option(
            "--seq-len", metavar="L", parser=positive(units.length), help="training sequence length; empty: its context"
        ),
    ] = None,
    tokens: Annotated[
        float | None,
        typer.Option("--tokens", metavar="D", parser=positive(), help="training tokens, as 2T: for the run's FLOPs"),
    ] = None,
    json: JsonPath = None,
) -> None:
    """Parameters and training FLOPs of a model from its config.json, under every convention."""
    from benchcast.stages.compute.architecture import CONVENTIONS, Architecture

    from ..core import reading

    length = None if seq_len is None else int(seq_len)
    try:
        model = Architecture.from_config(reading.json_of(reading.text(config)))
        per_token = {name: model.flops_per_token(name, length) for name in CONVENTIONS}
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{config}: {plain(str(error))}") from None
    sizes = {
        "all": model.params(),
        "without embeddings": model.params(embeddings=False),
        "without embeddings and head": model.params(embeddings=False, head=False),
    }
    if json is not None:
        total = None if tokens is None else {name: value * tokens for name, value in per_token.items()}
        write_json(object_json("flops/1", params=sizes, flops_per_token=per_token, flops=total), json)
    if json == "-":
        return
    for name, value in sizes.items():
        typer.echo(f"parameters, {name}: {value:,}")
    for name, each in per_token.items():
        whole = "" if tokens is None else f", {each * tokens:.4g} FLOPs for {tokens:.3g} tokens"
        typer.echo(f"{name}: {each:.6g} FLOPs per token{whole}")
