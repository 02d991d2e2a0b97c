"""Models by name from a folder in the layout of the hub's cache: found, placed, and what is missing is told."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from benchcast.core.errors import FaultsError
from benchcast.data import model_names
from benchcast.scoring.checkpoints import discover
from worlds.hub import cache as hub_cache
from worlds.hub.cache import MODEL, World

OLMO = "allenai/OLMo-2-0425-1B"
HOME = f"models--{MODEL.replace('/', '--')}"


def sources(found: discover.DiscoveredCheckpoints) -> list[str]:
    return [c.source for c in found.checkpoints]


def reasons(found: discover.DiscoveredCheckpoints) -> dict[str, str]:
    assert all("\n" not in reason for reason in found.broken.values())
    return {source: reason for (source, _), reason in found.broken.items()}


def fault(world: World, *entries: str, **changes: Any) -> str:
    with pytest.raises(FaultsError) as caught:
        world.find(*entries, **changes)
    return str(caught.value)


def test_a_pattern_of_revisions_is_placed_by_step(world: World) -> None:
    found = world.find(f"{MODEL}@step*")
    assert found.broken == {}
    assert sources(found) == [f"{MODEL}@step{step}" for step in (512, 1000, 143000)]
    for checkpoint in found.checkpoints:
        read = model_names.numbers(checkpoint.source)  # what `init` writes for results of these revisions
        assert read.step is not None
        assert checkpoint.about["run"] == read.run == "pythia-70m"
        assert checkpoint.about["step"] == read.step.value
        assert checkpoint.about["tokens"] == read.step.value * 2_097_152
        # By hand: six layers of 4·512² attention, 3·512·2048 MLP and 2·512 norms, a last norm, a tied matrix.
        assert checkpoint.about["params"] == 6 * (4 * 512**2 + 3 * 512 * 2048 + 2 * 512) + 512 + 50304 * 512
        assert checkpoint.commit == hub_cache.commit_of(checkpoint.source)
        assert checkpoint.files.folder.name == checkpoint.commit
    assert f"left out 1: {discover.UNTRAINED}: {MODEL}@step0" in found.account.record().told()


@pytest.mark.parametrize("spelling", [f"{MODEL}@step1000", f"hf://{MODEL}@step1000"])
def test_one_revision(world: World, spelling: str) -> None:
    assert sources(world.find(spelling)) == [f"{MODEL}@step1000"]


def test_a_revision_is_known_by_its_contents(world: World) -> None:
    folder = shutil.copytree(
        world.cache / HOME / "snapshots" / hub_cache.commit_of(f"{MODEL}@step512"), world.base / "own"
    )
    about = {"run": "own", "step": 512}
    (folder / "benchcast.json").write_text(json.dumps(about))
    found = world.find(f"{MODEL}@step512", "own")
    by_name, by_path = found.checkpoints
    assert by_name.digest == by_path.digest


def test_the_same_place_by_name_and_by_path_is_one(world: World) -> None:
    snapshot = world.cache / HOME / "snapshots" / hub_cache.commit_of(f"{MODEL}@step512")
    found = world.find(f"{MODEL}@step512", str(snapshot))
    assert sources(found) == [f"{MODEL}@step512"]
    assert found.broken == {}
    assert any(
        discover.TWINS in line and "(as EleutherAI/pythia-70m@step512)" in line
        for line in found.account.record().told()
    )


def test_a_copy_at_the_same_place_is_one(world: World) -> None:
    snapshot = world.cache / HOME / "snapshots" / hub_cache.commit_of(f"{MODEL}@step512")
    folder = shutil.copytree(snapshot, world.base / "own")
    (folder / "benchcast.json").write_text(json.dumps({"run": "pythia-70m", "step": 512}))
    found = world.find("own", f"{MODEL}@step512")
    assert (len(found.checkpoints), found.broken) == (1, {})
    assert any(discover.TWINS in line for line in found.account.record().told())


def test_tokens_in_a_revision(world: World) -> None:
    for number, revision in enumerate(("stage1-step1000-tokens3B", "stage1-step10000-tokens21B"), 1):
        world.put(revision, number, OLMO)
    world.put("stage2-ingredient1-step1000-tokens3B", 3, OLMO)
    entry = f"{OLMO}@stage*"
    found = world.find(entry, place={"family": "olmo"})
    assert [(c.about["run"], c.about["step"], c.about["tokens"]) for c in found.checkpoints] == [
        ("OLMo-2-0425-1B", 1000, 3e9),
        ("OLMo-2-0425-1B", 10000, 21e9),
    ]
    assert "stage2 may not count the tokens" in reasons(found)[f"{OLMO}@stage2-ingredient1-step1000-tokens3B"]
    # 2,097,152 a step: the name's numbers are rounded up to billions, the product is exact.
    exact = world.find(entry)
    assert [c.about["tokens"] for c in exact.checkpoints] == [2_097_152_000, 20_971_520_000]
    wrong = world.find(entry, place={"family": "olmo", "tokens_per_step": 4_194_304})
    assert "its tokens are 2.1e+10 by the revision's name" in reasons(wrong)[f"{OLMO}@stage1-step10000-tokens21B"]


def test_ladder_yaml_places_what_a_name_does_not(world: World) -> None:
    world.put("main", 9)
    assert reasons(world.find(f"{MODEL}@main"))[f"{MODEL}@main"].startswith("cannot find its step")
    ladder = {f"{MODEL}@step*": {"run": "mine", "family": "f"}, MODEL: {"step": 143001, "tokens": 3e11, "family": "f"}}
    (world.base / "ladder.yaml").write_text(json.dumps(ladder))
    found = world.find(f"{MODEL}@*", ladder="ladder.yaml")
    places = {c.source: (c.about["run"], c.about["step"]) for c in found.checkpoints}
    assert places[f"{MODEL}@main"] == ("pythia-70m", 143001)
    assert places[f"{MODEL}@step512"] == ("mine", 512)


@pytest.mark.parametrize("commit", ["", hub_cache.commit_of(f"{MODEL}@step143000")])
def test_main_is_the_revision_whose_files_it_has(world: World, commit: str) -> None:
    world.put("main", 4, commit=commit)  # as step143000: the same commit, or another with the same files
    found = world.find(f"{MODEL}@*")
    assert (len(found.checkpoints), found.broken) == (3, {})
    assert any(f"{MODEL}@main (as {MODEL}@step143000)" in line for line in found.account.record().told())


def test_the_same_files_at_two_steps_are_told(world: World) -> None:
    """A tag that was moved by mistake, or a folder copied to the wrong name: both are placed, and one is not true."""
    world.put("step2000", 4, commit=hub_cache.commit_of(f"{MODEL}@step143000"))
    found = world.find(f"{MODEL}@*")
    assert len(found.checkpoints) == 4
    said = f"{MODEL}@step2000: has the same files as {MODEL}@step143000, at another step of the same run"
    assert sum(said in line for line in found.account.record().told()) == 1


def test_a_commit_pins_a_revision(world: World) -> None:
    commit = hub_cache.commit_of(f"{MODEL}@step512")
    (world.base / "ladder.yaml").write_text(json.dumps({f"{MODEL}@{commit}": {"run": "pythia-70m", "step": 512}}))
    found = world.find(f"{MODEL}@{commit}", ladder="ladder.yaml")
    assert sources(found) == [f"{MODEL}@{commit}"]
    assert found.checkpoints[0].commit == commit


def test_a_plain_copy_serves_too(world: World, tmp_path: Path) -> None:
    for revision in ("step512", "step1000"):
        shutil.copytree(
            world.cache / HOME / "snapshots" / hub_cache.commit_of(f"{MODEL}@{revision}"),
            tmp_path / "mirror" / MODEL / revision,
        )
    found = world.find(f"{MODEL}@step*", hub_cache=str(tmp_path / "mirror"))
    assert sources(found) == [f"{MODEL}@step512", f"{MODEL}@step1000"]
    assert {c.commit for c in found.checkpoints} == {""}
    assert sources(world.find(f"{MODEL}@step512", hub_cache="../mirror")) == [f"{MODEL}@step512"]


# ---- what is missing ----


def test_missing_revisions_are_one_line_with_the_command(world: World) -> None:
    found = world.find(f"{MODEL}@step512", f"{MODEL}@step2000", f"{MODEL}@step3000", "other/model@step1")
    assert sources(found) == [f"{MODEL}@step512"]
    said = reasons(found)
    assert set(said) == {MODEL, "other/model"}
    assert said[MODEL].startswith(f"step2000, step3000 are not in the hub's cache at {world.cache}, which has step0, ")
    where = f"--cache-dir {world.cache}"
    assert f'for r in step2000 step3000; do hf download {MODEL} --revision "$r" {where}; done' in said[MODEL]
    assert f"hf download other/model --revision step1 {where} (" in said["other/model"]


def test_nothing_at_all_is_a_fault(world: World) -> None:
    said = fault(world, "other/model@step1", "hf://third/one")
    assert "score.checkpoints: other/model: step1 is not in the hub's cache" in said
    assert "score.checkpoints: third/one: main is not in the hub's cache" in said


def test_a_pattern_without_a_match_tells_the_near_ones(world: World) -> None:
    said = fault(world, f"{MODEL}@stop5*")
    assert "matches no revision in the hub's cache" in said
    assert "step512" in said.partition("which has")[2]
    assert f"hf download {MODEL} --revision REVISION" in said
    assert "nothing of this model" in fault(world, "other/model@step*")


def test_a_folder_is_a_folder_and_a_model_a_model(world: World) -> None:
    (world.base / MODEL).mkdir(parents=True)
    said = fault(world, MODEL)
    assert "is a folder, and a model in" in said
    assert f"write ./{MODEL} for the folder, hf://{MODEL} for the model" in said
    assert list(reasons(world.find(f"./{MODEL}", f"{MODEL}@step512"))) == [MODEL]
    other = "runs/mine"
    assert f"for a model of the hub write hf://{other}" in fault(world, other)  # nothing of either
    (world.base / other).mkdir(parents=True)
    assert list(reasons(world.find(other))) == [other]  # a folder, without files
    (world.base / "runs/a@b").mkdir()
    assert list(reasons(world.find("runs/a@b"))) == ["runs/a@b"]


@pytest.mark.parametrize("name", ["org/m@../../../etc", "org/na..me@x", "org/m@a b", "org/m@"])
def test_a_name_that_is_none_is_a_fault(world: World, name: str) -> None:
    assert "names no model" in fault(world, name, f"{MODEL}@step512")


def test_what_matches_now_for_a_pass_that_waits_for_the_rest(world: World) -> None:
    (world.base / "runs/a").mkdir(parents=True)
    here = ["runs/*", f"{MODEL}@step*", MODEL, f"{MODEL}@step99", "absent/model@step1"]
    settings = world.settings(*here, "big/*", "runs/big", "absent/model@step*")
    assert list(discover.matching(settings, world.base)) == here


# ---- a broken cache ----


def snapshot_of(world: World, revision: str) -> Path:
    return world.cache / HOME / "snapshots" / hub_cache.commit_of(f"{MODEL}@{revision}")


def test_one_broken_revision_does_not_cost_the_others(world: World) -> None:
    (snapshot_of(world, "step512") / "model.safetensors").resolve().unlink()  # a link that leads nowhere
    shutil.rmtree(snapshot_of(world, "step1000"))  # a ref without its snapshot
    (world.cache / HOME / "refs" / "step7").write_text("../../../base")
    (world.cache / HOME / "refs" / "step8").write_bytes(b"\xff\xfe\0")
    (world.cache / HOME / "refs" / "step9").mkdir()
    (world.cache / HOME / "refs" / "step10.0a1b2c3d.tmp").write_text("")  # as the library writes one
    found = world.find(f"{MODEL}@step*")
    assert sources(found) == [f"{MODEL}@step143000"]
    said = reasons(found)
    assert set(said) == {MODEL, *(f"{MODEL}@step{n}" for n in (512, 7, 8))}
    again = f"hf download {MODEL} --revision step512 --cache-dir {world.cache}"
    assert said[f"{MODEL}@step512"].startswith("model.safetensors: No such file")
    assert again in said[f"{MODEL}@step512"]
    assert said[MODEL].startswith("step1000 is not in the hub's cache")
    assert "broken: refs/step7 names no commit" in said[f"{MODEL}@step7"]
    assert "cannot be read" in said[f"{MODEL}@step8"]


def test_pickles_are_not_read_and_the_way_out_is_told(world: World) -> None:
    snapshot = snapshot_of(world, "step512")
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    said = reasons(world.find(f"{MODEL}@step512"))[f"{MODEL}@step512"]
    assert "pytorch_model.bin is a pickle, which is not read" in said
    assert f"{MODEL}@refs/pr/N" in said


def test_half_a_download_waits_while_it_goes_on(world: World) -> None:
    (snapshot_of(world, "step512") / "model.safetensors").unlink()
    half = world.cache / HOME / "blobs" / "abc.incomplete"
    half.write_bytes(b"x")
    old = time.time() - 100
    for path in (world.cache / HOME).rglob("*"):
        if path != half and not path.is_symlink():
            os.utime(path, (old, old))
    found = world.find(f"{MODEL}@step512", f"{MODEL}@step1000", quiet_seconds=60)
    assert (found.waiting, sources(found)) == ([f"{MODEL}@step512"], [f"{MODEL}@step1000"])
    os.utime(half, (old, old))
    found = world.find(f"{MODEL}@step512", f"{MODEL}@step1000", quiet_seconds=60)
    assert found.waiting == []
    assert "fetch" in reasons(found)[f"{MODEL}@step512"]


def test_a_snapshot_that_the_library_knows_to_be_partial(world: World) -> None:
    snapshot = snapshot_of(world, "step512")
    names = [
        *(p.name for p in snapshot.iterdir()),
        "special_tokens_map.json",
        "onnx/model.json",
    ]  # not read: not missed
    tree_cache = pytest.importorskip(
        "huggingface_hub._tree_cache", reason="this version of the hub's library has no trees"
    )
    entry = tree_cache.TreeCacheEntry(size=1, blob_id="0" * 40, lfs_sha256=None, lfs_size=None, xet_hash=None)
    tree_cache.write_tree_cache(str(world.cache / HOME), snapshot.name, dict.fromkeys(names, entry))
    said = reasons(world.find(f"{MODEL}@step512", f"{MODEL}@step1000"))[f"{MODEL}@step512"]
    assert said.startswith("lacks files in the hub's cache")
    assert "hf download" in said
    (snapshot / "special_tokens_map.json").write_text("{}")
    assert sources(world.find(f"{MODEL}@step512")) == [f"{MODEL}@step512"]


def test_a_marker_is_for_folders(world: World) -> None:
    assert sources(world.find(f"{MODEL}@step512", marker="DONE")) == [f"{MODEL}@step512"]


def test_a_look_fetches_nothing_and_says_what_would_be(world: World) -> None:
    found = world.find(f"{MODEL}@step512", f"{MODEL}@step9", f"{MODEL}@step1*", "other/model@main", download=True)
    assert found.to_fetch == [f"{MODEL}@step9", f"{MODEL}@step1*", "other/model@main"]
    assert sources(found) == [f"{MODEL}@step{n}" for n in (512, 1000, 143000)]
    assert found.broken == {}


def test_what_is_missing_is_told_before_a_pass_too(world: World) -> None:
    settings = world.settings(f"{MODEL}@step512", f"{MODEL}@step9")
    assert list(discover.missing(settings, world.base)) == [MODEL]
    with pytest.raises(FaultsError, match="is not in the hub's cache"):
        discover.missing(world.settings(f"{MODEL}@step9"), world.base)
