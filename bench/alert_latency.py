"""From a contact to the alert that its customer may leave, at a webhook, under load.

python -m bench.alert_latency one RATE SECONDS       everything in one process, SQLite and chDB
python -m bench.alert_latency kafka RATE SECONDS     workers for journeys, signals, alerts; a broker

RATE facts a second happen now, the mix of `bench.load`; among them ten customers a second complain
and are about to leave. Measured is from the moment the call ends, as its fact says, to the moment
the alert is there. Gate: every alert that was due arrived, under one identity, and no other.
"""

import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.alert_load import (
    BEFORE,
    alerts_due,
    append,
    bought,
    complains,
    every,
    faults,
    prepare,
)
from bench.load import SEED
from bench.measure import gate
from pnl.simulator import generate
from processors.signal_records import AlertRecord
from streams.codec import encode
from streams.facts import Contact, Cost, Fact, Millis, Order, Resolution, key_of
from streams.log import EventLog, Outgoing
from streams.topics import ALERTS, CONTACTS
from tests.support.deployments import Deployment, OneProcess, Workers, running
from tests.support.kafka_broker import Cluster
from tests.support.receivers import Receiver, receiving
from tests.support.waiting import until

FACTS_PER_CUSTOMER: Final = 2
"""In half a minute most customers are seen once or twice, however many there are."""
MARKED_PER_SECOND: Final = 10
SLICE_SECONDS: Final = 0.05
WARM: Final = 0.2
"""The first fifth is not measured."""
END_SECONDS: Final = 180
PARTITIONS: Final = 4


def moved(fact: Fact, at: Millis) -> Fact:
    """Return a fact as if it had happened at another moment."""
    if isinstance(fact, Contact):
        by = at - fact.ended_at
        connected = None if fact.connected_at is None else fact.connected_at + by
        return msgspec.structs.replace(
            fact, started_at=fact.started_at + by, ended_at=at, connected_at=connected
        )
    if isinstance(fact, Resolution | Order | Cost):
        return msgspec.structs.replace(fact, occurred_at=at)
    return fact


def slices(
    load: list[tuple[str, Fact]],
    per_second: int,
    start: Millis,
    first: int = 0,
    marked_per_second: float = MARKED_PER_SECOND,
) -> list[dict[str, list[Outgoing]]]:
    """Return what is appended every SLICE_SECONDS, each fact at its moment, marked ones between.

    `first` is the number of the first marked customer.
    """
    found: list[dict[str, list[Outgoing]]] = []
    marked = 0
    for number, (topic, fact) in enumerate(load):
        seconds = number / per_second
        while len(found) <= seconds / SLICE_SECONDS:
            found.append({})
        while marked < seconds * marked_per_second:
            complaint = complains(first + marked, start + round(1000 * marked / marked_per_second))
            record = Outgoing(key_of(complaint).encode(), encode(complaint))
            found[-1].setdefault(CONTACTS, []).append(record)
            marked += 1
        at = start + round(1000 * seconds)
        found[-1].setdefault(topic, []).append(
            Outgoing(key_of(fact).encode(), encode(moved(fact, at)))
        )
    return found


def send(log: EventLog, parts: list[dict[str, list[Outgoing]]], start: Millis) -> float:
    """Append each slice once it has happened; return by how many seconds the last was late."""
    pause, late = threading.Event(), 0.0
    for number, part in enumerate(parts):
        due = start / 1000 + (number + 1) * SLICE_SECONDS
        pause.wait(max(0.0, due - time.time()))
        for topic, outgoing in part.items():
            log.append(topic, outgoing)
        late = time.time() - due
    return late


def measure(deployment: Deployment, receiver: Receiver, rate: int, seconds: int) -> dict[str, Any]:
    """Run the load through what is running; return the figures."""
    customers = max(1, rate * seconds // FACTS_PER_CUSTOMER)
    load = list(generate(customers, rate * seconds, SEED).events())
    marked = 1 + math.ceil(len(load) / rate * MARKED_PER_SECOND)
    long_ago = round(time.time() * 1000) - BEFORE
    append(deployment.log, [bought(number, long_ago) for number in range(marked)])
    with running(deployment) as processes:
        warm(deployment.log, receiver, marked)
        before = {part: cpu_seconds(process.pid) for part, process in processes.items()}
        start = round(time.time() * 1000) + 2_000 + len(load) // 20
        parts = slices(load, rate, start)
        late = send(deployment.log, parts, start)
        count = sum(key.startswith("marked-contact") for key in contacts(parts))
        await_told(deployment.log, receiver, count + 1)
        used = {part: cpu_seconds(processes[part].pid) - was for part, was in before.items()}
    wrong = faults(deployment.log, receiver.ids, count)
    gate("alerts", wrong, {})
    return {
        "measure": f"alert of one among {rate} facts/s",
        "events": len(load),
        "alerts": count,
        "load_late_ms": round(late * 1000),
        "load_average": os.getloadavg()[0],
        **{f"{part}_cpu_us": round(1e6 * each / len(load), 1) for part, each in used.items()},
        **waits(deployment.log, receiver, start + round(1000 * WARM * seconds)),
    }


def cpu_seconds(process: int) -> float:
    """Return what a process has used, all its threads, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def await_told(log: EventLog, receiver: Receiver, count: int) -> None:
    """Wait until so many alerts arrived; say what is missing where they do not."""
    try:
        until(lambda: len(set(receiver.ids)) >= count, END_SECONDS, "all are told")
    except TimeoutError as late:
        late.add_note(
            f"{len(set(receiver.ids))} of {count}: {faults(log, receiver.ids, count - 1)}"
        )
        raise


def warm(log: EventLog, receiver: Receiver, number: int) -> None:
    """Wait until one customer has gone all the way."""
    now = round(time.time() * 1000)
    append(log, [bought(number, now - BEFORE), complains(number, now)])
    until(lambda: receiver.taken, END_SECONDS, "the first alert arrives")


def contacts(parts: list[dict[str, list[Outgoing]]]) -> Iterator[str]:
    """Yield the name of every contact."""
    for part in parts:
        for record in part.get(CONTACTS, ()):
            yield json.loads(record.value or b"{}")["contact_id"]


def waits(log: EventLog, receiver: Receiver, since: Millis) -> dict[str, int]:
    """Return percentiles from the end of the call to the alert, in all and on its two ways."""
    arrived: dict[str, float] = {}
    for each in receiver.taken:
        arrived.setdefault(each.id, each.at * 1000)
    logged: dict[str, Millis] = {}
    for record in every(log, ALERTS):
        if record.value is not None:
            alert = msgspec.json.decode(record.value, type=AlertRecord)
            logged.setdefault(f"{alert.alert_id}-{alert.revision}", record.logged_at)
    whole, decided, sent = [], [], []
    for identity, alert in alerts_due(log).items():
        if alert.raised_at >= since:
            whole.append(arrived[identity] - alert.raised_at)
            decided.append(logged[identity] - alert.raised_at)
            sent.append(arrived[identity] - logged[identity])
    return {
        "measured": len(whole),
        "p50_ms": at(whole, 0.5),
        "p95_ms": at(whole, 0.95),
        "p99_ms": at(whole, 0.99),
        "max_ms": at(whole, 1.0),
        "decided_p95_ms": at(decided, 0.95),
        "sent_p95_ms": at(sent, 0.95),
    }


def at(values: Sequence[float], share: float) -> int:
    """Return a percentile, rounded."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * share))])


@contextmanager
def deployed(which: str, folder: Path, url: str) -> Iterator[Deployment]:
    """Yield one process, or workers on a broker."""
    data = folder / "data"
    data.mkdir()
    prepare(data, url)
    if which == "one":
        yield OneProcess(data)
        return
    with Cluster(folder / "kafka", quick=False) as cluster:
        workers = Workers(data, cluster, PARTITIONS)
        yield workers
        workers.log.close()


def main(arguments: list[str]) -> None:
    """Measure, and print the figures."""
    which, rate, seconds = arguments[0], int(arguments[1]), int(arguments[2])
    with (
        tempfile.TemporaryDirectory() as name,
        receiving() as receiver,
        deployed(which, Path(name), receiver.url) as deployment,
    ):
        print(json.dumps(measure(deployment, receiver, rate, seconds)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
