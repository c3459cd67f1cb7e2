"""In the process that does everything the auditor takes little, and finds the same."""

from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from pnl import pipeline
from pnl.auditor.auditor import GROUP
from pnl.auditor.notices import Notices
from pnl.datafolder import DataFolder
from pnl.metrics import Metrics
from pnl.opening import open_log
from pnl.server import Server
from pnl.settings_load import load
from pnl.workers.roles import AuditorRole
from pnl.workers.seldom import Seldom
from processors.policy import Policy
from streams.clock import Stopwatch, SystemClock, pause
from tests.auditor.test_planted import lose_an_entry
from tests.auditor.world import GRACE, NOW, made
from tests.support.facts import at, contact, order
from tests.support.stored import append
from tests.support.waiting import until


class Slow:
    """A role whose steps take ten milliseconds."""

    def __init__(self) -> None:
        self.steps = 0
        self.closed = False

    def step(self, wait: timedelta) -> int:
        """Take a while."""
        assert not wait
        self.steps += 1
        pause(0.01)
        return 1

    def missing(self) -> str | None:
        """Lack something."""
        return "it is slow"

    def measure(self) -> None:
        """Measure nothing."""

    def close(self) -> None:
        """End."""
        self.closed = True


def test_it_takes_no_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten milliseconds of work are followed by ninety of rest, where it is given a tenth."""
    monkeypatch.setattr("pnl.workers.seldom.REST_MIN", NOW)
    role = Slow()
    seldom = Seldom(lambda: role, share=0.1, first=NOW)
    took = Stopwatch()
    while took.elapsed() < timedelta(milliseconds=500):
        seldom.step(timedelta(milliseconds=20))
    assert 2 <= role.steps <= 6
    assert seldom.missing() == "it is slow"
    seldom.close()
    assert role.closed


def test_who_ends_soon_never_begins() -> None:
    """It is made when it is first due: until then it owns no group and lacks nothing."""

    def never() -> Slow:
        raise AssertionError

    seldom = Seldom(never, first=timedelta(minutes=1))
    assert seldom.step(NOW) == 0
    seldom.measure()
    assert seldom.missing() is None
    seldom.close()


def test_it_raises_on_a_log_that_is_not_kafka_what_does_not_add_up() -> None:
    """A lost entry is an alarm on pnl.audit.v1, a counted breach, and halts the sink."""
    world, metrics = made(), Metrics(CollectorRegistry())
    lose_an_entry(world)
    seldom = Seldom(
        lambda: AuditorRole(world.log, None, Policy(), metrics, world.clock), first=NOW, share=0.99
    )
    while seldom.step(NOW):
        pause(1.0)
    world.clock.advance(GRACE)
    until(lambda: seldom.step(NOW) or Notices(world.log).halted(), 30, "the alarm is raised")
    assert metrics.registry.get_sample_value("pnl_law_breaches_total", {"law": "A1"}) == 1
    seldom.measure()
    assert metrics.registry.get_sample_value("pnl_audit", {"figure": "halted"}) == 1
    seldom.close()


def test_a_server_counts_its_log_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread of its own; when it ends it keeps how far it came."""
    monkeypatch.setattr(pipeline, "Seldom", lambda make: Seldom(make, share=0.99, first=NOW))
    monkeypatch.setattr("pnl.workers.seldom.REST_MIN", NOW)
    # A store that a slow stop leaves open is in the way of every test after this one.
    monkeypatch.setattr(pipeline, "JOIN_MAX", timedelta(minutes=2))
    (tmp_path / "pnl.toml").write_text("", "utf-8")
    folder = DataFolder(tmp_path)
    folder.prepare()
    with Server(folder, load(tmp_path), SystemClock(), print) as server:
        append(server.log, [contact("c1", at(1)), order("o1", at(2), 700)])
        server.start()
        counted = partial(REGISTRY.get_sample_value, "pnl_audit", {"figure": "entries_total"})

        def is_counted() -> bool:
            server.pipeline._auditor.measure()
            return bool(counted())

        assert not counted()
        until(is_counted, 60, "the auditor has counted what journeys wrote")
    with closing(open_log(folder, load(tmp_path).settings, SystemClock())) as log:
        assert any(log.committed(GROUP).values())
