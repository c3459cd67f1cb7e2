"""What must stay true of the image: what it is made of, and as whom it runs."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.unit.deploy.files import DEPLOY, ROOT, ours

FINAL = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ").rpartition("FROM ")[2]
PINNED = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)


def versions(lock: str) -> dict[str, set[str]]:
    """Return what a lock pins: a package may have one version for each Python."""
    found: dict[str, set[str]] = {}
    for name, version in PINNED.findall((ROOT / lock).read_text("utf-8")):
        found.setdefault(name, set()).add(version)
    return found


def last(instruction: str) -> str:
    """Return the argument of an instruction in the final stage."""
    return re.findall(rf"^{instruction} +(.*)$", FINAL, re.MULTILINE)[-1]


def left_out() -> set[str]:
    """Return the packages that production does without."""
    return set((DEPLOY / "not-in-production.txt").read_text("utf-8").split())


def test_the_image_runs_as_nobody_in_particular() -> None:
    """A number, as an orchestrator cannot tell from a name that it is not root; as in compose."""
    assert int(last("USER").split(":")[0]) > 0
    assert {each["user"] for each in ours().values()} == {last("USER")}


def test_signals_reach_the_program() -> None:
    """Without a shell in between, which would keep SIGTERM for itself."""
    assert json.loads(last("ENTRYPOINT")) == ["/opt/pnl/bin/pnl"]
    assert json.loads(last("HEALTHCHECK").partition("CMD ")[2])[-1] == "/opt/pnl/ready.py"


def test_what_the_image_copies_is_let_through() -> None:
    """`.dockerignore` lets nothing in but what the Dockerfile asks for."""
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    lines = re.findall(r"^COPY +(?!--)(.*)$", dockerfile, re.MULTILINE)
    copied = {source for line in lines for source in line.split()[:-1]}
    assert copied == set(allowed)
    assert all((ROOT / source).exists() for source in copied)


def test_production_has_what_is_declared_but_the_embedded_engine() -> None:
    """The second lock holds every dependency, except those that are left out by name."""
    declared = {
        re.split(r"[<>=\[]", line)[0]
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    assert declared - set(versions("requirements-production.lock")) == left_out() == {"chdb"}


@pytest.mark.parametrize("lock", ["requirements-production.lock", "deploy/build.lock"])
def test_what_runs_in_production_is_what_was_tested(lock: str) -> None:
    """Every package has the versions of the lock that the tests run with."""
    tested = versions("requirements.lock")
    assert {name: tested.get(name) for name in versions(lock)} == versions(lock)


@pytest.fixture
def answering() -> Iterator[HTTPServer]:
    """Return a server that answers with the status that is its attribute."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[self.path])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    statuses: dict[str, int] = {}
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.statuses = statuses  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(port: int) -> int:
    """Return how the health check ends."""
    command = [sys.executable, "-I", "-S", str(DEPLOY / "ready.py"), str(port)]
    return subprocess.run(command, check=False, timeout=30).returncode


def test_a_container_is_healthy_when_its_process_is_ready(answering: HTTPServer) -> None:
    """200 at /readyz and nothing else: not 503, and not silence."""
    statuses: dict[str, int] = answering.statuses  # type: ignore[attr-defined]
    statuses["/readyz"] = 200
    assert asked(answering.server_port) == 0
    statuses["/readyz"] = 503
    assert asked(answering.server_port) == 1


def test_a_container_whose_process_is_silent_is_not_healthy() -> None:
    """Nobody listens there: not ready, and no trace of an exception is needed to say so."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert asked(port) == 1
