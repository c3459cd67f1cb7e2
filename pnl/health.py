"""Whether a process is alive and whether it is ready, and where it says so.

Law: alive is what only a restart can mend: the loop turns. Ready is what may mend by itself: log,
store, schema and state are there. Not being ready names what is missing, in sentences.
"""

import json
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, TypeAlias

from prometheus_client.exposition import CONTENT_TYPE_LATEST

from pnl.errors import UserError
from streams.clock import Stopwatch

STALLED: Final = timedelta(minutes=3)
"""Longer than any step may take: an insert gives up after a minute, a commit sooner."""
REQUEST_SECONDS_MAX: Final = 5.0

Missing: TypeAlias = Callable[[], str | None]
"""Returns a sentence while something is missing, None when it is there. Must not block."""


class Health:
    """What the threads of a process know of its health; safe to use from all of them."""

    def __init__(self, stalled: timedelta = STALLED) -> None:
        self._stalled = stalled
        self._last = Stopwatch()
        self._checks: list[Missing] = []

    def beat(self) -> None:
        """Say that the loop has turned."""
        self._last = Stopwatch()

    def need(self, check: Missing) -> None:
        """Be ready only when this check finds nothing missing."""
        self._checks.append(check)

    def dead(self) -> str | None:
        """Say that the loop stands still; None while it turns."""
        elapsed = self._last.elapsed()
        if elapsed > self._stalled:
            return f"The loop has not turned for {elapsed.total_seconds():.0f} seconds."
        return None

    def missing(self) -> tuple[str, ...]:
        """Return a sentence for each thing that keeps the process from being ready."""
        found = [check() for check in self._checks]
        return tuple(sentence for sentence in found if sentence is not None)


def listen(host: str, port: int) -> socket.socket:
    """Take the address; UserError names it where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"Health and metrics cannot be served at {host} port {port} [worker]: "
            f"{error.strerror}; choose another with --port, 0 for none."
        ) from None


class HealthServer:
    """Answers /healthz, /readyz and /metrics on a socket until it is closed."""

    def __init__(self, bound: socket.socket, health: Health, metrics: Callable[[], bytes]) -> None:
        class Handler(_Handler):
            """The handler of this server."""

        Handler.health, Handler.metrics = health, staticmethod(metrics)
        self._server = _Server(bound.getsockname()[:2], Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bound
        self.port: int = bound.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing of who went away before the answer."""


class _Handler(BaseHTTPRequestHandler):
    health: Health
    metrics: Callable[[], bytes]
    timeout = REQUEST_SECONDS_MAX
    server_version = "contact-pnl"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._send(HTTPStatus.OK, CONTENT_TYPE_LATEST, self.metrics())
        elif path == "/healthz":
            dead = self.health.dead()
            self._say("ok" if dead is None else "stalled", [] if dead is None else [dead])
        elif path == "/readyz":
            missing = list(self.health.missing())
            self._say("not ready" if missing else "ready", missing)
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", b"There is no such page.\n")

    def _say(self, status: str, missing: list[str]) -> None:
        code = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        body = json.dumps({"status": status, "missing": missing}).encode()
        self._send(code, "application/json", body)

    def _send(self, code: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing of requests."""
