"""A run against a policy: every rule on every task, and what follows from them."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.reports.records.comparing.gate import GateResult, RuleOutcome
from benchcast.reports.text import comparison_table
from benchcast.reports.text.numbers import count
from benchcast.stages.comparing import gate
from benchcast.stages.comparing.gate import Evidence

from ..core.errors import Fault, FaultsError
from ..core.metrics import is_share, score_label
from ..data import ingest
from ..registry import register
from ..registry.settle import PLAN_RTOL, truths
from . import registered
from .evidence import Found, Run, examine
from .policy import Policy, Rule

VERDICTS: dict[int, Literal["go", "no-go", "inconclusive"]] = {
    gate.GO: "go",
    gate.NO_GO: "no-go",
    gate.INCONCLUSIVE: "inconclusive",
}
OUTCOMES: dict[int, Literal["kept", "broken", "open"]] = {gate.KEPT: "kept", gate.BROKEN: "broken", gate.OPEN: "open"}


def judge(policy: Policy, path: Path) -> GateResult:
    """Hold a run's scores against a policy.

    Parameters
    ----------
    path : Path
        The policy's file, from whose folder its paths start.

    Raises
    ------
    InputError
        When the register or the scores cannot be read, or a name of the policy means nothing.
    """
    base = path.resolve().parent
    if not (base / policy.register_).exists():
        fix = "benchcast register CONFIG --register FILE, or a nightly pass, writes one"
        raise FaultsError([Fault(f"{path}: register", f"{policy.register_} does not exist", fix)])
    records = register.read(base / policy.register_)
    data = ingest.read_data(policy.scores, base)
    account = Account()
    account.add(data.account)
    run = Run(
        policy=policy,
        data=data,
        forecast=registered.find(records, policy, truths(data.table)),
        account=account,
    )
    pairs = _pairs(run, path)
    blocked = _blocked(run)
    found = [Found(rule=r, task=t, why=blocked) if blocked else examine(run, r, t) for r, t in pairs]
    return _result(run, path, found)


# ---- which rules, and whether any can be judged ----


def _pairs(run: Run, path: Path) -> list[tuple[Rule, str]]:
    """Every rule with every task that it is about; a task may be named before it is scored.

    Raises
    ------
    FaultsError
        For patterns that no task matches, and intervals of tasks that were not registered.
    """
    forecast, scored = run.forecast.tasks, list(_scored(run.data.table))
    pairs, faults = [], []
    for i, rule in enumerate(run.policy.rules):
        of_forecast = rule.kind in ("not_below", "inside", "on_course")
        names = forecast if of_forecast else tuple(dict.fromkeys((*forecast, *scored)))
        for pattern in rule.tasks:
            tasks = [n for n in names if fnmatch.fnmatchcase(n, pattern)]
            if not tasks and not of_forecast and not any(sign in pattern for sign in "*?["):
                tasks = [pattern]  # named, and not scored yet
            if not tasks:
                what = f"{pattern!r} is no {'registered' if of_forecast else 'registered or scored'} task"
                faults.append(Fault(f"{path}: rules[{i}].tasks", what, f"there are {', '.join(names[:8])}"))
            pairs += [(rule, task) for task in tasks]
        if rule.no_worse_than == run.policy.run:
            fix = "give another run, or RUN@STEP for an earlier checkpoint"
            faults.append(Fault(f"{path}: rules[{i}].no_worse_than", f"{rule.no_worse_than!r} is the run itself", fix))
        elif rule.no_worse_than is not None and rule.no_worse_than.partition("@")[0] not in set(run.data.table["run"]):
            what = f"{rule.no_worse_than!r} is not a run of the scores"
            faults.append(Fault(f"{path}: rules[{i}].no_worse_than", what, "give RUN or RUN@STEP"))
    if faults:
        raise FaultsError(faults)
    return list(dict.fromkeys(pairs))


def _scored(table: pd.DataFrame) -> Iterator[str]:
    pairs = table[["task", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    yield from dict.fromkeys(score_label(str(task), str(metric)) for task, metric in pairs if is_share(str(metric)))


def _blocked(run: Run) -> str:
    """Why nothing of this run can be judged; empty where it can."""
    if not run.tokens:
        return f"no score: {run.policy.run} is not a run of the scores yet"
    if run.forecast.seen:
        return run.forecast.seen
    params, planned = run.forecast.params, float(run.rows["params"].iloc[-1])
    if params is not None and abs(planned / params - 1) > PLAN_RTOL:
        return (
            f"{run.policy.run} is not what was registered: it has {count(planned)} parameters, and not {count(params)}"
        )
    if run.of_planned > 1 + PLAN_RTOL:
        return f"{run.policy.run} is beyond its planned end ({run.of_planned:.2g} times its tokens)"
    if run.policy.looks == "end" and not run.is_at_end:
        return (
            f"{run.policy.run} is at {100 * run.of_planned:.0f} % of what was planned, and the policy judges the end "
            "(looks: every judges every checkpoint)"
        )
    return ""


# ---- what follows ----


def _result(run: Run, path: Path, found: Sequence[Found]) -> GateResult:
    policy, share = run.policy, run.share
    evidence = Evidence(
        broken=np.array([float(f.evidence.broken) for f in found]),
        kept=np.array([float(f.evidence.kept) for f in found]),
    )
    rates = {"false_alarms": policy.false_alarms, "false_passes": policy.false_passes, "share": share}
    outcomes = gate.rules(evidence, **rates)
    alarm = policy.false_alarms * share / max(len(found), 1)
    rules = tuple(
        _outcome(f, OUTCOMES[int(o)], alarm, policy.false_passes * share) for f, o in zip(found, outcomes, strict=True)
    )
    ruled = {f.task for f in found}
    record = run.forecast.record
    result = GateResult(
        verdict=VERDICTS[int(gate.verdict(outcomes))],
        answer="",
        policy=path.name,
        target=policy.target,
        run=policy.run,
        tokens=run.tokens[-1] if run.tokens else None,
        planned_tokens=run.forecast.tokens,
        record=record.hash,
        registered=record.time,
        recipe=run.forecast.recipe,
        family=run.forecast.family,
        looks=policy.looks,
        share=share,
        false_alarms=policy.false_alarms,
        false_passes=policy.false_passes,
        rules=rules,
        without_rule=tuple(t for t in run.forecast.tasks if t not in ruled),
        account=run.account.record(),
    )
    return result.model_copy(update={"answer": comparison_table.gate_answer(result)})


def _outcome(f: Found, outcome: Literal["kept", "broken", "open"], alarm: float, passing: float) -> RuleOutcome:
    edges: dict[str, Any] = {}
    if f.interval is not None:
        low, high = gate.tolerated(f.interval, alarm / 2 if f.rule.kind == "inside" else alarm)
        edges = {
            "low": f.interval.low,
            "high": f.interval.high,
            "forecast": f.interval.forecast,
            "level": f.interval.level,
            "tolerated_low": float(low),
            "tolerated_high": float(high),
        }
    other, by = f.rule.no_worse_than or "", f.rule.by
    made = RuleOutcome(
        task=f.task,
        kind=f.rule.kind,
        asked=comparison_table.asked(f.rule.kind, edges.get("low"), edges.get("high"), f.rule.at_least, other, by),
        outcome=outcome,
        metric=f.score.metric,
        value=f.score.value,
        documents=f.score.documents,
        least=f.least,
        p_broken=float(f.evidence.broken),
        p_kept=float(f.evidence.kept),
        why="",
        documents_needed=_needed(f, passing) if outcome == "open" else None,
        **edges,
    )
    return made.model_copy(update={"why": f.why or f.score.why or comparison_table.reason(made)})


def _needed(f: Found, rate: float) -> float | None:
    """The documents that would decide, where more of them would."""
    edges = [f.least] if f.rule.kind == "at_least" else []
    if f.interval is not None and f.rule.kind in ("not_below", "inside"):
        edges = [f.interval.low, *([f.interval.high] if f.rule.kind == "inside" else [])]
    if f.score.value is None or f.score.documents is None or not edges:
        return None
    inside = [f.score.value - e if i == 0 else e - f.score.value for i, e in enumerate(edges) if e is not None]
    if min(inside, default=-1.0) <= 0:
        return None  # below its interval, and not surely: more documents do not make it kept
    needed = max(gate.documents_needed(f.score.value, e, rate) for e in edges if e is not None)
    return needed if math.isfinite(needed) and needed > f.score.documents else None
