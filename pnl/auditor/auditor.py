"""The auditor at work: one member of the group `auditor`, stepped like any worker.

Law: an alarm is written before the auditor goes on, and its position is committed only where all
that it read adds up; so a restart looks again at whatever was not settled. It writes nothing but
alarms and its position.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pnl.auditor.findings import HALTING, Found
from pnl.auditor.notices import Notices, raise_alarms
from pnl.auditor.partition import TOPICS, PartitionAudit
from pnl.auditor.recompute import SHARE_PPM, Recomputation, chosen_on
from pnl.auditor.state import StateCheck
from pnl.auditor.watch import SINK_GROUP, Limits, Watch
from pnl.engine import GROUP as JOURNEYS
from processors.policy import DAY_MS, Policies
from sinks.store import Store
from sinks.store_errors import StoreError
from sinks.verify import Finding, Row, look_again, verify
from streams.clock import Clock, Stopwatch
from streams.facts import Millis
from streams.log import Busy, EventLog, TopicPartition
from streams.topics import LEDGER, OUTPUT_NAMES

GROUP: Final = "auditor"
ALARMS_MAX: Final = 50
"""How many alarms a step writes: the first ones say what is wrong."""
_SLICE: Final = timedelta(milliseconds=200)
_TRIES: Final = 1_000
"""For how many steps a night waits until a partition adds up."""
_COORDINATES: Final = frozenset(
    {"log_epoch", "log_partition", "log_offset", "log_position", "src_partition", "start_offset"}
    | {"hour_number"}
)

OpenEnds = Callable[[], Mapping[TopicPartition, tuple[int, int]]]
"""Returns the (last stable offset, end) of partitions where the two can differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the auditor goes about it. `grace`: how long a commit may take to become visible whole.

    `halts`: whether alarms about money halt the sink. `store_every`: how often the laws of the
    store are checked. `share_ppm`: how many customers a night are worked out anew.
    """

    grace: timedelta = timedelta(seconds=24)
    halts: bool = True
    limits: Limits = field(default_factory=Limits)
    watch_every: timedelta = timedelta(seconds=10)
    save_every: timedelta = timedelta(seconds=10)
    store_every: timedelta = timedelta(hours=1)
    share_ppm: int = SHARE_PPM


class Auditor:
    """One auditor. `step` and `close` belong to one thread; `gauges` and `halted` to all.

    `store` may be none: then its laws are left to `pnl verify`. `on_alarm` is told each alarm.
    """

    def __init__(
        self,
        log: EventLog,
        store: Store | None,
        policy: Policies,
        clock: Clock,
        *,
        rules: Rules = Rules(),
        open_ends: OpenEnds | None = None,
        state_topic: str | None = None,
        on_alarm: Callable[[Found], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._store = store
        self._policy = policy
        self._clock = clock
        self._rules = rules
        self._open_ends = open_ends
        self._state_topic = state_topic
        self._on_alarm = on_alarm
        self._consumer = log.consumer(GROUP, TOPICS)
        self._assignment: int | None = None
        self._notices = Notices(log)
        self._notices.refresh()
        self._repairs = self._notices.repairs
        self._partitions: dict[int, PartitionAudit] = {}
        self._saved: dict[TopicPartition, int] = {}
        self._watch = Watch(rules.limits)
        self._since_watch: Stopwatch | None = None
        self._since_save = Stopwatch()
        self._since_store: Stopwatch | None = None
        self._first_look: tuple[list[Finding], dict[TopicPartition, int]] | None = None
        self._night: Iterator[list[Found] | None] | None = None
        self._day = clock.now_ms() // DAY_MS
        self._counts: Counter[str] = Counter()
        self._dispositions: Counter[str] = Counter()
        self._alarms: Counter[str] = Counter()
        self._figures: dict[str, float] = {}
        self._closing = threading.Event()

    def step(self, wait: timedelta) -> int:
        """Recount what is new; return how many records that were, 0 after waiting in vain.

        Raises what `streams.log` raises, as it says there.
        """
        self._consumer.keep()
        if self._consumer.assignment != self._assignment:
            self._begin()
        self._notices.refresh()
        if self._notices.repairs != self._repairs:
            self._begin()
        now = self._clock.now_ms()
        read = self._advance(now)
        found = [each for audit in self._partitions.values() for each in audit.found(now)]
        if self._since_watch is None or self._since_watch.elapsed() >= self._rules.watch_every:
            self._since_watch = Stopwatch()
            found += self._look_around(now)
        found += self._look_at_store()
        found += self._recompute(now)
        self._raise(found, now)
        if self._since_save.elapsed() >= self._rules.save_every:
            self._save()
        self._figures = self._measured(now)
        if not read and self._night is None:
            self._closing.wait(wait.total_seconds())
        return read

    def recompute_now(self, day: int) -> None:
        """Begin to work out the customers of a day (counted from 1970) anew, and check the states.

        The next steps do it.
        """
        self._night = self._nightly(day)

    @property
    def is_recomputing(self) -> bool:
        """Whether the nightly work is still going on."""
        return self._night is not None

    def halted(self) -> str | None:
        """Say why the sink is halted; None when it is not."""
        halt = self._notices.halt
        return None if halt is None else f"{halt.law}: {halt.subject}: {halt.detail}"

    def gauges(self) -> dict[str, float]:
        """Return the auditor's figures by name: what was counted since it began, and what stands.

        Names that end in `_total` only grow; `alarms_total` is there by law, as `alarms_total/A1`.
        """
        return dict(self._figures)

    def _measured(self, now: Millis) -> dict[str, float]:
        audits = list(self._partitions.values())
        return {
            "batches_total": sum(audit.recount.batches for audit in audits),
            "entries_total": sum(audit.recount.entries for audit in audits),
            "vectors_total": sum(audit.vectors for audit in audits),
            "customers_recomputed_total": self._counts["judged"],
            "customers_not_judged_total": self._counts["unjudged"],
            "partitions_not_recomputed_total": self._counts["skipped"],
            "states_checked_total": self._counts["states"],
            "uneven_seconds": max((a.recount.uneven_ms(now) for a in audits), default=0) / 1000,
            "sink_behind_seconds": self._watch.sink_behind_ms / 1000,
            "halted": float(self._notices.halt is not None),
            **{f"alarms_total/{law}": count for law, count in self._alarms.items()},
        }

    def close(self) -> None:
        """Commit where it got to and give the group up."""
        self._closing.set()
        try:
            self._save()
        finally:
            self._consumer.close()

    # --- how

    def _begin(self) -> None:
        """Go on from what is committed, in the partitions that are owned now."""
        self._assignment = self._consumer.assignment
        self._repairs = self._notices.repairs
        committed = self._consumer.committed()
        self._saved = dict(committed)
        for audit in self._partitions.values():
            self._dispositions += audit.recount.dispositions
        grace_ms = self._rules.grace // timedelta(milliseconds=1)
        self._partitions = {
            partition: PartitionAudit(
                self._log,
                partition,
                {
                    place.topic: at
                    for place, at in committed.items()
                    if place.partition == partition
                },
                self._notices,
                grace_ms,
            )
            for partition in sorted({place.partition for place in committed})
        }
        if self._night is not None:
            self._night = self._nightly(self._day)

    def _advance(self, now: Millis) -> int:
        if not self._partitions:
            return 0
        ends = {topic: self._log.end_offsets(topic) for topic in TOPICS}
        return sum(
            audit.advance(now, {topic: ends[topic].get(partition, 0) for topic in TOPICS})
            for partition, audit in self._partitions.items()
        )

    def _look_around(self, now: Millis) -> list[Found]:
        found: list[Found] = []
        committed = self._log.committed(JOURNEYS)
        for audit in self._partitions.values():
            audit.compare_committed(committed, now)
            found += audit.found(now)
        if self._notices.halt is None:
            found += self._watch.behind(self._log, now)
        if self._open_ends is not None:
            found += self._watch.held_up(self._open_ends(), now)
        dispositions = Counter(self._dispositions)
        for audit in self._partitions.values():
            dispositions += audit.recount.dispositions
        return found + self._watch.rates(dispositions)

    def _look_at_store(self) -> list[Found]:
        """Check the laws of the store; what does not hold is looked at again a moment later."""
        if self._store is None or self._notices.halt is not None:
            return []
        try:
            if self._first_look is not None:
                return self._second_look(self._store)
            if self._since_store is None or self._since_store.elapsed() >= self._rules.store_every:
                self._since_store = Stopwatch()
                first = verify(self._store)
                if first:
                    self._first_look = first, _ends(self._log)
        except StoreError:
            self._counts["store_errors"] += 1  # the sink says why the store does not answer
        return []

    def _second_look(self, store: Store) -> list[Found]:
        assert self._first_look is not None
        first, ends = self._first_look
        committed = self._log.committed(SINK_GROUP)
        behind = {place: committed.get(place, 0) for place in ends}
        if any(self._log.read(*place, at, 1) for place, at in behind.items() if at < ends[place]):
            return []
        self._first_look = None
        return [
            Found(finding.law_id, _subject(row), _detail(row))
            for finding in look_again(store, first)
            for row in finding.rows
        ]

    def _recompute(self, now: Millis) -> list[Found]:
        day = now // DAY_MS
        if self._night is None and day > self._day:
            self._day = day
            self._night = self._nightly(day)
        if self._night is None:
            return []
        found: list[Found] = []
        spent = Stopwatch()
        while spent.elapsed() < _SLICE:
            try:
                some = next(self._night)
            except StopIteration:
                self._night = None
                break
            if some is None:
                break
            found += some
        return found

    def _nightly(self, day: int) -> Iterator[list[Found] | None]:
        """Work out the chosen customers of each partition, and its state; None: not just now."""
        for partition, audit in self._partitions.items():
            for _ in range(_TRIES):
                if (position := audit.position()) is not None:
                    break
                yield None
            else:
                self._counts["skipped"] += 1
                continue
            ends = audit.recount.ranges.ends(self._log.epoch)
            entries_end = position[TopicPartition(LEDGER, partition)]
            chosen = chosen_on(day, self._rules.share_ppm)
            work = Recomputation(self._log, self._policy, partition, ends, entries_end, chosen)
            for _ in work.slices():
                yield []
            self._counts["judged"] += work.judged
            self._counts["unjudged"] += work.unjudged
            yield work.found
            if self._state_topic is not None:
                recorded = audit.recount.state_hash
                check = StateCheck(self._log, self._state_topic, partition, ends, recorded)
                for _ in check.slices():
                    yield []
                self._counts["states"] += check.judged
                yield check.found

    def _raise(self, found: list[Found], now: Millis) -> None:
        new = [each for each in dict.fromkeys(found) if not self._notices.was_raised(each)]
        if not new:
            return
        new.sort(key=lambda each: each.law not in HALTING)
        if len(new) > ALARMS_MAX:
            law, subject, _ = new[ALARMS_MAX]
            more = Found(law, f"{len(new) - ALARMS_MAX} more, from {subject} on", "see pnl verify")
            new = [*new[:ALARMS_MAX], more]
        raise_alarms(self._log, new, now, halting=self._rules.halts)
        for each in new:
            self._alarms[each.law] += 1
            self._on_alarm(each)
        self._notices.refresh()

    def _save(self) -> None:
        """Commit the positions of the partitions where everything adds up."""
        self._since_save = Stopwatch()
        moved: dict[TopicPartition, int] = {}
        for audit in self._partitions.values():
            position = audit.position() or {}
            moved |= {at: to for at, to in position.items() if self._saved.get(at) != to}
        if not moved:
            return
        try:
            with self._consumer.transaction() as transaction:
                transaction.commit_offsets(moved)
        except Busy:
            return  # the next time
        self._saved |= moved


def _ends(log: EventLog) -> dict[TopicPartition, int]:
    return {
        TopicPartition(topic, partition): end
        for topic in OUTPUT_NAMES
        for partition, end in log.end_offsets(topic).items()
    }


def _subject(row: Row) -> str:
    """Return what a row of a law is about: its names and coordinates, not its sums."""
    return ", ".join(
        f"{name} {value}"
        for name, value in row.items()
        if (isinstance(value, str) and value) or name in _COORDINATES
    )


def _detail(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
