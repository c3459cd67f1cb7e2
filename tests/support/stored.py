"""Facts all the way into the store: log in memory, real journeys, real sink."""

from collections.abc import Iterable
from datetime import timedelta

from pnl.engine import JourneysWorker
from processors.policy import Policy
from sinks.sink import Sink
from sinks.store import Store
from streams import topics
from streams.clock import ManualClock
from streams.codec import encode
from streams.facts import Contact, Cost, Fact, Order, Period, Resolution, key_of
from streams.log import EventLog, Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from tests.support.facts import BASE

NOW = timedelta()
TOPIC_OF: dict[type[Fact], str] = {
    Contact: topics.CONTACTS,
    Resolution: topics.RESOLUTIONS,
    Order: topics.ORDERS,
    Cost: topics.COSTS,
    Period: topics.PERIODS,
}


def memory_log(partitions: int = 2) -> MemoryLog:
    """Return an empty log whose clock stands a year after the facts of `tests.support.facts`."""
    return MemoryLog(MemoryPlace(ManualClock(BASE + 365 * 86_400_000), partitions))


def append(log: EventLog, facts: Iterable[Fact]) -> None:
    """Append facts to their topics, in the order given."""
    for fact in facts:
        log.append(TOPIC_OF[type(fact)], [Outgoing(key_of(fact).encode(), encode(fact))])


def journey(log: EventLog, policy: Policy | None = None) -> None:
    """Process every input record there is."""
    worker = JourneysWorker(log, policy or Policy(), code_version="test")
    while worker.step(NOW):
        pass
    worker.close()


def copy(log: EventLog, store: Store) -> None:
    """Copy every output record there is, roll-up included."""
    sink = Sink(log, store, linger=NOW)
    while sink.step(NOW):
        pass
    sink.close()


def store_facts(
    store: Store, facts: Iterable[Fact], policy: Policy | None = None, log: MemoryLog | None = None
) -> MemoryLog:
    """Take facts through journeys into the store; return the log, to go on with."""
    log = log or memory_log()
    append(log, facts)
    journey(log, policy)
    copy(log, store)
    return log
