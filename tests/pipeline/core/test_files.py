"""Writing looks at what a path is: links, FIFOs, devices, permissions; and fails without a trace."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from benchcast.core import files as store
from benchcast.core.errors import BenchcastError
from benchcast.reports.documents import writing

ROOT = Path(__file__).parents[3]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes and gives files away")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "real").write_text("old")
    (tmp_path / "inner").symlink_to("deep/real")
    (tmp_path / "outer").symlink_to(tmp_path / "inner")
    (tmp_path / "coming").symlink_to("deep/new")
    store.write_text("new", tmp_path / "outer")
    store.write_text("made", tmp_path / "coming")
    assert (tmp_path / "deep" / "real").read_text() == "new"
    assert (tmp_path / "deep" / "new").read_text() == "made"
    assert all((tmp_path / name).is_symlink() for name in ("inner", "outer", "coming"))
    assert names(tmp_path / "deep") == ["new", "real"]


def test_links_that_lead_nowhere_or_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "gone").symlink_to("no/such/file")
    for name in ("a", "gone"):
        with pytest.raises(BenchcastError, match=f"{name}: cannot be written"):
            store.write_text("x", tmp_path / name)
    assert names(tmp_path) == ["a", "b", "gone"]


def test_a_fifo_is_written_and_not_replaced(tmp_path: Path) -> None:
    fifo, heard = tmp_path / "fifo", list[bytes]()
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: heard.append(fifo.read_bytes()))
    reader.start()
    store.write_table(pd.DataFrame({"a": [1]}), fifo)
    reader.join(10)
    assert heard == [b"a\n1\n"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_fifo_that_nobody_reads_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "READER", 0.1)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BenchcastError, match="nobody has opened to read"):
        store.write_text("x", tmp_path / "fifo")


@AS_ROOT
def test_devices_are_written_or_refused_and_never_replaced(tmp_path: Path) -> None:
    try:
        for name, kind, major, minor in (
            ("null", stat.S_IFCHR, 1, 3),
            ("full", stat.S_IFCHR, 1, 7),
            ("disk", stat.S_IFBLK, 7, 99),
        ):
            os.mknod(tmp_path / name, kind | 0o666, os.makedev(major, minor))
    except PermissionError:
        pytest.skip("no device nodes in this container")
    before = {name: (tmp_path / name).stat().st_rdev for name in names(tmp_path)}
    store.write_text("x", tmp_path / "null")
    for name, what in (("full", "No space left"), ("disk", "is a disk")):
        with pytest.raises(BenchcastError, match=what):
            store.write_text("x", tmp_path / name)
    assert {name: (tmp_path / name).stat().st_rdev for name in names(tmp_path)} == before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are not shown here")
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_standard_output_by_name_comes_in_order(tmp_path: Path, to: str) -> None:
    """Also where it is a file: that is not replaced, and what is said before and after keeps its place."""
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    code = (
        "import sys; from pathlib import Path; from benchcast.core import files as store\n"
        "for n, path in enumerate(sys.argv[1:]):\n    print('before', n); store.write_text(f'{n}\\n', Path(path))\n"
        "print('end')"
    )
    paths = ["/dev/stdout", "/proc/self/fd/1", "/proc/thread-self/fd/1", "/dev/fd/1", str(tmp_path / "link")]
    command = [sys.executable, "-c", code, *paths]
    if to == "pipe":
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    else:
        with (tmp_path / "out").open("w") as file:
            subprocess.run(command, stdout=file, check=True)
        said = (tmp_path / "out").read_text()
    assert said == "".join(f"before {n}\n{n}\n" for n in range(len(paths))) + "end\n"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("name", "what"),
    [(".", "is a folder"), ("x" * 300, "too long"), ("a\0b", "null"), ("file/below", "File exists|Not a directory")],
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(BenchcastError, match=what) as told:
        store.write_text("x", tmp_path / name)
    assert "\n" not in str(told.value)
    assert names(tmp_path) == ["file"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    store.write_text("x", tmp_path / ("ü" * 127))
    assert len(names(tmp_path)) == 1


def test_permissions_are_those_of_the_file_or_of_the_umask(tmp_path: Path, umask: None) -> None:
    store.write_text("x", tmp_path / "new")
    assert mode(tmp_path / "new") == 0o600
    (tmp_path / "new").chmod(0o640)
    store.write_text("y", tmp_path / "new")
    writing.write_all({tmp_path / "new": b"z", tmp_path / "other": b"z"})
    assert (mode(tmp_path / "new"), mode(tmp_path / "other")) == (0o640, 0o600)
    os.umask(0)
    store.write_text("secret", tmp_path / "new", mode=0o600)
    store.write_text("plain", tmp_path / "third")
    assert (mode(tmp_path / "new"), mode(tmp_path / "third")) == (0o600, 0o666)


@AS_ROOT
def test_the_owner_is_kept(tmp_path: Path) -> None:
    store.write_text("x", tmp_path / "a")
    os.chown(tmp_path / "a", 12345, 23456)
    store.write_text("y", tmp_path / "a")
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (12345, 23456)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is write-protected")
def test_a_write_protected_file_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(BenchcastError, match="write-protected"):
        store.write_text("x", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "mine"


def test_nobody_can_know_the_name_of_the_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And if a link is there all the same, it is not followed."""
    seen: list[tuple[str, int]] = []
    opened = os.open

    def spy(path: str | Path, flags: int, *more: int) -> int:
        seen.append((Path(path).name, flags))
        return opened(path, flags, *more)

    monkeypatch.setattr(writing.os, "open", spy)
    for _ in range(2):
        writing.write_all({tmp_path / "result.json": b"x"}, durable=False)
    assert len({name for name, _ in seen}) == 2
    assert all(flags & os.O_EXCL and str(os.getpid()) not in name.split(".") for name, flags in seen)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr(writing.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / ".result.json.guessed.part").symlink_to(victim)
    with pytest.raises(FileExistsError):
        writing.write_all({tmp_path / "result.json": b"y"})
    assert (victim.read_text(), (tmp_path / "result.json").read_text()) == ("precious", "x")


FULL = """
import resource, sys; from pathlib import Path; from benchcast.core import files as store
from benchcast.core.errors import BenchcastError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for write in (store.write_text, lambda text, path: store.append_line(text, path)):
    try:
        write("x" * 100_000, Path(sys.argv[1]))
    except BenchcastError as error:
        print(error)
"""


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on the size of files is the full disk of a process."""
    path = tmp_path / "a"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("cannot be written (File too large)") == 2
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_of_several_files_none_is_moved_if_one_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    with pytest.raises(OSError, match="is a folder"):
        writing.write_all({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a", "b"]


def test_what_must_survive_a_power_failure_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def move(old: str, new: str) -> None:
        done.append("name")
        replace(old, new)

    monkeypatch.setattr(writing.os, "fsync", fsync)
    monkeypatch.setattr(writing.os, "replace", move)
    store.write_text("x", tmp_path / "a", durable=True)
    store.append_line("one", tmp_path / "b")
    store.append_line("two", tmp_path / "b")
    assert done == ["file", "name", "folder", "file", "folder", "file"]


def test_a_line_is_never_put_behind_another(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    store.append_line("one", path)
    path.write_text("one")  # an editor, or a copy, dropped the last newline
    store.append_line("two\u2028still two", path)
    assert path.read_bytes() == "one\ntwo\u2028still two\n".encode()
    (tmp_path / "link").symlink_to(path)
    store.append_line("three", tmp_path / "link")
    assert path.read_text().split("\n")[2:] == ["three", ""]
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BenchcastError, match="not a file"):
        store.append_line("x", tmp_path / "fifo")


def test_the_store_loads_no_typesetter() -> None:
    code = "import sys, benchcast.core.files; print({'typst', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
