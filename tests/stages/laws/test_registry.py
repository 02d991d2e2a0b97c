"""A new law is one file: registered by its decorator, found without a list, in the face and in ``auto``."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast import stages
from benchcast.stages import laws as home
from benchcast.stages.forecast.pathways import ONE_STEP, Question, TaskData, predict_all
from benchcast.stages.laws import registry
from benchcast.stages.laws.base import Law, Parameter, log_count, stack_jacobian
from benchcast.stages.laws.candidate import CandidateLaw, Step
from benchcast.stages.laws.loss.pure_power import PurePower
from worlds.doc_blocks import blocks
from worlds.ladders import ROOT


class ToyLaw(Law):
    r"""A line in log C, as small as a law can be.

    .. math:: \mathrm{Acc}(C) = a + b \log C
    """

    columns = ("flops",)
    parameters = (Parameter("a", "accuracy"), Parameter("b", "accuracy per factor e"))
    formula = "a + b log C"
    source = "arXiv 0000.00000"
    x_unit = "FLOPs"
    y_unit = "accuracy"

    def _curve(self, theta: Any, x: Any) -> Any:
        return theta[0] + theta[1] * log_count(x[:, 0])

    def _jacobian(self, theta: Any, x: Any) -> Any:
        return stack_jacobian(np.ones_like(theta[0]), log_count(x[:, 0]))

    def _seeds(self, x: Any, y: Any, weight: Any) -> Any:
        return np.array([[0.0, 0.01]])

    def _bounds(self, y: Any) -> Any:
        return np.full(2, -np.inf), np.full(2, np.inf)


TOY = CandidateLaw(name="toy", step=Step.BUDGET_TO_ACCURACY)


@pytest.fixture
def toy() -> Iterator[type[Law]]:
    yield registry.law(TOY)(ToyLaw)
    registry.forget(ToyLaw)


def test_every_module_of_laws_registers_one() -> None:
    homes = {law.__module__ for law in registry.laws().values()}
    for part in ("loss", "accuracy"):
        package = import_module(f"{home.__name__}.{part}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            assert module.name in homes


def test_a_registered_law_is_in_the_face(toy: type[Law]) -> None:
    assert stages.ToyLaw is toy
    assert toy in stages.LAWS
    assert "ToyLaw" in dir(stages)


def test_a_registered_law_takes_part_in_auto(toy: type[Law]) -> None:
    flops = np.geomspace(1e18, 1e20, 8)
    accuracy = 0.3 + 0.05 * np.log(flops / 1e18) + 0.002 * (-1) ** np.arange(8)
    finals = pd.DataFrame({"run": [f"r{i}" for i in range(8)], "flops": flops, "token_multiplier": 20.0})
    finals = finals.assign(params=np.sqrt(flops / 120), tokens=np.sqrt(flops / 120) * 20, accuracy=accuracy)
    question = Question(TaskData(finals=finals[:-1]), finals[-1:])
    [answer] = predict_all([question])
    at = [(p.intermediate_loss, p.first) for p in answer.paths].index((ONE_STEP, "toy"))
    line = np.polyfit(np.log(flops[:-1]), accuracy[:-1], 1)
    assert answer.mean[at, 0] == pytest.approx(np.polyval(line, np.log(flops[-1])), abs=1e-6)


def test_without_it_nothing_is_left() -> None:
    assert "toy" not in registry.candidates(Step.BUDGET_TO_ACCURACY)
    with pytest.raises(AttributeError, match="ToyLaw"):
        _ = stages.ToyLaw


def test_the_same_class_again_replaces_itself(toy: type[Law]) -> None:
    before = list(registry.candidates(Step.BUDGET_TO_ACCURACY))
    registry.register(toy, TOY)
    assert list(registry.candidates(Step.BUDGET_TO_ACCURACY)) == before


def test_ranks_place_a_candidate_and_one_without_stands_last(toy: type[Law]) -> None:
    assert list(registry.candidates(Step.BUDGET_TO_ACCURACY))[-1] == "toy"
    registry.register(toy, CandidateLaw(name="toy", step=Step.BUDGET_TO_ACCURACY, rank=15))
    assert list(registry.candidates(Step.BUDGET_TO_ACCURACY))[:3] == ["direct law", "toy", "sigmoid in log C"]


def test_two_laws_of_one_name_or_two_candidates_of_one_name_are_refused(toy: type[Law]) -> None:
    other = type("PurePower", (ToyLaw,), {})
    with pytest.raises(ValueError, match="two laws are called PurePower"):
        registry.register(other)
    assert registry.laws()["PurePower"] is PurePower
    taken = CandidateLaw(name="direct law", step=Step.BUDGET_TO_ACCURACY)
    with pytest.raises(ValueError, match="another candidate 'direct law'"):
        registry.register(type("OtherLaw", (ToyLaw,), {}), taken)
    assert "OtherLaw" not in registry.laws()


def test_a_candidate_without_a_law_says_so() -> None:
    with pytest.raises(TypeError, match="'toy' belongs to no law"):
        TOY.make(0.25)


def test_an_argument_without_a_check_is_a_mistake_of_the_law() -> None:
    class Unchecked(ToyLaw):
        def __init__(self, base: float = 2.0) -> None:
            self.base = base

    with pytest.raises(TypeError, match="argument 'base' has no entry in constraints"):
        Unchecked().fit([[1e18], [1e19], [1e20]], [0.3, 0.4, 0.5])


def test_entry_points_of_other_packages_are_loaded_and_a_broken_one_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    points = [
        EntryPoint("good", "benchcast.stages.laws.loss.kaplan", registry.GROUP),
        EntryPoint("bad", "no_such_package.laws", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: [p for p in points if p.group == group])
    registry._discover.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert "KaplanLoss" in registry.laws()
    assert [r.getMessage() for r in caplog.records] == [
        "the law of entry point bad = no_such_package.laws cannot be loaded"
    ]


def test_the_reference_shows_every_law_and_candidate_without_a_list(
    toy: type[Law], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))  # as mkdocs does
    spec = spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = module_from_spec(spec)
    spec.loader.exec_module(hooks)
    page = (ROOT / "docs" / "reference" / "stages.md").read_text()
    filled = hooks.on_page_markdown(page, page=None)
    for name, law in registry.laws().items():
        assert f"::: {law.__module__}.{name}\n" in filled
        assert f".{name}\n" not in page
    assert "| budget to accuracy | toy | `ToyLaw` | all runs | equal | by default |" in filled


def test_the_law_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    """Run, registered, and by the contract's own words: a power law through four points."""
    page = ROOT / "docs" / "methods" / "laws.md"
    [block] = [b for b in blocks(page) if b.what.endswith("::test_the_law_of_the_documentation")]
    names: dict[str, Any] = {"__name__": "my_notebook"}
    exec(block.body, names)
    kind = names["TokensLoss"]
    try:
        assert registry.candidates(Step.BUDGET_TO_LOSS)["power in D"].law is kind
        slope = np.polyfit(np.log([1e9, 4e9, 1e10, 4e10]), np.log([3.1, 2.75, 2.56, 2.26]), 1)[0]
        assert f"beta       {-slope:.5g}" in capsys.readouterr().out
    finally:
        registry.forget(kind)
