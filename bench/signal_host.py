"""How fast signals on Faust are: records at a pace, each answered by an alert.

    python -m bench.signal_host [RATE ...]

A gate before every figure: what was written is what the handler, called by hand, gives. The handler
is the contract suite's tally, so this is the host alone: each record changes one key of the state
and writes one alert. Latency is from the record's time in the log to its alert's.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import process_time

from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.signals_faust import FaustSignalsRole, faust_settings
from streams.clock import Stopwatch, SystemClock, pause
from streams.faust_host import FaustHost
from streams.kafka_log import KafkaLog
from streams.log import Outgoing
from streams.topics import ALERTS, CHURN
from tests.kafka.places import create_topics, open_log, settings
from tests.support.kafka_broker import Cluster
from tests.support.signal_host_contract import TOPICS, Tally, by_hand, said

SECONDS = 10
SLICE = 0.05
WAIT = timedelta(milliseconds=10)


def latencies(log: KafkaLog) -> list[int]:
    """Return how long each alert took, in milliseconds, shortest first."""
    found = []
    for partition in range(log.partitions):
        at = 0
        sent: dict[bytes, int] = {}
        for topic, times in ((CHURN, sent), (ALERTS, None)):
            at = 0
            while records := log.read(topic, partition, at, 10_000):
                at = records[-1].offset + 1
                for record in records:
                    place = f"{CHURN} {partition} {record.offset}".encode()
                    if times is not None:
                        times[place] = record.logged_at
                    else:
                        assert record.key is not None
                        found.append(record.logged_at - sent[record.key])
    return sorted(found)


def measure(cluster: Cluster, rate: int) -> None:
    """Append at a rate for some seconds, and print what became of it."""
    prefix = f"r{rate}."
    create_topics(cluster, prefix)
    log = open_log(cluster, prefix)
    metrics = Metrics(CollectorRegistry())
    told = faust_settings(settings(cluster.bootstrap, prefix), log.partitions, "bench", TOPICS)
    host = FaustHost(told, Tally(), log.read, metrics.registry)
    role = FaustSignalsRole(log, host, metrics, SystemClock(), topics=TOPICS)
    while not host.ticks:
        role.step(WAIT)
    took, count, used = Stopwatch(), 0, process_time()
    while (elapsed := took.elapsed().total_seconds()) < SECONDS:
        due = int(elapsed * rate) - count
        log.append(CHURN, [Outgoing(str(count + n).encode(), b"x") for n in range(due)])
        count += due
        pause(SLICE)
    while host.handled < count:
        role.step(WAIT)
    behind = took.elapsed().total_seconds() - SECONDS
    cpu = (process_time() - used) / count * 1000
    role.close()
    assert said(log) == by_hand(log), "the figures below would be of wrong results"
    waits = latencies(log)
    p50, p95, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.95, 0.99))
    print(
        f"{rate}/s for {SECONDS} s: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms, {behind:.1f} s "
        f"behind at the end, {cpu:.2f} ms of processor a record"
    )
    log.close()


def main() -> None:
    """Measure at each rate."""
    rates = [int(each) for each in sys.argv[1:]] or [200, 500, 1_000, 2_000]
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder), quick=False) as cluster:
        for rate in rates:
            measure(cluster, rate)


if __name__ == "__main__":
    main()
