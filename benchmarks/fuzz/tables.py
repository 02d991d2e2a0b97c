"""Contradictions in ladder tables, Every Eval Ever records and plans."""

from __future__ import annotations

import copy
import random
from typing import Any

from .contradict import UNITS, Allowed, Made, json_of, named, nothing, of, off, rows_of, same
from .world import Files, as_csv, as_json, as_yaml

# ---- ladder tables ----


def _table(files: Files) -> list[dict[str, Any]]:
    return rows_of(files["in/t.csv"])


def _as_table(rows: list[dict[str, Any]], allowed: Allowed = same) -> Made:
    return {"in/t.csv": as_csv(rows)}, allowed


@of("table")
def row_again_with_another_value(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    again = dict(rng.choice(rows))
    again["value"] = round(float(again["value"]) * 0.9, 6)
    if rng.random() < 0.3:
        again["step"] = f"{float(again['step']):.1f}"
    rows.insert(rng.randrange(len(rows)), again)
    return _as_table(rows)


@of("table", "forecast")
def column_in_another_unit(files: Files, rng: random.Random) -> Made:
    """Parameters or tokens of every row, or of one run, in another unit; FLOPs left, filled in, or scaled too."""
    rows = _table(files)
    column, factor, what = rng.choice(("params", "tokens")), rng.choice(UNITS), rng.randrange(3)
    only = rng.choice([None, rng.choice(rows)["run"]])
    for row in rows:
        if only in (None, row["run"]):
            row[column] = float(row[column]) * factor
            if what == 1:
                row["flops"] = 6 * float(row["params"]) * float(row["tokens"])
        if what == 2:
            row["flops_convention"] = "given"
    return _as_table(rows)


@of("table", "forecast")
def flops_in_another_unit(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    factor = rng.choice((1e-12, 1e-9, 1e-6, 1e6, 1e9))
    for row in rows:
        row["flops"] = float(row["flops"]) * factor
        row["flops_convention"] = rng.choice(("given",))
    return _as_table(rows)


@of("table")
def tokens_fall_in_the_table(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    run = rng.choice(rows)["run"]
    tokens = {row["step"]: row["tokens"] for row in rows if row["run"] == run}
    one, two = rng.sample(list(tokens), 2)
    swapped = tokens | {one: tokens[two], two: tokens[one]}
    for row in rows:
        if row["run"] == run:
            row["tokens"] = swapped[row["step"]]
            row["flops"] = 6 * float(row["params"]) * float(row["tokens"])
    return _as_table(rows)


@of("table")
def one_run_of_two_sizes(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    row = rng.choice(rows)
    row["params"] = float(row["params"]) * 2
    row["flops"] = 6 * float(row["params"]) * float(row["tokens"])
    return _as_table(rows)


@of("table")
def value_of_another_unit(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    row = rng.choice(rows)
    factor = 100 if row["metric"] == "acc" else rng.choice((100, 1000))
    row["value"] = float(row["value"]) * factor
    return _as_table(rows)


@of("table")
def bits_that_deny_nats(files: Files, rng: random.Random) -> Made:
    """``bits_per_byte`` is ``nll`` over ln 2, of the same answers."""
    rows = _table(files)
    row = rng.choice([row for row in rows if row["metric"] in ("bits_per_byte", "nll")])
    row["value"] = float(row["value"]) * rng.choice((0.6931471805599453, 1.4426950408889634, 0.8, 1.3))
    return _as_table(rows)


@of("table")
def no_number_in_the_table(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    row, column = rng.choice(rows), rng.choice(("value", "params", "tokens", "flops", "step"))
    number = float(row[column])
    row[column] = rng.choice(
        (
            f"{number:,.3f}" if number > 1000 else "2,5",
            f"{number}%",
            f"{number / 1e9}B",
            "NaN",
            "inf",
            f"{number}".replace(".", ",") + "0",
            "",
            "-1",
        )
    )
    return _as_table(rows)


@of("table")
def other_chance_of_one_task(files: Files, rng: random.Random) -> Made:
    rows = _table(files)
    rng.choice([row for row in rows if row["metric"] == "acc"])["chance"] = rng.choice((0.5, 0.2, 0.0, 25, 0.9))
    return _as_table(rows, nothing)


@of("table")
def error_that_denies_its_count(files: Files, rng: random.Random) -> Made:
    """A standard error that an accuracy of so many documents cannot have."""
    rows = _table(files)
    row = rng.choice([row for row in rows if row["metric"] == "acc"])
    row["stderr"] = float(row["stderr"]) * rng.choice((100, 40))
    return _as_table(rows)


# ---- Every Eval Ever ----


def _record(files: Files, rng: random.Random) -> tuple[str, dict[str, Any], dict[str, Any]]:
    path = named(files, r"\.json$", rng)
    record = json_of(files, path)
    return path, record, rng.choice(record["evaluation_results"])


@of("every_eval_ever")
def record_in_percent(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    what = rng.randrange(4)
    config = result["metric_config"]
    if what == 0:
        result["score_details"]["score"] *= 100
    elif what == 1:
        config["metric_unit"] = "percent"  # though the score stands as a fraction of max_score 1
    elif what == 2:
        config["max_score"] = 100
    else:
        config["metric_unit"], config["max_score"], config["min_score"] = "points", 10, 0
    return {path: as_json(record)}, same


@of("every_eval_ever")
def evaluation_again_with_another_score(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    again = copy.deepcopy(result)
    again["score_details"]["score"] = off(again["score_details"]["score"], rng)
    if rng.random() < 0.5:
        again["evaluation_name"] += "/none"
    if rng.random() < 0.5:
        record["evaluation_results"].append(again)
        return {path: as_json(record)}, same
    other = record | {"evaluation_results": [again], "evaluation_id": "x/again/2"}
    return {"in/again.json": as_json(other)}, same


@of("every_eval_ever")
def accuracy_of_which_less_is_better(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    result["metric_config"]["lower_is_better"] = True
    return {path: as_json(record)}, nothing


@of("every_eval_ever")
def record_in_another_unit(files: Files, rng: random.Random) -> Made:
    path, record, _ = _record(files, rng)
    told = record["model_info"]["additional_details"]
    key = rng.choice(("params", "tokens"))
    told[key] = str(float(told[key]) * rng.choice(UNITS))
    return {path: as_json(record)}, same


@of("every_eval_ever")
def place_stated_twice(files: Files, rng: random.Random) -> Made:
    """``ladder.yaml`` and the record place the model at different sizes."""
    size = rng.choice(("30M", "100M", "300M", "1B"))
    told = json_of(files, f"in/{size}.json")["model_info"]["additional_details"]
    place = {"run": size, "family": "mix", "params": float(told["params"]) * 3, "tokens": float(told["tokens"]) * 3}
    return {"in/ladder.yaml": as_yaml({f"lab/{size}": place})}, nothing


@of("every_eval_ever")
def score_outside_its_own_range(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    result["metric_config"]["max_score"] = result["score_details"]["score"] / 2
    return {path: as_json(record)}, nothing


@of("every_eval_ever")
def score_no_number(files: Files, rng: random.Random) -> Made:
    path, record, result = _record(files, rng)
    result["score_details"]["score"] = rng.choice((float("nan"), float("inf"), "0.5", None, True, -0.1, [0.5]))
    return {path: as_json(record)}, same


# ---- plans ----


@of("plan")
def plan_in_another_unit(files: Files, rng: random.Random) -> Made:
    rows = rows_of(files["in/runs.csv"])
    columns = rng.choice((("params",), ("tokens",), ("params", "tokens")))
    factor = rng.choice((1e-9, 1e-6))
    factor = factor if len(columns) == 2 else rng.choice((factor, 1e6, 1e9))
    for row in rows if rng.random() < 0.6 else [rng.choice(rows)]:
        for column in columns:
            row[column] = float(row[column]) * factor
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_rows_repeated(files: Files, rng: random.Random) -> Made:
    rows = rows_of(files["in/runs.csv"])
    again = rng.sample(rows, rng.randrange(1, len(rows)))
    return {"in/runs.csv": as_csv([*rows, *again])}, same


@of("plan")
def plan_number_as_people_write_it(files: Files, rng: random.Random) -> Made:
    rows = rows_of(files["in/runs.csv"])
    row, column = rng.choice(rows), rng.choice(("params", "tokens", "loss"))
    number = float(row[column])
    row[column] = rng.choice(
        (
            f"{number:,.6f}" if number > 1000 else "2,5",
            f"{number / 1e9}B",
            "nan",
            "inf",
            "",
            "-1",
            "0",
            f"{number}".replace(".", ",") + "x",
        )
    )
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_flops_denied(files: Files, rng: random.Random) -> Made:
    rows = rows_of(files["in/runs.csv"])
    factor = rng.choice((1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9))
    every = rng.random() < 0.5
    at = rng.randrange(len(rows))
    rows = [
        row | {"flops": 6 * float(row["params"]) * float(row["tokens"]) * (factor if every or i == at else 1)}
        for i, row in enumerate(rows)
    ]
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_of_one_ratio(files: Files, rng: random.Random) -> Made:
    """All runs at 20 tokens per parameter cannot tell parameters and tokens apart."""
    rows = [row for row in rows_of(files["in/runs.csv"]) if row["run"].endswith("-20x")]
    rows += [
        row
        | {
            "run": row["run"] + "b",
            "params": 2 * float(row["params"]),
            "tokens": 2 * float(row["tokens"]),
            "loss": float(row["loss"]) * 0.95,
        }
        for row in rows
    ]
    return {"in/runs.csv": as_csv(rows)}, same


@of("plan")
def plan_semicolons(files: Files, rng: random.Random) -> Made:
    data = files["in/runs.csv"]
    return {
        "in/runs.csv": rng.choice(
            (
                data.replace(b",", b";").replace(b".", b","),
                data.replace(b",", b";"),
                data.replace(b",", b"\t"),
                data.decode().encode("utf-16"),
            )
        )
    }, same
