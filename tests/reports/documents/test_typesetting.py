"""What Typst is given: text as text, and of formulas only mathematics."""

from __future__ import annotations

import pytest
import typst
from benchcast.reports.documents import typesetting


@pytest.mark.parametrize(
    ("formula", "good"),
    [
        ("L = E + (a M^eta + b M^(-eta)) C^(-eta)", True),
        ('"Err" = epsilon - k exp(-gamma L)', True),
        ("L = frac(1", False),
        ("undefinedname", False),
        ('#read("template.typ")', False),
        ('std.read("template.typ")', False),
    ],
)
def test_formulas_are_tried_before_they_are_set(formula: str, good: bool) -> None:
    assert typesetting.is_mathematics(formula) is good


def test_text_is_read_as_text_by_the_templates() -> None:
    sources = {path.name: path.read_text("utf-8") for path in typesetting.HERE.glob("*.typ")}
    assert {name: text.count("eval(") for name, text in sources.items() if "eval(" in text} == {"beside.typ": 1}, (
        "only formulas may be evaluated"
    )
    assert all(len(text.splitlines()) < 150 for text in sources.values())
    with pytest.raises(typst.TypstError):
        typst.compile({"main.typ": b'#read("/etc/passwd")'}, root=str(typesetting.HERE))
