"""Drives the real journeys over a list of facts and sums what they put out.

The only place in the tests of money that knows how a journey is called.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from processors.customer import Customer
from processors.journeys import Journeys
from processors.laws import breaches
from processors.policy import Policies
from processors.results import (
    AttributionRecord,
    ContactRecord,
    CostRecord,
    Entry,
    OrderRecord,
    PeriodRecord,
)
from processors.state_codec import decode_customer, encode_item, item_key, prefix_of
from streams.facts import Fact
from tests.oracle.books import Account, Books, ChainBook, OrderBook

ACCOUNT_FIELDS = tuple(name for name in Account._fields if name != "key")


@dataclass
class Driven:
    """What a history came to: its books, and what every fact put out on the way.

    `steps` has the entries of each fact; the records are the last of each thing.
    """

    books: Books = field(default_factory=Books)
    dispositions: list[str] = field(default_factory=list)
    steps: list[tuple[Entry, ...]] = field(default_factory=list)
    attributions: dict[tuple[str, str], AttributionRecord] = field(default_factory=dict)
    contacts: dict[tuple[str, str], ContactRecord] = field(default_factory=dict)
    orders: dict[tuple[str, str], OrderRecord] = field(default_factory=dict)
    costs: dict[tuple[str, str], CostRecord] = field(default_factory=dict)
    periods: dict[tuple[str, str], PeriodRecord] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)


def run(facts: Iterable[tuple[str, Fact]], rules: Policies, *, restored: bool = False) -> Driven:
    """Apply facts one after the other, in the order given, and sum up.

    `restored`: after every fact each customer is put away as state and read back.
    """
    journeys, driven, rows = Journeys(rules), Driven(), dict[bytes, bytes]()
    for key, fact in facts:
        customer = driven.customers.setdefault(key, Customer(key))
        applied = journeys.apply(customer, fact)
        assert breaches(applied) == []
        driven.dispositions.append(applied.disposition)
        driven.steps.append(applied.entries)
        for entry in applied.entries:
            driven.books.book(account_of(key, entry), entry.amount_minor, days_of(entry))
            driven.books.variance[account_of(key, entry)] += entry.variance_minor2
        for attribution in applied.attributions:
            keep(driven.attributions, (key, attribution.order_id), attribution)
        for contact in applied.contacts:
            keep(driven.contacts, (key, contact.contact_id), contact)
        for order in applied.orders:
            keep(driven.orders, (key, order.order_id), order)
        for cost in applied.costs:
            keep(driven.costs, (key, cost.event_id), cost)
        for period in applied.periods:
            keep(driven.periods, (key, period.event_id), period)
        if restored:
            driven.customers[key] = put_away_and_read_back(customer, rows)
    driven.books.orders = {
        place: order_book(record)
        for place, record in driven.attributions.items()
        if not record.withdrawn
    }
    driven.books.chains = {
        place: chain_book(record)
        for place, record in driven.contacts.items()
        if not record.withdrawn
    }
    driven.books = driven.books.closed()
    return driven


def put_away_and_read_back(customer: Customer, rows: dict[bytes, bytes]) -> Customer:
    """Write what changed of a customer into rows of state, and build it anew from them."""
    for changed in sorted(customer.changed):
        item = customer.item(changed)
        if item is None:
            rows.pop(item_key(customer.key, changed), None)
        else:
            rows[item_key(customer.key, changed)] = encode_item(item)
    prefix = prefix_of(customer.key)
    return decode_customer(
        customer.key, [row for row in sorted(rows.items()) if row[0].startswith(prefix)]
    )


def keep(records: dict, place: tuple[str, str], record: object) -> None:  # type: ignore[type-arg]
    """Put a record in the place of its predecessor, which it must follow."""
    was = records.get(place)
    assert was is None or number_of(record) > number_of(was), (was, record)
    records[place] = record


def number_of(record: object) -> int:
    """Return the number that says which of two records is the later one."""
    if isinstance(record, AttributionRecord | PeriodRecord):
        return record.revision
    assert isinstance(record, ContactRecord | OrderRecord | CostRecord)
    return record.version


def account_of(key: str, entry: Entry) -> Account:
    """Return where an entry stands."""
    return Account(key, **{name: getattr(entry, name) for name in ACCOUNT_FIELDS})


def days_of(entry: Entry) -> dict[int, int] | None:
    """Return what each day of a spread entry earns, as its docstring says; None if not spread."""
    if entry.term_start is None or entry.term_end is None:
        assert entry.term_start is entry.term_end is entry.cut is None
        return None
    n = entry.term_end - entry.term_start
    size = abs(entry.spread_minor)
    signed = 1 if entry.spread_minor >= 0 else -1
    earned = [signed * (size * k // n) for k in range(n + 1)]
    first = entry.term_start if entry.cut is None else max(entry.cut, entry.term_start)
    days = {
        day: earned[day - entry.term_start + 1] - earned[day - entry.term_start]
        for day in range(first, entry.term_end)
    }
    assert sum(days.values()) == entry.amount_minor, entry
    return days


def order_book(record: AttributionRecord) -> OrderBook:
    """Reduce an attribution record to what can be compared."""
    credits_of: dict[tuple[str | None, str], int] = {}
    for credit in record.credits:
        if credit.credit_minor:
            place = (credit.contact_id, credit.product_class)
            assert place not in credits_of
            credits_of[place] = credit.credit_minor
    return OrderBook(
        currency=record.currency,
        gross=record.gross_minor,
        net=record.net_minor,
        unattributed=record.unattributed_minor,
        credits=credits_of,
    )


def chain_book(record: ContactRecord) -> ChainBook:
    """Reduce a contact record to what can be compared."""
    return ChainBook(
        handled=record.handled,
        abandoned=record.abandoned,
        cost=record.cost_minor,
        fee=record.fee_minor,
        case_id=record.case_id,
        opinions=(record.csat, record.nps, record.ces),
        resolved_at=record.resolved_at,
        resolutions=record.resolutions,
        reopened=record.reopened,
        escalated=record.escalated,
        offers=record.offers,
        legs=tuple(part.contact_id for part in record.parts) or (record.contact_id,),
        experiment=(record.experiment_id, record.experiment_arm),
        queue=record.queue,
        agent_id=record.agent_id,
        channel=record.channel,
        credits={
            credit.currency: credit.amount_minor for credit in record.credits if credit.amount_minor
        },
    )
