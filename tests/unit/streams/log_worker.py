"""A process that uses a log, to be killed by its tests: `python log_worker.py WORK PATH [...]`."""

import sys
from datetime import timedelta
from pathlib import Path

from streams.clock import ManualClock, SystemClock
from streams.log import Outgoing, TopicPartition
from streams.sqlite_consumer import SqliteConsumer
from streams.sqlite_log import SqliteLog
from streams.sqlite_trim import DAY_MS
from streams.topics import Topic

INPUT, OUTPUT, SCRATCH, LATEST = "contacts", "pnl.ledger.v1", "scratch", "latest"
EXPIRING = Topic(name=SCRATCH, key="none", policy="expire", retention_days=1)
COMPACTED = Topic(name=LATEST, key="number", policy="compact")
RECORDS = 60
AN_APPEND = 6
KEYS = 4


def say(line: str) -> None:
    """Tell the test at once what is certain."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def append_the_rest(log: SqliteLog) -> None:
    """Append records 0 .. RECORDS - 1 to partition 0, going on from what is there."""
    first = log.end_offsets(INPUT)[0]
    while first < RECORDS:
        numbers = range(first, min(RECORDS, first + AN_APPEND))
        (given,) = log.append(INPUT, [Outgoing(None, b"%d" % n) for n in numbers])
        assert (given.start, given.end) == (numbers.start, numbers.stop)
        first = given.end
        say(f"appended {first} wal {log.file.wal_bytes()}")


def process_the_rest(consumer: SqliteConsumer) -> None:
    """Copy input to output, keep count and sum as state, and replace a few keys over and over."""
    while records := consumer.poll(7, timedelta(0)):
        kept = dict(consumer.state.load(0, b""))
        count = int(kept.get(b"count", b"0")) + len(records)
        total = int(kept.get(b"sum", b"0")) + sum(int(r.value or b"0") for r in records)
        with consumer.transaction() as transaction:
            transaction.produce(OUTPUT, 0, [Outgoing(None, r.value) for r in records])
            latest = [Outgoing(b"%d" % (r.offset % KEYS), r.value) for r in records]
            transaction.produce(LATEST, 0, latest)
            transaction.produce(SCRATCH, 0, latest)
            transaction.put_state(0, [(b"count", b"%d" % count), (b"sum", b"%d" % total)])
            transaction.commit_offsets({TopicPartition(INPUT, 0): records[-1].offset + 1})
        say(f"committed {records[-1].offset + 1}")


def work(path: Path) -> None:
    """Do all there is to do, from wherever an earlier process was killed."""
    log = SqliteLog(path, clock=ManualClock(0))
    say(f"opened {log.last_stop}")
    append_the_rest(log)
    consumer = log.consumer("journeys", [INPUT])
    process_the_rest(consumer)
    for topic in (EXPIRING, COMPACTED):
        for _ in range(4):
            log.trim(topic, 2 * DAY_MS)
    log.close()


def append(path: Path, name: str, count: int) -> None:
    """Append records one at a time, beside others who do the same."""
    log = SqliteLog(path, clock=SystemClock())
    for n in range(count):
        log.append(INPUT, [Outgoing(b"same", f"{name}:{n}".encode())])
    log.close()


def own(path: Path) -> None:
    """Own a group until killed, or told to append."""
    log = SqliteLog(path, clock=SystemClock())
    log.consumer("journeys", [INPUT])
    say("owned")
    for line in sys.stdin:
        log.append(INPUT, [Outgoing(None, line.strip().encode())])
        say("appended")


if __name__ == "__main__":
    work_name, path_given, *rest = sys.argv[1:]
    if work_name == "append":
        append(Path(path_given), rest[0], int(rest[1]))
    else:
        {"work": work, "own": own}[work_name](Path(path_given))
