from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_models

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from pipeline import checkpoints, score
from pipeline.config import ScoreSettings

# Other people's warnings: lm-eval, datasets and transformers on import and on use.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Two good checkpoints, the second with tied embeddings, and a task."""
    tiny_models.write_checkpoint(tmp_path / "runs" / "a", "a", seed=1)
    tiny_models.write_checkpoint(tmp_path / "runs" / "b", "b", seed=2, tied=True)
    tiny_models.write_task(tmp_path / "tasks", "plain", tiny_models.QUESTIONS)
    return tmp_path


def settings(checkpoints: str) -> ScoreSettings:
    return ScoreSettings.model_validate(
        {"checkpoints": [checkpoints], "tasks": ["plain"], "include_path": "tasks", "device": "cpu"}
    )


def test_every_broken_checkpoint_is_one_line_and_costs_no_other(copy: Path) -> None:
    import torch

    def variant(name: str, change: Any = None, original: str = "a") -> Path:
        folder = copy / "runs" / name
        shutil.copytree(copy / "runs" / original, folder)
        about = json.loads((folder / "benchcast.json").read_text())
        (folder / "benchcast.json").write_text(json.dumps(about | {"run": name}))
        if change is not None:
            tiny_models.edit(folder, change)
        return folder

    head, norm = "lm_head.weight", "model.norm.weight"
    variant("nan", lambda t: t[head].__setitem__((3, 1), float("nan")))
    variant("missing", lambda t: t.pop(norm))
    variant("missing-head", lambda t: t.pop(head))
    variant("unexpected", lambda t: t.update(extra=torch.zeros(2)))
    variant("misshapen", lambda t: t.update({norm: torch.zeros(5)}))
    variant("other-head", lambda t: t.update({head: torch.zeros(300, 16)}), original="b")
    variant("huge", lambda t: t[norm].fill_(3e38))
    (variant("cut") / "model.safetensors").write_bytes((copy / "runs/a/model.safetensors").read_bytes()[:2000])
    (variant("nameless") / "benchcast.json").unlink()
    (variant("percent") / "benchcast.json").write_text('{"run": "x", "family": "f", "step": 1, "params": -5}')
    pickled = variant("pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    shutil.copytree(copy / "runs" / "a", copy / "runs" / "twin")
    wide = variant("wide-tokenizer")
    words = json.loads((wide / "tokenizer.json").read_text())
    token = words["added_tokens"][0] | {"id": 300, "content": "<more>"}
    (wide / "tokenizer.json").write_text(json.dumps(words | {"added_tokens": [*words["added_tokens"], token]}))

    table, failures = score.score(settings("runs/*"), copy, progress=lambda line: None)
    said = {line.partition(": ")[0].removeprefix("runs/"): line for line in failures}
    expected = {
        "nan": "weights are NaN or infinite: lm_head.weight",
        "missing": "lacks tensors: model.norm.weight",
        "missing-head": "lacks tensors: lm_head.weight",
        "unexpected": "holds unknown tensors: extra",
        "misshapen": "holds misshapen tensors: model.norm.weight",
        "other-head": "the file holds a different head",
        "huge": "log-likelihoods are not finite",
        "cut": "SafetensorError",
        "nameless": "has no benchcast.json; write one",
        "percent": "benchcast.json lacks tokens, flops, flops_convention",
        "pickled": "has no *.safetensors",
        "twin": "names the same run and step as runs/a",
        "wide-tokenizer": "the tokenizer has 301 ids but the model embeds 300",
    }
    assert set(said) == set(expected)
    assert len(failures) == len(expected)
    for name, words in expected.items():
        assert words in said[name]
        assert "\n" not in said[name]
    assert set(table["run"]) == {"a", "b"}


def test_special_tokens_that_disagree_are_pointed_out(copy: Path) -> None:
    config = json.loads((copy / "runs/a/config.json").read_text())
    (copy / "runs/a/config.json").write_text(json.dumps(config | {"eos_token_id": 7}))
    lines: list[str] = []
    _, failures = score.score(settings("runs/a"), copy, progress=lines.append)
    assert failures == []
    assert lines[0].startswith("warning: runs/a: eos_token_id is 0 in the tokenizer but 7 in config.json")


def test_a_checkpoint_is_known_by_its_contents(copy: Path) -> None:
    before = checkpoints.describe(copy / "runs" / "a", "a")
    about = json.loads((copy / "runs/a/benchcast.json").read_text())
    (copy / "runs/a/benchcast.json").write_text(json.dumps(about | {"run": "z"}))
    assert checkpoints.describe(copy / "runs" / "a", "a").digest == before.digest
    path = copy / "runs/a/tokenizer.json"
    path.write_text(path.read_text() + "\n")
    after = checkpoints.describe(copy / "runs" / "a", "a")
    assert after.digest != before.digest
    assert after.tokenizer != before.tokenizer
