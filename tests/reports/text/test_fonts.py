"""Which fonts a text is set in."""

from __future__ import annotations

from typing import Any

import pytest
from benchcast.reports.text import fonts
from worlds.reports import as_record, make_result


def test_latin_names_look_at_no_other_font(monkeypatch: Any) -> None:
    monkeypatch.setattr(fonts, "_candidates", lambda: pytest.fail("looked for fonts"))
    fonts.choose.cache_clear()
    with fonts.fonts_for(as_record(make_result(tasks=("mmlu",)))) as chosen:
        assert chosen == fonts.FontSet()


@pytest.mark.parametrize(("text", "region"), [("任务", "SC"), ("かな読解", "JP"), ("한국 常識", "KR")])
def test_regional_forms_follow_the_characters(text: str, region: str) -> None:
    pytest.importorskip("noto_cjk_sans_otc")
    assert fonts.choose(frozenset(text)).families[0] == f"Noto Sans CJK {region}"
