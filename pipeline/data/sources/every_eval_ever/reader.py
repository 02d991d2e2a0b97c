"""Every Eval Ever records (evalevalai.com, schema 0.3): read them as a ladder table, and write one as records.

A record is one JSON file about one model. What the ladder needs and the schema has no field for stands as text in
``model_info.additional_details`` (run, family, step, params, tokens, flops, flops_convention) and
``generation_config.additional_details`` (num_fewshot, prompt), so that what is written reads back. Records of others
are placed by ``ladder.yaml`` in the folder, by the model's id (or ``id@revision``), as lm-eval's results are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.reports.records.account import Account, listed
from benchcast.stages.notices import readers

from ....core import reading, units
from ....core.digest import bytes_digest
from ....core.errors import Fault, FaultsError, UnreadableError
from ... import csv_files, schema
from ...places.clocks import falling_tokens
from ...places.ladder import LADDER, LadderPlaces
from ...places.models import ModelPlaces, read_model_places
from . import scores
from .writer import ABOUT, SCHEMA, write_every_eval_ever

__all__ = ["SCHEMA", "read_every_eval_ever", "write_every_eval_ever"]

NUMBERS = ("step", "params", "tokens", "flops")
# What else belongs to the identity of a model, where a record tells it of itself.
IDENTITY = ("revision", "checkpoint", "dtype", "precision", "quantization", "quantisation", "adapter", "peft")
ROUNDED = 0.02
KEY = ("run", "step", "tokens", "task", "num_fewshot", "prompt", "metric")
Row = dict[str, Any]


def read_every_eval_ever(folder: Path, account: Account | None = None) -> pd.DataFrame:
    """Every record below a folder (or one file) as a ladder table.

    Raises
    ------
    FaultsError
        With every record that is cut short or contradicts itself or another, every score whose unit is not clear, and
        every model that nothing places.
    """
    account = account or Account()
    faults: list[Fault] = []
    places = read_model_places(folder, faults) if folder.is_dir() else LadderPlaces()
    rows: dict[tuple[Any, ...], Row] = {}
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else [folder]:
        shown = path.relative_to(folder).as_posix() if folder.is_dir() else path.name
        parsed = _record(path, shown, folder.is_dir(), account, faults)
        if parsed is None:
            continue
        record, digest = parsed
        account.read("records")
        about = _placed(record, path, places, account, faults)
        if about is None:
            continue
        about |= {"source": path.name, "digest": digest}
        measured = scores.rows(record, str(path), shown, account, faults)
        if not measured:
            account.leave("records without an accuracy", shown)
        for row in measured:
            _enter(rows, about | row | {"where": str(path)}, account, faults)
    faults += _clock(rows)
    if not rows and not faults:
        faults.append(Fault(str(folder), "holds no Every Eval Ever record with an accuracy"))
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    table = pd.DataFrame(list(rows.values())).drop(columns=["where", "identity"])
    return schema.validate(table, str(folder), account)


def _record(
    path: Path, shown: str, many: bool, account: Account, faults: list[Fault]
) -> tuple[dict[str, Any], str] | None:
    """A record and its digest; None for a file that is left out, or that is a fault since no other was given."""
    try:
        data = reading.data(path)
    except UnreadableError as error:
        if many:
            account.leave("files that cannot be read as a record", f"{shown} ({error})")
        else:
            faults.append(Fault(str(path), f"cannot be read: {error}"))
        return None
    try:
        record = reading.json_of(data)
    except UnreadableError as error:
        if many and b'"evaluation_results"' not in data:
            account.leave("JSON files that are not Every Eval Ever records", shown)
        else:
            faults.append(Fault(str(path), f"cannot be read: {error}"))
        return None
    if not isinstance(record, dict) or "evaluation_results" not in record:
        account.leave("JSON files that are not Every Eval Ever records", shown)
        return None
    for key, kind in (("evaluation_results", list), ("model_info", dict)):
        if not isinstance(record.get(key), kind):
            name = "list" if kind is list else "mapping"
            faults.append(Fault(str(path), f"cannot be read as a record: {key} is missing or not a {name}"))
            return None
    if not isinstance(record["model_info"].get("id"), str):
        faults.append(Fault(str(path), "cannot be read as a record: model_info.id is missing or not text"))
        return None
    version = str(record.get("schema_version", "unknown"))
    if version.split(".")[:2] != SCHEMA.split(".")[:2]:
        account.note(readers.OTHER_SCHEMA(version=version[:20], known=SCHEMA))
    return record, bytes_digest(data)


def _placed(
    record: Mapping[str, Any],
    path: Path,
    places: ModelPlaces,
    account: Account,
    faults: list[Fault],
) -> Row | None:
    """The ladder's columns of the model: ``ladder.yaml``, else what the record says; None with a fault, or left out."""
    info = record["model_info"]
    model, details = info["id"], info.get("additional_details") or {}
    if not isinstance(details, dict):
        faults.append(Fault(str(path), f"model {model!r}: model_info.additional_details is not a mapping"))
        return None
    more = {key: str(details[key]) for key in IDENTITY if details.get(key) not in (None, "")}
    name = f"{model}@{more['revision']}" if more.get("revision") else model
    stated, wrong = _stated(details, f"{path}: model {model!r}", faults)
    if wrong:
        return None
    listed_as = next((key for key in (name, model) if key in places), None)
    if listed_as is not None:
        place = places[listed_as]
        if place is None:
            account.leave(f"models that {LADDER} leaves out", name)
            return None
        columns = place.columns(model)
        _disagreements(name, columns, stated, account)
        return columns | {"identity": more}
    if lacking := {"family", "params", "tokens"} - set(stated):
        what = f"cannot find {', '.join(sorted(lacking))} of {model!r}"
        faults.append(Fault(str(path), what, f"place it in {LADDER}"))
        return None
    if odd := units.impossible(stated["params"], stated["tokens"]):
        faults.append(Fault(f"{path}: model {model!r}", odd))
        return None
    given = "flops" in stated
    stated.setdefault("flops", 6 * stated["params"] * stated["tokens"])
    stated.setdefault("flops_convention", "given" if given else "6ND")
    if odd := _flops(stated):
        faults.append(Fault(f"{path}: model {model!r}", odd, "correct it, or name the convention"))
        return None
    return {"run": model} | stated | {"identity": more}


def _stated(details: Mapping[str, Any], where: str, faults: list[Fault]) -> tuple[Row, bool]:
    """What a record says of the model's place, numbers as numbers, and whether something of it is wrong."""
    stated: Row = {}
    wrong = False
    for key in ABOUT:
        value = details.get(key)
        if value in (None, ""):
            continue
        if key not in NUMBERS:
            stated[key] = str(value)
            continue
        number = scores.number(value)
        if not math.isfinite(number) or number < 0 or (number == 0 and key != "step"):
            fix = csv_files.unlike(value) if isinstance(value, str) else ""
            faults.append(Fault(f"{where}, {key}", f"{value!r:.100} is not a count", fix))
            wrong = True
        stated[key] = number
    return stated, wrong


def _flops(stated: Row) -> str:
    """What is wrong with the FLOPs that a record states; empty where nothing is."""
    expected = 6 * stated["params"] * stated["tokens"]
    if what := units.impossible_flops(stated["params"], stated["tokens"], stated["flops"]):
        return what
    if stated["flops_convention"].upper().replace(" ", "") == "6ND" and abs(stated["flops"] / expected - 1) > ROUNDED:
        return f"flops {stated['flops']:g} are not 6·params·tokens, {expected:g}"
    return ""


def _disagreements(name: str, columns: Mapping[str, Any], stated: Row, account: Account) -> None:
    for key in ("params", "tokens", "step"):
        listed_value, recorded = columns.get(key), stated.get(key)
        if listed_value and recorded and abs(recorded / listed_value - 1) > ROUNDED:
            account.note(readers.RECORD_DIFFERS(name, file=LADDER, quantity=key, own=listed_value, said=recorded))


def _enter(rows: dict[tuple[Any, ...], Row], row: Row, account: Account, faults: list[Fault]) -> None:
    """A score into the table; a second one of the same cell must be equal, or of fewer documents than the other."""
    key = tuple(_comparable(row.get(column)) for column in KEY)
    there = rows.setdefault(key, row)
    if there is row:
        return
    cell = f"{row['metric']} of {row['task']}, run {row['run']}"
    differing = _differing(there["identity"], row["identity"])
    counts = [_comparable(one.get("n")) for one in (there, row)]
    if there["value"] == row["value"]:
        account.leave("scores repeated with the same value", cell)
    elif None not in counts and counts[0] != counts[1] and not differing:
        whole = max((there, row), key=lambda one: float(one["n"]))
        part = row if whole is there else there
        account.leave("scores of fewer documents than another record of the same score", f"{cell} (n {part['n']:g})")
        rows[key] = whole
    else:
        what = f"{cell} is {row['value']:g}, in {there['where']} it is {there['value']:g}"
        what += f"; they differ in {differing}" if differing else ""
        faults.append(Fault(row["where"], what, f"keep one of them, or give each its own run in {LADDER}"))


def _differing(one: Mapping[str, str], two: Mapping[str, str]) -> str:
    keys = [key for key in IDENTITY if one.get(key) != two.get(key)]
    return listed(f"{key} ({one.get(key, 'not told')} and {two.get(key, 'not told')})" for key in keys)


def _comparable(value: Any) -> Any:
    return None if value is None or value == "" or (isinstance(value, float) and math.isnan(value)) else value


def _clock(rows: Mapping[tuple[Any, ...], Row]) -> list[Fault]:
    """Tokens that fall while the steps of a run grow."""
    points = {(row["run"], row.get("step"), row["tokens"], row["where"]) for row in rows.values()}
    return falling_tokens(points)
