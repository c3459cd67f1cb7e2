"""Books made by some rules and restated by others are the books that the others had made."""

from random import Random

from hypothesis import given, settings

from processors.customer import Customer
from processors.laws import standing_breaches
from processors.policy import PolicyBook
from processors.restating import differences, restated
from processors.state_codec import decode_customer, encode_item, item_key, prefix_of
from tests.oracle import settle
from tests.oracle.books import Books
from tests.properties.histories import History, histories, history_by
from tests.properties.rulebooks import dated_by, rulebooks
from tests.spec.scenario import assert_equal
from tests.support.drive import (
    Driven,
    account_of,
    chain_book,
    days_of,
    keep,
    order_book,
    run,
)

SEEDS = 3 * settings.default.max_examples


def again(customer: Customer) -> Customer:
    """Return a customer read back from its items."""
    rows = [
        (item_key(customer.key, (kind, name)), encode_item(item))
        for kind, items in (
            ("c", customer.legs),
            ("o", customer.orders),
            ("r", customer.resolutions),
            ("x", customer.costs),
            ("p", customer.periods),
        )
        for name, item in items.items()  # type: ignore[attr-defined]
    ]
    assert all(key.startswith(prefix_of(customer.key)) for key, _ in rows)
    return decode_customer(customer.key, sorted(rows))


def restate(driven: Driven, before: PolicyBook | None, after: PolicyBook) -> Books:
    """Restate every customer of a driven history; return the books it then has."""
    since = before.differs_from(after) if before is not None else None
    books = Books()
    books.balance.update(driven.books.balance)
    books.daily.update(driven.books.daily)
    books.variance.update(driven.books.variance)
    for key, customer in driven.customers.items():
        shown = differences(again(customer), after)
        done = restated(lambda customer=customer: again(customer), before, after)  # type: ignore[misc]
        if done is None:
            assert shown == []
            continue
        assert sorted(shown, key=repr) == sorted(done.entries, key=repr)
        driven.customers[key] = done.customer
        for entry in done.entries:
            assert since is None or entry.effective_at >= since
            books.book(account_of(key, entry), entry.amount_minor, days_of(entry))
        for attribution in done.attributions:
            keep(driven.attributions, (key, attribution.order_id), attribution)
        for contact in done.contacts:
            keep(driven.contacts, (key, contact.contact_id), contact)
    books.orders = {
        place: order_book(each) for place, each in driven.attributions.items() if not each.withdrawn
    }
    books.chains = {
        place: chain_book(each) for place, each in driven.contacts.items() if not each.withdrawn
    }
    return books.closed()


def holds(history: History, before: PolicyBook, after: PolicyBook) -> None:
    """Book a history by some rules, restate it by others, hold it against the oracle of these."""
    driven = run(history, before)
    assert_equal(restate(driven, before, after), settle(history, after), "restated")
    fresh = run(history, after)
    for place, contact in driven.contacts.items():
        if not contact.withdrawn:
            assert contact.matures_at == fresh.contacts[place].matures_at
    for place, vector in driven.attributions.items():
        assert vector.path == fresh.attributions[place].path
        assert vector.classes == fresh.attributions[place].classes
    for customer in driven.customers.values():
        assert restated(lambda customer=customer: again(customer), after, after) is None  # type: ignore[misc]
        assert standing_breaches(again(customer), after) == []


@given(history=histories(), before=rulebooks(), after=rulebooks())
def test_restated_books_are_those_of_a_full_recomputation(
    history: History, before: PolicyBook, after: PolicyBook
) -> None:
    """Every sum, vector and chain; nothing before the first date that differs; once is enough."""
    holds(history, before, after)


def test_seeded_books_are_restated_too() -> None:
    """The same in bulk, and where nobody knows by which rules the books were made."""
    for seed in range(SEEDS):
        random = Random(seed)
        before, after = dated_by(random.choice), dated_by(random.choice)
        history = history_by(random.choice)
        holds(history, before, after)
        unknown = restate(run(history, before), None, after)
        due = settle(history, after)
        assert unknown.balance == due.balance, seed
        assert unknown.daily == due.daily, seed
