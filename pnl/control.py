"""The control socket: how a command asks the process that holds the data folder.

Law: one request, one answer, each a line of JSON; who cannot write to the folder cannot ask.
An answer carries the text a command prints, so that both ways of asking print the same bytes.

Request `{"op": …, "args": {…}}`; answer `{"text": …, "failed": false, "content": base64}` or
`{"error": …, "exit": 1 or 2}`.
"""

import base64
import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from pnl.errors import CheckFailed, UserError
from streams.clock import Deadline, pause

REQUEST_BYTES_MAX: Final = 1 << 24
CONNECTIONS_MAX: Final = 32
ROOM_PAUSE_SECONDS: Final = 0.01
PATH_BYTES_MAX: Final = 100
"""A socket's address holds 108 bytes; longer folders are reached by their descriptor."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command prints; `failed` when a check found something (exit 1).

    `content` is a file instead of text.
    """

    text: str
    failed: bool = False
    content: bytes = b""


Handler: TypeAlias = Callable[[str, Mapping[str, Any]], Answer]


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Yield an address of the socket that is short enough, however long its folder's path is."""
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


class ControlServer:
    """Answers requests on the socket until it is closed, each connection in a thread."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(path) as address:
            try:
                self._socket.bind(address)
            except OSError as error:
                self._socket.close()
                raise UserError(f"{path} cannot be opened: {error.strerror}.") from None
        path.chmod(0o600)
        self._socket.listen(CONNECTIONS_MAX)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            self._slots.acquire()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream, contextlib.suppress(OSError):
                line = stream.readline(REQUEST_BYTES_MAX)
                if line:
                    stream.write(json.dumps(self._answer(line)).encode() + b"\n")
        except OSError:
            return  # the command that asked went away: nobody is left to be told
        finally:
            self._slots.release()

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = json.loads(line)
            answer = self._handler(str(request["op"]), request.get("args", {}))
        except UserError as error:
            return {"error": str(error), "exit": 2}
        except CheckFailed as error:
            return {"error": str(error), "exit": 1}
        except Exception as error:  # noqa: BLE001 - the one who asked is told; we go on
            return {"error": f"The request failed: {type(error).__name__}: {error}.", "exit": 1}
        content = base64.b64encode(answer.content).decode()
        return {"text": answer.text, "failed": answer.failed, "content": content}

    def close(self) -> None:
        """Stop answering."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)


def _connect(connection: socket.socket, address: str, deadline: Deadline) -> None:
    """Connect, waiting for room among those who wait to be accepted: the kernel does not."""
    while True:
        try:
            return connection.connect(address)
        except BlockingIOError:
            if not deadline.seconds_left():
                raise
            pause(ROOM_PAUSE_SECONDS)


def ask(path: Path, op: str, args: Mapping[str, Any], seconds_max: float = 600) -> Answer | None:
    """Ask the process behind the socket; None when nobody answers there.

    UserError and CheckFailed come back as the asked process raised them.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds_max)
        try:
            with _address(path) as address:
                _connect(connection, address, Deadline(timedelta(seconds=seconds_max)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise CheckFailed(f"{path} cannot be reached: {error.strerror or error}.") from None
        try:
            with connection.makefile("rwb") as stream:
                stream.write(json.dumps({"op": op, "args": dict(args)}).encode() + b"\n")
                stream.flush()
                line = stream.readline()
        except TimeoutError:
            raise CheckFailed(f"No answer within {seconds_max:.0f} seconds.") from None
        except OSError:
            line = b""
    if not line.endswith(b"\n"):
        raise CheckFailed("The process that holds the data folder stopped before it answered.")
    found = json.loads(line)
    if "error" in found:
        raise (UserError if found["exit"] == 2 else CheckFailed)(found["error"])
    content = base64.b64decode(found.get("content", ""))
    return Answer(text=found["text"], failed=found["failed"], content=content)
