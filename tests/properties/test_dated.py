"""Rules with dates: any history, any book of policies, any order, against the naive oracle."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.customer import Customer
from processors.journeys import Journeys
from processors.laws import breaches, standing_breaches
from processors.policy import PolicyBook
from tests.oracle import settle
from tests.properties.histories import (
    ALL,
    CALLS,
    KEYS,
    REFUNDS,
    History,
    Kinds,
    histories,
    history_by,
    shuffled,
    shuffled_by,
)
from tests.properties.rulebooks import dated_by, rulebooks
from tests.spec.scenario import assert_equal
from tests.support.drive import run

SEEDS_PER_TEST = 3 * settings.default.max_examples


@given(history=histories(), book=rulebooks(), data=st.data())
def test_journeys_come_to_what_the_oracle_says(
    history: History, book: PolicyBook, data: Any
) -> None:
    """I4: whatever the order of arrival, each entry is made by the policy of its own date."""
    due = settle(history, book)
    assert_equal(run(history, book).books, due, "as drawn")
    assert_equal(run(data.draw(shuffled(history)), book).books, due, "shuffled")


@pytest.mark.parametrize(
    ("kinds", "keys"),
    [(ALL, KEYS), (CALLS, ("k",)), (REFUNDS, ("k",))],
    ids=["all", "calls", "refunds"],
)
def test_seeded_histories_come_to_what_the_oracle_says(kinds: Kinds, keys: tuple[str, ...]) -> None:
    """I4 in bulk, over the middle where Hypothesis seldom goes."""
    for seed in range(SEEDS_PER_TEST):
        random = Random(seed)
        book = dated_by(random.choice)
        history = history_by(random.choice, kinds, keys)
        due = settle(history, book)
        assert_equal(run(history, book).books, due, f"seed {seed}")
        assert_equal(run(shuffled_by(random, history), book).books, due, f"seed {seed} shuffled")


@given(histories(), rulebooks())
def test_what_is_booked_is_what_is_due(history: History, book: PolicyBook) -> None:
    """After every fact no law is broken, and working everything out again books nothing."""
    journeys, customers = Journeys(book), dict[str, Customer]()
    for key, fact in history:
        customer = customers.setdefault(key, Customer(key))
        assert breaches(journeys.apply(customer, fact)) == []
        assert standing_breaches(customer, book) == []
