"""Write a plan as PDF and JSON: the same input gives the same bytes. Reads results only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..figures import plan as plan_figures
from ..sections.content import table, told
from ..text import fonts
from ..text.wording import clean, count, level, scientific
from . import forecast as document
from . import writing

Record = Mapping[str, Any]


def write(result: Record, out: Path) -> dict[str, Path]:
    """Write ``plan.pdf`` and ``plan.json`` into ``out``; return their paths by kind."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with fonts.fonts_for(result):
        data, files = build(result)
        pdf = document.set_pages("plan.typ", data, files)
    made = {
        out / "plan.pdf": pdf,
        out / "plan.json": document.json_bytes(result),
    }
    writing.write_all(made)
    return dict(zip(("pdf", "json"), made, strict=True))


def build(result: Record) -> tuple[dict[str, Any], document.Files]:
    """The template's data, and the figures it names."""
    files: document.Files = {}
    parts = [_answers(result), _hypers(result), _costs(result)]
    _picture(files, parts[0], "growth.svg", plan_figures.growth(result), "The optimum by every method, with intervals.")
    _picture(
        files,
        parts[2],
        "contours.svg",
        plan_figures.contours(result),
        "Lines of equal loss (nats/token) of the plan's law, its efficient frontier, and the plan.",
    )
    parts.append(_growth(result))
    if result["isoflop"]:
        parts.append(_isoflop(result["isoflop"]))
        _picture(
            files,
            parts[-1],
            "isoflop.svg",
            plan_figures.isoflop(result["isoflop"]),
            "The isoFLOP sweep and the power law through its minima.",
        )
    if result["surfaces"]:
        parts.append(
            _part("Learning rate and batch size", ["The loss is flat around its optimum: judge a law by its regret."])
        )
        _picture(
            files,
            parts[-1],
            "surfaces.svg",
            plan_figures.surfaces(result["surfaces"]),
            "Loss above the surface's minimum, in percent; blue: runs within 2 % of the best; star: the optimum.",
        )
    if result["batches"]:
        parts.append(_batches(result["batches"]))
        _picture(
            files,
            parts[-1],
            "batches.svg",
            plan_figures.overlays(result["batches"]["curves"]),
            "Measured loss (dots) and the law (lines) at every batch size, a panel per model size.",
        )
    if result["schedules"]:
        parts.append(_schedules(result["schedules"]))
        _picture(
            files,
            parts[-1],
            "schedules.svg",
            plan_figures.overlays(result["schedules"]["curves"]),
            "Measured loss (dots) and the annealing law (lines).",
        )
    if any(s["params"] for s in result["specifications"]):
        parts.append(_part("Specification curve", [_spec_sentence(result)]))
        _picture(
            files,
            parts[-1],
            "specs.svg",
            plan_figures.specifications(result),
            f"N* at {scientific(result['answers'][0]['flops'])} FLOPs under every choice (green: isoFLOP); band: the "
            "plan's interval.",
        )
    if result["fit"]:
        parts.append(_fit(result["fit"]))
    return {
        "title": clean(result["title"], 160),
        "summary": _summary(result),
        "parts": parts,
        "command": _command(result),
        "facts": _facts(result),
        "config": yaml.safe_dump(result["provenance"]["config"], sort_keys=False, allow_unicode=True),
    }, files


def _command(result: Record) -> str:
    """The command that repeats the plan; a table is named by its file, wherever it lies."""
    p = result["provenance"]
    return "benchcast plan plan.yaml" + (f" --data {clean(p['data'], 80)}" if p["rows"] else "")


def _part(heading: str, text: list[str], rows: Any = None) -> dict[str, Any]:
    return {"heading": heading, "text": text, "table": rows, "figure": None}


def _picture(files: document.Files, part: dict[str, Any], file: str, svg: bytes, caption: str) -> None:
    files[file] = svg
    part["figure"] = {"file": file, "alt": caption, "caption": caption}


def _number(value: float) -> str:
    return f"{value:.3g}"


def _loss(value: float) -> str:
    return f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %"


def within(e: Record | None, show: Callable[[float], str] = _number) -> str:
    """A value with its interval, as the tables show it."""
    if e is None or e["value"] is None:
        return "–"
    if e["low"] is None or e["high"] is None:
        return f"{show(e['value'])} (no interval)"
    return f"{show(e['value'])} ({show(e['low'])}–{show(e['high'])})"


def _summary(result: Record) -> str:
    a = result["answers"][0]
    loss = f" and expect a loss of {within(a['loss'], _loss)} nats/token" if a["loss"] else ""
    return (
        f"With {scientific(a['flops'])} FLOPs train {within(a['params'], count)} parameters "
        f"on {within(a['tokens'], count)} "
        f"tokens{loss} ({clean(a['method'], 40)}; {level(result['level'])} interval: {a['interval']})."
    )


def _answers(result: Record) -> dict[str, Any]:
    columns = [
        ("FLOPs", "l", 0.8),
        ("Method", "l", 1.5),
        ("Parameters", "r", 1.7),
        ("Tokens", "r", 1.7),
        ("Tokens/param", "r", 1.3),
        ("Loss", "r", 1.6),
    ]
    rows: list[list[Any]] = []
    rules: list[int] = []
    last = None
    for a in result["answers"]:
        if last not in (None, a["flops"]):
            rules.append(len(rows))
        rows.append(
            [
                scientific(a["flops"]) if a["flops"] != last else "",
                clean(a["method"], 30),
                within(a["params"], count),
                within(a["tokens"], count),
                within(a["token_multiplier"]),
                within(a["loss"], _loss),
            ]
        )
        last = a["flops"]
    notes = list(dict.fromkeys(clean(f"{a['method']}: {n}", 300) for a in result["answers"] for n in a["notes"]))
    text = [
        "The first row of each budget is the plan; the others are what other methods and published laws say. "
        "Intervals of published laws are what their printed digits leave open, unless a covariance is known."
    ]
    return _part("", [*text, *notes], table(columns, rows, rules))


def _hypers(result: Record) -> dict[str, Any]:
    columns = [
        ("FLOPs", "l", 0.8),
        ("Law", "l", 1.5),
        ("Batch size, tokens", "r", 1.7),
        ("Peak learning rate", "r", 2.0),
        ("Regret, sizes held out", "r", 1.2),
    ]
    rows = [
        [
            scientific(h["flops"]),
            clean(h["method"], 30),
            within(h["batch_size"], count),
            within(h["lr"]),
            "–" if h["regret"] is None else _percent(h["regret"]),
        ]
        for h in result["hyperparams"]
    ]
    return _part("Batch size and learning rate", [], table(columns, rows))


def _costs(result: Record) -> dict[str, Any]:
    columns = [
        ("FLOPs", "l", 0.7),
        ("Model size", "l", 1.4),
        ("Parameters", "r", 2.6),
        ("Tokens", "r", 0.7),
        ("Extra loss", "r", 1.5),
        ("Compute wasted", "r", 1.5),
    ]
    rows: list[list[Any]] = []
    rules: list[int] = []
    for flops in dict.fromkeys(n["flops"] for n in result["near_optimal"]):
        rules += [len(rows)] if rows else []
        for n in (n for n in result["near_optimal"] if n["flops"] == flops):
            rows.append(
                [
                    scientific(flops),
                    f"within {100 * n['share']:g} % of the least loss",
                    f"{within(n['low'], count)} to {within(n['high'], count)}",
                    "",
                    "",
                    "",
                ]
            )
        for d in (d for d in result["deviations"] if d["flops"] == flops):
            rows.append(
                [
                    scientific(flops),
                    f"{d['factor']:g} times the optimum",
                    count(d["params"]),
                    count(d["tokens"]),
                    within(d["extra_loss"], _loss),
                    within(d["waste"], _percent),
                ]
            )
    text = ["At equal compute. Compute wasted: what a better split would have saved for the same loss."]
    return _part("How far from the optimum is still good", text, table(columns, rows, rules))


def _growth(result: Record) -> dict[str, Any]:
    columns = [
        ("Method", "l", 1.5),
        ("N* grows as C to the", "r", 1.5),
        ("D* as C to the", "r", 1.5),
        ("10x compute: N x", "r", 1.3),
        ("D x", "r", 1.3),
    ]
    rows = [
        [
            clean(g["method"], 34),
            *(within(g[k]) for k in ("params_exponent", "tokens_exponent", "params_10x", "tokens_10x")),
        ]
        for g in result["growth"]
    ]
    return _part("What ten times the compute buys", [], table(columns, rows))


def _isoflop(report: Record) -> dict[str, Any]:
    others = "; ".join(f"{k} {within(v)}" for k, v in report["other_curves"].items())
    flat = "; ".join(f"within {100 * float(k):g} %: C to the {within(v)}" for k, v in report["flatness"].items())
    text = [
        f"Exponent of N* by {report['curve']}: {within(report['exponent'])}; by other curves: {others}.",
        f"Growth of the width of the near-optimal range (log N): {flat}.",
    ]
    if report["bias"] is not None:
        text.append(
            f"On noise-free losses of the fitted law the same analysis misses N* by "
            f"{100 * report['bias']:+.1f} % at the "
            "first budget."
        )
    text += [f"Finding: {clean(f, 300)}." for f in report["findings"]] or ["The sweep shows none of the known biases."]
    return _part("IsoFLOP analysis", text)


def _batches(b: Record) -> dict[str, Any]:
    columns = [("Batch size, tokens", "r", 1.0), ("Steps", "r", 1.0), ("Tokens", "r", 1.0)]
    rows = [[count(r["batch_size"]), f"{r['steps']:.3g}", count(r["tokens"])] for r in b["reaches"]]
    exponents = "; ".join(f"{clean(k)} {within(v)}" for k, v in b["exponents"].items())
    text = [
        f"At a loss of {b['loss']:.3f} the critical batch size is {within(b['critical_batch'], count)} tokens "
        f"({b['contours']} contours); 1/alpha_B {within(b['inverse_alpha_b'])}; {exponents}. The law L(N, S) misses "
        f"the measured losses by {100 * b['misfit']:.1f} % (standard deviation).",
        *(f"Not identified or refuted: {clean(n, 300)}." for n in b["notes"]),
        f"Time against compute, to that loss with {count(b['reaches'][0]['params'])} parameters:",
    ]
    return _part("Critical batch size and steps", text, table(columns, rows))


def _schedules(s: Record) -> dict[str, Any]:
    columns = [("Schedule", "l", 2.0), ("Role", "l", 1.0), ("Mean absolute error, nats/token", "r", 1.5)]
    rows = [[clean(c["name"], 40), c["group"], f"{c['error']:.4f}"] for c in s["curves"]]
    numbers = "; ".join(f"{clean(k)} {within(v)}" for k, v in s["estimates"].items())
    text = [
        f"{numbers}. A drop of the learning rate has done 63 % of its work after {s['memory']:.3g} steps at "
        f"the peak rate, and more slowly at smaller ones (exponent {s['gamma']:.2g})."
    ]
    return _part(
        "Loss along the learning-rate schedule", [*text, *(clean(n, 300) for n in s["notes"])], table(columns, rows)
    )


def _spec_sentence(result: Record) -> str:
    sizes = sorted(s["params"] for s in result["specifications"] if s["params"])
    a = result["answers"][0]["params"]
    return (
        f"{len(sizes)} analyses of the same runs give N* from {count(sizes[0])} to {count(sizes[-1])}; the plan's "
        f"interval is "
        f"{count(a['low'])} to {count(a['high'])}. The spread over choices is no sampling "
        "error: it stands beside the interval."
    )


def _fit(f: Record) -> dict[str, Any]:
    columns = [("Parameter", "l", 1.0), ("Estimate with interval", "r", 2.0), ("Standard error", "r", 1.0)]
    rows = [
        [clean(k), within(v), "–" if f["stderrs"][k] is None else _number(f["stderrs"][k])]
        for k, v in f["estimates"].items()
    ]
    second = f["runner_up_objective"]
    text = [
        f"{clean(f['law'])}, {clean(f['source'], 120)}; {f['n']} observations, {f['status']}. "
        f"{100 * f['agreement']:.0f} % of the searches end at this optimum (objective "
        f"{f['objective']:.6g}, scaled gradient "
        f"{f['gradient']:.1g}); " + ("no other was found." if second is None else f"the next best has {second:.6g}.")
    ]
    return _part("The fitted law", [*text, *(clean(n, 300) for n in f["notes"])], table(columns, rows))


def _facts(result: Record) -> Any:
    p = result["provenance"]
    rows = [
        ["Benchcast", p["benchcast"]],
        ["Python", p["python"]],
        ["Data", clean(p["data"], 80)],
        ["Rows", str(p["rows"])],
        ["Data digest", p["data_digest"] or "–"],
        ["Config digest", p["config_digest"]],
        ["Packages", ", ".join(f"{k} {v}" for k, v in p["packages"].items())],
    ]
    rows += [["When read" if i == 0 else "", clean(line, 300)] for i, line in enumerate(told(p.get("account") or {}))]
    return table([("", "l", 1.0), ("", "l", 5.0)], rows)
