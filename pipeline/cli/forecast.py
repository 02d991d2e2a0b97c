"""``benchcast run | forecast | fit | report | schema``: from a config and a ladder to forecasts and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import InputError, UnreadableError
from .options import DataPath, HtmlFlag, JsonPath, config_argument, positive, print_account, training_flops, write_json
from .panels import Panel

if TYPE_CHECKING:
    from benchcast.reports.records.forecast import Result

    from ..core.config import Config

PANEL, HELP_ORDER = Panel.FORECAST, 10  # where it stands in ``benchcast --help``
ConfigPath = Annotated[Path, config_argument("YAML config; see configs/ for examples")]
OutPath = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="folder to write, instead of the config's out")
]
RegisterPath = Annotated[
    Path | None, typer.Option("--register", metavar="FILE", help="say in the report which forecasts are on this record")
]
AllFlag = Annotated[bool, typer.Option("--all", help="print every target and recipe, not only the answer")]


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast run configs/gadre2024.yaml --data exp_data --out out/gadre")(run)
    app.command(epilog="Example: benchcast forecast configs/demo.yaml")(forecast)
    app.command(epilog="Example: benchcast fit configs/demo.yaml")(fit)
    app.command(epilog="Example: benchcast report out/result.json --out out")(report)
    app.command(epilog="Example: benchcast schema result > result.schema.json")(schema)


def run(
    config: ConfigPath,
    data: DataPath = None,
    out: OutPath = None,
    json: JsonPath = None,
    html: HtmlFlag = False,
    register: RegisterPath = None,
    every: AllFlag = False,
    log: Annotated[
        str | None, typer.Option("--log", metavar="TRACKER", help="log the result to mlflow or wandb, if installed")
    ] = None,
) -> None:
    """Forecast what CONFIG asks for, and write the report: PDF, JSON and CSV.

    With --json - the result goes to stdout, and files are written only if --out is given. Exit code 1 where no score
    could be forecast: the report then says why.
    """
    if out is not None and out.is_file():
        raise InputError(f"--out {out}: is a file; name a folder")
    if log is not None:
        from ..registry import trackers

        trackers.check(log)
    settings, result = _forecast(config, data, sweeping=html, advising=True)
    result = _with_register(result, register)
    if json is not None:
        write_json(result.model_dump_json(by_alias=True), json)
    if json == "-" and out is None:
        _none_is_a_failure(result)
        return
    paths = result.write(out or settings.out, html)
    logged = trackers.log(result, paths, log) if log is not None else ""
    from .tables.forecast import forecasts

    if json != "-":
        forecasts(result, paths, [f"{log} run: {logged}"] if logged else [], every)
    _none_is_a_failure(result)


def forecast(
    config: ConfigPath,
    data: DataPath = None,
    json: JsonPath = None,
    flops: Annotated[
        float | None,
        typer.Option("--flops", metavar="C", parser=training_flops, help="forecast a run of these FLOPs instead"),
    ] = None,
    token_multiplier: Annotated[
        float,
        typer.Option(
            "--token-multiplier", metavar="M", parser=positive(), help="with --flops: its tokens per parameter"
        ),
    ] = 20.0,
    every: AllFlag = False,
) -> None:
    """Forecast and print the table; write nothing. Exit code 1 where no score could be forecast."""
    _, result = _forecast(
        config, data, None if flops is None else {"flops": flops, "token_multiplier": token_multiplier}
    )
    if json is not None:
        write_json(result.model_dump_json(by_alias=True, exclude={"figures"}), json)
    if json != "-":
        from .tables.forecast import forecasts

        forecasts(result, every=every)
    _none_is_a_failure(result)


def fit(config: ConfigPath, data: DataPath = None, json: JsonPath = None) -> None:
    """Print the fitted laws: estimates with standard errors."""
    _, result = _forecast(config, data)
    if json is not None:
        write_json(result.model_dump_json(by_alias=True, include={"laws", "provenance"}), json)
    if json != "-":
        from .tables.forecast import laws

        laws(result)


def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="result.json of an earlier run, or its folder")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write")] = Path("out"),
    html: HtmlFlag = False,
    register: RegisterPath = None,
) -> None:
    """Write the PDF and the web page again, from the result.json of an earlier run."""
    from benchcast.reports.records.forecast import Result
    from pydantic import ValidationError

    from ..core import reading
    from ..core.errors import Fault, FaultsError

    if result.is_dir() and (inside := result / "result.json").is_file():
        result = inside
    try:
        text = reading.text(result, reading.MOST_TABLE)
        reading.json_of(text)  # a key given twice is an error here, as everywhere
        stored = Result.model_validate_json(text)
    except UnreadableError as what:
        raise FaultsError([Fault(str(result), f"cannot be read: {what}", "give the result.json of a run")]) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "(file)"
        raise FaultsError([Fault(f"{result}: {where}", first["msg"], "give the result.json of a run")]) from None
    from .tables.forecast import written

    written(_with_register(stored, register).write(out, html))


def schema(
    kind: Annotated[str, typer.Argument(help="result, config, plan, plan_config, policy, gate or versus")] = "result",
) -> None:
    """Print the JSON schema of results or of configs."""
    import json as json_module

    from benchcast.reports.records.comparing.gate import GateResult
    from benchcast.reports.records.comparing.versus import Comparison
    from benchcast.reports.records.forecast import Result
    from benchcast.reports.records.plan import PlanResult
    from pydantic import BaseModel

    from ..comparing.policy import Policy
    from ..core.config import Config
    from ..planning.config import PlanConfig

    models: dict[str, type[BaseModel]] = {
        "result": Result,
        "config": Config,
        "plan": PlanResult,
        "plan_config": PlanConfig,
        "policy": Policy,
        "gate": GateResult,
        "versus": Comparison,
    }
    if kind not in models:
        raise InputError(f"{kind!r} is not a schema ({', '.join(models)})")
    typer.echo(json_module.dumps(models[kind].model_json_schema(by_alias=True), indent=2))


def _forecast(
    path: Path,
    data: Path | None,
    planned: dict[str, float] | None = None,
    sweeping: bool = False,
    advising: bool = False,
) -> tuple[Config, Result]:
    """Forecast what a config asks for; or, by the same laws, only a planned run."""
    from ..core.config import Config, load
    from ..forecasting import run as forecasting
    from .tables.forecast import progress

    settings, base = load(path, Config), path.resolve().parent
    with progress("forecasting") as step:
        if planned is not None:
            result = forecasting.run_planned(settings, planned, base, data, step)
        else:
            result = forecasting.run(settings, base, data, step, sweeping, advising=advising)
    print_account(result.provenance.account)
    return settings, result


def _with_register(result: Result, path: Path | None) -> Result:
    """The result with what the register says of it, where one is given."""
    if path is None:
        return result
    from ..registry import register

    return result.model_copy(update={"registered": register.looked_up(result, register.read(path))})


def _none_is_a_failure(result: Result) -> None:
    """End with exit code 1 where no score was forecast; the report, which says why, is there all the same."""
    from .tables.forecast import numbered

    if not numbered(result):
        raise typer.Exit(1)
