"""The suites that ``auto`` is judged on: their ladders, and the runs that are targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from benchcast.core.config import Config, RunsSettings, load
from benchcast.core.metrics import ACCURACIES
from benchcast.data import ingest
from benchcast.data.source import Data
from benchcast.forecasting.context import FamilyContext, contexts_of
from benchcast.forecasting.jobs import assign_roles, documents_of, jobs_of

CONFIGS = Path(__file__).parents[2] / "configs"
TARGETS = {
    "gadre2024": ("*-open_lm_1b-[!1]*", "*-open_lm_7b*"),
    "olmo_ladder": ("peteish*",),
    "demo": ("640K-10x", "1.3M-*"),
}
RECIPES: dict[str, list[str | dict[str, Any]]] = {
    "gadre2024": ["auto", {"name": "overtraining", "loss": "c4_val"}],
    "olmo_ladder": ["auto", "ladder", "llama3"],
    "demo": [
        "auto",
        "llama3",
        {"name": "overtraining", "loss": "validation"},
        {"name": "ladder", "last": 1, "smooth": 1},
    ],
}
LABELS = {"c4_original": "C4", "rpj": "RedPajama", "olmo2-ladder": "model ladder", "debian-prose": "demo"}
NOBODYS_RUN = {"name": "a run of nobody", "flops": 1e30}  # a config needs a target; this one has no score
LARGEST_OF_THE_MIDDLE, ABOVE_CHANCE = "d=576", 0.1  # of the published subset of tasks


def config_of(suite: str, **changes: Any) -> Config:
    """A suite's config with some keys changed and without its own choice of runs."""
    plain = load(CONFIGS / f"{suite}.yaml", Config).model_dump()
    plain |= {"recipes": ["auto"], "figures": 0, "runs": RunsSettings().model_dump()}
    if suite == "demo":
        plain["metric"] = "acc"  # what the recorded figures are of: its task that the model writes is younger
    return Config.model_validate(plain | changes)


def place_of(suite: str, testbeds: Path) -> Path | None:
    """Where a suite's data lie; the demo's come with the package."""
    return None if suite == "demo" else testbeds / suite


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite without its targets: their rows are not in ``data``, so nothing that is made of it can see them."""

    name: str
    data: Data

    @classmethod
    def read(cls, name: str, testbeds: Path) -> Suite:
        """Every run of the suite's ladders, and none of its targets."""
        config = config_of(name, targets=[{"run": pattern} for pattern in TARGETS[name]])
        data = ingest.read_data(config.data, CONFIGS, place_of(name, testbeds))
        roles = assign_roles(config, data.table)
        kept = set(roles.index[roles.eq("fit")])
        return cls(name=name, data=replace(data, table=data.table[data.table["run"].isin(kept)].reset_index(drop=True)))

    def contexts(self) -> dict[str, FamilyContext]:
        """All runs of every family as its ladder."""
        config = config_of(self.name, targets=[NOBODYS_RUN])
        documents = documents_of(config, self.data, CONFIGS)
        return contexts_of(jobs_of(config, self.data.table, documents=documents))

    def families(self) -> Sequence[str]:
        """In the order of the table."""
        return list(dict.fromkeys(self.data.table["family"]))

    def tasks(self) -> Sequence[str]:
        """Those with an accuracy, in the order of the table."""
        return list(dict.fromkeys(self.data.table.loc[self.data.table["metric"].isin(ACCURACIES), "task"]))

    def runs(self, family: str) -> list[str]:
        """The runs of a family that have an accuracy, cheapest first."""
        table = self.data.table
        own = table[table["family"].eq(family) & table["metric"].isin(ACCURACIES)]
        return list(own.groupby("run", sort=False)["flops"].max().sort_values(kind="stable").index)


def ladders(suites: Sequence[str], testbeds: Path) -> Iterator[tuple[str, FamilyContext]]:
    """Every family of some suites by its label, with all its runs but the targets."""
    for name in suites:
        for family, context in Suite.read(name, testbeds).contexts().items():
            yield LABELS.get(family, family), context


def seventeen(tasks: Sequence[str], testbeds: Path) -> list[str]:
    """The published subset: the best 154M model is at least 10 points above chance."""
    table = Suite.read("gadre2024", testbeds).data.table
    middle = table[table["run"].str.contains(LARGEST_OF_THE_MIDDLE) & table["metric"].isin(ACCURACIES)]
    best = middle.groupby("task")[["value", "chance"]].max()
    chosen = set(best.index[best["value"] >= best["chance"] + ABOVE_CHANCE])
    return [task for task in tasks if task in chosen and not is_average(task)]


def is_average(task: str) -> bool:
    """Whether the over-training testbed publishes a task as a mean of others."""
    return task.startswith("average_")


def equal_weights(tasks: Sequence[str]) -> Mapping[str, float]:
    """The weights of a plain mean."""
    return dict.fromkeys(tasks, 1 / len(tasks))


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a table that can be put into the log; numbers as they are given."""
    frame = pd.DataFrame(rows).fillna("")
    head = f"| {' | '.join(map(str, frame.columns))} |\n|{'---|' * len(frame.columns)}"
    return "\n".join([head, *(f"| {' | '.join(map(str, row))} |" for row in frame.itertuples(index=False))])
