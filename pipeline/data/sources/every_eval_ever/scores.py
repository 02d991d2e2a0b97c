"""The scores of an Every Eval Ever record as rows: metrics by name, and units by what the record says of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from benchcast.reports.records.account import Account
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import Fault
from ....core.metrics import FRACTION as SHARE
from ....core.metrics import Metric, is_share, metric_name, metric_of
from ... import csv_files
from ..lm_eval.accuracies import is_average

NAMES = {"acc": "acc", "accuracy": "acc", "acc_norm": "acc_norm", "exact_match": "acc"}
FILTER = re.compile(r"[\w.-]{1,60}")
OURS = "Benchcast ladder table"  # the source of our own records
PERCENT = ("percent", "percentage", "%", "pct")
FRACTION = ("proportion", "fraction", "ratio", "probability")
MOST_ERROR = 0.51  # standard error of a share: one half at most
TEXTS = ("prompt", "tokenizer", "chat_template", "dtype")


def rows(
    record: Mapping[str, Any], where: str, shown: str, account: Account, faults: list[Fault]
) -> list[dict[str, Any]]:
    """A row of measured columns for every accuracy (or loss of ours) of a record; the others are left out, with lines.

    Parameters
    ----------
    where, shown : str
        The file, for faults and for the account.
    """
    library = record.get("eval_library")
    library = library if isinstance(library, dict) else {}
    version = str(library.get("version", "")) if library.get("name") == "lm_eval" else ""
    measured: list[dict[str, Any]] = []
    # A record whose other scores are above 1 shows that it counts in percent: 0.8 is 0.8 % there.
    over = any(reading.number(_mapping(one, "score_details").get("score")) > 1 for one in record["evaluation_results"])
    for position, result in enumerate(record["evaluation_results"], 1):
        model = record["model_info"]["id"]
        place = f"{where}: model {model!r}, result {position}"
        config, score = (_mapping(result, key) for key in ("metric_config", "score_details"))
        if not config or not score:
            faults.append(Fault(place, "is not a result: metric_config or score_details is missing or not a mapping"))
            continue
        task = result.get("evaluation_name")
        if not isinstance(task, str) or not task.strip():
            faults.append(Fault(place, f"evaluation_name {task!r:.100} is not a name"))
            continue
        place = f"{where}: model {model!r}, task {task!r}"
        ours = _mapping(record, "source_metadata").get("source_name") == OURS
        name = next((n for k in ("metric_name", "metric_id", "evaluation_description") if (n := config.get(k))), "")
        metric = _metric(name, ours or bool(version))
        task, metric = _of_filter(task, metric) if version and not ours and metric is not None else (task, metric)
        if metric is None:
            account.leave("scores that are not accuracies", f"{name or 'without a name'!s:.60} of {task} in {shown}")
        elif is_average(task):
            account.leave("averages over tasks, not benchmarks", f"{task} in {shown}")
        elif (
            row := _row(result, config, score, metric, f"{place}, metric {name!r}", over, account, faults)
        ) is not None:
            if metric == "acc" and str(name).lower() == "exact_match":
                account.note(readers.EXACT_MATCH())
            measured.append({"task": task.removesuffix("/none"), "metric": metric, "lm_eval": version} | row)
    return measured


def number(value: Any) -> float:
    """A number, or one spelled as plain text, as the schema has it; NaN for anything else."""
    if isinstance(value, str):
        return float(value) if csv_files.NUMBER.fullmatch(value.strip()) else math.nan
    return reading.number(value)


def _metric(name: Any, by_lm_eval: bool) -> str | None:
    """What the table calls a metric. Other tools than lm-eval say exact match of choices, too, which is an accuracy."""
    if not isinstance(name, str):
        return None
    known = name if metric_of(name) is not None else None
    return known if known is not None and (by_lm_eval or name not in NAMES) else NAMES.get(name.lower(), known)


def _of_filter(task: str, metric: str) -> tuple[str, str]:
    """lm-eval's task and metric, where the name of the evaluation ends with its filter."""
    name, slash, filtered = task.rpartition("/")
    named = metric_name(metric, filtered if FILTER.fullmatch(filtered) else "")
    plain = named == metric and filtered != "none"  # a name that says no filter, and has a slash all the same
    return (task, metric) if plain or not slash or not name or not is_share(named) else (name, named)


def _known(metric: str) -> Metric:
    known = metric_of(metric)
    assert known is not None  # only what has one is read
    return known


def _row(
    result: Mapping[str, Any],
    config: Mapping[str, Any],
    score: Mapping[str, Any],
    metric: str,
    where: str,
    over: bool,
    account: Account,
    faults: list[Fault],
) -> dict[str, Any] | None:
    """The measured columns of one result; None with a fault."""
    value = reading.number(score.get("score"))
    if not math.isfinite(value):
        faults.append(
            Fault(where, f"the score {score.get('score')!r:.100} is not a number", "score it again, or take it out")
        )
        return None
    accuracy = _known(metric).unit == SHARE
    scale, problem = _scale(config, value, over, account) if accuracy else (1.0, _other_unit(config, metric))
    doubt, setup, details = _mapping(score, "uncertainty"), _setup(result), _mapping(score, "details")
    stderr = reading.number(_mapping(doubt, "standard_error").get("value"))
    numbers = {
        "n": number(doubt.get("num_samples")),
        "chance": number(details.get("chance")),
        "num_fewshot": number(setup.get("num_fewshot")),
    }
    problem = problem or _impossible(metric, value / scale, stderr / scale, numbers["n"], numbers["chance"])
    for key, given in (("num_samples", doubt), ("chance", details), ("num_fewshot", setup)):
        if given.get(key) not in (None, "") and math.isnan(numbers["n" if key == "num_samples" else key]):
            problem = problem or (f"{key} {given[key]!r:.100} is not a number", "")
    if problem:
        faults.append(Fault(where, *problem))
        return None
    share = 1 / scale if scale != 100 else 0.01
    return {
        "value": share * value,
        "stderr": share * stderr,
        **numbers,
        "task_version": str(details.get("task_version", "")),
        **{key: str(setup.get(key) or "") for key in TEXTS},
    }


def _setup(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(_mapping(result, "generation_config"), "additional_details")


def _mapping(given: Any, key: str) -> Mapping[str, Any]:
    value = given.get(key) if isinstance(given, dict) else None
    return value if isinstance(value, dict) else {}


def _scale(
    config: Mapping[str, Any], value: float, over: bool, account: Account
) -> tuple[float, tuple[str, str] | None]:
    """What a score has to be divided by to be a fraction, and what is wrong with what is said of it."""
    unit = str(config.get("metric_unit") or "").strip().lower()
    low, high = (_bound(config.get(key)) for key in ("min_score", "max_score"))
    if config.get("lower_is_better") is True:
        return 1.0, ("lower_is_better is true, and of an accuracy more is better", "correct the record")
    if low is not None and low != 0:
        return 1.0, (f"its scores begin at min_score {low:g}: it is not a share of documents", "")
    if high is not None and value > high:
        return 1.0, (
            f"the score {value:g} is above its own max_score {high:g}",
            "is it a percentage? correct the record",
        )
    by_unit = 100.0 if unit in PERCENT else 1.0 if unit in FRACTION else None
    if by_unit and high and by_unit != high:
        return 1.0, (f"metric_unit is {unit!r} and max_score is {high:g}: they contradict each other", "correct one")
    if unit and by_unit is None and high is None:
        return 1.0, (
            f"{value:g} in unit {unit!r:.40} without a max_score",
            "is it a percentage? say metric_unit percent",
        )
    scale = by_unit or high or 1.0
    if scale <= 0:
        return 1.0, (f"max_score {scale:g} is not a highest score", "")
    if scale == 100 and 0 < value <= 1 and not over:
        return scale, (f"the score {value:g} in percent is below one percent", "is it a fraction? correct the record")
    if by_unit is None and scale != 1:
        account.note(readers.SCALED(scale=scale))
    return scale, None


def _bound(given: Any) -> float | None:
    value = number(given)
    return value if math.isfinite(value) else None


def _other_unit(config: Mapping[str, Any], metric: str) -> tuple[str, str] | None:
    unit, own = config.get("metric_unit"), _known(metric).unit
    if unit and unit != own:
        return f"metric_unit is {unit!r:.60}, {metric} is in {own}", "convert it"
    return None


def _impossible(metric: str, value: float, stderr: float, n: float, chance: float) -> tuple[str, str] | None:
    known = _known(metric)
    if not known.low <= value <= known.high:
        return f"{value:g} is outside {known.range}, the range of {metric}", known.hint
    if stderr < 0 or math.isinf(stderr) or (known.unit == "fraction" and stderr > MOST_ERROR):
        return f"the standard error {stderr:g} cannot be", "is it in another unit than the score?"
    if n <= 0 or math.isinf(n):
        return f"num_samples {n:g} must be positive", ""
    if chance < 0 or chance >= 1:
        return f"chance {chance:g} is not a fraction in [0, 1)", "is it a percentage? divide by 100"
    return None
