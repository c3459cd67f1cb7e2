"""How current the figures are, and what is not known."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pnl.reports.evidence import ReasonCount, TopicCounts
from pnl.reports.model import Scope, Unbooked
from pnl.reports.queries import Reports
from processors.policy import Policy
from processors.results import BatchRecord, BatchSource
from sinks.store import Store
from streams.clock import ManualClock
from streams.dead_letters import DeadLetter
from streams.log import Busy, Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from streams.sqlite_log import SqliteLog
from tests.support.books import Books, at, chain, control, cost, order, sold

GBP = Scope(currency="GBP")


def batch(*sources: BatchSource, event_time: str = "2024-06-01") -> BatchRecord:
    """Build a batch record over some input."""
    return BatchRecord(
        batch_id="b",
        partition=0,
        sources=sources,
        out_rows=0,
        out_sum_minor=0,
        event_time_max=at(event_time),
        logged_at_max=at("2026-01-01"),
        code_version="test",
        policy="p1",
    )


def source(topic: str, start: int, end: int, **counts: int) -> BatchSource:
    """Build how a range of offsets ended; what is not named was applied."""
    rest = end - start - sum(counts.values())
    fields = {"applied": rest, "duplicate": 0, "late": 0, "dead": 0} | counts
    return BatchSource(topic=topic, partition=0, start=start, end=end, **fields)


def test_as_of_is_the_largest_event_time_applied(books: Books, reports: Reports) -> None:
    """A later batch with an older event time does not set it back."""
    assert reports.freshness().as_of is None
    books.as_of("2024-06-03")
    books.as_of("2024-06-02")
    found = reports.freshness()
    assert found.as_of == at("2024-06-03")
    assert found.logged_at_max == at("2024-06-03")
    assert (found.behind_records, found.behind_seconds) == (None, None)


def test_the_version_changes_with_every_batch(books: Books, reports: Reports) -> None:
    """Equal versions mean that nothing has to be asked again."""
    seen = [reports.version(), reports.version()]
    assert seen[0] == seen[1]
    for _ in range(3):
        books.as_of("2024-06-03")
        seen.append(reports.version())
    assert len(set(seen)) == 4


def test_quality_counts_what_is_missing(books: Books, reports: Reports) -> None:
    """Unidentified, unknown, orphaned, noted and unbooked, each with its number."""
    books.put(
        chain("c1", "2024-06-02 10:00"),
        chain("c2", "2024-06-02 10:00", identified=False),
        order("o1", "sale", 100, "2024-06-02"),
        order("o2", "sale", 100, "2024-06-02", identified=False),
        order("r1", "refund", -100, "2024-06-02", orphan=True),
        batch(source("orders", 0, 10, duplicate=2, dead=1), source("contacts", 0, 5)),
        batch(source("orders", 10, 13, late=1)),
    )
    books.book(
        control("unattributed", 100, "2024-06-02", note="no_touch"),
        control("unattributed", 100, "2024-06-02", order_id="o2", note="no_touch"),
        control("unattributed", -100, "2024-06-02", order_id="o2", note="no_touch",
                change="reversal"),
        cost("unbooked", -100, "2024-06-02", kind="payroll"),
        sold("A4", 5, "2024-06-02", note="in_contact"),
    )  # fmt: skip
    for reason in ("bad_json", "bad_json", "unknown_currency"):
        books.put(
            DeadLetter(
                topic="orders", epoch=1, partition=0, offset=3, logged_at=0, reason=reason,
                detail="", key_base64="", value_size=0, value_sha256="", value_base64="",
                code_version="test",
            )
        )  # fmt: skip
    found = reports.quality(GBP)
    assert (found.chains, found.unidentified) == (2, 1)
    assert (found.orders, found.orders_unidentified, found.orphan_refunds) == (2, 1, 1)
    assert found.notes == (ReasonCount(reason="no_touch", count=1),)
    assert found.unbooked == (Unbooked(kind="payroll", amount_minor=-100),)
    assert found.topics == (
        TopicCounts(topic="contacts", read=5, applied=5, duplicate=0, late=0, dead=0),
        TopicCounts(topic="orders", read=13, applied=9, duplicate=2, late=1, dead=1),
    )
    assert found.dead_letters == (
        ReasonCount(reason="bad_json", count=2),
        ReasonCount(reason="unknown_currency", count=1),
    )


def test_what_is_behind_is_counted_in_the_log(books: Books, store: Store, tmp_path: Path) -> None:
    """Two of three appended records are stored: one is behind, for as long as it waits."""
    clock = ManualClock(at("2026-01-01"))
    with closing(SqliteLog(tmp_path / "log.sqlite", clock=clock, partitions=1)) as log:
        for _ in range(3):
            log.append("orders", [Outgoing(b"k", b"{}")])
        books.epoch = log.epoch
        books.put(batch(source("orders", 0, 2)))
        clock.advance(timedelta(seconds=7))
        reports = Reports(store, Policy(), clock, log)
        found = reports.freshness()
        assert (found.behind_records, found.behind_seconds) == (1, 7.0)
        books.put(batch(source("orders", 2, 3)))
        found = reports.freshness()
        assert (found.behind_records, found.behind_seconds) == (0, 0.0)
        assert [each.behind_records for each in found.partitions] == [0]


class SilentLog(MemoryLog):
    """A log that does not answer."""

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Give up, as when no broker answers."""
        raise Busy(topic)


def test_the_books_can_be_read_while_the_log_is_silent(books: Books, store: Store) -> None:
    """What is behind is unknown then, the figures are as current as they are."""
    books.as_of("2024-06-03")
    clock = ManualClock(at("2026-01-01"))
    found = Reports(store, Policy(), clock, SilentLog(MemoryPlace(clock))).freshness()
    assert (found.as_of, found.behind_records) == (at("2024-06-03"), None)


def test_filters_offer_the_values_in_the_books(books: Books, reports: Reports) -> None:
    """Sorted, without the empty one, and with the currencies there are."""
    books.book(
        sold("A1b", 1, "2024-06-02", queue="sales", agent_id="a2"),
        sold("A1b", 1, "2024-06-02", queue="billing", agent_id="a1", currency="JPY"),
        cost("unbooked", -1, "2024-06-02", kind="payroll"),
    )
    found = reports.dimensions()
    assert (found["queue"], found["agent"]) == (("billing", "sales"), ("a1", "a2"))
    assert (found["currency"], found["kind"]) == (("GBP", "JPY"), ())
