"""Run the notebooks of the documentation and store their outputs; with ``--check`` only compare them.

    python docs/run_notebooks.py [--check]

Exits with 1 when a cell fails, or (``--check``) when an output is another one than the stored.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent / "notebooks"


def outputs(notebook: Any) -> list[tuple[str, str]]:
    """Every code cell with the text of its outputs; pictures may differ by a version of the fonts."""
    return [
        (cell["source"], "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell["outputs"]))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def run(path: Path, check: bool) -> int:
    """Run one notebook in a new kernel; how many outputs are not those that are stored."""
    stored = nbformat.read(path, as_version=4)
    fresh = nbformat.from_dict(stored)
    for cell in fresh["cells"]:
        cell.get("metadata", {}).clear()
    with tempfile.TemporaryDirectory() as folder:  # a notebook may write files
        where = {"metadata": {"path": folder}}
        NotebookClient(fresh, timeout=300, startup_timeout=300, kernel_name="python3", resources=where).execute()
    for cell in fresh["cells"]:
        cell["metadata"] = {}  # when each cell ran is nothing to keep
    before = outputs(stored)
    different = [(a, b) for a, b in zip(before, outputs(fresh), strict=True) if a != b]
    if check:
        for (source, old), (_, new) in different:
            print(f"{path.name}: another output of\n{source}\nstored:\n{old}\nnow:\n{new}")
        return len(different)
    fresh["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(fresh, path)
    return 0


if __name__ == "__main__":
    failed = sum(run(path, "--check" in sys.argv[1:]) for path in sorted(FOLDER.glob("*.ipynb")))
    sys.exit(1 if failed else 0)
