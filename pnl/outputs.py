"""What an open batch of journeys puts out, encoded.

Law: a record is encoded once, and stands after those that earlier facts caused.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from processors.activity import Cells
from processors.following import Followed
from processors.journeys import Applied
from processors.results import Cause, LedgerRecord
from processors.signal_records import ActivityRecord
from streams.facts import (
    Contact,
    Cost,
    Fact,
    Millis,
    Order,
    Period,
    Resolution,
    identity_of,
)
from streams.log import Outgoing, Record
from streams.topics import (
    ACTIVITY,
    ATTRIBUTIONS,
    CHURN,
    CONTACT_FACTS,
    COST_FACTS,
    LEDGER,
    ORDER_FACTS,
    PERIOD_FACTS,
)

encode: Final = msgspec.json.Encoder().encode

CELLS_MAX: Final = 2_000
"""So many cells are in a record of activity at most: half a megabyte."""

KIND_OF: Final[dict[type[Fact], Literal["contact", "resolution", "order", "cost", "period"]]] = {
    Contact: "contact",
    Resolution: "resolution",
    Order: "order",
    Cost: "cost",
    Period: "period",
}


class Outputs:
    """The records of one partition number's batch; the entries among them: how many, their sum.

    `reversals` counts those that take others back, by line.
    """

    __slots__ = (
        "_attributions",
        "_batch_id",
        "_cells",
        "_churn",
        "_contacts",
        "_costs",
        "_ledger",
        "_orders",
        "_periods",
        "_policy",
        "reversals",
        "rows",
        "sum_minor",
    )

    def __init__(self, batch_id: str, policy: str) -> None:
        self._batch_id = batch_id
        self._policy = policy
        self._ledger: list[Outgoing] = []
        self._attributions: list[Outgoing] = []
        self._contacts: list[Outgoing] = []
        self._orders: list[Outgoing] = []
        self._costs: list[Outgoing] = []
        self._periods: list[Outgoing] = []
        self._churn: list[Outgoing] = []
        self._cells = Cells()
        self.reversals: Counter[str] = Counter()
        self.rows = 0
        self.sum_minor = 0

    def add(self, record: Record, fact: Fact, applied: Applied) -> None:
        """Add what a record's fact gave."""
        topic, partition, offset, logged_at, customer = record[:5]
        assert customer is not None
        entries = applied.entries
        if entries:
            kind = KIND_OF[type(fact)]
            cause = Cause(kind, identity_of(fact), fact.revision, topic, partition, offset)
            ledger = LedgerRecord(
                customer.decode(), logged_at, cause, self._batch_id, self._policy, entries
            )
            self._ledger.append(Outgoing(customer, encode(ledger)))
            self.rows += len(entries)
            for entry in entries:
                self.sum_minor += entry.amount_minor
                if entry.change == "reversal":
                    self.reversals[entry.line] += 1
        # The latest state of a thing lies under its identity and its customer.
        for attribution in applied.attributions:
            key = b"%b\0%b" % (attribution.order_id.encode(), customer)
            self._attributions.append(Outgoing(key, encode(attribution)))
        for contact in applied.contacts:
            key = b"%b\0%b" % (contact.contact_id.encode(), customer)
            self._contacts.append(Outgoing(key, encode(contact)))
        for order in applied.orders:
            key = b"%b\0%b" % (order.order_id.encode(), customer)
            self._orders.append(Outgoing(key, encode(order)))
        for cost in applied.costs:
            key = b"%b\0%b" % (cost.event_id.encode(), customer)
            self._costs.append(Outgoing(key, encode(cost)))
        for period in applied.periods:
            key = b"%b\0%b" % (period.event_id.encode(), customer)
            self._periods.append(Outgoing(key, encode(period)))

    def follow(self, customer: bytes, applied: Applied, followed: Followed) -> None:
        """Add what follows a fact beside the books."""
        if followed.recounted:
            self._cells.move(followed.recounted)
        if applied.entries:
            self._cells.book(applied.entries)
        if followed.churn is not None:
            self._churn.append(Outgoing(customer, encode(followed.churn)))

    def activity(
        self, partition: int, logged_at_max: Millis, stream_time: Millis | None
    ) -> list[tuple[str, Sequence[Outgoing]]]:
        """Return the activity of the batch: a record, or several where it has many cells."""
        cells = self._cells.cells()
        epoch, _, _ = self._batch_id.partition("-")
        key = str(partition).encode()
        told = [
            ActivityRecord(
                int(epoch) if epoch.isdigit() else 0,
                partition,
                self._batch_id,
                logged_at_max,
                stream_time,
                cells[start : start + CELLS_MAX],
            )
            for start in range(0, len(cells), CELLS_MAX)
        ]
        return [(ACTIVITY, [Outgoing(key, encode(each)) for each in told])] if told else []

    def by_topic(self) -> list[tuple[str, Sequence[Outgoing]]]:
        """Return the records by topic."""
        found = (
            (LEDGER, self._ledger),
            (ATTRIBUTIONS, self._attributions),
            (CONTACT_FACTS, self._contacts),
            (ORDER_FACTS, self._orders),
            (COST_FACTS, self._costs),
            (PERIOD_FACTS, self._periods),
            (CHURN, self._churn),
        )
        return [(topic, outgoing) for topic, outgoing in found if outgoing]
