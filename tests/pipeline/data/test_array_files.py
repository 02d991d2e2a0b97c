"""Arrays of somebody else: what is wrong with a file is one line that says it, and only that."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from benchcast.core.errors import UnreadableError
from benchcast.data import array_files


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, nll=np.arange(2000, dtype=np.float32), run=np.array(["a", "b"]))
    return path


def test_what_was_written_is_read(whole: Path) -> None:
    assert array_files.names(whole) == ("nll", "run")
    np.testing.assert_array_equal(array_files.read_arrays(whole, ["nll"])["nll"], np.arange(2000))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_a_file_that_was_cut_off_is_not_whole(whole: Path, share: float) -> None:
    content = whole.read_bytes()
    whole.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UnreadableError, match=r"is not a complete \.npz file"):
        array_files.read_arrays(whole, ["nll"])


def test_a_damaged_member_is_not_whole(whole: Path) -> None:
    content = bytearray(whole.read_bytes())
    content[400:420] = bytes(20)
    whole.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"is not a complete \.npz file"):
        array_files.read_arrays(whole, ["nll"])


def test_a_damaged_member_of_any_compression_is_not_whole(whole: Path) -> None:
    member = io.BytesIO()
    np.save(member, np.arange(20000))
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("nll.npy", member.getvalue())
    content = bytearray(whole.read_bytes())
    content[200:260] = b"\xff" * 60
    whole.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"is not a complete \.npz file"):
        array_files.read_arrays(whole, ["nll"])


def test_an_encrypted_member_says_so(whole: Path) -> None:
    content = bytearray(whole.read_bytes())
    for at in (content.find(b"PK\x03\x04") + 6, content.find(b"PK\x01\x02") + 8):  # flags, local and central
        content[at] |= 1
    whole.write_bytes(content)
    with pytest.raises(UnreadableError, match="'nll' is encrypted"):
        array_files.read_arrays(whole, ["nll"])


@pytest.mark.parametrize("header", ["(" * 4000, "{'descr': '<f4'}", "not a literal"])
def test_a_header_that_is_none_is_named(tmp_path: Path, header: str) -> None:
    file = io.BytesIO()
    file.write(np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 16)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("nll.npy", file.getvalue())
    with pytest.raises(UnreadableError, match="'nll' has a header that cannot be read"):
        array_files.read_arrays(tmp_path / "a.npz", ["nll"])


@pytest.mark.parametrize("error", [MemoryError, KeyError("a mistake of ours"), RuntimeError("a mistake of ours")])
def test_what_is_no_fault_of_the_file_is_not_blamed_on_it(
    whole: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | BaseException
) -> None:
    def fails(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(np.lib.format, "read_array", fails)
    with pytest.raises((MemoryError, KeyError, RuntimeError)):
        array_files.read_arrays(whole, ["nll"])


def test_a_file_that_may_not_be_read_says_that(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", denied)
    for read in (lambda: array_files.names(whole), lambda: array_files.read_arrays(whole, ["nll"])):
        with pytest.raises(UnreadableError, match=r"^Permission denied$"):
            read()
