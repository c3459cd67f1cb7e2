"""What is the SQLite log's own, beside the contract of every log."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import pytest

from streams.clock import Deadline, ManualClock, pause
from streams.failpoints import FailpointReached
from streams.log import Busy, Consumer, Fenced, LogDamaged, OffsetRange, Outgoing, TopicPartition
from streams.sqlite_file import APPLICATION_ID, FORMAT, DiskFull
from streams.sqlite_lock import WriteLock
from streams.sqlite_log import SqliteLog
from tests.unit.streams import log_worker as worker

SCRIPT = str(Path(worker.__file__))
SHORT = timedelta(milliseconds=50)
LONG = timedelta(seconds=20)
NO_WAIT = timedelta(0)
GROUP = "journeys"

Open: TypeAlias = Callable[..., SqliteLog]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the log lies."""
    return tmp_path / "log"


@pytest.fixture
def open_log(path: Path) -> Iterator[Open]:
    """Yield what opens logs that wait only shortly for others; they are closed at the end."""
    opened: list[SqliteLog] = []

    def opening(**settings: object) -> SqliteLog:
        log = SqliteLog(path, clock=ManualClock(0), **{"wait": SHORT, **settings})  # type: ignore[arg-type]
        opened.append(log)
        return log

    yield opening
    for log in opened:
        log.close()


@pytest.fixture
def log(open_log: Open) -> SqliteLog:
    """Return an empty log."""
    return open_log()


def values(count: int) -> list[Outgoing]:
    """Return records without a key: they go to partition 0."""
    return [Outgoing(None, b"%d" % n) for n in range(count)]


def write(consumer: Consumer) -> None:
    """Write five outputs and one key of state."""
    with consumer.transaction() as transaction:
        transaction.produce("out", 0, values(5))
        transaction.put_state(0, [(b"k", b"v")])


def change(path: Path, *statements: str) -> None:
    """Change a closed file behind the log's back, as a damaged disk or another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as plain:
        for statement in statements:
            plain.execute(statement)


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start another process that uses the log."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> str:
    """Return the next line that the other process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


# Several processes


def test_two_processes_append_at_once(log: SqliteLog, path: Path) -> None:
    """Every record is there once, each process's own in the order it sent them."""
    workers = [start("append", str(path), name, "100") for name in ("a", "b")]
    for process in workers:
        process.communicate(timeout=60)
        assert process.returncode == 0
    (records,) = [records for p in range(4) if (records := log.read(worker.INPUT, p, 0, 1_000))]
    assert [record.offset for record in records] == list(range(200))
    for name in (b"a", b"b"):
        own = [r.value for r in records if r.value and r.value.startswith(name)]
        assert own == [b"%s:%d" % (name, n) for n in range(100)]


def test_an_append_of_another_process_ends_a_poll_at_once(log: SqliteLog, path: Path) -> None:
    """A waiting poll looks every few milliseconds: it returns long before its wait is over."""
    with start("own", str(path)) as process:
        assert told(process) == "owned"
        consumer = log.consumer("sink", [worker.INPUT])
        deadline = Deadline(LONG / 2)
        print("now", file=process.stdin, flush=True)
        assert [record.value for record in consumer.poll(10, LONG)] == [b"now"]
        assert deadline.seconds_left() > 0.0
        process.communicate()


def test_a_group_owned_by_another_process_is_free_when_that_dies(
    log: SqliteLog, path: Path
) -> None:
    """Busy, naming the group, as long as the owner lives; `kill -9` frees it."""
    with start("own", str(path)) as process:
        assert told(process) == "owned"
        with pytest.raises(Busy, match=GROUP):
            log.consumer(GROUP, [worker.INPUT])
        assert log.committed(GROUP).keys() == {TopicPartition(worker.INPUT, p) for p in range(4)}
        process.kill()
    consumer = log.consumer(GROUP, [worker.INPUT])
    with consumer.transaction() as transaction:
        transaction.produce(worker.OUTPUT, 0, values(1))
    assert log.end_offsets(worker.OUTPUT)[0] == 1


def test_an_owner_whose_lock_file_was_removed_is_fenced(
    log: SqliteLog, open_log: Open, path: Path
) -> None:
    """The lock keeps honest processes apart, the epoch in the file all others."""
    former = log.consumer(GROUP, [worker.INPUT])
    path.with_name(f"log.{GROUP}").unlink()
    owner = open_log().consumer(GROUP, [worker.INPUT])
    with pytest.raises(Fenced, match=GROUP), former.transaction():
        pass
    with owner.transaction() as transaction:
        transaction.put_state(0, [(b"k", b"v")])


def test_a_position_moved_behind_the_owners_back_fences_it(log: SqliteLog, path: Path) -> None:
    """A transaction starts from the offsets its owner knows, or it does not happen."""
    log.append(worker.INPUT, values(3))
    consumer = log.consumer(GROUP, [worker.INPUT])
    change(path, "UPDATE position SET next_offset = 2 WHERE stream = 1")
    with pytest.raises(Fenced, match="position"), consumer.transaction() as transaction:
        transaction.commit_offsets({TopicPartition(worker.INPUT, 0): 3})


def test_a_forked_child_may_not_use_the_log(log: SqliteLog) -> None:
    """SQLite connections and file locks do not survive a fork; using them is refused."""
    refused = 0
    child = os.fork()
    if child == 0:
        for use in (lambda: log.append("t", values(1)), lambda: log.read("t", 0, 0, 1)):
            try:
                use()
            except RuntimeError:
                refused += 1
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


# Busy and full


def test_a_writer_that_holds_the_log_too_long_makes_others_busy(log: SqliteLog, path: Path) -> None:
    """Appends and commits end with Busy, nothing written; reading goes on; later all works."""
    log.append("t", values(1))
    consumer = log.consumer(GROUP, ["t"])
    with path.with_name("log.write").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Busy, match=r"log\.write"):
            log.append("t", values(1))
        with pytest.raises(Busy, match=r"log\.write"), consumer.transaction() as transaction:
            transaction.produce("t", 0, values(1))
        assert len(consumer.poll(10, NO_WAIT)) == 1
        assert log.end_offsets("t")[0] == 1
    assert log.append("t", values(1)) == [OffsetRange("t", 0, 1, 2)]


@pytest.mark.parametrize("in_one_process", [True, False])
def test_who_writes_all_the_time_lets_others_write_too(path: Path, in_one_process: bool) -> None:
    """Who waits has a turn: whoever had the lock and wants it again comes after."""
    greedy = WriteLock(path.with_name("log.write"), LONG)
    other = greedy if in_one_process else WriteLock(path.with_name("log.write"), LONG)
    taken = 0
    done = threading.Event()

    def take_again_and_again() -> None:
        nonlocal taken
        while not done.is_set():
            with greedy.held():
                taken += 1
                pause(0.01)

    thread = threading.Thread(target=take_again_and_again)
    thread.start()
    try:
        for _ in range(20):
            before = taken
            with other.held():
                assert taken <= before + 2
    finally:
        done.set()
        thread.join()
        for lock in {greedy, other}:
            lock.close()


def test_a_program_that_locks_the_file_itself_makes_us_busy(log: SqliteLog, path: Path) -> None:
    """Whoever opens the file with SQLite's own tools and forgets a transaction."""
    log.append("t", values(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as outsider:
        outsider.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="another program"):
            log.append("t", values(1))
    assert log.end_offsets("t")[0] == 1


def test_a_full_disk_rolls_back_and_is_only_busy(log: SqliteLog) -> None:
    """Nothing is written, reading goes on, and with room the same call succeeds."""
    log.append("t", values(3))
    (pages,) = log._writer.execute("PRAGMA page_count").fetchone()
    log._writer.execute(f"PRAGMA max_page_count={pages + 2}")
    large = [Outgoing(None, bytes(100_000))]
    with pytest.raises(DiskFull, match="make room"):
        log.append("t", large)
    assert [record.offset for record in log.read("t", 0, 0, 10)] == [0, 1, 2]
    log._writer.execute(f"PRAGMA max_page_count={pages + 1_000}")
    assert log.append("t", large) == [OffsetRange("t", 0, 3, 4)]
    log.check()


def test_a_failure_inside_a_write_rolls_all_of_it_back(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs already written vanish with the transaction, and the next one has their offsets."""
    log.append("t", values(1))
    consumer = log.consumer(GROUP, ["t"])
    for step in ("S1", "S2", "S3", "S4"):
        monkeypatch.setenv("PNL_FAILPOINTS", f"{step}:1:raise")
        with pytest.raises(FailpointReached, match=step):
            write(consumer)
        monkeypatch.delenv("PNL_FAILPOINTS")
        assert log.end_offsets("out")[0] == 0
        assert consumer.state.load(0, b"") == []
    write(consumer)
    assert [record.offset for record in log.read("out", 0, 0, 10)] == [0, 1, 2, 3, 4]
    assert consumer.state.load(0, b"") == [(b"k", b"v")]


# Opening


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error says which folder to create."""
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        SqliteLog(tmp_path / "nowhere" / "log", clock=ManualClock(0))


def test_another_partition_count_is_refused(open_log: Open) -> None:
    """Keys would lie elsewhere than their history: the count is that of the file's creation."""
    open_log(partitions=2).close()
    with pytest.raises(ValueError, match="created with 2 partitions, the setting says 3"):
        open_log(partitions=3)
    assert open_log(partitions=2).partitions == 2


def test_no_partitions_are_refused(open_log: Open) -> None:
    """A topic has at least one."""
    with pytest.raises(ValueError, match="at least one"):
        open_log(partitions=0)


def test_a_newer_file_is_refused(open_log: Open, path: Path) -> None:
    """An older release must not write what it does not understand."""
    open_log().close()
    change(path, f"PRAGMA user_version={FORMAT + 1}")
    with pytest.raises(LogDamaged, match="newer release"):
        open_log()
    change(path, f"PRAGMA user_version={FORMAT}")
    open_log()


def test_a_foreign_file_is_refused(open_log: Open, path: Path) -> None:
    """Neither another program's database nor a text file is taken over."""
    change(path, "CREATE TABLE theirs (x)")
    with pytest.raises(LogDamaged, match="not an event log"):
        open_log()
    path.write_text("customer,amount\n" * 1_000)
    with pytest.raises(LogDamaged, match="not a database"):
        open_log()


def test_other_tools_can_tell_what_the_file_is(log: SqliteLog, path: Path) -> None:
    """The application id is in its header; the write-ahead log is on."""
    log.append("t", values(1))
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("name", ["", "write", "open", "a/b", "..", "x" * 101, "ä"])
def test_a_group_name_that_is_no_file_name_is_refused(log: SqliteLog, name: str) -> None:
    """A group's lock is a file beside the log."""
    with pytest.raises(ValueError, match="group"):
        log.consumer(name, ["t"])


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_durability_is_what_the_setting_says(open_log: Open, durability: str, level: int) -> None:
    """On every connection that writes."""
    log = open_log(durability=durability)
    consumer = log.consumer(GROUP, ["t"])
    for connection in (log._writer, consumer._connection):
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert connection.execute("PRAGMA mmap_size").fetchone() == (0,)


# Unclean stops and damage


def left_open(path: Path, *damage: str, boot_id: str | None = None) -> None:
    """Make a closed file look as if its process had died, after some damage."""
    change(path, *damage, "UPDATE meta SET value = 'open' WHERE name = 'stop'")
    if boot_id is not None:
        change(path, f"UPDATE meta SET value = '{boot_id}' WHERE name = 'boot_id'")


def test_how_the_log_was_left_is_known(open_log: Open, path: Path) -> None:
    """Closed, killed, or gone with the machine: the store may have lost rows only then."""
    log = open_log()
    log.append("t", values(3))
    assert log.last_stop == "clean"
    log.close()
    left_open(path)
    log = open_log()
    assert log.last_stop == "killed"
    assert open_log().last_stop == "clean", "it is in use, nobody left it"


def test_a_restart_of_the_machine_is_told_from_a_kill(open_log: Open, path: Path) -> None:
    """The boot id that was stored is another one's."""
    open_log().close()
    left_open(path, boot_id="an earlier one")
    assert open_log().last_stop == "rebooted"


def test_the_last_to_close_marks_the_stop_as_clean(open_log: Open, path: Path) -> None:
    """As long as others have the log open it is in use."""
    first, second = open_log(), open_log()
    first.close()
    with closing(sqlite3.connect(path)) as plain:
        mark = "SELECT value FROM meta WHERE name = 'stop'"
        assert plain.execute(mark).fetchone() == ("open",)
    second.close()
    with closing(sqlite3.connect(path)) as plain:
        assert plain.execute(mark).fetchone() == ("clean",)


DAMAGE = {
    "a block is gone": ("DELETE FROM block WHERE base_offset = 2", "t/0: .* before offset 4"),
    "the first block is gone": (
        "DELETE FROM block WHERE base_offset = 0",
        "t/0: .* before offset 2",
    ),
    "the last block is gone": ("DELETE FROM block WHERE base_offset = 4", "t/0: 4 offsets"),
    "blocks overlap": ("UPDATE block SET next_offset = 3 WHERE base_offset = 0", "t/0: "),
    "a group is ahead": (
        "UPDATE position SET next_offset = 7 WHERE stream = 1",
        "stands at offset 7",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_log_that_does_not_add_up_is_not_opened(open_log: Open, path: Path, damage: str) -> None:
    """After an unclean stop counts, ranges and positions are checked, and the place is named."""
    statement, message = DAMAGE[damage]
    log = open_log()
    for _ in range(3):
        log.append("t", values(2))
    log.consumer(GROUP, ["t"])
    log.close()
    left_open(path, statement)
    with pytest.raises(LogDamaged, match=message):
        open_log()


def test_damaged_pages_are_found_after_an_unclean_stop(open_log: Open, path: Path) -> None:
    """Every page is looked at, not only those that the next reader happens to need."""
    log = open_log()
    for _ in range(20):
        log.append("t", [Outgoing(b"%d" % n, bytes(100)) for n in range(400)])
    consumer = log.consumer(GROUP, ["t"])
    with consumer.transaction() as transaction:
        transaction.put_state(0, [(b"%d" % n, bytes(100)) for n in range(1_000)])
    log.close()
    left_open(path)
    content = bytearray(path.read_bytes())
    for page in range(3 * 8192, len(content), 8192):
        content[page : page + 16] = b"\xff" * 16
    path.write_bytes(content)
    with pytest.raises(LogDamaged, match="restore it from a copy"):
        open_log()


def test_a_damaged_block_is_never_read(open_log: Open, path: Path) -> None:
    """One bit off is enough; the place is named, other blocks can still be read."""
    log = open_log()
    log.append("t", [Outgoing(None, bytes(1_000))])
    log.append("t", values(2))
    log.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as plain:
        (body,) = plain.execute("SELECT body FROM block WHERE base_offset = 0").fetchone()
        damaged = body[:500] + b"\x01" + body[501:]
        plain.execute("UPDATE block SET body = ? WHERE base_offset = 0", (damaged,))
    log = open_log()
    with pytest.raises(LogDamaged, match="t/0: the block at offset 0"):
        log.read("t", 0, 0, 10)
    with pytest.raises(LogDamaged, match="t/0: the block at offset 0"):
        log.consumer(GROUP, ["t"]).poll(10, NO_WAIT)
    with pytest.raises(LogDamaged, match="t/0: the block at offset 0"):
        log.check()
    assert len(log.read("t", 0, 1, 10)) == 2


# Its own features


def test_a_new_epoch_outlives_the_process(open_log: Open) -> None:
    """Whoever rewound the log says so once; from then on it is another life."""
    log = open_log()
    assert log.epoch == 1
    assert log.new_epoch() == 2
    assert log.epoch == 2
    log.close()
    assert open_log().epoch == 2


def test_registered_groups_are_listed(log: SqliteLog) -> None:
    """One that stopped for good holds back retention, so a person must be able to see it."""
    log.consumer("sink", ["t"]).close()
    log.consumer(GROUP, ["t"])
    assert log.groups() == [GROUP, "sink"]


def test_ten_megabytes_in_one_record_are_stored(log: SqliteLog) -> None:
    """A record above the block size is a block of its own; one above the limit is refused."""
    large = bytes(10 * 2**20)
    log.append("t", [Outgoing(None, b"before"), Outgoing(None, large), Outgoing(None, b"after")])
    assert [r.value for r in log.read("t", 0, 0, 10)] == [b"before", large, b"after"]
    with pytest.raises(ValueError, match="the log takes"):
        log.append("t", [Outgoing(None, bytes(65 * 2**20))])
    assert log.end_offsets("t")[0] == 3


def test_the_write_ahead_log_is_bounded(log: SqliteLog, path: Path) -> None:
    """Checkpoints of our own keep it near 32 MiB, whatever is written."""
    for _ in range(40):
        log.append("t", [Outgoing(None, bytes(3 * 2**20))])
    assert 0 < log.file.wal_bytes() < 48 * 2**20
    assert path.stat().st_size > 60 * 2**20
    log.check()


def test_a_consumer_that_stands_on_removed_records_stops(log: SqliteLog, path: Path) -> None:
    """Going on at the oldest record kept would lose records in silence."""
    for _ in range(3):
        log.append("t", values(2))
    consumer = log.consumer(GROUP, ["t"])
    change(
        path,
        "DELETE FROM block WHERE base_offset = 0",
        "UPDATE stream SET start_offset = 2 WHERE id = 1",
    )
    with pytest.raises(LogDamaged, match="stands at 0, the oldest record kept is 2"):
        consumer.poll(10, NO_WAIT)
