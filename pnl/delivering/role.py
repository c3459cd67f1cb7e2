"""The role of one route: reads alerts, sends them, says in the log what became of each.

Law: what became of an alert and the offset that passes it are committed together. An end between
sending and committing sends again, with the same identity; nothing is ever passed over.
"""

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from pnl.delivering.backlog import Backlog, Pace, Waiting
from pnl.delivering.messages import message_of
from pnl.delivering.told import HISTORY, alert_of, group_of, outgoing, read_told
from pnl.metrics import Metrics
from processors.signal_records import DeliveryOutcome, DeliveryRecord
from sinks.delivery.destination import Attempt, Destination, Message
from sinks.delivery.routes import Route
from streams.clock import Clock, Deadline, pause
from streams.facts import Millis
from streams.failpoints import failpoint
from streams.log import EventLog, Outgoing, Record, TopicPartition
from streams.topics import ALERTS, DELIVERIES

POLL_RECORDS_MAX: Final = 500
SENDING: Final = timedelta(milliseconds=250)
"""How long alerts are sent before what became of them is committed."""
LATE: Final = timedelta(minutes=1)
"""An alert that waits so long while its destination fails is worth a sentence."""
_NOW: Final = timedelta()
_MS: Final = timedelta(milliseconds=1)
_OUTCOMES: Final[dict[str, DeliveryOutcome]] = {
    "delivered": "delivered",
    "again": "retrying",
    "refused": "refused",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How many alerts wait, and since when the oldest of those that could be sent."""

    waiting: int
    since: Millis | None
    is_failing: bool

    def seconds(self, now: Millis) -> float:
        """Return how long the oldest has waited, 0.0 where none does."""
        return 0.0 if self.since is None else max(0, now - self.since) / 1_000


class DeliveringRole:
    """A member of the group `alerts.ROUTE`. `step` and `close` belong to one thread."""

    def __init__(
        self,
        log: EventLog,
        route: Route,
        destination: Destination,
        metrics: Metrics,
        clock: Clock,
        *,
        zone: ZoneInfo,
        locale: str,
        public_url: str = "",
        dice: Random | None = None,
    ) -> None:
        self.route = route
        self._log = log
        self._destination = destination
        self._metrics = metrics
        self._clock = clock
        self._zone = zone
        self._locale = locale
        self._public_url = public_url
        self._consumer = log.consumer(group_of(route.name), (ALERTS,))
        self._backlog = Backlog(route, Pace(dice or Random()))  # noqa: S311 - spreads retries only
        self._assignment: int | None = None
        self._committed: dict[TopicPartition, int] = {}
        self._said: list[tuple[int, DeliveryRecord]] = []
        self._last = ""
        self._shown = Standing(0, None, is_failing=False)

    def step(self, wait: timedelta) -> int:
        """Read, send what is due, commit; return how many were tried, 0 after waiting.

        Busy when the log did not take it: then it is committed at the next step.
        """
        if self._said:
            self._consumer.keep()
        if self._assignment != self._consumer.assignment:
            self._begin()
        if self._said:
            self._commit()
        self._read(wait)
        if self._assignment != self._consumer.assignment:
            self._begin()
            return 0
        tried = self._send_due()
        self._show()
        self._commit()
        return tried

    def missing(self) -> str | None:
        """Say that the destination has taken nothing for a while; from any thread."""
        shown = self._shown
        if not shown.is_failing or shown.seconds(self._clock.now_ms()) < LATE.total_seconds():
            return None
        seconds = shown.seconds(self._clock.now_ms())
        return (
            f"Route {self.route.name} takes no alerts ({self._last}): {shown.waiting} wait, the "
            f"oldest for {seconds:.0f} seconds."
        )

    def measure(self) -> None:
        """Show how many alerts wait, and how long the oldest does; from any thread."""
        shown, name = self._shown, self.route.name
        self._metrics.alerts_pending.labels(name).set(shown.waiting)
        seconds = shown.seconds(self._clock.now_ms())
        self._metrics.alerts_oldest_pending.labels(name).set(seconds)

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()

    def _begin(self) -> None:
        """Take up what is owned now, from what log and offsets say; forget all else."""
        self._consumer.rewind()
        self._said.clear()
        committed = self._consumer.committed()
        partitions = sorted({place.partition for place in committed})
        self._backlog.begin(committed, read_told(self._log, partitions, self.route.name))
        self._committed = committed
        self._assignment = self._consumer.assignment  # last: reading may have to be made again

    def _show(self) -> None:
        """Put down how it stands, for other threads to read."""
        since = self._backlog.oldest(self._clock.now_ms())
        self._shown = Standing(len(self._backlog), since, is_failing=self._backlog.is_failing)

    def _read(self, wait: timedelta) -> None:
        now = self._clock.now_ms()
        due_in = self._backlog.due_in(now)
        is_busy = due_in == 0
        if (is_busy and len(self._backlog) >= POLL_RECORDS_MAX) or not self._backlog.room:
            self._consumer.keep()
            if not is_busy:
                pause(wait.total_seconds())
            return
        longest = wait if due_in is None else min(wait, due_in * _MS)
        for record in self._consumer.poll(min(POLL_RECORDS_MAX, self._backlog.room), longest):
            self._take(record)

    def _take(self, record: Record) -> None:
        place = TopicPartition(record.topic, record.partition)
        if place in self._committed:  # else it is of an assignment that `step` has yet to see
            self._backlog.take(place, record.offset, record.logged_at, alert_of(record))

    def _send_due(self) -> int:
        tried = 0
        limit = Deadline(SENDING)
        for waiting in self._backlog.expired(self._clock.now_ms()):
            self._settle(waiting, "expired", self._why_expired(waiting))
        while limit.seconds_left():
            waiting_now = self._backlog.due(self._clock.now_ms())
            if waiting_now is None:
                break
            self._try(waiting_now)
            tried += 1
        return tried

    def _try(self, waiting: Waiting) -> None:
        now = self._clock.now_ms()
        message = message_of(waiting.alert, self._zone, self._locale, self._public_url)
        failpoint("D0")
        attempt = self._sent(message, now)
        failpoint("D1")
        waiting.attempts += 1
        waiting.first_at = waiting.first_at or now
        self._last = attempt.detail
        if attempt.result == "again":
            self._backlog.failed(waiting, self._clock.now_ms(), attempt.retry_after)
            self._say(waiting, "retrying", attempt.detail)
        else:
            self._backlog.succeeded(now)
            self._settle(waiting, _OUTCOMES[attempt.result], attempt.detail)

    def _sent(self, message: Message, now: Millis) -> Attempt:
        """Send once. What a destination fails of is its own: nothing else may wait for it."""
        try:
            return self._destination.send(message, now)
        except Exception as error:  # noqa: BLE001 - said in the delivery, and tried again
            return Attempt("again", f"sending failed: {type(error).__name__}")

    def _why_expired(self, waiting: Waiting) -> str:
        if waiting.is_history:
            return HISTORY
        if waiting.attempts:
            return f"its time was over; the last attempt: {self._last or 'failed'}"
        return "its time was over before it could be sent"

    def _settle(self, waiting: Waiting, outcome: DeliveryOutcome, detail: str) -> None:
        self._say(waiting, outcome, detail)
        self._backlog.done(waiting)

    def _say(self, waiting: Waiting, outcome: DeliveryOutcome, detail: str) -> None:
        now = self._clock.now_ms()
        record = DeliveryRecord(
            alert_id=waiting.alert.alert_id,
            revision=waiting.alert.revision,
            route=self.route.name,
            outcome=outcome,
            attempts=waiting.attempts,
            first_at=waiting.first_at or now,
            last_at=now,
            detail=detail,
        )
        self._said.append((waiting.place.partition, record))

    def _commit(self) -> None:
        offsets = self._backlog.offsets()
        if not self._said and offsets == self._committed:
            return
        said: dict[int, list[Outgoing]] = {}
        for partition, record in self._said:
            said.setdefault(partition, []).append(outgoing(record))
        moved = {
            place: offset
            for place, offset in offsets.items()
            if offset != self._committed[place] or place.partition in said
        }
        with self._consumer.transaction() as transaction:
            for partition, records in said.items():
                transaction.produce(DELIVERIES, partition, records)
            transaction.commit_offsets(moved)
        failpoint("D2")
        for _, record in self._said:
            self._metrics.alerts_sent.labels(self.route.name, record.outcome).inc()
        self._said.clear()
        self._committed = offsets
