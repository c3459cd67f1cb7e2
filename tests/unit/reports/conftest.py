"""A store with books to fill, and the reports that read it."""

import pytest

from pnl.reports.queries import Reports
from processors.policy import Policy
from sinks.store import Store
from streams.clock import ManualClock
from tests.support.books import Books
from tests.support.store import store

__all__ = ["store"]


@pytest.fixture
def books(store: Store) -> Books:
    """Return empty books."""
    return Books(store)


@pytest.fixture
def reports(store: Store) -> Reports:
    """Return the reports of a company that counts in London and in pounds."""
    return Reports(store, Policy(), ManualClock(0))
