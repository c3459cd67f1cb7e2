"""The invariants of domain.md section 6, each a function from results to what breaks it.

The laws on what one fact gave are cheap and are checked in production after every fact: a breach
is a bug, and stopping is better than being wrong. The law on a whole customer is for tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from processors.customer import Customer
from processors.journeys import Applied
from processors.policy import Policies
from processors.rebook import Rebooking
from processors.statement import LINE_NAMES


@dataclass(frozen=True, slots=True)
class Breach:
    """A law that does not hold, of what, and by how much."""

    law: str
    subject: str
    detail: str


_LINE_NAMES: Final = frozenset(LINE_NAMES)

Law: TypeAlias = Callable[[Applied], list[Breach]]


def credits_and_unattributed_are_net(applied: Applied) -> list[Breach]:
    """I1: per order, credits + unattributed = net revenue, exactly."""
    found = []
    for record in applied.attributions:
        total = record.unattributed_minor
        for credit in record.credits:
            total += credit.credit_minor
        if total != record.net_minor:
            found.append(
                Breach(
                    "I1", record.order_id, f"credits + unattributed {total} != {record.net_minor}"
                )
            )
    return found


def order_entries_sum_to_zero(applied: Applied) -> list[Breach]:
    """I1, I3: what an order's lines hold is what its control line `net` holds, reversed."""
    sums: dict[tuple[str, str], int] = {}
    for entry in applied.entries:
        if entry.order_id and entry.line != "B":
            key = (entry.order_id, entry.currency)
            sums[key] = sums.get(key, 0) + entry.amount_minor
    if not any(sums.values()):
        return []
    return [
        Breach("I3", order_id, f"entries sum to {total} {currency}, not to zero")
        for (order_id, currency), total in sums.items()
        if total != 0
    ]


def lines_are_known(applied: Applied) -> list[Breach]:
    """I7, I8: every entry stands on exactly one line of the chart, or on a control line."""
    known = _LINE_NAMES
    return [
        Breach("I8", entry.order_id or entry.contact_id, f"no line {entry.line}")
        for entry in applied.entries
        if (entry.line in known) == (entry.basis == "control")
    ]


LAWS: Final[tuple[Law, ...]] = (
    credits_and_unattributed_are_net,
    order_entries_sum_to_zero,
    lines_are_known,
)


def breaches(applied: Applied) -> list[Breach]:
    """Return every breach in what one fact gave; empty unless there is a bug."""
    if not applied.orders:  # then no entry is an order's
        return lines_are_known(applied)
    return [breach for law in LAWS for breach in law(applied)]


def standing_breaches(customer: Customer, rules: Policies) -> list[Breach]:
    """I4: what is booked for a customer is what is due from the facts remembered.

    Works everything out again, so it costs as much as the whole journey: for tests. It changes
    the versions of the customer's records, never what is booked.
    """
    rebooking = Rebooking(customer, rules)
    rebooking.affect_all()
    rebooking.run()
    return [
        Breach("I4", entry.order_id or entry.contact_id, f"{entry.line} {entry.amount_minor}")
        for entry in rebooking.entries
    ]
