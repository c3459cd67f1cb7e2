"""Several sinks on one log and one store: whatever becomes of them, the views are right."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sinks.progress import read_marks
from sinks.rollup import Rollup
from sinks.sink import GROUP, Sink
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from sinks.verify import verify
from streams.clock import ManualClock
from streams.failpoints import VARIABLE, FailpointReached
from streams.log import Fenced, TopicPartition
from streams.memory_log import MemoryLog
from streams.topics import LEDGER, OUTPUT_NAMES, STORED_NAMES
from tests.support.facts import BASE
from tests.support.results import entry, ledger_record, put
from tests.support.shared_log import SharedLog, SharedPlace, share_out, shared
from tests.support.stored import NOW, append, journey, memory_log
from tests.support.trade import net_minor, trade

DAYS = 40
SOON = timedelta(seconds=20)
NET = "SELECT -sum(toInt128(amount_minor)) AS net FROM v_ledger WHERE line = 'net'"


@pytest.fixture
def books() -> MemoryLog:
    """Return a log with the outputs of some trade."""
    log = memory_log(4)
    append(log, trade(DAYS))
    journey(log)
    return log


@pytest.fixture
def log(books: MemoryLog) -> SharedLog:
    """Return a shared log with these outputs."""
    return shared(books, ManualClock(BASE))


def ends(log: SharedLog) -> dict[TopicPartition, int]:
    """Return the ends of all outputs."""
    return {
        TopicPartition(topic, number): end
        for topic in STORED_NAMES
        for number, end in log.end_offsets(topic).items()
    }


def sinks_on(log: SharedLog, store: Store, count: int = 2) -> list[Sink]:
    """Return some sinks."""
    return [Sink(log, store, linger=NOW) for _ in range(count)]


def run(log: SharedLog, *sinks: Sink) -> None:
    """Step the sinks in turn until each owns its share and all is stored; one of them is asked."""
    for _ in range(200):
        for sink in sinks:
            sink.step(NOW)
        owned = {place for sink in sinks for place in sink.progress()}
        if owned == ends(log).keys() and sinks[0].wait_until(ends(log), NOW):
            break
    else:
        raise AssertionError([(sink.trouble, sink.progress()) for sink in sinks])


def step_on(sink: Sink) -> None:
    """Step often enough to come by every step."""
    for _ in range(20):
        sink.step(NOW)


def assert_right(store: Store, days: int = DAYS) -> None:
    """Check every law and the money."""
    assert verify(store) == []
    assert store.query(NET) == [{"net": net_minor(days)}]


def test_two_sinks_store_what_one_would(log: SharedLog, store: Store) -> None:
    """Each stores its partitions, nothing twice, and either knows when all is there."""
    one, other = sinks_on(log, store)
    run(log, one, other)
    assert one.wait_until(ends(log), NOW)
    assert other.wait_until(ends(log), NOW)
    assert not one.progress().keys() & other.progress().keys()
    assert_right(store)
    (rows,) = store.query(
        "SELECT count() AS raw, uniqExact(log_partition, log_offset, log_position) AS real"
        " FROM ledger"
    )
    assert rows["raw"] == rows["real"]


def test_waiting_ends_where_the_last_offsets_hold_no_record(log: SharedLog, store: Store) -> None:
    """A transaction's own offsets are not waited for, nor taken for missing rows at a restart."""
    (sink,) = sinks_on(log, store, 1)
    run(log, sink)
    assert any(end > sink.progress()[place] for place, end in ends(log).items())
    sink.close()
    before = store.query("SELECT count() AS n FROM ledger")
    (again,) = sinks_on(log, store, 1)
    run(log, again)
    assert store.query("SELECT count() AS n FROM ledger") == before


def test_missing_rows_are_missed_in_spite_of_offsets_without_records(
    log: SharedLog, store: Store
) -> None:
    """A table that lacks rows before the mark is filled again from the start of the log."""
    (sink,) = sinks_on(log, store, 1)
    run(log, sink)
    sink.close()
    store.command("DELETE FROM ledger WHERE log_offset = 8")
    assert verify(store) != []
    run(log, *sinks_on(log, store, 1))
    assert_right(store)


def test_partitions_move_when_a_sink_joins_and_leaves(
    books: MemoryLog, log: SharedLog, store: Store
) -> None:
    """What one began another ends: nothing is lost at either handover."""
    (first,) = sinks_on(log, store, 1)
    for _ in range(3):
        first.step(NOW)
    (second,) = sinks_on(log, store, 1)
    run(log, first, second)
    append(books, trade(20, DAYS))
    journey(books)
    share_out(books, log)
    first.step(NOW)
    first.close()
    run(log, second)
    assert second.progress().keys() == ends(log).keys()
    assert_right(store, DAYS + 20)


class Down(Store):
    """A store whose inserts fail while it is said to be down."""

    down = True

    def insert_lines(self, *arguments: Any) -> None:
        """Insert, or fail."""
        if self.down:
            raise StoreError("down", None, Remedy.RETRY)
        super().insert_lines(*arguments)


def test_a_sink_keeps_its_partitions_while_the_store_is_down(log: SharedLog, store: Store) -> None:
    """Through an outage the group goes on: no rebalance waits for the sink, and it drains."""
    down = Down(store.dsn, store.database)
    first = Sink(log, down, linger=NOW)
    for _ in range(3):
        first.step(NOW)
    assert first.trouble == "down"
    second = Sink(log, down, linger=NOW)
    for _ in range(10):
        first.step(NOW)
        second.step(NOW)
    assert first.progress()
    assert second.progress(), "the rebalance waited for a sink that was held up"
    down.down = False
    for _ in range(100):
        first.step(timedelta(milliseconds=50))
        second.step(timedelta(milliseconds=50))
        if first.wait_until(ends(log), NOW):
            break
    down.close()
    assert_right(store)


@pytest.mark.parametrize("step", ["K0", "K1", "K2", "K3", "K4", "K6"])
def test_a_zombie_is_harmless(
    log: SharedLog, store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A sink that was given up at any step, and goes on hours later, changes no view and ends."""
    (zombie,) = sinks_on(log, store, 1)
    held = threading.Event()
    gone_on = threading.Event()
    ended: list[BaseException] = []
    reach = f"sinks.{'writer' if step in ('K1', 'K2', 'K4') else 'sink'}.failpoint"

    def frozen(name: str) -> None:
        if name == step and threading.current_thread() is thread and not held.is_set():
            held.set()
            gone_on.wait(20)

    def live() -> None:
        try:
            while True:
                zombie.step(NOW)
        except Fenced as fenced:
            ended.append(fenced)

    thread = threading.Thread(target=live)
    monkeypatch.setattr(reach, frozen)
    thread.start()
    assert held.wait(20)
    log.place.evict(zombie._consumer)  # type: ignore[arg-type]
    (heir,) = sinks_on(log, store, 1)
    run(log, heir)
    assert_right(store)
    gone_on.set()
    thread.join(20)
    assert len(ended) == 1
    assert_right(store)


@pytest.mark.parametrize("step", ["K0", "K1", "K2", "K3", "K4", "K5", "K6"])
def test_an_heir_makes_good_what_a_dead_sink_left(
    log: SharedLog, store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A sink dies at any step, the roll-up included; who gets its partitions completes them."""
    doomed, heir = sinks_on(log, store)
    for _ in range(2):
        doomed.step(NOW)
        heir.step(NOW)
    monkeypatch.setenv(VARIABLE, f"{step}:1:raise")
    with pytest.raises(FailpointReached):
        step_on(doomed)
    monkeypatch.delenv(VARIABLE)
    log.place.evict(doomed._consumer)  # type: ignore[arg-type]
    run(log, heir)
    assert_right(store)


def test_an_older_sum_never_wins(store: Store) -> None:
    """A sum worked out before entries came, and written after the newer one, is not shown."""
    log = memory_log(1)
    put(log, LEDGER, ledger_record(entry(100), entry(20)))
    sink = Sink(log, store, linger=NOW)
    sink.step(NOW)
    older = store.query("SELECT * FROM v_rollup_hourly")
    put(log, LEDGER, ledger_record(entry(3)))
    sink.step(NOW)
    sink.step(NOW)
    sink.close()
    store.command(
        "INSERT INTO rollup_hourly SELECT * REPLACE (toInt128(120) AS amount_minor,"
        " toUInt64(2) AS entries) FROM v_rollup_hourly"
    )
    assert [(row["amount_minor"], row["entries"]) for row in older] == [(120, 2)]
    shown = store.query("SELECT amount_minor, entries FROM v_rollup_hourly")
    assert shown == [{"amount_minor": 123, "entries": 3}]


def test_sums_worked_out_at_once_end_right(store: Store) -> None:
    """Four sinks store into one hour and sum it up at once, again and again: no entry is left out.

    Each sums after its own entries are stored, so the sum whose look at the ledger came last has
    them all; and it counts the most entries, so it is the one shown, whatever was written after it.
    """

    def add(number: int) -> None:
        rollup = Rollup(store)
        for n in range(15):
            store.command(
                "INSERT INTO ledger (line, effective_at, month, log_partition, log_offset,"
                " amount_minor, currency) SELECT 'A1a', toDateTime64('2024-03-01 12:00:00', 3,"
                " 'UTC'), 202403, {p:UInt16}, {o:Int64}, 1, 'GBP'",
                {"p": number, "o": n},
            )
            rollup.touch([BASE // 3_600_000])
            rollup.recompute()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = store.query("SELECT amount_minor, entries FROM v_rollup_hourly")
    assert shown == [{"amount_minor": 60, "entries": 60}]


@pytest.mark.parametrize("seed", range(4))
def test_any_course_of_joins_deaths_and_outages_ends_right(
    books: MemoryLog, store: Store, seed: int
) -> None:
    """Random sinks join, leave, die, are evicted; the store fails before or after it applied."""
    chance = random.Random(seed)
    log = SharedLog(SharedPlace(ManualClock(BASE), 4))
    failing = Failing(store.dsn, store.database)
    failing.chance = chance
    sinks: list[Sink] = []
    for _ in range(60):
        what = chance.random()
        if not sinks or (what < 0.1 and len(sinks) < 4):
            sinks.append(Sink(log, failing, linger=NOW))
        elif what < 0.15:
            sinks.pop(chance.randrange(len(sinks))).close()
        elif what < 0.2:
            log.place.evict(sinks.pop()._consumer)  # type: ignore[arg-type]
        elif what < 0.3:
            share_out_some(books, log, chance)
        else:
            chance.choice(sinks).step(NOW)
    failing.share = 0.0
    for sink in sinks:
        sink.close()
    failing.close()
    share_out(books, log)
    run(log, *sinks_on(log, store))
    assert_right(store)
    marks = read_marks(store, log.epoch)
    assert {at: mark.next_offset for at, mark in marks.items()} == {
        TopicPartition(topic, number): log.committed(GROUP).get(TopicPartition(topic, number), 0)
        for topic in STORED_NAMES
        for number in range(4)
    }


class Failing(Store):
    """A store some of whose inserts fail, before or after they were applied."""

    chance: random.Random
    share = 0.2

    def insert_lines(self, *arguments: Any) -> None:
        """Insert, fail, or both."""
        fails = self.chance.random() < self.share
        if fails and self.chance.random() < 0.5:
            raise StoreError("refused", 242, Remedy.RETRY)
        super().insert_lines(*arguments)
        if fails:
            raise StoreError("the reply got lost", None, Remedy.RETRY)


def share_out_some(books: MemoryLog, log: SharedLog, chance: random.Random) -> None:
    """Append the next few records of some outputs."""
    for topic in chance.sample(OUTPUT_NAMES, 3):
        for number in range(books.partitions):
            share_out(Part(books, topic, number, chance.randrange(20)), log, chance.randint(1, 5))


class Part:
    """The next records of one output partition of a log."""

    def __init__(self, log: MemoryLog, topic: str, number: int, more: int) -> None:
        self._log, self._topic, self._number, self._more = log, topic, number, more
        self.partitions = log.partitions

    def read(self, topic: str, number: int, start: int, _: int) -> Iterator[Any]:
        """Return them, and nothing of the others."""
        mine = (topic, number) == (self._topic, self._number)
        return self._log.read(topic, number, start, self._more if mine else 0)  # type: ignore[return-value]


def test_a_fill_that_is_interrupted_goes_on_where_it_was(log: SharedLog, store: Store) -> None:
    """A partition filled again from the start, and taken over midway, is not begun once more."""
    (sink,) = sinks_on(log, store, 1)
    run(log, sink)
    sink.close()
    store.command("DELETE FROM ledger WHERE log_offset = 8")
    (filling,) = sinks_on(log, store, 1)
    while not filling.progress():
        filling.step(NOW)
    filled = dict(log.committed(GROUP))
    filling.close()
    (heir,) = sinks_on(log, store, 1)
    while not heir.progress():
        heir.step(NOW)
    assert log.committed(GROUP) == filled
    run(log, heir)
    assert_right(store)
    assert {mark.fill for mark in read_marks(store, log.epoch).values()} == {0, 1}
