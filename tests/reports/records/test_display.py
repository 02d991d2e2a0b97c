"""How records print: through the renderer that the package's face names, and through no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from benchcast.reports.records import display
from worlds.reports import as_record, make_graded


class Told:
    """A renderer that only says what it was asked for."""

    def as_line(self, record: Any) -> str:
        return f"line of {record.title}"

    def as_figure(self, record: Any, task: str | None = None, family: str | None = None) -> Any:
        return f"{task or 'answer'} of {record.title}"

    def as_text(self, record: Any) -> str:
        return f"text of {record.title}"

    def as_html(self, record: Any) -> str:
        return f"html of {record.title}"

    def as_frame(self, record: Any) -> pd.DataFrame:
        return pd.DataFrame({"title": [record.title]})

    def write_report(self, record: Any, out: Path, html: bool = False) -> dict[str, Path]:
        return {"pdf": out / f"{record.title}.pdf"} | ({"html": out / "page.html"} if html else {})


def test_a_record_asks_the_renderer_in_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(display, "_load", Told)
    result = as_record(make_graded() | {"title": "t"})
    assert str(result) == "text of t"
    assert result._repr_html_() == "html of t"
    assert list(result.to_frame()["title"]) == ["t"]
    assert result.write(str(tmp_path)) == {"pdf": tmp_path / "t.pdf"}
    assert set(result.write(tmp_path, html=True)) == {"pdf", "html"}
    assert repr(result) == "<Result: line of t>"
    assert result.plot("quiz") == "quiz of t"


def test_records_without_their_package_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_load", None)
    with pytest.raises(RuntimeError, match="import benchcast"):
        str(as_record(make_graded()))
    assert repr(as_record(make_graded() | {"title": "t"})) == "<Result: t>"  # a debugger must always have a line


def test_the_face_names_the_packages_own() -> None:
    assert display.renderer().__name__ == "benchcast.report"  # type: ignore[attr-defined]
