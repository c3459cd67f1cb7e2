"""The demo: the shipped invoices under a simulated contact centre, replayed in event-time order.

Law: every event of a seed is appended once, however often the demo is stopped. How far it came is
kept with what it appended (`pnl.demo_progress`); a chain of checksums over that says whether it is
the same demo that goes on.
"""

import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from pnl.demo_progress import Keeper, Progress
from pnl.errors import UserError
from pnl.importing import INVOICES, INVOICES_MAP, example, load_map, read
from pnl.simulator.simulation import overlay
from streams.clock import Clock
from streams.codec import decode, encode
from streams.facts import Millis, Order, event_time_of, key_of
from streams.log import Busy, Outgoing
from streams.topics import ORDERS

BATCH_RECORDS: Final = 2_000
TICK_SECONDS: Final = 0.05
BUSY_PAUSE_SECONDS: Final = 0.1


class OtherDemo(UserError):
    """What the folder holds is not the beginning of this demo."""


class Event(NamedTuple):
    """One record to append, and when it happened."""

    at: Millis
    topic: str
    record: Outgoing


def events(seed: int, now: Millis) -> Iterator[Event]:
    """Yield the demo's events in order of event time: the same for the same seed."""
    orders = []
    for row in read(ORDERS, example(INVOICES), rules=load_map(example(INVOICES_MAP))):
        order = decode(ORDERS, row.key, row.value, now)
        assert isinstance(order, Order), f"{INVOICES}: line {row.line}: {order}"
        orders.append(order)
    for topic, fact in overlay(orders, seed).events():
        record = Outgoing(key_of(fact).encode(), encode(fact))
        yield Event(event_time_of(fact), topic, record)


@dataclass(frozen=True, slots=True)
class Pace:
    """Which event time it is, so many milliseconds after a start; no speed: the end of time."""

    speed: float | None

    def reached(self, begun_at: Millis, elapsed_ms: int) -> Millis | None:
        """Return the event time up to which events are due; None when all of them are."""
        return None if self.speed is None else begun_at + int(elapsed_ms * self.speed)


class Feeder:
    """Appends the demo's events at a pace, and keeps how far it came."""

    def __init__(
        self,
        keeper: Keeper,
        seed: int,
        pace: Pace,
        clock: Clock,
        source: Callable[[int, Millis], Iterator[Event]] = events,
    ) -> None:
        self._keeper = keeper
        self._pace = pace
        self._clock = clock
        self._source = source
        self.progress = keeper.load() or Progress(seed)
        self.done = False
        if self.progress.seed != seed:
            raise UserError(
                f"This data folder holds the demo of --seed {self.progress.seed}; go on with it, "
                "or name another folder with --data."
            )

    def run(self, stopping: threading.Event) -> None:
        """Append until all is appended or `stopping` is set."""
        if self.progress.complete:
            self.done = True
            return
        remaining = self._source(self.progress.seed, self._clock.now_ms())
        self._skip(remaining)
        started_ms, begun_at = self._clock.now_ms(), self.progress.last_at
        batch: list[Event] = []
        for event in remaining:
            begun_at = event.at if begun_at is None else begun_at
            while not self._is_due(event, begun_at, started_ms):
                self._append(batch, stopping)
                batch = []
                if stopping.wait(TICK_SECONDS):
                    return
            batch.append(event)
            if len(batch) >= BATCH_RECORDS:
                self._append(batch, stopping)
                batch = []
                if stopping.is_set():
                    return
        self._append(batch, stopping, complete=True)
        self.done = self.progress.complete

    def close(self) -> None:
        """Give up what keeps how far it came."""
        self._keeper.close()

    def _skip(self, remaining: Iterator[Event]) -> None:
        """Pass over what was appended before, and see that it is the same."""
        checksum = 0
        for event in islice(remaining, self.progress.appended):
            checksum = _chained(checksum, event)
        if checksum != self.progress.checksum:
            raise OtherDemo(
                "This data folder holds the demo of another release, which does not go on; "
                "name another folder with --data for a new one."
            )

    def _is_due(self, event: Event, begun_at: Millis, started_ms: Millis) -> bool:
        reached = self._pace.reached(begun_at, self._clock.now_ms() - started_ms)
        return reached is None or event.at <= reached

    def _append(
        self, batch: list[Event], stopping: threading.Event, *, complete: bool = False
    ) -> None:
        """Append a batch and how far that is, in one transaction; wait while the log is busy."""
        if not batch and not complete:
            return
        checksum = self.progress.checksum
        topics: dict[str, list[Outgoing]] = {}
        for event in batch:
            checksum = _chained(checksum, event)
            topics.setdefault(event.topic, []).append(event.record)
        progress = Progress(
            seed=self.progress.seed,
            appended=self.progress.appended + len(batch),
            checksum=checksum,
            last_at=batch[-1].at if batch else self.progress.last_at,
            complete=complete,
        )
        while not stopping.is_set():
            try:
                self._keeper.append(topics, progress)
            except Busy:
                stopping.wait(BUSY_PAUSE_SECONDS)
            else:
                self.progress = progress
                return


def _chained(checksum: int, event: Event) -> int:
    assert event.record.value is not None
    return zlib.crc32(event.record.value, checksum)


def parse_speed(text: str) -> float | None:
    """Read `--speed`: a number of times faster than life, or `max` (None)."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise UserError(f"--speed must be a number above 0, or max, not {text!r}.")
    return speed
