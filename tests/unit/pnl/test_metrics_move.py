"""Each documented metric moves when what it tells of happens, in the code that tells it."""

import sys
import threading
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from pnl.auditor.notices import resume
from pnl.health import Health
from pnl.metrics import Metrics
from pnl.workers.gauges import Gauges
from pnl.workers.process import Role, Stopping
from pnl.workers.roles import AuditorRole, JourneysRole, Owned, SinkRole
from pnl.workers.signals import SignalsRole, signals
from pnl.workers.stepping import Stepping
from pnl.workers.supervisor import Supervisor
from processors.alert_rules import DEFAULTS
from processors.policy import Policy
from processors.results import AttributionRecord
from processors.signal_records import ActivityCell, ActivityRecord
from sinks.delivery.destination import Attempt
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from streams.clock import ManualClock
from streams.log import Busy, Outgoing
from streams.topics import ACTIVITY, ATTRIBUTIONS, ORDERS
from tests.support.facts import BASE, at, contact, order
from tests.support.store import copied_store, prepared
from tests.support.stored import NOW, append, memory_log
from tests.support.waiting import until
from tests.unit.delivery.world import World, alert, put
from tests.unit.pnl.test_docs import documented_metrics
from tests.unit.pnl.test_metrics import Member


class Moody:
    """A store that takes nothing while it is told to, and whose disk fills."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refuses = False
        self.free_bytes = 900

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert_lines(self, *given: Any) -> None:
        """Insert, or refuse."""
        if self.refuses:
            raise StoreError("too many parts", 252, Remedy.RETRY)
        self._store.insert_lines(*given)

    def query(self, sql: str, *given: Any) -> list[dict[str, Any]]:
        """Ask; the disk is ours."""
        if "system.disks" in sql:
            disk = {"name": "default", "total_space": 1000 + self.free_bytes}
            return [disk | {"free_space": self.free_bytes}]
        return list(self._store.query(sql, *given))


class Seen:
    """The values that each metric had, as a scrape shows them."""

    def __init__(self) -> None:
        self.values: dict[str, dict[tuple[tuple[str, str], ...], set[float]]] = {}

    def scrape(self, text: bytes) -> None:
        """Take what /metrics answers."""
        for family in text_string_to_metric_families(text.decode()):
            name = family.name + ("_total" if family.type == "counter" else "")
            for sample in family.samples:
                if sample.name in {name, name + "_count"}:
                    of_name = self.values.setdefault(name, {})
                    of_name.setdefault(tuple(sorted(sample.labels.items())), set()).add(
                        sample.value
                    )

    def moved(self, name: str, kind: str) -> bool:
        """Say whether a gauge had two values, or something was counted."""
        values = self.values.get(name, {}).values()
        if kind == "gauge":
            return any(len(each) > 1 for each in values)
        return any(value > 0 for each in values for value in each)


class Centre:
    """Journeys, sink and auditor on one log, each in its loop, scraped in between."""

    def __init__(self, store: Moody) -> None:
        self.clock = ManualClock(BASE + 365 * 86_400_000)
        self.log = memory_log()
        self.store = store
        self.metrics = Metrics(CollectorRegistry())
        self.seen = Seen()
        clock, metrics = self.clock, self.metrics
        journeys = JourneysRole(
            self.log, Policy(), metrics, clock, code_version="test", records_max=100
        )
        sink = SinkRole(self.log, cast("Store", store), metrics, clock, code_version="test")
        auditor = AuditorRole(self.log, None, Policy(), metrics, clock)
        alarms = SignalsRole(
            self.log, signals(DEFAULTS, "UTC"), metrics, clock, code_version="test"
        )
        self.roles: dict[str, Role] = {
            "journeys": journeys,
            "sink": sink,
            "auditor": auditor,
            "signals": alarms,
        }
        self.loops = {
            name: Stepping(name, role, metrics, threading.Event(), Health())
            for name, role in self.roles.items()
        }

    def scrape(self) -> None:
        """Measure everything and look at it."""
        gauges = Gauges(tuple(role.measure for role in self.roles.values()), self.metrics)
        gauges.measure()
        self.seen.scrape(self.metrics.text())

    def facts_are_applied(self) -> None:
        """Facts and rubbish come, and wait; then journeys apply them."""
        customer = {"customer_id": "nobody-called"}
        append(self.log, [contact("c1", at(1)), order("o1", at(2), 700)])
        append(self.log, [order("o2", at(2), 300, **customer)])
        self.log.append(ORDERS, [Outgoing(b"k", b"no order")])
        self.scrape()
        self.loops["journeys"].once()
        self.loops["auditor"].once()
        for _ in range(3):  # what was told, and then a tick
            self.loops["signals"].once()
        self.scrape()

    def the_store_is_full_for_a_minute(self) -> None:
        """Let the sink hold what it read, then store it."""
        self.store.refuses = True
        self.loops["sink"].once()
        self.scrape()
        self.store.refuses, self.store.free_bytes = False, 100
        self.clock.advance(timedelta(minutes=1))
        append(self.log, [order("o2", at(2), 500, revision=2, customer_id="nobody-called")])
        self.scrape()
        until(lambda: self.roles["sink"].step(NOW) > 0, 30, "the sink stores")
        self.loops["sink"].once()
        self.scrape()

    def a_fact_is_revised(self) -> None:
        """Let what was booked be taken back, and store that."""
        self.loops["journeys"].once()
        self.loops["sink"].once()
        self.loops["sink"].once()
        self.scrape()

    def changes_come_too_late(self) -> None:
        """Tell of a minute, and twice more when its window has been closed for hours."""
        minute = self.clock.now_ms()
        cell = ActivityCell(minute=minute, chains=1)
        told = msgspec.json.encode(
            ActivityRecord(
                epoch=1,
                source_partition=0,
                batch_id="1-0-0",
                logged_at_max=minute,
                event_time_max=minute,
                cells=(cell,),
            )
        )
        for hours in (1, 5, 1, 1, 1):
            self.log.append(ACTIVITY, [Outgoing(None, told)] if hours == 1 else [])
            for _ in range(3):
                self.loops["signals"].once()
                self.clock.advance(timedelta(seconds=2))
            self.scrape()
            self.clock.advance(timedelta(hours=hours))

    def money_is_missing(self) -> None:
        """Let a credit vector not add up: the auditor halts the sink, and a person resumes it."""
        for place, kept in self.log._place.records.items():
            if place.topic == ATTRIBUTIONS:
                value = msgspec.json.decode(kept[-1].value or b"", type=AttributionRecord)
                broken = msgspec.structs.replace(value, net_minor=value.net_minor + 1)
                kept[-1] = kept[-1]._replace(value=msgspec.json.encode(broken))
        for _ in range(2):
            self.loops["auditor"].once()
        for act in (lambda: None, lambda: resume(self.log, "looked into it", 2)):
            act()
            SinkRole.step(self.fresh_sink(), NOW)
            self.scrape()

    def workers_come_and_go(self) -> None:
        """Partitions change hands, a commit is in doubt, a broker does not answer."""
        member = Member()
        owned = Owned("journeys", self.log, member, self.metrics)
        member.seen = (True, 2, 1)
        owned.changed()

        def busy() -> None:
            raise Busy("no broker answers")

        Gauges((busy,), self.metrics).measure()
        self.scrape()

    def alerts_are_delivered(self) -> None:
        """Let a destination take nothing for a while, then everything."""
        world = World(self.log, self.clock, metrics=self.metrics)
        self.roles["alerts"] = world.role
        put(self.log, alert(1, raised_at=self.clock.now_ms()))
        world.destination.answers = [Attempt("again", "answered 503")]
        world.run()
        self.clock.advance(timedelta(minutes=2))
        self.scrape()
        world.run()
        self.scrape()

    def fresh_sink(self) -> SinkRole:
        """Return a sink that has not looked for notices yet, in the place of the last one."""
        store = cast("Store", self.store)
        fresh = SinkRole(self.log, store, self.metrics, self.clock, code_version="test")
        self.roles["sink"] = fresh
        return fresh

    def close(self) -> None:
        """Leave all groups."""
        for role in self.roles.values():
            role.close()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Return what was scraped while everything that is measured happened."""
    empty = prepared(tmp_path_factory, "empty-store", lambda _: None)
    with copied_store(empty, tmp_path_factory.mktemp("moved") / "store") as store:
        centre = Centre(Moody(store))
        centre.facts_are_applied()
        centre.the_store_is_full_for_a_minute()
        centre.a_fact_is_revised()
        centre.changes_come_too_late()
        centre.money_is_missing()
        centre.workers_come_and_go()
        centre.alerts_are_delivered()
        centre.close()
    a_worker_is_killed(centre.seen)
    return centre.seen


def a_worker_is_killed(seen: Seen) -> None:
    """Let a supervisor start a process again."""
    stopping = Stopping(timedelta(seconds=10))
    command = (sys.executable, "-S", "-c", "import os, time; os.kill(os.getpid(), 9)")

    def say(told: str) -> None:
        assert told.endswith("it is started again.")
        stopping.set()

    supervisor = Supervisor(["a"], lambda *_: command, stopping, say, timedelta(seconds=10))
    supervisor.run()
    seen.scrape(supervisor.text())


@pytest.mark.parametrize("name", sorted(documented_metrics()))
def test_every_metric_moves(seen: Seen, name: str) -> None:
    """A counter counts, a gauge has two values: what stands still tells nothing."""
    assert seen.moved(name, documented_metrics()[name][1]), seen.values.get(name)


def test_a_metric_that_stands_still_is_noticed() -> None:
    """A gauge that was set once and to the same again has not moved."""
    still = Seen()
    metrics = Metrics(CollectorRegistry())
    for _ in range(2):
        metrics.sink_stalled.set(0)
        still.scrape(metrics.text())
    assert not still.moved("pnl_sink_stalled", "gauge")
    assert not still.moved("pnl_batches_total", "counter")
