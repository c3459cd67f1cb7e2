"""`pnl repair`: owns journeys' group, finds what is torn, shows it, and with consent makes it good.

Law: while it runs nobody else processes or repairs, for it owns every partition of the group; and
each partition is repaired in one transaction or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from pnl.auditor.notices import PARTITION, AuditRecord, Notices, notice
from pnl.auditor.ranges import REPAIR
from pnl.engine import GROUP
from pnl.errors import CheckFailed
from pnl.repairing.evidence import evidence_of
from pnl.repairing.plan import Plan, Planner
from processors.policy import Policies
from processors.repairs import taken_back
from processors.results import Amendment, BatchRecord, LedgerRecord
from streams.clock import Clock, Deadline
from streams.log import Consumer, EventLog, Outgoing, TopicPartition, Transaction
from streams.topics import AUDIT, BATCHES, DEAD_LETTERS, INPUT_NAMES, LEDGER

OWNING_MAX: Final = timedelta(minutes=2)
"""How long a stopped worker's partitions may take to come to us."""
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was found, partition by partition, and whether it was written."""

    plans: tuple[Plan, ...]
    written: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing was torn."""
        return all(plan.evidence.is_clean for plan in self.plans)


def repair(
    log: EventLog,
    policy: Policies,
    clock: Clock,
    *,
    reason: str,
    code_version: str,
    accept: bool = False,
) -> Repaired:
    """Look for torn batches in every partition; with `accept` make good what was found.

    Busy or CheckFailed while workers still run. What the state does not explain is left for a
    person, and told.
    """
    consumer = log.consumer(GROUP, INPUT_NAMES)
    try:
        committed = own_all(log, consumer)
        notices = Notices(log)
        notices.refresh()
        plans = []
        for partition in range(log.partitions):
            here = {at.topic: to for at, to in committed.items() if at.partition == partition}
            evidence = evidence_of(log, partition, here, notices)
            planner = Planner(log, consumer.state, policy, partition, clock.now_ms(), code_version)
            plans.append(planner.plan(evidence))
            consumer.keep()
        torn = [plan for plan in plans if not plan.evidence.is_clean]
        for plan in torn if accept else ():
            write(log, consumer, plan, policy, clock, reason, code_version)
    finally:
        consumer.close()
    return Repaired(plans=tuple(plans), written=accept and bool(torn))


def own_all(log: EventLog, consumer: Consumer) -> dict[TopicPartition, int]:
    """Wait until every partition is ours, and return the committed offsets."""
    deadline = Deadline(OWNING_MAX)
    wanted = log.partitions * len(INPUT_NAMES)
    while len(committed := consumer.committed()) < wanted:
        if not deadline.seconds_left():
            raise CheckFailed(
                f"Only {len(committed)} of {wanted} partitions came to us: stop all workers of"
                " journeys first."
            )
        consumer.keep()
    return committed


def write(
    log: EventLog,
    consumer: Consumer,
    plan: Plan,
    policy: Policies,
    clock: Clock,
    reason: str,
    code_version: str,
) -> None:
    """Write one partition's repair, in one transaction."""
    partition, evidence, now = plan.partition, plan.evidence, clock.now_ms()
    batch_id = f"{log.epoch}-{partition}{REPAIR}{log.end_offsets(BATCHES)[partition]}"
    entries = [
        replace_batch(record, batch_id, now, "doubled") for record in evidence.extras.values()
    ]
    entries += [replace_batch(record, batch_id, now, "lost") for record in plan.booked]
    amends = tuple(
        Amendment(batch_id=each, rows=uneven.rows, sum_minor=uneven.sum_minor)
        for each, uneven in evidence.uneven.items()
    )
    if not plan.explained:
        amends = _explained(amends, list(evidence.extras.values()))
    with consumer.transaction() as transaction:
        transaction.produce(
            LEDGER,
            partition,
            [Outgoing(each.customer_id.encode(), _encode(each)) for each in entries],
        )
        for topic, outgoing in plan.outputs.items():
            transaction.produce(topic, partition, outgoing)
        if plan.letters:
            transaction.produce(DEAD_LETTERS, partition, plan.letters)
        state_hash = transaction.put_state(partition, plan.changes)
        record = BatchRecord(
            batch_id=batch_id,
            partition=partition,
            sources=tuple(plan.sources),
            out_rows=sum(len(each.entries) for each in entries),
            out_sum_minor=sum(entry.amount_minor for each in entries for entry in each.entries),
            event_time_max=None,
            logged_at_max=now,
            code_version=code_version,
            policy=policy.version,
            state_hash=state_hash,
            amends=amends,
            voids=tuple(evidence.voids),
        )
        _tell(transaction, record, plan, now, reason)


def replace_batch(record: LedgerRecord, batch_id: str, now: int, why: str) -> LedgerRecord:
    """Return a ledger record as the repair writes it."""
    return msgspec.structs.replace(
        record,
        booked_at=now,
        batch_id=batch_id,
        repair=why,
        entries=taken_back(record.entries) if why == "doubled" else record.entries,
    )


def _tell(transaction: Transaction, record: BatchRecord, plan: Plan, now: int, reason: str) -> None:
    """Write the batch record, and the notice that the auditor reads."""
    transaction.produce(
        BATCHES, record.partition, [Outgoing(str(record.partition).encode(), _encode(record))]
    )
    told = AuditRecord(
        kind="repair",
        at=now,
        detail="; ".join(plan.odd),
        batch_id=record.batch_id,
        partition=record.partition,
        amends=record.amends,
        voids=record.voids,
        void_letters=tuple(plan.evidence.second_letters),
        reason=reason,
    )
    transaction.produce(AUDIT, PARTITION, [notice(told)])


def _explained(
    amends: Sequence[Amendment], extras: Sequence[LedgerRecord]
) -> tuple[Amendment, ...]:
    """Return what the extras alone account for, where the rest is not explained."""
    left: dict[str, tuple[int, int]] = {}
    for record in extras:
        rows, minor = left.get(record.batch_id, (0, 0))
        minor += sum(entry.amount_minor for entry in record.entries)
        left[record.batch_id] = rows + len(record.entries), minor
    known = {each.batch_id for each in amends}
    return tuple(
        Amendment(batch_id=batch_id, rows=rows, sum_minor=minor)
        for batch_id, (rows, minor) in left.items()
        if batch_id in known
    )


def render(done: Repaired) -> str:
    """Return what was found and what became of it, as text."""
    lines = []
    for plan in done.plans:
        found = plan.evidence
        if found.is_clean:
            continue
        lines.append(f"partition {plan.partition}:")
        if found.voids:
            lines.append(f"  batch records that never happened, at {BATCHES}: {found.voids}")
        for topic, start, end in found.gaps:
            lines.append(f"  no batch accounts for {topic} [{start}, {end})")
        if found.extras:
            rows = sum(len(record.entries) for record in found.extras.values())
            lines.append(
                f"  {rows} entries of {len(found.extras)} facts stand twice, at {LEDGER}"
                f" @{min(found.extras)} to @{max(found.extras)}: they are taken back"
            )
        booked = sum(len(record.entries) for record in plan.booked)
        if booked:
            minor = sum(e.amount_minor for record in plan.booked for e in record.entries)
            lines.append(
                f"  {booked} entries of {len(plan.booked)} customers, {minor} minor units, are"
                " not as the state says: they are booked"
            )
        lines += [
            f"  batch {batch_id}: the ledger holds {each.rows:+d} entries, {each.sum_minor:+d}"
            " minor units beyond its record"
            for batch_id, each in found.uneven.items()
        ]
        if plan.letters:
            lines.append(f"  {len(plan.letters)} dead letters are written again")
        if plan.published:
            lines.append(f"  {plan.published} customers are published again")
        lines += [f"  to be judged: {sentence}" for sentence in plan.odd]
    if not lines:
        return "Nothing is torn."
    lines.append(
        "Repaired; `pnl verify` says whether all laws hold, `pnl resume` lets the sink go on."
        if done.written
        else "Nothing was written: run it again with --accept."
    )
    return "\n".join(lines)
