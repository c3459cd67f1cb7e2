"""The loops and the supervisor: who waits, who is started again, who ends all."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from pnl.errors import Exit
from pnl.health import Health
from pnl.metrics import Metrics
from pnl.workers.process import Stopping, patiently
from pnl.workers.stepping import BACKOFF_MAX, Backoff, Stepping
from pnl.workers.supervisor import Supervisor
from sinks.store_errors import Remedy, StoreError
from streams.log import Busy, Fenced
from tests.support.waiting import until

LIMIT = timedelta(seconds=10)


class Steps:
    """A worker whose steps end as they are told; it stops after the last."""

    def __init__(self, ends: Sequence[int | Exception], stopping: threading.Event) -> None:
        self.ends = list(ends)
        self._stopping = stopping

    def step(self, wait: timedelta) -> int:
        """Make a step."""
        del wait
        end = self.ends.pop(0)
        if not self.ends:
            self._stopping.set()
        if isinstance(end, Exception):
            raise end
        return end


def stepped(ends: Sequence[int | Exception]) -> tuple[Stepping, Metrics]:
    """Run a worker to its last step."""
    metrics, stopping = Metrics(CollectorRegistry()), threading.Event()
    stepping = Stepping("journeys", Steps(ends, stopping), metrics, stopping, Health())
    stepping.run()
    return stepping, metrics


def test_batches_are_counted_and_timed() -> None:
    """A step without records is no batch."""
    _, metrics = stepped([5, 0, 7])
    labels = {"worker": "journeys", "outcome": "committed"}
    assert metrics.registry.get_sample_value("pnl_batches_total", labels) == 2
    assert metrics.registry.get_sample_value("pnl_batch_seconds_count", {"worker": "journeys"}) == 2


def test_a_busy_log_is_waited_for_and_told() -> None:
    """It ends nothing; while it lasts the worker is not ready."""
    stepping, metrics = stepped([Busy("no broker answers")])
    labels = {"worker": "journeys", "outcome": "busy"}
    assert metrics.registry.get_sample_value("pnl_batches_total", labels) == 1
    assert stepping.busy == "no broker answers"
    assert stepped([Busy("no broker answers"), 1])[0].busy is None


def test_anything_else_ends_the_loop() -> None:
    """Who was fenced makes no further step."""
    with pytest.raises(Fenced):
        stepped([Fenced("another worker"), 1])


def test_waits_grow_to_a_bound_with_jitter() -> None:
    """So there is no tight loop, and no common beat."""
    backoff = Backoff()
    waits = [backoff.next() for _ in range(20)]
    assert waits[0] <= timedelta(milliseconds=100) < waits[5]
    assert all(BACKOFF_MAX / 2 <= wait <= BACKOFF_MAX for wait in waits[-5:])
    assert len(set(waits[-5:])) > 1
    backoff.reset()
    assert backoff.next() <= timedelta(milliseconds=100)


def test_what_does_not_answer_at_first_is_tried_again() -> None:
    """A log or store out of reach is waited for; what a person must look at is not."""
    tries: list[Exception] = [Busy("x"), StoreError("x", 210, Remedy.RETRY)]

    def make() -> str:
        if tries:
            raise tries.pop(0)
        return "made"

    assert patiently(make, threading.Event(), Health()) == "made"
    tries.append(StoreError("no rights", 497, Remedy.STOP))
    with pytest.raises(StoreError):
        patiently(make, threading.Event(), Health())
    stopped = threading.Event()
    stopped.set()
    assert patiently(make, stopped, Health()) is None


def python(code: str) -> Callable[[str, int], Sequence[str]]:
    """Return the command of children that run some Python with their slot as `slot`."""
    return lambda slot, _: (sys.executable, "-c", f"import os, time\nslot = {slot!r}\n{code}")


def supervised(
    code: str, during: Callable[[Supervisor, Stopping], object] = lambda *_: None
) -> tuple[int, list[str], Supervisor]:
    """Run two slots until they end; return exit code and what was said."""
    said: list[str] = []
    stopping = Stopping(LIMIT)
    supervisor = Supervisor(["a", "b"], python(code), stopping, said.append, LIMIT)
    helper = threading.Thread(target=during, args=(supervisor, stopping))
    helper.start()
    ended = supervisor.run()
    helper.join()
    return int(ended), said, supervisor


def test_an_end_that_a_restart_cannot_mend_ends_all(tmp_path: Path) -> None:
    """Its exit code is the supervisor's; the others are told to stop."""
    code = (
        f"import signal, sys\n"
        f"def end(*_):\n    open({str(tmp_path / 'told')!r}, 'w').close(); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, end)\n"
        f"if slot == 'b': time.sleep(1); sys.exit({Exit.DAMAGED:d})\n"
        f"time.sleep(60)"
    )
    ended, said, supervisor = supervised(code)
    assert ended == Exit.DAMAGED
    assert said == ["Worker b ended with 4; all are stopped."]
    assert (tmp_path / "told").exists()
    assert not any(child.is_running for child in supervisor.children)


@pytest.mark.parametrize("how", [f"os._exit({Exit.LOG_FAILED:d})", "os.kill(os.getpid(), 9)"])
def test_an_end_that_a_restart_can_mend_is_one_slots_alone(how: str, tmp_path: Path) -> None:
    """It is started again in its slot after a wait, and counted by its code."""
    mark = tmp_path / "once"
    code = (
        f"if slot == 'b' and not os.path.exists({str(mark)!r}):\n"
        f"    open({str(mark)!r}, 'w').close(); {how}\n"
        f"open({str(tmp_path)!r} + '/' + slot, 'w').close(); time.sleep(60)"
    )

    def stop_when_both_run(_: Supervisor, stopping: Stopping) -> None:
        until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists(), 60, "both run")
        stopping.set()

    ended, said, supervisor = supervised(code, stop_when_both_run)
    assert ended == 0
    assert len(said) == 1
    assert said[0].endswith("it is started again.")
    assert b"pnl_worker_restarts_total" in supervisor.text()


def test_the_figures_of_all_processes_are_one_answer() -> None:
    """Each with its slot; ready are all or none."""
    code = (
        "import socket\nfrom pnl.health import Health, HealthServer\n"
        "fd = int(os.environ['FD'])\nhealth = Health()\n"
        "if slot == 'b': health.need(lambda: 'b restores')\n"
        "text = b'# TYPE pnl_records counter\\npnl_records_total{topic=\"orders\"} 3.0\\n'\n"
        "HealthServer(socket.socket(fileno=fd), health, lambda: text)\ntime.sleep(60)"
    )
    seen: list[str] = []

    def look(supervisor: Supervisor, stopping: Stopping) -> None:
        until(lambda: supervisor.text().count(b'topic="orders"') == 2, 60, "both answer")
        seen.append(supervisor.text().decode())
        seen.extend(supervisor.health().missing())
        stopping.set()

    stopping = Stopping(LIMIT)
    supervisor = Supervisor(
        ["a", "b"],
        lambda slot, fd: ("env", f"FD={fd}", *python(code)(slot, fd)),
        stopping,
        lambda _: None,
        LIMIT,
    )
    helper = threading.Thread(target=look, args=(supervisor, stopping))
    helper.start()
    assert supervisor.run() == 0
    helper.join()
    assert 'pnl_records_total{slot="a",topic="orders"} 3.0' in seen[0]
    assert 'pnl_records_total{slot="b",topic="orders"} 3.0' in seen[0]
    assert len(seen) == 2
    assert "b restores" in seen[1]


def test_a_worker_that_does_not_stop_in_time_is_left() -> None:
    """Whatever a step is doing, the process ends; nothing of it is committed."""
    code = (
        "import os, signal, threading\nfrom datetime import timedelta\n"
        "from pnl.workers.process import Stopping\n"
        "stopping = Stopping(timedelta(milliseconds=300))\nstopping.on_signals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nthreading.Event().wait(60)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == Exit.INTERRUPTED
