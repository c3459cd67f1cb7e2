"""Activity straight from simulated facts: what journeys would publish, a hundred times as fast.

It is simpler than journeys: a leg is a chain, an order is its contact's or else that of the
customer's last contact within 30 days, and everybody who bought has the same risk but for the
signals of their contacts (DEF-RISK-LIVE with its fixed weights). `bench.alerts --journeys` takes
the real thing.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from processors.churn_signals import SeenContact, SignalRules, Weights, live_risk, observations
from processors.conditions import DAY_MS, MINUTE_MS
from processors.signal_records import ActivityCell
from streams.facts import Contact, Fact, Millis, Order, Resolution

BASE_RISK: Final = 0.45
HIGH: Final = 0.6
_RULES: Final = SignalRules()
_WEIGHTS: Final = Weights()
_LATEST: Final = 30


class Cells:
    """What facts change of minutes and segments; the history of customers behind it."""

    def __init__(self) -> None:
        self.measured = False
        """Whether cells are wanted with a risk; before that only the history is."""
        self._seen: defaultdict[str, list[SeenContact]] = defaultdict(list)
        self._contacts: dict[str, Contact] = {}
        self._last: dict[str, Contact] = {}
        self._credit: defaultdict[str, int] = defaultdict(int)
        self._of_order: dict[str, Contact] = {}
        self._stated: dict[str, str] = {}

    def of(self, fact: Fact) -> Iterator[ActivityCell]:
        """Yield what a fact changes."""
        if isinstance(fact, Contact):
            yield from self._contact(fact)
        elif isinstance(fact, Resolution):
            yield from self._resolution(fact)
        elif isinstance(fact, Order):
            yield from self._order(fact)

    def _contact(self, fact: Contact) -> Iterator[ActivityCell]:
        if fact.connected_at is None and not fact.abandoned:
            return  # nobody was called, on purpose
        self._contacts[fact.contact_id] = fact
        handled = fact.connected_at is not None
        sums: dict[str, Any] = {
            "chains": 1,
            "handled": int(handled),
            "abandoned": int(fact.abandoned),
            "waited": int(fact.wait_ms > 0),
            "wait_ms": fact.wait_ms,
            "handle_ms": fact.talk_ms + fact.hold_ms + fact.wrap_ms if handled else 0,
            "offers_missed": int(any(each.eligible and not each.offered for each in fact.offers)),
        }
        if fact.customer_id is not None:
            self._last[fact.customer_id] = fact
            if handled and self.measured:
                sums["in_contact"] = 1
                sums["high_risk"] = int(self.risk(fact.customer_id, fact.ended_at) >= HIGH)
            seen = SeenContact(
                contact_id=fact.contact_id,
                ended_at=fact.ended_at,
                case_id=fact.case_id or "",
                abandoned=fact.abandoned,
                wait_ms=fact.wait_ms,
                reason=fact.reason or "",
            )
            self._seen[fact.customer_id] = [*self._seen[fact.customer_id][-_LATEST:], seen]
        yield _cell(fact, fact.ended_at, **sums)

    def risk(self, customer_id: str, at: Millis) -> float:
        """Return the risk of a customer, by the signals of the contacts before."""
        found = observations(self._seen[customer_id], (), at, _RULES)
        risk = live_risk(BASE_RISK, found, at, _RULES, _WEIGHTS)
        assert risk is not None
        return risk.risk

    def _resolution(self, fact: Resolution) -> Iterator[ActivityCell]:
        contact = self._contacts.get(fact.contact_id or "")
        if contact is None:
            return
        outcome = "resolved" if fact.outcome == "resolved" else "unresolved"
        sums = {outcome: 1, "reopened": int(fact.outcome == "reopened")}
        before = self._stated.get(contact.contact_id)
        if before is not None:
            sums[before] = sums.get(before, 0) - 1
        self._stated[contact.contact_id] = outcome
        if fact.csat is not None:
            sums["csat_good"], sums["csat_bad"] = int(fact.csat >= 4), int(fact.csat <= 2)
        if contact.customer_id is not None:
            self._seen[contact.customer_id] = [
                judged(each, outcome, fact.csat) if each.contact_id == contact.contact_id else each
                for each in self._seen[contact.customer_id]
            ]
        yield _cell(contact, contact.ended_at, **sums)

    def _order(self, fact: Order) -> Iterator[ActivityCell]:
        amount = sum(line.amount_minor for line in fact.lines)
        if fact.kind == "sale":
            contact = self._contacts.get(fact.contact_id or "")
            if contact is None and fact.customer_id is not None:
                last = self._last.get(fact.customer_id)
                if last is not None and fact.occurred_at - last.ended_at <= 30 * DAY_MS:
                    contact = last
            if contact is not None:
                self._of_order[fact.order_id] = contact
        else:
            amount = -amount
            contact = self._of_order.get(fact.refund_of or "")
        if fact.kind == "adjustment":
            return
        refund = min(amount, 0)
        if contact is None:
            yield ActivityCell(
                minute=_minute(fact.occurred_at),
                currency=fact.currency,
                net_minor=amount,
                unattributed_minor=amount,
            )
            return
        before = self._credit[contact.contact_id]
        after = self._credit[contact.contact_id] = before + amount
        yield _cell(
            contact,
            contact.ended_at,
            credit_minor=amount,
            credit_minor2=str(after * after - before * before),
        )
        yield _cell(
            contact, fact.occurred_at, booked_minor=amount, net_minor=amount, refund_minor=refund
        )


def judged(seen: SeenContact, outcome: str, csat: int | None) -> SeenContact:
    """Return a contact with what became of it."""
    return msgspec.structs.replace(
        seen, outcome=outcome, csat=csat if csat is not None else seen.csat
    )


def merged(cells: list[ActivityCell]) -> tuple[ActivityCell, ...]:
    """Return cells of the same minute and segment as one."""
    sums: dict[tuple[object, ...], dict[str, Any]] = {}
    for cell in cells:
        key = (cell.minute, cell.queue, cell.channel, cell.team, cell.currency)
        values = msgspec.structs.asdict(cell)
        if key not in sums:
            sums[key] = values
            continue
        held = sums[key]
        for name, value in values.items():
            if name == "credit_minor2":
                held[name] = str(int(held[name]) + int(value))
            elif isinstance(value, int) and name != "minute":
                held[name] += value
    return tuple(ActivityCell(**values) for values in sums.values())


def _cell(contact: Contact, at: Millis, **sums: Any) -> ActivityCell:  # noqa: ANN401
    return ActivityCell(
        minute=_minute(at),
        queue=contact.queue,
        channel=contact.channel,
        team=contact.team or "",
        currency="GBP",
        **sums,
    )


def _minute(at: Millis) -> Millis:
    return at - at % MINUTE_MS
