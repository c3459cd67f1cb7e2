"""What to book when the ledger does not hold what a customer's state says was booked.

Law: what the ledger holds of what is remembered, and these entries, come to what is booked for it
in the state, entry for entry. What nothing remembered accounts for is left as it is: the fact it
is from may be forgotten. It is told, for a person to judge.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from processors.corrections import corrections
from processors.customer import Customer
from processors.rebook import Rebooking
from processors.results import Entry

_OF_LEGS: Final = frozenset({"C1", "A2a", "A2b", "A2c"})
"""Lines that, without an order, only a chain books."""


def taken_back(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the entries that undo these."""
    return tuple(corrections(entries, ()))


def missing(
    customer: Customer, held: Iterable[Entry], *, is_whole: bool
) -> tuple[list[Entry], list[Entry]]:
    """Return what to book for a customer of whom the ledger holds these entries, and what is odd.

    `held` is everything the ledger holds of the customer; `is_whole` says that nothing of it was
    ever forgotten. Odd is what stands there that neither the state accounts for nor can be told
    to be wrong.
    """
    due, standing = _net(_booked(customer)), _net(held)
    book: list[Entry] = []
    odd: list[Entry] = []
    for entry in sorted(due.keys() | standing.keys(), key=repr):
        more = due[entry] - standing[entry]
        if more == 0:
            continue
        is_surplus = standing[entry] * more < 0
        is_known = is_whole or due[entry] != 0 or _is_remembered(customer, entry)
        if is_surplus and not is_known:
            odd.append(entry)
            continue
        signed = entry if more > 0 else _negative(entry)
        book += [replace(signed, change="reversal" if is_surplus else "addition")] * abs(more)
    return book, odd


def published(customer: Customer, rebooking: Rebooking) -> bool:
    """Have everything of a customer published once more, as it is; False if more would change.

    Then the rules have changed since it was booked, and the customer is not to be used any more.
    """
    rebooking.affect_all()
    rebooking.affect_legs(customer.legs)
    rebooking.run()
    return not rebooking.entries


def _booked(customer: Customer) -> Iterator[Entry]:
    for leg in customer.legs.values():
        yield from leg.booked
    for order in customer.orders.values():
        yield from order.booked
    for cost in customer.costs.values():
        yield from cost.booked
    for period in customer.periods.values():
        yield from period.booked


def _net(entries: Iterable[Entry]) -> Counter[Entry]:
    """Return how often each entry stands once what takes another back has met it.

    An entry and its reversal are one with opposite signs, so each is counted as its positive one.
    """
    net: Counter[Entry] = Counter()
    for entry in entries:
        plain = replace(entry, change="") if entry.change else entry
        amounts = plain.amount_minor, plain.spread_minor, plain.variance_minor2
        if amounts < (0, 0, 0):
            net[_negative(plain)] -= 1
        elif amounts > (0, 0, 0):
            net[plain] += 1
    return net


def _negative(entry: Entry) -> Entry:
    return replace(
        entry,
        amount_minor=-entry.amount_minor,
        spread_minor=-entry.spread_minor,
        variance_minor2=-entry.variance_minor2,
    )


def _is_remembered(customer: Customer, entry: Entry) -> bool:
    """Say whether the state would account for an entry if it were right."""
    if entry.order_id:
        return entry.order_id in customer.orders
    return entry.line in _OF_LEGS and entry.contact_id in customer.legs
