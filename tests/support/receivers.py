"""Local servers that take webhooks, each in its own manner: for tests of delivery.

A receiver keeps what it was sent. Its manner is told by a list of answers, one a request, the last
one for ever: a status, or what it does instead of answering.
"""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Manner: TypeAlias = (
    int | Literal["hang", "cut", "drip", "redirect", "endless", "nonsense", "busy", "early"]
)
HEAD = b"HTTP/1.1 %d Told\r\nContent-Length: 0\r\n%s\r\n"
BUSY = HEAD % (429, b"Retry-After: 7\r\n")


@dataclass
class Taken:
    """A request: its head's fields in lower case, its body, when it was there (s since 1970)."""

    fields: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """The identity of what it carries."""
        return self.fields.get("webhook-id", "")


@dataclass
class Receiver:
    """A server on the loopback; `taken` holds what it got, in order."""

    manners: list[Manner]
    taken: list[Taken] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.came = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The identities it got, in order."""
        with self.came:
            return [each.id for each in self.taken]

    def wait_for(self, count: int, seconds: float = 10.0) -> bool:
        """Wait until it got so many requests."""
        with self.came:
            return self.came.wait_for(lambda: len(self.taken) >= count, seconds)

    def close(self) -> None:
        """End it."""
        self.stopping.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with self.came:
            manner = self.manners[min(len(self.taken), len(self.manners) - 1)]
        taken = _read(connection)
        with self.came:
            self.taken.append(taken)
            self.came.notify_all()
        if isinstance(manner, int):
            connection.sendall(HEAD % (manner, b""))
        elif manner == "busy":
            connection.sendall(BUSY)
        elif manner == "redirect":
            connection.sendall(HEAD % (307, b"Location: http://127.0.0.1:1/\r\n"))
        elif manner == "nonsense":
            connection.sendall(b"SSH-2.0-what\r\n\r\n")
        elif manner == "early":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD % (204, b""))
        elif manner == "cut":
            connection.sendall(b"HTTP/1.1 ")
        else:
            self._dawdle(connection, endless=manner == "endless", silent=manner == "hang")

    def _dawdle(self, connection: socket.socket, *, endless: bool, silent: bool) -> None:
        """Answer never, without an end, or a byte at a time."""
        if endless:
            while not self.stopping.is_set():
                connection.sendall(b"X: " + b"y" * 60_000)
        if not silent:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.stopping.wait(0.02):
            if not silent:
                connection.sendall(b"z")
            elif not connection.recv(1):
                return


def _read(connection: socket.socket) -> Taken:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(fields.get("content-length", "0")):
        body += _more(connection)
    return Taken(fields, body, time.time())


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65_536)
    if not chunk:
        raise ConnectionError
    return chunk


@contextmanager
def receiving(*manners: Manner) -> Iterator[Receiver]:
    """Run a receiver meanwhile."""
    receiver = Receiver(list(manners or (200,)))
    try:
        yield receiver
    finally:
        receiver.close()


def all_ids(receivers: Sequence[Receiver]) -> set[str]:
    """Return every identity that any of them got."""
    return {each for receiver in receivers for each in receiver.ids}
