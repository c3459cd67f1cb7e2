"""Appending: which offsets are ours, and how they ended."""

import random

from pnl.appending import Appended
from streams.log import OffsetRange, TopicPartition

ORDERS_0 = TopicPartition("orders", 0)


def test_ranges_that_touch_become_one() -> None:
    """The memory of an import that is alone does not grow with its batches."""
    appended = Appended()
    for start in range(0, 1000, 10):
        appended.add([OffsetRange("orders", 0, start, start + 10)])
    assert appended.ranges == {ORDERS_0: [(0, 1000)]}
    assert (appended.records, appended.ends()) == (1000, {ORDERS_0: 1000})


def test_only_our_offsets_are_counted() -> None:
    """For any ranges, the overlap is that of the sets of offsets."""
    chance = random.Random(20091201)
    for _ in range(300):
        appended, ours, at = Appended(), set[int](), 0
        for _ in range(chance.randrange(6)):
            start = at + chance.randrange(4)
            at = start + chance.randrange(1, 5)
            appended.add([OffsetRange("orders", 0, start, at)])
            ours |= set(range(start, at))
        start = chance.randrange(30)
        end = start + chance.randrange(12)
        assert appended.overlap(ORDERS_0, start, end) == len(ours & set(range(start, end)))


def test_another_partition_is_not_ours() -> None:
    """Offsets count within their topic and partition."""
    appended = Appended()
    appended.add([OffsetRange("orders", 0, 0, 5)])
    assert appended.overlap(TopicPartition("orders", 1), 0, 5) == 0
    assert appended.overlap(TopicPartition("costs", 0), 0, 5) == 0
