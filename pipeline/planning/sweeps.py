"""The parts of a plan that come from sweeps: isoFLOP minima, envelopes of training curves, learning rate and batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from benchcast.reports.records.account import Account
from benchcast.reports.records.plan import Answer, BudgetCurve, Growth, Hyper, HyperGroup, IsoFLOPReport
from benchcast.stages.fit.errors import FitError
from benchcast.stages.laws.surface import LossSurface, ParameterDraws
from benchcast.stages.notices import readers
from benchcast.stages.planning import hyperparams as hyper
from benchcast.stages.planning import isoflop_bias
from benchcast.stages.planning.envelope import envelope
from benchcast.stages.planning.isoflop import CURVES, IsoFLOP, isoflop, sweep_budgets

from ..core.errors import InputError
from . import table as plan_table
from .config import PlanConfig
from .estimates import PlanLaw, estimate, growth

LEAST = 3  # budgets of three or more sizes that make a table a sweep


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The analysis and its report."""

    fitted: IsoFLOP
    report: IsoFLOPReport
    per_pair: float = 6.0  # FLOPs of a parameter and a token, as the table counts them


def isoflop_report(
    config: PlanConfig, table: pd.DataFrame, surface: type[LossSurface], values: ParameterDraws, account: Account
) -> Sweep | None:
    """The isoFLOP analysis where the table is a sweep of finished runs, else None; the account says why not."""
    if "run" in table and table["run"].duplicated().any():
        account.note(readers.NO_ISOFLOP())
        return None
    per_pair = table.attrs.get("per_pair", 6.0)
    c, n, y = (table[name].to_numpy() for name in ("flops", "params", "loss"))
    settings, level = config.isoflop, config.level
    try:
        budgets = sweep_budgets(c, n, y, settings.tolerance)
    except FitError as error:
        account.note(readers.NO_ISOFLOP(error=str(error)))
        return None
    if len(budgets) < LEAST:
        account.note(readers.NO_ISOFLOP(budgets=len(budgets), least=LEAST))
        return None
    fitted = isoflop(budgets, settings.curve, settings.draws, settings.noise, seed=config.seed, level=level)
    others = {
        curve: isoflop(budgets, curve, settings.draws, settings.noise, seed=config.seed, level=level)
        for curve in CURVES
        if curve != settings.curve
    }
    bias = isoflop_bias.bias(
        budgets,
        settings.curve,
        lambda params, tokens: surface.loss_at(values, params, tokens),
        lambda flops: float(surface.optimum_at(values, flops, per_pair).params[0]),
        config.flops[0],
        per_pair,
    )
    rows = tuple(
        BudgetCurve(
            flops=b.flops,
            params=tuple(np.exp(b.log_n).tolist()),
            loss=tuple(np.exp(b.log_loss).tolist()),
            minimum=estimate(float(fitted.minima[i]), fitted.draws[i], level),
            minimum_loss=float(fitted.losses[i]),
            inside=bool(fitted.inside[i]),
        )
        for i, b in enumerate(budgets)
    )
    report = IsoFLOPReport(
        curve=settings.curve,
        noise=fitted.noise,
        budgets=rows,
        exponent=estimate(fitted.optimal_params.slope, fitted.optimal_params.slopes, level),
        prefactor=float(np.exp(fitted.optimal_params.intercept)),
        flatness={f"{s:g}": estimate(g[0], np.array(g[1:]), 1.0 - 1e-9) for s, g in fitted.growth.items()},
        findings=isoflop_bias.diagnose(fitted),
        bias=bias if np.isfinite(bias) else None,
        other_curves={k: estimate(o.optimal_params.slope, o.optimal_params.slopes, level) for k, o in others.items()},
    )
    return Sweep(fitted=fitted, report=report, per_pair=per_pair)


def isoflop_answer(made: Sweep, flops: float, level: float) -> Answer:
    """N* and D* of the power law through the minima."""
    size, sizes = float(made.fitted.optimal_params.at(flops)), made.fitted.optimal_params.draws_at(flops)
    pairs = flops / made.per_pair
    return Answer(
        method=f"isoFLOP ({made.report.curve})",
        kind="fitted",
        flops=flops,
        params=estimate(size, sizes, level),
        tokens=estimate(pairs / size, pairs / sizes, level),
        token_multiplier=estimate(pairs / size**2, pairs / sizes**2, level),
        loss=None,
        interval=f"{made.fitted.draws.shape[1]} draws of the noise and of the scatter about the power law",
        source="Chinchilla (arXiv 2203.15556), approach 2; Llama 3 (arXiv 2407.21783), section 3.2.1",
        notes=made.report.findings,
    )


def envelope_growth(table: pd.DataFrame, config: PlanConfig, account: Account) -> list[Growth]:
    """Approach 1, where the table has training curves."""
    if "run" not in table or table["run"].value_counts().gt(1).sum() < LEAST:
        return []
    run, n, c, y = (table[name].to_numpy() for name in ("run", "params", "flops", "loss"))
    try:
        fitted = envelope(run, n, c, y, level=config.level, seed=config.seed)
    except FitError as error:
        account.note(readers.NO_ENVELOPE(error=str(error)))
        return []
    source = "Chinchilla (arXiv 2203.15556), approach 1"
    return [growth("envelope", fitted.exponent, np.array(fitted.interval), 1.0 - 1e-9, source)]


def hyperparams(
    config: PlanConfig, base: Path, basis: PlanLaw, account: Account
) -> tuple[list[Hyper], list[HyperGroup]]:
    """Learning rate and batch size at every budget's optimum: fitted on a sweep where there is one, and published."""
    table = _sweep_table(config, base, account)
    hypers, groups = [], []
    fitted = None
    if table is not None:
        try:
            made = hyper.fit_surfaces(*(table[c].to_numpy() for c in ("params", "tokens", "lr", "batch_size", "loss")))
        except FitError as error:
            raise InputError(f"hyperparams: {error}") from None
        fitted = _fit_hyper(made, config)
        groups = [_group(s, table) for s in made]
    for flops in config.flops:
        best, drawn = (basis.surface.optimum_at(p, flops) for p in (basis.values, basis.draws))
        n, d = best.params, best.tokens
        if fitted is not None:
            law, laws, lost = fitted
            k = min(len(laws), len(drawn.params))
            many = [other.at(drawn.params[i], drawn.tokens[i]) for i, other in enumerate(laws[:k])]
            lr, batch = law.at(n, d)
            hypers.append(
                Hyper(
                    method="Step Law's form, fitted",
                    kind="fitted",
                    flops=flops,
                    regret=lost,
                    lr=estimate(float(lr[0]), np.array([m[0] for m in many]), config.level),
                    batch_size=estimate(float(batch[0]), np.array([m[1] for m in many]), config.level),
                    interval="resampled groups of the sweep and the plan's own N and D",
                    source="form: Step Law (arXiv 2503.04715)",
                )
            )
        for law_ in hyper.PUBLISHED_RULES.values():
            lr, batch = law_.at(n, d, np.array(flops))
            lrs, batches = law_.at(drawn.params, drawn.tokens, np.array(flops), len(drawn.params), config.seed)
            hypers.append(
                Hyper(
                    method=law_.name,
                    kind="published",
                    flops=flops,
                    regret=None,
                    lr=estimate(float(np.ravel(lr)[0]), lrs, config.level),
                    batch_size=estimate(float(np.ravel(batch)[0]), batches, config.level),
                    interval="what the printed digits leave open, and the plan's own N and D",
                    source=law_.source,
                )
            )
    return hypers, groups


def _sweep_table(config: PlanConfig, base: Path, account: Account) -> pd.DataFrame | None:
    settings = config.hyperparams
    if settings.path is None:
        return None
    needed = ("params", "tokens", "lr", "batch_size", "loss")
    table = plan_table.read_plan_table(base / settings.path, needed, (), settings.columns, settings.where, account)
    return table.assign(batch_size=table["batch_size"] * settings.sequence_length)


def _fit_hyper(
    made: list[hyper.Surface], config: PlanConfig, draws: int = 500
) -> tuple[hyper.FittedHyperparameterLaw, list[hyper.FittedHyperparameterLaw], float]:
    """The law, laws of resampled groups, and its mean regret with each size held out."""
    sizes = {(s.params, s.tokens) for s in made}
    if len({n for n, _ in sizes}) < 2 or len(made) < 5:
        raise InputError(
            f"hyperparams: {len(made)} groups of (params, tokens) with {len({n for n, _ in sizes})} size(s); "
            "the law needs five groups and two sizes"
        )
    rng = np.random.default_rng(config.seed)
    laws = [hyper.fit_law([made[i] for i in rng.integers(0, len(made), len(made))]) for _ in range(draws)]
    return hyper.fit_law(made), laws, float(np.mean(hyper.leave_one_size_out(made)))


def _group(s: hyper.Surface, table: pd.DataFrame) -> HyperGroup:
    rows = table[table["params"].eq(s.params) & table["tokens"].eq(s.tokens)]
    lr, batch = (np.exp(np.linspace(s.reach[0, i], s.reach[1, i], 41)) for i in (0, 1))
    grid = s.loss(*np.meshgrid(lr, batch))
    return HyperGroup(
        params=s.params,
        tokens=s.tokens,
        lr=float(s.optimum[0]),
        batch_size=float(s.optimum[1]),
        points=tuple(rows[["lr", "batch_size", "loss"]].itertuples(index=False, name=None)),
        grid_lr=tuple(lr.tolist()),
        grid_batch=tuple(batch.tolist()),
        grid_loss=tuple(tuple(row) for row in grid.tolist()),
    )
