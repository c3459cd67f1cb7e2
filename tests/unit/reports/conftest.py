"""A store with books to fill, and the reports that read it."""

from collections.abc import Iterator

import pytest

from pnl.reports.queries import Reports
from processors.policy import Policy
from sinks.store import Store
from streams.clock import ManualClock
from tests.support.books import Books
from tests.support.store import opened_store


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store for all tests of a module: opening one takes longer than most of them."""
    with opened_store(tmp_path_factory.mktemp("reports")) as opened:
        yield opened


@pytest.fixture
def store(module_store: Store) -> Store:
    """Return an empty store."""
    tables = module_store.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree' AND total_rows > 0 AND name NOT LIKE 'db_migrations%'"
        " AND name NOT LIKE '%migration%'"
    )
    for table in tables:
        module_store.command(f"TRUNCATE TABLE `{table['name']}`")
    return module_store


@pytest.fixture
def books(store: Store) -> Books:
    """Return empty books."""
    return Books(store)


@pytest.fixture
def reports(store: Store) -> Reports:
    """Return the reports of a company that counts in London and in pounds."""
    return Reports(store, Policy(), ManualClock(0))
