"""Whether a task's metric runs code that the model wrote.

lm-eval marks such tasks (``unsafe_code``), but not all of them (CRUXEval). So the functions that judge answers are
looked at, too, with those that they name, in the task's own files: one that names ``exec`` or ``eval`` runs code.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import os
import site
import sysconfig
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .base import sources

RUN = ("exec", "eval")
OF_TASKS = f"{os.sep}lm_eval{os.sep}tasks{os.sep}"
INSTALLED = tuple({os.path.realpath(p) for p in (*sysconfig.get_paths().values(), *site.getsitepackages())})
PACKAGES = ("site-packages", "dist-packages")  # of other environments, too, that a path leads to
LIBRARIES = ("lm_eval", "benchcast")  # by name: they may be installed from a checkout


def runs_code(harness: Any) -> bool:
    """Whether a task's metric runs what the model wrote: marked so, as lm-eval does, or by the looks of its code."""
    if getattr(harness, "UNSAFE_CODE", False):
        return True
    metrics = harness.get_config("metric_list") or []
    if any(isinstance(m, Mapping) and m.get("metric") == "code_eval" for m in metrics):
        return True
    if any(word in text for text in sources(harness) for word in ("code_eval", " exec(", "\texec(")):
        return True
    return _reaches(list(judging(harness)))


def judging(harness: Any) -> Iterator[Any]:
    """The functions of a task that judge answers: its metrics, their aggregation, and filters."""
    config = harness.config
    yield getattr(config, "process_results", None)
    yield from getattr(harness, "_metric_fn_list", {}).values()
    yield from harness.aggregation().values()
    for entry in getattr(config, "filter_list", None) or ():
        for step in entry.get("filter", ()):
            yield from step.values()
    yield type(harness)


def _reaches(waiting: list[Any]) -> bool:
    """Whether one of the functions, or what they name, names a builtin that runs code."""
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        one = inspect.unwrap(getattr(one, "func", one)) if callable(one) else one
        if id(one) in seen or not isinstance(one, FunctionType | type) or not _is_a_tasks(one):
            continue
        seen.add(id(one))
        if isinstance(one, type):
            waiting += [getattr(v, "__func__", v) for v in vars(one).values()]
            continue
        named = [name for code in _codes(one.__code__) for name in _names(code)]
        found = [one.__globals__.get(name, getattr(builtins, name, None)) for name in named]
        if any(value is getattr(builtins, name) for value in found for name in RUN):
            return True
        modules = [value for value in found if isinstance(value, ModuleType) and _is_a_tasks(value)]
        waiting += [getattr(module, name, None) for module in modules for name in named]
        waiting += [*found, *inspect.getclosurevars(one).nonlocals.values()]
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _names(code: CodeType) -> Iterator[str]:
    """Names of globals and of attributes; an attribute called ``eval`` is not the builtin."""
    for step in dis.get_instructions(code):
        attribute = step.opname in ("LOAD_ATTR", "LOAD_METHOD")
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") or (attribute and step.argval not in RUN):
            yield str(step.argval)


def _is_a_tasks(one: Any) -> bool:
    """Whether the file of a function, class or module belongs to a task, and not to Python or an installed package."""
    try:
        path = os.path.realpath(inspect.getsourcefile(one) or "")
    except TypeError:  # a builtin
        return False
    if OF_TASKS in path:
        return True
    module = one.__name__ if isinstance(one, ModuleType) else str(getattr(one, "__module__", ""))
    package = module.partition(".")[0] in LIBRARIES or any(f"{os.sep}{name}{os.sep}" in path for name in PACKAGES)
    return not package and not path.startswith(INSTALLED)
