"""From what a report says to its bytes: Typst sets the templates of this package, JSON keeps the numbers.

The same input gives the same bytes. Typst reads only this package's templates and what it is given in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import typst
from pydantic import BaseModel

from ..sections.picture import Files
from ..text import fonts
from ..text.strict_json import dumps
from ..text.table import Table, as_page
from . import writing

HERE = Path(__file__).parent / "templates"
PARTS = ("style.typ", "sheet.typ", "decision.typ", "news.typ", "trust.typ", "beside.typ", "optimum.typ")
R = TypeVar("R", bound=BaseModel)
typeset: Any = typst.compile  # its stub knows nothing of files in memory


class ReportError(RuntimeError):
    """The report could not be set; nothing was written."""


def set_pages(template: str, data: Any, files: Files) -> bytes:
    """Typeset a template of this package with its data (a dataclass) and figures.

    PDF/UA (accessible) where the fonts have every character, plain tagged PDF otherwise.

    Raises
    ------
    ReportError
        When it cannot be set.
    """
    sources = {"main.typ": (HERE / template).read_bytes(), **{p: (HERE / p).read_bytes() for p in PARTS}}
    content = {**template_data(data), "fonts": fonts.current().families}
    files = {**sources, "data.json": json.dumps(content).encode(), **files}
    try:
        return _compile(files, ["ua-1"])
    except typst.TypstError:
        try:
            return _compile(files, [])
        except typst.TypstError as error:
            raise ReportError(f"the report could not be typeset: {error}") from error


def write_pdf_and_json(record: R, out: Path, stem: str, build: Callable[[R], tuple[Any, Files]]) -> dict[str, Path]:
    """Write ``<stem>.pdf``, set by ``<stem>.typ``, and ``<stem>.json`` into ``out``; return their paths by kind.

    ``build`` gives the template's data and the figures it names. Both are made before the first is written.

    Raises
    ------
    ReportError
        When it cannot be set.
    OSError
        When the place cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    with fonts.fonts_for(record):
        data, files = build(record)
        pdf = set_pages(f"{stem}.typ", data, files)
    json_text = json_bytes(record.model_dump(mode="json", by_alias=True))
    paths = {"pdf": out / f"{stem}.pdf", "json": out / f"{stem}.json"}
    writing.write_all(dict(zip(paths.values(), (pdf, json_text), strict=True)))
    return paths


def _compile(files: Files, standards: list[str]) -> bytes:
    """Typeset from memory: only this package's folder could be read, no font but the chosen ones, no date."""
    known = typst.Fonts(include_system_fonts=False, font_paths=[str(fonts.BUNDLED), *fonts.current().folders])
    pdf = typeset(
        files, root=str(HERE), font_paths=known, ignore_system_fonts=True, format="pdf", pdf_standards=standards
    )
    return bytes(pdf)


def template_data(value: Any) -> Any:
    """What templates and the web page read: dataclasses and tables as objects and lists of JSON."""
    if isinstance(value, Table):
        return as_page(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: template_data(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: template_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [template_data(item) for item in value]
    return value


def unset() -> str:
    """What to do about characters that no font here has; empty when every one is shown."""
    missing = fonts.current().missing
    if not missing:
        return ""
    named = ", ".join(f"U+{ord(c):04X}" for c in missing[:8]) + ", …" * (len(missing) > 8)
    return f"No font here has {named}: pip install 'benchcast[cjk]', or install a font that has them."


def is_mathematics(formula: str) -> bool:
    """Whether Typst can set it. Code, and the module that reads files, are refused before it is tried."""
    if "#" in formula or re.search(r"\bstd\b", formula):
        return False
    source = b'#set document(title: "f")\n#eval(json("data.json"), mode: "math")'
    files = {"main.typ": source, "data.json": json.dumps(formula).encode()}
    try:
        typeset(files, root=str(HERE), ignore_system_fonts=True, format="pdf")
    except typst.TypstError:
        return False
    return True


def json_bytes(record: Any) -> bytes:
    """A dump of a record as people can read it, NaN and infinity as null."""
    return (dumps(record, indent=1) + "\n").encode("utf-8", "replace")
