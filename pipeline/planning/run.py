"""Run a plan: the law fitted on the user's runs (or a published one), its optimum, and everything that stands
beside it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.reports.records.base import Provenance
from benchcast.reports.records.plan import (
    Answer,
    Contours,
    Deviation,
    FitReport,
    Growth,
    NearOptimal,
    PlanResult,
    Spec,
)
from benchcast.stages.fit.estimate import FitStatus
from benchcast.stages.fit.newton import Array
from benchcast.stages.laws.loss.chinchilla import ChinchillaLoss
from benchcast.stages.laws.loss.deepseek import DeepSeekLoss
from benchcast.stages.laws.loss.kaplan import KaplanLoss
from benchcast.stages.laws.loss.overtraining import OvertrainedLoss
from benchcast.stages.laws.surface import LossSurface, ParameterDraws
from benchcast.stages.notices import planning as notices
from benchcast.stages.planning import allocation, published
from benchcast.stages.planning.specification import specifications

from ..core.config import given
from ..core.digest import file_digest, object_digest, table_digest
from ..core.errors import InputError
from ..core.versions import installed_version, package_versions
from . import runs as plan_runs
from . import sweeps as plan_sweeps
from . import training_curves as plan_curves
from .config import PlanConfig
from .estimates import PlanLaw, estimate, growth

LAWS: dict[str, type[LossSurface]] = {  # by the config's names
    "chinchilla": ChinchillaLoss,
    "kaplan": KaplanLoss,
    "overtraining": OvertrainedLoss,
    "deepseek": DeepSeekLoss,
}
FACTORS = (0.25, 0.5, 2.0, 4.0)
SHARES = (0.001, 0.005)
COSTED = 200  # draws for what a deviation costs: each is a root to find


def run(
    config: PlanConfig | Mapping[str, Any] | str | Path, base: Path | None = None, data: Path | None = None
) -> PlanResult:
    """Everything ``benchcast plan`` does but writing files.

    Parameters
    ----------
    config : PlanConfig, mapping or path
        A path is read as YAML; a mapping is what the YAML would hold.
    base : Path, optional
        Folder that relative paths of the config start from; of a config that was read, its own.
    data : Path, optional
        Replaces the config's ``data.path``.

    Raises
    ------
    InputError
        For faults in the tables.
    """
    config, base = given(config, PlanConfig, base)
    # Runs that follow no law give draws beyond all numbers: estimates leave out what is not finite.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return _run(config, base, data)


def _run(config: PlanConfig, base: Path, data: Path | None) -> PlanResult:
    account = Account()
    table, label = plan_runs.read(config, base, data, account)
    basis = _published(config) if table is None else _fitted(config, table)
    sweep = None if table is None else plan_sweeps.isoflop_report(config, table, basis.surface, basis.values, account)
    answers, near, deviations = [], [], []
    for flops in config.flops:
        answers.append(_answer(basis, flops, config.level))
        if sweep is not None:
            answers.append(plan_sweeps.isoflop_answer(sweep, flops, config.level))
        answers += _literature(config, flops)
        near += _near(basis, flops, config.level)
        deviations += _deviations(basis, flops, config.level)
    hypers, surfaces = plan_sweeps.hyperparams(config, base, basis, account)
    envelope = [] if table is None else plan_sweeps.envelope_growth(table, config, account)
    return PlanResult(
        schema="benchcast.plan/1",
        title=config.title,
        level=config.level,
        answers=tuple(answers),
        hyperparams=tuple(hypers),
        near_optimal=tuple(near),
        deviations=tuple(deviations),
        growth=(*_growth(basis, config.level), *envelope, *_published_growth(config.level)),
        specifications=() if table is None else _specifications(config, table),
        fit=basis.fit,
        isoflop=None if sweep is None else sweep.report,
        contours=_contours(basis, config.flops, table),
        surfaces=tuple(surfaces),
        batches=plan_curves.batch_report(config, base, account),
        schedules=plan_curves.schedule_report(config, base, account),
        notes=basis.notes,
        provenance=_provenance(config, table, "; ".join([label, *_sweeps(config, base)]), account),
    )


def _published(config: PlanConfig) -> PlanLaw:
    law = published.PUBLISHED_LAWS[config.published]
    what = "4,000 pair resamples" if law.covariance else "what the printed digits leave open"
    return PlanLaw(
        surface=law.loss_surface(),
        values=law.values(),
        draws=law.draws(seed=config.seed),
        method=law.name,
        source=law.source,
        interval=what,
        notes=(law.note,) if law.note else (),
    )


def _fitted(config: PlanConfig, table: pd.DataFrame) -> PlanLaw:
    law = _law(config)
    if missing := set(law.columns) - {*table.columns, "token_multiplier"}:
        raise InputError(f"data: the table has no column {missing.pop()!r}, which law {config.law!r} needs")
    if len(table) <= len(law.parameters) + 1:
        raise InputError(f"data: {len(table)} runs cannot fit the {len(law.parameters)} parameters of {config.law!r}")
    plan_runs.check_spread(table)
    rows = table.assign(token_multiplier=table["tokens"] / table["params"])
    X, y = rows[list(law.columns)].to_numpy(), rows["loss"].to_numpy()
    # Checkpoints of one run are not independent: draw whole runs then.
    groups = rows["run"].to_numpy() if "run" in rows and rows["run"].duplicated().any() else None
    law.fit(X, y, groups=groups)
    sample = law.resample(X, y, config.resamples, "pairs" if groups is None else "runs", groups, config.seed)
    draws = law.natural(sample.theta)
    values = {name: np.array([value]) for name, value in law.estimates_.items()}
    spread = {k: float(np.std(v)) for k, v in draws.items()}
    report = FitReport(
        law=type(law).__name__,
        formula=law.formula,
        source=law.source,
        estimates={k: estimate(float(v[0]), draws[k], config.level) for k, v in values.items()},
        stderrs={k: v if np.isfinite(v) else None for k, v in spread.items()},
        objective=law.cost_,
        gradient=law.gradient_,
        agreement=law.agreement_,
        runner_up_objective=None if law.runner_up_ is None else law.runner_up_cost_,
        status=law.status_.value,
        n=law.n_points_,
        resamples_at_optimum=float(np.mean(sample.at_optimum)),
        notes=law.notes_,
    )
    (surface, values_6nd), (_, draws_6nd) = (law.in_6nd(p) for p in (values, draws))  # all that follows is in C = 6 N D
    how = f"{config.resamples} resamples of {'runs' if groups is None else 'whole training runs'}"
    reach = max(config.flops) / table["flops"].max()
    notes = []
    if reach > 1:
        notes = [notices.FAR_PLAN(largest=float(table["flops"].max()), reach=float(reach))]
    notes += plan_runs.diverged(table, law.predict(X))
    if law.status_ == FitStatus.ABNORMAL:
        notes.insert(0, notices.NOT_CONVERGED())
    remarks = (*notes, *law.notes_)
    return PlanLaw(
        surface=surface,
        values=values_6nd,
        draws=draws_6nd,
        method=type(law).__name__,
        source=law.source,
        interval=how,
        fit=report,
        notes=remarks,
    )


def _law(config: PlanConfig) -> LossSurface:
    kind = LAWS[config.law]
    return kind(huber=config.huber) if "huber" in kind().get_params() else kind()


def _answer(basis: PlanLaw, flops: float, level: float) -> Answer:
    best, drawn = (basis.surface.optimum_at(p, flops) for p in (basis.values, basis.draws))
    return Answer(
        method=basis.method,
        kind="published" if basis.fit is None else "fitted",
        flops=flops,
        params=estimate(float(best.params[0]), drawn.params, level),
        tokens=estimate(float(best.tokens[0]), drawn.tokens, level),
        token_multiplier=estimate(float(best.tokens[0] / best.params[0]), drawn.tokens / drawn.params, level),
        loss=estimate(float(best.loss[0]), drawn.loss, level),
        interval=basis.interval,
        source=basis.source,
        notes=basis.notes,
    )


def _literature(config: PlanConfig, flops: float) -> list[Answer]:
    """The other published laws at the same budget."""
    rows = []
    for law in published.PUBLISHED_LAWS.values():
        if config.data is None and law.name == config.published:
            continue
        if not law.has_loss:
            (size, tokens), (sizes, many) = (published.power_split(p, flops) for p in (law.values(), law.draws()))
            loss = None
        else:
            best, drawn = (law.loss_surface().optimum_at(p, flops) for p in (law.values(), law.draws()))
            size, tokens, sizes, many = best.params, best.tokens, drawn.params, drawn.tokens
            loss = estimate(float(best.loss[0]), drawn.loss, config.level)
        rows.append(
            Answer(
                method=law.name,
                kind="published",
                flops=flops,
                params=estimate(float(size[0]), sizes, config.level),
                tokens=estimate(float(tokens[0]), many, config.level),
                token_multiplier=estimate(float(tokens[0] / size[0]), many / sizes, config.level),
                loss=loss,
                interval="4,000 pair resamples" if law.covariance else "what the printed digits leave open",
                source=law.source,
                notes=(law.note,) if law.note else (),
            )
        )
    return rows


def _near(basis: PlanLaw, flops: float, level: float) -> list[NearOptimal]:
    ranges = []
    for share in SHARES:
        (low, high), (lows, highs) = (
            allocation.near_optimal(basis.surface, p, flops, share) for p in (basis.values, basis.draws)
        )
        ends = (estimate(float(low[0]), lows, level), estimate(float(high[0]), highs, level))
        ranges.append(NearOptimal(flops=flops, share=share, low=ends[0], high=ends[1]))
    return ranges


def _deviations(basis: PlanLaw, flops: float, level: float) -> list[Deviation]:
    factors = np.array(FACTORS)
    some = {name: np.asarray(v)[:COSTED] for name, v in basis.draws.items()}
    (extra, waste), (extras, wastes) = (
        allocation.deviation(basis.surface, p, flops, factors) for p in (basis.values, some)
    )
    size = float(basis.surface.optimum_at(basis.values, flops).params[0])
    return [
        Deviation(
            flops=flops,
            factor=float(f),
            params=size * float(f),
            tokens=flops / 6 / (size * float(f)),
            extra_loss=estimate(float(extra[0, i]), extras[:, i], level),
            waste=estimate(float(waste[0, i]), wastes[:, i], level),
        )
        for i, f in enumerate(factors)
    ]


def _growth(basis: PlanLaw, level: float) -> list[Growth]:
    """Exponents of the law's own optimum, from its closed form at two budgets."""

    def exponent(p: ParameterDraws) -> Array:
        low, high = (basis.surface.optimum_at(p, c).params for c in (1e21, 1e22))
        return np.asarray(np.log10(high / low))

    return [growth(basis.method, float(exponent(basis.values)[0]), exponent(basis.draws), level, basis.source)]


def _published_growth(level: float) -> list[Growth]:
    """What the papers' printed exponents say of ten times the compute; intervals are the rounding of the digits."""
    rng = np.random.default_rng(0)
    return [
        growth(name, float(text), float(text) + published.rounding(text) * rng.uniform(-1, 1, 500), level, source)
        for name, text, source in published.EXPONENTS
    ]


def _specifications(config: PlanConfig, table: pd.DataFrame) -> tuple[Spec, ...]:
    flops = table["flops"].to_numpy() if table.attrs["given"] else None
    n, d, y = (table[name].to_numpy() for name in ("params", "tokens", "loss"))
    estimates = specifications(n, d, y, flops, config.flops[0], config.isoflop.tolerance)
    return tuple(
        Spec(
            method=s.method,
            choice=s.choice,
            failed=s.failed,
            params=s.params if np.isfinite(s.params) else None,
            tokens=s.tokens if np.isfinite(s.tokens) else None,
        )
        for s in estimates
    )


def _contours(basis: PlanLaw, budgets: tuple[float, ...], table: pd.DataFrame | None) -> Contours:
    """Lines of equal loss around the frontier, from the smallest run to the largest budget."""
    low = 1e18 if table is None else float(table["flops"].min())
    flops = np.geomspace(min(low, min(budgets) / 10), max(budgets) * 3, 40)
    frontier = [basis.surface.optimum_at(basis.values, float(c)) for c in flops]
    sizes, tokens = (np.array([getattr(s, name)[0] for s in frontier]) for name in ("params", "tokens"))
    grid = np.geomspace(sizes.min() / 30, sizes.max() * 30, 160)
    losses = [float(frontier[i].loss[0]) for i in range(2, 40, 5)]
    lines = [basis.surface.tokens_at(basis.values, loss, grid) for loss in losses]
    runs = [] if table is None else table[["params", "tokens", "loss"]].itertuples(index=False, name=None)
    return Contours(
        losses=tuple(losses),
        params=tuple(grid.tolist()),
        tokens=tuple(tuple(float(t) if np.isfinite(t) else None for t in line) for line in lines),
        frontier_params=tuple(sizes.tolist()),
        frontier_tokens=tuple(tokens.tolist()),
        runs=tuple((float(n), float(d), float(y)) for n, d, y in runs),
    )


def _sweeps(config: PlanConfig, base: Path) -> list[str]:
    """The tables beside the runs that a plan was made from, by name and content."""
    labels = []
    for section in ("hyperparams", "batches", "schedules"):
        settings = getattr(config, section)
        if getattr(settings, "source", "table") == "demo":
            labels.append(f"{section}: demo ladder (package data)")
        elif settings is not None and settings.path is not None:
            path = base / settings.path
            labels.append(f"{section}: {path.name}, SHA-256 {file_digest(path)[:12]}…")
    return labels


def _provenance(config: PlanConfig, table: pd.DataFrame | None, label: str, account: Account) -> Provenance:
    plain = config.model_dump(mode="json", exclude={"out"}, exclude_none=True)
    if plain.get("data"):
        plain["data"].pop("path", None)  # where the data lay is not part of what it is; its digest is
    for section in ("hyperparams", "batches", "schedules"):
        if path := (plain.get(section) or {}).get("path"):
            plain[section]["path"] = Path(path).name
    return Provenance(
        benchcast=installed_version("benchcast"),
        python=platform.python_version(),
        packages=package_versions(),
        config=plain,
        config_digest=object_digest(plain),
        data=label,
        data_digest="" if table is None else table_digest(table),
        rows=0 if table is None else len(table),
        account=account.record(),
    )
