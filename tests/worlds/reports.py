"""A result as a run would leave it: tasks × recipes × targets with figures, made from known curves."""

from __future__ import annotations

import math
import random
from typing import Any

from benchcast.reports.records.forecast import Result

RUNS = (
    [(190e6, m) for m in (20, 40, 100)]
    + [(370e6, m) for m in (20, 40, 100)]
    + [(760e6, m) for m in (20, 40, 100)]
    + [(1.3e9, m) for m in (20, 40, 100)]
)
TARGETS = {"7B-4T": (6.9e9, 3.95e12, 0.4), "13B-5T": (13.2e9, 5.0e12, 0.0)}
SIZES = {190e6: "190M", 370e6: "370M", 760e6: "760M", 1.3e9: "1.3B"}
FORMULAS = {
    "llama3": [("nll_linear", "L = a + b log_10 C"), ("sigmoid", '"Acc" = c + (d - c) / (1 + e^(k (L - L_0)))')],
    "overtraining": [
        ("loss_surface", "L(C, M) = E + (a M^eta + b M^(-eta)) C^(-eta)"),
        ("error_exponential", '"Err"(L) = epsilon - k e^(-gamma L)'),
    ],
    "ladder": [
        ("surface", "L(N, D) = E + A / N^alpha + B / D^beta"),
        ("sigmoid4", '"Acc"(L) = a / (1 + e^(-k (L - L_0))) + b'),
    ],
}
SOURCES = {
    "llama3": "Llama 3, arXiv 2407.21783, §3.2.1",
    "overtraining": "Gadre et al., arXiv 2403.08540",
    "ladder": "Bhagia et al., arXiv 2412.04403",
}


def _nll(flops: float, shift: float) -> float:
    return 1.9 + shift - 0.055 * math.log10(flops)


def _acc(nll: float, shift: float) -> float:
    return 0.25 + 0.6 / (1 + math.exp((16 + 90 * shift) * (nll - 0.7 - 0.2 * shift)))


def _point(x: float, y: float, run: str, role: str, group: str) -> dict[str, Any]:
    return {"x": x, "y": y, "run": run, "role": role, "group": group}


def _curve(label: str, xs: list[float], ys: list[float], dark: float, light: float) -> dict[str, Any]:
    n = len(xs) - 1
    grow = [1 + 2.5 * (i / n) ** 2 for i in range(n + 1)]
    spread = lambda w, s: [y + s * w * g for y, g in zip(ys, grow, strict=True)]  # noqa: E731
    return {
        "label": label,
        "x": xs,
        "y": ys,
        "curve_low": spread(dark, -1),
        "curve_high": spread(dark, 1),
        "low": spread(light, -1),
        "high": spread(light, 1),
    }


def _panels(recipe: str, shift: float, noise: random.Random) -> list[dict[str, Any]]:
    flops_points, loss_points, composed = [], [], []
    for params, multiple in RUNS:
        run, group = f"{SIZES[params]}-{multiple}x", SIZES[params]
        for step in (0.3, 0.5, 0.7, 1.0):
            flops = 6 * params**2 * multiple * step
            nll = _nll(flops, shift) + noise.gauss(0, 0.004)
            acc = _acc(nll, shift) + noise.gauss(0, 0.008)
            role = "fit" if step == 1.0 else "intermediate"
            if step == 1.0:
                unused = recipe == "llama3" and multiple == 100
                flops_points.append(_point(flops, nll, run, "unused" if unused else "fit", group))
                composed.append(_point(flops, acc, run, "unused" if unused else "fit", group))
            loss_points.append(_point(nll, acc, run, role, group))
    for name, (params, tokens, _) in TARGETS.items():
        flops = 6 * params * tokens
        nll = _nll(flops, shift) - 0.006
        flops_points.append(_point(flops, nll, name, "held out", "target"))
        loss_points.append(_point(nll, _acc(nll, shift) + 0.01, name, "held out", "target"))
        composed.append(_point(flops, _acc(nll, shift) + 0.01, name, "held out", "target"))
    grid = [10 ** (18.4 + i * (23.9 - 18.4) / 40) for i in range(41)]
    losses = [_nll(c, shift) for c in grid]
    if recipe == "overtraining":
        c_curves = [
            _curve(f"M = {m}", grid, [v + 0.01 * k for v in losses], 0.006, 0.012) for k, m in enumerate((20, 100))
        ]
    else:
        c_curves = [_curve("linear in log C", grid, losses, 0.006, 0.014)]
    span = sorted(losses)
    step_two = {
        "x_label": "gold-answer NLL (nats/byte)",
        "y_label": "accuracy",
        "x_log": False,
        "y_is_accuracy": True,
        "x_quantity": "middle",
        "y_quantity": "accuracy",
        "points": loss_points,
        "curves": [_curve("sigmoid", span[::-1], [_acc(v, shift) for v in span[::-1]], 0.01, 0.03)],
    }
    if recipe == "overtraining":
        step_two = _as_error(step_two)
    return [
        {
            "x_label": "training FLOPs (6ND)",
            "y_label": "gold-answer NLL (nats/byte)",
            "x_log": True,
            "y_is_accuracy": False,
            "x_quantity": "flops",
            "y_quantity": "middle",
            "points": flops_points,
            "curves": c_curves,
        },
        step_two,
        {
            "x_label": "training FLOPs (6ND)",
            "y_label": "accuracy",
            "x_log": True,
            "y_is_accuracy": True,
            "x_quantity": "flops",
            "y_quantity": "accuracy",
            "points": composed,
            "curves": [_curve("composed", grid, [_acc(v, shift) for v in losses], 0.014, 0.03)],
        },
    ][: 2 if recipe == "overtraining" else 3]


def _as_error(panel: dict[str, Any]) -> dict[str, Any]:
    """Top-1 error in place of accuracy."""
    flip = lambda values: [1 - v for v in values]  # noqa: E731
    curves = [
        {
            "label": "exponential",
            "x": c["x"],
            "y": flip(c["y"]),
            "low": flip(c["high"]),
            "high": flip(c["low"]),
            "curve_low": flip(c["curve_high"]),
            "curve_high": flip(c["curve_low"]),
        }
        for c in panel["curves"]
    ]
    points = [p | {"y": 1 - p["y"]} for p in panel["points"]]
    return panel | {
        "y_label": "top-1 error",
        "y_is_accuracy": False,
        "y_quantity": "error",
        "points": points,
        "curves": curves,
    }


def _forecast(recipe: str, family: str, task: str, target: str, shift: float, noise: random.Random) -> dict[str, Any]:
    params, tokens, _ = TARGETS[target]
    flops = 6 * params * tokens
    nll = _nll(flops, shift)
    truth = _acc(nll - 0.006, shift) + 0.01
    value = truth + noise.gauss(0, 0.02)
    half = 0.03 + 0.02 * noise.random()
    notes = ["recipe change: the target was annealed on data no ladder run saw"] if target == "13B-5T" else []
    if recipe == "llama3":
        notes = [*notes, "the line is fitted on 8 compute-optimal runs; curvature test p = 0.03"]
    failed = recipe == "overtraining" and task.endswith("challenge") and target == "13B-5T"
    if failed:
        notes = [*notes, "not above chance on any ladder run: no forecast"]
    return {
        "recipe": recipe,
        "family": family,
        "task": task,
        "target": target,
        "params": params,
        "tokens": tokens,
        "flops": flops,
        "forecast": None if failed else value,
        "low": None if failed else value - half,
        "high": None if failed else value + half,
        "level": 0.9,
        "metric": "acc",
        "last": 1,
        "members": {},
        "asked": {},
        "documents": {},
        "versions": {},
        "stderr": None if failed else half / 1.78,
        "status": "failed" if failed else "warning" if notes else "ok",
        "notes": notes,
        "baselines": {"direct": truth - 0.04, "carry_forward": _acc(_nll(1.1e21, shift), shift)},
        "actual": None if target == "13B-5T" and task == "mmlu" else truth,
        "chance": 0.25,
        "grade": None,
        "reasons": [],
        "codes": [],
        "inflation": None,
        "tested_ratio": None,
        "alternatives": [],
        "middle": None if failed else nll,
        "middle_actual": nll - 0.006,
    }


def _laws(recipe: str, family: str, task: str) -> list[dict[str, Any]]:
    names = {
        "llama3": [("a", "b"), ("c", "d", "k", "L_0")],
        "overtraining": [("E", "a", "b", "eta"), ("epsilon", "k", "gamma")],
        "ladder": [("E", "A", "B", "alpha", "beta"), ("a", "k", "L_0", "b")],
    }[recipe]
    values = {
        "a": 1.9032,
        "b": -0.0551,
        "c": 0.251,
        "d": 0.934,
        "k": 16.21,
        "L_0": 0.8412,
        "E": 1.817,
        "A": 482.01,
        "B": 2085.43,
        "alpha": 0.3478,
        "beta": 0.3658,
        "eta": 0.2113,
        "epsilon": 0.857,
        "gamma": 0.7121,
    }
    return [
        {
            "recipe": recipe,
            "family": family,
            "task": task,
            "law": law,
            "formula": formula,
            "source": SOURCES[recipe],
            "x_unit": "FLOPs",
            "y_unit": "nats/byte",
            "estimates": {k: values[k] for k in keys},
            "stderrs": {k: None if k == "E" else abs(values[k]) * 0.031 for k in keys},
            "status": "bound hit" if law == "error_exponential" else "converged",
            "notes": ["k is at its upper bound"] if law == "error_exponential" else [],
            "n": 12 if i == 0 else 48,
            "residual_std": 0.0041 * (i + 1),
            "diagnostics": [{"run": f"run-{j}", "residual": 3.6 - j, "leverage": 0.09 * j} for j in range(8)],
        }
        for i, ((law, formula), keys) in enumerate(zip(FORMULAS[recipe], names, strict=True))
    ]


def _ladder(family: str) -> list[dict[str, Any]]:
    rows = [
        {
            "run": f"{SIZES[n]}-{m}x",
            "family": family,
            "params": n,
            "tokens": n * m,
            "flops": 6 * n * n * m,
            "checkpoints": 4,
            "role": "fit",
            "lengths": [],
        }
        for n, m in RUNS
    ]
    return rows + [
        {
            "run": name,
            "family": family,
            "params": n,
            "tokens": d,
            "flops": 6 * n * d,
            "checkpoints": 1,
            "role": "held out",
            "lengths": [],
        }
        for name, (n, d, _) in TARGETS.items()
    ]


def _scores(family: str, task: str, shift: float, ladder: list[dict[str, Any]]) -> dict[str, Any]:
    accuracy = [_acc(_nll(run["flops"], shift), shift) for run in ladder]
    return {
        "family": family,
        "task": task,
        "metric": "acc",
        "chance": 0.25,
        "runs": [run["run"] for run in ladder],
        "accuracy": accuracy,
    }


def provenance() -> dict[str, Any]:
    return {
        "benchcast": "0.1.0",
        "python": "3.11.7",
        "packages": {"numpy": "2.1.3", "scipy": "1.14.1", "matplotlib": "3.9.2", "typst": "0.15.2"},
        "config": {
            "data": {"kind": "csv", "path": "ladder.csv"},
            "recipes": ["llama3", "overtraining", "ladder"],
            "targets": [{"name": k, "params": v[0], "tokens": v[1]} for k, v in TARGETS.items()],
            "level": 0.9,
        },
        "config_digest": "sha256:" + "3f" * 32,
        "data": "ladder.csv",
        "data_digest": "sha256:" + "a7" * 32,
        "rows": 1440,
        "about": ["12 runs of one data mix, 190M to 1.3B parameters.", "FLOPs are 6ND; N counts embeddings."],
        "account": {"read": {}, "taken": {}, "left_out": [], "notes": []},
    }


def make_result(
    tasks: tuple[str, ...] = ("hellaswag", "arc_challenge", "mmlu"),
    targets: tuple[str, ...] = ("7B-4T", "13B-5T"),
    family: str = "dolma",
    title: str = "Ladder 190M–1.3B to 7B and 13B",
) -> dict[str, Any]:
    """``Result.model_dump(mode="json", by_alias=True)`` of a plausible run."""
    noise = random.Random(7)
    result: dict[str, Any] = {"schema": "benchcast.run/1", "title": title, "forecasts": [], "laws": [], "figures": []}
    for recipe in FORMULAS:
        for index, task in enumerate(tasks):
            shift = 0.06 * math.sin(index)
            result["forecasts"] += [_forecast(recipe, family, task, t, shift, noise) for t in targets]
            result["laws"] += _laws(recipe, family, task)
            panels = _panels(recipe, shift, noise)
            result["figures"].append({"recipe": recipe, "family": family, "task": task, "panels": panels})
    ladder = _ladder(family)
    scores = [_scores(family, task, 0.06 * math.sin(index), ladder) for index, task in enumerate(tasks)]
    more = {"backtests": [], "sweeps": [], "trials": [], "optima": [], "lacking": [], "next_run": None}
    return result | {"ladder": ladder, "scores": scores, "provenance": provenance(), "registered": None} | more


FORMS = ("direct law", "line in log C", "N and D → bits_per_byte → sigmoid to 1", "C → nll → exponential")
REFUSED = "the largest runs do not score above chance"


def make_graded(
    tasks: tuple[str, ...] = ("hellaswag", "arc_challenge", "mmlu", "piqa"), targets: tuple[str, ...] = ("7B-4T",)
) -> dict[str, Any]:
    """A result of the recipe ``auto``: the tasks in turn get grade A, B, C, and D without a number."""
    noise = random.Random(11)
    result = make_result(tasks, targets) | {"laws": [], "figures": []}
    rows = [f | {"recipe": "auto", "notes": [], "status": "ok"} for f in result["forecasts"] if f["recipe"] == "ladder"]
    for f in rows:
        f["grade"] = "ABCD"[tasks.index(f["task"]) % 4]
        f["reasons"], f["inflation"], f["tested_ratio"] = ["expected to miss by 1.5 points"], 1.9, 17.5
        said = [f["forecast"] + 0.01 * noise.gauss(0, 1) for _ in FORMS]
        f["alternatives"] = [
            {"form": form, "forecast": v, "weight": weight}
            for form, v, weight in zip(FORMS, said, (0.4, 0.3, 0.2, 0.1), strict=True)
        ]
        if f["grade"] == "C":
            f["codes"], f["status"] = ["beyond-tested"], "warning"
            f["notes"] = ["the target is farther beyond the ladder than any forecast of the backtest (beyond-tested)"]
        if f["grade"] == "D":
            f |= dict.fromkeys(("forecast", "low", "high", "stderr")) | {"status": "refused", "alternatives": []}
            f |= {"reasons": [REFUSED], "notes": [f"not forecastable from this ladder: {REFUSED}"]}
    trials = [_trials(task, noise) for task in tasks]
    tested = [_tested("", trials, *ends) for ends in ((1, 3), (3, 10), (1, None))]
    tested += [_tested(t["task"], [t], 1, None) for t in trials]
    return result | {"forecasts": rows, "trials": trials, "backtests": tested}


def _trials(task: str, noise: random.Random) -> dict[str, Any]:
    ratio = [1.0 + i * 0.45 for i in range(20)]
    actual = [0.4 + 0.01 * i for i in range(20)]
    said = [a + noise.gauss(0, 0.01) * r**0.5 for a, r in zip(actual, ratio, strict=True)]
    return {
        "recipe": "auto",
        "family": "dolma",
        "task": task,
        "run": [f"run-{i}" for i in range(20)],
        "ratio": ratio,
        "forecast": said,
        "low": [s - 0.03 for s in said],
        "high": [s + 0.03 for s in said],
        "actual": actual,
    }


def _tested(task: str, trials: list[dict[str, Any]], low: float, high: float | None) -> dict[str, Any]:
    rows = [row for t in trials for row in zip(*(t[k] for k in ("ratio", "forecast", "actual")), strict=True)]
    kept = [(f, a) for r, f, a in rows if low <= r < (high or math.inf)]
    n = len(kept)
    return {
        "recipe": "auto",
        "family": "dolma",
        "task": task,
        "ratio_low": float(low),
        "ratio_high": high,
        "n": n,
        "error": sum(abs(f - a) for f, a in kept) / n,
        "carry_error": 0.0712,
        "width": 0.06,
        "coverage": sum(abs(f - a) <= 0.03 for f, a in kept) / n,
        "interval_score": 0.08,
        "delta_score": 0.09,
    }


def as_record(result: dict[str, Any]) -> Result:
    """The record that such JSON is of."""
    return Result.model_validate(result)
