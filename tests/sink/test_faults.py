"""Whatever happens to the server or to the sink, in the end each record is shown once."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from processors.policy import Policy
from sinks.sink import GROUP, Sink
from sinks.store import Store
from sinks.store_errors import StoreError
from sinks.verify import verify
from streams.clock import Deadline, ManualClock, Stopwatch
from streams.failpoints import VARIABLE
from streams.log import Outgoing, TopicPartition
from streams.memory_log import MemoryLog
from streams.sqlite_log import SqliteLog
from streams.topics import CONTACT_FACTS, STORED_NAMES
from tests.sink.conftest import TIMEOUT
from tests.support.chdb_http import ROOT, ChdbServer, Fault
from tests.support.facts import BASE, DAY
from tests.support.results import book, contact_record, entry, put
from tests.support.stored import NOW, append, journey, memory_log
from tests.support.trade import net_minor, trade
from tests.support.waiting import until

NET = "SELECT -sum(toInt128(amount_minor)) AS net FROM v_ledger WHERE line = 'net'"
SECOND = timedelta(seconds=1)


def assert_right(store: Store, days: int) -> None:
    """Check every law and the money."""
    assert verify(store) == []
    assert store.query(NET) == [{"net": net_minor(days)}]


def ends(log: MemoryLog) -> dict[TopicPartition, int]:
    """Return the ends of all outputs."""
    return {
        TopicPartition(topic, number): end
        for topic in STORED_NAMES
        for number, end in log.end_offsets(topic).items()
    }


def feed(log: MemoryLog, first: int, days: int) -> None:
    """Let the facts of some days come and be processed."""
    append(log, trade(days, first))
    journey(log)


@contextmanager
def running(log: MemoryLog, store: Store) -> Iterator[Sink]:
    """Run a sink in a thread; an error of it fails the test."""
    sink = Sink(log, store, linger=NOW)
    over = threading.Event()
    errors: list[BaseException] = []

    def loop() -> None:
        try:
            while not over.is_set():
                sink.step(timedelta(milliseconds=50))
        except BaseException as error:
            errors.append(error)
            raise

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield sink
    finally:
        over.set()
        thread.join()
    assert errors == []


def settled(sink: Sink, log: MemoryLog, seconds: float = 60.0) -> None:
    """Wait until all is stored and summed up."""
    assert sink.wait_until(ends(log), timedelta(seconds=seconds)), sink.trouble


def test_fifty_cut_connections_lose_nothing(server: ChdbServer, store: Store) -> None:
    """Cut before or after the rows were applied, or within the reply: each record is there once."""
    chance = random.Random(1)
    log = memory_log(2)
    with running(log, store) as sink:
        for day in range(50):
            kind = chance.choice(["cut-before", "cut-after", "cut-headers"])
            server.break_next(Fault(kind=kind))  # type: ignore[arg-type]
            feed(log, day, 1)
            until(lambda: server.pending() == 0, 20, "the connection was cut")
            settled(sink, log)
    assert_right(store, 50)


def test_a_server_killed_in_the_middle_of_inserts_is_made_good(
    server: ChdbServer, store: Store
) -> None:
    """Killed ten times while it applies: what was applied in part is written again, and shown once.

    The batch goes to several tables and months, so a kill leaves some of it written.
    """
    chance = random.Random(2)
    log = memory_log(2)
    with running(log, store) as sink:
        for first in range(0, 300, 30):
            server.break_next(
                Fault(
                    kind="kill",
                    matching=chance.choice(["INTO ledger", "INTO contacts", "INTO batches"]),
                    seconds=chance.choice([0.0, 0.002, 0.005, 0.01]),
                )
            )
            feed(log, first, 30)
            server.wait()
            server.start()
            settled(sink, log)
    assert_right(store, 300)


def test_an_outage_is_ridden_out_and_drained(server: ChdbServer, store: Store) -> None:
    """While the server is down nothing is committed; then all drains in twice the time at most."""
    log = memory_log(2)
    with running(log, store) as sink:
        feed(log, 0, 10)
        settled(sink, log)
        server.kill()
        outage = Stopwatch()
        committed = log.committed(GROUP)
        for first in range(10, 110, 10):
            feed(log, first, 10)
        until(lambda: outage.elapsed() > timedelta(seconds=8), 20, "the outage is over")
        assert log.committed(GROUP) == committed
        assert sink.trouble is not None
        lasted = outage.elapsed()
        server.start()
        draining = Stopwatch()
        settled(sink, log, 60)
        assert draining.elapsed() <= 2 * lasted
        until(lambda: sink.trouble is None, 20, "all is well")
    assert_right(store, 110)


def test_a_frozen_server_is_waited_for(server: ChdbServer, store: Store) -> None:
    """A server that stops answering costs timeouts; rows it applies late are repeats."""
    log = memory_log(2)
    with running(log, store) as sink:
        feed(log, 0, 20)
        server.stop()
        feed(log, 20, 20)
        until(lambda: sink.trouble is not None, 20, "the sink has noticed")
        server.resume()
        settled(sink, log)
    assert_right(store, 40)


def test_a_slow_server_gets_fewer_larger_batches(server: ChdbServer, store: Store) -> None:
    """When every insert takes half a second, batches gather for longer: nobody falls behind."""
    log = memory_log(2)
    with running(log, store) as sink:
        feed(log, 0, 1)
        settled(sink, log)
        server.break_next(Fault(kind="stall", times=10_000, seconds=0.5))
        before = len(server.statements("INTO ledger"))
        for day in range(1, 41):
            feed(log, day, 1)
            sink.wait_until(ends(log), timedelta(milliseconds=200))
        inserts = len(server.statements("INTO ledger")) - before
        server.heal()
        settled(sink, log)
    assert 1 <= inserts <= 20
    assert_right(store, 41)


def test_an_insert_that_never_ends_in_time_goes_in_halves(server: ChdbServer, store: Store) -> None:
    """A server that cannot do a batch in time gets parts of it, then whole ones again."""
    log = memory_log(1)
    for n in range(16):
        book(log, entry(n))
    server.break_next(Fault(kind="stall", matching="INTO ledger", times=2, seconds=3))
    sink = Sink(log, store, linger=NOW)
    deadline = Deadline(timedelta(seconds=30))
    while not sink.step(SECOND):
        assert deadline.seconds_left() > 0
    assert len(server.statements("INTO ledger")) >= 1 + 1 + 4  # 16, 8, then four of 4
    assert store.query("SELECT sum(amount_minor) AS s FROM v_ledger") == [{"s": sum(range(16))}]


@pytest.mark.parametrize("code", [210, 241, 242, 252, 319, 999])
def test_a_passing_error_is_waited_out(server: ChdbServer, store: Store, code: int) -> None:
    """Load, space, quorum, read-only: the same rows again, whichever table it hits."""
    log = memory_log(2)
    feed(log, 0, 5)
    for table in ("ledger", "contacts", "batches ", "rollup_hourly", "progress"):
        server.break_next(Fault(kind="error", code=code, matching=f"INTO {table}"))
    with running(log, store) as sink:
        settled(sink, log)
    assert server.pending() == 0
    assert_right(store, 5)


@pytest.mark.parametrize("code", [16, 60, 497, 516, 4_242])
def test_an_error_of_ours_stops_the_sink(server: ChdbServer, store: Store, code: int) -> None:
    """Schema, rights or a code nobody knows: the sink ends with the server's words."""
    log = memory_log(2)
    feed(log, 0, 2)
    server.break_next(Fault(kind="error", code=code, message="told so", matching="INTO orders"))
    sink = Sink(log, store, linger=NOW)
    with pytest.raises(StoreError, match="told so"):
        sink.step(NOW)
    assert set(log.committed(GROUP).values()) == {0}


def test_poison_among_many_is_found_and_named(server: ChdbServer, store: Store) -> None:
    """Three records the server refuses end as dead letters; the hundreds around them are stored."""
    del server
    log = memory_log(1)
    for n in range(300):
        put(log, CONTACT_FACTS, contact_record(f"c{n}", 1))
        book(log, entry(1, effective_at=BASE + n % 3 * 31 * DAY))
        if n in (0, 150, 299):
            log.append(CONTACT_FACTS, [Outgoing(b"k", b'{"started_at":"x"}')])
    with running(log, store) as sink:
        settled(sink, log)
        until(lambda: sink.progress()[TopicPartition(CONTACT_FACTS, 0)] == 303, 20, "all passed")
        settled(sink, log)
    assert store.query("SELECT count() AS n FROM v_contacts") == [{"n": 300}]
    assert store.query("SELECT count() AS n FROM v_ledger") == [{"n": 300}]
    letters = store.query("SELECT src_topic, src_offset FROM v_dead_letters ORDER BY ALL")
    assert [(row["src_topic"], row["src_offset"]) for row in letters] == [
        (CONTACT_FACTS, offset) for offset in (1, 152, 302)
    ]


@pytest.fixture
def file_log(tmp_path: Path) -> Path:
    """Return the folder of a SQLite log with the outputs of 40 days."""
    log = SqliteLog(tmp_path / "log", clock=ManualClock(BASE + 365 * DAY))
    append(log, trade(40))
    journey(log, Policy())
    log.close()
    return tmp_path / "log"


def sink_process(folder: Path, server: ChdbServer, armed: str = "") -> subprocess.Popen[str]:
    """Start a sink in a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sink.program", str(folder), server.dsn],
        cwd=ROOT,
        env=os.environ | {VARIABLE: armed},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("step", ["K0:1", "K1:3", "K2:2", "K3:1", "K4:2", "K5:1", "K6:1"])
def test_a_killed_sink_is_made_good_by_the_next(
    file_log: Path, server: ChdbServer, store: Store, step: str
) -> None:
    """After a kill at any step the next sink completes the store."""
    killed = sink_process(file_log, server, f"{step}:kill")
    _, said = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, said
    following = sink_process(file_log, server)
    _, said = following.communicate(timeout=60)
    assert following.returncode == 0, said
    assert_right(store, 40)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 64 MB; not run where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        not_run = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        not_run("not run: no right to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_waited_out(small_disk: Path) -> None:
    """A server without space makes the sink wait; when there is space again nothing is missing."""
    log = memory_log(2)
    with ChdbServer(small_disk / "store") as server:
        store = Store.open(server.dsn, timeout=10 * TIMEOUT)
        store.migrate()
        ballast = small_disk / "ballast"
        with running(log, store) as sink:
            feed(log, 0, 10)
            settled(sink, log)
            fill(ballast)
            feed(log, 10, 30)
            until(lambda: sink.trouble is not None, 60, "the disk is full")
            assert not sink.wait_until(ends(log), SECOND)
            ballast.unlink()
            settled(sink, log, 120)
        assert_right(store, 40)
        store.close()


def fill(path: Path) -> None:
    """Write a file until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


def test_all_steps_are_tried() -> None:
    """The steps tried here are the failpoints of the sink, all of them."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "sinks").glob("*.py"))
    steps = {f"K{number}" for number in range(10) if f'failpoint("K{number}")' in sources}
    assert steps == {"K0", "K1", "K2", "K3", "K4", "K5", "K6"}
