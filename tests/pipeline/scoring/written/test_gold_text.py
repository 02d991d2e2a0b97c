"""Reference answers of tasks that are written, and texts of one's own in their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds import tiny_models
from worlds.harness import written

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from worlds.scoring import QUIET, run, value

pytestmark = QUIET


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gold")
    tiny_models.write_checkpoint(folder / "runs" / "a", "a", seed=3)
    written.write_tasks(folder / "tasks", number=4)
    return folder


def nll(world: Path, prompts: list[str], texts: list[str]) -> float:
    """Nats per byte of texts after prompts, by plain forward passes."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(world / "runs" / "a")
    tokenizer = AutoTokenizer.from_pretrained(world / "runs" / "a")
    each = [
        -tiny_models.loglik(model, tokenizer, prompt, text) / len(text.strip().encode())
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    return float(np.mean(each))


def test_a_template_and_a_file_take_the_place_of_the_target(world: Path) -> None:
    lines = [{"doc_id": i, "text": f"thought {i}"} for i in (2, 0, 3, 1)]
    (world / "traces.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    texts = {"trivia_*": "{{question}} it is", "drop_like": "traces.jsonl"}
    table, failures = run(world, tasks=("trivia_like", "drop_like"), gold_text=texts)
    assert failures == {}
    prompts = written.prompts("trivia_like", 4)
    expected = nll(world, prompts, [f" {written.words(i, 3)} it is" for i in range(4)])
    assert value(table, "a", "trivia_like", "nll") == pytest.approx(expected, rel=1e-5)
    # The task says that nothing stands between prompt and answer.
    expected = nll(world, written.prompts("drop_like", 4), [f"thought {i}" for i in range(4)])
    assert value(table, "a", "drop_like", "nll") == pytest.approx(expected, rel=1e-5)

    from benchcast.scoring.run import lacking
    from benchcast.scoring.store import Store
    from worlds.scoring import settings

    asked = settings(tasks=("trivia_like", "drop_like"), gold_text=texts)
    assert lacking(asked, world, Store(world / "scores")) == {}
    lines[0]["text"] = "another thought"  # its content is part of what is asked
    (world / "traces.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert lacking(asked, world, Store(world / "scores")) == {"runs/a": ["drop_like"]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"text": "a"}\n' * 3, "has no text for document 3"),
        ('{"text": "a"}\n{"text": " "}\n', 'line 2 has no "text"'),
        ('{"text": "a"}\nb\n', "line 2"),
        ('{"text": "a", "doc_id": 1}\n{"text": "a", "doc_id": 1}\n', "line 2: doc_id 1"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_such_file_costs_its_task_only(
    world: Path, tmp_path: Path, content: str | None, why: str
) -> None:
    path = tmp_path / "t.jsonl"
    if content is not None:
        path.write_text(content)
    _, failures = run(world, tasks=("bleu_like", "drop_like"), gold_text={"drop_like": str(path)}, store="faults")
    assert list(failures) == [("*", "drop_like")]
    assert why in failures["*", "drop_like"]


def test_names_that_are_no_task_are_a_fault_of_the_config(world: Path) -> None:
    from benchcast.core.errors import FaultsError

    with pytest.raises(FaultsError, match=r"score\.gold_text: gsm"):
        run(world, tasks=("drop_like",), gold_text={"gsm": "{{question}}"})


def harness(**config: Any) -> Any:
    """A task's configuration alone."""
    from types import SimpleNamespace

    usual = {"doc_to_target": "answer", "doc_to_choice": None, "target_delimiter": " ", "gen_prefix": None}
    target = config.pop("target")
    return SimpleNamespace(
        config=SimpleNamespace(**usual | config),
        doc_to_target=lambda doc: target,
        doc_to_choice=lambda doc: config["doc_to_choice"],
        doc_to_prefix=lambda doc: config.get("gen_prefix"),
        get_config=lambda key: None,
        aggregation=dict,
    )


def test_the_reference_is_what_few_shot_examples_show() -> None:
    from benchcast.scoring.requests.kinds.gold import after_prompt, reference
    from worlds.scoring import settings

    def text(task: Any, name: str = "x", doc: Any = None) -> str:
        return reference(task, name, settings(), Path())(doc or {}, 0)[0]

    assert text(harness(target="18")) == "18"
    assert text(harness(target=18)) == "18"
    assert text(harness(target=["b", "c"])) == "b"
    assert text(harness(target=1, doc_to_choice=["no", "yes"])) == "yes"
    assert text(harness(target=0, doc_to_target=0)) == ""  # IFEval: a constant
    assert text(harness(target="assert f()"), "humaneval_plus", {"canonical_solution": "  return 1"}) == "  return 1"
    assert after_prompt(harness(target="18"), {}, "18", chosen=False) == " 18"
    assert after_prompt(harness(target="18"), {}, "\n18", chosen=True) == "\n18"
    assert after_prompt(harness(target="18", gen_prefix="It is"), {}, "18", chosen=False) == " 18"
    assert after_prompt(harness(target="18", gen_prefix="It is\n"), {}, "18", chosen=False) == "18"


def test_drop_has_its_answer_and_not_the_names_of_its_fields() -> None:
    from benchcast.scoring.requests.kinds.gold import none_of, reference
    from worlds.scoring import settings

    fields = "number,date,spans,worker_id,hit_id"  # what lm-eval's template of DROP makes of every document
    find = reference(harness(target=fields), "drop", settings(), Path())
    assert find({"answers": [["red", "blue"], ["red"]]}, 0) == (" red, blue", True)
    assert find({"question": "whose documents are others"}, 0) == (fields, False)
    assert none_of([fields] * 10)
    assert not none_of([fields] * 9)  # few may be answered alike
    assert not none_of([fields] * 10 + ["yes"])


def test_an_answer_that_counts_too_is_part_of_what_is_asked(world: Path, tmp_path: Path) -> None:
    """Of several right answers one is the reference, but all of them decide the score."""
    from benchcast.scoring.requests.tasks import load
    from worlds.scoring import settings

    def digest(target: str) -> str:
        text = written.TRIVIA.format(folder=world / "tasks").replace("{{answer.aliases}}", target)
        (tmp_path / "trivia.yaml").write_text(text)
        (task,), failures = load(settings(tasks=("trivia_like",), include_path=str(tmp_path)), world)
        assert failures == {}
        assert [q.answers for q in task.questions] == [(f" {written.words(i, 1)}",) for i in range(4)]
        return task.digest

    assert digest("{{answer.aliases}}") != digest("{{answer.aliases[:1]}}")
