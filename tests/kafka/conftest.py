"""Real brokers for the session; each test takes its own prefix of names, and so has it alone.

Where Java or the jars are missing these tests are skipped, but never in CI.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.kafka_broker import Cluster, missing
from tests.support.kafka_proxy import Proxy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here; skip it where no broker can run, unless this is CI."""
    reason = missing()
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.kafka)
        if reason is not None and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip(f"not run: {reason}"))


NEVER_GIVEN_UP = {"broker.session.timeout.ms": "60000"}
"""No other broker could take over from one that had no time to say that it lives."""


@pytest.fixture(scope="session")
def one_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start one broker that every test leaves running; who stops or kills one starts its own."""
    with Cluster(tmp_path_factory.mktemp("kafka"), settings=NEVER_GIVEN_UP) as started:
        yield started


@pytest.fixture(scope="module")
def cluster(one_broker: Cluster) -> Iterator[Cluster]:
    """Yield the one broker; nothing of a module's topics is left for the next."""
    yield one_broker
    one_broker.clear()


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start three brokers; who stops one starts it again."""
    with Cluster(tmp_path_factory.mktemp("three"), nodes=3) as started:
        yield started


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """Stand before the session's broker for one test."""
    with Proxy(cluster) as standing:
        yield standing


@pytest.fixture
def prefix() -> str:
    """Return what a test puts before its names of topics, groups and transactional ids."""
    return f"t{uuid4().hex[:8]}."
