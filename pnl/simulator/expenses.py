"""What the centre costs whoever calls: shifts, rent, systems, mail platform, training.

Sums follow the daily number of contacts, so that a large centre is not run at a small one's cost.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from pnl.simulator.floor import HOUR_MS, Shift
from pnl.simulator.tally import Tally
from pnl.simulator.timeline import DAY_MS, Timeline
from streams.facts import Cost, CostKind, Millis
from streams.topics import COSTS

_EPOCH: Final = date(1970, 1, 1)
# Kind, channel, pence per month and per daily contact, whether it is spread over the month.
_MONTHLY: Final[tuple[tuple[CostKind, str | None, int, bool], ...]] = (
    ("overhead", None, 26_000, True),
    ("technology", None, 15_000, True),
    ("facilities", None, 12_000, True),
    ("channel", "email", 900, False),
)
_QUARTERLY: Final[tuple[tuple[CostKind, int], ...]] = (
    ("training", 5_000),
    ("attrition", 9_000),
    ("leadership", 4_000),
)


class Expenses:
    """Puts costs on the timeline day by day."""

    def __init__(
        self, timeline: Timeline, tally: Tally, contacts_per_day: float, currency: str
    ) -> None:
        self.shifts_paid_ppm = 1_000_000
        self._timeline = timeline
        self._tally = tally
        self._contacts_per_day = max(contacts_per_day, 1.0)
        self._currency = currency
        self._number = 0
        self._owed_ppm = 0
        self._first = True

    def day(self, day: int, shifts: Sequence[Shift]) -> None:
        """Put a day's costs: its shifts, and on the first of a month that month's."""
        for shift in shifts:
            self._owed_ppm += self.shifts_paid_ppm
            if self._owed_ppm >= 1_000_000:
                self._owed_ppm -= 1_000_000
                self._pay(shift)
        today = _EPOCH + timedelta(days=day)
        if today.day == 1 or self._first:
            self._first = False
            self._month(today, day * DAY_MS + 9 * HOUR_MS)

    def _pay(self, shift: Shift) -> None:
        hours = (shift.end - shift.start) // HOUR_MS
        self._spend(
            Cost(
                self._id(),
                "payroll",
                shift.end,
                shift.agent.paid_per_hour_minor * hours,
                self._currency,
                agent_id=shift.agent.agent_id,
                period_start=shift.start,
                period_end=shift.end,
            )
        )

    def _month(self, today: date, at: Millis) -> None:
        start = today.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
        for kind, channel, rate, spread in _MONTHLY:
            self._spend(
                Cost(
                    self._id(),
                    kind,
                    at,
                    round(rate * self._contacts_per_day),
                    self._currency,
                    channel=channel,
                    period_start=start.isoformat() if spread else None,
                    period_end=end.isoformat() if spread else None,
                )
            )
        if today.month % 3 == 0:
            for kind, rate in _QUARTERLY:
                amount_minor = round(rate * self._contacts_per_day)
                self._spend(Cost(self._id(), kind, at, amount_minor, self._currency))

    def _id(self) -> str:
        self._number += 1
        return f"x{self._number}"

    def _spend(self, cost: Cost) -> None:
        self._timeline.put(cost.occurred_at, COSTS, cost)
        self._tally.spent(cost)
