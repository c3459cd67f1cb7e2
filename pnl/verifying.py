"""`pnl verify`: every law of the stored data and of the log it came from.

Law: what is compared is of one moment. Embedded, journeys rest between two batches until the sink
has caught up with them; on a cluster workers go on, and what does not hold is looked at again once
all that was on its way is stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from pnl.auditor.findings import LAWS as OF_LOG
from pnl.auditor.findings import Found
from pnl.auditor.notices import Notices
from pnl.auditor.recompute import SHARE_PPM
from pnl.auditor.watch import Limits, Watch
from pnl.auditor.whole import audit_whole
from pnl.errors import CheckFailed
from pnl.pipeline import REST_WAIT, Books, Pipeline, is_stored, outputs_end
from processors.policy import Policies
from sinks.laws import LAWS
from sinks.verify import Finding, freshness, looked_at, repeats, verify, verify_moving
from streams.clock import Clock, Deadline, pause
from streams.log import EventLog, LogDamaged
from streams.sqlite_log import SqliteLog
from streams.topics import INPUT_NAMES, JOURNEYS_STATE

LOG_TITLE: Final = "the log's pages, offsets and blocks are in order"
LOOK_SECONDS: Final = 0.2
_READ: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A law: how many things of which kind it looked at, and the first rows where it fails.

    `tells` is what a law without a right or wrong has to say.
    """

    law: str
    title: str
    count: int
    of: str
    rows: tuple[Mapping[str, Any], ...] = ()
    more: bool = False
    tells: str = ""

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.rows


def verify_all(books: Books, policy: Policies, clock: Clock) -> list[Checked]:
    """Return every law with what was looked at; CheckFailed if the sink is far behind."""
    notices = Notices(books.log)
    halted = notices.halted()
    if halted is not None:
        return [
            Checked(
                law="A0",
                title="the sink is not halted (then the store is not looked at)",
                count=1,
                of="sinks",
                rows=({"halted": halted},),
            ),
            *_of_log(books.log, policy, clock, resting=False),
        ]
    if isinstance(books, Pipeline) and isinstance(books.log, SqliteLog):
        with books.resting() as settled:
            if not settled:
                raise _behind(books)
            found = verify(books.store)
            return [
                *_of_store(books, found, clock),
                *_of_log(books.log, policy, clock, resting=True),
                _of_file(books.log),
            ]
    found = verify_moving(books.store, lambda: _passed(books))
    return [
        *_of_store(books, found, clock),
        *_of_log(books.log, policy, clock, resting=False),
    ]


def _of_store(books: Books, found: Sequence[Finding], clock: Clock) -> list[Checked]:
    broken = {each.law_id: each for each in found}
    counts = looked_at(books.store)
    checked = []
    for law in LAWS:
        finding = broken.get(law.law_id)
        rows = () if finding is None else finding.rows
        if law.law_id == "R3":
            rows = tuple(row for row in rows if not _explained(books.log, row))
        checked.append(
            Checked(
                law=law.law_id,
                title=law.title,
                count=counts[law.law_id],
                of=law.of,
                rows=rows,
                more=bool(rows) and finding is not None and finding.more,
            )
        )
    rows_there, entries = repeats(books.store)
    checked.append(
        Checked(
            law="R6",
            title="how many rows repeat others (harmless, and merged away in time)",
            count=rows_there,
            of="rows",
            tells=f"{rows_there - entries:,} of {rows_there:,}",
        )
    )
    fresh = freshness(books.store)
    now = clock.now_ms()
    told = ", ".join(
        f"partition {each.partition} up to @{each.last_offset},"
        f" {max(0, now - each.booked_ms) // 1000:,} s old"
        for each in fresh
    )
    checked.append(
        Checked(law="R8", title="how fresh it is", count=len(fresh), of="partitions", tells=told)
    )
    return checked


def _of_log(log: EventLog, policy: Policies, clock: Clock, *, resting: bool) -> list[Checked]:
    on_cluster = not isinstance(log, SqliteLog)
    audited = audit_whole(
        log,
        policy,
        clock,
        SHARE_PPM,
        resting=resting,
        state_topic=JOURNEYS_STATE if on_cluster else None,
    )
    watch = Watch(Limits())
    behind = watch.behind(log, clock.now_ms())
    checked = [
        _audited("A1", audited.of_log, audited.batches, "batches"),
        _audited("A2", behind, log.partitions, "partitions"),
        _audited("A4", audited.of_customers, audited.customers, "customers"),
    ]
    if on_cluster:
        checked.append(_audited("A7", audited.of_states, audited.states, "states"))
    return checked


def _audited(law: str, found: Sequence[Found], count: int, of: str) -> Checked:
    rows = tuple(
        {"law": each.law, "where": each.subject, "what": each.detail} for each in found[:50]
    )
    more = len(found) > len(rows)
    return Checked(law=law, title=OF_LOG[law], count=count, of=of, rows=rows, more=more)


def _of_file(log: SqliteLog) -> Checked:
    rows: tuple[Mapping[str, Any], ...] = ()
    blocks = 0
    try:
        blocks = log.check()
    except LogDamaged as error:
        rows = ({"damage": str(error)},)
    return Checked(law="L1", title=LOG_TITLE, count=blocks, of="blocks", rows=rows)


def _explained(log: EventLog, row: Mapping[str, Any]) -> bool:
    """Say whether a range has fewer records than offsets: Kafka ends a transaction by one."""
    topic, partition = str(row["src_topic"]), int(row["src_partition"])
    start, end = int(row["start_offset"]), int(row["end_offset"])
    counts = {name: int(row[name]) for name in ("applied", "duplicate", "late", "dead")}
    excepted = {name: int(count) for name, count in row["excepted"]}
    if any(counts[name] != count for name, count in excepted.items()):
        return False
    if topic not in INPUT_NAMES or start < log.start_offsets(topic).get(partition, 0):
        return sum(counts.values()) <= end - start
    records, at = 0, start
    while at < end and (read := log.read(topic, partition, at, _READ)):
        records += sum(record.offset < end for record in read)
        at = read[-1].offset + 1
    return records == sum(counts.values())


def _passed(books: Books) -> bool:
    """Wait until the sinks have stored all that is in the log now."""
    ends, limit = outputs_end(books.log), Deadline(REST_WAIT)
    while not is_stored(books.log, ends):
        if not limit.seconds_left():
            raise _behind(books)
        pause(LOOK_SECONDS)
    return True


def _behind(books: Books) -> CheckFailed:
    trouble = books.store_trouble
    return CheckFailed(
        "The store did not catch up with the log within a minute"
        f"{f' ({trouble})' if trouble else ''}; see `pnl doctor`."
    )


def render_checked(checked: Sequence[Checked], shown: Literal["table", "json"]) -> str:
    """Return what holds and what does not, as text."""
    broken = [each for each in checked if not each.ok]
    if shown == "json":
        return json.dumps(
            {
                "ok": not broken,
                "laws": [
                    {
                        "law": each.law,
                        "title": each.title,
                        "ok": each.ok,
                        "looked_at": each.count,
                        "of": each.of,
                        "tells": each.tells,
                        "rows": [dict(row) for row in each.rows],
                        "more": each.more,
                    }
                    for each in checked
                ],
            },
            indent=2,
            default=_plain,
        )
    lines = []
    for each in checked:
        state = "ok" if each.ok else "FAIL"
        told = each.tells or f"{each.count:,} {each.of}"
        lines.append(f"{'' if each.tells else state:4}  {each.law:3}  {each.title}: {told}")
        lines += [f"           {_row(row)}" for row in each.rows]
        lines += ["           … and more"] if each.more else []
    judged = [each for each in checked if not each.tells]
    lines.append(
        f"{len(broken)} of {len(judged)} laws do not hold; docs/verification.md says what to do."
        if broken
        else f"All {len(judged)} laws hold."
    )
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _plain(value: object) -> object:
    """Turn what the store returns into what JSON knows."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"not known to JSON: {type(value).__name__}")
