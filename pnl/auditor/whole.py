"""Audits a whole log at once, for `pnl verify`: the same count as the auditor's, from the start.

Law: beside workers that go on, what is uneven is only reported when it stayed so for the grace.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from pnl.auditor.findings import Found
from pnl.auditor.notices import Notices
from pnl.auditor.partition import PartitionAudit
from pnl.auditor.recompute import Recomputation, chosen_on
from pnl.auditor.state import StateCheck
from pnl.engine import GROUP as JOURNEYS
from processors.policy import DAY_MS, Policies
from streams.clock import Clock, Deadline, pause
from streams.log import EventLog, TopicPartition
from streams.topics import LEDGER

GRACE: Final = timedelta(seconds=5)
_LOOK_SECONDS: Final = 0.2
_NOW: Final = timedelta()


@dataclass(slots=True)
class Audited:
    """What a whole audit looked at, and what it found: of the log (A1), customers (A4), states."""

    batches: int = 0
    entries: int = 0
    customers: int = 0
    customers_not_judged: int = 0
    states: int = 0
    of_log: list[Found] = field(default_factory=list)
    of_customers: list[Found] = field(default_factory=list)
    of_states: list[Found] = field(default_factory=list)


def audit_whole(
    log: EventLog,
    policy: Policies,
    clock: Clock,
    share_ppm: int,
    *,
    resting: bool,
    state_topic: str | None = None,
) -> Audited:
    """Recount everything, and work out so many customers anew.

    `resting`: nobody writes, so nothing is only on its way.
    """
    audited = Audited()
    notices = Notices(log)
    notices.refresh()
    grace = _NOW if resting else GRACE
    for partition in range(log.partitions):
        audit = PartitionAudit(log, partition, {}, notices, grace // timedelta(milliseconds=1))
        _settle(log, audit, clock, grace)
        audited.of_log += audit.found(clock.now_ms())
        audited.batches += audit.recount.batches
        audited.entries += audit.recount.entries
        position = audit.position()
        if position is not None:
            at = _Place(partition, audit, position[TopicPartition(LEDGER, partition)])
            _recompute(log, policy, at, chosen_on(clock.now_ms() // DAY_MS, share_ppm), audited)
            if state_topic is not None:
                _check_state(log, state_topic, at, audited)
    return audited


def _settle(log: EventLog, audit: PartitionAudit, clock: Clock, grace: timedelta) -> None:
    """Read until all adds up, or until what does not has had its time."""
    while audit.advance(clock.now_ms()):
        pass
    limit = Deadline(grace + grace)
    while True:
        audit.compare_committed(log.committed(JOURNEYS), clock.now_ms())
        if audit.recount.is_settled or not limit.seconds_left():
            return
        pause(_LOOK_SECONDS)
        while audit.advance(clock.now_ms()):
            pass


class _Place(NamedTuple):
    """A partition that adds up, and how far its ledger was read."""

    partition: int
    audit: PartitionAudit
    entries_end: int


def _recompute(
    log: EventLog,
    policy: Policies,
    at: _Place,
    chosen: Callable[[bytes], bool],
    audited: Audited,
) -> None:
    ends = at.audit.recount.ranges.ends(log.epoch)
    work = Recomputation(log, policy, at.partition, ends, at.entries_end, chosen)
    for _ in work.slices():
        pass
    audited.customers += work.judged
    audited.customers_not_judged += work.unjudged
    audited.of_customers += work.found


def _check_state(log: EventLog, topic: str, at: _Place, audited: Audited) -> None:
    recount = at.audit.recount
    ends = recount.ranges.ends(log.epoch)
    check = StateCheck(log, topic, at.partition, ends, recount.state_hash)
    for _ in check.slices():
        pass
    audited.states += check.judged
    audited.of_states += check.found
