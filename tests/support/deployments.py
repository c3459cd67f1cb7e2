"""The whole program as an operator runs it, as processes that can be killed and measured."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from pnl.datafolder import DataFolder
from pnl.opening import open_kafka
from pnl.settings_load import load
from streams.clock import SystemClock
from streams.failpoints import VARIABLE
from streams.log import EventLog
from streams.sqlite_log import SqliteLog
from tests.support.kafka_broker import Cluster
from tests.unit.pnl.program import COMMAND, environment, pnl

ROOT: Final = Path(__file__).parents[2]
Process: TypeAlias = "subprocess.Popen[bytes]"


class Deployment(Protocol):
    """Where the program runs: a log, and parts that are processes."""

    log: EventLog
    parts: tuple[str, ...]

    def start(self, part: str, failpoints: str = "") -> Process:
        """Start a part, which may be armed to die at a step."""
        ...


class OneProcess:
    """A data folder and the one process that serves it."""

    parts: tuple[str, ...] = ("run",)

    def __init__(self, folder: Path) -> None:
        self._folder, self._said = folder, folder / "said.txt"
        DataFolder(folder).prepare()
        self.log: EventLog = SqliteLog(folder / "log.sqlite", clock=SystemClock())

    def start(self, part: str, failpoints: str = "") -> Process:
        """Start it."""
        del part
        with self._said.open("ab") as said:
            command = [sys.executable, "-m", "tests.support.serving", str(self._folder)]
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(**{VARIABLE: failpoints}),
                stdout=said,
                stderr=subprocess.STDOUT,
            )


class Workers:
    """A cluster with our topics, and the workers between a contact and its alert."""

    parts: tuple[str, ...] = ("journeys", "signals", "alerts")

    def __init__(self, folder: Path, cluster: Cluster, partitions: int = 2) -> None:
        self._folder = folder
        (folder / "pnl.toml").write_text(
            f"""
[log]
kind = "kafka"
replication = 1
partitions = {partitions}
transaction_timeout_ms = 6000
[log.client]
bootstrap.servers = "{cluster.bootstrap}"
session.timeout.ms = 6000
heartbeat.interval.ms = 500
""",
            "utf-8",
        )
        done = pnl("topics", "apply", "--data", folder, cwd=folder)
        if done.returncode:
            raise RuntimeError(done.stderr)
        self.log: EventLog = open_kafka(load(folder).settings, slot="test")

    def start(self, part: str, failpoints: str = "") -> Process:
        """Start a worker."""
        with (self._folder / f"{part}.txt").open("ab") as said:
            command = [*COMMAND, "worker", part, "--data", str(self._folder), "--port", "0"]
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment(**{VARIABLE: failpoints}),
                stdout=said,
                stderr=said,
            )


@contextmanager
def running(deployment: Deployment) -> Iterator[dict[str, Process]]:
    """Run every part meanwhile; what is left at the end is killed."""
    processes = {part: deployment.start(part) for part in deployment.parts}
    try:
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
