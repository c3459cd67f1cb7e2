"""A few weeks of trade, the same for every test: contacts, sales, refunds, some dead letters."""

from collections.abc import Iterator

from streams.facts import Fact
from tests.support.facts import at, contact, cost, order, refund

CUSTOMERS = 5


def trade(days: int, first: int = 0) -> Iterator[Fact]:
    """Yield some facts a day from a day on, one customer a day, in turn."""
    for day in range(first, first + days):
        customer = f"k{day % CUSTOMERS}"
        yield contact(f"c{day}", at(day), customer_id=customer, queue=f"q{day % 3}")
        yield order(f"o{day}", at(day + 0.1), 1_000 + day, customer_id=customer)
        if day % 5 == 0:  # nobody knows this kind: a dead letter
            yield cost(f"e{day}", "bribe", at(day + 0.2), 7, customer_id=customer)
        if day % 4 == 0:
            yield refund(f"r{day}", f"o{day}", at(day + 0.3), 100, customer_id=customer)


def net_minor(days: int, first: int = 0) -> int:
    """Return the net revenue of that trade."""
    run = range(first, first + days)
    return sum(1_000 + day - (100 if day % 4 == 0 else 0) for day in run)
