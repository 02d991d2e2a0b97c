"""A first config from what lies in a folder: results of lm-eval, checkpoints, or a ladder table.

What the files tell is filled in; what they do not is left as a comment that says so. Nothing is guessed into a number
that a law would be fitted on without a person having seen it: every guess is written with the text it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline import schema
from pipeline.config import Config, ScoreConfig
from pipeline.errors import BenchcastError, FaultsError, InputError
from pipeline.sources import lm_eval

SIZE = re.compile(r"(?<![a-zA-Z0-9.])(\d+(?:\.\d+)?)\s*([KMBT])(?![a-zA-Z0-9])", re.IGNORECASE)
STEP = re.compile(r"(?:step|checkpoint|global_step)[-_]?(\d+)", re.IGNORECASE)
TOKENS = re.compile(r"(\d+(?:\.\d+)?)\s*([KMBT])[-_ ]?tok", re.IGNORECASE)
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
FEWEST_TO_TEST = 9
FEWEST_TO_HOLD_OUT = 6  # with fewer runs every one is needed for the fit
SCHEMA_LINE = "# yaml-language-server: $schema=config.schema.json  (benchcast schema config > config.schema.json)"


@dataclass(frozen=True)
class Draft:
    """Files to write, by path; and what a person has to do before they work."""

    files: dict[Path, str]
    to_do: tuple[str, ...]


def draft(found: Path, out: Path, token_multiplier: float | None = None, tokens_per_step: float | None = None) -> Draft:
    """What ``benchcast init`` would write for a file or folder.

    Parameters
    ----------
    found : Path
        A ladder table, or a folder of lm-eval results or of checkpoints.
    out : Path
        The config; paths in it are relative to its folder.
    token_multiplier, tokens_per_step : float, optional
        How many tokens a model of the results saw: per parameter, or per step.

    Raises
    ------
    InputError
        When there is nothing a config could be written for.
    """
    if not found.exists():
        raise InputError(f"{found}: does not exist (give a ladder table, or a folder of results or checkpoints)")
    if found.is_file():
        table = schema.read(found)
        return Draft({out: _forecast_config("table", found, out, table)}, ())
    if next(_result_files(found), None) is not None:
        return _from_results(found, out, token_multiplier, tokens_per_step)
    if folders := _checkpoints(found):
        return Draft({out: _score_config(found, out, folders)}, _score_to_do(out))
    raise InputError(
        f"{found}: holds neither results of lm-eval (results*.json), nor checkpoints (config.json with *.safetensors); "
        "for a ladder table give the CSV or Parquet file itself"
    )


# ---- results of lm-eval ----


def _result_files(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*.json")) if p.stem.startswith("results") or lm_eval.is_of_03(p))


def _from_results(folder: Path, out: Path, token_multiplier: float | None, tokens_per_step: float | None) -> Draft:
    files: dict[Path, str] = {}
    to_do: list[str] = []
    ladder = folder / lm_eval.LADDER
    places = None
    if not ladder.exists():
        places = {m.name: _guess(m.name, token_multiplier, tokens_per_step) for m in lm_eval.models(folder)}
        places = dict(sorted(places.items(), key=lambda item: (item[1].get("params", 0), item[1].get("step", 0))))
        if token_multiplier:
            _spread_over_steps(places.values())
        files[ladder] = _ladder_text(places)
        lacking = sum(not {"params", "tokens"} <= set(place) for place in places.values())
        what = f'fill in what is marked "add" for {lacking}' if lacking else "check the numbers read from the names"
        to_do.append(f"{ladder}: {what} of {len(places)} models")
    table = None
    try:
        table = lm_eval.read(folder, placed=places)
    except FaultsError as error:
        if places is None:
            to_do += [str(fault) for fault in error.faults]
    files[out] = _forecast_config("lm_eval", folder, out, table)
    return Draft(files, tuple(to_do))


def _spread_over_steps(places: Iterable[dict[str, Any]]) -> None:
    """Tokens per parameter are those of a run's last step: an earlier one saw its share."""
    places = list(places)
    last: dict[str, int] = {}
    for place in places:
        last[place["run"]] = max(last.get(place["run"], 0), place.get("step", 0))
    for place in places:
        if place.get("step") and "tokens" in place:
            place["tokens"] *= place["step"] / last[place["run"]]


def _guess(name: str, token_multiplier: float | None, tokens_per_step: float | None) -> dict[str, Any]:
    """What a model's name tells: its run, step, size and tokens."""
    place: dict[str, Any] = {"run": _run_name(name), "family": "my-mix"}
    seen = TOKENS.search(name)
    size = SIZE.search(name if seen is None else name.replace(seen[0], ""))
    step = STEP.search(name)
    if step:
        place["step"] = int(step[1])
    if size:
        place["params"] = float(size[1]) * UNITS[size[2].lower()]
    if seen:
        place["tokens"] = float(seen[1]) * UNITS[seen[2].lower()]
    elif step and tokens_per_step:
        place["tokens"] = int(step[1]) * tokens_per_step
    elif size and token_multiplier:
        place["tokens"] = place["params"] * token_multiplier
    return place


def _run_name(model: str) -> str:
    """The model's path without what only tells the step."""
    parts = [part for part in re.split(r"[/@]", model) if part and not STEP.fullmatch(part)]
    return STEP.sub("", parts[-1]).strip("-_ ") or model if parts else model


def _ladder_text(places: dict[str, dict[str, Any]]) -> str:
    """``ladder.yaml``, a line per model, what is unknown left to fill in."""
    lines = [
        "# Where each model stands on the ladder: N with or without embeddings (the same for all), tokens seen, and",
        "# FLOPs if they are not 6·params·tokens (flops: 1.2e21, flops_convention: attention). Numbers were read from",
        "# the names: check them. Models of one data mix and recipe share a family; laws are fitted within one.",
    ]
    for name, place in places.items():
        known = ", ".join(f"{key}: {_number(v) if isinstance(v, float) else _text(str(v))}" for key, v in place.items())
        missing = [key for key in ("params", "tokens") if key not in place]
        lines.append(f"{_text(name)}: {{{known}}}" + (f"  # add {' and '.join(missing)}" if missing else ""))
    return "\n".join(lines) + "\n"


# ---- checkpoints ----


def _checkpoints(folder: Path) -> list[Path]:
    """Folders with an architecture and safetensors weights, by name."""
    return [p.parent for p in sorted(folder.rglob("config.json")) if any(p.parent.glob("*.safetensors"))]


def _score_config(folder: Path, out: Path, folders: Sequence[Path]) -> str:
    base = _relative(folder, out.parent)
    depths = sorted({len(p.relative_to(folder).parts) for p in folders})
    patterns = [_text("/".join([base, *["*"] * depth])) for depth in depths]
    named = all(STEP.fullmatch(p.name) and len(p.relative_to(folder).parts) > 1 for p in folders)
    word = re.sub(r"\d+$", "", folders[0].name)
    pattern = f'pattern: "{{run}}/{word}{{step}}"' if named else '# pattern: "{run}/step-{step}"   # folder names'
    return f"""\
# Written by benchcast init: {len(folders)} checkpoints under {_comment(base)}.
#   benchcast score {_comment(out.name)}    # scores them: the ladder table
#   benchcast run {_comment(out.name)}      # forecasts from it: a PDF
{SCHEMA_LINE}
score:
  checkpoints: [{", ".join(patterns)}]
  tasks: [arc_easy, hellaswag]          # lm-eval tasks and groups: `lm_eval ls tasks`
  # validation_text: [validation.txt]   # for a validation loss, which the overtraining recipe needs
  {pattern}
  place:
    family: my-mix                      # one data mix and recipe; laws are fitted within one
    # tokens_per_step: 524288           # unless trainer_state.json or benchcast.json tells the tokens
  out: ladder.csv

data: {{source: table, path: ladder.csv}}
targets:
  - {{name: planned, params: 7e9, token_multiplier: 20}}   # the run to forecast: say its size
  # - run: "1B*"                        # a run of the ladder, held out: shows how a forecast fares
recipes:
  - llama3
  - ladder
  # - {{name: overtraining, loss: validation}}
"""


def _score_to_do(out: Path) -> tuple[str, ...]:
    return (f"{out}: set tasks, tokens_per_step (unless the checkpoints tell their tokens), and the planned run",)


# ---- what to forecast ----


def _forecast_config(source: str, found: Path, out: Path, table: pd.DataFrame | None) -> str:
    about = "models to be placed in ladder.yaml" if table is None else _counted(table)
    hint = "   # its ladder.yaml says where each model stands" if source == "lm_eval" and table is None else ""
    return f"""\
# Written by benchcast init from {_comment(_relative(found, out.parent))}: {about}.
#   benchcast run {_comment(out.name)} --html
{SCHEMA_LINE}
title: {_text(f"Forecast from {found.resolve().name}")}
data: {{source: {source}, path: {_text(_relative(found, out.parent))}}}{hint}
targets:
{_targets(table)}
recipes:
{_recipes(table)}
# tasks: ["*"]          # shell patterns; all by default
# metric: auto          # acc_norm where there is one, else acc
# level: 0.9            # nominal coverage of the intervals
out: out
"""


def _counted(table: pd.DataFrame) -> str:
    scored = table[table["metric"].isin(lm_eval.ACCURACIES)]
    return f"{table['run'].nunique()} runs, {scored['task'].nunique()} tasks"


def _targets(table: pd.DataFrame | None) -> str:
    if table is None:
        return (
            "  - {name: planned, params: 7e9, token_multiplier: 20}   # the run to forecast: say its size\n"
            '  # - run: "name of your largest run"                    # held out: shows how a forecast fares'
        )
    largest = table.loc[table["flops"].idxmax()]
    flops, multiplier = 10 * largest["flops"], largest["tokens"] / largest["params"]
    lines = [
        f"  # The run to forecast: here 10 times the largest, at its tokens per parameter. Or params and tokens.\n"
        f"  - {{name: planned, flops: {_number(flops)}, token_multiplier: {multiplier:.3g}}}"
    ]
    if table["run"].nunique() >= FEWEST_TO_HOLD_OUT:
        lines.append(
            "  # Held out: the laws never see it, and the report shows how a forecast of it fares.\n"
            f"  - run: {_text(str(largest['run']))}"
        )
    return "\n".join(lines)


def _recipes(table: pd.DataFrame | None) -> str:
    """The recipes that the table has what they need for; the others as comments that say what is missing."""
    metrics = set() if table is None else set(table["metric"])
    losses = [] if table is None else sorted(table.loc[table["metric"].eq("val_loss"), "task"].unique())
    lines: list[str] = []
    for name, need in (("llama3", {"nll"}), ("ladder", {"nll", "bits_per_byte"})):
        ready = table is None or bool(need & metrics)
        lines.append(f"  - {name}" if ready else f"  # - {name}   # needs the samples: lm_eval --log_samples")
    if losses:
        lines.append(f"  - {{name: overtraining, loss: {_text(losses[0])}}}")
    else:
        lines.append("  # - {name: overtraining, loss: validation}   # needs a validation loss (metric val_loss)")
    if all(line.lstrip().startswith("#") for line in lines):
        raise InputError(
            "no recipe can use these results: they have accuracies only. Run lm_eval again with --log_samples (the "
            "losses of the gold answers come from the samples), or add rows with metric val_loss to a ladder table"
        )
    # Graded, and right on most ladders; but it has to have runs to test itself on.
    tested = table is None or table["run"].nunique() >= FEWEST_TO_TEST
    auto = "  - auto" if tested else f"  # - auto   # needs {FEWEST_TO_TEST} runs, to test itself on the larger of them"
    return "\n".join([auto, *lines])


# ---- text ----


def _text(value: str) -> str:
    """A YAML scalar that reads back as this string, whatever is in it."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value, re.ASCII)
    if plain and isinstance(yaml.safe_load(value), str):
        return value
    return str(yaml.dump(value, default_style='"', allow_unicode=True, width=float("inf"))).strip()


def _comment(value: str) -> str:
    """Text on one line, for a comment."""
    return "".join(c if c.isprintable() else "\ufffd" for c in value)


def _number(value: float) -> str:
    """``1.3e9``: a float that YAML and people read."""
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _relative(path: Path, base: Path) -> str:
    """From the config's folder where that goes downwards, else from the root."""
    path, base = path.resolve(), base.resolve()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def check(text: str) -> None:
    """A config that was just written must be one.

    Raises
    ------
    BenchcastError
        When it is not: a fault of this module.
    """
    content = yaml.safe_load(text)
    try:
        (Config if "data" in content else ScoreConfig).model_validate(content)
    except ValueError as error:
        raise BenchcastError(f"the config that was drafted is not valid: {error}") from error
