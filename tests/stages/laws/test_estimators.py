"""The scikit-learn contract over every law, and what a law's documentation owes its reader."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast import stages
from benchcast.stages import LAWS, TaskLoss
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings on purpose
@parametrize_with_checks([law() for law in LAWS])
def test_scikit_learn_contract(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_documentation_names_formula_unit_and_source(law) -> None:
    assert ".. math::" in law.__doc__
    assert "arXiv" in law.__doc__
    assert "arXiv" in law.source
    assert law.formula
    assert law.x_unit
    assert law.y_unit
    assert all(p.unit for p in law.parameters)


def _data() -> tuple[pd.DataFrame, np.ndarray]:
    sizes = np.repeat([1e7, 4e7, 1.6e8, 6.4e8], 3)
    tokens = sizes * np.tile([5.0, 20.0, 80.0], 4)
    table = pd.DataFrame({"run": np.arange(12), "tokens": tokens, "params": sizes})
    return table, 30 / sizes**0.25 + 40 / tokens**0.25 + 0.4


def test_columns_are_taken_by_name_from_a_whole_table() -> None:
    table, loss = _data()
    by_name = TaskLoss().fit(table, loss)
    by_position = TaskLoss().fit(table[["params", "tokens"]].to_numpy(), loss)
    np.testing.assert_allclose(by_name.predict(table), by_position.predict(table[["params", "tokens"]].to_numpy()))


def test_a_frame_is_read_by_its_names_in_any_order() -> None:
    table, loss = _data()
    law = TaskLoss().fit(table[["params", "tokens"]], pd.Series(loss, name="nll"))
    assert list(law.feature_names_in_) == ["params", "tokens"]
    swapped = table[["tokens", "params"]]
    np.testing.assert_allclose(law.predict(swapped), law.predict(table))
    with pytest.raises(ValueError, match=r"TaskLoss: the frame has no column 'params'; it needs params, tokens"):
        TaskLoss().fit(table[["tokens", "run"]], loss)
    with pytest.raises(ValueError, match="no column 'tokens'"):
        law.predict(table[["params", "run"]])
    with pytest.raises(ValueError, match="feature names"):  # of names that the law does not know scikit-learn tells
        law.predict(table.rename(columns={"params": "N", "tokens": "D"})[["D", "N"]])


def test_a_fitted_law_says_what_it_found_in_one_line() -> None:
    table, loss = _data()
    assert repr(TaskLoss(huber=None)) == "TaskLoss(huber=None)"
    fitted = repr(TaskLoss(huber=None).fit(table, loss))
    assert "\n" not in fitted
    assert fitted.startswith("<TaskLoss(huber=None) on 12 points: A = ")
    assert "E = 0.4" in fitted
    assert fitted.endswith("; converged>")


def test_laws_plug_into_scikit_learn() -> None:
    table, loss = _data()
    X = table[["params", "tokens"]].to_numpy()
    assert cross_val_score(TaskLoss(huber=None), X, loss, cv=4).min() > 0.99
    piped = make_pipeline(FunctionTransformer(), clone(TaskLoss())).fit(X, loss)
    np.testing.assert_allclose(piped.predict(X), loss, rtol=1e-3)


def test_stages_read_nothing_and_never_import_pipeline() -> None:
    from pathlib import Path

    for path in Path(stages.__file__).parent.rglob("*.py"):
        text = path.read_text()
        assert "benchcast.core" not in text, path
        assert "open(" not in text, path
