"""Reference models: apart from the ladder, in the second step only, compared where they can be, told and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.core.config import Config, load
from benchcast.core.errors import FaultsError, InputError
from benchcast.data.documents.collect import Asked
from benchcast.data.source import Data
from benchcast.forecasting.context import FittedLadders, contexts_of
from benchcast.forecasting.jobs import jobs_of
from benchcast.forecasting.recipes.auto import AutoSettings
from benchcast.forecasting.recipes.auto import fit as auto
from benchcast.forecasting.references import of_task, with_references
from benchcast.forecasting.run import run
from benchcast.reports.figures.panels import panel_figure
from benchcast.reports.records.forecast import Result
from worlds.ladders import make_ladder

SHIFT = 0.06  # bits per byte by which the other family scores as the ladder does at a larger loss
TARGET = {"name": "planned", "params": 5e9, "tokens": 1e11}


def others(shift: float = SHIFT, noise: float = 0.003, family: str = "old") -> pd.DataFrame:
    """Nine models of another family, up to losses that no run of ``make_ladder`` reaches."""
    rng = np.random.default_rng(7)
    rows = []
    for i, bits in enumerate(np.linspace(0.75, 1.75, 9)):
        loss = (bits + shift) * np.log(2)
        score = 0.25 + 0.75 / (1 + np.exp(6 * (loss - 0.95))) + rng.normal(0, noise)
        model = {
            "run": f"{family}-{i}",
            "family": family,
            "params": 1e9 * (i + 1),
            "tokens": 1e12,
            "flops": 6e21 * (i + 1),
        }
        model |= {"flops_convention": "6ND"}
        rows += [
            model | {"task": "quiz", "metric": "acc", "value": score, "n": 1000, "chance": 0.25},
            model | {"task": "quiz", "metric": "bits_per_byte", "value": bits},
            model | {"task": "text", "metric": "val_loss", "value": 3.3 * bits * np.log(2)},
        ]
    return pd.DataFrame(rows)


def both(**columns: Any) -> pd.DataFrame:
    return pd.concat([make_ladder(noise=0.003), others().assign(**columns)], ignore_index=True)


def forecast(table: pd.DataFrame, references: dict[str, Any] | None, *recipes: Any, **more: Any) -> Result:
    config = {"data": {"source": "table"}, "targets": [TARGET], "recipes": list(recipes) or ["llama3", "ladder"]} | more
    return run(config | ({"references": references} if references else {}), data=table)


def laws(result: Result, recipe: str) -> list[dict[str, float]]:
    return [law.estimates for law in result.laws if law.recipe == recipe]


@pytest.mark.parametrize("recipe", ["llama3", "ladder"])
def test_they_enter_the_second_step_and_no_other(recipe: str) -> None:
    without, result = forecast(make_ladder(noise=0.003), None), forecast(both(), {"families": ["old"]})
    (first, plain), (same, second) = laws(without, recipe), laws(result, recipe)
    assert same == first
    assert set(second) == set(plain) | {"delta[old]"}
    law = next(law for law in result.laws if law.recipe == recipe and law.law == "ReferenceSigmoid")
    unit = np.log(2) if recipe == "llama3" else 1.0  # nats, or bits, per byte
    spread = law.stderrs["delta[old]"]
    assert spread is not None
    assert abs(law.estimates["delta[old]"] - SHIFT * unit) < 4 * spread
    assert [run.family for run in result.ladder] == ["known"] * 12


def test_models_further_along_the_curve_make_it_surer() -> None:
    """The ladder alone ends far below the ceiling, the other models do not."""
    small = make_ladder(noise=0.003).query("params < 1e8")
    settings = {"name": "llama3", "ceiling": [0.4, 1.0], "optimal": "all"}
    without = forecast(small, None, settings)
    result = forecast(pd.concat([small, others()]), {"families": "old"}, settings)
    alone, together = (r.laws[1].stderrs["ceiling"] for r in (without, result))
    assert together is not None
    assert alone is not None
    assert together < 0.5 * alone


def test_a_notice_counts_them_and_a_figure_draws_them_apart() -> None:
    result = forecast(both(), {"families": ["old"]})
    for f in result.forecasts:
        notice = next(n for n in f.notes if n.code == "reference-models")
        assert notice.values["models"] == 9
        assert notice.values["families"] == "old"
        assert "2502.12120" in notice
    for figure in result.figures:
        drawn = [[p for p in panel.points if p.role == "reference"] for panel in figure.panels]
        assert [len(points) for points in drawn] == [0, 9, 0]
        (legend,) = {p.group for p in drawn[1]}
        offset = laws(result, figure.recipe)[1]["delta[old]"]
        assert legend == f"reference: old, loss moved by {offset:+.3f}"
        curve = figure.panels[1].curves[0]
        off = [p.y - np.interp(p.x, curve.x, curve.y) for p in drawn[1]]
        assert np.abs(off).max() < 0.02  # moved by the offset they lie on the ladder's curve
        svg = panel_figure(figure, [], {})
        assert svg.startswith(b"<?xml")


def test_files_are_read_beside_the_table(tmp_path: Path) -> None:
    others().to_csv(tmp_path / "old.csv", index=False)
    settings = {"data": {"source": "table"}, "targets": [TARGET], "recipes": ["llama3", "ladder"]}
    settings["references"] = {"files": [{"source": "table", "path": "old.csv"}]}
    result = run(settings, tmp_path, data=make_ladder(noise=0.003))
    same = forecast(both(), {"families": ["old"]})
    assert [f.forecast for f in result.forecasts] == pytest.approx([f.forecast for f in same.forecasts], rel=1e-6)
    assert result.provenance.data_digest == same.provenance.data_digest  # of all that was read
    assert result.provenance.data_digest != forecast(make_ladder(noise=0.003), None).provenance.data_digest


def test_a_loss_per_token_needs_a_word() -> None:
    recipe = {"name": "llama3", "middle": "text"}
    alone = forecast(make_ladder(noise=0.003), None, recipe).forecasts[0]
    silent = forecast(both(), {"families": ["old"]}, recipe).forecasts[0]
    assert silent.forecast == alone.forecast
    (refused,) = [n for n in silent.notes if n.code == "references-refused"]
    assert refused.values == {"loss": "text"}
    named = forecast(both(), {"families": ["old"], "loss": "text"}, recipe)
    assert "delta[old]" in laws(named, "llama3")[1]
    assert "reference-models" in [n.code for n in named.forecasts[0].notes]


def test_tokens_of_another_tokenizer_are_refused_in_one_line() -> None:
    table = both(tokenizer="llama").assign(tokenizer=lambda t: t["tokenizer"].fillna("mine"))
    references = {"families": ["old"], "loss": "text"}
    says = r"references\.loss: 'text' is counted per token, and .* tokenizer 'llama' is not"
    with pytest.raises(InputError, match=says) as said:
        forecast(table, references, {"name": "llama3", "middle": "text"})
    assert "\n" not in str(said.value)
    forecast(table, references | {"loss": "bits_per_byte"}, "ladder")  # bytes are bytes


def test_models_without_the_loss_or_asked_otherwise_do_not_enter() -> None:
    for table in (both().query("family == 'known' or metric != 'bits_per_byte'"), both(num_fewshot=25.0)):
        f = forecast(table, {"families": ["old"]}, "ladder").forecasts[0]
        assert f.forecast is not None
        codes = [n.code for n in f.notes]
        assert "reference-models" not in codes
    assert "references-lacking" in [
        n.code
        for n in forecast(
            both().query("family == 'known' or metric != 'bits_per_byte'"), {"families": ["old"]}, "ladder"
        )
        .forecasts[0]
        .notes
    ]


def test_of_several_askings_the_ladders_own_counts() -> None:
    rows = others().assign(num_fewshot=5.0, prompt="")
    other = rows.assign(num_fewshot=0.0, value=rows["value"] * 0.5)
    silent = rows.assign(num_fewshot=np.nan, value=rows["value"] * 0.7)
    found = of_task(pd.concat([other, silent, rows]), Asked(task="quiz", shots=5.0), None)
    assert found is not None
    own = rows[rows["metric"].eq("acc")]["value"].to_numpy()
    np.testing.assert_array_equal(np.sort(found["accuracy"]), np.sort(own))
    np.testing.assert_allclose(found["nll"], found["bits_per_byte"] * np.log(2))
    assert "text" not in found
    only = of_task(silent, Asked(task="quiz", shots=5.0), "text")
    assert only is not None
    assert only["text"].notna().all()
    assert of_task(other, Asked(task="quiz", shots=5.0), None) is None
    assert of_task(rows, Asked(task="another", shots=5.0), None) is None


def test_the_last_checkpoint_of_a_model_counts() -> None:
    early = others().assign(tokens=1e11, step=1, flops=lambda t: t["flops"] / 10)
    early["value"] *= 0.9  # of the losses and scores alike: what counts is which row is taken
    late = others().assign(step=2)
    found = of_task(_valid(pd.concat([late, early])), Asked(task="quiz"), None)
    assert found is not None
    assert set(found["tokens"]) == {1e12}


def test_an_average_has_the_models_that_have_every_member() -> None:
    def twice(table: pd.DataFrame) -> pd.DataFrame:
        scores = table[table["task"].eq("quiz")]
        return pd.concat([table, scores.assign(task="second", value=scores["value"] * 0.9)], ignore_index=True)

    table = twice(both())
    table = table[~(table["run"].eq("old-0") & table["task"].eq("second"))]
    config = Config.model_validate(
        {"data": {"source": "table"}, "targets": [TARGET], "recipes": ["ladder"], "averages": {"mean": ["*"]}}
        | {"references": {"families": ["old"]}}
    )
    data = with_references(config, Path(), Data(table=_valid(table), label=""))
    jobs = {job.task: job for job in jobs_of(config, data.table, references=data.references)}
    mean = jobs["mean"].references
    assert mean is not None
    assert list(mean["run"]) == [f"old-{i}" for i in range(1, 9)]
    whole = jobs["quiz"].references
    assert whole is not None
    np.testing.assert_allclose(mean["accuracy"], 0.95 * whole["accuracy"].iloc[1:], rtol=1e-12)


def _valid(table: pd.DataFrame) -> pd.DataFrame:
    from benchcast.data import schema

    return schema.validate(table)


def test_auto_weighs_paths_with_them_beside_those_without() -> None:
    table = both()
    alone = forecast(make_ladder(noise=0.003), None, "auto").forecasts[0]
    f = forecast(table, {"families": ["old"]}, "auto").forecasts[0]
    names = [each.form for each in f.alternatives]
    assert {n for n in names if n.endswith("with references")}
    assert {each.form for each in alone.alternatives} == {n for n in names if "with references" not in n}
    assert "reference-models" in [n.code for n in f.notes]
    assert sum(each.weight for each in f.alternatives if "references" in each.form) > 0.02


def test_fits_without_them_do_not_serve_with_them() -> None:
    ladders = FittedLadders()
    made = []
    for references in (None, {"families": ["old"]}, {"families": ["old"]}):
        raw = {"data": {"source": "table"}, "targets": [TARGET], "recipes": ["auto"]}
        config = Config.model_validate(raw | ({"references": references} if references else {}))
        table = both() if references else make_ladder(noise=0.003)
        data = with_references(config, Path(), Data(table=_valid(table), label=""))
        (context,) = contexts_of(jobs_of(config, data.table, references=data.references), ladders).values()
        made.append(context.forecaster(auto.unfitted(AutoSettings())))
    assert made[0] is not made[1]
    assert made[1] is made[2]


def test_a_reference_is_never_a_target() -> None:
    result = forecast(both(), {"families": ["old"]}, targets=[{"run": "*-80x"}])
    assert {f.target for f in result.forecasts} == {run for run in make_ladder()["run"] if run.endswith("-80x")}
    with pytest.raises(InputError, match="'old-\\*' matches no run"):
        forecast(both(), {"families": ["old"]}, targets=[{"run": "old-*"}])


@pytest.mark.parametrize(
    ("references", "says"),
    [
        ({"families": ["new"]}, r"references\.families: 'new' matches no family \(the table has known, old\)"),
        ({"families": ["*"]}, r"references\.families: every family of the table is a reference"),
        ({"families": ["old"], "loss": "c4"}, r"references\.loss: 'c4' is not a loss of the ladder"),
        ({"files": [{"source": "table", "path": "old.csv"}]}, r"references\.files\[0\]: family 'old' is of the ladder"),
        ({"files": [{"source": "table", "path": "none.csv"}]}, r"none\.csv: does not exist"),
    ],
)
def test_what_cannot_be_is_one_line(references: dict[str, Any], says: str, tmp_path: Path) -> None:
    others().to_csv(tmp_path / "old.csv", index=False)
    config = {"data": {"source": "table"}, "targets": [TARGET], "recipes": ["ladder"], "references": references}
    with pytest.raises(InputError, match=says) as said:
        run(config, tmp_path, data=both())
    assert "\n" not in str(said.value)


def test_a_section_that_does_nothing_is_a_fault(tmp_path: Path) -> None:
    head = "data: {source: table, path: x.csv}\ntargets: [{run: a}]\n"
    for rest, says in (
        ("recipes: [ladder]\nreferences: {}\n", "names no models"),
        (
            "recipes: [{name: overtraining, loss: text}]\nreferences: {families: [old]}\n",
            "none of the recipes takes them",
        ),
    ):
        (tmp_path / "c.yaml").write_text(head + rest)
        with pytest.raises(FaultsError, match=says):
            load(tmp_path / "c.yaml", Config)
