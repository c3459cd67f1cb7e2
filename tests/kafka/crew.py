"""Workers as processes: started with failpoints, killed, frozen, watched until they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from streams.failpoints import VARIABLE
from tests.support.waiting import until

ROOT: Final = Path(__file__).parents[2]
END_SECONDS: Final = 60


class Worker:
    """A process of tests/kafka/worker.py; `said` is what it told a person."""

    def __init__(
        self, folder: Path, bootstrap: str, prefix: str, slot: str, failpoints: str, **options: str
    ) -> None:
        self.slot = slot
        self._log = folder / f"worker-{slot}-{len(list(folder.iterdir()))}.log"
        named = [f"{name}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kafka.worker", bootstrap, prefix, slot, *named],
                cwd=ROOT,
                env=os.environ | {VARIABLE: failpoints, "PYTHONFAULTHANDLER": "1"},
                stderr=log,
            )

    @property
    def said(self) -> str:
        """Return what it said so far."""
        return self._log.read_text()

    @property
    def code(self) -> int | None:
        """Return how it ended, None while it has not."""
        return self._process.poll()

    @property
    def is_frozen(self) -> bool:
        """Return whether it stands still."""
        if self.code is not None:
            return False
        state = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def await_end(self, seconds: float = END_SECONDS) -> int:
        """Return its exit code once it has ended."""
        return self._process.wait(seconds)

    def await_frozen(self, seconds: float = END_SECONDS) -> None:
        """Return once it stands still at a failpoint."""
        until(lambda: self.is_frozen or self._gone(), seconds, "the worker stands still")

    def freeze(self) -> None:
        """Let it stand still."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does; nothing if it has ended."""
        self._process.kill()
        self._process.wait()

    def give_up(self) -> None:
        """Let it say where it stands, and end; nothing if it has ended."""
        if self.code is None:
            self._process.send_signal(signal.SIGABRT)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait()

    def stop(self) -> int:
        """End it as an operator does; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.await_end()

    def _gone(self) -> bool:
        assert self.code is None, f"worker ended with {self.code}: {self.said}"
        return False


class Crew:
    """The workers of one test on one cluster and prefix."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, opened: ExitStack) -> None:
        self.folder, self.bootstrap, self.prefix = folder, bootstrap, prefix
        self._opened = opened
        self._workers: list[Worker] = []

    def said(self) -> str:
        """Return what all of them said, and where those stand that have not ended: they end now."""
        for worker in self._workers:
            worker.give_up()
        return "\n".join(f"{each.slot} ({each.code}): {each.said}" for each in self._workers)

    def start(
        self, slot: str = "0", failpoints: str = "", bootstrap: str = "", **options: str
    ) -> Worker:
        """Start one."""
        at = bootstrap or self.bootstrap
        worker = Worker(self.folder, at, self.prefix, slot, failpoints, **options)
        self._workers.append(worker)
        self._opened.callback(worker.kill)
        return worker


@contextmanager
def crew_on(folder: Path, bootstrap: str, prefix: str) -> Iterator[Crew]:
    """Yield a crew whose workers are killed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        yield Crew(folder, bootstrap, prefix, opened)
