"""Published constants against the numbers that the papers print."""

from __future__ import annotations

import numpy as np
import pytest
from benchcast.stages import ChinchillaLoss, KaplanLoss
from benchcast.stages.fit.intervals import central_interval
from benchcast.stages.planning import published


def test_chinchillas_70b_on_1_4t_tokens() -> None:
    """5.76e23 FLOPs: the exact refit's 90 % interval holds the model that was trained; the printed digits do not."""
    law = published.PUBLISHED_LAWS["chinchilla-refit"]
    drawn = ChinchillaLoss.optimum_at(law.draws(), 5.76e23)
    low, high = drawn.interval()["params"]
    assert low < 70e9 < high
    low, high = drawn.interval()["tokens"]
    assert low < 1.4e12 < high
    ratio = ChinchillaLoss.optimum_at(published.PUBLISHED_LAWS["chinchilla"].values(), 5.76e23)
    assert ratio.tokens[0] / ratio.params[0] > 60  # arXiv 2404.10102: about 70, against the 20 that was trained


def test_ten_times_the_compute() -> None:
    """Kaplan's 5.5x parameters and 1.8x tokens, Chinchilla's equal split, from the printed exponents."""
    exponents = {name: float(text) for name, text, _ in published.EXPONENTS}
    assert 10 ** exponents["kaplan"] == pytest.approx(5.5, rel=0.03)
    assert 10 ** (1 - exponents["kaplan"]) == pytest.approx(1.8, rel=0.04)
    assert exponents["chinchilla approach 1"] == 0.5
    a, b = ChinchillaLoss.optimum_exponents(published.PUBLISHED_LAWS["chinchilla"].values())
    assert a[0] == pytest.approx(0.45, abs=0.01)  # Hoffmann et al., table 2, approach 3: 0.46 with [.454, .455]
    assert a[0] + b[0] == pytest.approx(1.0)
    params, batch, steps, data = KaplanLoss.frontier_exponents(*map(np.array, (0.077, 0.76, 0.21)))
    assert float(params) == pytest.approx(0.73, abs=0.06)  # their equation 6.7 puts 0.73 where theory says 0.68
    assert float(params + data) == pytest.approx(1.0)
    assert float(batch + steps) == pytest.approx(float(data))


def test_llama_3s_printed_constants_do_not_give_its_own_tokens() -> None:
    law = published.PUBLISHED_LAWS["llama3"]
    size, tokens = published.power_split(law.values(), 3.8e25)
    assert tokens[0] == pytest.approx(10.5e12, rel=0.01)  # 16.55T is printed
    _, many = published.power_split(law.draws(), 3.8e25)
    low, high = central_interval(many, 0.9)
    assert low < 10.5e12 < high
    assert high < 16.55e12  # not even the rounding of the digits reaches it
    assert np.log(16.55e12 / 0.29) / np.log(3.8e25) == pytest.approx(0.538, abs=5e-4)
    assert size[0] * tokens[0] * 6 == pytest.approx(3.8e25)


def test_rounding_is_half_a_unit_of_the_last_digit() -> None:
    assert published.rounding("0.29") == pytest.approx(0.005)
    assert published.rounding("6.4e13") == pytest.approx(0.05e13)
    assert published.rounding("3") == pytest.approx(0.5)


def test_a_law_that_prints_its_optimum_only_has_no_loss() -> None:
    assert [law.name for law in published.PUBLISHED_LAWS.values() if not law.has_loss] == ["llama3", "deepseek"]
    assert published.PUBLISHED_LAWS["kaplan"].loss_surface() is KaplanLoss
    with pytest.raises(ValueError, match="llama3 gives its optimum only"):
        published.PUBLISHED_LAWS["llama3"].loss_surface()
