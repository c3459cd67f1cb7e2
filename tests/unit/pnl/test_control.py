"""The control socket: one request, one answer."""

import errno
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from pnl.control import Answer, ControlServer, ask
from pnl.errors import CheckFailed, UserError


def handle(op: str, args: Mapping[str, Any]) -> Answer:
    """Answer as a holder of the folder would, well or badly."""
    if op == "wrong":
        raise UserError("--by hour is no dimension.")
    if op == "failed":
        raise CheckFailed("The log is damaged.")
    if op == "broken":
        raise KeyError("x")
    return Answer(text=f"{op} {args['n']} £\n" * args.get("times", 1), failed=op == "verify")


def test_an_answer_comes_back_as_it_was_given(tmp_path: Path) -> None:
    """Text and outcome survive the way, however long the text."""
    with closing(ControlServer(tmp_path / "s", handle)):
        assert ask(tmp_path / "s", "report", {"n": 1}) == Answer("report 1 £\n", failed=False)
        assert ask(tmp_path / "s", "verify", {"n": 2}) == Answer("verify 2 £\n", failed=True)
        long = ask(tmp_path / "s", "report", {"n": 1, "times": 200_000})
        assert long == Answer("report 1 £\n" * 200_000)


def test_errors_come_back_as_the_same_class(tmp_path: Path) -> None:
    """Who asked ends as if it had done the work itself; who answered goes on."""
    with closing(ControlServer(tmp_path / "s", handle)):
        with pytest.raises(UserError, match="--by hour is no dimension"):
            ask(tmp_path / "s", "wrong", {})
        with pytest.raises(CheckFailed, match="The log is damaged"):
            ask(tmp_path / "s", "failed", {})
        with pytest.raises(CheckFailed, match="The request failed: KeyError"):
            ask(tmp_path / "s", "broken", {})
        assert ask(tmp_path / "s", "report", {"n": 1}) is not None


def test_nobody_there_is_none(tmp_path: Path) -> None:
    """No socket, or one that a killed process left behind: the command does the work itself."""
    assert ask(tmp_path / "s", "report", {}) is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(tmp_path / "s"))
    assert (tmp_path / "s").exists()
    assert ask(tmp_path / "s", "report", {}) is None


def test_a_deep_folder_is_reached(tmp_path: Path) -> None:
    """A socket's address is short; a folder's path need not be."""
    deep = tmp_path / ("x" * 90) / ("y" * 90)
    deep.mkdir(parents=True)
    with closing(ControlServer(deep / "control.sock", handle)):
        assert ask(deep / "control.sock", "report", {"n": 1}) == Answer("report 1 £\n")


def test_only_the_owner_may_ask(tmp_path: Path) -> None:
    """The socket is closed to other users."""
    with closing(ControlServer(tmp_path / "s", handle)):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "s").exists()


def test_who_finds_the_queue_full_waits_for_room(tmp_path: Path) -> None:
    """The kernel turns them away at once, though somebody is there who will answer."""
    path = tmp_path / "s"
    found: list[Answer | None] = []
    asking = threading.Thread(target=lambda: found.append(ask(path, "report", {}, 30)))
    with closing(socket.socket(socket.AF_UNIX)) as server, ExitStack() as others:
        server.bind(str(path))
        server.listen(0)
        server.settimeout(10)
        refused = 0
        while refused != errno.EAGAIN:
            other = others.enter_context(socket.socket(socket.AF_UNIX))
            other.setblocking(False)
            refused = other.connect_ex(str(path))
        asking.start()
        asking.join(timeout=0.1)
        others.close()
        while not found:
            with server.accept()[0] as connection, connection.makefile("rwb") as stream:
                if stream.readline():
                    stream.write(b'{"text": "yes", "failed": false}\n')
                    stream.flush()
                    asking.join(timeout=30)
    assert found == [Answer("yes")]


def test_many_may_ask_at_once(tmp_path: Path) -> None:
    """Every one of fifty requests at the same time is answered."""
    found: list[Answer | None] = []
    with closing(ControlServer(tmp_path / "s", handle)):
        threads = [
            threading.Thread(target=lambda: found.append(ask(tmp_path / "s", "report", {"n": 1})))
            for _ in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
    assert found == [Answer("report 1 £\n")] * 50
