"""The command line: a thin layer over ``pipeline`` and ``reports``; heavy imports happen inside the commands."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import BenchcastError, first_line, plain
from . import (
    ingest as cli_ingest,
)
from . import (
    init as cli_init,
)
from . import (
    nightly as cli_nightly,
)
from . import (
    plan as cli_plan,
)
from . import (
    score as cli_score,
)
from . import (
    trust as cli_trust,
)

if TYPE_CHECKING:
    from benchcast.reports.records.forecast import Result

    from ..core.config import Config

app = typer.Typer(
    name="benchcast",
    help="Forecast a big language model's benchmark scores from a ladder of small ones.",
    epilog="Example: benchcast run configs/demo.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML config; see configs/ for examples")]
DataPath = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="file or folder to read instead of the config's data.path")
]
OutPath = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="folder to write, instead of the config's out")
]
JsonPath = Annotated[str | None, typer.Option("--json", metavar="FILE", help="write the result as JSON; - for stdout")]
RegisterPath = Annotated[
    Path | None, typer.Option("--register", metavar="FILE", help="say in the report which forecasts are on this record")
]
HtmlFlag = Annotated[bool, typer.Option("--html", help="also write an interactive web page, one file")]

cli_plan.add_to(app)
cli_init.add_to(app)
cli_ingest.add_to(app)
cli_score.add_to(app)
cli_trust.add_to(app)
cli_nightly.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed

        typer.echo(f"benchcast {installed('benchcast')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and stop")
    ] = False,
) -> None:
    """What holds for every command."""


@app.command(epilog="Example: benchcast run configs/gadre2024.yaml --data exp_data --out out/gadre")
def run(
    config: ConfigPath,
    data: DataPath = None,
    out: OutPath = None,
    json: JsonPath = None,
    html: HtmlFlag = False,
    register: RegisterPath = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="TRACKER", help="log the result to mlflow or wandb, if installed")
    ] = None,
) -> None:
    """Read the ladder, fit the laws, forecast, and typeset the report.

    With --json - the result goes to stdout, and files are written only if --out is given.
    """
    if log is not None:
        from ..registry import trackers as experiments

        experiments.check(log)
    settings, result = _run(config, data, sweeping=html)
    result = _looked_up(result, register)
    if json is not None:
        _write_json(result.model_dump_json(by_alias=True), json)
    if json == "-" and out is None:
        return
    paths = result.write(out or settings.out, html)
    logged = experiments.log(result, paths, log) if log is not None else ""
    if json != "-":
        from .tables.forecast import headline

        headline(result)
        typer.echo(f"\n{log} run: {logged}" if logged else "")
        _name(paths)


@app.command(epilog="Example: benchcast forecast configs/demo.yaml")
def forecast(
    config: ConfigPath,
    data: DataPath = None,
    json: JsonPath = None,
    flops: Annotated[
        float | None, typer.Option("--flops", metavar="C", help="forecast a planned run of these FLOPs instead")
    ] = None,
    token_multiplier: Annotated[
        float, typer.Option("--token-multiplier", metavar="M", help="with --flops: its tokens per parameter")
    ] = 20.0,
) -> None:
    """Forecast and print the headline table; write nothing."""
    _, result = _run(config, data, None if flops is None else {"flops": flops, "token_multiplier": token_multiplier})
    if json is not None:
        _write_json(result.model_dump_json(by_alias=True, exclude={"figures"}), json)
    if json != "-":
        from .tables.forecast import headline

        headline(result)


@app.command(epilog="Example: benchcast fit configs/demo.yaml")
def fit(config: ConfigPath, data: DataPath = None, json: JsonPath = None) -> None:
    """Fit the laws and print their estimates with standard errors."""
    _, result = _run(config, data)
    if json is not None:
        _write_json(result.model_dump_json(by_alias=True, include={"laws", "provenance"}), json)
    if json != "-":
        from .tables.forecast import laws

        laws(result)


@app.command(epilog="Example: benchcast report out/result.json --out out")
def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="result.json of an earlier run")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write")] = Path("out"),
    html: HtmlFlag = False,
    register: RegisterPath = None,
) -> None:
    """Typeset the PDF again from a stored result."""
    from benchcast.reports.records.forecast import Result
    from pydantic import ValidationError

    from ..core import reading
    from ..core.errors import Fault, FaultsError

    try:
        text = reading.text(result, reading.MOST_TABLE)
        reading.json_of(text)  # a key given twice is an error here, as everywhere
        stored = Result.model_validate_json(text)
    except reading.Unreadable as what:
        raise FaultsError([Fault(str(result), f"cannot be read: {what}", "give the result.json of a run")]) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "(file)"
        raise FaultsError([Fault(f"{result}: {where}", first["msg"], "give the result.json of a run")]) from None
    _name(_looked_up(stored, register).write(out, html))


@app.command(epilog="Example: benchcast schema result > result.schema.json")
def schema(kind: Annotated[str, typer.Argument(help="result, config, plan or plan_config")] = "result") -> None:
    """Print the JSON schema of results or of configs."""
    import json as json_module

    from benchcast.reports.records.forecast import Result
    from benchcast.reports.records.plan import PlanResult
    from pydantic import BaseModel

    from ..core.config import Config
    from ..core.errors import InputError
    from ..planning.config import PlanConfig

    models: dict[str, type[BaseModel]] = {
        "result": Result,
        "config": Config,
        "plan": PlanResult,
        "plan_config": PlanConfig,
    }
    if kind not in models:
        raise InputError(f"{kind!r} is no schema ({', '.join(models)})")
    typer.echo(json_module.dumps(models[kind].model_json_schema(by_alias=True), indent=2))


def _run(
    path: Path, data: Path | None, planned: dict[str, float] | None = None, sweeping: bool = False
) -> tuple[Config, Result]:
    """Forecast what a config asks for; or, by the same laws, only a planned run."""
    from ..core.config import Config, load
    from ..forecasting import run as pipeline
    from .tables.forecast import progress

    settings, base = load(path, Config), path.resolve().parent
    with progress("forecasting") as step:
        if planned is not None:
            result = pipeline.run_planned(settings, planned, base, data, step)
        else:
            result = pipeline.run(settings, base, data, step, sweeping)
    for line in result.provenance.account.told():
        typer.echo(f"data: {plain(line)}", err=True)
    return settings, result


def _looked_up(result: Result, path: Path | None) -> Result:
    """The result with what the register says of it, where one is given."""
    if path is None:
        return result
    from ..registry import register

    return result.model_copy(update={"registered": register.looked_up(result, register.read(path))})


def _name(paths: dict[str, Path]) -> None:
    """Say where the report is; the PDF last, for whoever reads the last line."""
    for kind, label in (("html", "web page"), ("pdf", "report")):
        if kind in paths:
            typer.echo(f"{label}: {plain(str(paths[kind]))}")


def _write_json(text: str, target: str) -> None:
    if target == "-":
        sys.stdout.write(text + "\n")
        return
    from ..core import files as store

    store.write_text(text + "\n", Path(target))


def _warned(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line: where in whose source it was raised helps nobody who gave a table."""
    line = f"warning: {plain(' '.join(str(message).split()))[:300]}"
    if line not in _told:
        _told.add(line)
        typer.echo(line, err=True)


_told: set[str] = set()


def main() -> None:
    """Entry point: errors become one line each and an exit code."""
    debug = "--debug" in sys.argv
    if not debug:
        warnings.showwarning = _warned
    try:
        app()
    except BenchcastError as error:
        if debug:
            raise
        for line in getattr(error, "account", ()):
            typer.echo(f"data: {plain(line)}", err=True)
        for line in str(error).split("\n"):
            typer.echo(f"error: {plain(line)}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        typer.echo(f"error: {first_line(error)} (run with --debug to see where)", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
