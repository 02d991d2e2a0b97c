"""Pages that are written from the program itself: the command line and the config's keys."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

COMMANDS = "<!-- commands -->"
CONFIG = "<!-- config -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what a page asks for by a comment."""
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, commands())
    if CONFIG in markdown:
        markdown = markdown.replace(CONFIG, config())
    return markdown


def commands() -> str:
    """Every command's own help, as typer writes it for documentation."""
    run = [sys.executable, "-m", "typer", "benchcast.cli.app", "utils", "docs", "--name", "benchcast"]
    text = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return text.split("\n", 1)[1].replace("\n#", "\n##")


def config() -> str:
    """A table of keys per section of the config, from its JSON schema."""
    from benchcast.core.config import Config

    schema = Config.model_json_schema()
    sections = {"the file itself": schema} | schema.get("$defs", {})
    return "\n\n".join(_section(name, part) for name, part in sections.items() if part.get("properties"))


def _section(name: str, part: dict[str, Any]) -> str:
    title = part.get("description", "").split("\n")[0]
    lines = [f"## {name}", "", title, "", "| key | values | default | |", "|---|---|---|---|"]
    for key, value in part["properties"].items():
        needed = key in part.get("required", ())
        default = "**needed**" if needed else f"`{value['default']}`" if "default" in value else ""
        lines.append(f"| `{key}` | {_kind(value)} | {default} | {_cell(value.get('description', ''))} |")
    return "\n".join(lines)


def _kind(value: dict[str, Any]) -> str:
    """What a key may hold, in words."""
    if "$ref" in value:
        return f"[{value['$ref'].rsplit('/', 1)[-1]}](#{value['$ref'].rsplit('/', 1)[-1].lower()})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    parts = value.get("anyOf") or value.get("oneOf")
    if parts:
        return " or ".join(dict.fromkeys(_kind(part) for part in parts if part.get("type") != "null"))
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}" if "items" in value else "list"
    return {"string": "text", "object": "mapping"}.get(value.get("type", ""), value.get("type", ""))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
