"""One HTTP request to an address that was looked at, and the head of its answer.

Law: the name is only spoken (in `Host` and to TLS), never resolved here; no redirect is followed;
the whole exchange ends within its limit, whatever the other side does; of the answer nothing is
read but its head, and of that no more than `HEAD_BYTES_MAX`.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Final, NamedTuple

from sinks.delivery.guard import Address, Target
from streams.clock import Deadline

HEAD_BYTES_MAX: Final = 16_384
_CHUNK: Final = 4_096
_SHORTEST: Final = 0.001
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_END: Final = b"\r\n\r\n"


class Unanswered(Exception):
    """No answer came; the reason says how, and holds neither URL nor secret."""


class Answer(NamedTuple):
    """The head of an answer."""

    status: int
    retry_after: str | None


def post(
    target: Target,
    addresses: Sequence[Address],
    headers: Mapping[str, str],
    body: bytes,
    limit: Deadline,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Send one POST and return the head of the answer; Unanswered when none comes in time."""
    try:
        with _connected(target, addresses, limit, context) as connection:
            head = _head(target, headers, len(body))
            with suppress(ConnectionError):  # an early answer may come before all is sent
                connection.sendall(head + body)
            return _answer(connection, limit)
    except TimeoutError:
        raise Unanswered("no answer in time") from None
    except ssl.SSLCertVerificationError as error:
        raise Unanswered(f"its certificate is not trusted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise Unanswered(f"TLS failed: {error.reason}") from None
    except OSError as error:
        raise Unanswered(error.strerror or type(error).__name__) from None


def _connected(
    target: Target,
    addresses: Sequence[Address],
    limit: Deadline,
    context: ssl.SSLContext | None,
) -> socket.socket:
    last: OSError = TimeoutError()
    for number, address in enumerate(addresses):
        share = _left(limit) / (len(addresses) - number)
        try:
            connection = socket.create_connection((str(address), target.port), timeout=share)
        except OSError as error:
            last = error
            continue
        if target.scheme == "http":
            return connection
        try:
            connection.settimeout(_left(limit))
            name = target.host.strip("[]")
            return (context or ssl.create_default_context()).wrap_socket(
                connection, server_hostname=name
            )
        except BaseException:
            connection.close()
            raise
    raise last


def _head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    is_usual = target.port == (443 if target.scheme == "https" else 80)
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host}" if is_usual else f"Host: {target.host}:{target.port}",
        f"Content-Length: {length}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _answer(connection: socket.socket, limit: Deadline) -> Answer:
    received = b""
    while True:
        while (end := received.find(_END)) < 0:
            if len(received) > HEAD_BYTES_MAX:
                raise Unanswered("the head of its answer is too long")
            connection.settimeout(_left(limit))
            chunk = connection.recv(_CHUNK)
            if not chunk:
                raise Unanswered("the connection was closed without an answer")
            received += chunk
        head, received = received[: end + len(_END)], received[end + len(_END) :]
        found = _STATUS.match(head)
        if found is None:
            raise Unanswered("what it answered is not HTTP")
        if not found[1].startswith(b"1"):
            return Answer(int(found[1]), _retry_after(head[found.end() :]))


def _retry_after(lines: bytes) -> str | None:
    try:
        return http.client.parse_headers(BytesIO(lines)).get("Retry-After")
    except http.client.HTTPException:
        return None


def _left(limit: Deadline) -> float:
    left = limit.seconds_left()
    if left <= 0.0:
        raise TimeoutError
    return max(left, _SHORTEST)
