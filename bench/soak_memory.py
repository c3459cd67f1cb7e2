"""What each process holds in memory while the program runs for long.

python -m bench.soak_memory MINUTES [one|kafka] [RATE] [again|new]

RATE facts a second (200 unless told) happen now: *again* the same ones of a thousand customers,
each time later and under a higher revision, so that there is never more to remember; or *new* ones
of customers who return. A customer a second complains as in `bench.alert_latency`. Journeys keep
few facts decoded, so that this bound is reached within minutes. Every five seconds each process is
looked at, its children with it; a line is fitted to the second half. Gate: the alerts.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.alert_latency import (
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
from streams.log import EventLog
from streams.topics import DEAD_LETTERS
from tests.support.deployments import Process, running
from tests.support.receivers import receiving

SAMPLE_SECONDS: Final = 5.0
TOLD_SECONDS: Final = 60.0
CHUNK_SECONDS: Final = 20
RATE: Final = 200
MARKED_PER_SECOND: Final = 1
HOT_FACTS: Final = 20_000
KNOWN_FACTS: Final = 10_000
FACTS_PER_CUSTOMER: Final = 20
"""Of a thousand customers, who are told of again and again."""
REVISIONS: Final = 10
"""More than a fact has by itself."""
BLOCKS: Final = 6
STUDENT: Final = 2.776
"""Its t for a two-sided 95 % and BLOCKS - 2 degrees of freedom."""
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
    """Looks at processes until it is told to stop; says once a minute what it saw."""

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
        started, told = time.monotonic(), 0.0
        while not self._over.wait(SAMPLE_SECONDS):
            at = time.monotonic() - started
            for part, process in self._processes.items():
                self.samples[part].append((at, resident_mb(process.pid)))
            if at >= told + TOLD_SECONDS:
                told = at
                held = {part: round(seen[-1][1], 1) for part, seen in self.samples.items()}
                print(json.dumps({"measure": "held", "minute": round(at / 60, 1), **held}))
                sys.stdout.flush()


def slope(points: list[tuple[float, float]]) -> float:
    """Return by how much y grows with x, by least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return float(sum((x - mean_x) * y for x, y in points) / spread)


def half_width(points: list[tuple[float, float]], steepness: float) -> float:
    """Return half the 95 % interval of a slope through few points, by Student."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    errors = sum((y - mean_y - steepness * (x - mean_x)) ** 2 for x, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return float(STUDENT * (errors / (len(points) - 2) / spread) ** 0.5)


def line(samples: list[tuple[float, float]]) -> dict[str, float]:
    """Return what was held in the second half, and MB an hour with a 95 % interval.

    The line goes through the means of six parts: samples beside each other are not independent.
    """
    kept = samples[len(samples) // 2 :]
    size = len(kept) // BLOCKS
    if not size:
        raise SystemExit("too short: no line can be fitted")
    blocks = [kept[size * number : size * (number + 1)] for number in range(BLOCKS)]
    means = [(sum(x for x, _ in b) / size, sum(y for _, y in b) / size) for b in blocks]
    steepness = slope(means)
    return {
        "start_mb": round(samples[0][1], 1),
        "half_mb": round(kept[0][1], 1),
        "last_mb": round(kept[-1][1], 1),
        "largest_mb": round(max(y for _, y in samples), 1),
        "mb_per_hour": round(3_600 * steepness, 1),
        "mb_per_hour_give_or_take": round(3_600 * half_width(means, steepness), 1),
    }


def new_facts(rate: int, seconds: int) -> Iterator[tuple[str, Fact]]:
    """Yield facts never seen before, of customers who return."""
    customers = max(1, rate * seconds // FACTS_PER_CUSTOMER)
    yield from generate(customers, rate * seconds, SEED).events()


def facts_again() -> Iterator[tuple[str, Fact]]:
    """Yield the same facts for ever, each time under a higher revision."""
    known = list(generate(KNOWN_FACTS // 10, KNOWN_FACTS, SEED).events())
    for turn in count():
        for topic, fact in known:
            revision = fact.revision + REVISIONS * turn
            yield topic, msgspec.structs.replace(fact, revision=revision)


def chunks(kind: str, rate: int, seconds: int) -> Iterator[list[tuple[str, Fact]]]:
    """Yield the load in parts, so that it is never in memory as a whole."""
    facts = facts_again() if kind == "again" else new_facts(rate, seconds)
    facts = islice(facts, rate * seconds)
    for first in facts:
        yield [first, *islice(facts, rate * CHUNK_SECONDS - 1)]


def soak(which: str, minutes: float, rate: int, kind: str) -> Iterator[dict[str, Any]]:
    """Run for so long; yield a line for each process, then what was done."""
    seconds = round(60 * minutes)
    per_chunk = CHUNK_SECONDS * MARKED_PER_SECOND
    marked = per_chunk * (2 + seconds // CHUNK_SECONDS)
    with (
        tempfile.TemporaryDirectory() as name,
        receiving() as receiver,
        deployed(which, Path(name), receiver.url) as deployment,
    ):
        with (Path(name) / "data" / "pnl.toml").open("a", encoding="utf-8") as settings:
            settings.write(f"\n[limits]\nhot_facts = {HOT_FACTS}\n")
        long_ago = round(time.time() * 1000) - BEFORE
        append(deployment.log, [bought(number, long_ago) for number in range(marked)])
        with running(deployment) as processes:
            warm(deployment.log, receiver, marked)
            sampler = Sampler(processes)
            told, start, late = 0, round(time.time() * 1000) + 2_000, 0.0
            for part in chunks(kind, rate, seconds):
                made = slices(part, rate, start, told, MARKED_PER_SECOND)
                told += sum(each.startswith("marked") for each in chain(contacts(made)))
                late = max(late, send(deployment.log, made, start))
                start += CHUNK_SECONDS * 1000
            sampler.stop()
            await_told(deployment.log, receiver, told + 1)
        gate("alerts", faults(deployment.log, receiver.ids, told), {})
        dead = letters(deployment.log)
    for name, samples in sampler.samples.items():
        yield {"measure": f"memory of {name}", **line(samples)}
    yield {
        "measure": "soak",
        "minutes": minutes,
        "facts": rate * seconds + told,
        "load": kind,
        "alerts": told + 1,
        "dead_letters": dead,
        "load_late_ms": round(1000 * late),
    }


def letters(log: EventLog) -> int:
    """Return how many offsets of dead letters there are."""
    return sum(log.end_offsets(DEAD_LETTERS).values())


def main(arguments: list[str]) -> None:
    """Run, and print the figures."""
    which = arguments[1] if len(arguments) > 1 else "one"
    rate = int(arguments[2]) if len(arguments) > 2 else RATE
    kind = arguments[3] if len(arguments) > 3 else "again"
    if kind not in ("again", "new"):
        raise SystemExit(f"neither again nor new: {kind}")
    for found in soak(which, float(arguments[0]), rate, kind):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
