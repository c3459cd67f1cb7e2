"""Health over HTTP: alive, ready, figures."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection

import pytest

from pnl.errors import UserError
from pnl.health import Health, HealthServer, listen


@pytest.fixture
def health() -> Health:
    """Return the health of a process that is alive and needs nothing."""
    return Health()


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    """Return a server of that health."""
    serving = HealthServer(listen("127.0.0.1", 0), health, lambda: b"pnl_x 1\n")
    yield serving
    serving.close()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    """Ask; return status and body."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def test_a_process_is_ready_once_nothing_is_missing(server: HealthServer, health: Health) -> None:
    """What is missing is named; when it is there, the process is ready."""
    missing = ["No broker answers."]
    health.need(lambda: missing[0] if missing else None)
    status, body = get(server, "/readyz")
    assert (status, json.loads(body)["missing"]) == (503, missing)
    assert get(server, "/healthz")[0] == 200
    missing.clear()
    assert get(server, "/readyz") == (200, '{"status": "ready", "missing": []}')


def test_a_loop_that_stands_still_is_not_healthy() -> None:
    """Only a restart mends it; a beat says that it turns."""
    health = Health(stalled=timedelta(0))
    assert "has not turned" in str(health.dead())
    turning = Health()
    turning.beat()
    assert turning.dead() is None


def test_metrics_and_nothing_else_are_served(server: HealthServer) -> None:
    """A path that there is not is 404."""
    assert get(server, "/metrics") == (200, "pnl_x 1\n")
    assert get(server, "/config")[0] == 404


def test_a_port_that_is_taken_is_named(server: HealthServer) -> None:
    """One sentence with host, port and what to do."""
    with pytest.raises(UserError, match=f"port {server.port} .*--port"):
        listen("127.0.0.1", server.port)
