"""A sink in a process of its own, from a SQLite log into a server: exits 0 once all is stored.

python -m tests.sink.program LOG DSN
"""

import sys
from datetime import timedelta
from pathlib import Path

from sinks.sink import Sink
from sinks.store import Store
from streams.clock import SystemClock
from streams.sqlite_log import SqliteLog
from streams.topics import STORED_NAMES


def main(folder: str, dsn: str) -> None:
    """Copy until the sink has passed all there is."""
    store = Store.open(dsn)
    log = SqliteLog(Path(folder), clock=SystemClock())
    sink = Sink(log, store, linger=timedelta())
    while sink.step(timedelta(milliseconds=20)) or any(
        end > sink.progress()[place]
        for place in sink.progress()
        for end in (log.end_offsets(place.topic)[place.partition],)
    ):
        pass
    assert set(STORED_NAMES) == {place.topic for place in sink.progress()}


if __name__ == "__main__":
    main(*sys.argv[1:])
