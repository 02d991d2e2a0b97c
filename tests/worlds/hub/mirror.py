"""A mirror of the Hugging Face hub on this machine: the few endpoints that listing and fetching revisions take."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .cache import commit_of


class Mirror(http.server.ThreadingHTTPServer):
    """Serves ``folder/org/name/revision``; ``asked`` are the requests, ``refused`` are files (revision/name)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []
        self.refused: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mirror

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.asked.append(f"{self.command} {path}")
        parts = path.split("/")
        if parts[:2] == ["api", "models"]:
            self._api("/".join(parts[2:4]), parts[4], "/".join(parts[5:]))
        elif parts[2:3] != ["resolve"]:
            self._send(404, b"", {})
        else:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _api(self, model: str, what: str, revision: str) -> None:
        revisions = {p.name: commit_of(f"{model}@{p.name}") for p in (self.server.folder / model).iterdir()}
        if what == "refs":
            refs = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in revisions.items()]
            return self._json({"branches": refs, "converts": [], "tags": []})
        name = next((n for n, commit in revisions.items() if revision in (n, commit)), None)
        if name is None:
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = sorted((self.server.folder / model / name).iterdir())
        if what == "revision":
            return self._json({"id": model, "sha": revisions[name], "siblings": [{"rfilename": p.name} for p in files]})
        return self._json([{"type": "file", "path": p.name, "size": p.stat().st_size, "oid": _etag(p)} for p in files])

    def _file(self, model: str, commit: str, name: str) -> None:
        folders = (self.server.folder / model).iterdir()
        folder = next(p for p in folders if commit in (p.name, commit_of(f"{model}@{p.name}")))
        path = folder / name
        if f"{folder.name}/{name}" in self.server.refused and self.command == "GET":
            return self._send(403, b"", {})
        about = {"ETag": f'"{_etag(path)}"', "X-Repo-Commit": commit_of(f"{model}@{folder.name}")}
        return self._send(200, path.read_bytes(), about)

    def _json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def mirror(folder: Path) -> Iterator[Mirror]:
    """A running mirror of the models in a folder."""
    server = Mirror(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
