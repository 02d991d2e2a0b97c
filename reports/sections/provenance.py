"""What produced a result: versions, digests, the configuration, and the command that gives it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from ..records.base import Provenance
from ..text.table import Table, table
from ..text.wording import clean


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the last section shows: facts, sentences about the data, what its reader left out, and the config."""

    facts: Table
    about: list[str]
    account: list[str]
    config: str
    command: str


def origin(p: Provenance) -> Origin:
    """The section of a run's report."""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(p.packages.items()))
    rows = [["Benchcast", p.benchcast], ["Python", p.python], ["Packages", packages]]
    rows += [["Data", f"{p.data} ({p.rows} rows)"], ["Data digest", p.data_digest]]
    rows += [["Configuration digest", p.config_digest]]
    command = p.config.get("command")
    given = isinstance(command, str) and command.strip()
    return Origin(
        facts=table([("", "l", 1.3), ("", "l", 6)], [[clean(cell) for cell in row] for row in rows]),
        about=[clean(sentence) for sentence in p.about],
        account=[clean(line) for line in p.account.decisions()],
        config=yaml.dump(_said(p.config), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=96),
        command=clean(command) if given else "benchcast run config.yaml",
    )


def _said(config: Any) -> Any:
    """A config without keys that say nothing: an empty list or mapping is what a config has that does not name it."""
    if not isinstance(config, dict):
        return config
    said = {key: _said(value) for key, value in config.items()}
    return {key: value for key, value in said.items() if value != [] and value != {}}


class Dumper(yaml.SafeDumper):
    """YAML with large numbers as powers of ten."""


def _float(dumper: Any, value: float) -> Any:
    """``6.9e+09``, with the point and the sign without which YAML 1.1 would read a string."""
    if not 1e6 <= abs(value) < float("inf"):
        return dumper.represent_float(value)
    digits = next(n for n in range(1, 18) if float(f"{value:.{n}e}") == value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:.{digits}e}")


Dumper.add_representer(float, _float)
