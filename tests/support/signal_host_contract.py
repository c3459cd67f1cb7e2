"""What every host of signals promises. The tests name no implementation: a *stand* runs hosts.

The handler counts each topic's records, so that a record that is lost, or counted twice, shows in
the value of every later one; it does not know repeated records by itself: that is the host's part.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol

import pytest

from streams.clock import Deadline
from streams.facts import Millis
from streams.invalid import Refused
from streams.log import EventLog, Outgoing, Record
from streams.signal_host import Arrived, Emitted
from streams.topics import ACTIVITY, ALERTS, CHURN, DEAD_LETTERS

TOPICS = (CHURN, ACTIVITY)
SHUT, OPEN, BAD, BUG = b"shut", b"open", b"bad", b"bug"


class Tally:
    """Counts; a record `shut` is answered by the next tick unless `open` comes before it.

    `bad` is refused, `bug` is ours.
    """

    def apply(self, state: MutableMapping[str, bytes], arrived: Arrived) -> list[Emitted]:
        """Say how many records of the topic there were, under the record's place."""
        count = int(state.get(arrived.topic, b"0")) + 1
        state[arrived.topic] = str(count).encode()
        if arrived.value == BAD:
            raise Refused("not_json", "is bad")
        if arrived.value == BUG:
            raise ZeroDivisionError("a bug")
        if arrived.value == OPEN:
            for key in [key for key in state if key.startswith("shut\0")]:
                del state[key]
        if arrived.value == SHUT:
            state[f"shut\0{arrived.offset}"] = SHUT
        place = f"{arrived.topic} {arrived.partition} {arrived.offset}"
        return [Emitted(ALERTS, place.encode(), state[arrived.topic])]

    def tick(self, state: MutableMapping[str, bytes], partition: int, now: Millis) -> list[Emitted]:
        """Answer what was shut, once."""
        del now
        found = [key for key in state if key.startswith("shut\0")]
        for key in found:
            del state[key]
        return [Emitted(ALERTS, f"tick {partition} {key[5:]}".encode(), b"shut") for key in found]


class Role(Protocol):
    """A host as its worker drives it."""

    ticks: int

    def step(self, wait: timedelta) -> int:
        """Handle what there is, or let time do its part."""
        ...

    def close(self) -> None:
        """Give the group up."""
        ...


class Running:
    """A host at work."""

    def __init__(self, role: Role, wait: timedelta) -> None:
        self._role = role
        self._wait = wait

    def settle(self) -> None:
        """Return once all that lies in its topics is handled, and a tick came after."""
        wanted = self._role.ticks + 2
        limit = Deadline(timedelta(seconds=60))
        while self._role.ticks < wanted:
            self._role.step(self._wait)
            assert limit.seconds_left(), "all records are handled within a minute"

    @classmethod
    @contextmanager
    def of(cls, role: Role, wait: timedelta) -> Iterator["Running"]:
        """Run a host until the end of the block."""
        try:
            yield cls(role, wait)
        finally:
            role.close()


class Stand(Protocol):
    """Where hosts run: a log, and a way to start one; leaving it ends it in good order."""

    @property
    def log(self) -> EventLog:
        """The log."""
        ...

    def start(self) -> AbstractContextManager[Running]:
        """Run a host."""
        ...


def said(log: EventLog, topic: str = ALERTS) -> list[tuple[int, bytes | None, bytes | None]]:
    """Return what hosts wrote, once each, as (partition, key, value), in order of key."""
    found = {
        (record.partition, record.key, record.value)
        for partition in range(log.partitions)
        for record in _all(log, topic, partition)
    }
    return sorted(found, key=lambda each: (each[0], each[1] or b""))


def _all(log: EventLog, topic: str, partition: int) -> Iterator[Record]:
    at = log.start_offsets(topic)[partition]
    while records := log.read(topic, partition, at, 1_000):
        yield from records
        at = records[-1].offset + 1


def by_hand(log: EventLog) -> list[tuple[int, bytes | None, bytes | None]]:
    """Return what a host has to have written: the handler, called in order, with a tick after."""
    wanted: list[tuple[int, bytes | None, bytes | None]] = []
    handler = Tally()
    for partition in range(log.partitions):
        state: dict[str, bytes] = {}
        made: list[Emitted] = []
        for topic in TOPICS:
            for record in _all(log, topic, partition):
                tried = dict(state)
                place = (topic, partition, record.offset)
                arrived = Arrived(*place, 1, record.logged_at, record.key, record.value)
                try:
                    made += handler.apply(tried, arrived)
                except Refused:
                    continue
                state = tried
        made += handler.tick(state, partition, 0)
        wanted += [(partition, each.key, each.value) for each in made]
    return sorted(wanted, key=lambda each: (each[0], each[1] or b""))


def append(log: EventLog, count: int = 40, *more: bytes) -> None:
    """Append some records to both topics, over all partitions."""
    records = [Outgoing(str(n).encode(), b"x") for n in range(count)]
    records += [Outgoing(str(n).encode(), value) for n, value in enumerate(more)]
    for topic in TOPICS:
        log.append(topic, records)


class SignalHostContract:
    """Subclass it beside a fixture `stand`."""

    def test_every_record_is_handled_once_in_its_own_partition(self, stand: Stand) -> None:
        """What is written is what calling the handler by hand gives, in the record's partition."""
        append(stand.log)
        with stand.start() as host:
            host.settle()
            append(stand.log, 7)
            host.settle()
        assert said(stand.log) == by_hand(stand.log)

    def test_another_host_goes_on_where_one_ended(self, stand: Stand) -> None:
        """State and place come back: nothing is counted again, nothing left out."""
        for count in (30, 20):
            append(stand.log, count)
            with stand.start() as host:
                host.settle()
        assert said(stand.log) == by_hand(stand.log)

    def test_a_tick_is_answered_once(self, stand: Stand) -> None:
        """What a tick did to the state is kept: no later host does it again."""
        append(stand.log, 3, SHUT)
        for _ in range(2):
            with stand.start() as host:
                host.settle()
        assert said(stand.log) == by_hand(stand.log)
        assert sum(key is not None and key.startswith(b"tick") for _, key, _ in said(stand.log))

    def test_a_backlog_is_read_to_its_end_before_a_tick(self, stand: Stand) -> None:
        """Time does its part only when all that had come by then was handled."""
        append(stand.log, 0, SHUT)
        append(stand.log, 60)
        append(stand.log, 0, OPEN)
        with stand.start() as host:
            host.settle()
        assert said(stand.log) == by_hand(stand.log)
        assert not any(key is not None and key.startswith(b"tick") for _, key, _ in said(stand.log))

    def test_a_record_that_cannot_be_read_is_a_dead_letter(self, stand: Stand) -> None:
        """It leaves nothing behind in the state, and those after it are handled."""
        append(stand.log, 2, BAD)
        append(stand.log, 9)
        with stand.start() as host:
            host.settle()
        assert said(stand.log) == by_hand(stand.log)
        letters = said(stand.log, DEAD_LETTERS)
        assert len(letters) == len(TOPICS)
        assert all(b'"reason":"not_json"' in (value or b"") for _, _, value in letters)

    def test_a_bug_of_ours_ends_the_host_and_nothing_is_passed_over(self, stand: Stand) -> None:
        """The record that showed it is there for the next host, which ends with it again."""
        append(stand.log, 0, BUG)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), stand.start() as host:
                host.settle()
        assert said(stand.log) == []
