"""What runs on a held data folder: log, journeys, store, sink and their upkeep, in threads.

Law: the first fault of any thread ends all of them and is kept for the process to end with; no
part goes on beside a broken one. Ending in the middle loses nothing: every part goes on from
what its last transaction committed.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from pnl.datafolder import DataFolder
from pnl.engine import GROUP as JOURNEYS
from pnl.engine import JourneysWorker
from pnl.settings import Settings
from pnl.version import code_version
from processors.policy import Policy
from sinks.sink import GROUP as SINK
from sinks.sink import Sink
from sinks.store import Store
from streams.clock import Clock, Deadline
from streams.log import Busy, EventLog, TopicPartition
from streams.sqlite_log import SqliteLog
from streams.topics import INPUT_NAMES, OUTPUT_NAMES, TOPICS

STEP_WAIT: Final = timedelta(milliseconds=200)
"""How long an idle step waits: stopping takes at most this much longer."""
JOIN_MAX: Final = timedelta(seconds=1.5)
UPKEEP_SECONDS: Final = 60.0
"""Compaction rewrites records: every five seconds it took a quarter of a thread under load."""
BUSY_PAUSE_SECONDS: Final = 0.1
REST_WAIT: Final = timedelta(minutes=1)
"""How long `resting` waits for the store before it says that it is behind."""


class Worker(Protocol):
    """What a loop drives: a step handles what there is, or waits for it."""

    def step(self, wait: timedelta) -> int:
        """Handle the next records; return how many they were, 0 after waiting in vain."""
        ...


def store_dsn(folder: DataFolder, settings: Settings) -> str:
    """Return where the store is: what the settings say, else chDB inside the data folder."""
    if settings.store.dsn is not None:
        return settings.store.dsn.get_secret_value()
    return f"chdb://{folder.store.resolve()}"


def open_log(folder: DataFolder, settings: Settings, clock: Clock) -> SqliteLog:
    """Open the event log of a data folder."""
    return SqliteLog(folder.log, clock=clock, durability=settings.log.durability)


class Pipeline:
    """Journeys and sink, each in its thread, on the log and the store of a held folder."""

    def __init__(
        self, log: SqliteLog, store: Store, policy: Policy, clock: Clock, settings: Settings
    ) -> None:
        self.log = log
        self.store = store
        self.fault: BaseException | None = None
        self.stopping = threading.Event()
        self._clock = clock
        self._journeys = JourneysWorker(
            log, policy, code_version=code_version(), records_max=settings.limits.batch_records_max
        )
        self._sink = Sink(log, store, code_version=code_version())
        self._retention_days = settings.log.retention_days
        self._stepping = threading.Lock()
        self._one_rest = threading.Lock()
        self._awake = threading.Event()
        self._awake.set()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads; `stopping` is set when one of them has failed."""
        loops = {"journeys": self._run_journeys, "sink": self._run_sink, "upkeep": self._upkeep}
        for name, loop in loops.items():
            thread = threading.Thread(target=self._guarded, args=(loop,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> bool:
        """End the threads, close the workers; False when one did not end in time.

        Then only the end of the process ends it; the log's transactions make that safe.
        """
        self.stopping.set()
        deadline = Deadline(JOIN_MAX)
        for thread in self._threads:
            thread.join(timeout=deadline.seconds_left())
        if any(thread.is_alive() for thread in self._threads):
            return False
        self._journeys.close()
        self._sink.close()
        return True

    @property
    def store_trouble(self) -> str | None:
        """Why the store takes no rows just now; None when it does."""
        return self._sink.trouble

    @contextmanager
    def resting(self) -> Iterator[bool]:
        """Hold journeys between two batches; yield whether the store has all they wrote."""
        with self._one_rest:
            self._awake.clear()
            try:
                with self._stepping:
                    yield self._sink.wait_until(outputs_end(self.log), REST_WAIT)
            finally:
                self._awake.set()

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
        while not self.stopping.is_set():
            if self._awake.wait(STEP_WAIT.total_seconds()):
                with self._stepping:
                    self._step(self._journeys)

    def _run_sink(self) -> None:
        while not self.stopping.is_set():
            self._step(self._sink)

    def _step(self, worker: Worker) -> None:
        try:
            worker.step(STEP_WAIT)
        except Busy:
            self.stopping.wait(BUSY_PAUSE_SECONDS)

    def _upkeep(self) -> None:
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
                    self.log.trim(topic, self._clock.now_ms())
                except Busy:
                    break


def committed_by_journeys(log: EventLog) -> dict[TopicPartition, int]:
    """Return the next offset of journeys for every input partition."""
    return log.committed(JOURNEYS)


def outputs_end(log: EventLog) -> dict[TopicPartition, int]:
    """Return the ends of all outputs: what the store must reach to hold all there is now."""
    return {
        TopicPartition(topic, partition): end
        for topic in OUTPUT_NAMES
        for partition, end in log.end_offsets(topic).items()
    }


def is_stored(log: EventLog, ends: Mapping[TopicPartition, int]) -> bool:
    """Say whether the sink has committed everything up to these ends."""
    return _missing(log.committed(SINK), ends) == 0


def behind(log: EventLog) -> tuple[int, int]:
    """Return how many input records are not applied, and how many outputs are not stored."""
    inputs = {
        TopicPartition(topic, partition): end
        for topic in INPUT_NAMES
        for partition, end in log.end_offsets(topic).items()
    }
    # In this order: an output is there once its input is committed.
    unapplied = _missing(log.committed(JOURNEYS), inputs)
    return unapplied, _missing(log.committed(SINK), outputs_end(log))


def is_caught_up(log: EventLog) -> bool:
    """Say whether all that is in the log now is applied and stored."""
    return behind(log) == (0, 0)


def _missing(committed: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> int:
    return sum(max(0, end - committed.get(place, 0)) for place, end in ends.items())
