"""The map in ARCHITECTURE.md, from the first line of every module's docstring.

python docs/house_map.py            # write it anew
python docs/house_map.py --check    # exit code 1 where it is not the tree's
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- map: written by docs/house_map.py -->", "<!-- end of map -->"
TOPS = ("stages", "reports", "pipeline")


def summary(path: Path) -> str:
    """The first sentence of a module's docstring, on one line and without its markup."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def folder_map(folder: Path) -> list[str]:
    """Heading, purpose and modules of a folder, then its subfolders."""
    name = folder.relative_to(ROOT).as_posix()
    lines = [f"### `{name}/`", "", summary(folder / "__init__.py"), ""]
    files = [p for p in sorted(folder.glob("*.py")) if p.name != "__init__.py"]
    if files:
        lines += ["| file | |", "|---|---|", *(f"| `{p.name}` | {summary(p)} |" for p in files), ""]
    for sub in sorted(p.parent for p in folder.glob("*/__init__.py")):
        lines += folder_map(sub)
    return lines


def written() -> str:
    """ARCHITECTURE.md with the map as the tree is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    body = "\n".join(line for top in TOPS for line in folder_map(ROOT / top))
    return f"{before}{BEGIN}\n\n{body}\n{END}{after}"


def main() -> int:
    """Write the map, or say whether it is right."""
    new = written()
    if "--check" in sys.argv[1:]:
        return int(new != PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
