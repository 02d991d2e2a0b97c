"""Page one's table on a terminal: the same rows and numbers as in the PDF, and names that keep their ends."""

from __future__ import annotations

from benchcast.reports.sections.content import Content
from benchcast.reports.sections.decision import page_one
from benchcast.reports.text import answer_table
from worlds.reports import as_record, make_graded, make_result


def test_a_terminal_shows_page_ones_table() -> None:
    graded = as_record(make_graded(targets=("7B-4T", "13B-5T")))
    on_page = page_one(Content(graded), {}).answers
    assert on_page is not None
    shown = answer_table.on_terminal(graded, 140)
    assert (shown.head, shown.rows) == (on_page.head, on_page.rows)
    assert shown.notes[-1] == "--all lists every target and recipe"


def test_held_out_scores_are_those_of_the_answers_recipe() -> None:
    graded, published = make_graded(), make_result(targets=("7B-4T",))
    alone = answer_table.on_terminal(as_record(graded), 140).notes
    beside = graded | {"forecasts": graded["forecasts"] + published["forecasts"]}
    both = answer_table.on_terminal(as_record(beside), 140).notes
    (held,) = [line for line in alone if line.startswith("held-out runs:")]
    assert held in both
    assert " of 3 scores" in held  # of four tasks one is refused


def test_a_narrow_terminal_keeps_the_ends_of_names() -> None:
    name = "bigbench_a_very_long_name_of_a_task_multiple_choice_the_end"
    graded = make_graded()
    rows = [f | {"task": name} for f in graded["forecasts"][:1]]
    (row,) = answer_table.on_terminal(as_record(graded | {"forecasts": rows}), 80).rows
    assert str(row[0]).endswith("end")
    assert len(str(row[0])) < len(name)
