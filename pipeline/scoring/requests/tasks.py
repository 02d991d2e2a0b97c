"""lm-eval's tasks, loaded and turned into requests once for all checkpoints.

lm-eval draws few-shot examples anew at every ``evaluate`` call, so that the second checkpoint of a loop is asked
other questions than the first. Here the prompts are built once, exactly as the first ``simple_evaluate`` call would,
and reused; the hash of everything asked is part of a cell's identity, so an edited task is noticed.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import io
import logging
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...core import reading
from ...core.config import ScoreSettings
from ...core.errors import Fault, FaultsError, TaskError, UnreadableError, first_line
from .kinds import kind_of
from .kinds.base import Task
from .kinds.generation import UNSAFE

ALLOW_CODE = "HF_ALLOW_CODE_EVAL"
FETCH = "python -c \"import evaluate; evaluate.load('code_eval')\""


def load(settings: ScoreSettings, base: Path) -> tuple[list[Task], dict[str, str]]:
    """Build every task's questions, and say of each task that cannot be asked why.

    Raises
    ------
    FaultsError
        When no task is left.
    """
    manager = _manager(settings, base)
    built: dict[str, Task] = {}
    failures: dict[str, str] = {}
    for name in dict.fromkeys(settings.tasks):
        if name not in manager.task_index:
            failures[name] = _unknown(name, manager.all_tasks)
            continue
        with _code_allowed(settings):
            loaded = _load(manager, name, failures)
        for task_name, harness in loaded.items():
            try:
                built[task_name] = _build(task_name, harness, settings, base)
            except TaskError as error:
                failures[task_name] = str(error)
            except Exception as error:
                failures[task_name] = f"its questions cannot be built: {first_line(error)}"
    if not built:
        raise FaultsError([Fault(f"score.tasks: {name}", why) for name, why in failures.items()])
    return list(built.values()), failures


@contextlib.contextmanager
def silent_bars() -> Iterator[None]:
    """Keep the progress bars that datasets and lm-eval always draw out of our own output."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def cached_templates() -> Iterator[None]:
    """Let lm-eval compile each prompt template once; it compiles it again for every document and every checkpoint."""
    from lm_eval import utils

    utils.env.from_string = functools.lru_cache(1024)(utils.env.from_string)
    try:
        yield
    finally:
        del utils.env.from_string


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence lm-eval's and transformers' logs: what matters in them is raised or counted instead."""
    from transformers.utils import logging as theirs

    harness = logging.getLogger("lm_eval")
    level, theirs_level = harness.level, theirs.get_verbosity()
    harness.setLevel(logging.ERROR)
    theirs.set_verbosity_error()
    try:
        yield
    finally:
        harness.setLevel(level)
        theirs.set_verbosity(theirs_level)


def _load(manager: Any, name: str, failures: dict[str, str]) -> dict[str, Any]:
    """A task, or the tasks of a group; where one of a group cannot be loaded, the others are."""
    _seed()
    try:
        with silent_bars():
            loaded: dict[str, Any] = manager.load([name])["tasks"]
            return loaded
    except Exception as error:  # a task file runs its own code and reads its own data: anything can come
        members = getattr(manager.task_index[name], "cfg", None) or {}
        below = members.get("task") if isinstance(members, dict) else None
        names = [n for n in below if isinstance(n, str)] if isinstance(below, list) else []
        if len(names) < 2:
            failures[name] = _why(error)
            return {}
    parts: dict[str, Any] = {}
    for member in names:
        if member in manager.task_index:
            parts |= _load(manager, member, failures)
        else:
            failures[member] = "is not a task that lm-eval knows"
    return parts


def _why(error: Exception) -> str:
    """Why a task cannot be loaded; HumanEval and MBPP load their metric with the task."""
    said = str(error)
    if ALLOW_CODE in said or ("code_eval" in said and os.environ.get(ALLOW_CODE) != "1"):
        return UNSAFE
    if "code_eval" in said:
        return f"needs the metric code_eval, which is not in the hub's cache; where the hub can be reached: {FETCH}"
    return f"cannot be loaded: {first_line(error)}"


@contextlib.contextmanager
def _code_allowed(settings: ScoreSettings) -> Iterator[None]:
    """Hugging Face's switch, on while a task is loaded whose metric runs code: it tries a harmless line then."""
    before = os.environ.get(ALLOW_CODE)
    if settings.run_unsafe_code:
        os.environ[ALLOW_CODE] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ALLOW_CODE, None)
        else:
            os.environ[ALLOW_CODE] = before


def _seed() -> None:
    """lm-eval's own default seeds, for task code that draws from the global generators; anew for every task, so that
    what one task is asked does not depend on the others."""
    import torch

    random.seed(0)
    np.random.seed(1234)
    torch.manual_seed(1234)


def _manager(settings: ScoreSettings, base: Path) -> Any:
    from lm_eval.tasks import TaskManager

    include = None if settings.include_path is None else base / settings.include_path
    if include is not None and not include.is_dir():
        raise FaultsError([Fault("score.include_path", f"{include} is not a folder")])
    if include is not None and (odd := list(_unreadable(include))):
        raise FaultsError(odd)
    if include is not None:
        manager = TaskManager(include_path=str(include), include_defaults=False)
        if all(name in manager.task_index for name in settings.tasks):
            return manager  # lm-eval's own 14,000 task files take ten seconds to read
    return TaskManager(include_path=None if include is None else str(include))


def _unreadable(folder: Path) -> Iterator[Fault]:
    """Task files that lm-eval would wait for, or read for ever."""
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix in (".yaml", ".yml", ".py"):
                try:
                    reading.check(path, reading.MOST_CONFIG)
                except UnreadableError as error:
                    yield Fault(f"score.include_path: {path}", f"cannot be read: {error}", "remove it")


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 3)
    return "is not a task that lm-eval knows" + (f" (did you mean {' or '.join(near)}?)" if near else "")


def _build(name: str, harness: Any, settings: ScoreSettings, base: Path) -> Task:
    """Ask as simple_evaluate would: its rules for shots, its seed, its order."""
    kind = kind_of(harness.OUTPUT_TYPE)
    kind.prepare(harness, settings)
    shots_of_task = harness.get_config("num_fewshot")
    if shots_of_task is None:
        harness.set_config(key="num_fewshot", value=settings.num_fewshot or 0)
    elif shots_of_task != 0 and settings.num_fewshot is not None:
        harness.set_config(key="num_fewshot", value=settings.num_fewshot)
    harness.set_fewshot_seed(seed=settings.seed)
    with silent_bars():
        harness.build_all_requests(limit=settings.limit, rank=0, world_size=1)
    questions = tuple(kind.questions(harness, settings, base))
    shots = int(harness.get_config("num_fewshot"))
    return Task(
        name=name,
        kind=kind,
        harness=harness,
        questions=questions,
        num_fewshot=shots,
        version=str(harness.VERSION),
        seed=settings.seed,
        origin=(settings, base),
        digest=kind.digest(harness, questions, settings.seed),
    )
