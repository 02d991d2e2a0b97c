"""Some of a task's documents: asked as among all, chosen once, superseded by the whole, told wherever they count."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner
from worlds import tiny_models

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from benchcast.cli.app import app
from benchcast.core.config import ScoreConfig, load
from benchcast.core.errors import BenchcastError, FaultsError, InputError
from benchcast.data.documents.collect import Asked
from benchcast.data.documents.stored import stored_documents
from benchcast.scoring.progress import Lines
from benchcast.scoring.requests import tasks
from benchcast.scoring.status import matrix_of
from benchcast.scoring.store import Store
from benchcast.stages.documents.subset import choose, estimate, evenly
from worlds.scoring import QUIET, Heard, run, settings, value

pytestmark = QUIET
DOCUMENTS, ASKED = 30, 12
EVEN = evenly(DOCUMENTS, ASKED)
RUNS = ("a", "b", "c")
GENERATE = """\
task: write
dataset_path: json
dataset_kwargs: {{data_files: {{test: '{data}'}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{choices[gold]}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 3, do_sample: false}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs; a task, one with shots, and one that is written; all of it scored whole in the store ``whole``."""
    folder = tmp_path_factory.mktemp("some")
    for seed, name in enumerate(RUNS):
        tiny_models.write_checkpoint(folder / "runs" / name, name, seed=seed)
    tiny_models.write_task(folder / "tasks", "plain", tiny_models.QUESTIONS)
    tiny_models.write_task(folder / "tasks", "shots", tiny_models.QUESTIONS, shots=2)
    (folder / "tasks" / "write.yaml").write_text(GENERATE.format(data=folder / "tasks" / "plain.jsonl"))
    table, failures = run(folder, tasks=TASKS, store="whole", out="whole.csv")
    assert not failures
    assert set(table["n"]) == {DOCUMENTS}
    return folder


TASKS = ("plain", "shots", "write")


def cells(store: Path, task: str, asked: int) -> dict[str, pd.DataFrame]:
    """Source of a checkpoint to its documents, of cells of so many documents."""
    found = {}
    for path in store.glob("cells/*/*"):
        about = json.loads((path / "results.json").read_text())["benchcast"]
        documents = pd.read_parquet(path / "documents.parquet")
        if about["task"] == task and documents["doc_id"].nunique() == asked:
            found[about["source"]] = documents
    return found


def choices(store: Path) -> dict[str, dict]:
    """Task and number to a choice."""
    read = [(p.stem.rpartition("-")[2], json.loads(p.read_text())) for p in (store / "subsets").iterdir()]
    return {f"{content['task']} {number}": content for number, content in read}


def test_the_same_questions_are_asked_as_among_all_at_even_distances_at_first(world: Path) -> None:
    heard = Heard()
    table, failures = run(world, heard, tasks=TASKS, documents=ASKED, store="some", out="some.csv")
    assert not failures
    assert set(table["n"]) == {ASKED}
    assert table["task_version"].str.endswith(", 12 of 30 documents").all()
    for task in TASKS:
        whole, some = (cells(world / store, task, n) for store, n in (("whole", DOCUMENTS), ("some", ASKED)))
        for source, documents in some.items():
            assert documents["doc_id"].unique().tolist() == EVEN.documents.tolist()
            of_all = whole[source][whole[source]["doc_id"].isin(EVEN.documents)].reset_index(drop=True)
            assert documents["prompt_tokens"].tolist() == of_all["prompt_tokens"].tolist()
            column = "gold_loglik" if task == "write" else "loglik"
            np.testing.assert_allclose(documents[column], of_all[column], atol=2e-5)
            if task == "write":
                assert documents["answer"].tolist() == of_all["answer"].tolist()
    # The mean of the chosen documents, and the error of taking them for all.
    nll = cells(world / "whole", "write", DOCUMENTS)["runs/a"].eval("-gold_loglik / gold_bytes").to_numpy()
    chosen = nll[EVEN.documents]
    assert value(table, "a", "write", "nll") == pytest.approx(chosen.mean(), abs=1e-5)
    assert value(table, "a", "write", "nll", "stderr") == pytest.approx(estimate(EVEN, chosen).stderr, rel=1e-3)


def test_the_account_says_what_is_estimated(world: Path) -> None:
    from benchcast.scoring.run import score

    summary = score(settings(tasks=TASKS, documents=ASKED, store="some", out="some.csv"), world)
    assert summary.scored == 0
    notes = [str(note) for note in summary.account.notes if note.code == "estimated-scores"]
    assert notes == [
        f"{task}: estimated from 12 of 30 documents, at even distances, as no checkpoint was scored on all; "
        "the standard errors include the error of that"
        for task in TASKS
    ]


def test_who_was_asked_everything_chooses_is_not_asked_again_and_counts_whole(world: Path) -> None:
    """Checkpoint c comes later, and is estimated from the documents that a and b chose."""
    shutil.copytree(world / "whole", world / "later")
    for path in cells_of(world / "later", "runs/c"):
        shutil.rmtree(path)
    (world / "later" / "index.sqlite").unlink()
    CliRunner().invoke(app, ["store", "rebuild", str(world / "later")])
    some = {"tasks": TASKS, "documents": ASKED, "store": "later", "out": "later.csv"}
    table, failures = run(world, **some)
    assert not failures
    assert table.groupby("run")["n"].first().to_dict() == {"a": DOCUMENTS, "b": DOCUMENTS, "c": ASKED}
    assert len(cells(world / "later", "plain", ASKED)) == 1
    whole = cells(world / "whole", "write", DOCUMENTS)
    losses = {source: f.eval("-gold_loglik / gold_bytes").to_numpy() for source, f in whole.items()}
    choice = choices(world / "later")["write 1"]
    assert [c["source"] for c in choice["chosen_by"]] == ["runs/a", "runs/b"]
    # The same by hand, from what a and b answered.
    known = {"nll": np.array([losses["runs/a"], losses["runs/b"]])}
    known |= {"nll_mean_prob": np.exp(-known["nll"])}
    known |= {"exact_match": np.array([whole[s]["score exact_match"].to_numpy() for s in ("runs/a", "runs/b")])}
    subset = choose(known, ["a", "b"], ASKED)
    assert choice.get("documents") == subset.documents.tolist()
    asked = losses["runs/c"][subset.documents]
    expected = estimate(subset, asked, "nll")
    assert value(table, "c", "write", "nll") == pytest.approx(
        np.clip(expected.value, asked.min(), asked.max()), abs=1e-5
    )
    assert value(table, "c", "write", "nll", "stderr") == pytest.approx(expected.stderr, rel=1e-3)
    assert value(table, "c", "write", "bits_per_byte") == pytest.approx(value(table, "c", "write", "nll") / np.log(2))
    # The matrix of documents holds only those that were asked everything.
    documents = stored_documents(world / "later")
    matrix = documents.matrix(Asked(task="plain", metric="acc"), RUNS)
    assert matrix.places["run"].tolist() == ["a", "b"]
    assert matrix.documents == DOCUMENTS
    # What is printed of the store says the same.
    assert matrix_of(Store(world / "later")).as_dict()["counts"] == {"missing": 0, "scored": 9, "failed": 0}
    exported = world / "exported.csv"
    assert CliRunner().invoke(app, ["store", "export", str(world / "later"), "--out", str(exported)]).exit_code == 0
    assert pd.read_csv(exported)["value"].to_list() == pytest.approx(table["value"].to_list())
    assert CliRunner().invoke(app, ["store", "check", str(world / "later")]).exit_code == 0


def cells_of(store: Path, source: str) -> list[Path]:
    return [
        p.parent
        for p in store.glob("cells/*/*/results.json")
        if json.loads(p.read_text())["benchcast"]["source"] == source
    ]


def test_documents_are_chosen_anew_only_when_asked_for_and_the_old_cells_stay(world: Path) -> None:
    shutil.copytree(world / "whole", world / "anew")
    shutil.rmtree(world / "anew" / "cells")
    (world / "anew" / "cells").mkdir()
    (world / "anew" / "index.sqlite").unlink()
    some = {"tasks": ("plain",), "documents": ASKED, "store": "anew", "out": "anew.csv"}
    before, _ = run(world, **some)
    run(world, tasks=("plain",), checkpoints=("runs/a", "runs/b"), store="anew", out="x.csv")
    table, _ = run(world, **some)
    assert list(choices(world / "anew")) == ["plain 1"]  # a and b were asked all meanwhile
    assert table.groupby("run")["n"].first().to_dict() == {"a": DOCUMENTS, "b": DOCUMENTS, "c": ASKED}
    pd.testing.assert_frame_equal(
        table[table["run"].eq("c")].reset_index(drop=True), before[before["run"].eq("c")].reset_index(drop=True)
    )
    old = set(cells(world / "anew", "plain", ASKED))
    table, _ = run(world, choose_documents=True, **some)
    made = choices(world / "anew")
    assert sorted(made) == ["plain 1", "plain 2"]
    assert len(made["plain 2"]["chosen_by"]) == 2
    assert old <= set(cells(world / "anew", "plain", ASKED))
    assert table.groupby("run")["n"].first().to_dict() == {"a": DOCUMENTS, "b": DOCUMENTS, "c": ASKED}
    run(world, choose_documents=True, **some)
    assert sorted(choices(world / "anew")) == ["plain 1", "plain 2"]  # nothing new to choose by


def test_who_is_named_is_asked_everything_first_and_chooses(world: Path) -> None:
    """With room for one checkpoint a run, nobody is asked some documents before the two that choose are through."""
    from benchcast.scoring.limits import Limits
    from benchcast.scoring.run import lacking, score

    patterns = ("runs/[ab]", "runs/last")
    asked = settings(tasks=("plain",), documents=ASKED, whole=patterns, store="first", out="first.csv")
    seen = []
    for left in (2, 1, 0, 0):
        summary = score(asked, world, limits=Limits(checkpoints=1))
        assert (summary.left, bool(left)) == (left, bool(lacking(asked, world, Store(world / "first"))))
        seen.append(summary.table.groupby("run")["n"].first().to_dict())
    assert "left out 1: patterns of score.whole that match no checkpoint so far: runs/last" in summary.account.lines()
    first, both = {"a": DOCUMENTS}, {"a": DOCUMENTS, "b": DOCUMENTS}
    assert seen == [first, both, both | {"c": ASKED}, both | {"c": ASKED}]
    assert [c["source"] for c in choices(world / "first")["plain 1"]["chosen_by"]] == ["runs/a", "runs/b"]


def test_each_round_counts_its_own_cells(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(world, Lines(), tasks=("plain",), documents=ASKED, whole=("runs/[ab]",), store="counted", out="counted.csv")
    said = [line.split(" ")[0] for line in capsys.readouterr().err.splitlines() if "docs/s" in line]
    assert said == ["1/2", "2/2", "1/1"]


def test_a_run_with_nothing_to_score_builds_no_task_and_a_small_task_is_asked_whole(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {"tasks": ("plain",), "documents": 200, "store": "small", "out": "small.csv"}
    table, _ = run(world, **some)
    assert set(table["n"]) == {DOCUMENTS}
    assert not table["task_version"].str.contains("documents").any()
    assert choices(world / "small")["plain 1"]["method"] == "whole"
    run(world, **(some | {"documents": ASKED, "checkpoints": ("runs/a",)}))
    monkeypatch.setattr(tasks, "load", None)
    assert set(run(world, **some)[0]["n"]) == {DOCUMENTS}
    assert set(run(world, **(some | {"documents": ASKED}))[0]["n"]) == {DOCUMENTS}  # all were asked before


def test_a_choice_that_was_edited_is_one_line_and_never_made_anew(world: Path) -> None:
    shutil.copytree(world / "some" / "subsets", world / "edited" / "subsets")
    path = next((world / "edited" / "subsets").iterdir())
    path.write_text(path.read_text().replace('"asked": 12', '"asked": 13'))
    with pytest.raises(BenchcastError, match=r"somebody edited it.*put it back from a copy, or remove it") as error:
        run(world, tasks=TASKS, documents=ASKED, store="edited", out="edited.csv")
    assert path.name in str(error.value)
    checked = CliRunner().invoke(app, ["store", "check", str(world / "edited")])
    assert checked.exit_code == 1
    assert f"{path}: the choice of documents cannot be read" in checked.output


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "score.yaml"
    config.write_text("score: {checkpoints: [runs/*], tasks: [plain], limit: 5, documents: 3}")
    with pytest.raises(FaultsError, match=r"limit .* or documents .*, not both"):
        load(config, ScoreConfig)
    config.write_text("score: {checkpoints: [runs/*], tasks: [plain], whole: [runs/a]}")
    with pytest.raises(FaultsError, match="without it every checkpoint is scored on all documents"):
        load(config, ScoreConfig)
    config.write_text("score: {checkpoints: [runs/*], tasks: [plain]}")
    result = CliRunner().invoke(app, ["score", str(config), "--choose-documents"])
    assert isinstance(result.exception, InputError)
    assert "--choose-documents" in str(result.exception)
