"""A crontab and a systemd of the test's own: programs of these names, first on the path, that keep what they get."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from worlds import nightly as world

# crontab(1) as far as it matters here: -l, -r and -; refuses a text without a newline at its end.
CRONTAB = """#!/bin/sh
table="$FAKE_CRONTAB"
case "$1" in
    -l) if [ -f "$table" ]; then cat "$table"; else echo "no crontab for someone" >&2; exit 1; fi;;
    -r) rm "$table";;
    -) cat > "$table.new"
       [ -n "$(tail -c 1 "$table.new")" ] && { echo "new crontab file is missing newline before EOF" >&2; exit 1; }
       mv "$table.new" "$table";;
esac
"""
# systemctl --user: writes down what it is told; enable makes the link that the real one makes.
SYSTEMCTL = """#!/bin/sh
echo "$@" >> "$FAKE_SYSTEMCTL"
units="$XDG_CONFIG_HOME/systemd/user"
if [ "$2" = enable ]; then
    mkdir -p "$units/timers.target.wants"
    ln -sf "$units/$4" "$units/timers.target.wants/$4"
fi
"""


def prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put both on the path, and make a table world in a folder with an awkward name; returns its config."""
    programs = folder / "bin"
    programs.mkdir()
    for name, text in (("crontab", CRONTAB), ("systemctl", SYSTEMCTL)):
        write(folder, name, text)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CRONTAB", str(folder / "table"))
    monkeypatch.setenv("FAKE_SYSTEMCTL", str(folder / "told"))
    monkeypatch.setenv("HF_HOME", "/some where/it's")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "xdg"))
    monkeypatch.setenv("UNRELATED", "secret")
    (folder / "xdg" / "matplotlib").mkdir(parents=True)  # where the process of the commands has matplotlib look
    place = folder / "a folder, 100% 'mine'"
    place.mkdir()
    return world.make(place)


def write(folder: Path, name: str, text: str) -> None:
    """Write a program that stands for the real one."""
    (folder / "bin" / name).write_text(text)
    (folder / "bin" / name).chmod(0o755)


def files(folder: Path) -> dict[str, bytes]:
    """Everything that an install could leave behind, folders too."""
    skipped = {"bin", "told"}
    found = [path for path in folder.rglob("*") if path.relative_to(folder).parts[0] not in skipped]
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for path in found
    }
