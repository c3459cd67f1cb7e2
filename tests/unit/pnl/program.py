"""The program as a person runs it: a command in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pnl.control import ask
from streams.clock import Deadline, pause
from tests.support import forked

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
COMMAND = (sys.executable, "-c", "from pnl.cli import main; main()")
PATIENCE = timedelta(seconds=240)


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a process: ours without settings, and what is given."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PNL_")}
    return plain | variables


def pnl(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return forked.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        environment=environment(**variables),
        seconds=PATIENCE.total_seconds(),
    )


def answer(*arguments: str | Path, cwd: Path) -> Any:
    """Run a command that must succeed; return the JSON it prints."""
    done = pnl(*arguments, "--format", "json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def start(*arguments: str | Path, cwd: Path, stdin: bool = False) -> subprocess.Popen[str]:
    """Start a command and do not wait for its end."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_answering(process: subprocess.Popen[str], data: Path) -> None:
    """Wait until a server answers on its socket."""
    deadline = Deadline(PATIENCE)
    while ask(data / "control.sock", "status", {}) is None:
        assert process.poll() is None, process.communicate()
        assert deadline.seconds_left(), "the server does not answer"
        pause(0.02)


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> tuple[int, float]:
    """End a process by a signal; return its exit code and how many seconds it took."""
    deadline = Deadline(PATIENCE)
    process.send_signal(how)
    code = process.wait(timeout=PATIENCE.total_seconds())
    return code, PATIENCE.total_seconds() - deadline.seconds_left()


@contextmanager
def server(*arguments: str | Path, data: Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a server meanwhile."""
    process = start(*arguments, "--data", data, cwd=cwd)
    try:
        until_answering(process, data)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def apart_from_periods(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a statement without what the period job works out, which a server does in its time."""
    lines = [line for line in statement["lines"] if line["line"] not in ("C2", "C7")]
    totals = [each for each in statement["totals"] if each["total"] in ("A", "B")]
    rest = {name: value for name, value in statement.items() if name != "payroll"}
    return rest | {"lines": lines, "totals": totals}
