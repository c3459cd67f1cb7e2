"""Kafka's wire, as far as a proxy must know it: frames, and the headers of requests."""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

HEADER: Final = struct.Struct(">hhih")
"""API, its version, correlation id, length of the client's id (-1: none)."""


class Api(IntEnum):
    """Requests of Kafka's protocol that faults are set for."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked a broker. `frame` is all of it, with the length before it."""

    api: int
    version: int
    correlation: int
    client: str
    node: int
    frame: bytes = field(repr=False)

    @property
    def body(self) -> bytes:
        """What follows the header; a flexible version's begins with the header's tagged fields."""
        length = HEADER.unpack_from(self.frame, 4)[3]
        return self.frame[4 + HEADER.size + max(length, 0) :]


def request_in(frame: bytes, node: int) -> Request:
    """Read a request's header."""
    api, version, correlation, length = HEADER.unpack_from(frame, 4)
    start = 4 + HEADER.size
    client = frame[start : start + max(length, 0)].decode()
    return Request(api, version, correlation, client, node, frame)


def read_frame(source: socket.socket) -> bytes | None:
    """Return the next frame with its length before it; None at the end of the connection."""
    head = _read_exactly(source, 4)
    rest = head and _read_exactly(source, int.from_bytes(head))
    return head + rest if head and rest else None


def _read_exactly(source: socket.socket, length: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < length:
        try:
            part = source.recv(min(length - len(parts), 1 << 18))
        except OSError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)


def close(*sockets: socket.socket) -> None:
    """Close sockets, and wake who waits for them."""
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
