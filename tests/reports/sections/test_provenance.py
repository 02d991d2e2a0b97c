"""The config that a report prints gives the same forecast again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from benchcast.core.config import Config
from benchcast.reports.sections.provenance import origin
from worlds.ladders import ROOT
from worlds.reports import as_record, make_graded


@pytest.mark.parametrize("name", ["demo", "gadre2024", "mixes", "references"])
def test_the_printed_config_is_the_given_one_without_empty_keys(name: str) -> None:
    given = Config.model_validate(yaml.safe_load((Path(ROOT) / "configs" / f"{name}.yaml").read_text()))
    plain = given.model_dump(mode="json", exclude_none=True)
    record = as_record(make_graded()).provenance.model_copy(update={"config": plain})
    shown = origin(record).config
    assert "[]" not in shown
    assert "{}" not in shown
    assert Config.model_validate(yaml.safe_load(shown)) == given
