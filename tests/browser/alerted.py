"""Alerts for the page, and who takes the answers to them the way signals do."""

import threading
from typing import Final

import msgspec

from pnl.alert_answers import Asked, answer_alert
from pnl.reports.queries import Reports
from processors.alert_rules import DEFAULTS
from processors.alerts import AlertMemory, Remembered, act
from processors.signal_records import AlertAction
from sinks.store import Store
from streams.clock import ManualClock
from streams.memory_log import MemoryLog
from streams.topics import ALERT_ACTIONS
from tests.browser.centre import DAYS, HOSTILE_QUEUE, MORNING
from tests.support import alerts as made
from tests.support.facts import DAY
from tests.support.stored import copy

NOW: Final = MORNING + DAYS * DAY
HOUR: Final = 3_600_000
OPEN: Final = "aaaa000000000001"
HOSTILE: Final = "ffff000000000006"


class Alerted:
    """A log with alerts in it, copied into the store; answers to them become revisions."""

    def __init__(self, log: MemoryLog, store: Store) -> None:
        self._log, self._store = log, store
        self._lock = threading.Lock()
        at = {"raised_at": NOW - HOUR, "logged_at": NOW - HOUR + 1_000}
        first = made.alert(
            OPEN,
            subject="w-001",
            headline="The risk of losing w-001 rose to 72 %",
            contacts=("k-plain",),
            **at,
        )
        hostile = made.of_a_segment(
            HOSTILE, subject=f"queue={HOSTILE_QUEUE}", headline=f"{HOSTILE_QUEUE} waits", **at
        )
        self._alerts = {each.alert_id: each for each in (first, made.of_a_segment(**at), hostile)}
        made.tell(log, *self._alerts.values())
        over = made.alert("cccc000000000003", subject="w-003", severity="info", **at)
        made.tell(log, over, msgspec.structs.replace(over, revision=2, state="cleared"))
        fading = {"rule": "fading", "kind": "fading", "severity": "info", "routes": ()}
        made.tell(log, made.alert("dddd000000000004", headline="w-004 fades", **fading, **at))
        made.deliver(log, last_at=NOW - HOUR + 5_000)
        waits = [30_000 + hour * 7_919 % 20_000 for hour in range(40)]
        made.hours(log, NOW // HOUR * HOUR, [*waits, None, 60_000, 140_000, 187_000])
        copy(log, store)

    def answered(self, reports: Reports, clock: ManualClock, asked: Asked) -> str:
        """Take an answer, and tell what becomes of the alert."""
        with self._lock:
            said = answer_alert(reports, self._log, asked, clock.now_ms())
            alert = self._alerts[asked.alert_id]
            known = Remembered(alert.rule, alert.subject_kind, alert.subject, alert=alert)
            for action in self._actions(asked.alert_id)[-1:]:
                told, _ = act(DEFAULTS, action, AlertMemory((known,)), clock.now_ms())
                made.tell(self._log, *told)
                self._alerts |= {each.alert_id: each for each in told}
            copy(self._log, self._store)
        return said

    def _actions(self, alert_id: str) -> list[AlertAction]:
        return [
            action
            for partition in range(self._log.partitions)
            for record in self._log.read(ALERT_ACTIONS, partition, 0, 500)
            if (action := msgspec.json.decode(record.value or b"", type=AlertAction)).alert_id
            == alert_id
        ]
