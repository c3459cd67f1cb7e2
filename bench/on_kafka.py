"""The product on a real broker: `make bench-kafka`. Each figure stands behind a correctness gate.

python -m bench.on_kafka journeys EVENTS      the full worker, then the restore of its state
python -m bench.on_kafka freshness RATE SECONDS   event appended to visible in the view
"""

import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from confluent_kafka.cimpl import NewTopic

from bench.load import POLICY, Expected, facts
from bench.measure import gate
from pnl.engine import GROUP, JourneysWorker
from pnl.runtime import tune_collector
from sinks.sink import GROUP as SINK
from sinks.sink import Sink
from sinks.store import Store
from streams.kafka_clients import KafkaProducerClient, LibrdkafkaClients
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import Outgoing, TopicPartition
from streams.topics import DEAD_LETTERS, INPUT_NAMES, ORDER_FACTS, STATES, TOPICS
from tests.support.chdb_http import ChdbServer
from tests.support.kafka_broker import Cluster

PARTITIONS: Final = 4
APPEND: Final = 20_000
STEP: Final = timedelta(milliseconds=200)
WARM: Final = 0.2
"""The first fifth is not measured: customers are new, files are cold."""


def settings(bootstrap: str, slot: str = "0") -> KafkaSettings:
    """Return what a worker is told."""
    return KafkaSettings(client={"bootstrap.servers": bootstrap}, slot=slot, states=STATES)


def open_log(bootstrap: str, slot: str = "0") -> KafkaLog:
    """Open the log as a worker does."""
    return KafkaLog(settings(bootstrap, slot))


def create_topics(cluster: Cluster) -> None:
    """Create our topics."""
    compact = {"cleanup.policy": "compact"}
    names = dict.fromkeys([*TOPICS, *STATES.values()])
    admin = cluster.admin()
    new = [
        NewTopic(name, PARTITIONS, config=compact if name in STATES.values() else {})
        for name in names
    ]
    for future in admin.create_topics(new).values():
        future.result(30)


def cpu_seconds() -> float:
    """Return what this process has used, all its threads, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident_mb() -> float:
    """Return the resident size now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def journeys_process(bootstrap: str, events: int, figures: Connection) -> None:
    """Apply so many records, and say what it cost."""
    tune_collector()
    log = open_log(bootstrap)
    empty_mb = resident_mb()
    worker = JourneysWorker(log, POLICY, code_version="bench")
    done = 0
    begun: tuple[int, float, float] | None = None
    while done < events:
        done += worker.step(STEP)
        if begun is None and done >= WARM * events:
            begun = done, time.perf_counter(), cpu_seconds()
    assert begun is not None
    counted = done - begun[0]
    figures.send(
        {
            "events_per_s": round(counted / (time.perf_counter() - begun[1])),
            "cpu_us_per_event": round((cpu_seconds() - begun[2]) / counted * 1e6, 1),
            "grown_mb": resident_mb() - empty_mb,
        }
    )
    worker.close()
    log.close()


def restore_process(bootstrap: str, figures: Connection) -> None:
    """Own every partition, and say what reading the state cost."""
    tune_collector()
    log = open_log(bootstrap)
    empty_mb = resident_mb()
    consumer = log.consumer(GROUP, INPUT_NAMES)
    started, cpu = 0.0, 0.0
    while not consumer.committed():
        consumer.keep()
        if not started and not consumer.is_settled:
            started, cpu = time.perf_counter(), cpu_seconds()
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    keys = sum(state.keys for state in consumer.state.partitions.values())
    records = consumer.restored_records
    figures.send(
        {
            "records": records,
            "keys": keys,
            "records_per_s": round(records / seconds),
            "cpu_us_per_record": round(cpu / records * 1e6, 2),
            "state_mb": round(resident_mb() - empty_mb, 1),
        }
    )
    consumer.close()
    log.close()


def in_process(target: Callable[..., None], *arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    """Run a measurement in a process of its own; return its figures."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(*arguments, theirs))
    process.start()
    theirs.close()
    try:
        figures: dict[str, Any] = ours.recv()
    except EOFError:
        sys.exit(f"bench: {target.__name__} ended without figures")
    process.join()
    return figures


def append_load(log: KafkaLog, events: int) -> Expected:
    """Append the load; return what it must come to."""
    expected = Expected()
    batch: dict[str, list[Outgoing]] = {}
    for topic, key, value, expected in facts(events):  # noqa: B007
        part = batch.setdefault(topic, [])
        part.append(Outgoing(key, value))
        if len(part) >= APPEND:
            log.append(topic, batch.pop(topic))
    for topic, part in batch.items():
        log.append(topic, part)
    return expected


def journeys(events: int) -> Iterator[dict[str, Any]]:
    """Measure the worker from a full topic, then the restore of the state that it left."""
    with tempfile.TemporaryDirectory() as name, Cluster(Path(name), quick=False) as cluster:
        create_topics(cluster)
        log = open_log(cluster.bootstrap, "load")
        expected = append_load(log, events)
        found = in_process(journeys_process, cluster.bootstrap, expected.facts)
        grown = found.pop("grown_mb") * 2**20 / len(expected.customers)
        latest: dict[str, int] = {}
        for value in values(log, ORDER_FACTS):
            order = json.loads(value)
            if order["kind"] != "cancellation":
                latest[order["order_id"]] = order["net_effect_minor"]
        gate("net of all orders", sum(latest.values()), expected.net_minor)
        gate("dead letters", len(list(values(log, DEAD_LETTERS))), 0)
        yield {
            "measure": "journeys on Kafka",
            "events": expected.facts,
            **found,
            "customers": len(expected.customers),
            "bytes_per_customer": round(grown),
        }
        yield {"measure": "restore", **in_process(restore_process, cluster.bootstrap)}
        log.close()


def values(log: KafkaLog, topic: str) -> Iterator[bytes]:
    """Yield every committed value of a topic."""
    for partition in range(PARTITIONS):
        start = 0
        while records := log.read(topic, partition, start, APPEND):
            yield from (record.value for record in records if record.value is not None)
            start = records[-1].offset + 1


def role(bootstrap: str, which: str, dsn: str, stop: Event, figures: Connection) -> None:
    """Run a worker until it is told to stop, and say what it cost."""
    tune_collector()
    log = open_log(bootstrap)
    if which == GROUP:
        worker: Any = JourneysWorker(log, POLICY, code_version="bench")
    else:
        store = Store.open(dsn)
        worker = Sink(log, store)
    while not stop.is_set():
        worker.step(STEP)
    figures.send(cpu_seconds())
    worker.close()
    log.close()


@contextmanager
def workers(cluster: Cluster, dsn: str) -> Iterator[dict[str, Callable[[], float]]]:
    """Run journeys and sink, each in its process; yields what ends one and returns its CPU."""
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Callable[[], float]] = {}
    started = []
    for which in (GROUP, SINK):
        stop, (ours, theirs) = context.Event(), context.Pipe()
        process = context.Process(
            target=role, args=(cluster.bootstrap, which, dsn, stop, theirs), daemon=True
        )
        process.start()

        def end(stop: Event = stop, ours: Connection = ours) -> float:
            stop.set()
            return float(ours.recv())

        ends[which] = end
        started.append(process)
    yield ends
    for process in started:
        process.join(30)


def freshness(per_second: int, seconds: int) -> Iterator[dict[str, Any]]:
    """Append at a steady rate; measure from the append to the batch in the store's view.

    Batch records are written last: where one is seen, all that it accounts for is there.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        Cluster(Path(name) / "kafka", quick=False) as cluster,
        ChdbServer(Path(name) / "store") as server,
    ):
        create_topics(cluster)
        store = Store.open(server.dsn)
        store.migrate()
        load = [(topic, Outgoing(k, v)) for topic, k, v, _ in facts(per_second * seconds)]
        log = open_log(cluster.bootstrap, "load")
        log.append(load[0][0], [load[0][1]])
        producer = LibrdkafkaClients().producer(
            {**settings(cluster.bootstrap).producer(), "linger.ms": 1}, on_error=print
        )
        with workers(cluster, server.dsn) as ends:
            while not stored(store):
                time.sleep(0.1)
            waits = paced(producer, load[1:], per_second, lambda: stored(store))
            cpu = {which: end() for which, end in ends.items()}
        waits = sorted(waits[int(WARM * len(waits)) :])
        gate("dead letters", len(list(values(log, DEAD_LETTERS))), 0)
        log.close()
        yield {
            "measure": "freshness",
            "events": len(load),
            "per_second": per_second,
            "p50_ms": round(statistics.median(waits) * 1000),
            "p95_ms": round(waits[int(len(waits) * 0.95)] * 1000),
            "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000),
            **{f"{which}_cpu_us": round(used / len(load) * 1e6, 1) for which, used in cpu.items()},
        }


def stored(store: Store) -> dict[TopicPartition, int]:
    """Return up to where each input partition is accounted for in the store's view."""
    rows = store.query(
        "SELECT src_topic, src_partition, max(end_offset) AS up_to FROM v_batch_sources"
        " GROUP BY src_topic, src_partition"
    )
    return {TopicPartition(r["src_topic"], r["src_partition"]): r["up_to"] for r in rows}


def paced(
    producer: KafkaProducerClient,
    load: list[tuple[str, Outgoing]],
    per_second: int,
    stored_to: Callable[[], Mapping[TopicPartition, int]],
) -> list[float]:
    """Produce at the rate; return each record's wait in s, in the order they were stored."""
    waiting: dict[TopicPartition, deque[tuple[int, float]]] = defaultdict(deque)
    waits: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set() or any(waiting.values()):
            up_to = stored_to()
            now = time.perf_counter()
            for place, queue in list(waiting.items()):
                while queue and queue[0][0] < up_to.get(place, 0):
                    waits.append(now - queue.popleft()[1])
            time.sleep(0.05)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    started = time.perf_counter()
    for number, (topic, record) in enumerate(load):
        due = started + number / per_second
        while (now := time.perf_counter()) < due:
            producer.poll(min(0.005, due - now))

        def delivered(error: object, message: Any, at: float = now) -> None:  # noqa: ANN401
            gate("an error of the load", error, None)
            place = TopicPartition(message.topic(), message.partition())
            waiting[place].append((message.offset(), at))

        producer.produce(topic, record.value, record.key, on_delivery=delivered)
    producer.flush(30)
    held = time.perf_counter() - started
    gate("the load was held", held < 1.1 * len(load) / per_second + 1, right=True)
    over.set()
    watching.join(60)
    gate("records stored", len(waits), len(load))
    return waits


def main(arguments: list[str]) -> None:
    """Run the measurement named, and print its figures as they come."""
    what, numbers = arguments[0], [int(text) for text in arguments[1:]]
    measures: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
        "journeys": journeys,
        "freshness": freshness,
    }
    for found in measures[what](*numbers):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
