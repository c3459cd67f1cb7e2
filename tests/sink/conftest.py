"""One server over chDB for the session; each test finds it up, whole and empty."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sinks.store import Store
from tests.support.chdb_http import ChdbServer
from tests.support.waiting import until

TIMEOUT = timedelta(seconds=2)
"""How long a store of these tests waits for an answer."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: `make test-sink` runs it, `make test` does not."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.sink)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbServer]:
    """Start a server with a migrated database `pnl`."""
    with ChdbServer(tmp_path_factory.mktemp("server") / "store") as server:
        opened = Store.open(server.dsn)
        opened.migrate()
        opened.close()
        yield server


@pytest.fixture
def server(shared_server: ChdbServer) -> Iterator[ChdbServer]:
    """Return the server, with nothing broken and empty tables."""
    shared_server.heal()
    until(shared_server.is_idle, 30, "what the last test left behind has ended")
    empty(shared_server)
    yield shared_server
    if not shared_server.is_up():
        shared_server.start()


@pytest.fixture
def store(server: ChdbServer) -> Iterator[Store]:
    """Return an empty, migrated store over HTTP."""
    opened = Store.open(server.dsn, timeout=TIMEOUT)
    yield opened
    opened.close()


def empty(server: ChdbServer) -> None:
    """Empty every table of the server's database."""
    opened = Store.open(server.dsn)
    tables = opened.query(
        "SELECT name FROM system.tables WHERE database = 'pnl' AND total_rows > 0"
        " AND engine LIKE 'Replacing%' AND name NOT LIKE '%migration%'"
    )
    for table in tables:
        opened.command(f"TRUNCATE TABLE {table['name']}")
    opened.close()
