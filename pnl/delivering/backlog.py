"""What of a route's alerts is still to be sent, and what is next: values in, values out.

Law: the committed offset of a partition never passes an alert that is not done. What lies beyond
it and is done already, the deliveries in the log say; so the backlog is always what log and
offsets make of it, and a restart finds the same.

Alerts of one rule and subject are sent in their order; all others go past one that waits.
"""

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from processors.signal_records import AlertRecord, DeliveryRecord
from sinks.delivery.routes import Route
from streams.facts import Millis
from streams.log import TopicPartition

RECORDS_MAX: Final = 10_000
"""So many alerts may be held beyond a committed offset; then no more are read for a while."""
RETRY_FIRST: Final = timedelta(seconds=1)
RETRY_LONGEST: Final = timedelta(minutes=1)
OUTAGE: Final = 3
"""So many failures in a row are the destination's, fewer may be an alert's."""
STALE: Final = timedelta(days=7)
"""What lay so far back when its alert was raised is history being read in: nobody is told of it."""
_MS: Final = timedelta(milliseconds=1)
_HOUR_MS: Final = 3_600_000

Thread = tuple[int, str, str, str]


@dataclass(slots=True, kw_only=True)
class Waiting:
    """An alert that is not done: where it lies, and what has been tried."""

    place: TopicPartition
    offset: int
    alert: AlertRecord
    expires_at: Millis
    due_at: Millis
    is_history: bool = False
    attempts: int = 0
    first_at: Millis = 0

    @property
    def thread(self) -> Thread:
        """What it is in order with."""
        alert = self.alert
        return (self.place.partition, alert.rule, alert.subject_kind, alert.subject)


class Pace:
    """How long to wait after failures: it doubles to a bound, drawn from its upper half."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def after(self, failures: int) -> Millis:
        """Return the wait in milliseconds after so many failures, at least one."""
        doubled = RETRY_FIRST * 2 ** min(failures - 1, 16)
        return int(min(doubled, RETRY_LONGEST) * self._dice.uniform(0.5, 1.0) / _MS)


class Backlog:
    """The alerts of one route that this process is to send."""

    def __init__(self, route: Route, pace: Pace) -> None:
        self._route = route
        self._pace = pace
        self._waiting: dict[tuple[TopicPartition, int], Waiting] = {}
        self._next: dict[TopicPartition, int] = {}
        self._told: dict[tuple[int, str], DeliveryRecord] = {}
        self._history: set[tuple[int, str]] = set()
        self._failures = 0
        self._calm_until: Millis = 0

    def begin(
        self,
        positions: dict[TopicPartition, int],
        told: dict[tuple[int, str], DeliveryRecord],
    ) -> None:
        """Start anew from committed offsets; `told` is the last delivery by partition and alert."""
        self._waiting.clear()
        self._history.clear()
        self._next = dict(positions)
        self._told = told

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many more alerts may be held."""
        return RECORDS_MAX - len(self._waiting)

    @property
    def is_failing(self) -> bool:
        """Whether the destination has failed several times in a row."""
        return self._failures >= OUTAGE

    def take(
        self, place: TopicPartition, offset: int, logged_at: Millis, alert: AlertRecord | None
    ) -> None:
        """Take the next record of a partition; hold it if it is to be sent and is not done."""
        self._next[place] = offset + 1
        if alert is None or not self._is_wanted(alert):
            return
        told = self._told.get((place.partition, alert.alert_id))
        if told is not None and _is_done(told, alert):
            return
        quiet = alert.quiet_until or 0
        is_stale = self._is_history(place.partition, logged_at, alert)
        expires_at = max(logged_at, quiet) + self._route.ttl_hours * _HOUR_MS
        waiting = Waiting(
            place=place,
            offset=offset,
            alert=alert,
            expires_at=logged_at if is_stale else expires_at,
            due_at=quiet,
            is_history=is_stale,
        )
        if told is not None and told.revision == alert.revision:
            waiting.attempts, waiting.first_at = told.attempts, told.first_at
            waiting.due_at = max(quiet, told.last_at + self._pace.after(max(1, told.attempts)))
        self._waiting[place, offset] = waiting

    def due(self, now: Millis) -> Waiting | None:
        """Return what to send now: of what is due the longest waiting; None while none is."""
        if now < self._calm_until:
            return None
        return min(
            (each for each in self._heads() if each.due_at <= now),
            key=lambda each: (each.due_at, each.offset),
            default=None,
        )

    def expired(self, now: Millis) -> list[Waiting]:
        """Return those whose time is over."""
        return [each for each in self._waiting.values() if each.expires_at <= now]

    def due_in(self, now: Millis) -> Millis | None:
        """Return in how many milliseconds something will be due; None while nothing waits."""
        heads = self._heads()
        if not heads:
            return None
        return max(0, max(min(each.due_at for each in heads), self._calm_until) - now)

    def done(self, which: Waiting) -> None:
        """Hold an alert no more."""
        del self._waiting[which.place, which.offset]

    def succeeded(self, now: Millis) -> None:
        """Note that the destination answers; after an outage everything is tried at once."""
        if self.is_failing:
            for each in self._waiting.values():
                each.due_at = max(each.alert.quiet_until or 0, min(each.due_at, now))
        self._failures = 0

    def failed(self, which: Waiting, now: Millis, asked: timedelta | None) -> None:
        """Note a failure: of the alert, and of the destination, which may have `asked` for rest."""
        self._failures += 1
        which.due_at = now + self._pace.after(which.attempts)
        self._calm_until = now + max(
            self._pace.after(self._failures), (asked or timedelta()) // _MS
        )

    def offsets(self) -> dict[TopicPartition, int]:
        """Return the offset of each partition before which everything is done."""
        offsets = dict(self._next)
        for each in self._waiting.values():
            offsets[each.place] = min(offsets[each.place], each.offset)
        return offsets

    def oldest(self, now: Millis) -> Millis | None:
        """Return since when the oldest alert that could have been sent waits; None without one."""
        since = [each.expires_at for each in self._waiting.values() if not _is_quiet(each, now)]
        return min(since) - self._route.ttl_hours * _HOUR_MS if since else None

    def _heads(self) -> list[Waiting]:
        """Return of each thread the first that waits."""
        heads: dict[Thread, Waiting] = {}
        for each in self._waiting.values():
            first = heads.setdefault(each.thread, each)
            if each.offset < first.offset:
                heads[each.thread] = each
        return list(heads.values())

    def _is_history(self, partition: int, logged_at: Millis, alert: AlertRecord) -> bool:
        """Say whether an alert was about the past when it was raised: so are all its revisions."""
        name = (partition, alert.alert_id)
        if logged_at - alert.raised_at <= STALE // _MS:
            return False
        if alert.revision == 1:
            self._history.add(name)
        told = self._told.get(name)
        return name in self._history or (told is not None and told.outcome == "expired")

    def _is_wanted(self, alert: AlertRecord) -> bool:
        return self._route.name in alert.routes and alert.state in self._route.states


def _is_done(told: DeliveryRecord, alert: AlertRecord) -> bool:
    """Say whether a delivery of an alert stands for this revision: they are sent in order."""
    if told.revision == alert.revision:
        return told.outcome != "retrying"
    return told.revision > alert.revision


def _is_quiet(waiting: Waiting, now: Millis) -> bool:
    quiet = waiting.alert.quiet_until
    return quiet is not None and now < quiet
