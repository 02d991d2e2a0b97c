"""The register under editors, copies, several processes and odd paths; what was known is never certified."""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from benchcast import run
from benchcast.core import files as store
from benchcast.core.errors import BenchcastError, FaultsError, InputError
from benchcast.data.ingest import demo
from benchcast.registry import known
from benchcast.registry import register as records
from benchcast.registry.settle import settle
from benchcast.reports.documents import settlement
from benchcast.reports.records.forecast import Result
from benchcast.reports.records.settlement import Settlement
from worlds.commands import benchcast, printed

ROOT = Path(__file__).parents[3]
TASKS = ("recall", "word_order", "validation")
RUN = "1.3M-10x"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    whole = demo().table
    return whole[whole["task"].isin(TASKS)]


def end(table: pd.DataFrame, name: str = RUN) -> pd.Series:
    return table[table["run"].eq(name)].sort_values("tokens").iloc[-1]


def forecast(table: pd.DataFrame, tokens: float | None = None, name: str = "my-plan") -> Result:
    """The largest run as a plan under another name, from this table."""
    row = end(demo().table)
    target = {"name": name, "params": row["params"], "tokens": tokens or row["tokens"]}
    return run({"data": {"source": "table"}, "targets": [target], "recipes": ["llama3"], "metric": "acc"}, data=table)


@pytest.fixture(scope="module")
def peeking(table: pd.DataFrame) -> Result:
    """Forecast from a table that has the very run, fitted."""
    return forecast(table)


@pytest.fixture(scope="module")
def honest(table: pd.DataFrame) -> Result:
    return forecast(table[table["run"].ne(RUN)])


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def lines(path: Path) -> list[str]:
    return path.read_text().split("\n")


def test_a_missing_last_newline_is_put_back(honest: Result, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    for _ in range(3):
        records.register(honest, path)
        path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert len(records.read(path)) == len(lines(path)) == 3


def test_an_editor_may_leave_other_ends_of_lines_and_a_byte_order_mark(honest: Result, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    records.register(honest, path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    records.register(honest, path)
    assert len(records.read(path)) == 2


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda x: x + x.removesuffix("\n") + x, "line 2: is not a record .*two records stand on one line"),
        (lambda x: x + x[:300], "line 2: is not a record .*its end is missing: remove this line"),
        (lambda x: x + "\n" + x, "line 2: is not a record .*remove the empty line"),
        (lambda x: x.replace('"title":', '"title":"another","title":', 1), "the key 'title' twice"),
        (lambda x: "", ""),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_appended(
    honest: Result, tmp_path: Path, broken: Callable[[str], str], says: str
) -> None:
    path = tmp_path / "f.jsonl"
    records.register(honest, path)
    path.write_text(broken(path.read_text()))
    before = path.read_bytes()
    if not says:
        records.register(honest, path)  # an empty file is a register without a record
        return
    for attempt in (records.read, records.check, lambda p: records.register(honest, p)):
        with pytest.raises(FaultsError, match=says):
            attempt(path)
    assert path.read_bytes() == before


def test_links_are_one_register_and_the_target_grows(honest: Result, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "f.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(real)
    for path in (link, real, link):
        records.register(honest, path)
    assert link.is_symlink()
    assert len(records.read(real)) == 3
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) in (["f.jsonl"], ["f.jsonl", "f.jsonl.lock"])
    assert [p.name for p in tmp_path.glob("*.lock")] == []


def test_what_is_no_file_is_refused_and_stays(honest: Result, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    for name in ("fifo", "folder", "stdout"):
        for attempt in (records.check, lambda p: records.register(honest, p)):
            with pytest.raises(FaultsError, match=f"{name}: cannot be a register"):
                attempt(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_permissions_are_kept_and_the_umask_obeyed(honest: Result, tmp_path: Path, umask: None) -> None:
    path = tmp_path / "f.jsonl"
    records.register(honest, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    records.register(honest, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_record_is_on_the_disk_when_it_is_said_to_be(
    honest: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), sync(handle))[1])
    path = tmp_path / "f.jsonl"
    records.register(honest, path)
    assert {path.stat().st_ino, tmp_path.stat().st_ino} <= set(synced)


def test_what_could_not_be_read_back_is_not_written(honest: Result, tmp_path: Path) -> None:
    """NaN is null in JSON: where a number must stand, that would end the register."""
    path = tmp_path / "f.jsonl"
    records.register(honest, path)
    first = honest.forecasts[0]
    unknown = honest.model_copy(update={"forecasts": (first.model_copy(update={"stderr": math.nan}),)})
    records.register(unknown, path)
    assert records.read(path)[-1].forecasts[0].stderr is None
    before = path.read_bytes()
    broken = honest.model_copy(update={"forecasts": (first.model_copy(update={"flops": math.nan}),)})
    with pytest.raises(BenchcastError, match=r"forecasts\.0\.flops is not a number"):
        records.register(broken, path)
    assert path.read_bytes() == before


def test_names_may_hold_what_ends_lines_elsewhere(table: pd.DataFrame, tmp_path: Path) -> None:
    odd = "re\u2028c\u0085a\x1cll"
    result = forecast(table[table["run"].ne(RUN)].replace({"task": {"recall": odd}}), name="my\u2029plan")
    for _ in range(2):
        records.register(result, tmp_path / "f.jsonl")
    assert odd in {f.task for f in records.read(tmp_path / "f.jsonl")[1].forecasts}


def test_processes_that_register_at_once_make_one_chain(honest: Result, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(honest.model_dump_json(by_alias=True))
    code = (
        "import sys; from pathlib import Path; from benchcast.registry import register\n"
        "from benchcast.reports.records.forecast import Result\n"
        "result = Result.model_validate_json(Path(sys.argv[1]).read_text())\n"
        "for _ in range(3): register.register(result, Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "result.json"), str(tmp_path / "f.jsonl")]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [p.wait(60) for p in processes] == [0, 0]
    assert len(records.read(tmp_path / "f.jsonl")) == 6


# ---- a score that was known is no truth of a forecast ----


def settled(result: Result, truth: pd.DataFrame, alias: dict[str, str], tmp_path: Path) -> Settlement:
    return settle([records.register(result, tmp_path / "f.jsonl")], truth, alias)


def test_a_run_of_the_table_is_no_forecast_under_whatever_name(
    peeking: Result, table: pd.DataFrame, tmp_path: Path
) -> None:
    renamed = table.replace({"run": {RUN: "final"}})
    other = table["run"].eq(RUN)
    counted = renamed.assign(params=renamed["params"].mask(other, renamed["params"] * 1.02))  # and N counted otherwise
    rounded = counted.assign(
        value=counted["value"].round(3), tokens=counted["tokens"].mask(other, counted["tokens"] * 0.99)
    )
    for truth, name in ((table, RUN), (renamed, "final"), (counted, "final"), (rounded, "final")):
        found = settled(peeking, truth, {"my-plan": name}, tmp_path)
        assert (found.known, found.coverage, found.mean_error, found.calibration) == (2, None, None, ())
        assert all(s.known and s.fitted for s in found.settled)
        [note] = found.notes
        assert (
            "was in the table that the forecast was fitted on, so it does not count as a test (2: recall, word_order)"
            in note
        )
        said = settlement.summary(Settlement.model_validate_json(found.model_dump_json()))
        assert said[0].startswith("No forecast has been settled")
        assert Settlement.model_validate_json(found.model_dump_json()) == found


def test_an_earlier_checkpoint_of_a_fitted_run_is_no_forecast(table: pd.DataFrame, tmp_path: Path) -> None:
    tokens = sorted(table.loc[table["run"].eq(RUN), "tokens"].unique())[-4]
    cut = table[table["run"].ne(RUN) | table["tokens"].le(tokens)].replace({"run": {RUN: "stopped early"}})
    found = settled(forecast(table, tokens), cut, {"my-plan": "stopped early"}, tmp_path)
    assert all(s.fitted for s in found.settled)


def test_an_honest_forecast_still_settles(honest: Result, table: pd.DataFrame, tmp_path: Path) -> None:
    found = settled(honest, table, {"my-plan": RUN}, tmp_path)
    assert (found.known, found.notes) == (0, ())
    assert found.coverage is not None


def test_a_run_that_was_in_the_table_and_not_fitted_was_known(table: pd.DataFrame, tmp_path: Path) -> None:
    row = end(table)
    result = run(
        {
            "data": {"source": "table"},
            "runs": {"exclude": [RUN]},
            "recipes": ["llama3"],
            "metric": "acc",
            "targets": [{"name": "my-plan", "params": row["params"], "tokens": row["tokens"]}],
        },
        data=table,
    )
    found = settled(result, table, {"my-plan": RUN}, tmp_path)
    assert all(s.known and not s.fitted for s in found.settled)
    assert "was in the data when the forecast was registered" in " ".join(found.notes)


def test_a_run_of_the_same_size_in_another_family_is_another_run(table: pd.DataFrame, tmp_path: Path) -> None:
    other = table.assign(run="other " + table["run"], family="other", value=table["value"] * 0.93)
    result = forecast(pd.concat([table[table["run"].ne(RUN)], other]))
    own = result.model_copy(update={"forecasts": tuple(f for f in result.forecasts if f.family != "other")})
    found = settled(own, table, {"my-plan": RUN}, tmp_path)
    assert not any(s.known for s in found.settled)


def test_a_score_of_fewer_checkpoints_than_were_forecast_is_said(
    honest: Result, table: pd.DataFrame, tmp_path: Path
) -> None:
    smooth = honest.model_copy(update={"forecasts": tuple(f.model_copy(update={"last": 3}) for f in honest.forecasts)})
    assert settled(smooth, table, {"my-plan": RUN}, tmp_path).notes == ()
    only = table[table["run"].ne(RUN) | table["tokens"].eq(end(table)["tokens"])]
    [note] = settled(smooth, only, {"my-plan": RUN}, tmp_path).notes
    assert note.startswith(f"{RUN} has 1 of the last 3 checkpoints that its score is the mean of")


def test_another_seed_of_a_fitted_run_is_not_called_that_run(table: pd.DataFrame, tmp_path: Path) -> None:
    seed = table[table["run"].eq(RUN)].assign(run="s1", value=lambda t: t["value"] * 0.97)
    [note] = settled(forecast(table), pd.concat([table, seed]), {"my-plan": "s1"}, tmp_path).notes
    assert note.startswith(f"s1 has the parameters and tokens, or the scores, of {RUN}, which was in the table")


def test_an_older_record_does_not_say_and_that_is_said(peeking: Result, table: pd.DataFrame, tmp_path: Path) -> None:
    record = records.register(peeking, tmp_path / "f.jsonl").model_copy(update={"seen": None})
    found = settle([record], table, {"my-plan": RUN})
    assert [note.split(":")[0] for note in found.notes] == [
        "2 forecasts were registered by an earlier version, which did not record the table they were fitted on"
    ]


def test_registering_says_so_before(peeking: Result, honest: Result) -> None:
    [line] = known.already(peeking)
    assert "'my-plan' has the parameters and tokens of 1.3M-10x, which is fitted: it is not a forecast" in line
    assert known.already(honest) == []


def test_a_part_of_the_documents_or_another_version_does_not_settle(
    honest: Result, table: pd.DataFrame, tmp_path: Path
) -> None:
    own = table["run"].eq(RUN) & table["metric"].isin(["acc", "acc_norm"])
    partial = table.assign(n=table["n"].mask(own & table["task"].eq("recall"), 10))
    found = settled(honest, partial, {"my-plan": RUN}, tmp_path)
    assert [s.task for s in found.settled] == ["word_order"]
    assert (found.open, "recall was measured on 10 documents, and forecast of 800" in found.notes[0]) == (1, True)
    versions = table["task_version"].mask(own & table["task"].eq("word_order"), "2")
    found = settled(honest, table.assign(task_version=versions), {"my-plan": RUN}, tmp_path)
    assert [s.task for s in found.settled] == ["recall"]
    assert "word_order is version 2 in the table, and was forecast as version" in found.notes[0]
    both = partial.assign(task_version=versions)
    with pytest.raises(InputError, match="does not settle it"):
        settled(honest, both, {"my-plan": RUN}, tmp_path)


def test_the_command_does_not_certify_what_was_fitted(table: pd.DataFrame, tmp_path: Path) -> None:
    """As a user would: register a plan with the size of a run in the table, settle it with that run."""
    store.write_table(table, tmp_path / "ladder.csv")
    row = end(table)
    (tmp_path / "peek.yaml").write_text(
        f"data: {{source: table, path: ladder.csv}}\nrecipes: [llama3]\ntasks: [recall]\n"
        f"targets: [{{name: my-plan, params: {row.params}, tokens: {row.tokens}}}]\n"
    )
    registered = benchcast("register", "peek.yaml", "--register", "f.jsonl", cwd=tmp_path)
    assert registered.returncode == 0
    assert "warning: 'my-plan' has the parameters and tokens of 1.3M-10x" in registered.stderr
    settling = ("settle", "ladder.csv", "--register", "f.jsonl", "--as", f"my-plan={RUN}")
    settlement = json.loads(printed(*settling, "--json", cwd=tmp_path))
    assert (settlement["known"], settlement["coverage"], settlement["mean_error"]) == (1, None, None)
    said = " ".join(printed(*settling, cwd=tmp_path).split())
    assert "was in the table that the forecast was fitted on, so it does not count as a test" in said
