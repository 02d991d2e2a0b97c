"""What a pass would score, without doing it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from .settings import limits_of, score_settings, settings_of


def planned_lines(path: Path) -> Iterator[str]:
    """A line for every checkpoint with the tasks it lacks, in the order a pass would take them, and a sum.

    Raises
    ------
    InputError
        As the pass would.
    """
    config, settings = settings_of(path)
    base = path.resolve().parent
    if config.score is None:
        yield "the config has no score section: nothing is scored"
        return
    from ..scoring.run import lacking
    from ..scoring.store import Store

    with tempfile.TemporaryDirectory() as empty:  # a store that does not exist is not made
        folder = base / config.score.store
        store = Store(folder if folder.is_dir() else Path(empty))
        missing = lacking(score_settings(config, base), base, store, limits_of(settings, timed=False))
    for source, names in missing.items():
        yield f"{source}: {', '.join(names)}"
    yield f"{sum(map(len, missing.values()))} cells of {len(missing)} checkpoints would be scored"
