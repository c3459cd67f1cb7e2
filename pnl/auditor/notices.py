"""The notices on `pnl.audit.v1`: what the auditor raised, what people did about it.

Law: the sink is halted from the first halting alarm until somebody resumes it with a reason. The
topic is the only place that says so, so it holds for every sink on every machine, and after every
restart. Notices are few and kept for ever, so a reader begins at the first.
"""

from datetime import timedelta
from typing import Final, Literal

import msgspec

from pnl.auditor.findings import HALTING, Found
from processors.results import Amendment
from streams.clock import Deadline
from streams.facts import Millis
from streams.log import EventLog, Outgoing
from streams.topics import AUDIT

PARTITION: Final = 0
LOOK_EVERY: Final = timedelta(seconds=1)
_READ: Final = 500
_NOW: Final = timedelta()
_encode: Final = msgspec.json.Encoder().encode


class AuditRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """`pnl.audit.v1`: an alarm of the auditor, or what a person did about it.

    An alarm names the law that does not hold, its subject (the coordinates to look at) and what
    was found; with `halts` the sink stores nothing more until a `resume`. A `repair` names the
    batch that it wrote in a partition, what that amends and voids, and the offsets of dead letters
    that are second ones. `reason` is the person's.
    """

    kind: Literal["alarm", "repair", "resume"]
    at: Millis
    law: str = ""
    subject: str = ""
    detail: str = ""
    halts: bool = False
    batch_id: str = ""
    partition: int = 0
    amends: tuple[Amendment, ...] = ()
    voids: tuple[int, ...] = ()
    void_letters: tuple[int, ...] = ()
    reason: str = ""


_decode: Final = msgspec.json.Decoder(AuditRecord).decode


class Notices:
    """What the topic says; used by one thread."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._next = 0
        self._look_at = Deadline(_NOW)
        self.alarms: list[AuditRecord] = []
        self.repairs = 0
        self.halt: AuditRecord | None = None
        self._raised: set[tuple[str, str]] = set()
        self._amended: dict[str, Amendment] = {}
        self._void: set[tuple[int, int]] = set()
        self._void_letters: set[tuple[int, int]] = set()

    def refresh(self) -> None:
        """Read what is new."""
        while records := self._log.read(AUDIT, PARTITION, self._next, _READ):
            for record in records:
                if record.value is not None:
                    self._take(_decode(record.value))
                self._next = record.offset + 1
            if len(records) < _READ:
                break

    def halted(self) -> str | None:
        """Say why the sink is to store nothing; None when it may. Looks once a second at most."""
        if not self._look_at.seconds_left():
            self.refresh()
            self._look_at = Deadline(LOOK_EVERY)
        if self.halt is None:
            return None
        return f"halted by the auditor: {self.halt.law}: {self.halt.subject}: {self.halt.detail}"

    def was_raised(self, found: Found) -> bool:
        """Say whether there has been an alarm of this law and subject."""
        return (found.law, found.subject) in self._raised

    def amended(self, batch_id: str) -> Amendment | None:
        """Return what repairs found of a batch beyond its record."""
        return self._amended.get(batch_id)

    def is_void(self, partition: int, offset: int) -> bool:
        """Say whether a repair found that a batch record never happened."""
        return (partition, offset) in self._void

    def is_void_letter(self, partition: int, offset: int) -> bool:
        """Say whether a repair found that a dead letter is a second one."""
        return (partition, offset) in self._void_letters

    def _take(self, notice: AuditRecord) -> None:
        if notice.kind == "alarm":
            self.alarms.append(notice)
            self._raised.add((notice.law, notice.subject))
            if notice.halts and self.halt is None:
                self.halt = notice
        elif notice.kind == "resume":
            self.halt = None
        else:
            self.repairs += 1
            self._void.update((notice.partition, offset) for offset in notice.voids)
            self._void_letters.update((notice.partition, at) for at in notice.void_letters)
            for amendment in notice.amends:
                known = self._amended.get(amendment.batch_id)
                self._amended[amendment.batch_id] = (
                    amendment
                    if known is None
                    else Amendment(
                        batch_id=amendment.batch_id,
                        rows=known.rows + amendment.rows,
                        sum_minor=known.sum_minor + amendment.sum_minor,
                    )
                )


def notice(record: AuditRecord) -> Outgoing:
    """Return a notice as a record of the topic."""
    return Outgoing(None, _encode(record))


def raise_alarms(log: EventLog, found: list[Found], now: Millis, *, halting: bool) -> None:
    """Write alarms; with `halting` those about money halt the sink."""
    log.append(
        AUDIT,
        [
            notice(
                AuditRecord(
                    kind="alarm",
                    at=now,
                    law=each.law,
                    subject=each.subject,
                    detail=each.detail,
                    halts=halting and each.law in HALTING,
                )
            )
            for each in found
        ],
    )


def resume(log: EventLog, reason: str, now: Millis) -> str | None:
    """Let the sink go on, for a reason that is kept; return what had halted it, None if nothing."""
    notices = Notices(log)
    why = notices.halted()
    if why is not None:
        log.append(AUDIT, [notice(AuditRecord(kind="resume", at=now, reason=reason))])
    return why
