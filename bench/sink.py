"""How fast the sink copies the log into a server over HTTP: `python -m bench.sink [EVENTS]`.

Prints one JSON object: rows a second, CPU of the sink's process and of the engine's a row. The
server is chDB behind the tests' HTTP front, in a process of its own. The log is read from a SQLite
file, as in the embedded product. Exits 1 unless the store holds what the log does, every law.
"""

import cProfile
import gc
import json
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bench.load import POLICY, facts
from bench.measure import BATCH, gate
from pnl.engine import JourneysWorker
from pnl.runtime import tune_collector
from sinks.sink import Sink
from sinks.store import Store
from sinks.verify import verify
from streams.clock import SystemClock
from streams.log import Outgoing
from streams.sqlite_log import SqliteLog
from streams.topics import OUTPUT_NAMES
from tests.support.chdb_http import ChdbServer

NOW = timedelta()
UNFOLDED = (
    ("count() - uniqExact(log_partition, log_offset)", "v_ledger"),
    ("count()", "v_batch_sources"),
)
"""Rows beyond one a record: a ledger record has an entry or more, a batch record some sources."""


def written_log(folder: Path, events: int) -> SqliteLog:
    """Return a log with the outputs of some events."""
    log = SqliteLog(folder, clock=SystemClock())
    batch: dict[str, list[Outgoing]] = {}
    for number, (topic, key, value, _) in enumerate(facts(events)):
        batch.setdefault(topic, []).append(Outgoing(key, value))
        if number % BATCH == BATCH - 1:
            for name, outgoing in batch.items():
                log.append(name, outgoing)
            batch.clear()
    for name, outgoing in batch.items():
        log.append(name, outgoing)
    worker = JourneysWorker(log, POLICY, code_version="bench")
    while worker.step(NOW):
        pass
    worker.close()
    return log


@contextmanager
def profiled(wanted: bool) -> Iterator[None]:
    """Print what took the time, on standard error, if wanted."""
    if not wanted:
        yield
        return
    with cProfile.Profile() as profile:
        yield
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)


def main(events: int) -> None:
    """Measure once."""
    tune_collector()
    with (
        tempfile.TemporaryDirectory() as name,
        ChdbServer(Path(name) / "store") as server,
    ):
        log = written_log(Path(name) / "log", events)
        store = Store.open(server.dsn)
        store.migrate()
        records = sum(sum(log.end_offsets(topic).values()) for topic in OUTPUT_NAMES)
        gc.collect()
        gc.freeze()
        sink = Sink(log, store)
        engine, cpu, started = server.cpu_seconds(), time.process_time(), time.perf_counter()
        with profiled("PROFILE" in os.environ):
            while sink.step(NOW):
                pass
        seconds = time.perf_counter() - started
        cpu, engine = time.process_time() - cpu, server.cpu_seconds() - engine
        rows = records + sum(
            store.query(f"SELECT {extra} AS n FROM {table}")[0]["n"] for extra, table in UNFOLDED
        )
        gate("laws broken", verify(store), [])
        gate(
            "batches",
            store.query("SELECT count() AS n FROM v_batches"),
            [{"n": sum(log.end_offsets("pnl.batches.v1").values())}],
        )
        sink.close()
        store.close()
        log.close()
    print(
        json.dumps(
            {
                "measure": "sink",
                "events": events,
                "records": records,
                "rows": rows,
                "rows_per_s": round(rows / seconds),
                "cpu_us_per_row": round(cpu / rows * 1e6, 2),
                "rows_per_cpu_s": round(rows / cpu),
                "engine_cpu_us_per_row": round(engine / rows * 1e6, 2),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
