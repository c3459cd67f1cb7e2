"""A store of its own for each test: chDB in a folder that goes with the test.

chDB has one path open per process, so a test opens one store at a time. A migrated store is made
once per process and copied: opening a copy takes about 0.05 s.

Import the fixture by name: `from tests.support.store import store as store`.
"""

import shutil
from collections.abc import Callable, Iterator
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


def prepared(
    factory: pytest.TempPathFactory, name: str, prepare: Callable[[Store], object]
) -> Path:
    """Return the folder of a store that is prepared once per process, to be copied."""
    folder = factory.getbasetemp() / name
    if not folder.exists():
        with opened_store(folder) as store:
            prepare(store)
    return folder


@contextmanager
def copied_store(template: Path, folder: Path) -> Iterator[Store]:
    """Open a copy of a store that is closed."""
    shutil.copytree(template, folder, symlinks=True)
    with opened_store(folder) as store:
        yield store


@pytest.fixture
def store(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return an empty, migrated store."""
    empty = prepared(tmp_path_factory, "empty-store", lambda _: None)
    with copied_store(empty, tmp_path / "store") as opened:
        yield opened
