"""Result files, samples and ``ladder.yaml`` with random faults: a table whose numbers can be, or faults; no traceback.

``BENCHCAST_MUTATIONS=3000`` tries that many; the seed of each is its number.
"""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchcast.core.errors import FaultsError
from benchcast.core.metrics import is_share
from benchcast.data.sources.lighteval import reader as lighteval
from benchcast.data.sources.lm_eval import reader as lm_eval
from benchcast.reports.records.account import Account
from worlds.results.lighteval import newest, older
from worlds.results.lighteval import put as put_lighteval
from worlds.results.lm_eval_files import ladder, put, put_samples, result

COUNT = int(os.environ.get("BENCHCAST_MUTATIONS", "150"))
VALUES = [
    None,
    True,
    0,
    -1,
    1,
    31.2,
    1e308,
    float("nan"),
    "",
    "N/A",
    "0.5",
    "\ud800",
    "\u2028",
    [],
    {},
    [1],
    {"a": 1},
    {"acc": 0.5},
    10**30,
]
KEYS = ["all", "harness|a|1", "", 300 * "x", "a/b", "..", "acc,none", "\x1b[31m"]


def paths(content: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield (*here, key)
            yield from paths(value, (*here, key))


def mutated(content: Any, rng: random.Random) -> Any:
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 3)):
        if not (known := list(paths(content))):
            break
        *above, last = rng.choice(known)
        place = content
        for key in above:
            place = place[key]
        what = rng.random()
        if what < 0.6:
            place[last] = copy.deepcopy(rng.choice(VALUES))
        elif what < 0.8:
            del place[last]
        elif isinstance(place, dict):
            place[rng.choice(KEYS)] = place.pop(last)
        else:
            place.append(copy.deepcopy(rng.choice([*place, *VALUES])))
    return content


def of_lm_eval(folder: Path, rng: random.Random) -> None:
    counts: dict[str, Any] = {"n-samples": {"arc_easy": {"original": 2376, "effective": 4}}}
    content = result("pretrained=org/m", 0.5, **counts)
    content["results"]["piqa"] = {"acc,none": 0.4, "acc_norm,none": 0.5}
    path = put(folder, content)
    samples = put_samples(path, "arc_easy", [True, False, True, False])
    ladder(folder, {"org/m": 1})
    places = folder / "ladder.yaml"
    what = rng.random()
    if what < 0.45:
        path.write_text(json.dumps(mutated(content, rng)))
    elif what < 0.75:
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        samples.write_text("\n".join(json.dumps(line) for line in mutated(lines, rng)))
    elif what < 0.85:
        places.write_text(json.dumps(mutated(json.loads(places.read_text()), rng)))
    else:
        file = rng.choice([path, samples, places])
        found = bytearray(file.read_bytes())
        for _ in range(rng.randint(1, 4)):
            found[rng.randrange(len(found))] = rng.randrange(256)
        file.write_bytes(found[: rng.randrange(len(found))] if rng.random() < 0.3 else found)


def of_lighteval(folder: Path, rng: random.Random) -> None:
    content = rng.choice([newest, older])()
    put_lighteval(folder, content, 1)
    put_lighteval(folder, mutated(content, rng), rng.choice([1, 2]))
    ladder(folder, {"org/m": 1, f"org/m@{40 * 'a'}": 2})


def test_no_mutation_gives_a_traceback_or_a_number_that_cannot_be(tmp_path: Path) -> None:
    outcomes: list[bool | str] = []
    for seed in range(COUNT):
        rng = random.Random(seed)
        shutil.rmtree(tmp_path / "r", ignore_errors=True)
        of_lm_eval(tmp_path / "r", rng) if seed % 3 else of_lighteval(tmp_path / "r", rng)
        account = Account()
        try:
            table = (lm_eval.read_lm_eval if seed % 3 else lighteval.read_lighteval)(tmp_path / "r", account)
        except FaultsError as error:
            outcomes.append(": row " in str(error) and "a row of a table that nobody has")
        else:
            outcomes.append(True)
            table.to_csv(tmp_path / "l.csv")
            accuracies = table.loc[table["metric"].map(is_share).astype(bool), "value"]
            assert accuracies.between(0, 1).all(), seed
            if seed % 3:  # what was altered may be gone, but a number stands for what it stood for
                known = table[table["metric"].eq("acc") & table["task"].isin(["arc_easy", "piqa"])]
                assert len(known) <= 2, seed
        account.record().lines()
    assert set(outcomes) == {True, False}
