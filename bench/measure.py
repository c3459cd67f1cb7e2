"""One measurement in a process of its own: prints one JSON object, exits 1 if a result is wrong.

python -m bench.measure journeys|pipeline EVENTS
python -m bench.measure freshness EVENTS_PER_SECOND SECONDS
"""

import gc
import json
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.load import POLICY, Expected, facts, partition_of
from pnl.datafolder import DataFolder
from pnl.engine import JourneysHandler
from pnl.pipeline import Pipeline, outputs_end
from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from pnl.runtime import tune_collector
from pnl.settings import Settings
from sinks.store import Store
from sinks.verify import verify
from streams.clock import SystemClock
from streams.log import Outgoing, Record, TopicPartition
from streams.runner import Runner
from streams.sqlite_log import SqliteLog
from streams.topics import DEAD_LETTERS, INPUT_NAMES, ORDER_FACTS

PARTITIONS = 4
BATCH = 10_000
LOGGED_AT = 4_000_000_000_000


def peak_mb() -> float:
    """Return the largest resident size so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def figures(events: int, seconds: float, cpu_seconds: float, **more: object) -> dict[str, object]:
    """Return the figures of a run."""
    return {
        "events": events,
        "events_per_s": round(events / seconds),
        "cpu_us_per_event": round(cpu_seconds / events * 1e6, 1),
        "peak_mb": peak_mb(),
        **more,
    }


class NothingStored:
    """The state of who keeps every customer in memory."""

    def load(self, partition: int, prefix: bytes) -> list[tuple[bytes, bytes]]:
        """Nothing is stored: every customer stays hot."""
        return []

    def load_each(self, partition: int, prefixes: list[bytes]) -> list[list[tuple[bytes, bytes]]]:
        """Nothing is stored."""
        return [[] for _ in prefixes]

    def shelves(self, partition: int) -> Iterator[bytes]:
        """Nothing is stored."""
        return iter(())


class _Memory:
    """A consumer over records in memory that counts what is written to it."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._at = 0
        self.out_bytes = 0
        self.state_bytes = 0
        self.outputs: dict[str, list[bytes | None]] = {}
        self.state = NothingStored()

    def committed(self) -> dict[TopicPartition, int]:
        """Begin at the beginning."""
        return {TopicPartition(t, p): 0 for t in INPUT_NAMES for p in range(PARTITIONS)}

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the next records."""
        polled = self._records[self._at : self._at + records_max]
        self._at += len(polled)
        return polled

    @property
    def assignment(self) -> int:
        """One owner has all."""
        return 0

    def keep(self) -> None:
        """Nothing to keep."""

    def rewind(self) -> None:
        """Never happens: nothing fails here."""
        raise AssertionError

    @contextmanager
    def transaction(self) -> Iterator["_Memory"]:
        """Commit nothing."""
        yield self

    def produce(self, topic: str, partition: int, records: list[Outgoing]) -> None:
        """Count bytes; keep the attributions for the gate."""
        self.out_bytes += sum(len(record.value or b"") for record in records)
        if topic in (ORDER_FACTS, DEAD_LETTERS):
            self.outputs.setdefault(topic, []).extend(record.value for record in records)

    def put_state(self, partition: int, changes: list[tuple[bytes, bytes | None]]) -> None:
        """Count bytes."""
        self.state_bytes += sum(len(value or b"") for _, value in changes)

    def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Count nothing."""

    def close(self) -> None:
        """Nothing to close."""


def journeys(events: int) -> dict[str, object]:
    """Decode, process, encode outputs and state; the log is a list in memory."""
    offsets: dict[tuple[str, int], int] = {}
    records = []
    expected = Expected()
    for topic, key, value, expected in facts(events):  # noqa: B007
        partition = partition_of(key, PARTITIONS)
        offset = offsets.get((topic, partition), 0)
        offsets[topic, partition] = offset + 1
        records.append(Record(topic, partition, offset, LOGGED_AT, key, value))
    gc.collect()
    gc.freeze()
    before_mb = peak_mb()
    consumer = _Memory(records)
    handler = JourneysHandler(POLICY, code_version="bench", hot_facts=10**9)
    runner = Runner(consumer, handler, epoch=1, code_version="bench", records_max=BATCH)
    started, cpu = time.perf_counter(), time.process_time()
    while runner.step(timedelta(0)):
        pass
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    latest: dict[str, int] = {}
    for value in consumer.outputs[ORDER_FACTS]:
        order = json.loads(value or b"{}")
        if order["kind"] != "cancellation":
            latest[order["order_id"]] = order["net_effect_minor"]
    gate("net of all orders", sum(latest.values()), expected.net_minor)
    gate("dead letters", len(consumer.outputs.get(DEAD_LETTERS, [])), 0)
    grown = (peak_mb() - before_mb) * 1024 * 1024
    return figures(
        expected.facts,
        seconds,
        cpu,
        out_bytes_per_event=round(consumer.out_bytes / expected.facts),
        state_bytes_per_event=round(consumer.state_bytes / expected.facts),
        hot_bytes_per_customer=round(grown / len(expected.customers)),
        facts_per_customer=round(expected.facts / len(expected.customers), 1),
    )


def gate(what: str, seen: object, right: object) -> None:
    """Exit with 1 unless a result is right."""
    if seen != right:
        sys.exit(f"bench: wrong result, {what}: {seen} instead of {right}")


@contextmanager
def running(folder: Path) -> Iterator[Pipeline]:
    """Run journeys and sink on a new data folder."""
    data = DataFolder(folder)
    data.prepare()
    clock = SystemClock()
    store = Store.open(f"chdb://{data.store.resolve()}")
    store.migrate()
    log = SqliteLog(data.log, clock=clock)
    pipeline = Pipeline(log, store, POLICY, clock, Settings())
    yield pipeline
    pipeline.stop()
    if pipeline.fault is not None:
        raise pipeline.fault
    log.close()
    store.close()


def pipeline_run(events: int) -> dict[str, object]:
    """Append, journeys, sink, report: from the first append until the statement is right."""
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as pipeline:
        log = pipeline.log
        loads, expected = [], Expected()
        batch: dict[str, list[Outgoing]] = {}
        for topic, key, value, expected in facts(events):  # noqa: B007
            batch.setdefault(topic, []).append(Outgoing(key, value))
            if sum(map(len, batch.values())) >= BATCH:
                loads.append(batch)
                batch = {}
        loads.append(batch)
        gc.collect()
        gc.freeze()
        started, cpu = time.perf_counter(), time.process_time()
        pipeline.start()
        ends: dict[TopicPartition, int] = {}
        for load in loads:
            for topic, outgoing in load.items():
                for given in log.append(topic, outgoing):
                    ends[TopicPartition(given.topic, given.partition)] = given.end
        appended = time.perf_counter() - started
        wait_for(pipeline, lambda: reached(log.committed("journeys"), ends))
        applied = time.perf_counter() - started
        last = outputs_end(log)
        wait_for(pipeline, lambda: reached(log.committed("sink"), last))
        reports = Reports(pipeline.store, POLICY, SystemClock())
        statement = reports.statement(Scope(start=None, end=None, currency=POLICY.currency))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        seen = statement.reconciliation
        gate("orders", seen.orders_minor, expected.orders_minor)
        cancelled = pipeline.store.query(
            "SELECT sum(net_effect_minor) AS minor FROM v_orders WHERE kind = 'cancellation'"
        )[0]["minor"]
        gate("refunds", seen.refunds_minor - cancelled, expected.refunds_minor)
        gate("adjustments", seen.adjustments_minor, expected.adjustments_minor)
        gate("laws broken", verify(pipeline.store), [])
        return figures(
            expected.facts,
            seconds,
            cpu,
            append_s=round(appended, 2),
            applied_s=round(applied, 2),
            stored_and_reported_s=round(seconds, 2),
        )


def reached(committed: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> bool:
    """Say whether a group has read up to these ends."""
    return all(committed.get(place, 0) >= end for place, end in ends.items())


def wait_for(pipeline: Pipeline, done: Callable[[], bool]) -> None:
    """Wait until a condition holds or a thread of the pipeline fails."""
    while not done():
        if pipeline.stopping.wait(0.02):
            raise pipeline.fault or RuntimeError("the pipeline stopped")


def freshness(per_second: int, seconds: int) -> dict[str, object]:
    """Append at a steady rate; measure from the append of a contact to its row in the store."""
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as pipeline:
        log, store = pipeline.log, pipeline.store
        load = [(t, Outgoing(k, v)) for t, k, v, _ in facts(per_second * seconds)]
        gc.collect()
        gc.freeze()
        pipeline.start()
        appended: dict[tuple[int, int], float] = {}
        seen: dict[tuple[int, int], float] = {}
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                rows = store.query(
                    "SELECT src_partition AS p, max(src_offset) AS o FROM v_ledger"
                    " WHERE src_topic = 'contacts' GROUP BY p"
                )
                now = time.perf_counter()
                for row in rows:
                    for place in [x for x in appended if x[0] == row["p"] and x[1] <= row["o"]]:
                        seen.setdefault(place, now)
                over.wait(0.05)

        watcher = threading.Thread(target=watch)
        watcher.start()
        cpu = time.process_time()
        started = time.perf_counter()
        tick = max(1, per_second // 20)
        for first in range(0, len(load), tick):
            due = started + first / per_second
            over.wait(max(0.0, due - time.perf_counter()))
            batch: dict[str, list[Outgoing]] = {}
            for topic, outgoing in load[first : first + tick]:
                batch.setdefault(topic, []).append(outgoing)
            for topic, outgoing in batch.items():
                at = time.perf_counter()
                for given in log.append(topic, outgoing):
                    if topic == "contacts":
                        appended[given.partition, given.end - 1] = at
        wait_for(pipeline, lambda: len(seen) == len(appended) or store_done(pipeline))
        over.wait(0.5)
        over.set()
        watcher.join()
        gate("contacts seen", len(seen), len(appended))
        waits = sorted(seen[place] - appended[place] for place in appended)
        return {
            "events": len(load),
            "per_second": per_second,
            "p50_ms": round(statistics.median(waits) * 1000),
            "p95_ms": round(waits[int(len(waits) * 0.95)] * 1000),
            "max_ms": round(waits[-1] * 1000),
            "cpu_us_per_event": round((time.process_time() - cpu) / len(load) * 1e6, 1),
            "peak_mb": peak_mb(),
        }


def store_done(pipeline: Pipeline) -> bool:
    """Say whether the store has all that journeys wrote."""
    return reached(pipeline.log.committed("sink"), outputs_end(pipeline.log))


def main(arguments: list[str]) -> None:
    """Run the measurement named."""
    tune_collector()
    what, numbers = arguments[0], [int(text) for text in arguments[1:]]
    measures: dict[str, Any] = {
        "journeys": journeys,
        "pipeline": pipeline_run,
        "freshness": freshness,
    }
    print(json.dumps({"measure": what, **measures[what](*numbers)}))


if __name__ == "__main__":
    main(sys.argv[1:])
