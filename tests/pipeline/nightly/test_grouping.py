"""Messages by cause: one line for all that one thing touches, and a line of its own for what has another cause."""

from __future__ import annotations

from benchcast.nightly.alerts import grouping
from benchcast.nightly.alerts.conditions import condition, plain, read
from benchcast.stages.notices import Notice, nightly


def outside(task: str, value: str, tokens: str = "4B", target: str = "big") -> Notice:
    values = {"value": value, "tokens": tokens, "side": "below", "low": "53.4", "high": "62.2"}
    return condition(nightly.OUTSIDE, f"{target}, {task}", **values)


def failure(subject: str, reason: str) -> Notice:
    return condition(nightly.FAILURE, subject, reason=reason)


def test_tasks_of_one_run_that_left_their_bands_are_one_line() -> None:
    now = [outside("easy", "46.3"), outside("hard", "44.0"), outside("easy", "50.0", target="next")]
    assert grouping.changes([], now) == [
        "alert: outside: big: 2 scores are outside the registered band at 4B tokens: easy 46.3 % (below 53.4 to 62.2), "
        "hard 44.0 % (below 53.4 to 62.2)",
        "alert: outside: next, easy: 50.0 % at 4B tokens is below the registered band, 53.4 to 62.2 %",
    ]
    assert grouping.changes(now, []) == ["cleared: outside: big, easy, hard", "cleared: outside: next, easy"]


def test_scores_of_several_checkpoints_stand_with_their_tokens_the_newest_first() -> None:
    now = [outside("easy", "46.3", tokens="900M"), outside("hard", "44.0"), outside("odd", "40.0", tokens="900M")]
    [line] = grouping.changes([], now)
    assert line == (
        "alert: outside: big: 3 scores are outside the registered band: at 4B tokens hard 44.0 % (below 53.4 to 62.2); "
        "at 900M tokens easy 46.3 % (below 53.4 to 62.2), odd 40.0 % (below 53.4 to 62.2)"
    )


def test_what_was_kept_in_the_history_groups_as_what_is_new() -> None:
    now = [outside("easy", "46.3"), outside("hard", "44.0")]
    assert [grouping.line(g) for g in grouping.causes(read(plain(now)))] == [grouping.line(now)]


def test_a_sentence_of_an_earlier_version_groups_without_its_numbers() -> None:
    old = [{"rule": "outside", "subject": f"big, {task}", "text": "46.3% at 4e+09 tokens is low"} for task in "ab"]
    [group] = grouping.causes(read(old))
    assert grouping.line(group) == "outside: big: 2 scores are outside the registered band: a, b"


def test_checkpoints_that_fail_for_one_reason_are_one_line_and_many_are_counted() -> None:
    broken = [failure(f"big/at-{n}", f"holds {n} bytes where its header tells of 20") for n in range(8)]
    other = failure("big/at-9", "has no config.json")
    lines = grouping.changes([], [*broken, other])
    assert lines == [
        "error: failure: big/at-0, big/at-1, big/at-2, big/at-3, big/at-4, big/at-5, and 2 more: holds 0 bytes where "
        "its header tells of 20",
        "error: failure: big/at-9: has no config.json",
    ]
    assert grouping.changes([*broken, other], [other]) == [lines[0].replace("error:", "cleared:")]


def test_what_stands_is_not_told_again() -> None:
    assert grouping.changes([outside("easy", "46.3")], [outside("easy", "45.0")]) == []
