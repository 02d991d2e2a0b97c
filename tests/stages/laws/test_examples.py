"""The examples in the docstrings of the science give what they print."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from types import ModuleType

import pytest
from benchcast import stages

MODULES = [import_module(m.name) for m in pkgutil.walk_packages(stages.__path__, f"{stages.__name__}.")]
WITH_EXAMPLES = [m for m in MODULES if any(t.examples for t in doctest.DocTestFinder().find(m))]


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=lambda m: m.__name__)
def test_examples(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


def test_the_laws_that_a_reader_meets_first_have_examples() -> None:
    names = {m.__name__.rsplit(".", 1)[1] for m in WITH_EXAMPLES}
    assert {"chinchilla", "overtraining", "loss_sigmoid"} <= names
