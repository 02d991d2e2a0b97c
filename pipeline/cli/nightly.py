"""``benchcast reevaluate | history``: the forecast kept honest every night."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import InputError
from .options import JsonPath, config_argument, object_json, write_json
from .panels import Panel

cron_app = typer.Typer(
    help="Have the pass run every night: by your crontab, by systemd, or by a line to paste.", no_args_is_help=True
)
Systemd = Annotated[bool, typer.Option("--systemd", help="a user timer of systemd, instead of the crontab")]
At = Annotated[
    str, typer.Option("--at", help="five fields (minute hour day month weekday), or @daily, @hourly, @weekly")
]
NIGHTLY = "0 3 * * *"
ConfigPath = Annotated[Path, config_argument("YAML config with a reevaluate section")]
PANEL, HELP_ORDER = Panel.NIGHTLY, 10  # where it stands in ``benchcast --help``


def add_to(app: typer.Typer) -> None:
    """Enter these commands into the command line."""
    app.command(epilog="Example: benchcast reevaluate configs/nightly.yaml --dry-run")(reevaluate)
    app.command(epilog="Example: benchcast history configs/nightly.yaml --html")(history)
    app.command(epilog="Example: benchcast doctor configs/nightly.yaml")(doctor)
    app.add_typer(cron_app, name="cron")


def reevaluate(
    config: ConfigPath,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="say on stdout what is done")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what would be scored, and do nothing")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try again what could not be scored")] = False,
    register: Annotated[
        bool, typer.Option("--register", help="register the forecast anew, though the run has begun")
    ] = False,
    accept_gone: Annotated[
        bool, typer.Option("--accept-gone", help="checkpoints that are gone are meant to be")
    ] = False,
) -> None:
    """One pass for cron: score what is new, forecast, compare with the registered forecast, report, alert.

    Exit codes: 0 fine; 1 something could not be scored, read or written; 2 the configuration; 3 an alert stands;
    75 try later (another pass is at work, this one was stopped, or no checkpoint is complete). Of several, the first of
    2, 3 and 1 counts. Stdout stays empty without -v; what is new and wrong, or cleared, is told once on stderr.
    """
    from ..nightly.dry_run import planned_lines
    from ..nightly.run import Options, run_pass

    if dry_run:
        for line in planned_lines(config):
            typer.echo(line)
        return
    options = Options(verbose=verbose, retry_failed=retry_failed, register=register, accept_gone=accept_gone)
    code = run_pass(config, options)
    if code:
        raise typer.Exit(code)


def history(
    config: Annotated[
        Path,
        config_argument("YAML config with a reevaluate section; or its folder; or with --html a folder of reports"),
    ],
    target: Annotated[str, typer.Option("--target", help="shell pattern of targets")] = "*",
    task: Annotated[str, typer.Option("--task", help="shell pattern of tasks")] = "*",
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="PDF to draw it into")] = None,
    html: Annotated[
        bool,
        typer.Option(
            "--html", help="write index.html, a page of all nights: verdicts, forecasts, links to the reports"
        ),
    ] = False,
    json: JsonPath = None,
) -> None:
    """Print, draw or index how the forecasts moved over time, what was registered, and what was measured."""
    from benchcast.reports.text.strict_json import without_nan

    from ..nightly import history as past
    from ..nightly import overview
    from ..nightly.state import State

    if html and overview.is_of_reports(config):
        overview.write(page := config / overview.INDEX, overview.folder(config))
        typer.echo(f"index: {page}")
        return
    folder, track, title = overview.place_of(config)
    state = State(folder)
    for number in state.bad_lines():
        typer.echo(f"left out: line {number} of {folder / 'history.jsonl'} is not a record of a pass", err=True)
    series = past.series(state, track, target, task)
    if plot is not None:
        past.plot(series, plot)
    if html:
        page = overview.write_nights(state, track, target, task, title)
    if json is not None:
        content = {"schema": "benchcast.history/1", "series": [each.model_dump() for each in series]}
        write_json(json_module.dumps(without_nan(content | {"passes": state.history()}), default=str), json)
    if json != "-":
        from .tables.nightly import show

        show(series, state.history())
        if html:
            typer.echo(f"index: {page}")


def doctor(config: ConfigPath, json: JsonPath = None) -> None:
    """Check before the first night: would the pass work, does it follow the right run, will anything start it?

    Paths, permissions, disk, GPU, tasks without a network, notifiers, clock; the runs under track and their registered
    forecasts; the crontab or timer, and whether it still starts this config with this Python. Exit code 1 when
    something would keep the pass from working.
    """
    from ..nightly.schedule import doctor as checks
    from .tables.nightly import checked

    results = list(checks.run_checks(config))
    if json is not None:
        found = [{"what": each.what, "ok": each.ok, "says": each.says} for each in results]
        write_json(object_json("doctor/1", checks=found), json)
    if json != "-":
        checked(results)
    if any(not each.ok for each in results):
        raise typer.Exit(1)


@cron_app.command(epilog='Example: benchcast cron install configs/nightly.yaml --at "0 3 * * *"')
def install(
    config: ConfigPath,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            help="five fields (minute hour day month weekday), or @daily, @hourly, @weekly; with --systemd also an "
            'OnCalendar expression, such as "Mon..Fri 02:30"',
        ),
    ] = NIGHTLY,
    systemd: Systemd = False,
) -> None:
    """Run the pass at these times: a marked line in your crontab, with absolute paths and today's environment.

    Install again to change the times or the environment. Where it fails, nothing is changed.
    """
    from ..nightly.schedule.install import scheduler_for

    for line in scheduler_for(config, systemd=systemd).install(at):
        typer.echo(line)


@cron_app.command(name="line", epilog="Example: benchcast cron line configs/nightly.yaml --kubernetes > cronjob.yaml")
def paste_line(
    config: ConfigPath,
    at: At = NIGHTLY,
    scrontab: Annotated[bool, typer.Option("--scrontab", help="for SLURM's scrontab, with #SCRON options")] = False,
    kubernetes: Annotated[bool, typer.Option("--kubernetes", help="a CronJob of Kubernetes, as YAML")] = False,
    image: Annotated[
        str, typer.Option("--image", help="of the container, built from the Containerfile; for --kubernetes")
    ] = "benchcast:latest",
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="that the times are of, such as Europe/Berlin; for --kubernetes")
    ] = "Etc/UTC",
) -> None:
    """Print what to paste into a crontab, SLURM's scrontab or Kubernetes; nothing is changed.

    Stdout has only that; what to know about it is on stderr.
    """
    from ..nightly.schedule import paste

    if scrontab and kubernetes:
        raise InputError("--scrontab and --kubernetes: give one of them")
    if kubernetes:
        pasted = paste.kubernetes(config, at, image, time_zone)
    else:
        pasted = (paste.scrontab if scrontab else paste.line)(config, at)
    typer.echo(pasted.text)
    for note in pasted.notes:
        typer.echo(note, err=True)


@cron_app.command(epilog="Example: benchcast cron remove configs/nightly.yaml")
def remove(config: ConfigPath, systemd: Systemd = False) -> None:
    """Remove what install added, and nothing else."""
    from ..nightly.schedule.install import scheduler_for

    for line in scheduler_for(config, systemd=systemd).remove():
        typer.echo(line)


@cron_app.command(epilog="Example: benchcast cron show configs/nightly.yaml")
def show(config: ConfigPath, systemd: Systemd = False) -> None:
    """Print what is installed; exit code 1 if nothing is."""
    from ..nightly.schedule.install import scheduler_for

    lines = scheduler_for(config, systemd=systemd).show()
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo(f"{config}: is not installed", err=True)
        raise typer.Exit(1)
