"""Where a worker's microseconds go: `python -m bench.parts EVENTS`, on a real broker.

Each part is timed by the CPU clock of its thread, less what the timing itself costs. The parts are
those of the loop, in its order; what librdkafka does is in threads of its own.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from bench.load import POLICY
from bench.on_kafka import STEP, append_load, cpu_seconds, create_topics, in_process, open_log
from pnl import engine
from pnl.engine import JourneysHandler, JourneysWorker
from pnl.outputs import Outputs
from pnl.runtime import tune_collector
from processors.journeys import Journeys
from streams import kafka_consumer
from streams.kafka_consumer import KafkaConsumer
from streams.kafka_producer import SlotProducer
from streams.kafka_state import PartitionState
from tests.support.kafka_broker import Cluster

PARTS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("consume", KafkaConsumer, "_consume"),
    ("messages to records", kafka_consumer, "records_of"),
    ("find customers, read state", JourneysHandler, "_customers"),
    ("decode", engine, "decode"),
    ("logic", Journeys, "apply"),
    ("laws", engine, "breaches"),
    ("encode outputs", Outputs, "add"),
    ("encode state", engine, "take_changes"),
    ("produce outputs and state", SlotProducer, "produce"),
    ("hash of the state", PartitionState, "hash_with"),
    ("take the state over", PartitionState, "apply"),
    ("commit", SlotProducer, "commit"),
)
CALIBRATION: Final = 100_000


class Part:
    """CPU seconds that a function's calls took in their thread, and how many there were."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def timed(self, called: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""
        clock = time.thread_time

        @wraps(called)
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            begun = clock()
            try:
                return called(*arguments, **named)
            finally:
                self.seconds += clock() - begun
                self.calls += 1

        return call


def overheads() -> tuple[float, float]:
    """Return what timing adds to a call: within what is counted, and altogether, in seconds."""
    part = Part()
    timed = part.timed(lambda: None)
    begun = time.thread_time()
    for _ in range(CALIBRATION):
        timed()
    return part.seconds / CALIBRATION, (time.thread_time() - begun) / CALIBRATION


def work(bootstrap: str, events: int, figures: Connection) -> None:
    """Apply the load with every part timed; send µs per event by part."""
    tune_collector()
    parts = {name: Part() for name, _, _ in PARTS}
    for name, owner, attribute in PARTS:
        setattr(owner, attribute, parts[name].timed(getattr(owner, attribute)))
    log = open_log(bootstrap)
    worker = JourneysWorker(log, POLICY, code_version="bench")
    process, thread, done = cpu_seconds(), time.thread_time(), 0
    while done < events:
        done += worker.step(STEP)
    process, thread = cpu_seconds() - process, time.thread_time() - thread
    within, whole = overheads()
    calls = sum(part.calls for part in parts.values())
    spent = {name: part.seconds - part.calls * within for name, part in parts.items()}
    spent["the rest of the loop"] = thread - calls * whole - sum(spent.values())
    spent["the client library's threads"] = process - thread
    spent["all"] = process - calls * whole
    figures.send({name: round(seconds / done * 1e6, 2) for name, seconds in spent.items()})
    worker.close()
    log.close()


def main(events: int) -> None:
    """Measure once, and print one JSON object."""
    with tempfile.TemporaryDirectory() as name, Cluster(Path(name), quick=False) as cluster:
        create_topics(cluster)
        log = open_log(cluster.bootstrap, "load")
        expected = append_load(log, events)
        print(json.dumps(in_process(work, cluster.bootstrap, expected.facts), indent=1))
        log.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
