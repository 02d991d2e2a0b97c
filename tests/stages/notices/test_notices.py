"""Notices: every code is said, read back, documented and used; what is kept as text is found again."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from benchcast.nightly.alerts.rules import rules
from benchcast.reports.records.notices import StoredNotice
from benchcast.stages.notices import CODES, OTHER, Code, Severity, grading, laws, nightly, read, recalled
from benchcast.stages.notices.notice import names
from pydantic import BaseModel
from worlds.ladders import ROOT

rules()  # a rule may bring its own code
AREAS = ROOT / "stages" / "notices"
SOURCES = [p for wing in ("pipeline", "stages", "reports") for p in sorted((ROOT / wing).rglob("*.py"))]
NUMBERS = (0.0, 1.5, -3.25, 123456.789, 2.5e22, 1e-9, 1e300)
CASES = [
    pytest.param(code, sentence, id=f"{code.name}-{i}")
    for code in CODES.values()
    for i, sentence in enumerate(code.sentences())
]


def facts(sentence: str, number: float) -> dict[str, Any]:
    """Values for a sentence: counts, numbers and words, as its formats want them."""
    kinds: dict[str, Any] = {}
    for _, name, spec, conversion in Formatter().parse(sentence):
        if name:
            word = f"it's {name}" if conversion else name
            kinds[name] = int(number) % 1000 if str(spec).endswith("d") else number if spec else word
    return kinds


def is_all_values(sentence: str) -> bool:
    """Whether it has no word of its own, such as the reason of a failure: from text alone nobody can tell its code."""
    return not any(literal.strip() for literal, *_ in Formatter().parse(sentence))


@pytest.mark.parametrize(("code", "sentence"), CASES)
def test_every_code_is_said_and_read_back(code: Code, sentence: str) -> None:
    for number in NUMBERS:
        values = facts(sentence, number)
        said = code(**values)
        assert said == sentence.format(**values)
        assert code("a subject", **values) == f"a subject: {said}"
        assert code(named=True, **values) == f"{said} ({code.name})"
        assert recalled(code.name, str(said)).values.keys() == values.keys()
        texts = [code(named=True, **values)]
        if not is_all_values(sentence):
            texts += [said, code("a subject", **values)] if code.about else [said]
        for text in texts:
            again = read(str(text))
            assert (again, again.code, again.named, again.subject) == (text, code.name, text.named, text.subject)
            assert {name: type(value) for name, value in again.values.items()} == {
                name: type(value) for name, value in values.items()
            }
            assert code.of(again.values) == said


def test_a_notice_has_what_it_was_made_from() -> None:
    notice = grading.BEYOND_TESTED(axis="tokens", ratio=81.41, tested=17.89)
    assert notice == "the target has 81.4 times the ladder's tokens, and the backtest reached 17.9 times"
    assert (notice.code, notice.severity, notice.subject) == ("beyond-tested", Severity.WARNING, "")
    assert dict(notice.values) == {"axis": "tokens", "ratio": 81.41, "tested": 17.89}
    assert (notice.page_one, notice.summary) == (1, "the target is farther beyond the ladder than the backtest reached")
    assert read(notice) is notice
    again = dict(read(str(notice)).values)
    assert again == {"axis": "tokens", "ratio": 81.4, "tested": 17.9}  # as rounded as the text
    earlier = read("81x beyond the ladder, tested up to 18x")
    assert (earlier.code, dict(earlier.values)) == ("beyond-tested", {"ratio": 81.0, "tested": 18.0})


def test_the_general_sentence_is_said_without_values() -> None:
    notice = grading.BEYOND_TESTED(named=True)
    assert notice == f"{grading.BEYOND_TESTED.meaning} (beyond-tested)"
    assert (read(str(notice)).code, read(str(notice)).named) == ("beyond-tested", True)


def test_a_subject_stands_before_the_sentence() -> None:
    notice = laws.AT_BOUND(parameters="k").about("LossToError")
    assert notice == f"LossToError: {laws.AT_BOUND.templates[0].format(parameters='k')}"
    assert (read(str(notice)).subject, read(str(notice)).values["parameters"]) == ("LossToError", "k")


def test_text_of_other_hands_is_kept_as_it_is() -> None:
    for text in ("", "seen by all", "a: b: c", "100 %", "{braces}", "(in brackets)", "unknown (no-such-code)", "a\nb"):
        assert (str(read(text)), read(text).code) == (text, OTHER.name)
    old = read("precisions were mixed, as an earlier version said it (mixed-dtypes)")
    assert (old.code, old.named, old.page_one) == ("mixed-dtypes", True, 0)


def test_what_a_rule_kept_is_recalled_by_its_code() -> None:
    kept = recalled("outside", "4.0 % at 2B tokens is below the registered band, 5.0 to 6.5 %", subject="big, piqa")
    assert kept == "big, piqa: 4.0 % at 2B tokens is below the registered band, 5.0 to 6.5 %"
    assert kept.values["low"] == "5.0"
    assert recalled("failure", "disk full", severity=Severity.FAILURE).values == {"reason": "disk full"}
    strange = recalled("a-rule-of-another-version", "it said", severity=Severity.ALERT)
    assert (strange.code, strange.body, strange.severity, strange.definition) == (
        "a-rule-of-another-version",
        "it said",
        Severity.ALERT,
        OTHER,
    )


def test_a_notice_is_frozen_and_travels() -> None:
    notice = nightly.FORECAST("big", severity=Severity.CONFIG, error="no runs")
    with pytest.raises(AttributeError, match="frozen"):
        notice.code = "other"
    with pytest.raises(TypeError):
        notice.values["error"] = "none"  # type: ignore[index]
    for again in (pickle.loads(pickle.dumps(notice)), copy.deepcopy(notice)):
        assert again == notice
        assert (again.code, again.severity, again.subject, again.values) == (
            "forecast",
            Severity.CONFIG,
            "big",
            {"error": "no runs"},
        )


def test_a_record_keeps_notices_and_is_written_with_strings() -> None:
    class Kept(BaseModel):
        notes: tuple[StoredNotice, ...]

    notice = grading.BASELINE_AS_GOOD(points=3.14, carried=2.0)
    kept = Kept(notes=(notice, "only 50 documents"))  # type: ignore[arg-type]
    assert kept.notes[0] is notice
    assert kept.notes[1].values == {"documents": 50.0}
    assert json.loads(kept.model_dump_json()) == {"notes": [str(notice), "only 50 documents"]}
    assert [note.code for note in Kept.model_validate_json(kept.model_dump_json()).notes] == [
        "baseline-as-good",
        "few-documents",
    ]
    assert Kept.model_json_schema()["properties"]["notes"]["items"] == {"type": "string"}
    with pytest.raises(ValueError, match="valid string"):
        Kept(notes=(1,))  # type: ignore[arg-type]


@pytest.fixture
def toy() -> Iterator[Code]:
    """A code as a new one is added: one entry."""
    yield Code("toy-warning", "a toy", ("the toy has {wheels:d} wheels",), area="grading", page_one=1)
    del CODES["toy-warning"]


def test_a_new_code_is_one_entry(toy: Code) -> None:
    notice = read("the toy has 3 wheels")
    assert (notice.code, notice.values, notice.page_one) == ("toy-warning", {"wheels": 3}, 1)
    assert toy(wheels=3, named=True) == "the toy has 3 wheels (toy-warning)"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "Not A Name"}, "cannot name a code"),
        ({"name": "at-chance"}, "two codes are named"),
        ({"name": "toy", "templates": ("{a} b", "{a} c")}, "two templates with the same values"),
    ],
)
def test_a_code_that_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Code(**{"meaning": "x"} | arguments)
    assert "toy" not in CODES


def test_values_that_no_sentence_tells_are_refused() -> None:
    with pytest.raises(ValueError, match="no template with the values tested"):
        grading.BEYOND_TESTED(tested=3.0)


# ---- documentation ----


def headings(page: str) -> set[str]:
    """The anchors of a page, as the site makes them."""
    from markdown.extensions.toc import slugify

    lines = (ROOT / "docs" / page).read_text().splitlines()
    return {slugify(line.lstrip("# "), "-") for line in lines if re.match(r"#+ ", line)}


def test_every_code_has_an_area_and_a_place_in_the_documents() -> None:
    pytest.importorskip("markdown")
    for code in CODES.values():
        page, _, anchor = code.anchor.partition("#")
        assert code.area, code.name
        assert anchor in headings(page), (code.name, code.anchor)


def test_the_table_in_the_documents_is_that_of_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import hooks  # type: ignore[import-not-found]

    page = hooks.on_page_markdown((ROOT / "docs" / "reference" / "notices.md").read_text(), page=None)
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*?) \| .* \| (\w+) \| (first|yes|) \| \[", page, re.MULTILINE)
    told = {name: (meaning, severity, rank) for name, meaning, severity, rank in rows}
    rank = {0: "first", 1: "yes", None: ""}
    assert told == {c.name: (c.meaning, c.severity.value, rank[c.page_one]) for c in CODES.values()}


# ---- use ----


def constants() -> dict[str, str]:
    """Area and constant to the name of its code, for all codes of the areas' files."""
    found = {}
    for path in AREAS.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args:
                first = node.value.args[0]
                if isinstance(first, ast.Constant) and first.value in CODES:
                    found[f"{path.stem}.{ast.unparse(node.targets[0])}"] = str(first.value)
    return found


def test_every_code_is_used() -> None:
    text = "\n".join(p.read_text() for p in SOURCES if p.parent != AREAS)
    known = constants()
    for name in set(CODES) - set(known.values()):  # it stands where it is used
        assert re.search(rf"\bCode\(\s*\"{name}\"", text), name
    del known["notice.OTHER"]  # what is read is of it, not what is said
    for place in known:
        area, constant = place.split(".")
        assert re.search(rf"\b(?:{area}|codes|notices)\.{constant}\b", text), place


def strings(path: Path) -> Iterator[str]:
    """The string constants of a module, without its docstrings and its own codes (a rule's file may define one)."""
    tree = ast.parse(path.read_text())
    codes = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "Code"
    ]
    holders = [n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docs = {id(n.body[0].value) for n in holders if n.body and isinstance(n.body[0], ast.Expr)}
    docs |= {id(part) for code in codes for part in ast.walk(code)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_a_sentence_stands_once() -> None:
    """No other file spells what a code says: neither to say it again nor to recognise it."""
    own = {
        literal.strip(" ,;:.()")
        for code in CODES.values()
        for template in code.templates
        for literal, *_ in Formatter().parse(template)
        if len(literal.strip(" ,;:.()")) >= 22
    }
    twice = [
        (path.relative_to(ROOT).as_posix(), part)
        for path in SOURCES
        if path.parent != AREAS
        for text in strings(path)
        for part in own
        if part in text
    ]
    assert not twice


def test_templates_have_values_that_python_can_name() -> None:
    for code in CODES.values():
        for template in code.templates:
            assert all(name.isidentifier() for name in names(template)), template


@pytest.mark.parametrize("part", [": ", "a", "' \" ", " (", "1", "x\n", "1 of 2 "])
def test_a_long_text_that_is_no_notice_takes_no_time(part: str) -> None:
    text = part * (100_000 // len(part))  # minutes, when every pattern tries every split
    assert read(text) == text
    assert read(text).code == "other"
