"""How registered forecasts fared, once the truth is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from benchcast.reports.records.account import listed
from benchcast.reports.records.forecast import Forecast
from benchcast.reports.records.settlement import SettledForecast, Settlement
from benchcast.stages.fit.newton import Array
from benchcast.stages.forecast.scoring_rules import crps_logit_normal, interval_score, log_score_logit_normal, logit
from benchcast.stages.notices import Code, Notice
from benchcast.stages.notices import registry as notices
from scipy.stats import norm

from ..core.errors import InputError
from ..core.metrics import ACCURACIES, is_share, score_label
from ..data.task_setup import asked_version, setup_label
from . import known
from .register import Record, claim_of

PLAN_RTOL = 0.05  # of its planned parameters and tokens a run may be off and still be the run that was forecast
LEAST_SHARE_OF_DOCUMENTS = 0.98  # of the documents that were forecast a score must be of
CALIBRATION_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # nominal, of the calibration figure


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The measured runs: scores by checkpoint, and what every run is."""

    scores: dict[tuple[str, str, str], Array]  # (run, task, metric) to the scores of its checkpoints, in order
    asked: dict[tuple[str, str, str], tuple[float, str]]  # the same, to documents and version of the last checkpoint
    ways: dict[tuple[str, str, str], int]  # how many ways (shots, prompts) a run was asked a task
    stated: dict[tuple[str, str, str], list[str]]  # the same, to labels with shots and prompt, where they are known
    runs: pd.DataFrame  # by run: family, params, tokens, flops of the last checkpoint

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that a run has, each once."""
        return tuple(dict.fromkeys(metric for _, _, metric in self.scores))

    def measured(self, run: str) -> known.MeasuredRun:
        """A run with its last scores."""
        last_scores = {(task, metric): float(v[-1]) for (name, task, metric), v in self.scores.items() if name == run}
        return known.measured_run(run, self.runs.loc[run], last_scores)


def truths(table: pd.DataFrame) -> Truth:
    """What a ladder table says of its runs; a score is known by its name, and by its label with shots and prompt."""
    shares = [name for name in table["metric"].unique() if is_share(str(name))]
    rows = table[table["metric"].isin(shares)].sort_values("tokens", kind="stable")
    rows = rows.assign(n=rows.get("n", np.nan), task_version=rows.get("task_version", ""))  # a frame may lack them
    scores: dict[tuple[str, str, str], Array] = {}
    about: dict[tuple[str, str, str], tuple[float, str]] = {}
    ways: dict[tuple[str, str, str], int] = {}
    stated: dict[tuple[str, str, str], list[str]] = {}
    keys = ["run", "task", "metric", "num_fewshot", "prompt"]
    for (run, task, metric, shots, prompt), part in rows.groupby(keys, sort=False, dropna=False):
        name = score_label(str(task), str(metric))
        plain = (str(run), name, str(metric))
        ways[plain] = ways.get(plain, 0) + 1
        values = part["value"].to_numpy(dtype=float)
        label = setup_label(name, shots, prompt)
        for key in (plain, (str(run), label, str(metric))):
            scores[key] = values
            about[key] = float(part["n"].iloc[-1]), asked_version(str(part["task_version"].iloc[-1]))
        if np.isfinite(shots):
            stated.setdefault(plain, []).append(label)
    return Truth(
        scores=scores,
        asked=about,
        ways=ways,
        stated=stated,
        runs=table.sort_values("tokens", kind="stable").groupby("run").tail(1).set_index("run"),
    )


def settle(
    records: Sequence[Record],
    table: pd.DataFrame,
    alias: Mapping[str, str],
    metric: str = "auto",
    last: int | None = None,
) -> Settlement:
    """Score every forecast whose target was measured.

    Parameters
    ----------
    records : sequence of Record
        A claim that was registered several times counts once, from its oldest record.
    table : DataFrame
        Ladder table with the scores.
    alias : target to run
        The run that a planned target became.
    metric : str
        ``auto``: that of the forecast.
    last : int, optional
        A score is the mean of so many last checkpoints; by default of as many as the forecast's ladder was.

    Raises
    ------
    InputError
        When no forecast has a truth, an alias names nothing, or a score cannot be told from another.
    """
    truth = truths(table)
    _check(alias, records, truth)
    settled, waiting, seen = [], 0, set()
    notes: list[Notice] = []
    peeked: dict[tuple[Code, str], list[str]] = {}
    for record in records:
        families = {(f.target, f.family) for f in record.forecasts}
        for forecast in record.forecasts:
            if (claim := claim_of(forecast)) in seen:
                continue
            seen.add(claim)
            run = alias.get(forecast.target, forecast.target)
            why = why_no_truth(forecast, run, families, truth)
            actual = measured_score(truth, run, forecast, metric, last) if why is None else why
            if isinstance(actual, float):
                before = known.in_table(record, forecast, truth.measured(run))
                if before is not None and forecast.actual is None:
                    peeked.setdefault(_was_known(before.run, before.role, run), []).append(forecast.task)
                settled.append(_settled(record, forecast, actual, before.role if before else None))
                wanted = last or _smoothed(record, forecast)
                if (has := _checkpoints(truth, run, forecast, metric)) < wanted:
                    notes.append(notices.FEWER_CHECKPOINTS(run=run, has=has, wanted=wanted))
                continue
            notes += [actual] if isinstance(actual, Notice) else []
            waiting += 1
    if not settled:
        runs = ", ".join(map(str, truth.runs.index[:6]))
        more = f"; {notes[0]}" if notes else ""
        raise InputError(
            f"no registered target has a score in this table (its runs: {runs}, …){more}; name it with --as"
            if records
            else "the register is empty: benchcast register puts forecasts in"
        )
    notes += [
        code(who=who, count=len(tasks), tasks=listed(dict.fromkeys(tasks))) for (code, who), tasks in peeked.items()
    ]
    silent = {record.hash[:12] for record in records if record.seen is None}
    if unsaid := sum(s.record in silent and not s.known for s in settled):
        notes.append(notices.UNKNOWN_TABLE(forecasts=unsaid))
    if all(s.known for s in settled) and not all(s.fitted for s in settled):
        notes.append(notices.PROVES_NOTHING())
    return Settlement(settled=tuple(settled), open=waiting, notes=tuple(dict.fromkeys(notes)), **_summary(settled))


def _was_known(name: str, role: str, run: str) -> tuple[Code, str]:
    """Why a score is no test of its forecast, and whose it is."""
    same = run if name == run else f"{run} has the parameters and tokens, or the scores, of {name}, which"
    return (notices.FITTED_SCORE if role == "fit" else notices.KNOWN_SCORE), same


def _check(alias: Mapping[str, str], records: Sequence[Record], truth: Truth) -> None:
    targets = {f.target for record in records for f in record.forecasts}
    for target, run in alias.items():
        if target not in targets:
            raise InputError(
                f"--as {target}={run}: no registered target is named {target!r} (there are "
                f"{', '.join(sorted(targets)[:6])}, …)"
            )
        if run not in truth.runs.index:
            raise InputError(f"--as {target}={run}: no run of the table is named {run!r}")


def why_no_truth(f: Forecast, run: str, families: set[tuple[str, str]], truth: Truth) -> Notice | Literal[""] | None:
    """Why a run is not what was forecast: in words, empty where it is not there at all, None where it is."""
    if run not in truth.runs.index:
        return ""
    row = truth.runs.loc[run]
    if (f.target, str(row["family"])) in families and row["family"] != f.family:
        return ""  # the forecast of another family for the same plan: that one was not trained
    pairs = ("params", "tokens") if f.tokens is not None and f.params is not None else ("flops",)
    for name in pairs:
        share = float(row[name]) / float(getattr(f, name))
        if abs(share - 1) > PLAN_RTOL:
            return notices.OTHER_PLAN(run=run, share=share, quantity=name, target=f.target)
    return None


def measured_score(truth: Truth, run: str, f: Forecast, metric: str, last: int | None) -> float | Notice | None:
    """The truth of a task; of an average, from its members. None: not measured; words: measured otherwise."""
    parts = f.members or {f.task: 1.0}
    metrics = _metrics(truth, f, metric)
    scores = [_score(truth, run, f.asked.get(task), task, metrics, last or f.last) for task in parts]
    for task, value in zip(parts, scores, strict=True):
        if isinstance(value, Notice):
            return value
        if value is not None and (otherwise := _measured_otherwise(truth, run, f, task, metrics)):
            return otherwise
    values = [w * value for w, value in zip(parts.values(), scores, strict=True) if isinstance(value, float)]
    return sum(values) if len(values) == len(scores) else None


def _metrics(truth: Truth, f: Forecast, metric: str) -> tuple[str, ...]:
    """The metrics whose scores a forecast's may be; a score that is not an accuracy says its metric in its name."""
    wanted = (f.metric or metric) if metric == "auto" else metric
    accuracies = (wanted,) if wanted in ACCURACIES else ACCURACIES
    return (*accuracies, *(name for name in truth.metrics if name not in ACCURACIES))


def _smoothed(record: Record, f: Forecast) -> int:
    """Over how many checkpoints most scores that were fitted are means: a ladder may have fewer than it was told."""
    checkpoints = [len(r.lengths) for r in record.seen.runs if r.role == "fit" and r.lengths] if record.seen else []
    return min(f.last, int(np.median(checkpoints))) if checkpoints else f.last


def _checkpoints(truth: Truth, run: str, f: Forecast, metric: str) -> int:
    """How many checkpoints of a run have a score: the fewest of a forecast's tasks."""
    metrics = _metrics(truth, f, metric)
    names = [name for task in f.members or (f.task,) for name in (f.asked.get(task), task) if name is not None]
    tasks = [(name, each) for name in names for each in metrics]
    counts = [len(truth.scores[run, name, each]) for name, each in tasks if (run, name, each) in truth.scores]
    return min(counts, default=0)


def _measured_otherwise(truth: Truth, run: str, f: Forecast, task: str, metrics: Sequence[str]) -> Notice | None:
    """Why a score is not of the documents that were forecast: only some of them, or another version of the task."""
    keys = [(run, name, each) for name in (f.asked.get(task), task) for each in metrics if name is not None]
    documents, version = next((truth.asked[key] for key in keys if key in truth.asked), (float("nan"), ""))
    whole, wanted = f.documents.get(task), f.versions.get(task, "")
    if whole is not None and documents < LEAST_SHARE_OF_DOCUMENTS * whole:
        return notices.PART_OF_DOCUMENTS(run, task=task, documents=documents, whole=whole)
    if wanted and version and version not in wanted.split(", "):
        return notices.OTHER_VERSION(run, task=task, version=version, wanted=wanted)
    return None


def _score(
    truth: Truth, run: str, full: str | None, task: str, metrics: Sequence[str], last: int
) -> float | Notice | None:
    """The score of the task as it was asked (``full``), or of its label where that is not known on both sides."""
    for each in metrics:
        if full is not None and (run, full, each) in truth.scores:
            return float(np.mean(truth.scores[run, full, each][-last:]))
    otherwise: list[str] = []
    for each in metrics:
        key = (run, task, each)
        if key not in truth.scores:
            continue
        if full is not None and key in truth.stated:
            otherwise += truth.stated[key]
            continue
        if truth.ways.get(key, 1) > 1:
            raise InputError(
                f"{run}: {task} was measured in {truth.ways[key]} ways (shots, prompts); keep the one that was forecast"
            )
        return float(np.mean(truth.scores[key][-last:]))
    if otherwise:
        has = ", ".join(dict.fromkeys(otherwise))
        return notices.OTHER_QUESTION(run, task=str(full), has=has)
    return None


def _settled(record: Record, f: Forecast, actual: float, before: str | None) -> SettledForecast:
    """A forecast beside its truth; ``before`` is the role that the run had in the record's table, if it was there."""
    value = f.forecast if f.forecast is not None else f.baselines.carry_forward
    scores: dict[str, Any] = dict.fromkeys(("inside", "interval_score", "log_score", "crps"))
    if f.forecast is not None and f.low is not None and f.high is not None:
        center, scale = _logit_normal(f)
        scores = {
            "inside": bool(f.low <= actual <= f.high),
            "interval_score": float(interval_score(f.low, f.high, actual, f.level)),
            "log_score": float(log_score_logit_normal(center, scale, actual)),
            "crps": float(crps_logit_normal(center, scale, actual)[0]),
        }
    return SettledForecast(
        record=record.hash[:12],
        time=record.time,
        recipe=f.recipe,
        family=f.family,
        task=f.task,
        target=f.target,
        grade=f.grade,
        forecast=f.forecast,
        low=f.low,
        high=f.high,
        level=f.level,
        actual=actual,
        error=float("nan") if value is None else value - actual,
        fitted=before == "fit",
        known=f.actual is not None or before is not None,
        **scores,
    )


def _logit_normal(f: Forecast) -> tuple[float, float]:
    """The forecast as a distribution: its centre, and the scale that its interval implies."""
    ends = logit([_known(f.low), _known(f.high)])
    return float(logit(_known(f.forecast))), max(float(ends[1] - ends[0]) / (2 * norm.ppf(0.5 + f.level / 2)), 1e-4)


def _summary(settled: Sequence[SettledForecast]) -> dict[str, Any]:
    before = sum(s.known for s in settled)
    settled = [s for s in settled if not s.known] or [s for s in settled if not s.fitted]
    error = np.array([s.error for s in settled], dtype=float)
    stated = [s for s in settled if s.inside is not None]
    z = np.array([_standardised(s) for s in stated])
    held = [(level, float(np.mean(z <= norm.ppf(0.5 + level / 2)))) for level in CALIBRATION_LEVELS] if len(z) else []
    return {
        "refused": len(settled) - len(stated),
        "known": before,
        "mean_error": float(np.nanmean(np.abs(error))) if np.isfinite(error).any() else None,
        "coverage": float(np.mean([bool(s.inside) for s in stated])) if stated else None,
        "interval_score": float(np.mean([s.interval_score or 0.0 for s in stated])) if stated else None,
        "calibration": tuple(held),
    }


def _standardised(s: SettledForecast) -> float:
    """The miss in units of the stated scale, on the side it fell."""
    center, actual = float(logit(_known(s.forecast))), float(logit(s.actual))
    end = float(logit(_known(s.high if actual > center else s.low)))
    half = abs(end - center) / float(norm.ppf(0.5 + s.level / 2))
    return abs(actual - center) / max(half, 1e-6)


def _known(value: float | None) -> float:
    """A number that is there: only forecasts with an interval come here."""
    assert value is not None
    return value
