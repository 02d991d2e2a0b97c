"""The account of a reader: every name once, and counts that stay what they are when accounts are put together."""

from __future__ import annotations

from benchcast.reports.records.account import Account


def test_a_name_counts_once_for_one_reason() -> None:
    account = Account()
    for name in ("a", "b", "a"):
        account.leave("no accuracy", name)
    account.leave("not a number", "a")
    assert {left.reason: left.count for left in account.record().left_out} == {"no accuracy": 2, "not a number": 1}


def test_counts_survive_being_added() -> None:
    first, second = Account(), Account()
    first.leave("no accuracy", *(f"task {i}" for i in range(100)))
    second.leave("no accuracy", "another")
    second.add(first.record())
    (left,) = second.record().left_out
    assert left.count == 101
    assert str(left) == "left out 101: no accuracy: another, task 0, task 1, task 2, task 3 and 96 more"


def test_many_names_are_counted_fast() -> None:
    account = Account()
    for i in range(200_000):
        account.leave("empty", str(i))
    assert account.record().left_out[0].count == 200_000


def test_many_notes_are_bounded_for_people_and_kept_for_machines() -> None:
    account = Account()
    for i in range(100):
        account.note(f"note {i}")
    record = account.record()
    assert len(record.told()) == 21
    assert record.told()[-1] == "and 80 more such lines (all are in --json)"
    assert len(record.notes) == 100
