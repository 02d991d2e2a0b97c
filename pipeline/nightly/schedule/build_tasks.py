"""``python -m benchcast.nightly.schedule.build_tasks CONFIG``: build every task of a config, and print which cannot be.

For ``doctor``, which runs it with the network switched off, in a process of its own: whether a network may be used is
decided when the libraries are imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ...core.errors import BenchcastError
from ..settings import settings_of

MARK = "benchcast-unbuilt"  # begins the lines that are meant for the doctor: libraries print too


def main(path: Path) -> int:
    """Print a line per task that cannot be built; exit code 1 if there is one."""
    from ...scoring.requests import tasks
    from ...scoring.requests.kinds.texts import read_texts

    config, _ = settings_of(path)
    assert config.score is not None
    try:
        with tasks.cached_templates(), tasks.quiet():
            read_texts(config.score, path.parent)
            _, unbuilt = tasks.load(config.score, path.parent)
    except BenchcastError as error:
        unbuilt = {"tasks": str(error)}
    for name, reason in unbuilt.items():
        sys.stdout.write(f"{MARK} {name} {' '.join(str(reason).split())}\n")
    return 1 if unbuilt else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
