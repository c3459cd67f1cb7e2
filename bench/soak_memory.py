"""What each process holds in memory while the program runs for long.

python -m bench.soak_memory MINUTES [one|kafka] [RATE]

RATE facts a second (200 unless told) happen now, and customers complain as in
`bench.alert_latency`. Every five seconds each process is looked at, its children with it. The first
fifth is warm-up; through the rest a line is fitted. Journeys keep customers decoded that they have
seen, up to a bound, so theirs grows with new customers until then. Gate: the alerts.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from bench.alert_latency import (
    FACTS_PER_CUSTOMER,
    MARKED_PER_SECOND,
    WARM,
    await_told,
    contacts,
    deployed,
    send,
    slices,
    warm,
)
from bench.alert_load import BEFORE, append, bought, faults
from bench.load import SEED
from bench.measure import gate
from pnl.simulator import generate
from streams.facts import Fact
from tests.support.deployments import Process, running
from tests.support.receivers import receiving

SAMPLE_SECONDS: Final = 5.0
CHUNK_SECONDS: Final = 20
RATE: Final = 200
MB: Final = 2**20


def resident_mb(process: int) -> float:
    """Return what a process and its children hold, in MB; 0.0 when it has ended."""
    folder = Path(f"/proc/{process}")
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = (folder / "task" / str(process) / "children").read_text().split()
    except FileNotFoundError:
        return 0.0
    own = pages * os.sysconf("SC_PAGE_SIZE") / MB
    return own + sum(resident_mb(int(child)) for child in children)


class Sampler:
    """Looks at processes until it is told to stop."""

    def __init__(self, processes: dict[str, Process]) -> None:
        self.samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._processes = processes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._over.wait(SAMPLE_SECONDS):
            for part, process in self._processes.items():
                held = resident_mb(process.pid)
                self.samples[part].append((time.monotonic() - started, held))


def line(samples: list[tuple[float, float]]) -> dict[str, float]:
    """Return first, last and largest MB after the warm-up, and MB an hour by least squares."""
    kept = samples[int(WARM * len(samples)) :]
    mean_x = sum(x for x, _ in kept) / len(kept)
    mean_y = sum(y for _, y in kept) / len(kept)
    spread = sum((x - mean_x) ** 2 for x, _ in kept)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in kept) / spread if spread else 0.0
    return {
        "first_mb": round(kept[0][1], 1),
        "last_mb": round(kept[-1][1], 1),
        "largest_mb": round(max(y for _, y in kept), 1),
        "mb_per_hour": round(3_600 * slope, 1),
    }


def chunks(rate: int, seconds: int) -> Iterator[list[tuple[str, Fact]]]:
    """Yield the load in parts, so that it is never in memory as a whole."""
    customers = max(1, rate * seconds // FACTS_PER_CUSTOMER)
    facts = iter(generate(customers, rate * seconds, SEED).events())
    for first in facts:
        yield [first, *islice(facts, rate * CHUNK_SECONDS - 1)]


def soak(which: str, minutes: float, rate: int) -> Iterator[dict[str, Any]]:
    """Run for so long; yield a line for each process, then what was done."""
    seconds = round(60 * minutes)
    per_chunk = CHUNK_SECONDS * MARKED_PER_SECOND
    marked = per_chunk * (2 + seconds // CHUNK_SECONDS)
    with (
        tempfile.TemporaryDirectory() as name,
        receiving() as receiver,
        deployed(which, Path(name), receiver.url) as deployment,
    ):
        long_ago = round(time.time() * 1000) - BEFORE
        append(deployment.log, [bought(number, long_ago) for number in range(marked)])
        with running(deployment) as processes:
            warm(deployment.log, receiver, marked)
            sampler = Sampler(processes)
            count, start, late = 0, round(time.time() * 1000) + 2_000, 0.0
            for part in chunks(rate, seconds):
                made = slices(part, rate, start, first=count)
                count += sum(each.startswith("marked") for each in chain(contacts(made)))
                late = max(late, send(deployment.log, made, start))
                start += CHUNK_SECONDS * 1000
            sampler.stop()
            await_told(deployment.log, receiver, count + 1)
        gate("alerts", faults(deployment.log, receiver.ids, count), {})
    for name, samples in sampler.samples.items():
        yield {"measure": f"memory of {name}", **line(samples)}
    customers = rate * seconds // FACTS_PER_CUSTOMER + count
    yield {
        "measure": "soak",
        "minutes": minutes,
        "facts": rate * seconds + count,
        "customers": customers,
        "alerts": count + 1,
        "load_late_ms": round(1000 * late),
    }


def main(arguments: list[str]) -> None:
    """Run, and print the figures."""
    which = arguments[1] if len(arguments) > 1 else "one"
    rate = int(arguments[2]) if len(arguments) > 2 else RATE
    for found in soak(which, float(arguments[0]), rate):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
