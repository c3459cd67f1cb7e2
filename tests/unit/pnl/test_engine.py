"""Journeys behind the runner: one disposition per record, all or nothing per batch."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pnl.engine import JourneysWorker
from pnl.restating.accepted import ConfigurationRefused
from processors.policy import Policy
from processors.results import BatchRecord, LedgerRecord, PeriodRecord
from streams import codec, failpoints
from streams.clock import ManualClock
from streams.facts import Fact, Period, key_of
from streams.log import Busy, EventLog, Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from streams.topics import (
    BATCHES,
    CONTACTS,
    COSTS,
    DEAD_LETTERS,
    LEDGER,
    ORDERS,
    OUTPUT_NAMES,
    PERIOD_FACTS,
    PERIODS,
)
from tests.poison.corpus import LOGGED_AT, corpus
from tests.support.busy import BusyLog
from tests.support.facts import at, contact, cost, line, order, refund

NOW = at(100)
NO_WAIT = timedelta(0)


def memory_log(now_ms: int = NOW, partitions: int = 2) -> MemoryLog:
    """Open an empty log at a moment."""
    return MemoryLog(MemoryPlace(ManualClock(now_ms), partitions))


def append(log: EventLog, topic: str, *facts: Fact) -> None:
    """Append facts under their keys."""
    records = [Outgoing(key_of(fact).encode(), codec.encode(fact)) for fact in facts]
    log.append(topic, records)


def drain(worker: JourneysWorker) -> None:
    """Run batches until the log has no more."""
    while worker.step(NO_WAIT):
        pass


def worker_on(log: EventLog, **options: int) -> JourneysWorker:
    """Own the journeys of a log."""
    return JourneysWorker(log, Policy(), code_version="test", **options)


def read(log: EventLog, topic: str) -> list[bytes]:
    """Return every value of a topic."""
    return [
        record.value or b""
        for partition in range(log.partitions)
        for record in log.read(topic, partition, 0, 100_000)
    ]


def batches(log: EventLog) -> list[BatchRecord]:
    """Return every batch record."""
    return [msgspec.json.decode(value, type=BatchRecord) for value in read(log, BATCHES)]


def test_every_poison_ends_as_a_dead_letter_and_the_next_good_record_is_applied() -> None:
    """Each of the corpus, followed by a good fact: so many letters, so many applied."""
    log = memory_log(LOGGED_AT, partitions=1)
    poisons = corpus()
    assert len(poisons) >= 150
    for number, poison in enumerate(poisons):
        log.append(poison.topic, [Outgoing(poison.key, poison.value)])
        append(log, COSTS, cost(f"good-{number}", "concession", at(0), 100))
    drain(worker_on(log))
    letters = [json.loads(value) for value in read(log, DEAD_LETTERS)]
    assert Counter(letter["reason"] for letter in letters) == Counter(
        poison.reason for poison in poisons
    )
    sources = [source for batch in batches(log) for source in batch.sources]
    assert sum(source.dead for source in sources) == len(poisons)
    assert sum(source.applied for source in sources) == len(poisons)
    ledger = [msgspec.json.decode(v, type=LedgerRecord) for v in read(log, LEDGER)]
    assert {record.cause.id for record in ledger} == {f"good-{n}" for n in range(len(poisons))}


def test_a_poison_hurts_no_batch_that_follows_others() -> None:
    """Each alone in its batch, where the partition already has state of its own."""
    log = memory_log(LOGGED_AT, partitions=1)
    worker = worker_on(log, records_max=1)
    append(log, COSTS, cost("good", "concession", at(0), 100))
    drain(worker)
    poisons = [poison for poison in corpus() if len(poison.value or b"") < 10_000]
    for poison in poisons:
        log.append(poison.topic, [Outgoing(poison.key, poison.value)])
    drain(worker)
    assert len(read(log, DEAD_LETTERS)) == len(poisons)


def test_records_whose_poll_failed_are_polled_again() -> None:
    """Busy in the middle of a poll skips nothing: the offsets are all accounted for."""
    place = MemoryPlace(ManualClock(NOW), 1)
    log = BusyLog(place, {1})
    append(log, ORDERS, order("o1", at(1), 1000), order("o2", at(1), 1000))
    worker = worker_on(log, records_max=1)
    with pytest.raises(Busy):
        worker.step(NO_WAIT)
    drain(worker)
    sources = [source for batch in batches(log) for source in batch.sources]
    assert [(source.start, source.applied) for source in sources] == [(0, 1), (1, 1)]


def test_as_of_is_the_same_in_whatever_order_revisions_come() -> None:
    """Also where the newest revision moved the fact to an earlier time."""
    first = contact("c1", at(5))
    second = contact("c1", at(2), revision=1)
    ends = []
    for facts in ((first, second), (second, first)):
        log = memory_log(partitions=1)
        append(log, CONTACTS, *facts)
        drain(worker_on(log))
        ends.append(batches(log)[-1].event_time_max)
    assert ends == [at(5), at(5)]


def test_other_rules_for_what_is_booked_are_refused() -> None:
    """The reporting currency is another one, and a contact is booked: nothing is written."""
    log = memory_log()
    append(log, CONTACTS, contact("c1", at(1)))
    drain(worker_on(log))
    append(log, ORDERS, order("o1", at(2), 1000))
    before = read(log, LEDGER)
    with pytest.raises(ConfigurationRefused, match="pnl restate --from beginning"):
        drain(JourneysWorker(log, Policy(currency="EUR"), code_version="test"))
    assert read(log, LEDGER) == before


def test_goods_beyond_all_measure_are_cut_to_what_a_fact_may_state() -> None:
    """Refunds of less than nothing on a line that cost a fortune stop neither state nor store."""
    log = memory_log()
    sale = order("o1", at(2), None, lines=(line("l1", 1, cost_minor=10**14),))
    append(log, CONTACTS, contact("c1", at(1)))
    append(log, ORDERS, sale, refund("r1", "o1", at(3), -(10**14)))
    drain(worker_on(log))
    ledger = [msgspec.json.decode(v, type=LedgerRecord) for v in read(log, LEDGER)]
    goods = sum(e.amount_minor for record in ledger for e in record.entries if e.line == "B")
    assert goods == -(10**14)


def test_a_refund_above_its_order_and_one_of_an_unknown_order_are_booked() -> None:
    """Neither is refused: the excess is unattributed, the unknown an orphan."""
    log = memory_log()
    append(
        log,
        ORDERS,
        order("o1", at(1), 1000),
        refund("r1", "o1", at(2), 1500),
        refund("r2", "nobody", at(3), 300),
    )
    drain(worker_on(log))
    sums: Counter[str] = Counter()
    for value in read(log, LEDGER):
        for entry in msgspec.json.decode(value, type=LedgerRecord).entries:
            sums[entry.line] += entry.amount_minor
    assert sums == {"unattributed": -500, "A5x": -300, "net": 800}
    assert read(log, DEAD_LETTERS) == []


def test_a_conflicting_repeat_is_dead_lettered_and_an_equal_one_is_a_duplicate() -> None:
    """Same identity and revision: equal values do nothing, other values are refused."""
    log = memory_log()
    first = order("o1", at(1), 1000)
    append(log, ORDERS, first, first, order("o1", at(1), 999))
    drain(worker_on(log))
    (source,) = [source for batch in batches(log) for source in batch.sources]
    assert (source.applied, source.duplicate, source.dead) == (1, 1, 1)
    assert [tuple(e.__rich_repr__()) for e in source.exceptions] == [
        (("disposition", "duplicate"), ("start", 1), ("end", 2)),
        (("disposition", "dead"), ("start", 2), ("end", 3)),
    ]
    assert json.loads(read(log, DEAD_LETTERS)[0])["reason"] == "conflict"


def test_batches_account_for_every_offset_and_every_minor_unit() -> None:
    """Ranges join without gap or overlap; rows and sums are those of the ledger."""
    log = memory_log()
    for day in range(40):
        append(log, CONTACTS, contact(f"c{day}", at(day), customer_id=f"k{day % 5}"))
        append(log, ORDERS, order(f"o{day}", at(day + 0.5), 1000 + day, customer_id=f"k{day % 5}"))
    drain(worker_on(log, records_max=7))
    ends: dict[tuple[str, int], int] = {}
    for batch in batches(log):
        for source in batch.sources:
            place = (source.topic, source.partition)
            assert source.start == ends.get(place, 0)
            ends[place] = source.end
            done = source.applied + source.duplicate + source.late + source.dead
            assert done == source.end - source.start
    assert sum(ends.values()) == 80
    ledger = [msgspec.json.decode(v, type=LedgerRecord) for v in read(log, LEDGER)]
    by_batch: Counter[str] = Counter()
    for record in ledger:
        by_batch[record.batch_id] += sum(entry.amount_minor for entry in record.entries)
    assert by_batch == Counter({b.batch_id: b.out_sum_minor for b in batches(log) if b.out_rows})


@pytest.mark.parametrize("point", ["W1", "W3", "W4"])
def test_a_batch_that_fails_leaves_nothing_and_is_done_again(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs, state and offsets are as if it had never been; the next try gives the same."""
    calm, shaken = memory_log(), memory_log()
    for log in (calm, shaken):
        for day in range(10):
            append(log, CONTACTS, contact(f"c{day}", at(day)))
            append(log, ORDERS, order(f"o{day}", at(day + 0.5), 1000))
    drain(worker_on(calm, records_max=6))
    worker = worker_on(shaken, records_max=6)
    worker.step(NO_WAIT)
    before = {topic: shaken.end_offsets(topic) for topic in OUTPUT_NAMES}
    monkeypatch.setenv("PNL_FAILPOINTS", f"{point}:1:raise")
    with pytest.raises(failpoints.FailpointReached):
        worker.step(NO_WAIT)
    assert {topic: shaken.end_offsets(topic) for topic in OUTPUT_NAMES} == before
    monkeypatch.delenv("PNL_FAILPOINTS")
    drain(worker)
    for topic in OUTPUT_NAMES:
        assert read(shaken, topic) == read(calm, topic)


def test_a_worker_that_goes_on_where_another_stopped_writes_the_same() -> None:
    """Whether customers come from memory or from the state makes no difference to any byte."""
    one, many = memory_log(), memory_log()
    for log in (one, many):
        customers = ("k0", "k1", "k2")
        append(log, CONTACTS, *[contact(f"c-{k}", at(0), customer_id=k) for k in customers])
        drain(worker_on(log))
        for day in range(1, 30):
            key = customers[day % 3]
            append(log, ORDERS, order(f"o{day}", at(day), 1000, customer_id=key))
            append(log, ORDERS, refund(f"r{day}", None, at(day + 0.6), 90, customer_id=key))
    drain(worker_on(one, records_max=5))
    while True:
        worker = worker_on(many, records_max=5, hot_facts=2)
        if not worker.step(NO_WAIT):
            break
    for topic in OUTPUT_NAMES:
        assert read(one, topic) == read(many, topic)


def test_a_history_of_many_horizons_sent_twice_counts_once() -> None:
    """What is no longer remembered is a duplicate all the same; its revision is refused."""
    log = memory_log(now_ms=at(3000))
    for _ in range(2):
        for day in range(0, 2400, 60):
            append(log, CONTACTS, contact(f"c{day}", at(day)))
            append(log, ORDERS, order(f"o{day}", at(day + 1), 1000))
            append(log, ORDERS, refund(f"r{day}", f"o{day}", at(day + 2), 100))
            append(log, COSTS, cost(f"x{day}", "concession", at(day + 3), 50))
    drain(worker_on(log, records_max=50, hot_facts=1))
    sources = [source for batch in batches(log) for source in batch.sources]
    assert sum(source.applied + source.late for source in sources) == 160
    assert sum(source.duplicate for source in sources) == 160
    append(log, CONTACTS, contact("c0", at(0), revision=1))
    drain(worker_on(log))
    (letter,) = [json.loads(value) for value in read(log, DEAD_LETTERS)]
    assert "no longer remembered" in letter["detail"]


def test_a_late_fact_is_booked_once() -> None:
    """A fact too late to be kept is booked when it first comes, and a duplicate from then on."""
    log = memory_log(now_ms=at(3000))
    append(log, CONTACTS, contact("new", at(2000)))
    append(log, CONTACTS, contact("late", at(1)), contact("late", at(1)))
    append(log, COSTS, cost("x", "concession", at(1), 50))
    worker = worker_on(log)
    drain(worker)
    append(log, CONTACTS, contact("late", at(1)))
    append(log, COSTS, cost("x", "concession", at(1), 50))
    drain(worker)
    sources = [source for batch in batches(log) for source in batch.sources]
    assert sum(source.late for source in sources) == 2
    assert sum(source.duplicate for source in sources) == 3


def test_an_order_that_moves_from_a_guest_to_a_customer_survives_compaction() -> None:
    """The withdrawal under the old key and the record under the new are not of one thing."""
    log = memory_log(partitions=1)
    guest = order("o1", at(1), 1000, customer_id=None)
    append(log, ORDERS, guest, order("o1", at(1), 1000, customer_id="k9"))
    append(log, ORDERS, order("o1", at(1), 1000, customer_id=None, withdrawn=True, revision=1))
    drain(worker_on(log))
    keys = {record.key for record in log.read("pnl.orders.v1", 0, 0, 100)}
    assert keys == {b"o1\0o1", b"o1\0k9"}


def test_a_period_that_was_worked_out_moves_no_time() -> None:
    """As of is the largest event time; when figures were worked out is no event of the business."""
    log = memory_log()
    append(log, COSTS, cost("x", "concession", at(1), 50))
    close: dict[str, Any] = {"event_id": "2024-03/close", "kind": "close", "occurred_at": at(31)}
    append(log, PERIODS, Period(period="2024-03", **close))
    drain(worker_on(log))
    assert max(batch.event_time_max or 0 for batch in batches(log)) == at(1)
    (record,) = [msgspec.json.decode(value, type=PeriodRecord) for value in read(log, PERIOD_FACTS)]
    assert (record.period, record.closed_at) == ("2024-03", NOW)
