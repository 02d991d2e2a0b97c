"""The trend as a form of ``auto``: where its effective compute comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchcast.stages.forecast.forms.trend import FORM, FittedTrendForm
from benchcast.stages.forecast.task_data import TaskData
from benchcast.stages.trend.loss_prior import PUBLISHED
from worlds.ladders import ladder

SEEN, TARGETS = ladder(0)[:-2], ladder(0)[-2:]


def fitted(finals: pd.DataFrame, losses: tuple[str, ...] = (), **more: Any) -> FittedTrendForm:
    (form,) = FORM.fit([TaskData(finals=finals, loss_names=losses, chance=0.25, **more)])
    assert isinstance(form, FittedTrendForm)
    return form


def test_without_a_loss_or_with_too_few_the_published_constants_map_size_and_length() -> None:
    few = SEEN.assign(bits_per_byte=SEEN["bits_per_byte"].where(SEEN.index < 2))
    for form in (fitted(SEEN), fitted(few, ("bits_per_byte",))):
        np.testing.assert_array_equal(form.compute.law.theta, PUBLISHED)
        assert form.compute.token_multiplier == pytest.approx(80)
    assert not np.array_equal(fitted(SEEN, ("bits_per_byte",)).compute.law.theta, PUBLISHED)


def test_a_validation_loss_counts_as_measured_and_the_tasks_own_by_its_law() -> None:
    """A run that went badly is worth less compute by its validation loss; its own noisy loss moves the law alone."""
    loss = 1.7 + 406 / SEEN["params"] ** 0.34 + 411 / SEEN["tokens"] ** 0.28
    badly = loss.where(SEEN.index != 6, loss + 0.3)
    well, bad = (fitted(SEEN.assign(val_loss=each), ("val_loss",)) for each in (loss, badly))
    own = fitted(SEEN.assign(bits_per_byte=badly), ("bits_per_byte",))
    assert well.trend.distance[6] - bad.trend.distance[6] > 0.3
    at = own.compute.of_model(SEEN["params"].to_numpy(), SEEN["tokens"].to_numpy())
    np.testing.assert_allclose(own.trend.distance, at - at.max())


def test_a_target_that_tells_only_its_compute_spends_it_the_usual_way() -> None:
    form = fitted(SEEN)
    usual = pd.DataFrame({"flops": [6e20], "params": [np.sqrt(1e20 / 80)], "tokens": [np.sqrt(1e20 * 80)]})
    bare = usual.assign(params=np.nan, tokens=np.nan)
    for a, b in zip(form.predict(usual), form.predict(bare), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)
    nothing = form.predict(bare.assign(flops=np.nan))
    assert np.isnan(nothing).all()


def test_two_scores_are_enough_and_one_is_not() -> None:
    one, two = (TaskData(finals=SEEN[:n], chance=0.25) for n in (1, 2))
    unscored = TaskData(finals=SEEN.assign(accuracy=SEEN["accuracy"].where(SEEN.index < 1)), chance=0.25)
    forms = FORM.fit([one, two, unscored])
    assert [form is None for form in forms] == [True, False, True]
    mean, std = forms[1].predict(TARGETS)  # type: ignore[union-attr]
    assert ((mean > 0) & (mean < 1) & (std > 0)).all()


def test_checkpoints_that_stand_in_are_scores_of_their_run() -> None:
    """As rows with a model they count less than as runs of their own."""
    noisy = SEEN.assign(accuracy=SEEN["accuracy"] + np.random.default_rng(0).normal(0, 0.03, len(SEEN)))
    by_size = noisy.assign(model=noisy["params"].astype(str))
    runs, checkpoints = (fitted(each).predict(TARGETS)[1] for each in (noisy, by_size))
    assert (checkpoints > runs).all()


def test_tasks_of_one_validation_loss_share_its_law() -> None:
    loss = 1.7 + 406 / SEEN["params"] ** 0.34 + 411 / SEEN["tokens"] ** 0.28
    other = ladder(5)[:-2].assign(val_loss=loss)
    tasks = [
        TaskData(finals=each, loss_names=("val_loss",), chance=0.25) for each in (SEEN.assign(val_loss=loss), other)
    ]
    a, b = FORM.fit(tasks)
    assert isinstance(a, FittedTrendForm)
    assert isinstance(b, FittedTrendForm)
    assert a.compute.law is b.compute.law
