"""A small company in memory: facts go in, are booked and stored, and its period job runs.

The log's clock stands still until a test moves it, so each test says when things became known.
"""

from collections.abc import Iterable
from datetime import timedelta

from pnl.engine import JourneysWorker
from pnl.periods.cut import Cut, Reaching
from pnl.periods.job import PeriodJob
from pnl.periods.names import parse_name
from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from pnl.restating.restate import restate
from processors.policy import BEGINNING, Policies, PolicyBook, book_of
from sinks.sink import Sink
from sinks.store import Store
from streams import topics
from streams.clock import ManualClock
from streams.codec import encode
from streams.facts import Contact, Cost, Fact, Millis, Order, Period, Resolution, key_of
from streams.log import Outgoing
from streams.memory_log import MemoryLog, MemoryPlace

NOW = timedelta(0)
LATENESS = timedelta(hours=24)
TOPIC_OF = {
    Contact: topics.CONTACTS,
    Cost: topics.COSTS,
    Order: topics.ORDERS,
    Resolution: topics.RESOLUTIONS,
    Period: topics.PERIODS,
}


class Company:
    """Journeys, sink and period job on one log, stepped by hand."""

    def __init__(self, store: Store, rules: Policies, partitions: int = 2) -> None:
        self.clock = ManualClock()
        self.log = MemoryLog(MemoryPlace(self.clock, partitions))
        self.store = store
        self.sink = Sink(self.log, store, code_version="test")
        self.begin(rules)

    def begin(self, rules: Policies) -> None:
        """Start journeys and job by other rules, as a program does that is started again."""
        self.rules: PolicyBook = book_of(rules)
        self.worker = JourneysWorker(self.log, rules, code_version="test")
        self.job = self.new_job()
        self.reports = Reports(self.store, self.rules.newest, self.clock)

    def restate(self, rules: Policies) -> None:
        """Restate everything by other rules, accept that, and go on by them."""
        self.worker.close()
        done = restate(
            self.log,
            book_of(rules),
            self.clock,
            since=BEGINNING,
            accept=True,
            code_version="test",
        )
        assert done.written
        while self.sink.step(NOW):
            pass
        self.begin(rules)

    def new_job(self) -> PeriodJob:
        """Return a period job that knows nothing of runs before."""
        return PeriodJob(self.log, self.store, self.rules, self.clock, LATENESS)

    def at(self, now_ms: Millis) -> None:
        """Set the clock."""
        self.clock.advance(timedelta(milliseconds=now_ms - self.clock.now_ms()))

    def send(self, *facts: Fact, key: str | None = None) -> None:
        """Append facts, under their key or another."""
        for fact in facts:
            under = (key or key_of(fact)).encode()
            self.log.append(TOPIC_OF[type(fact)], [Outgoing(under, encode(fact))])

    def live(self, facts: Iterable[Fact]) -> None:
        """Append facts in order of their times, each just when it happened."""
        for at, fact in sorted(((_known(fact), fact) for fact in facts), key=lambda x: x[0]):
            self.at(at)
            self.send(fact)

    def cut(self) -> Cut:
        """Apply and store all there is; return the cut after it."""
        reaching = Reaching(self.log)
        while (cut := reaching.cut()) is None:
            self.worker.step(NOW)
            self.sink.step(NOW)
        return cut

    def settle(self, job: PeriodJob | None = None) -> Cut:
        """Apply, store and let the period job state what it has to; return the cut after it."""
        while True:
            cut = self.cut()
            if not (job or self.job).refresh(cut):
                return cut

    def close(self, name: str) -> tuple[str, ...]:
        """Close a period, and store that."""
        while True:
            closed = self.job.close(parse_name(name), self.cut())
            if closed is not None:
                self.settle()
                return closed

    def scope(self, name: str, currency: str = "GBP") -> Scope:
        """Return a period as what a report is asked about."""
        period = parse_name(name)
        return Scope(currency=currency, start=period.start, end=period.end)

    def lines(self, name: str, currency: str = "GBP") -> dict[str, int]:
        """Return the lines of a period's statement that are not zero, as they are known now."""
        found = self.reports.statement(self.scope(name, currency)).lines
        return {line.line: line.amount_minor for line in found if line.amount_minor}


def _known(fact: Fact) -> Millis:
    if isinstance(fact, Contact):
        return fact.ended_at + fact.wrap_ms
    return fact.occurred_at
