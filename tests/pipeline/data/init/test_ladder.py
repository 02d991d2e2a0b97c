"""``ladder.yaml`` as init writes it reads back as what it means, whatever the models are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchcast.core import reading
from benchcast.core.errors import Fault, FaultsError
from benchcast.data.init import ladder as init_ladder
from benchcast.data.init import text as init_text
from benchcast.data.init.entry import Known
from benchcast.data.places.models import model_places
from benchcast.reports.records.account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pieces = st.sampled_from(
    [
        "pythia",
        "OLMo",
        "-",
        "_",
        "/",
        "@",
        "step",
        "iter_",
        "tokens",
        "B",
        "M",
        "k",
        "T",
        "x",
        "xC",
        "0",
        "1",
        "160",
        "0.5",
        "1431",
        "BS",
        " (",
        ")",
        ": ",
        "#",
        "{",
        '"',
        "'",
        "\n",
        "\x1b",
        "null",
        "é",
        "\u2028",
        "*",
        "&",
        "!",
    ]
)
words = st.lists(pieces, min_size=1, max_size=10).map("".join)
sizes = st.floats(1e3, 1e13)
models = st.lists(
    st.builds(Known, name=words, pretrained=words, revision=st.just("") | words, params=st.none() | sizes),
    min_size=1,
    max_size=6,
    unique_by=lambda model: model.name,
)
option = st.none() | st.floats(1e-3, 1e9)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(models, option, option)
def test_what_is_written_is_what_is_meant(known: list[Known], multiplier: float | None, per_step: float | None) -> None:
    try:
        ladder = init_ladder.build(known, multiplier, per_step, Account())
    except FaultsError:
        return  # an option that the names contradict
    text = ladder.text()
    text.encode()
    content: dict[Any, Any] = reading.yaml_of(text)
    assert content == {
        name: place and {k: _as_written(k, v) for k, v in place.items()} for name, place in ladder.places().items()
    }
    assert set(content) == {model.name for model in known}
    faults: list[Fault] = []
    model_places(Path("ladder.yaml"), content, faults)
    assert all(fault.what == "is missing" for fault in faults), faults
    lacking = {entry.name for entry in ladder.lacking()}
    assert bool(lacking) == bool(faults)
    for line in text.splitlines():
        name = next((n for n in lacking if line.startswith(init_text.scalar(n) + ":")), None)
        assert name is None or "# add " in line


def _as_written(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value
    return reading.yaml_of(f"{int(value)}" if key == "step" and value == int(value) else init_text.exact(float(value)))


@given(st.floats(1e-300, 1e300))
def test_numbers_are_written_exactly(value: float) -> None:
    assert float(init_text.exact(value)) == value
    assert abs(float(init_text.number(value)) / value - 1) < 1e-5


def test_numbers_are_written_for_people() -> None:
    assert [init_text.exact(v) for v in (7e7, 299892736000, 70426624, 1.1e9, 3e12, 0.5)] == [
        "7e7",
        "299892736000",
        "70426624",
        "1.1e9",
        "3e12",
        "5e-1",
    ]
