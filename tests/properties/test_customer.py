"""A customer: booked is due, put away and read back is the same, forgetting changes nothing."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from processors.customer import Customer
from processors.journeys import Applied, Journeys
from processors.laws import breaches, standing_breaches
from processors.policy import DAY_MS, Policy
from processors.rebook import Rebooking
from processors.state_codec import decode_customer, encode_item, item_key, prefix_of
from streams.facts import Contact, Fact
from tests.properties.histories import histories, policies


class General(Journeys):
    """Journeys that know no short way."""

    def _plain_contact(self, customer: Customer, leg: Contact) -> Applied:
        rebooking = Rebooking(customer, self.policies)
        self._enter(customer, leg, rebooking, 0, late=False)
        rebooking.run()
        return Applied("applied", tuple(rebooking.entries), (), tuple(rebooking.contacts), ())


def put_away(customer: Customer, state: dict[bytes, bytes]) -> Customer:
    """Write what changed to a state, and read the customer back from it."""
    for key in customer.changed:
        item = customer.item(key)
        if item is None:
            state.pop(item_key(customer.key, key), None)
        else:
            state[item_key(customer.key, key)] = encode_item(item)
    prefix = prefix_of(customer.key)
    rows = [(key, state[key]) for key in sorted(state) if key.startswith(prefix)]
    return decode_customer(customer.key, rows)


@given(histories(), policies())
def test_what_is_booked_is_what_is_due(history: list[tuple[str, Fact]], policy: Policy) -> None:
    """After every fact no law is broken, and working everything out again books nothing."""
    journeys, customers = Journeys(policy), dict[str, Customer]()
    for key, fact in history:
        customer = customers.setdefault(key, Customer(key))
        assert breaches(journeys.apply(customer, fact)) == []
        assert standing_breaches(customer, policy) == []


@given(histories(), policies(), st.integers(10, 30))
def test_forgetting_changes_nothing(
    history: list[tuple[str, Fact]], policy: Policy, horizon_days: int
) -> None:
    """With a horizon shorter than the history, what is booked for the remembered stands."""
    policy = replace(policy, horizon_ms=horizon_days * DAY_MS // 2)
    journeys, customers = Journeys(policy), dict[str, Customer]()
    for key, fact in history:
        customer = customers.setdefault(key, Customer(key))
        assert breaches(journeys.apply(customer, fact)) == []
        assert standing_breaches(customer, policy) == []


@given(histories(), policies(), st.sampled_from([400, 12, 8]), st.integers(0, 2**20))
def test_a_customer_read_back_is_the_one_put_away(
    history: list[tuple[str, Fact]], policy: Policy, horizon_days: int, puts: int
) -> None:
    """Whenever customers leave memory between two facts, every later fact gives the same."""
    policy = replace(policy, horizon_ms=horizon_days * DAY_MS)
    journeys = Journeys(policy)
    hot, cold = dict[str, Customer](), dict[str, Customer]()
    state: dict[bytes, bytes] = {}
    for place, (key, fact) in enumerate(history):
        stayed = hot.setdefault(key, Customer(key))
        returned = cold.setdefault(key, Customer(key))
        if puts >> place & 1:
            returned = cold[key] = put_away(returned, state)
        assert journeys.apply(returned, fact) == journeys.apply(stayed, fact)


@given(histories(), policies())
def test_the_short_way_is_the_general_way(history: list[tuple[str, Fact]], policy: Policy) -> None:
    """A plain contact gives the same by the short way, and so does every fact after it."""
    short, general = Journeys(policy), General(policy)
    ways = dict[str, Customer](), dict[str, Customer]()
    for key, fact in history:
        left = short.apply(ways[0].setdefault(key, Customer(key)), fact)
        right = general.apply(ways[1].setdefault(key, Customer(key)), fact)
        assert left == right
