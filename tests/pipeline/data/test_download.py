"""Downloads against a real HTTP server on this machine: pinned hashes, resumption, a clear error."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchcast.core.errors import BenchcastError
from benchcast.data import download
from benchcast.data.sources.model_ladder import reader as model_ladder
from worlds.ladders import published


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "www"
    shutil.copytree(published("olmo_ladder") / "ladder-runs", folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=folder)) as www:
        threading.Thread(target=www.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{www.server_port}/", folder
        www.shutdown()


def test_download_then_read(server: tuple[str, Path], tmp_path: Path) -> None:
    base, www = server
    folder = download.fetch("model_ladder", base, tmp_path / "cache")
    assert {p.name for p in folder.glob("*.csv")} == set(download.registry("model_ladder"))
    assert model_ladder.read_model_ladder(folder)["run"].nunique() == 30
    shutil.rmtree(www)
    assert download.fetch("model_ladder", base, tmp_path / "cache") == folder  # nothing left to download


def test_a_changed_file_is_refused(server: tuple[str, Path], tmp_path: Path) -> None:
    base, www = server
    (www / "190M-1xC.csv").write_text("tampered\n")
    with pytest.raises(BenchcastError, match=r"190M-1xC\.csv"):
        download.fetch("model_ladder", base, tmp_path / "cache")
    assert not (tmp_path / "cache" / "model_ladder" / "190M-1xC.csv").exists()


def test_hashes_are_those_of_the_published_over_training_files() -> None:
    import hashlib

    folder = published("gadre2024") / "exp_data"
    pinned = download.registry("overtraining")
    assert len(pinned) == 139
    for name, digest in pinned.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
