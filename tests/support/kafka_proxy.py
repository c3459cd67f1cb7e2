"""Stands between Kafka's clients and brokers, and holds, loses or delays their requests.

    with Proxy(cluster) as proxy:                       # clients use cluster.proxied_bootstrap
        ended = proxy.hold(Api.END_TXN, client="worker-1")
        ...                                             # the client commits
        ended.await_hit()                               # its request has arrived here
        ended.release()                                 # now the broker gets it

A fault is set for the next request of an API, or for the nth, from clients whose id begins with
something; it strikes once unless `times` says otherwise. Requests of one connection stay in order,
so one that is held or delayed holds up those behind it, as a network does. A request that was held
goes to the broker when released, also if its client has hung up and gone on meanwhile; `replay`
sends it once more, by a connection of its own.
"""

import socket
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum, auto
from threading import Condition, Event, Lock, Thread
from typing import Final, Self

from tests.support.kafka_broker import HOST, Broker, Cluster
from tests.support.kafka_wire import Api, Request, close, read_frame, request_in
from tests.support.waiting import PAUSE_SECONDS, until

WAIT_SECONDS: Final = 30
SLOW_PARTS_PER_SECOND: Final = 20


class _What(Enum):
    """What happens to a request."""

    HOLD = auto()
    DELAY = auto()
    CUT = auto()
    LOSE_REPLY = auto()
    SWALLOW = auto()


class Fault:
    """What was set for a request, and what came of it. Waits end in TimeoutError."""

    def __init__(
        self, api: Api, what: _What, client: str, nth: int, times: int, seconds: float = 0
    ) -> None:
        self.api, self.what, self.client, self.seconds = api, what, client, seconds
        self.hits: list[Request] = []
        """The requests it struck."""
        self.replies: list[bytes] = []
        """What the broker answered to those that it got, after the correlation id."""
        self.released = Event()
        self._strikes = range(nth, nth + times)
        self._seen = 0
        self._changed = Condition()

    def await_hit(self, number: int = 1, seconds: float = WAIT_SECONDS) -> Request:
        """Return the request it struck, the first or another, once it has."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.hits) >= number, seconds):
                raise TimeoutError(f"no {self.api.name} came to be struck")
            return self.hits[number - 1]

    def await_reply(self, number: int = 1, seconds: float = WAIT_SECONDS) -> bytes:
        """Return the broker's answer to a request it struck, once it has come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.replies) >= number, seconds):
                raise TimeoutError(f"no answer to {self.api.name}")
            return self.replies[number - 1]

    def release(self) -> None:
        """Let what is held go to the broker, now and from now on."""
        self.released.set()

    def strikes(self, request: Request) -> bool:
        """Count a request, and return whether it is to be struck."""
        if request.api != self.api or not request.client.startswith(self.client):
            return False
        with self._changed:
            self._seen += 1
            struck = self._seen in self._strikes
            if struck:
                self.hits.append(request)
                self._changed.notify_all()
        return struck

    def answered(self, reply: bytes) -> None:
        """Keep what the broker answered."""
        with self._changed:
            self.replies.append(reply)
            self._changed.notify_all()


class _Connection:
    """One client's connection to one broker: two threads that pass frames on."""

    def __init__(self, proxy: "Proxy", broker: Broker, client: socket.socket) -> None:
        self._proxy, self._client = proxy, client
        self._server = socket.create_connection((HOST, broker.ports.behind), WAIT_SECONDS)
        for each in (client, self._server):
            each.settimeout(None)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._asked: dict[int, Fault | None] = {}
        self._ended = Event()
        self.node = broker.node
        self.client_id = ""
        self.silent = False
        self.threads = (
            Thread(target=self._pass_requests, daemon=True),
            Thread(target=self._pass_replies, daemon=True),
        )

    def cut(self) -> None:
        """End it on both sides."""
        self._ended.set()
        close(self._client, self._server)

    def _pass_requests(self) -> None:
        while (frame := read_frame(self._client)) is not None:
            request = request_in(frame, self.node)
            self.client_id = request.client
            fault = self._proxy.meet(request)
            if fault is not None:
                self._strike(fault)
            if self.silent or self._ended.is_set():
                continue
            self._asked[request.correlation] = fault
            self._send(self._server, frame)
        # Only this direction ends here: the broker may still have to answer what it got.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_WR)

    def _strike(self, fault: Fault) -> None:
        """Do to a request what is to happen before the broker gets it."""
        match fault.what:
            case _What.HOLD:
                while not (fault.released.wait(PAUSE_SECONDS) or self._ended.is_set()):
                    pass
            case _What.DELAY:
                self._ended.wait(fault.seconds)
            case _What.CUT:
                self.cut()
            case _What.SWALLOW:
                self.silent = True
            case _What.LOSE_REPLY:
                pass

    def _pass_replies(self) -> None:
        while (frame := read_frame(self._server)) is not None:
            fault = self._asked.pop(int.from_bytes(frame[4:8]), None)
            if fault is not None:
                fault.answered(frame[8:])
                if fault.what is _What.LOSE_REPLY:
                    break
            if not self.silent:
                self._send(self._client, frame)
        self.cut()
        self._proxy.forget(self)

    def _send(self, to: socket.socket, frame: bytes) -> None:
        """Send a frame, at the speed set; what cannot be sent shows at the next read."""
        speed = self._proxy.speed_of(self.client_id)
        size = len(frame) if speed is None else max(speed // SLOW_PARTS_PER_SECOND, 1)
        for at in range(0, len(frame), size):
            with suppress(OSError):
                to.sendall(frame[at : at + size])
            if speed is not None:
                self._ended.wait(size / speed)


class Proxy:
    """Listens where the clients of a cluster's second listener are sent, and passes everything on.

    Use it as a context: at its end every connection is cut.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._brokers = {broker.node: broker for broker in cluster.brokers}
        self._lock = Lock()
        self._listeners: dict[int, socket.socket] = {}
        self._connections: set[_Connection] = set()
        self._threads: list[Thread] = []
        self._faults: list[Fault] = []
        self._speeds: dict[str, int] = {}
        self._seen: Counter[tuple[int, int, str]] = Counter()

    def __enter__(self) -> Self:
        """Begin to listen."""
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut everything, and wait until nothing of it runs."""
        self.refuse()
        until(self._is_over, WAIT_SECONDS, "the proxy's connections end")

    # What is set for one request.

    def hold(self, api: Api, nth: int = 1, client: str = "", times: int = 1) -> Fault:
        """Keep a request here until `release`."""
        return self._set(Fault(api, _What.HOLD, client, nth, times))

    def delay(
        self, api: Api, seconds: float, nth: int = 1, client: str = "", times: int = 1
    ) -> Fault:
        """Let the broker have a request so many seconds later."""
        return self._set(Fault(api, _What.DELAY, client, nth, times, seconds))

    def cut(self, api: Api, nth: int = 1, client: str = "", times: int = 1) -> Fault:
        """Cut the connection instead of passing a request on: the broker never gets it."""
        return self._set(Fault(api, _What.CUT, client, nth, times))

    def lose_reply(self, api: Api, nth: int = 1, client: str = "", times: int = 1) -> Fault:
        """Cut the connection when the broker has answered: it did what the client asked."""
        return self._set(Fault(api, _What.LOSE_REPLY, client, nth, times))

    def swallow(self, api: Api, nth: int = 1, client: str = "", times: int = 1) -> Fault:
        """Pass nothing on from this request on, and leave the connection open."""
        return self._set(Fault(api, _What.SWALLOW, client, nth, times))

    def replay(self, request: Request) -> bytes:
        """Send a request by a connection of its own; return the answer after the correlation id."""
        where = (HOST, self._brokers[request.node].ports.behind)
        with socket.create_connection(where, WAIT_SECONDS) as server:
            server.sendall(request.frame)
            answer = read_frame(server)
        assert answer is not None, "the broker hung up"
        return answer[8:]

    # What is set for connections.

    def refuse(self, node: int | None = None) -> None:
        """Refuse new connections, to one broker or to all; those that stand stay."""
        for number in self._nodes(node):
            if (listener := self._listeners.pop(number, None)) is not None:
                close(listener)

    def accept(self, node: int | None = None) -> None:
        """Take new connections again."""
        for number in self._nodes(node):
            if number in self._listeners:
                continue
            broker = self._brokers[number]
            listener = socket.create_server((HOST, broker.ports.proxy))
            self._listeners[number] = listener
            self._run(Thread(target=self._serve, args=(broker, listener), daemon=True))

    def cut_all(self, client: str = "", node: int | None = None) -> None:
        """Cut the connections that stand now, of some clients, to one broker or to all."""
        for connection in self._standing(client, node):
            connection.cut()

    def half_open(self, client: str = "", node: int | None = None) -> None:
        """Pass nothing on any more in the connections that stand now, and leave them open."""
        for connection in self._standing(client, node):
            connection.silent = True

    def slow(self, bytes_per_second: int | None, client: str = "") -> None:
        """Pass on so many bytes a second in each direction of a connection; None: all at once."""
        with self._lock:
            self._speeds.pop(client, None)
            if bytes_per_second is not None:
                self._speeds[client] = bytes_per_second

    def heal(self) -> None:
        """Take back every fault, release what is held, and take new connections."""
        with self._lock:
            faults, self._faults = self._faults, []
            self._speeds.clear()
        for fault in faults:
            fault.release()
        self.accept()

    # What it saw.

    def count(self, api: Api, client: str = "") -> int:
        """Return how many requests of an API came from clients whose id begins so."""
        with self._lock:
            return sum(
                number
                for (of, _, by), number in self._seen.items()
                if of == api and by.startswith(client)
            )

    def versions(self, api: Api) -> set[int]:
        """Return the versions of an API that clients spoke."""
        with self._lock:
            return {version for (of, version, _) in self._seen if of == api}

    # What its connections call.

    def meet(self, request: Request) -> Fault | None:
        """Count a request, and return the first fault that strikes it."""
        with self._lock:
            self._seen[request.api, request.version, request.client] += 1
            return next((fault for fault in self._faults if fault.strikes(request)), None)

    def speed_of(self, client: str) -> int | None:
        """Return the bytes a second set for a client; None: as fast as may be."""
        with self._lock:
            speeds = [speed for who, speed in self._speeds.items() if client.startswith(who)]
        return min(speeds, default=None)

    def forget(self, connection: _Connection) -> None:
        """Take note that a connection has ended."""
        with self._lock:
            self._connections.discard(connection)

    def _set(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def _nodes(self, node: int | None) -> Iterable[int]:
        return self._brokers if node is None else (node,)

    def _standing(self, client: str, node: int | None) -> list[_Connection]:
        with self._lock:
            return [
                each
                for each in self._connections
                if each.client_id.startswith(client) and node in (None, each.node)
            ]

    def _run(self, thread: Thread) -> None:
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def _is_over(self) -> bool:
        self.cut_all()
        return not any(thread.is_alive() for thread in self._threads)

    def _serve(self, broker: Broker, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                connection = _Connection(self, broker, client)
            except OSError:
                close(client)
                continue
            with self._lock:
                self._connections.add(connection)
            for thread in connection.threads:
                self._run(thread)
