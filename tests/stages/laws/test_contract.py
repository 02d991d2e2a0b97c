"""What every law owes its users, whichever laws there are: a new law is tested here without a line being written."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from benchcast.stages import LAWS
from benchcast.stages.fit.errors import FitError
from benchcast.stages.fit.estimate import FitStatus
from benchcast.stages.laws.base import Law
from benchcast.stages.laws.candidate import Step
from benchcast.stages.laws.registry import candidates
from benchcast.stages.laws.surface import LossSurface
from scipy.optimize import minimize_scalar

RANGES = {"loss": (2.0, 4.5), "annealing": (0.01, 0.9), "token_multiplier": (5.0, 300.0), "tokens": (1e9, 1e12)}
FLOPS_AND_SIZES = (1e7, 1e10)  # every other column is a count
SURFACES = [law for law in LAWS if issubclass(law, LossSurface)]
INVERTIBLE = [law for law in LAWS if hasattr(law, "inverse") and law not in SURFACES]


def data(law: type[Law], n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Inputs within the ranges, and a smooth answer to them in the law's unit that falls as the first input grows."""
    rng = np.random.default_rng(0)
    columns = [np.exp(rng.uniform(*np.log(RANGES.get(name, FLOPS_AND_SIZES)), n)) for name in law.columns]
    X = np.column_stack(columns)
    rank = np.log(X[:, 0] / X[:, 0].min()) / np.log(np.ptp(X[:, 0]) / X[:, 0].min() + 1)
    grows = (law.columns != ("loss",) and law.y_unit == "accuracy") or law.y_unit == "error"
    share = 0.3 + 0.4 * (rank if grows else 1 - rank) ** 1.3
    noise = rng.normal(0, 0.005, n)
    return X, (share if law.y_unit in ("accuracy", "error") else 2 + share) + noise


def ids(law: type[Law]) -> str:
    return law.__name__


@pytest.mark.parametrize("kind", LAWS, ids=ids)
def test_the_jacobian_is_the_derivative_of_the_curve(kind: type[Law]) -> None:
    """At the fit and around it, against central differences; for k sets of parameters at once as for one."""
    X, y = data(kind)
    law = kind().fit(X, y)
    free = np.diag(law.covariance_) > 0
    for shift in (0.0, 0.02, -0.02):
        theta = law.theta_ * (1 + shift)
        step = 1e-6 * np.maximum(np.abs(theta), 1e-2)
        numeric = np.column_stack(
            [(law._curve(theta + h, X) - law._curve(theta - h, X)) / (2 * h.sum()) for h in np.diag(step)]
        )
        exact = law._jacobian(theta, X)
        size = np.maximum(np.abs(exact).max(axis=0), 1e-8)
        np.testing.assert_allclose((exact / size)[:, free], (numeric / size)[:, free], atol=1e-4)
    many = np.stack([law.theta_, law.theta_ * 1.01], axis=1)[:, :, None]
    np.testing.assert_allclose(law._curve(many, X)[1], law._curve(law.theta_ * 1.01, X), rtol=1e-12)
    np.testing.assert_allclose(law._jacobian(many, X)[1], law._jacobian(law.theta_ * 1.01, X), rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("kind", LAWS, ids=ids)
def test_every_argument_of_a_constructor_has_its_check(kind: type[Law]) -> None:
    arguments = {name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "args", "kwargs")}
    assert arguments <= set(kind.constraints)


@pytest.mark.parametrize("kind", LAWS, ids=ids)
def test_data_that_cannot_be_fitted_are_told_from_mistakes(kind: type[Law]) -> None:
    X, y = data(kind)
    for bad_X, bad_y in (
        (X[:1], y[:1]),
        (X, np.where(np.arange(len(y)) == 3, np.nan, y)),
        (np.where(X.max() == X, np.inf, X), y),
        (-X, y),
    ):
        with pytest.raises(FitError):
            kind().fit(bad_X, bad_y)
    for wrong_X, wrong_y in ((X, y[:-1]), (X[:, :0], y), (X, np.column_stack([y, y]))):
        with pytest.raises(ValueError) as caught:  # noqa: PT011  scikit-learn's words
            kind().fit(wrong_X, wrong_y)
        assert not isinstance(caught.value, FitError)
    if kind.log_link:
        with pytest.raises(FitError, match="positive"):
            kind().fit(X, -y)


@pytest.mark.parametrize("kind", LAWS, ids=ids)
def test_the_report_of_a_fit_has_what_a_reader_needs(kind: type[Law]) -> None:
    law = kind().fit(*data(kind))
    assert isinstance(law.status_, FitStatus)
    text = law.report()
    assert text.startswith(
        f"{kind.__name__}: {kind.formula}\nsource: {kind.source}\nfit: {law.status_.value}, 24 points"
    )
    rows = {line.split()[0]: line for line in text.splitlines() if line}
    for p in law.parameters:
        assert f"{law.estimates_[p.name]:.5g}" in rows[p.name]
        assert rows[p.name].endswith(p.unit)
    assert text.count("note: ") == len(law.notes_)


@pytest.mark.parametrize("kind", INVERTIBLE, ids=ids)
def test_the_inverse_undoes_the_curve(kind: type[Law]) -> None:
    X, y = data(kind)
    law = kind().fit(X, y)
    np.testing.assert_allclose(law.inverse(law.predict(X)), X[:, 0], rtol=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", SURFACES, ids=ids)
def test_a_surface_is_its_curve_and_its_optimum_the_least_of_it(kind: type[LossSurface]) -> None:
    """The formula for draws equals the one that is fitted; the closed form equals a search; the inverse goes back."""
    X, y = data(kind)
    law = kind().fit(X, y)
    truth = TRUTHS[frozenset(law.estimates_)]
    theta = np.array([np.log(truth[p.name]) if p.log else truth[p.name] for p in kind.parameters])
    law.estimates_ = truth
    inputs = dict(zip(kind.columns, X.T, strict=True))
    if "flops" in inputs:
        params = np.sqrt(inputs["flops"] / (6 * inputs["token_multiplier"]))
        tokens = params * inputs["token_multiplier"]
    else:
        params, tokens = X.T
    np.testing.assert_allclose(law.loss(params, tokens), law._curve(theta, X), rtol=1e-9)
    draws = {name: np.array([value, value]) for name, value in truth.items()}
    flops = 1e22
    best = law.optimum(flops)
    pairs = flops / kind.flops_per_pair
    found = minimize_scalar(lambda log_n: float(law.loss([np.exp(log_n)], [pairs / np.exp(log_n)])[0]), (15.0, 27.0))
    assert np.exp(found.x) == pytest.approx(best.params[0], rel=1e-3)
    assert best.loss[0] <= found.fun * (1 + 1e-12)
    assert best.params[0] * best.tokens[0] == pytest.approx(pairs, rel=1e-12)
    back = law.inverse(float(best.loss[0]), best.params)
    assert back[0] == pytest.approx(best.tokens[0], rel=1e-6)
    assert np.isnan(law.inverse(1e-3, best.params)[0])
    assert kind.optimum_at(draws, flops).params.shape == (2,)
    plain, converted = kind.in_6nd(draws)
    in_6nd = plain.optimum_at(converted, flops)
    assert in_6nd.loss[0] == pytest.approx(best.loss[0], rel=1e-12)
    assert 6 * in_6nd.params[0] * in_6nd.tokens[0] == pytest.approx(flops, rel=1e-12)


# Constants with an optimum inside, by the names of a law's parameters; a new surface adds its own.
TRUTHS: dict[frozenset[str], dict[str, float]] = {
    frozenset(truth): truth
    for truth in (
        {"A": 477.83, "B": 2143.42, "alpha": 0.34731, "beta": 0.36717, "E": 1.81722},
        {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
        {"E": 1.84, "a": 212.0, "b": 367.0, "eta": 0.136},
    )
}


@pytest.mark.parametrize("step", Step)
def test_candidates_stand_in_the_order_of_their_ranks_and_make_their_law(step: Step) -> None:
    listed = candidates(step)
    assert [c.rank for c in listed.values()] == sorted(c.rank for c in listed.values())
    for name, candidate in listed.items():
        assert candidate.name == name
        assert candidate.step == step
        law = candidate.make(0.25)
        assert type(law) in LAWS
        law._check_parameters()
        wants = ("loss",) if step == Step.LOSS_TO_ACCURACY else None
        assert wants is None or law.columns == wants
