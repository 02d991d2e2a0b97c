"""The plan's figures as SVG: isoLoss contours with the frontier, isoFLOP curves, growth, surfaces, specifications."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..records.optimum import IsoFLOPCurves
from ..records.plan import Answer, CurveOverlay, Estimate, HyperGroup, IsoFLOPReport, PlanResult, Spec
from ..text.numbers import count, scientific
from . import marks
from .canvas import WIDTH, axis_ticks, log_label, number, numbers, render, styled
from .marks import BLACK, FORECAST, GREEN, GREY, LAW

MOST_CURVES = 8  # of a group, drawn together
MINIMUM: marks.Look = {"marker": "D", "ls": "none", "mfc": "white", "mec": BLACK, "mew": 0.8, "ms": 4.2}
SHOWN = 6  # isoFLOP budgets or surfaces drawn; more only repeats
FLOPS = math.inf  # where an axis of compute may end
LEVELS = (0.001, 0.0025, 0.005, 0.01, 0.02)


def log_axis(ax: Axes, which: str, low: float, high: float, most: float = 1e24) -> None:
    """A logarithmic axis with ticks at powers of ten, or at 1, 2, 5 where there are few.

    Labelled as counts; of FLOPs, whose axis has no limit (``most`` is ``FLOPS``), as powers of ten.
    """
    # An interval may reach from nothing to the absurd: the axis stays within what can be read.
    high = min(high, most)
    low = max(low, high * 1e-12, 1e-12)
    label = log_label if most == FLOPS else _tick
    getattr(ax, f"set_{which}scale")("log")
    getattr(ax, f"set_{which}lim")(low, high)
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = [10.0**d for d in decades]
    if len([t for t in ticks if low <= t <= high]) < 3:
        ticks = [m * 10.0**d for d in decades for m in (1, 2, 5)]
    ticks = [t for t in ticks if low <= t <= high]
    step = max(1, len(ticks) // 7 + (len(ticks) % 7 > 0))
    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(FixedLocator(ticks[::step]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: label(v)))


def _tick(value: float) -> str:
    if 1 <= value < 1e3:
        return f"{value:g}"
    return count(value) if 1e3 <= value < 1e15 else log_label(value)


def _ends(e: Estimate) -> tuple[float, float, float]:
    """Low end, value and high end; NaN where one is not known."""
    return number(e.low), number(e.value), number(e.high)


def _bars(low: float, value: float, high: float) -> list[list[float]]:
    """The lengths of an error bar."""
    return [[value - low], [high - value]]


def contours(result: PlanResult) -> bytes:
    """Lines of equal loss over parameters and tokens, the efficient frontier, the runs and the plan."""
    c = result.contours
    with styled():
        canvas = Figure(figsize=(WIDTH, 3.1))
        ax = canvas.add_axes((0.075, 0.14, 0.6, 0.82))
        sizes = numbers(c.params)
        front_n, front_d = numbers(c.frontier_params), numbers(c.frontier_tokens)
        for loss, line in zip(c.losses, c.tokens, strict=True):
            tokens = numbers(line)
            ax.plot(sizes, tokens, color=GREY, lw=0.8)
            at = (
                int(np.nanargmin(np.abs(np.log(tokens) - np.log(front_d.max() * 3))))
                if np.isfinite(tokens).any()
                else 0
            )
            ax.annotate(f"{loss:.2f}", (sizes[at], tokens[at]), fontsize=6, color=GREY, ha="left", va="center")
        ax.plot(front_n, front_d, color=LAW, lw=1.8, label="efficient frontier")
        if c.runs:
            runs = np.array(c.runs)
            ax.plot(runs[:, 0], runs[:, 1], "o", ms=2.2, color=BLACK, mec="none", alpha=0.6, label="runs, measured")
        plan = [a for a in result.answers if a.method == result.answers[0].method]
        for i, a in enumerate(plan):
            n, d = _ends(a.params), _ends(a.tokens)
            ax.errorbar(
                n[1],
                d[1],
                xerr=_bars(*n),
                yerr=_bars(*d),
                fmt="D",
                ms=4.8,
                color=FORECAST,
                zorder=5,
                lw=1,
                label="plan with its interval" if i == 0 else None,
            )
        log_axis(ax, "x", front_n.min() / 4, front_n.max() * 4)
        log_axis(ax, "y", front_d.min() / 4, front_d.max() * 6)
        ax.set_xlabel("parameters N")
        ax.set_ylabel("tokens D")
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0))
        return render(canvas)


PARAMS_AND_TOKENS: tuple[tuple[Callable[[Answer], Estimate], str], ...] = (
    (lambda a: a.params, "parameters N*"),
    (lambda a: a.tokens, "tokens D*"),
)


def growth(result: PlanResult) -> bytes:
    """N*(C) and D*(C) of every method that answers, with intervals."""
    answers = result.answers
    with styled():
        canvas = Figure(figsize=(WIDTH, 2.3))
        methods = list(dict.fromkeys(a.method for a in answers))
        for place, (get, label) in enumerate(PARAMS_AND_TOKENS):
            ax = canvas.add_axes((0.08 + 0.42 * place, 0.17, 0.3, 0.78))
            for i, method in enumerate(methods):
                rows = [a for a in answers if a.method == method]
                x = np.array([a.flops for a in rows]) * 1.06 ** (i - len(methods) / 2)
                y = np.array([_ends(get(a)) for a in rows], dtype=float)
                ax.errorbar(
                    x,
                    y[:, 1],
                    yerr=[y[:, 1] - y[:, 0], y[:, 2] - y[:, 1]],
                    fmt=marks.method_mark(i)[0],
                    ms=4,
                    color=marks.method_mark(i)[1],
                    lw=0.9,
                    label=method if place else None,
                )
            flops = [a.flops for a in answers]
            every = numbers(v for a in answers for v in (get(a).low, get(a).high))
            log_axis(ax, "x", min(flops) / 1.7, max(flops) * 1.7, most=FLOPS)
            log_axis(ax, "y", np.nanmin(every) / 1.5, np.nanmax(every) * 1.5)
            ax.set_xlabel("training compute C, FLOPs")
            ax.set_ylabel(label)
        canvas.legend(loc="center left", bbox_to_anchor=(0.81, 0.5))
        return render(canvas)


def isoflop(report: IsoFLOPReport | IsoFLOPCurves) -> bytes:
    """The sweep: measured losses per budget with the minima, and the power law through them."""
    with styled():
        canvas = Figure(figsize=(WIDTH, 2.7))
        left, right = canvas.add_axes((0.075, 0.16, 0.4, 0.76)), canvas.add_axes((0.575, 0.16, 0.4, 0.76))
        budgets = report.budgets
        kept = [budgets[i] for i in np.unique(np.linspace(0, len(budgets) - 1, SHOWN).round().astype(int))]
        for i, b in enumerate(kept):
            loss = np.array(b.loss)
            near = loss < b.minimum_loss * 1.15
            left.plot(np.array(b.params)[near], loss[near], lw=0.9, **marks.law_look(i, len(kept)))
            look = marks.measured(b.flops, (other.flops for other in kept)) | {"ms": 3.2}
            left.plot(np.array(b.params)[near], loss[near], label=scientific(b.flops), **look)
            left.plot(number(b.minimum.value), b.minimum_loss, zorder=5, **MINIMUM)
        span = [v for b in kept for v in b.params]
        log_axis(left, "x", min(span) / 1.2, max(span) * 1.2)
        left.set_xlabel("parameters N")
        left.set_ylabel("loss, nats/token")
        left.set_title("a  Loss at equal compute (diamonds: minima)", loc="left")
        left.legend(title="FLOPs", title_fontsize=6, loc="upper right")
        flops = np.array([b.flops for b in budgets])
        lowest, exponent, highest = _ends(report.exponent)
        m = np.array([_ends(b.minimum) for b in budgets], dtype=float)
        right.errorbar(
            flops, m[:, 1], yerr=[m[:, 1] - m[:, 0], m[:, 2] - m[:, 1]], lw=0.9, ecolor=BLACK, zorder=5, **MINIMUM
        )
        line = report.prefactor * flops**exponent
        right.plot(flops, line, color=LAW, lw=1.2)
        log_axis(right, "x", flops.min() / 1.5, flops.max() * 1.5, most=FLOPS)
        log_axis(right, "y", m[:, 0].min() / 1.3, m[:, 2].max() * 1.3)
        right.set_title(f"b  N* ~ C^{exponent:.3f} ({lowest:.3f}–{highest:.3f})", loc="left")
        right.set_xlabel("training compute C, FLOPs")
        right.set_ylabel("parameters N*")
        return render(canvas)


def surfaces(groups: Sequence[HyperGroup]) -> bytes:
    """Loss over learning rate and batch size: contours of the fitted surface, the runs, and the optimum."""
    kept = [groups[i] for i in np.unique(np.linspace(0, len(groups) - 1, SHOWN).round().astype(int))]
    with styled():
        rows = (len(kept) + 2) // 3
        canvas = Figure(figsize=(WIDTH, 2.0 * rows + 0.2))
        for i, g in enumerate(kept):
            ax = canvas.add_subplot(rows, 3, i + 1)
            lr, batch, loss = numbers(g.grid_lr), numbers(g.grid_batch), np.array(g.grid_loss)
            over = loss / loss.min() - 1
            lines = ax.contour(lr, batch, over, levels=LEVELS, colors=GREY, linewidths=0.7)
            ax.clabel(lines, fmt={level: f"{100 * level:g}%" for level in LEVELS}, fontsize=5)
            points = np.array(g.points)
            near = points[:, 2] < points[:, 2].min() * 1.02
            ax.plot(points[near, 0], points[near, 1], "o", ms=2.2, color=BLACK, mec="none")
            ax.plot(points[~near, 0], points[~near, 1], "o", ms=1.2, color="#cccccc", mec="none")
            ax.plot(g.lr, g.batch_size, "D", ms=5, color=FORECAST, mec="white", mew=0.4)
            log_axis(ax, "x", lr.min(), lr.max())
            log_axis(ax, "y", batch.min(), batch.max())
            ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ax.set_title(f"N {count(g.params)}, D {count(g.tokens)}", loc="left")
            if i % 3 == 0:
                ax.set_ylabel("batch, tokens")
            if i >= len(kept) - 3:
                ax.set_xlabel("peak learning rate")
        canvas.subplots_adjust(0.07, 0.16 / rows + 0.02, 0.99, 1 - 0.1 / rows, wspace=0.3, hspace=0.45)
        return render(canvas)


def specifications(result: PlanResult) -> bytes:
    """Every analysis' answer, sorted, over what was chosen in it; the plan's interval as a band."""
    by_size: list[tuple[float, Spec]] = [(s.params, s) for s in result.specifications if s.params]
    by_size.sort(key=lambda pair: pair[0])
    values, specs = [params for params, _ in by_size], [s for _, s in by_size]
    choices = list(dict.fromkeys(f"{k}: {v}" for s in specs for k, v in s.choice.items()))
    choices.sort()
    with styled():
        height = 1.5 + 0.115 * len(choices)
        canvas = Figure(figsize=(WIDTH, height))
        top = canvas.add_axes((0.26, (0.3 + 0.115 * len(choices)) / height, 0.72, 1.1 / height))
        low = canvas.add_axes((0.26, 0.12 / height, 0.72, 0.115 * len(choices) / height))
        x = np.arange(len(specs))
        least, plan, most = _ends(result.answers[0].params)
        top.axhspan(least, most, color=FORECAST, alpha=0.15, lw=0)
        top.axhline(plan, color=FORECAST, lw=1)
        for marker, colour, of_sweep in (("^", GREEN, True), ("s", BLACK, False)):
            at = [i for i, s in enumerate(specs) if (s.method == "isoFLOP") is of_sweep]
            top.plot(x[at], np.array(values)[at], ls="none", marker=marker, ms=3.2, mew=0, color=colour)
        log_axis(top, "y", min(*values, least) / 1.3, max(*values, most) * 1.3)
        top.set_xlim(-1, len(specs))
        top.set_xticks([])
        top.set_ylabel("parameters N*")
        for i, s in enumerate(specs):
            on = [choices.index(f"{k}: {v}") for k, v in s.choice.items()]
            low.plot([i] * len(on), on, "s", ms=2.2, color="black", mec="none")
        low.set_yticks(range(len(choices)), choices, fontsize=6)
        low.set_xticks([])
        low.set_xlim(-1, len(specs))
        low.set_ylim(len(choices) - 0.4, -0.6)
        return render(canvas)


def overlays(curves: Sequence[CurveOverlay]) -> bytes:
    """Measured training curves and the law through them, a panel per group."""
    groups = list(dict.fromkeys(c.group for c in curves))[:3]
    with styled():
        canvas = Figure(figsize=(WIDTH, 2.5))
        for i, group in enumerate(groups):
            ax = canvas.add_subplot(1, len(groups), i + 1)
            part = [c for c in curves if c.group == group][:MOST_CURVES]
            for j, c in enumerate(part):
                ax.plot(c.step, c.loss, ".", ms=2, color=BLACK, alpha=0.35)
                ax.plot(c.step, c.law, lw=1, label=c.name, **marks.law_look(j, len(part)))
            steps, losses = numbers(v for c in part for v in c.step), numbers(v for c in part for v in c.loss)
            log_axis(ax, "x", steps.min() / 1.1, steps.max() * 1.1)
            top = np.quantile(losses, 0.97)
            axis_ticks(ax, losses.min() - 0.04 * (top - losses.min()), top, "y")
            ax.set_xlabel("step")
            if i == 0:
                ax.set_ylabel("loss, nats/token")
            ax.set_title(f"{'abc'[i]}  {group}", loc="left")
            ax.legend(fontsize=5.5)
        canvas.subplots_adjust(0.065, 0.17, 0.99, 0.9, wspace=0.2)
        return render(canvas)
