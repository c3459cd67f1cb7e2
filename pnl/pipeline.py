"""All in one process: log, journeys, store, sink and their upkeep, in threads.

Law: the first fault of any thread ends all of them and is kept for the process to end with; no
part goes on beside a broken one. Ending in the middle loses nothing: every part goes on from
what its last transaction committed.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from pnl.delivering.opening import delivering_roles
from pnl.delivering.role import DeliveringRole
from pnl.delivering.told import group_of
from pnl.engine import GROUP as JOURNEYS
from pnl.health import Health
from pnl.metrics import process_metrics
from pnl.opening import Log
from pnl.periods.job import PeriodJob
from pnl.periods.role import PeriodsRole
from pnl.settings import Settings
from pnl.settings_alerts import AlertSettings
from pnl.version import code_version
from pnl.workers.gauges import Gauges
from pnl.workers.roles import AuditorRole, JourneysRole, SinkRole
from pnl.workers.seldom import Seldom
from pnl.workers.signals import GROUP as SIGNALS
from pnl.workers.signals import SignalsRole, signals
from pnl.workers.stepping import STEP_WAIT, Stepping
from processors.alert_rules import DEFAULTS
from processors.policy import Policies
from sinks.progress import is_reached
from sinks.sink import GROUP as SINK
from sinks.store import Store
from streams.clock import Clock, Deadline
from streams.kafka_log import KafkaLog
from streams.log import Busy, EventLog, TopicPartition
from streams.sqlite_log import SqliteLog
from streams.topics import INPUT_NAMES, OUTPUT_NAMES, TOPICS

if TYPE_CHECKING:
    from processors.live_churn import LiveModel

JOIN_MAX: Final = timedelta(seconds=1.5)
UPKEEP_SECONDS: Final = 60.0
"""Compaction rewrites records: every five seconds it took a quarter of a thread under load."""
REST_WAIT: Final = timedelta(minutes=1)
"""How long `resting` waits for the store before it says that it is behind."""


class Books(Protocol):
    """What questions are asked of: the log, and the store that is filled from it."""

    @property
    def log(self) -> Log:
        """The log."""
        ...

    @property
    def store(self) -> Store:
        """The store."""
        ...

    @property
    def store_trouble(self) -> str | None:
        """Why the store takes no rows just now, where that is known."""
        ...

    @property
    def periods(self) -> PeriodJob:
        """What works out the figures of periods, and closes them."""
        ...


class Pipeline:
    """Journeys, sink, signals, routes of alerts and more, each in its thread, on a held folder."""

    def __init__(
        self,
        log: Log,
        store: Store,
        policies: Policies,
        clock: Clock,
        settings: Settings,
        alerts: AlertSettings | None = None,
        risk: "LiveModel | None" = None,
        newer: "Callable[[], LiveModel | None]" = lambda: None,
    ) -> None:
        self.log = log
        self.store = store
        self.fault: BaseException | None = None
        self.stopping = threading.Event()
        self._clock = clock
        metrics = process_metrics()
        self._journeys = JourneysRole(
            log,
            policies,
            metrics,
            clock,
            code_version=code_version(),
            records_max=settings.limits.batch_records_max,
            hot_facts=settings.limits.hot_facts,
            risk=risk,
            newer=newer,
        )
        self._sink = SinkRole(log, store, metrics, clock, code_version=code_version())
        # It counts the log again; the laws of the store are `pnl verify`'s, which lets it rest.
        self._auditor = Seldom(lambda: AuditorRole(log, None, policies, metrics, clock))
        lateness = settings.reporting.lateness
        self.periods = PeriodJob(log, store, settings.policies, clock, lateness)
        health = Health()
        self._loops = {
            "journeys": Stepping(JOURNEYS, self._journeys, metrics, self.stopping, health),
            "sink": Stepping(SINK, self._sink, metrics, self.stopping, health),
            "periods": Stepping(
                "periods", PeriodsRole(log, self.periods), metrics, self.stopping, health
            ),
            "auditor": Stepping("auditor", self._auditor, metrics, self.stopping, health),
        }
        handler = signals(alerts.rules() if alerts else DEFAULTS, settings.reporting.timezone)
        self._make_signals = partial(
            SignalsRole, log, handler, metrics, clock, code_version=code_version()
        )
        self._signals: SignalsRole | None = None
        measured = (self._journeys, self._sink, self._auditor)
        measures = *(role.measure for role in measured), self._measure_signals, self._measure_routes
        self._gauges = Gauges(measures, metrics)
        self._make_routes: Callable[[], list[DeliveringRole]] = lambda: delivering_roles(
            log, alerts.routes if alerts is not None else (), settings, metrics, clock
        )
        self._routes: list[DeliveringRole] = []
        self._stepped = partial(Stepping, metrics=metrics, stopping=self.stopping, health=health)
        self._retention_days = settings.log.retention_days
        self._stepping = threading.Lock()
        self._one_rest = threading.Lock()
        self._awake = threading.Event()
        self._awake.set()
        self._threads: list[threading.Thread] = []

    def assert_accepted(self) -> None:
        """Raise ConfigurationRefused unless the books may be gone on with by our rules."""
        self._journeys.assert_accepted()

    def start(self, *, serving: bool = True) -> None:
        """Start the threads; `stopping` is set when one of them has failed.

        The period job runs by itself while `serving`; who ends soon asks it for what is needed.
        The log is counted again and alerts are sent while `serving` alone. UserError if one of
        their routes cannot be used.
        """
        loops = {"journeys": self._run_journeys, "sink": self._loops["sink"].run}
        if serving:
            loops["periods"] = self._loops["periods"].run
            loops["auditor"] = self._loops["auditor"].run
            self._signals = self._make_signals()
            loops[SIGNALS] = self._stepped(SIGNALS, self._signals).run
            self._routes = self._make_routes()
            for role in self._routes:
                name = group_of(role.route.name)
                loops[name] = self._stepped(name, role).run
        if isinstance(self.log, SqliteLog):
            loops["upkeep"] = partial(self._upkeep, self.log)
        for name, loop in loops.items():
            thread = threading.Thread(target=self._guarded, args=(loop,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._gauges.start()

    def stop(self) -> bool:
        """End the threads, close the workers; False when one did not end in time.

        Then only the end of the process ends it; the log's transactions make that safe.
        """
        self.stopping.set()
        deadline = Deadline(JOIN_MAX)
        for thread in self._threads:
            thread.join(timeout=deadline.seconds_left())
        if not self._gauges.stop(deadline.seconds_left()) or any(
            thread.is_alive() for thread in self._threads
        ):
            return False
        self._journeys.close()
        self._sink.close()
        self._auditor.close()
        for role in (self._signals, *self._routes):
            if role is not None:
                role.close()
        return True

    @property
    def store_trouble(self) -> str | None:
        """Why the store takes no rows just now; None when it does."""
        return self._sink.sink.trouble

    def missing(self) -> tuple[str, ...]:
        """Return a sentence for each thing that keeps this process from being ready."""
        found = (self._journeys.missing(), self._sink.missing())
        return tuple(sentence for sentence in found if sentence is not None)

    @contextmanager
    def resting(self) -> Iterator[bool]:
        """Hold journeys between two batches; yield whether the store has all they wrote."""
        with self._one_rest:
            self._awake.clear()
            try:
                with self._stepping:
                    yield self._sink.sink.wait_until(outputs_end(self.log), REST_WAIT)
            finally:
                self._awake.set()

    def _measure_signals(self) -> None:
        if self._signals is not None:
            self._signals.measure()

    def _measure_routes(self) -> None:
        for role in self._routes:
            role.measure()

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001 - kept, and the process ends with it
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """End everything because of an error: ours, or that of a part beside us."""
        if self.fault is None:
            self.fault = error
        self.stopping.set()

    def _run_journeys(self) -> None:
        loop = self._loops["journeys"]
        while not self.stopping.is_set():
            if self._awake.wait(STEP_WAIT.total_seconds()):
                with self._stepping:
                    loop.once()

    def _upkeep(self, log: SqliteLog) -> None:
        """Remove what the topics' policies no longer keep; a call's work is bounded."""
        topics = [
            replace(topic, retention_days=self._retention_days or topic.retention_days)
            if topic.policy == "expire"
            else topic
            for topic in TOPICS.values()
        ]
        while not self.stopping.wait(UPKEEP_SECONDS):
            for topic in topics:
                try:
                    log.trim(topic, self._clock.now_ms())
                except Busy:
                    break


def committed_by_journeys(log: EventLog) -> dict[TopicPartition, int]:
    """Return the next offset of journeys for every input partition."""
    return log.committed(JOURNEYS)


def outputs_end(log: EventLog, topics: Sequence[str] = OUTPUT_NAMES) -> dict[TopicPartition, int]:
    """Return the ends of all outputs: what the store must reach to hold all there is now."""
    return {
        TopicPartition(topic, partition): end
        for topic in topics
        for partition, end in log.end_offsets(topic).items()
    }


def is_stored(log: EventLog, ends: Mapping[TopicPartition, int]) -> bool:
    """Say whether the sink has committed every record before these ends of outputs."""
    return _missing(log, log.committed(SINK), ends, _unread(log)) == 0


def behind(log: EventLog, outputs: Sequence[str] = OUTPUT_NAMES) -> tuple[int, int]:
    """Return how many input records are not applied, and how many outputs are not stored.

    On Kafka both may count offsets too that hold no record; zero is exact.
    """
    inputs = {
        TopicPartition(topic, partition): end
        for topic in INPUT_NAMES
        for partition, end in log.end_offsets(topic).items()
    }
    # In this order: an output is there once its input is committed.
    unapplied = _missing(log, log.committed(JOURNEYS), inputs, 0)
    return unapplied, _missing(log, log.committed(SINK), outputs_end(log, outputs), _unread(log))


def is_caught_up(log: EventLog) -> bool:
    """Say whether all that is in the log now is applied and stored."""
    return behind(log) == (0, 0)


def _unread(log: EventLog) -> int:
    """Return how many offsets before an output's end never hold a record.

    On Kafka an output's last offset is the end of the transaction that wrote it.
    """
    return 1 if isinstance(log, KafkaLog) else 0


def _missing(
    log: EventLog,
    committed: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    unread: int,
) -> int:
    return sum(
        end - at
        for place, end in ends.items()
        if (at := committed.get(place, 0)) < end - unread and not is_reached(log, place, at, end)
    )
