"""The SQLite log under `kill -9` and power loss: nothing lost, nothing doubled."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from streams.clock import ManualClock
from streams.log import TopicPartition
from streams.sqlite_log import SqliteLog
from tests.unit.streams import log_worker as worker

SCRIPT = Path(worker.__file__)
ALL = [b"%d" % n for n in range(worker.RECORDS)]
KILLS = {
    "S0": (1, 2, 6),
    "S1": (1, 2, 3, 9, 14),
    "S2": (1, 4, 8, 13),
    "S3": (1, 2, 5),
    "S4": (1, 2, 3, 9, 14),
    "S6": (1, 2, 9, 14),
    "S7": (1, 2),
    "S8": (1, 2),
    "S10": (1,),
    "S12": (1,),
}


def run(path: Path, failpoints: str = "", prefix: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """Run the worker to its end, or to that of its life; return its exit code and what it said."""
    done = subprocess.run(
        [*prefix, sys.executable, str(SCRIPT), "work", str(path)],
        env={**os.environ, "PNL_FAILPOINTS": failpoints},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def assured(said: list[str], what: str) -> int:
    """Return how far the worker was told that it had come."""
    return max((int(line.split()[1]) for line in said if line.startswith(what)), default=0)


def assert_all_done(path: Path) -> None:
    """Every input is there once and in order, so is every output, and the state is their sum."""
    log = SqliteLog(path, clock=ManualClock(0))
    assert log.last_stop == "clean"
    log.check()
    assert [r.value for r in log.read(worker.INPUT, 0, 0, 1_000)] == ALL
    assert [r.value for r in log.read(worker.OUTPUT, 0, 0, 1_000)] == ALL
    assert log.committed("journeys") == {
        TopicPartition(worker.INPUT, partition): worker.RECORDS if partition == 0 else 0
        for partition in range(4)
    }
    state = log.consumer("journeys", [worker.INPUT]).state.load(0, b"")
    assert dict(state) == {b"count": b"60", b"sum": b"%d" % sum(range(60))}
    newest = {r.key: r.value for r in log.read(worker.LATEST, 0, 0, 1_000)}
    assert newest == {b"%d" % (n % worker.KEYS): ALL[n] for n in range(56, 60)}
    assert len(log.read(worker.LATEST, 0, 0, 1_000)) == worker.KEYS
    assert log.read(worker.SCRATCH, 0, 0, 1_000) == []
    assert log.start_offsets(worker.SCRATCH) == log.end_offsets(worker.SCRATCH)
    log.close()


@pytest.mark.parametrize("step", KILLS)
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path: Path, step: str) -> None:
    """Killed at one step time and again, then left alone: the result is that of one quiet run."""
    path = tmp_path / "log"
    killed = 0
    for nth in KILLS[step]:
        code, said = run(path, f"{step}:{nth}:kill")
        assert code in (0, -signal.SIGKILL)
        killed += code == -signal.SIGKILL
        left = SqliteLog(path, clock=ManualClock(0))
        in_use = code != 0 and said != [] and step not in ("S7", "S12")
        assert left.last_stop == ("killed" if in_use else "clean")
        assert left.end_offsets(worker.INPUT)[0] >= assured(said, "appended")
        committed = left.committed("journeys").get(TopicPartition(worker.INPUT, 0), 0)
        assert committed >= assured(said, "committed")
        assert left.end_offsets(worker.OUTPUT)[0] == committed
        left.close()
    assert killed, "the step was never reached"
    assert run(path)[0] == 0
    assert_all_done(path)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_a_kill_inside_a_commit_loses_and_doubles_nothing(tmp_path: Path, call: str) -> None:
    """Killed at a write or a flush that SQLite makes, the log goes on as if it had been before."""
    path = tmp_path / "log"
    log = SqliteLog(path, clock=ManualClock(0))
    log.close()
    chosen = random.Random(7)
    killed = 0
    for _ in range(6):
        nth = chosen.randrange(2, 60 if call == "pwrite64" else 20)
        inject = f"inject={call}:signal=KILL:when={nth}"
        code, said = run(path, prefix=("strace", "-f", "-qq", "-o", "/dev/null", "-e", inject))
        if code == 1 and not said:
            not_run = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            not_run("strace may not trace here")
        killed += code != 0
        left = SqliteLog(path, clock=ManualClock(0))
        assert left.end_offsets(worker.INPUT)[0] >= assured(said, "appended")
        committed = left.committed("journeys").get(TopicPartition(worker.INPUT, 0), 0)
        assert committed >= assured(said, "committed")
        assert left.end_offsets(worker.OUTPUT)[0] == committed
        left.close()
    assert killed, "no call was reached"
    assert run(path)[0] == 0
    assert_all_done(path)


def appended_images(folder: Path) -> tuple[bytes, bytes, list[tuple[int, int]]]:
    """Return a file, its write-ahead log, and after which of its bytes how much was assured."""
    path = folder / "traced"
    code, said = run(path, "S10:1:kill")
    assert code == -signal.SIGKILL
    marks = [
        (int(line.split()[3]), int(line.split()[1])) for line in said if line.startswith("appended")
    ]
    assert len(marks) == worker.RECORDS // worker.AN_APPEND
    return path.read_bytes(), Path(f"{path}-wal").read_bytes(), marks


def opened_after(folder: Path, base: bytes, wal: bytes) -> list[bytes | None]:
    """Lay an image down as a crash left it, and return the records found in it."""
    folder.mkdir()
    (folder / "log").write_bytes(base)
    (folder / "log-wal").write_bytes(wal)
    log = SqliteLog(folder / "log", clock=ManualClock(0))
    log.check()
    found = [record.value for record in log.read(worker.INPUT, 0, 0, 1_000)]
    log.close()
    return found


@pytest.mark.parametrize("tail", ["missing", "zero", "noise"])
def test_power_loss_takes_no_more_than_what_was_not_flushed(tmp_path: Path, tail: str) -> None:
    """Whatever the disk made of what came after the last flush, what was before it is there.

    Every flush is an acknowledged append. Between two of them an image may hold part of the next
    one; it must then hold none of it, and of the earlier ones all: no hole, no half.
    """
    base, wal, marks = appended_images(tmp_path)
    chosen = random.Random(len(tail))
    start = marks[0][0]
    for number in range(17):
        cut = chosen.randrange(start, len(wal))
        lost = len(wal) - cut
        rest = {"missing": b"", "zero": bytes(lost), "noise": chosen.randbytes(lost)}[tail]
        found = opened_after(tmp_path / str(number), base, wal[:cut] + rest)
        assured_then = max(count for end, count in marks if end <= cut)
        assert found == ALL[: len(found)], cut
        assert len(found) == assured_then, cut


def test_a_power_cut_in_a_checkpoint_is_healed_by_the_write_ahead_log(tmp_path: Path) -> None:
    """Any mixture of old and new pages in the file gives the same records."""
    base, wal, _ = appended_images(tmp_path)
    done = tmp_path / "done"
    shutil.copy(tmp_path / "traced", done)
    shutil.copy(tmp_path / "traced-wal", f"{done}-wal")
    plain = sqlite3.connect(done)
    (page_bytes,) = plain.execute("PRAGMA page_size").fetchone()
    plain.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    plain.close()
    full = done.read_bytes()
    assert len(full) > len(base), "the checkpoint moved nothing"
    chosen = random.Random(3)
    for number in range(20):
        pages = [
            chosen.choice((base[at : at + page_bytes], full[at : at + page_bytes]))
            for at in range(0, len(full), page_bytes)
        ]
        laid = b"".join(page.ljust(page_bytes, b"\0") for page in pages)
        assert opened_after(tmp_path / str(number), laid, wal) == ALL
