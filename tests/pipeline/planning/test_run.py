"""``benchcast plan`` as a user meets it: answers, intervals, files, errors, and what it must not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.core.config import load
from benchcast.core.errors import InputError
from benchcast.planning import run as plan
from benchcast.planning.config import PlanConfig
from benchcast.reports.figures import plan as plan_figures
from benchcast.reports.records.plan import Estimate
from benchcast.stages.laws.loss.chinchilla import ChinchillaLoss
from benchcast.stages.planning.published import PUBLISHED_LAWS
from worlds.architectures import LLAMA_2_7B
from worlds.commands import process
from worlds.ladders import ROOT
from worlds.plans import benchcast, runs


@pytest.fixture
def config(tmp_path: Path) -> Path:
    runs().to_csv(tmp_path / "runs.csv", index=False)
    path = tmp_path / "plan.yaml"
    path.write_text("flops: [1e22, 1e23]\ndata: {path: runs.csv}\nresamples: 200\n")
    return path


def _estimates(value: object) -> list[dict[str, float]]:
    if isinstance(value, dict):
        if set(value) == set(Estimate.model_fields):
            return [value]
        return [e for v in value.values() for e in _estimates(v)]
    return [e for v in value for e in _estimates(v)] if isinstance(value, list) else []


def test_a_budget_alone_is_enough() -> None:
    done = benchcast("plan", "--flops", "3.8e25", "--json", "-")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    first = result["answers"][0]
    best = ChinchillaLoss.optimum_at(PUBLISHED_LAWS["chinchilla-refit"].values(), 3.8e25)
    assert first["params"]["value"] == pytest.approx(best.params[0])
    assert first["tokens"]["value"] == pytest.approx(best.tokens[0])
    assert first["loss"]["value"] == pytest.approx(best.loss[0])
    assert {h["method"] for h in result["hyperparams"]} == {"deepseek", "steplaw"}
    assert {a["method"] for a in result["answers"]} == set(PUBLISHED_LAWS)
    assert [n["share"] for n in result["near_optimal"]] == [0.001, 0.005]
    assert all(d["waste"]["value"] > 0 for d in result["deviations"])


def test_no_number_without_an_interval(config: Path) -> None:
    result = plan.run(load(config, PlanConfig), config.parent).model_dump(mode="json", by_alias=True)
    found = _estimates(result)
    assert len(found) > 60
    for e in found:
        assert e["low"] is not None, e
        assert e["low"] <= e["value"] <= e["high"], e


def test_the_users_runs_give_back_the_law_they_came_from(config: Path) -> None:
    result = plan.run(load(config, PlanConfig), config.parent)
    truth = ChinchillaLoss.optimum_at(PUBLISHED_LAWS["chinchilla-refit"].values(), 1e22)
    mine, sweep = result.answers[0], result.answers[1]
    assert sweep.method == "isoFLOP (akima)"
    assert mine.params.low is not None
    assert mine.params.high is not None
    assert mine.params.low < truth.params[0] < mine.params.high
    assert sweep.params.value == pytest.approx(truth.params[0], rel=0.5)  # its coverage: test_isoflop.py
    assert result.fit is not None
    assert result.fit.status == "converged"
    assert result.fit.resamples_at_optimum > 0.99
    assert result.isoflop is not None
    assert len(result.isoflop.budgets) == 6
    assert {s.method for s in result.specifications} == {"L(N, D)", "isoFLOP"}
    assert any("times the compute of the largest run" in note for note in result.notes)


@pytest.mark.parametrize("law", ["kaplan", "overtraining"])
def test_other_laws_answer_too(law: str, config: Path) -> None:
    settings = load(config, PlanConfig, {"law": law, "flops": [1e21]})
    result = plan.run(settings, config.parent)
    assert result.answers[0].params.value == pytest.approx(
        ChinchillaLoss.optimum_at(PUBLISHED_LAWS["chinchilla-refit"].values(), 1e21).params[0], rel=0.6
    )


def test_deepseeks_law_plans_in_flops_per_token(config: Path, tmp_path: Path) -> None:
    """With M = 6N it is Chinchilla's law: the same plan; without the column it says what is missing."""
    settings = load(config, PlanConfig, {"law": "deepseek", "flops": [1e22]})
    with pytest.raises(InputError, match="flops_per_token"):
        plan.run(settings, config.parent)
    runs().assign(flops_per_token=lambda t: 6 * t["params"]).to_csv(tmp_path / "runs.csv", index=False)
    mine = plan.run(settings, config.parent).answers[0]
    other = plan.run(load(config, PlanConfig, {"flops": [1e22]}), config.parent).answers[0]
    assert mine.params.value == pytest.approx(other.params.value, rel=1e-4)
    assert mine.tokens.high == pytest.approx(other.tokens.high, rel=1e-2)


def test_the_same_input_gives_the_same_bytes(config: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = process("plan", config, "--out", tmp_path / name)  # each has its own seed of hashes
        assert done.returncode == 0, done.stderr
        assert "specification curve" in done.stdout
    for file in ("plan.pdf", "plan.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    from pypdf import PdfReader

    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "a" / "plan.pdf").pages)
    for words in ("IsoFLOP analysis", "Specification curve", "How far from the optimum", "Provenance"):
        assert words in text


def test_training_curves_give_an_envelope_and_resamples_of_runs(config: Path, tmp_path: Path) -> None:
    p = PUBLISHED_LAWS["chinchilla-refit"].values()
    rows = []
    for n in np.geomspace(1e7, 1e9, 8):
        for d in n * np.geomspace(1, 300, 25):
            rows.append((f"r{n:.2g}", n, d, ChinchillaLoss.loss_at(p, np.array([n]), np.array([d]))[0]))
    pd.DataFrame(rows, columns=["run", "params", "tokens", "loss"]).to_csv(tmp_path / "runs.csv", index=False)
    result = plan.run(load(config, PlanConfig), tmp_path)
    assert "whole training runs" in result.answers[0].interval
    assert "envelope" in {g.method for g in result.growth}
    assert result.isoflop is None


def test_batches_and_a_sweep_of_learning_rates(config: Path, tmp_path: Path) -> None:
    rows = []
    for n in (1e8, 4e8, 1.6e9):
        for d in (1e10, 4e10):
            for a in np.linspace(-1.5, 1.5, 6):
                for b in np.linspace(-2, 2, 6):
                    best = 1.79 * n**-0.713 * d**0.307, 0.58 * d**0.571
                    loss = 2.5 * np.exp(0.01 * a**2 + 0.004 * b**2)
                    rows.append((n, d, best[0] * np.exp(a), best[1] * np.exp(b) / 2048, loss))
    names = ["params", "tokens", "lr", "batch_size", "loss"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "lr.csv", index=False)
    config.write_text(
        "flops: 1e21\nhyperparams: {path: lr.csv, sequence_length: 2048}\nbatches: {source: demo}\n", encoding="utf-8"
    )
    result = plan.run(load(config, PlanConfig), tmp_path)
    mine, published = result.hyperparams[0], next(h for h in result.hyperparams if h.method == "steplaw")
    assert mine.kind == "fitted"
    assert mine.lr.value == pytest.approx(published.lr.value, rel=0.1)
    assert mine.regret is not None
    assert mine.regret < 1e-3
    assert len(result.surfaces) == 6
    assert result.batches is not None
    assert any("not identified" in n for n in result.batches.notes)
    from benchcast.reports.documents import plan as plan_document

    assert plan_document.write(result, tmp_path / "o")["pdf"].stat().st_size > 1e4


def test_runs_that_follow_no_law_are_planned_with_a_warning_and_drawn(config: Path, tmp_path: Path) -> None:
    table = runs()
    table["loss"] = np.random.default_rng(0).uniform(2, 4, len(table))
    table.to_csv(tmp_path / "runs.csv", index=False)
    done = benchcast("plan", config, "--out", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    assert "did not converge" in done.stdout or "bound" in done.stdout
    assert (tmp_path / "o" / "plan.pdf").stat().st_size > 1e4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="loss"), "has no column 'loss'"),
        (lambda t: t.assign(loss=t["loss"].where(t.index != 4, -1.0)), "row 6, column loss"),
        (lambda t: t.assign(params="many"), "row 2, column params"),
        (lambda t: t.head(4), "cannot fit the 5 parameters"),
    ],
)
def test_faults_of_a_table_are_named(change, says: str, config: Path) -> None:
    change(runs()).to_csv(config.parent / "runs.csv", index=False)
    with pytest.raises(InputError, match=says):
        plan.run(load(config, PlanConfig), config.parent)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give a config, or --flops"),
        (["--flops", "lots"], "--flops: 'lots'"),
        (["--flops", "-3"], "--flops"),
        (["--flops", "1e22", "--law", "llama4"], "--law"),
        (["--flops", "1e22", "--data", "none.csv"], "none.csv: does not exist"),
        (["none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_usage_errors_are_one_clear_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = benchcast("plan", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_misspelt_key_is_named(config: Path) -> None:
    config.write_text("flops: 1e22\nhubber: 1e-3\n")
    done = benchcast("plan", config)
    assert done.returncode == 2
    assert "did you mean 'huber'" in done.stderr


def test_the_papers_are_checked_and_every_example_config_is_valid() -> None:
    done = benchcast("plan", "--published")
    assert done.returncode == 0, done.stderr
    for words in ("16.6T", "10.5T", "0.538", "0.00042", "9.4M", "70B"):
        assert words in done.stdout, words
    for name in ("plan", "isoflop", "hyperparams", "batches"):
        load(ROOT / "configs" / f"{name}.yaml", PlanConfig)


def test_flops_of_a_config_json(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_2_7B))
    done = benchcast("flops", path, "--tokens", "2e12", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["params"]["all"] == 6_738_415_616
    assert found["flops"]["6ND"] == pytest.approx(6 * 6_738_415_616 * 2e12)
    assert "6,738,415,616" in benchcast("flops", path).stdout
    path.write_text(json.dumps(LLAMA_2_7B | {"hidden_size": None}))
    done = benchcast("flops", path)
    assert done.returncode == 2
    assert "hidden_size is missing" in done.stderr


@pytest.mark.parametrize("module", ["torch", "transformers", "lm_eval", "numba"])
def test_plan_loads_nothing_heavy(module: str) -> None:
    code = (
        "import sys; sys.argv = ['benchcast', 'plan', '--flops', '1e22']\nfrom benchcast.cli.app import app\n"
        f"try: app()\nexcept SystemExit: pass\nassert {module!r} not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_figure_of_the_optimum_shows_every_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Llama 3's budget is beyond 1e24 FLOPs: its marks lie on the axes, not right of them."""
    result = plan.run({"flops": [1e23, 3.8e25]})
    drawn: list[Any] = []
    monkeypatch.setattr(plan_figures, "render", lambda canvas: drawn.append(canvas) or b"")
    plan_figures.growth(result)
    for ax, (get, _) in zip(drawn[0].axes, plan_figures.PARAMS_AND_TOKENS, strict=True):
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        assert left < 1e23 / 1.06**3
        assert right > 3.8e25 * 1.06**3
        assert all(low < (get(a).value or 0) < high for a in result.answers)
