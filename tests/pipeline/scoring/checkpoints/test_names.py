"""How models by name are written: told from folders, and checked before anything looks for them."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from benchcast.scoring.checkpoints import names


@pytest.mark.parametrize(
    ("text", "model", "revision", "sure"),
    [
        ("EleutherAI/pythia-70m@step1000", "EleutherAI/pythia-70m", "step1000", True),
        ("EleutherAI/pythia-70m", "EleutherAI/pythia-70m", "main", False),
        ("hf://EleutherAI/pythia-70m", "EleutherAI/pythia-70m", "main", True),
        ("hf://models/EleutherAI/pythia-70m@main", "EleutherAI/pythia-70m", "main", True),
        ("hf://gpt2", "gpt2", "main", True),
        ("org/m@refs/pr/5", "org/m", "refs/pr/5", True),
        ("org/m@stage1-step*-tokens*B", "org/m", "stage1-step*-tokens*B", True),
        ("runs/step-5", "runs/step-5", "main", False),  # a folder's name too: which of them, its finder looks
    ],
)
def test_names(text: str, model: str, revision: str, sure: bool) -> None:
    name = names.parse(text)
    assert name is not None
    assert (name.model, name.revision, name.sure) == (model, revision, sure)


@pytest.mark.parametrize(
    "text",
    ["runs/*", "runs/*/step-*", "/abs/folder", "./org/name", "../org/name", "one", "a/b/c", "my runs/a", "a--b/c"],
)
def test_what_can_only_be_a_folder(text: str) -> None:
    assert names.parse(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("org/na..me@step1", ".."),
        ("org/m@../../etc", "is not a revision"),
        ("org/m@a..b", "is not a revision"),
        ("org/m@", "is not a revision"),
        ("org/m@/abs", "is not a revision"),
        ("org/m@-x", "is not a revision"),
        ("org/m@two words", "is not a revision"),
        ("org/m@line\nbreak", "is not a revision"),
        ("org/pyth!a@step1", "alphanumeric"),
        ("hf://", "alphanumeric"),
        ("hf://a/b/c", "namespace/repo_name"),
    ],
)
def test_what_is_written_as_a_model_and_is_none(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        names.parse(text)
    assert words in str(caught.value)


def test_a_pattern_takes_revisions_in_the_order_of_their_steps() -> None:
    offered = ["step1000", "main", "step512", "refs/pr/1", "step0", "step143000"]
    name = names.parse("EleutherAI/pythia-70m@*")
    assert name is not None
    assert name.matching(offered) == ["step0", "step512", "step1000", "step143000", "main"]
    assert name.at("step*").matching(offered) == ["step0", "step512", "step1000", "step143000"]
    assert name.at("refs/pr/*").matching(offered) == ["refs/pr/1"]


@pytest.mark.parametrize("revisions", [["step1000"], ["step1000", "a$(touch x)", "it's"]])
def test_the_command_is_one_that_a_shell_takes(revisions: list[str]) -> None:
    text = names.command("org/m", revisions, "/a folder")
    printed = subprocess.run(
        ["sh", "-c", f'hf() {{ printf "%s\\n" "$*"; }}\n{text}'], capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines() == [f"download org/m --revision {r} --cache-dir /a folder" for r in revisions]
    assert shlex.split(text)
