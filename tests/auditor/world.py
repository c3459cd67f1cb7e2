"""A small centre's log, made once per process and copied for each test, to plant damage in.

Damage is planted in the log's memory, behind everybody's back: records are left out, doubled or
changed, and the partition's offsets stay without a gap, as they are on disk.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import msgspec

from pnl.auditor.auditor import Auditor, Rules
from pnl.auditor.findings import Found
from pnl.auditor.watch import Limits
from pnl.simulator import generate
from processors.policy import Policy
from processors.results import AttributionRecord, BatchRecord, LedgerRecord
from sinks.store import Store
from streams.clock import ManualClock
from streams.codec import encode
from streams.dead_letters import DeadLetter
from streams.facts import Fact, event_time_of, key_of
from streams.log import Outgoing, Record, TopicPartition
from streams.memory_log import MemoryLog, MemoryPlace, _Group
from streams.topics import ATTRIBUTIONS, BATCHES, DEAD_LETTERS, LEDGER, OUTPUT_NAMES
from tests.support.stored import journey

PARTITIONS = 2
NOW = timedelta()
GRACE = timedelta(seconds=24)
RULES = Rules(
    grace=GRACE,
    watch_every=NOW,
    store_every=NOW,
    save_every=NOW,
    share_ppm=1_000_000,
    limits=Limits(sink_behind=timedelta(minutes=5), held_up=GRACE, rate_records_min=100),
)
TYPES = {
    LEDGER: LedgerRecord,
    BATCHES: BatchRecord,
    DEAD_LETTERS: DeadLetter,
    ATTRIBUTIONS: AttributionRecord,
}
Value = TypeVar("Value", bound=msgspec.Struct)


class World:
    """A log whose records can be changed, and its clock."""

    def __init__(self, place: MemoryPlace, clock: ManualClock) -> None:
        self.place = place
        self.clock = clock
        self.log = MemoryLog(place)

    def copied(self) -> "World":
        """Return another world that is the same."""
        clock = ManualClock(self.clock.now_ms())
        place = MemoryPlace(clock, self.place.partitions)
        place.records = {at: list(records) for at, records in self.place.records.items()}
        for name, group in self.place.groups.items():
            copy = place.groups[name] = _Group()
            copy.positions = dict(group.positions)
            copy.state = {number: dict(kept) for number, kept in group.state.items()}
        return World(place, clock)

    def append(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Append facts to their topics, in the order given."""
        for topic, fact in facts:
            self.log.append(topic, [Outgoing(key_of(fact).encode(), encode(fact))])

    def values(self, topic: str, partition: int = 0) -> list[Any]:
        """Return what the records of a partition say."""
        decode = msgspec.json.Decoder(TYPES[topic]).decode
        kept = self.place.records.get(TopicPartition(topic, partition), [])
        return [decode(record.value) for record in kept if record.value is not None]

    def find(self, topic: str, wanted: Callable[[Any], bool], partition: int = 0) -> int:
        """Return the offset of the first record that is wanted."""
        return next(n for n, value in enumerate(self.values(topic, partition)) if wanted(value))

    def put(
        self, topic: str, offset: int, *values: msgspec.Struct | Record, partition: int = 0
    ) -> None:
        """Put records in the place of one; none takes it out."""
        at = TopicPartition(topic, partition)
        kept = self.place.records[at]
        old = kept[offset]
        new = [
            value if isinstance(value, Record) else old._replace(value=msgspec.json.encode(value))
            for value in values
        ]
        kept[offset : offset + 1] = new
        kept[:] = [record._replace(offset=n) for n, record in enumerate(kept)]

    def change(self, topic: str, offset: int, partition: int = 0, **fields: Any) -> None:
        """Change fields of what a record says."""
        value = self.values(topic, partition)[offset]
        self.put(topic, offset, msgspec.structs.replace(value, **fields), partition=partition)

    def mark(self) -> dict[TopicPartition, int]:
        """Return how long every partition is, and where every group stands."""
        return {at: len(records) for at, records in self.place.records.items()}

    def audited(self, store: Store | None = None, **options: Any) -> list[Found]:
        """Return what an auditor finds that reads everything, waits, and works all out anew."""
        found: list[Found] = []
        rules = options.pop("rules", RULES)
        auditor = Auditor(
            self.log,
            store,
            Policy(),
            self.clock,
            rules=rules,
            on_alarm=found.append,
            **options,
        )
        for _ in range(3):
            while auditor.step(NOW):
                pass
            self.clock.advance(GRACE)
        auditor.recompute_now(1)
        while auditor.is_recomputing:
            auditor.step(NOW)
        auditor.step(NOW)
        auditor.close()
        return found

    def stored_all(self) -> None:
        """Pretend that the sink has stored everything."""
        positions = self.place.groups.setdefault("sink", _Group()).positions
        for topic in OUTPUT_NAMES:
            for partition in range(self.place.partitions):
                at = TopicPartition(topic, partition)
                positions[at] = len(self.place.records.get(at, ()))


def laws(found: Iterable[Found]) -> set[str]:
    """Return the laws that were broken."""
    return {each.law for each in found}


def history(customers: int = 50, events: int = 1000, seed: int = 3) -> Iterator[tuple[str, Fact]]:
    """Yield a generated year: contacts, resolutions, orders with refunds, costs."""
    yield from generate(customers, events, seed).events()


@cache
def _made() -> World:
    facts = list(history())
    clock = ManualClock(max(event_time_of(fact) for _, fact in facts) + 1_000)
    world = World(MemoryPlace(clock, PARTITIONS), clock)
    half = len(facts) // 2
    world.append(facts[:half])
    world.append(facts[10:20])  # repeated
    world.log.append("orders", [Outgoing(key_of(facts[0][1]).encode(), b"{not json")] * 3)
    journey(world.log)
    world.append(facts[half:-100])
    world.log.append("contacts", [Outgoing(b"k", b"[]"), Outgoing(None, b"{}")])
    journey(world.log)
    world.append(facts[-100:])
    journey(world.log)
    world.stored_all()
    return world


def made() -> World:
    """Return a world of three batches in each partition, with duplicates and dead letters."""
    return _made().copied()
