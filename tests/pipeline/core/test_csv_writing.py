"""Large tables are written fast, and byte for byte as pandas writes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchcast.core import csv_writing

NAMES = [
    "a",
    "with, comma",
    'with "quotes"',
    "two\nlines",
    "carriage\rreturn",
    "",
    " space",
    "…",
    "007",
    "NA",
    "x\u2028y",
]


@pytest.mark.parametrize("names", [NAMES, [*NAMES, "\udcff"]])
def test_bytes_are_those_of_pandas(names: list[str]) -> None:
    rng = np.random.default_rng(0)
    rows = csv_writing.FEW
    numbers = np.array([0.1, 1e16, 1e-5, 56136.0, np.nan, np.inf, -0.0, 1 / 3, 1e22, 123456789012.0])
    table = pd.DataFrame(
        {
            "run": pd.Series(rng.choice(np.array(names, dtype=object), rows), dtype=object),
            'odd, "name"': np.array([None], dtype=object).repeat(rows),
            "few": rng.choice(numbers, rows),
            "many": rng.lognormal(0, 20, rows),
        }
    )
    expected = table.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace")
    assert csv_writing.encoded(table) == expected
    assert csv_writing.encoded(table.assign(whole=1)) == table.assign(whole=1).to_csv(
        index=False, lineterminator="\n"
    ).encode("utf-8", "backslashreplace")
