"""The rows of a plan: the page, the terminal and Python show the same numbers of it."""

from __future__ import annotations

import pytest
from benchcast import run_plan
from benchcast.reports.records.plan import Answer, Estimate, PlanResult
from benchcast.reports.text import plan_table
from benchcast.reports.text.table import as_lines


@pytest.fixture(scope="module")
def plan() -> PlanResult:
    return run_plan({"flops": [1e23, 3.8e25]})


def test_a_value_with_its_interval() -> None:
    whole = Estimate(value=56_100, low=49_900, high=1.37e6)
    assert plan_table.within(whole) == "5.61e+04 (4.99e+04–1.37e+06)"
    assert plan_table.within(whole.model_copy(update={"low": None})) == "5.61e+04 (no interval)"
    assert plan_table.within(None) == plan_table.within(Estimate(value=None, low=None, high=None)) == "–"


def test_sizes_are_counts_and_a_loss_has_three_decimals(plan: PlanResult) -> None:
    answer = plan.answers[0]
    numbers = {
        "params": Estimate(value=7.47e10, low=7e10, high=8e10),
        "tokens": Estimate(value=1.29e12, low=1e12, high=2e12),
        "token_multiplier": Estimate(value=17.27, low=12.5, high=28.57),
        "loss": Estimate(value=1.9234, low=1.9, high=1.95),
    }
    shown = plan_table.sizes(answer.model_copy(update=numbers))
    assert shown == ["74.7B (70B–80B)", "1.29T (1T–2T)", "17.3 (12.5–28.6)", "1.923 (1.900–1.950)"]


def test_every_renderer_has_every_answer(plan: PlanResult) -> None:
    page, python = plan_table.answers_page(plan), plan_table.answers(plan)
    assert len(page.rows) == len(python.rows) == len(plan.answers)
    for flops in (1e23, 3.8e25):
        terminal = plan_table.answers_at(plan, flops)
        answers = [a for a in plan.answers if a.flops == flops]
        assert [row[1:] for row in terminal.rows] == [plan_table.sizes(a) for a in answers]
        assert terminal.title == f"{plan.title}: {flops:.3g} FLOPs"
    assert [row[2:] for row in page.rows] == [plan_table.sizes(a) for a in plan.answers]
    assert page.rules == (sum(a.flops == 1e23 for a in plan.answers),)


def test_the_frame_has_the_numbers_themselves(plan: PlanResult) -> None:
    frame = plan_table.frame(plan)
    first: Answer = plan.answers[0]
    assert frame["params"][0] == first.params.value
    assert frame["tokens_low"][0] == first.tokens.low
    assert plan_table.as_text(plan).splitlines() == [plan.title, *as_lines(plan_table.answers(plan))]
