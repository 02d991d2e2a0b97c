"""Pages that are written from the program itself: the command line, the config's keys, the notices, and the laws.

Pictures and PDFs of ``reports/examples`` become files of the site, notebooks become pages with their stored outputs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import notebook_pages

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = re.compile(r"<!-- notebook: (\S+) -->")
EXAMPLES = re.compile(r"\]\(\.\./reports/examples/")  # links of pages right in docs/
COMMANDS = "<!-- commands -->"
CONFIG = "<!-- config -->"
ALERTS = "<!-- alert rules -->"
NOTICES = "<!-- notices -->"
LAWS, CANDIDATES = "<!-- laws -->", "<!-- candidates -->"
PAGE_ONE = {0: "first", 1: "yes", None: ""}


def on_startup(**_: Any) -> None:
    """Lay the package as it is installed, in links: what reads docstrings from files knows no package-dir."""
    package = ROOT / "build" / "docs" / "benchcast"
    shutil.rmtree(package, ignore_errors=True)
    for source, place in (("pipeline", package), ("stages", package / "stages"), ("reports", package / "reports")):
        shutil.copytree(ROOT / source, place, copy_function=os.symlink, dirs_exist_ok=True)


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Add the example reports, so that no picture is twice in the repository."""
    from mkdocs.structure.files import File

    examples = ROOT / "reports" / "examples"
    for path in sorted([*examples.rglob("*.png"), *examples.rglob("*.pdf")]):
        place = f"examples/{path.relative_to(examples).as_posix()}"
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in what a page asks for by a comment."""
    markdown = EXAMPLES.sub("](examples/", markdown)
    if asked := NOTEBOOK.search(markdown):
        shown = notebook_pages.markdown(Path(page.file.abs_src_path).parent / asked[1])
        markdown = markdown.replace(asked[0], shown)
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, commands())
    if CONFIG in markdown:
        markdown = markdown.replace(CONFIG, config())
    if ALERTS in markdown:
        markdown = markdown.replace(ALERTS, alert_rules())
    if NOTICES in markdown:
        markdown = markdown.replace(NOTICES, notices())
    if LAWS in markdown:
        markdown = markdown.replace(LAWS, laws())
    if CANDIDATES in markdown:
        markdown = markdown.replace(CANDIDATES, candidates())
    return markdown


def commands() -> str:
    """Every command's own help, as typer writes it for documentation."""
    run = [sys.executable, "-m", "typer", "benchcast.cli.app", "utils", "docs", "--name", "benchcast"]
    text = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return text.split("\n", 1)[1].replace("\n#", "\n##")


def alert_rules() -> str:
    """A table of the rules of the nightly pass, from their own files."""
    from benchcast.nightly.alerts.conditions import EXIT_CODES
    from benchcast.nightly.alerts.rules import rules

    rows = [f"| `{r.code.name}` | {r.code.meaning} | {EXIT_CODES[r.code.severity]} |" for r in rules()]
    return "\n".join(["| rule | what it found | exit code while it stands |", "|---|---|---|", *rows])


def config() -> str:
    """A table of keys per section of the config, from its JSON schema; sections are called by their keys."""
    from benchcast.core.config import Config

    schema = Config.model_json_schema()
    parts = schema.get("$defs", {})
    titles = _titles("", schema, parts)
    sections = [("The file itself", schema), *((title, parts[name]) for name, title in titles.items())]
    return "\n\n".join(_section(title, part, titles, parts) for title, part in sections if part.get("properties"))


def _titles(before: str, part: dict[str, Any], parts: dict[str, Any]) -> dict[str, str]:
    """What a reader calls every section below a part: the path of its key, a recipe by its name."""
    titles: dict[str, str] = {}
    for key, value in part.get("properties", {}).items():
        for name in re.findall(r"#/\$defs/(\w+)", json.dumps(value)):
            own = parts[name].get("properties", {}).get("name", {}).get("const")
            titles[name] = f"{before}{key}" + (f": {own}" if own else "")
            for below, title in _titles(f"{before}{key}.", parts[name], parts).items():
                titles.setdefault(below, title)
    return titles


def notices() -> str:
    """A table of codes for every part of Benchcast that emits them."""
    from benchcast.nightly.alerts.rules import rules
    from benchcast.stages.notices import CODES

    rules()  # a rule may bring its own code
    areas = dict.fromkeys(code.area for code in CODES.values())
    return "\n\n".join(_area(area, [code for code in CODES.values() if code.area == area]) for area in areas)


def laws() -> str:
    """The documentation of every law's class, those that give a loss first."""
    from benchcast.stages.laws.registry import laws

    homes = sorted(laws().values(), key=lambda law: (".accuracy." in law.__module__, law.__module__))
    return "\n\n".join(f"::: {law.__module__}.{law.__name__}" for law in homes)


def candidates() -> str:
    """A table of the candidates of ``auto``, as the laws declare them."""
    from benchcast.stages.laws.candidate import Step
    from benchcast.stages.laws.registry import candidates

    lines = ["| step | candidate | law | fitted to | weights | tried |", "|---|" + "---|" * 5]
    for step in Step:
        for one in candidates(step).values():
            share = f"the larger {100 * one.compute_fraction:.0f} % of the runs" if one.compute_fraction < 1 else ""
            ends = "ends of runs only" if one.final_checkpoints_only else ""
            error = "the error, 1 - accuracy" if one.of_error else ""
            cells = (
                step.value,
                one.name,
                f"`{type(one.make(0.25)).__name__}`",
                ", ".join(filter(None, (share, ends, error))) or "all runs",
                one.weights,
                _tried(one),
            )
            lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines)


def _tried(one: Any) -> str:
    when = "with `wide: true`" if one.extended else "with `references`" if one.references else "by default"
    return f"{when}, where guesses score 0" if one.zero_chance else when


def _area(name: str, codes: list[Any]) -> str:
    lines = [
        f"## {name.capitalize()}",
        "",
        "| code | means | says | severity | page one | more |",
        "|---|" + "---|" * 5,
    ]
    for code in codes:
        says = "; ".join(f"“{re.sub(r'{[^}]*}', '…', sentence)}”" for sentence in code.templates)
        more = f"[{code.anchor.partition('#')[0].removesuffix('.md')}](../{code.anchor})"
        cells = (f"`{code.name}`", code.meaning, says, code.severity.value, PAGE_ONE[code.page_one], more)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines)


def _section(title: str, part: dict[str, Any], titles: dict[str, str], parts: dict[str, Any]) -> str:
    about = part.get("description", "").split("\n")[0]
    lines = [f"## {title}", "", about, "", "| key | what it is | values | default |", "|---|---|---|---|"]
    for key, value in part["properties"].items():
        needed = key in part.get("required", ())
        default = "**needed**" if needed else _default(value["default"]) if "default" in value else ""
        name = re.search(r"#/\$defs/(\w+)", json.dumps(value))
        below = parts[name[1]].get("description", "").split("\n")[0] if name else ""
        what = value.get("description") or re.sub(r"^``[\w.]+``: ", "", below)
        lines.append(f"| `{key}` | {_cell(what)} | {_kind(value, titles)} | {default} |")
    return "\n".join(lines)


def _default(value: Any) -> str:
    """A default as YAML has it; nothing where leaving the key out is the default."""
    if (
        value in (None, "", [], {})
        or isinstance(value, dict)
        or (isinstance(value, list) and isinstance(value[0], dict))
    ):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _kind(value: dict[str, Any], titles: dict[str, str]) -> str:
    """What a key may hold, in words."""
    if "$ref" in value:
        title = titles[value["$ref"].rsplit("/", 1)[-1]]
        return f"[{title}](#{re.sub(r'[^a-z0-9_-]+', '-', title.lower().replace('.', '').replace(':', '')).strip('-')})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    parts = value.get("anyOf") or value.get("oneOf")
    if parts:
        return " or ".join(dict.fromkeys(_kind(part, titles) for part in parts if part.get("type") != "null"))
    if value.get("type") == "array":
        return f"list of {_kind(value['items'], titles)}" if "items" in value else "list"
    names = {"string": "text", "object": "mapping", "integer": "whole number", "boolean": "`true` or `false`"}
    return names.get(value.get("type", ""), value.get("type", ""))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
