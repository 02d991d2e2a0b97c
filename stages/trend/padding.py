"""Sizes that arrays of many tasks are padded to: a task's own, rounded up, so no other task changes its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

MULTIPLE = 8  # points


def by_padded_size(sizes: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Which of some data sets, with ``sizes`` points each, can share an array, and the points that it has for each.

    The last digits of a sum depend on how many numbers are summed. So data sets share an array only where each would
    have had one of that size alone, and a fit does not depend on what is fitted beside it.
    """
    padded = [-(-size // MULTIPLE) * MULTIPLE for size in sizes]
    for each in sorted(set(padded)):
        yield each, [i for i, other in enumerate(padded) if other == each]
