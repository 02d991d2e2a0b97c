"""What a folder holds is what there is: a new source or recipe is one file in its folder, and no list names it.

``plugins`` imports every module of a package and collects one attribute of each. The modules must be light: a config
is checked against their names, so what they import at their top is imported by every command. What is heavy (pandas,
torch, a parser) belongs into the function that uses it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

ROOT = __name__.partition(".")[0]


def modules(package: str) -> tuple[str, ...]:
    """Full names of the modules and packages directly in a package, by name; those that begin with ``_`` are private.

    Raises
    ------
    ModuleNotFoundError
        When there is no such package.
    """
    names = (module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    return tuple(f"{package}.{name}" for name in sorted(names) if not name.startswith("_"))


def plugins(folder: str, attribute: str) -> dict[str, Any]:
    """The ``attribute`` of every module in a folder that has one, by its ``name``, in the order of ``rank`` and name.

    Parameters
    ----------
    folder : str
        Below this package, such as ``data.sources``.
    attribute : str
        Such as ``SOURCE``; a module without it is passed over.

    Raises
    ------
    ValueError
        When two have one name.
    """
    imported = map(import_module, modules(f"{ROOT}.{folder}"))
    known = [getattr(module, attribute) for module in imported if hasattr(module, attribute)]
    known.sort(key=lambda plugin: (plugin.rank, plugin.name))
    by_name = {plugin.name: plugin for plugin in known}
    if len(by_name) < len(known):
        raise ValueError(f"two modules of {folder} have one name, of {[plugin.name for plugin in known]}")
    return by_name
