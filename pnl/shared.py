"""The log and the store of a cluster, opened by a command that holds nothing.

Law: workers go on meanwhile. A figure is of what is stored when it is asked for.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pnl.datafolder import DataFolder
from pnl.errors import CheckFailed
from pnl.opening import open_kafka, server_dsn
from pnl.periods.job import PeriodJob
from pnl.reports.queries import Reports
from pnl.settings import Settings
from sinks.store import Store
from streams.clock import Clock
from streams.kafka_log import KafkaLog


class Shared:
    """What a command asks on a cluster: the books, the log they come from, and reports."""

    store_trouble: str | None = None
    """A command stores nothing, so the store never refuses it."""

    def __init__(self, log: KafkaLog, store: Store, reports: Reports, periods: PeriodJob) -> None:
        self.log = log
        self.store = store
        self.reports = reports
        self.periods = periods


@contextmanager
def shared(folder: DataFolder, settings: Settings, clock: Clock) -> Iterator[Shared]:
    """Open log and store meanwhile; CheckFailed while the store has no books yet."""
    with ExitStack() as opened:
        log = open_kafka(settings, reading=True)
        opened.callback(log.close)
        store = Store.open(server_dsn(folder, settings))
        opened.callback(store.close)
        assert_migrated(store)
        reports = Reports(store, settings.policies, clock, log, settings.calendar(), folder.churn)
        lateness = settings.reporting.lateness
        periods = PeriodJob(log, store, settings.policies, clock, lateness)
        yield Shared(log, store, reports, periods)


def assert_migrated(store: Store) -> None:
    """Refuse a store whose schema is not this program's."""
    if pending := store.pending_migrations():
        raise CheckFailed(
            f"The store's schema lacks, or differs from, migrations {pending}: run "
            "`pnl migrate up` with a user who may create tables."
        )
