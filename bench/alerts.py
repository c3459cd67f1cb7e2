"""How good alerts are, where the truth is known.

python -m bench.alerts [--seeds 1-4] [--weeks 12] [--outages-a-week 1]

What a simulated centre does is published minute by minute as it happens, to signals in memory.
Each seed is run twice: quiet, and with an outage a week, in one queue after the other. Prints
JSON: how many segment-weeks alert when nothing happened, by kind; and how long after an outage
could be seen it was told.

An outage can be seen from the first moment on at which one who knows when it began would tell it:
by all contacts that ended since (30 at least), the same three tests and the same level. Larger
queues are more `--events-a-day` of more `--customers`.
"""

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import msgspec

from bench.alert_cells import Cells, merged
from bench.alert_load import model
from bench.load import POLICY, partition_of
from bench.measure import NothingStored
from pnl.engine import JourneysHandler
from pnl.fitting.live import live_model
from pnl.simulator.centre import QUEUES, Outage
from pnl.simulator.generator import Invented
from pnl.simulator.generator import plan as generator_plan
from pnl.simulator.run import Run
from processors.alert_rules import DEFAULTS, AlertRules
from processors.conditions import DAY_MS, HOUR_MS, MINUTE_MS, Thresholds
from processors.confidence import wilson
from processors.service import look, watch_level
from processors.signal_records import ActivityRecord, AlertRecord
from processors.signals import Signals
from processors.usual import Usual
from processors.windows import Tally, WindowRules, delta_of
from streams.codec import encode
from streams.facts import Contact, Fact, Millis, event_time_of, key_of
from streams.log import Outgoing, Record, TopicPartition
from streams.runner import Runner
from streams.signal_host import Arrived, Emitted
from streams.topics import ACTIVITY, ALERTS, CHURN, INPUT_NAMES

PARTITIONS: Final = 2
STEP_MS: Final = 2 * MINUTE_MS
"""How much of the simulated time is published at once: what is told is up to so much later."""
ZONE: Final = "Europe/London"
WEEK_MS: Final = 7 * DAY_MS
BASELINE_WEEKS: Final = 4
OUTAGE_MINUTES: Final = 180
_HOURS: Final = (9, 11, 13, 15)
Row: TypeAlias = tuple[str, int, bytes | None, bytes | None]
"""Topic, partition, key, value."""


class _Feed:
    """A consumer of what is put before it; keeps what journeys publish for signals."""

    def __init__(self) -> None:
        self.batch: list[Record] = []
        self.published: list[tuple[str, int, Outgoing]] = []
        self.assignment = 0
        self.state = NothingStored()

    def committed(self) -> dict[TopicPartition, int]:
        """Begin at the beginning."""
        return {TopicPartition(t, p): 0 for t in INPUT_NAMES for p in range(PARTITIONS)}

    def poll(self, records_max: int, wait: timedelta) -> list[Record]:
        """Return the batch."""
        batch, self.batch = self.batch, []
        return batch

    def keep(self) -> None:
        """Nothing to keep."""

    def rewind(self) -> None:
        """Never happens: nothing fails here."""
        raise AssertionError

    @contextmanager
    def transaction(self) -> Iterator["_Feed"]:
        """Commit nothing."""
        yield self

    def produce(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Keep what signals read."""
        if topic in (ACTIVITY, CHURN):
            self.published += [(topic, partition, record) for record in records]

    def put_state(self, partition: int, changes: object) -> None:
        """Every customer stays hot."""

    def commit_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Count nothing."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class World:
    """What journeys published of a simulation, by minute; its contacts, for what is true."""

    start: Millis
    end: Millis
    outages: tuple[Outage, ...]
    published: list[tuple[Millis, list[Row]]]
    contacts: dict[str, list[tuple[Millis, Millis]]]


def weekly(start: Millis, weeks: int, seed: int, a_week: int) -> tuple[Outage, ...]:
    """Return outages after the baseline, in queues, weekdays and hours that rotate."""
    outages = []
    for number in range((weeks - BASELINE_WEEKS) * a_week):
        week, turn = BASELINE_WEEKS + number // a_week, number + seed
        day = start + week * WEEK_MS + turn * 3 % 7 * DAY_MS
        begin = day + _HOURS[turn % len(_HOURS)] * 60 * MINUTE_MS
        queue = QUEUES[turn % len(QUEUES)].name
        outages.append(Outage(queue=queue, start=begin, end=begin + OUTAGE_MINUTES * MINUTE_MS))
    return tuple(outages)


WARM_WEEKS: Final = 13
"""So long customers are followed before anything is measured: signals look back 90 days."""


def world(
    seed: int, weeks: int, customers: int, events_a_day: int, *, a_week: int, journeys: bool
) -> World:
    """Simulate a centre with outages, and publish a minute at a time what journeys would."""
    events = events_a_day * (weeks + WARM_WEEKS) * 7
    plan = generator_plan(seed, 1, events)
    plan = replace(plan, first_day=plan.last_day - (weeks + WARM_WEEKS) * 7 + 1)
    start = plan.start_at + WARM_WEEKS * WEEK_MS
    outages = weekly(start, weeks, seed, a_week)
    plan = replace(plan, behaviour=replace(plan.behaviour, outages=outages))
    run = Run(plan, Invented(customers, events, plan))
    found = World(start, plan.end_at, outages, [], {})
    publisher: _Journeys | _Direct = _Journeys() if journeys else _Direct()
    facts: list[tuple[str, Fact]] = []
    step: Millis | None = None

    def flush() -> None:
        if facts and step is not None:
            publisher.measured = step >= start
            rows = publisher.publish(step + STEP_MS, facts)
            if step >= start:
                found.published.append((step + STEP_MS, rows))
            facts.clear()

    for topic, fact in run.events():
        at = event_time_of(fact)
        if step is None or at // STEP_MS * STEP_MS != step:
            flush()
            step = at // STEP_MS * STEP_MS
        if isinstance(fact, Contact):
            span = (fact.started_at, fact.ended_at)
            found.contacts.setdefault(fact.queue, []).append(span)
        facts.append((topic, fact))
    flush()
    return found


class _Direct:
    """Publishes cells made straight of facts, as one source partition."""

    measured = True

    def __init__(self) -> None:
        self._cells = Cells()

    def publish(self, at: Millis, facts: list[tuple[str, Fact]]) -> list[Row]:
        """Return what a minute's facts change, as a record of activity."""
        self._cells.measured = self.measured
        changed = [cell for _, fact in facts for cell in self._cells.of(fact)]
        if not self.measured:
            return []
        cells = merged(changed)
        newest = max(event_time_of(fact) for _, fact in facts)
        record = ActivityRecord(
            epoch=1,
            source_partition=0,
            batch_id=str(at),
            logged_at_max=at,
            event_time_max=newest,
            cells=cells,
        )
        return [(ACTIVITY, 0, b"0", msgspec.json.encode(record))]


class _Journeys:
    """Publishes what journeys do."""

    measured = True

    def __init__(self) -> None:
        self._feed = _Feed()
        self._offsets: Counter[tuple[str, int]] = Counter()
        handler = JourneysHandler(
            POLICY, code_version="bench", hot_facts=10**9, risk=live_model(model())
        )
        feed: Any = self._feed  # as much of a consumer as is asked for here
        self._runner = Runner(feed, handler, epoch=1, code_version="bench", records_max=10**6)

    def publish(self, at: Millis, facts: list[tuple[str, Fact]]) -> list[Row]:
        """Return what journeys publish of a minute's facts."""
        for topic, fact in facts:
            key = key_of(fact).encode()
            place = (topic, partition_of(key, PARTITIONS))
            self._feed.batch.append(Record(*place, self._offsets[place], at, key, encode(fact)))
            self._offsets[place] += 1
        self._runner.step(timedelta())
        published, self._feed.published = self._feed.published, []
        return [(topic, at, each.key, each.value) for topic, at, each in published]


@dataclass(slots=True)
class Told:
    """Every alert, with the time of the log at which it was told."""

    alerts: list[tuple[Millis, AlertRecord]] = field(default_factory=list)
    state_bytes: int = 0
    keys_max: int = 0
    detectable: dict[Outage, Millis] = field(default_factory=dict)
    """When one who knows that an outage began would tell it, by all that ended since."""

    def raised(self, kind: str) -> list[tuple[Millis, AlertRecord]]:
        """Return those raised, of a kind."""
        return [(at, a) for at, a in self.alerts if a.kind == kind and a.state == "raised"]


def signals(found: World, rules: AlertRules) -> Told:
    """Run the signals over what was published, with a tick a minute where it is quiet."""
    handler = Signals(rules, WindowRules(zone=ZONE, provisional_ms=HOUR_MS))
    states: list[dict[str, bytes]] = [{} for _ in range(PARTITIONS)]
    offsets: Counter[tuple[str, int]] = Counter()
    told = Told()
    since: dict[Outage, dict[str, Tally]] = {outage: {} for outage in found.outages}

    def note(at: Millis, emitted: Sequence[Emitted]) -> None:
        for each in emitted:
            if each.topic == ALERTS:
                told.alerts.append((at, msgspec.json.decode(each.value, type=AlertRecord)))

    last = found.start
    for at, rows in found.published:
        for quiet in range(last + 5 * MINUTE_MS, at, 5 * MINUTE_MS):
            note(quiet, handler.tick(states[0], 0, quiet))
        last = at
        for topic, source, key, value in rows:
            partition = 0 if topic == ACTIVITY else source
            place = (topic, partition)
            arrived = Arrived(topic, partition, offsets[place], 1, at, key, value)
            offsets[place] += 1
            note(at, handler.apply(states[partition], arrived))
            if topic == ACTIVITY and value is not None:
                for outage, sums in since.items():
                    if outage.start < at <= outage.end and outage not in told.detectable:
                        _follow(outage, sums, value)
                        if _told_by_all(outage, sums, states[0], at, rules):
                            told.detectable[outage] = at
    told.state_bytes = sum(len(key) + len(value) for key, value in states[0].items())
    told.keys_max = len(states[0])
    return told


def _follow(outage: Outage, sums: dict[str, Tally], value: bytes) -> None:
    """Add what ended in an outage's queue since it began."""
    for cell in msgspec.json.decode(value, type=ActivityRecord).cells:
        if cell.queue == outage.queue and cell.minute >= outage.start:
            place = f"{cell.queue}\0{cell.channel}"
            sums[place] = sums.get(place, Tally()).plus(delta_of(cell).tally)


def _told_by_all(
    outage: Outage, sums: dict[str, Tally], state: dict[str, bytes], at: Millis, rules: AlertRules
) -> bool:
    usual = msgspec.msgpack.decode(state["usual"], type=Usual)
    hour = usual.hour((outage.start + at) // 2)
    seen = look(outage.queue, sums, usual, hour, rules.thresholds)
    return seen is not None and seen.p_value <= watch_level(rules.thresholds)


SEGMENT_KINDS: Final = (
    "overload", "churn_segment", "missed_opportunity", "revenue_drop", "pressure",
)  # fmt: skip


def quiet_weeks(found: World, told: Told) -> dict[str, Any]:
    """Return in how many segment-weeks something was told; nothing happened in any."""
    begin = found.start + BASELINE_WEEKS * WEEK_MS
    weeks = (found.end - begin) // WEEK_MS
    loud = {
        kind: {(a.subject, (at - begin) // WEEK_MS) for at, a in told.raised(kind) if at >= begin}
        for kind in SEGMENT_KINDS
    }
    system = [a.kind for _, a in told.alerts if a.subject_kind == "system" and a.state == "raised"]
    return {
        "segment_weeks": weeks * len(QUEUES),
        "loud": {kind: len(each) for kind, each in loud.items()},
        "loud_of_any_kind": len(set().union(*loud.values())),
        "unattributed_share": len(told.raised("unattributed_share")),
        "system": dict(Counter(system)),
        "customers": len(told.raised("churn_customer")),
        "fading": len(told.raised("fading")),
    }


def outages_seen(found: World, told: Told) -> dict[str, Any]:
    """Return how long after it could be seen each outage was told, in simulated minutes."""
    delays: list[float] = []
    missed, hidden = [], 0
    raised = told.raised("overload")
    for outage in found.outages:
        visible = told.detectable.get(outage)
        if visible is None:
            hidden += 1
            continue
        first = [
            at
            for at, alert in raised
            if alert.subject == f"queue={outage.queue}"
            and outage.start <= at <= outage.end + 30 * MINUTE_MS
        ]
        if first:
            delays.append((min(first) - visible) / MINUTE_MS)
        else:
            missed.append(outage.queue)
    return {"delays": delays, "missed": missed, "never_visible": hidden}


def summary(quiet: list[dict[str, Any]], struck: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of all seeds together."""
    weeks = sum(each["segment_weeks"] for each in quiet)
    any_kind = sum(each["loud_of_any_kind"] for each in quiet)
    delays = sorted(delay for each in struck for delay in each["delays"])
    missed = [queue for each in struck for queue in each["missed"]]
    visible = len(delays) + len(missed)
    return {
        "quiet_segment_weeks": weeks,
        "loud_share": {
            kind: round(sum(each["loud"][kind] for each in quiet) / weeks, 4)
            for kind in SEGMENT_KINDS
        },
        "loud_share_of_any_kind": round(any_kind / weeks, 4),
        "loud_share_of_any_kind_95": wilson(any_kind, weeks),
        "outages_visible": visible,
        "outages_never_visible": sum(each["never_visible"] for each in struck),
        "told_within_15_min": sum(delay <= 15 for delay in delays),
        "never_told": Counter(missed),
        "delay_minutes": {
            "median": statistics.median(delays) if delays else None,
            "max": max(delays, default=None),
        },
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="101-102", help="FIRST-LAST")
    parser.add_argument("--weeks", type=int, default=12)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--events-a-day", type=int, default=2800)
    parser.add_argument("--outages-a-week", type=int, default=1)
    parser.add_argument("--journeys", action="store_true", help="the real thing, far slower")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    rules = AlertRules(rules=DEFAULTS.rules, thresholds=Thresholds())
    size = (given.weeks, given.customers, given.events_a_day)
    quiet, struck = [], []
    for seed in range(int(first), int(last or first) + 1):
        calm = world(seed, *size, a_week=0, journeys=given.journeys)
        told = signals(calm, rules)
        quiet.append({"seed": seed, "state_bytes": told.state_bytes, **quiet_weeks(calm, told)})
        trouble = world(seed, *size, a_week=given.outages_a_week, journeys=given.journeys)
        struck.append({"seed": seed, **outages_seen(trouble, signals(trouble, rules))})
    print(json.dumps({"summary": summary(quiet, struck), "quiet": quiet, "outages": struck}))


if __name__ == "__main__":
    main()
