"""N of a run from the ``config.json`` beside its states, compared with what ``ladder.yaml`` says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from benchcast.reports.records.account import Account
from benchcast.stages.compute.architecture import EXPERTS, Architecture
from benchcast.stages.notices import readers

from ....core import reading
from ....core.errors import Fault
from ...places.ladder import LADDER

CONFIG = "config.json"
ROUNDED = 0.02  # 1.3e9 for 1,279,395,840 is the same number
FACTOR = 2.0


@dataclass(frozen=True)
class Size:
    """What ``config.json`` says: N with embeddings, without the input embedding, without the head; or why not."""

    params: tuple[float, ...] = ()
    why: str = ""

    @classmethod
    def of(cls, folder: Path, top: Path) -> Size:
        """From the checkpoint's folder, else the folder above it, but none above ``top``."""
        places = [folder, *([folder.parent] if folder != top and folder.name.startswith("checkpoint-") else [])]
        path = next((place / CONFIG for place in places if os.path.lexists(place / CONFIG)), None)
        if path is None:
            return cls()
        try:
            config = reading.json_of(reading.data(path, reading.MOST_CONFIG))
            if not isinstance(config, dict):
                return cls(why=f"{CONFIG} is not a mapping")
            if experts := [f"{key} {config[key]}" for key in EXPERTS if (config.get(key) or 0) not in (0, 1)]:
                return cls(why=f"{CONFIG} is of a mixture of experts, {experts[0]}: N cannot be counted from it")
            model = Architecture.from_config(config)
        except (ValueError, TypeError, OverflowError) as error:
            return cls(why=f"{CONFIG}: {error}")
        ways = ((True, True), (False, True), (False, False))
        return cls(tuple(float(model.params(embeddings=e, head=h)) for e, h in ways))

    def beside(self, params: float | None, run: str, where: str, account: Account, faults: list[Fault]) -> float | None:
        """N to take when ``ladder.yaml`` says ``params``, or says nothing; None where neither tells."""
        if params is None:
            return self.params[0] if self.params else None
        if self.why:
            account.note(readers.PARAMS_DIFFER(f"run {run!r}", params=params, file=LADDER, why=self.why))
            return params
        if not self.params:
            return params
        near = min(self.params, key=lambda own: abs(own / params - 1))
        if not 1 / FACTOR <= near / params <= FACTOR:
            what = f"run {run!r}: {LADDER} says {params:g} parameters, {CONFIG} has {self.params[0]:.9g}"
            faults.append(Fault(where, what, "correct one of them"))
        elif abs(near / params - 1) > ROUNDED:
            account.note(
                readers.PARAMS_DIFFER(f"run {run!r}", file=LADDER, params=params, config=CONFIG, own=self.params[0])
            )
        return params
