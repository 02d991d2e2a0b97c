"""``ladder.yaml``: one file, read in one place, for results, training runs and scored checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import Fault, FaultsError
from benchcast.data.places.checkpoints import CheckpointPlace, read_checkpoint_places
from benchcast.data.places.ladder import LADDER, LadderPlaces
from benchcast.data.places.models import ModelPlace, read_model_places
from benchcast.data.places.runs import RunPlace, read_run_places, run_place

Reader = Callable[[Path], Any]


def of_models(folder: Path) -> Any:
    faults: list[Fault] = []
    places = read_model_places(folder, faults)
    if faults:
        raise FaultsError(faults)
    return places


def of_checkpoints(folder: Path) -> Any:
    return read_checkpoint_places(folder / LADDER)


READERS: dict[str, Reader] = {"models": of_models, "runs": read_run_places, "checkpoints": of_checkpoints}
SAYS = {
    "a: [": {"models": "ladder.yaml: cannot be read: ", "runs": "cannot be read: ", "checkpoints": "score.ladder: "},
    "- a": {
        "models": "must map model names to {run, family, step, params, tokens, flops}",
        "runs": "must map run names to {family, params, tokens_per_step}",
        "checkpoints": "cannot be read: must map folders to {run, family, step, params, tokens, …}",
    },
    "[]": {"models": "must map model names", "runs": "must map run names", "checkpoints": "must map folders"},
    "a: 7": {
        "models": "ladder.yaml: a: 7 is not a place (write {run, family, step, params, tokens, flops})",
        "runs": "ladder.yaml: a: is not a place (write {family, params, tokens_per_step})",
        "checkpoints": "ladder.yaml: a: must be a mapping such as {run: 56K, params: 56136}",
    },
    "a: {family: f, params: 1e9, tokens: 1e9, sise: 1}": {
        "models": "a.sise: is not a known key (keys are run, family, step, params, tokens, flops, flops_convention)",
        "runs": "a.sise: is not a known key (keys are run, family, params, tokens_per_step, tokens)",
        "checkpoints": "a.sise: is not a column (columns are run, family, step, params, tokens, flops, "
        "flops_convention, tokens_per_step, seq_len)",
    },
    "a: {family: f, params: 7 GB, tokens: 1e9}": {
        "models": "a.params: '7 GB': GB counts bytes; write 7B for 7 billion",
        "runs": "a.params: '7 GB': GB counts bytes; write 7B for 7 billion",
    },
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("text", SAYS)
def test_what_is_wrong_is_said_of_every_kind(text: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / LADDER).write_text(text)
    if kind not in SAYS[text]:  # a checkpoint's numbers are checked where they meet what its folder says
        assert READERS[kind](tmp_path)["a"].stated()["params"] == "7 GB"
        return
    with pytest.raises(FaultsError) as caught:
        READERS[kind](tmp_path)
    assert SAYS[text][kind] in str(caught.value)


@pytest.mark.parametrize("kind", READERS)
def test_an_empty_file_places_nothing(kind: str, tmp_path: Path) -> None:
    (tmp_path / LADDER).write_text("# nothing yet\n")
    assert not READERS[kind](tmp_path)


def test_each_kind_reads_its_own_entries(tmp_path: Path) -> None:
    (tmp_path / LADDER).write_text("a: {run: b, family: f, params: 1e9, tokens: 2e10}\n")
    assert of_models(tmp_path) == {"a": ModelPlace(run="b", family="f", params=1e9, tokens=2e10)}
    assert read_run_places(tmp_path) == {"a": RunPlace(run="b", family="f", params=1e9, tokens=2e10)}
    (place,) = of_checkpoints(tmp_path).values()
    assert place.stated() == {"run": "b", "family": "f", "params": "1e9", "tokens": "2e10"}  # as YAML reads them


def test_a_name_comes_before_patterns_and_the_first_pattern_counts() -> None:
    places = LadderPlaces({"a*": 1, "*b": 2, "ab": 3, "[c]": 4})
    assert [places.find(name) for name in ("ab", "axb", "xb", "[c]", "c", "x")] == [3, 1, 2, 4, 4, None]
    assert places.patterns("axb") == ["a*", "*b"]


def test_null_leaves_a_model_out_and_is_no_place_of_a_run(tmp_path: Path) -> None:
    (tmp_path / LADDER).write_text("a:\n")
    assert of_models(tmp_path) == {"a": None}
    for kind in ("runs", "checkpoints"):
        with pytest.raises(FaultsError):
            READERS[kind](tmp_path)


def test_a_run_that_nothing_places_has_the_defaults(tmp_path: Path) -> None:
    assert run_place("x", read_run_places(tmp_path)) == RunPlace()


def test_a_place_states_only_what_was_written() -> None:
    assert CheckpointPlace(run=None, step=0).stated() == {"run": None, "step": 0}


def test_counts_are_read_with_their_unit(tmp_path: Path) -> None:
    (tmp_path / LADDER).write_text("a: {family: f, params: 7B, tokens: 1.4T}")
    place = of_models(tmp_path)["a"]
    assert (place.params, place.tokens) == (7e9, 1.4e12)
