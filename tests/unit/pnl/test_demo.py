"""The demo: every event once, however often it is stopped."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pnl.demo import BATCH_RECORDS, Event, Feeder, Pace, events, parse_speed
from pnl.demo_progress import BesideTheLog, InTheLog, Keeper, Progress
from pnl.errors import UserError
from streams.clock import ManualClock
from streams.facts import Millis
from streams.log import EventLog, Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from streams.topics import SOURCE_NAMES

SECOND = 1000


def some_events(seed: int, now: Millis) -> Iterator[Event]:
    """Yield 9,000 events that depend on the seed."""
    del now
    chance = random.Random(seed)
    for n in range(9_000):
        record = Outgoing(b"c%d" % chance.randrange(50), b"%d of %d" % (n, seed))
        yield Event(n * SECOND, SOURCE_NAMES[n % 4], record)


def held(log: EventLog) -> list[bytes]:
    """Return the values of all input records, sorted."""
    return sorted(
        record.value or b""
        for topic in SOURCE_NAMES
        for partition in range(log.partitions)
        for record in log.read(topic, partition, 0, 100_000)
    )


class StopsAfter(threading.Event):
    """Is set after it was looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def is_set(self) -> bool:
        """Count a look."""
        self._looks -= 1
        return self._looks < 0


KEEPERS: dict[str, Callable[[EventLog, Path], Keeper]] = {
    "in the log": lambda log, _: InTheLog(log),
    "beside it": lambda log, folder: BesideTheLog(log, folder / "demo.json", {"cluster": "a"}),
}


@pytest.mark.parametrize("kept", KEEPERS)
def test_a_demo_that_is_stopped_goes_on_where_it_was(kept: str, tmp_path: Path) -> None:
    """Stopped after any number of batches, and started again, it appends every event once."""
    log = MemoryLog(MemoryPlace(clock=ManualClock()))
    for looks in (0, 1, 3, 2):
        keeper = KEEPERS[kept](log, tmp_path)
        feeder = Feeder(keeper, 7, Pace(None), ManualClock(), some_events)
        feeder.run(StopsAfter(looks))
        assert not feeder.done
        feeder.close()
    feeder = Feeder(KEEPERS[kept](log, tmp_path), 7, Pace(None), ManualClock(), some_events)
    feeder.run(threading.Event())
    assert feeder.done
    assert held(log) == sorted(event.record.value or b"" for event in some_events(7, 0))


def test_progress_on_another_cluster_is_refused(tmp_path: Path) -> None:
    """The file says of which log it is; one that cannot be read is named."""
    log, file = MemoryLog(MemoryPlace(clock=ManualClock())), tmp_path / "demo.json"
    BesideTheLog(log, file, {"cluster": "a"}).append({}, Progress(7))
    assert BesideTheLog(log, file, {"cluster": "a"}).load() == Progress(7)
    with pytest.raises(UserError, match="on another log"):
        BesideTheLog(log, file, {"cluster": "b"}).load()
    file.write_text("nonsense", "utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        BesideTheLog(log, file, {"cluster": "a"}).load()


def test_another_seed_is_refused() -> None:
    """A folder holds the demo of one seed."""
    log = MemoryLog(MemoryPlace(clock=ManualClock()))
    Feeder(InTheLog(log), 7, Pace(None), ManualClock(), some_events).run(StopsAfter(3))
    with pytest.raises(UserError, match="holds the demo of --seed 7"):
        Feeder(InTheLog(log), 8, Pace(None), ManualClock(), some_events)


def test_other_events_are_refused() -> None:
    """What was appended has to be the beginning of what is to come."""
    log = MemoryLog(MemoryPlace(clock=ManualClock()))
    Feeder(InTheLog(log), 7, Pace(None), ManualClock(), some_events).run(StopsAfter(3))
    other = Feeder(InTheLog(log), 7, Pace(None), ManualClock(), lambda _, now: some_events(8, now))
    with pytest.raises(UserError, match="the demo of another release"):
        other.run(threading.Event())


def test_pace_says_which_event_time_is_due() -> None:
    """A year in five minutes: 105,120 times faster than life; without a speed all is due."""
    pace = Pace(105_120.0)
    assert pace.reached(1_000, 0) == 1_000
    assert pace.reached(1_000, 300 * SECOND) == 1_000 + 365 * 86_400 * SECOND
    assert Pace(None).reached(1_000, 0) is None


def test_only_due_events_are_appended() -> None:
    """An event lies in the log no earlier than its time has come."""
    log = MemoryLog(MemoryPlace(clock=ManualClock()))
    clock = ManualClock()
    feeder = Feeder(InTheLog(log), 7, Pace(10.0), clock, some_events)

    class Ticks(threading.Event):
        """Moves the clock by a second where the feeder would wait, five times."""

        left = 5

        def wait(self, timeout: float | None = None) -> bool:
            """Let a second pass."""
            del timeout
            clock.advance(timedelta(seconds=1))
            self.left -= 1
            return self.left == 0

    feeder.run(Ticks())
    assert feeder.progress.appended == 41


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "nan", "inf", "1e999"])
def test_a_speed_is_a_number_or_max(text: str) -> None:
    """Anything else is refused by name."""
    with pytest.raises(UserError, match="--speed must be a number above 0, or max"):
        parse_speed(text)
    assert (parse_speed("max"), parse_speed("2.5")) == (None, 2.5)


def test_the_shipped_demo_is_in_order_and_repeatable() -> None:
    """The demo's events come in event-time order, and begin the same each time."""
    first = [event for _, event in zip(range(BATCH_RECORDS), events(1, 2**41), strict=False)]
    again = [event for _, event in zip(range(BATCH_RECORDS), events(1, 2**41), strict=False)]
    assert first == again
    assert [event.at for event in first] == sorted(event.at for event in first)
    assert {event.topic for event in first} == set(SOURCE_NAMES)
