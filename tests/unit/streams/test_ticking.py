"""Time does its part once what lay there has been read, here and by who is asked before us."""

from datetime import timedelta

from streams.clock import ManualClock
from streams.log import Consumer, Outgoing, TopicPartition
from streams.memory_log import MemoryLog, MemoryPlace
from streams.ticking import Ticker, Upstream
from streams.topics import ACTIVITY, INPUT_NAMES, ORDERS

SECOND = timedelta(seconds=1)
NO_WAIT = timedelta(0)
FIRST = 1_000_000
GROUP = "journeys"


class Stand:
    """A log with a ticker whose topic is activity, after a group that reads orders."""

    def __init__(self) -> None:
        self.clock = ManualClock(FIRST)
        self.log = MemoryLog(MemoryPlace(self.clock))
        upstream = Upstream(self.log, GROUP, INPUT_NAMES)
        self.ticker = Ticker(self.log, (ACTIVITY,), self.clock, SECOND, upstream)
        self.read = 0

    def order(self) -> None:
        """Append an order; all lie in one partition."""
        self.log.append(ORDERS, [Outgoing(b"k", b"x")])

    def due(self, after_s: int = 1) -> int | None:
        """Return how many seconds after the first the moment lies that is due, a while later."""
        self.clock.advance(timedelta(seconds=after_s))
        moment = self.ticker.due({TopicPartition(ACTIVITY, 0): self.read})
        return None if moment is None else (moment - FIRST) // 1_000


def work(group: Consumer, made: int = 0) -> None:
    """Read what is there, and write what is made of it."""
    ends = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in group.poll(100, NO_WAIT)}
    with group.transaction() as opened:
        opened.produce(ACTIVITY, 0, [Outgoing(b"k", b"y")] * made)
        opened.commit_offsets(ends)


def test_who_never_read_is_not_waited_for() -> None:
    """Facts that nobody applies are no reason to let time stand still for ever."""
    stand = Stand()
    stand.order()
    assert [stand.due(), stand.due()] == [1, 2]
    assert not stand.ticker.is_held


def test_time_stands_still_while_the_group_before_does() -> None:
    """And goes on by itself once it has read, and silent sources hold nobody up."""
    stand = Stand()
    group = stand.log.consumer(GROUP, INPUT_NAMES)
    stand.order()
    work(group)
    assert stand.due() == 1
    stand.order()
    assert [stand.due(), stand.due(), stand.due(600)] == [None, None, None]
    assert stand.ticker.is_held
    work(group)
    assert [stand.due(), stand.due(3_600)] == [604, 4_204]
    assert not stand.ticker.is_held


def test_what_was_made_of_the_input_is_read_first() -> None:
    """The input of a moment has been read, and what came of it lies here unread."""
    stand = Stand()
    group = stand.log.consumer(GROUP, INPUT_NAMES)
    stand.order()
    assert stand.due() is None
    work(group, made=3)
    assert [stand.due(), stand.due()] == [None, None]
    stand.read = 3
    assert stand.due() == 2


def test_steady_input_lets_time_go_on() -> None:
    """A moment whose input has been read is reached, whatever came since."""
    stand = Stand()
    group = stand.log.consumer(GROUP, INPUT_NAMES)
    due = []
    for _ in range(5):
        stand.order()
        due.append(stand.due())
        work(group)
        stand.order()
    assert due == [None, 1, 2, 3, 4]


def test_who_is_steadily_behind_ticks_too() -> None:
    """Three records a second come, and those of three seconds ago are read: time goes on."""
    stand = Stand()
    due = []
    for second in range(12):
        stand.log.append(ACTIVITY, [Outgoing(None, b"y")] * 3)
        stand.read = max(0, 3 * (second - 2))
        due.append(stand.due())
    assert due == [None, None, None, 1, None, None, None, 5, None, None, None, 9]


def test_nothing_is_asked_more_often_than_told() -> None:
    """Offsets of a group cost a round to the brokers."""
    stand = Stand()
    assert [stand.due(0), stand.due(0), stand.due(1)] == [0, None, 1]
