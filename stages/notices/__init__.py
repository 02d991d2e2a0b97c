"""Everything a person should be told: one kind of notice for laws, recipes, grades, readers, plans and nightly rules.

``notice`` says what a notice is, ``reading`` finds the notice that a text is; a file per area holds the codes. A new
code is an entry in one of them; documentation and tests find it by themselves.
"""

from . import checkpoints, comparing, grading, laws, nightly, planning, readers, recipes, registry
from .notice import CODES, OTHER, Code, Notice, Severity
from .reading import read, read_all, recalled

__all__ = [
    "CODES",
    "OTHER",
    "Code",
    "Notice",
    "Severity",
    "checkpoints",
    "comparing",
    "grading",
    "laws",
    "nightly",
    "planning",
    "read",
    "read_all",
    "readers",
    "recalled",
    "recipes",
    "registry",
]
