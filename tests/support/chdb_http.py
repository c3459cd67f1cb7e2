"""A ClickHouse server for tests: chDB, the same engine, behind HTTP in a process of its own.

It speaks what clickhouse-connect asks of a server: the statement in the body or in `query`, data
after it, `database`, settings and `param_…` in the address; errors with status 500 and
`X-ClickHouse-Exception-Code`. It has no users, no compression, no sessions; each request has a
connection of its own to the engine, as on a server.

chDB drops the data of `INSERT … SELECT … FROM input('structure') … FORMAT JSONEachRow` without a
word. So the front writes the data to a file and puts `file(…)` of the same structure in the place
of `input(…)`: everything else of the statement reaches the engine as it was sent. (Data in
Native, which only the migrations send, comes from a file in the same way.)

`ChdbServer` runs it: it can be killed, stopped, started again on the same port and folder, and
told to break inserts (`Fault`). The process ends with the one that started it.
"""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl, urlsplit

import lz4.frame

from streams.clock import pause
from tests.support.waiting import until

HOST: Final = "127.0.0.1"
ROOT: Final = Path(__file__).parents[2]
CONTROL: Final = "/-/control"
START_SECONDS: Final = 30
REMEMBERED: Final = 2_000
_NO_SETTINGS: Final = frozenset(
    {"query", "database", "query_id", "session_id", "wait_end_of_query", "client_protocol_version"}
)
_INPUT: Final = re.compile(r"\binput\('((?:[^'\\]|\\.)*)'\)")
_DATA: Final = re.compile(rb" FORMAT (?:Native|JSONEachRow)\n")
_FORMAT: Final = re.compile(r"\s+FORMAT\s+JSONEachRow\s*$")
_CODE: Final = re.compile(r"Code: (\d+)\.")


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next `times` statements that contain `matching`.

    `error` answers with `code` and applies nothing, `cut-before` and `cut-after` reset the
    connection before and after applying, `cut-headers` ends it within the reply's headers after
    applying, `status` is an answer of a proxy, `kill` ends the server `seconds` after the
    statement reached the engine, `stall` waits `seconds` before applying.
    """

    kind: Literal["error", "cut-before", "cut-after", "cut-headers", "status", "kill", "stall"]
    times: int = 1
    matching: str = "INSERT INTO"
    code: int = 0
    message: str = "told to"
    seconds: float = 0.0


class ChdbServer:
    """A server over a folder, on a port that stays the same; `with` starts and ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def is_up(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.chdb_http", str(self.folder), str(self.port)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        until(self._answers, START_SECONDS, f"the server on port {self.port} answers")

    def kill(self) -> None:
        """End it as `kill -9` does."""
        assert self._process is not None
        self._process.kill()
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        assert self._process is not None
        self._process.wait(START_SECONDS)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process = None

    def stop(self) -> None:
        """Freeze it."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def break_next(self, *faults: Fault) -> None:
        """Let these faults happen, in this order where they match the same statement."""
        self._control({"faults": [asdict(fault) for fault in faults]})

    def heal(self) -> None:
        """Take back the faults that have not happened; forget the statements received."""
        self._control({"heal": True})

    def is_idle(self) -> bool:
        """Whether no statement is running: a client that gave up leaves its own behind."""
        return self._control({})["running"] == 0

    def pending(self) -> int:
        """Return how many faults are still to happen."""
        return int(self._control({})["pending"])

    def statements(self, matching: str) -> list[tuple[str, dict[str, str]]]:
        """Return the last statements received that contain this, with their other parameters."""
        found = self._control({"statements": matching})["statements"]
        return [(statement, parameters) for statement, parameters in found]

    def cpu_seconds(self) -> float:
        """Return the time its process has worked on all cores."""
        return float(self._control({})["cpu_seconds"])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def _answers(self) -> bool:
        with suppress(OSError):
            self._control({})
            return True
        return False

    def _control(self, order: dict[str, Any]) -> dict[str, Any]:
        connection = HTTPConnection(HOST, self.port, timeout=START_SECONDS)
        try:
            connection.request("POST", CONTROL, json.dumps(order))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


class _Engine:
    """The engine and what is to go wrong; shared by the threads of the requests."""

    def __init__(self, folder: str) -> None:
        import chdb  # half a gigabyte: only the child loads it

        self._connect = lambda: chdb.connect(folder)
        self._keeps_open = self._connect()
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []
        self._received: list[tuple[str, dict[str, str]]] = []
        self.running = 0

    def control(self, order: dict[str, Any]) -> dict[str, Any]:
        """Follow an order of `ChdbServer`."""
        with self._lock:
            if "heal" in order:
                self._faults.clear()
                self._received.clear()
            self._faults += order.get("faults", [])
            wanted = order.get("statements", "\0")
            return {
                "running": self.running,
                "pending": sum(fault["times"] for fault in self._faults),
                "statements": [each for each in self._received if wanted in each[0]],
                "cpu_seconds": time.process_time(),
            }

    def counted(self, by: int) -> None:
        """Count a statement that begins or ends."""
        with self._lock:
            self.running += by

    def fault(self, statement: str, parameters: dict[str, str]) -> dict[str, Any]:
        """Remember a statement; return what goes wrong with it."""
        with self._lock:
            self._received = [*self._received[-REMEMBERED:], (statement, parameters)]
            for fault in self._faults:
                if fault["times"] > 0 and fault["matching"] in statement:
                    fault["times"] -= 1
                    return fault
        return {"kind": "", "seconds": 0.0}

    def run(self, statement: str, data: bytes, parameters: dict[str, str]) -> bytes:
        """Run a statement and return its output."""
        with NamedTemporaryFile(suffix=".json") as file:
            found = _INPUT.search(statement)
            if found and statement.lstrip().startswith("INSERT"):
                file.write(data)
                file.flush()
                source = f"file('{file.name}', JSONEachRow, '{found[1]}')"
                statement = statement[: found.start()] + source + statement[found.end() :]
                statement = _FORMAT.sub("", statement)
            elif data:
                file.write(data)
                file.flush()
                head, _, form = statement.rstrip().rpartition(" FORMAT ")
                statement = f"{head} FROM INFILE '{file.name}' FORMAT {form}"
            connection = self._connect()
            try:
                if parameters.get("database"):
                    connection.query(f"USE `{parameters['database']}`")
                values = {}
                for name, value in parameters.items():
                    if name.startswith("param_"):
                        values[name.removeprefix("param_")] = value
                    elif name not in _NO_SETTINGS:
                        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                        connection.query(f"SET {name} = '{quoted}'")
                output: bytes = connection.query(statement, "TabSeparated", params=values).bytes()
                return output or b""
            finally:
                connection.close()


class _Front(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    engine: _Engine
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer a ping or a statement in the address."""
        self._statement(b"")

    def do_POST(self) -> None:
        """Answer a statement, or follow an order."""
        body = self._chunks() if "Transfer-Encoding" in self.headers else self._body()
        if self.headers.get("Content-Encoding") == "lz4":
            body = lz4.frame.decompress(body)
        if self.path == CONTROL:
            self._reply(200, json.dumps(self.engine.control(json.loads(body))).encode())
            return
        self.engine.counted(1)
        try:
            self._statement(body)
        finally:
            self.engine.counted(-1)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""

    def _statement(self, body: bytes) -> None:
        address = urlsplit(self.path)
        if address.path == "/ping":
            self._reply(200, b"Ok.\n")
            return
        parameters = dict(parse_qsl(address.query, keep_blank_values=True))
        statement = parameters.pop("query", "")
        if not statement:
            found = _DATA.search(body) if body.startswith(b"INSERT") else None
            end = found.end() if found else len(body)
            statement, body = body[:end].decode(), body[end:]
        fault = self.engine.fault(statement, parameters)
        if fault["kind"] in ("error", "status"):
            self._refuse(fault)
            return
        if fault["kind"] == "kill":
            threading.Timer(fault["seconds"], os.kill, (os.getpid(), signal.SIGKILL)).start()
        elif fault["kind"] == "stall":
            pause(fault["seconds"])
        elif fault["kind"] == "cut-before":
            self._reset()
            return
        try:
            output = self.engine.run(statement, body, parameters)
        except Exception as error:  # noqa: BLE001 - told to the client
            self._fail(str(error))
            return
        if fault["kind"] == "cut-after":
            self._reset()
        elif fault["kind"] == "cut-headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-ClickHouse-Progress: {}\r\n")
            self.close_connection = True
        else:
            self._reply(200, output)

    def _refuse(self, fault: dict[str, Any]) -> None:
        if fault["kind"] == "status":
            self._reply(fault["code"], b"<html>a proxy</html>")
        else:
            self._fail(f"Code: {fault['code']}. DB::Exception: {fault['message']}. (TOLD_TO)")

    def _fail(self, message: str) -> None:
        code = _CODE.search(message)
        headers = {"X-ClickHouse-Exception-Code": code[1] if code else "1002"}
        self._reply(500, message.encode(), headers)

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {"X-ClickHouse-Timezone": "UTC"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        """End the connection with a reset, without a reply."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        """Close what is still open."""
        with suppress(OSError, ValueError):
            super().finish()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def main(folder: str, port: str) -> None:
    """Serve until the process that started this one has ended."""

    def end_with_parent() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    _Front.engine = _Engine(folder)
    _Server((HOST, int(port)), _Front).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
