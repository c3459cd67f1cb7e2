"""What other rules would have booked for a customer, and what has to be written so that they did.

Law: afterwards what is booked for the customer is what is due under the new rules from the facts
remembered, and what was published of it is what these rules publish; what they leave as it is,
is not touched. So doing it twice does nothing the second time.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from processors.customer import Customer
from processors.policy import PolicyBook
from processors.rebook import Rebooking
from processors.results import AttributionRecord, ContactRecord, CostRecord, Entry, OrderRecord

Names = set[str]
_NOTHING: Final = Rebooking(Customer(""), PolicyBook())


def differences(customer: Customer, after: PolicyBook) -> list[Entry]:
    """Return the entries that turn what is booked into what is due. The customer is used up."""
    return _all_of(customer, after).entries


def restated(
    fresh: Callable[[], Customer], before: PolicyBook | None, after: PolicyBook
) -> Rebooking | None:
    """Return a customer rebooked by the rules `after`, with what is to be written; None: nothing.

    `fresh` gives the customer as it lies in the state, a new one each time. `before` are the rules
    it was booked by, as far as that is known: they tell which published records change.
    """
    new = _all_of(fresh(), after)
    was = fresh()
    old = _NOTHING if before is None else _all_of(fresh(), before)
    orders = _rebooked(_booked_orders(was), _booked_orders(new.customer))
    chains = _rebooked(_booked_chains(was), _booked_chains(new.customer))
    costs = _rebooked(_booked_costs(was), _booked_costs(new.customer))
    orders |= _published(old.attributions, new.attributions, before)
    orders |= _published(old.orders, new.orders, before)
    contacts = _published(old.contacts, new.contacts, before)
    told = _published(old.costs, new.costs, before)
    told |= {name for name, item in was.costs.items() if item.version == 0}  # by a former program
    if not (orders or chains or costs or contacts or told):
        return None
    rebooking = Rebooking(was, after)
    rebooking.affect_orders(orders)
    rebooking.affect_chains(chains)
    rebooking.affect_legs(contacts)
    for event_id in costs:
        rebooking.affect_cost(event_id)
    for event_id in told:
        rebooking.publish_cost(event_id)
    rebooking.run()
    return rebooking


def is_forgotten_since(customer: Customer, since: int, after: PolicyBook) -> bool:
    """Say whether facts of dates since then may be remembered no more, or what they depend on."""
    if customer.watermark is None:
        return False
    return since < customer.watermark - after.horizon_ms + after.lookback_ms_max


def _all_of(customer: Customer, rules: PolicyBook) -> Rebooking:
    """Rebook all there is of a customer."""
    rebooking = Rebooking(customer, rules)
    rebooking.affect_all()
    rebooking.affect_legs(customer.legs)
    rebooking.run()
    return rebooking


def _booked_orders(customer: Customer) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    return ((name, item.booked) for name, item in customer.orders.items())


def _booked_chains(customer: Customer) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    return ((name, item.booked) for name, item in customer.legs.items())


def _booked_costs(customer: Customer) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    return ((name, item.booked) for name, item in customer.costs.items())


def _rebooked(
    was: Iterable[tuple[str, tuple[Entry, ...]]], now: Iterable[tuple[str, tuple[Entry, ...]]]
) -> Names:
    """Return the names under which something else is booked."""
    before = dict(was)
    return {name for name, booked in now if booked != before[name]}


Published = AttributionRecord | ContactRecord | OrderRecord | CostRecord


def _published(
    was: Iterable[Published], now: Iterable[Published], before: PolicyBook | None
) -> Names:
    """Return the names of the records that say something else; none if nobody knows what was."""
    if before is None:
        return set()
    former = {_name_of(record): _content_of(record) for record in was}
    return {_name_of(each) for each in now if former.get(_name_of(each)) != _content_of(each)}


def _name_of(record: Published) -> str:
    if isinstance(record, ContactRecord):
        return record.contact_id
    return record.event_id if isinstance(record, CostRecord) else record.order_id


def _content_of(record: Published) -> Published:
    """Return a record without what depends on how often it was published."""
    if isinstance(record, AttributionRecord):
        return replace(record, changed=())
    return record
