"""A store of its own for each test: chDB in a folder that goes with the test.

chDB has one path open per process, so a test opens one store at a time; opening takes about
0.05 s after the first in a process.

Import the fixture by name: `from tests.support.store import store`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sinks.store import Store


@contextmanager
def opened_store(folder: Path) -> Iterator[Store]:
    """Open a migrated store in a folder; opening the same folder again finds what was kept."""
    store = Store.open(f"chdb://{folder.resolve()}")
    try:
        store.migrate()
        yield store
    finally:
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty, migrated store."""
    with opened_store(tmp_path / "store") as opened:
        yield opened
