"""A route sends each alert at least once, in order, and the log knows what became of it."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from processors.signal_records import AlertRecord
from sinks.delivery.destination import Attempt
from streams.clock import ManualClock
from streams.log import Busy
from streams.memory_log import MemoryLog, MemoryPlace
from streams.sqlite_log import SqliteLog
from streams.topics import DELIVERIES, TOPICS
from tests.unit.delivery.world import HOUR_MS, NOW, ROUTE, SECOND, START, World, alert, put

AGAIN = Attempt("again", "answered 503")
REFUSED = Attempt("refused", "answered 410")
DAYS_MS = 24 * HOUR_MS


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Yield a route on each kind of log."""
    clock = ManualClock(START)
    if request.param == "memory":
        yield World(MemoryLog(MemoryPlace(clock, 2)), clock)
        return
    log = SqliteLog(tmp_path / "log", clock=clock, wait=SECOND)
    yield World(log, clock)
    log.close()


def test_each_alert_of_a_route_is_sent_once_and_the_log_says_so(world: World) -> None:
    """Those of other routes, and changes the route does not want, are passed by."""
    put(
        world.log,
        alert(1),
        alert(2, routes=("other",)),
        alert(3, state="snoozed"),
        alert(4, routes=("other", "ops"), state="cleared", revision=2),
    )
    assert sorted(world.run()) == [1, 4]
    assert world.told() == {(1, 1): "delivered", (4, 2): "delivered"}
    assert world.passed() == 4
    assert world.run(timedelta(hours=1)) == []
    world.again()
    assert world.run() == []


def test_what_was_sent_and_not_committed_is_sent_again_under_the_same_identity(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two is what at least once means."""
    put(world.log, alert(1))
    monkeypatch.setattr(world.role, "_commit", lambda: None)
    world.role.step(NOW)
    first = list(world.destination.got)
    world.again()
    assert world.run() == [1]
    assert world.destination.got == first == ["0000000000000001-1"]
    assert world.told() == {(1, 1): "delivered"}


def test_a_log_that_is_busy_is_told_later_and_nothing_is_sent_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of an alert is kept until the log takes it."""
    put(world.log, alert(1))
    consumer = world.role._consumer

    def unwilling() -> None:
        raise Busy("not now")

    with monkeypatch.context() as patched:
        patched.setattr(consumer, "transaction", unwilling)
        with pytest.raises(Busy):
            world.role.step(NOW)
        with pytest.raises(Busy):
            world.role.step(NOW)
    assert world.destination.got == ["0000000000000001-1"]
    assert world.run() == []
    assert world.told() == {(1, 1): "delivered"}


def test_a_failed_attempt_is_repeated_after_waits_that_grow(world: World) -> None:
    """Through restarts, too: the count is in the log."""
    put(world.log, alert(1))
    world.destination.for_id["0000000000000001-1"] = AGAIN
    waits, waited = [], 0
    world.run()
    for _ in range(2_000):
        waited += 1
        if waited % 50 == 0:
            world.again()
        if world.run(timedelta(milliseconds=100), steps=1):
            waits.append(waited)
            waited = 0
    assert all(a < b for a, b in pairwise(waits[:5]))
    assert 5 <= waits[0] <= 11
    assert max(waits) <= 601
    assert world.told() == {(1, 1): "retrying"}
    assert world.passed() == 0
    world.destination.for_id.clear()
    assert world.run(timedelta(minutes=1)) == [1]
    assert world.told() == {(1, 1): "delivered"}


def test_a_final_refusal_is_not_repeated_and_holds_nothing_up(world: World) -> None:
    """It is said in the log, and the next one is sent."""
    world.destination.for_id["0000000000000001-1"] = REFUSED
    put(world.log, alert(1), alert(2))
    assert sorted(world.run()) == [1, 2]
    assert world.told() == {(1, 1): "refused", (2, 1): "delivered"}


def test_one_alert_that_fails_holds_up_no_other_subject(world: World) -> None:
    """But those of its own subject and rule wait, in order."""
    world.destination.for_id["0000000000000001-1"] = AGAIN
    put(world.log, alert(1), alert(2, subject="c1"), alert(3), alert(4, subject="c1", rule="other"))
    world.run()
    world.run(2 * SECOND)
    told = world.told()
    assert told[1, 1] == "retrying"
    assert (2, 1) not in told
    assert told[3, 1] == told[4, 1] == "delivered"
    world.again()
    world.destination.for_id.clear()
    assert world.run(timedelta(minutes=1)) == [1, 2]


def test_quiet_hours_hold_up_only_what_is_quiet(world: World) -> None:
    """And survive a restart, since they lie in the log."""
    put(
        world.log,
        alert(1, quiet_until=START + HOUR_MS),
        alert(2),
        alert(1, revision=2, state="cleared"),
        alert(3),
    )
    assert sorted(world.run()) == [2, 3]
    assert world.role.missing() is None
    for _ in range(3):
        world.again()
        assert world.run(timedelta(minutes=15)) == []
    assert world.run(timedelta(minutes=15)) == [1, 1]
    assert world.destination.got == ["0000000000000001-1", "0000000000000001-2"]
    assert world.passed() == 4


def test_what_is_too_old_is_given_up_and_said_so(world: World) -> None:
    """Counted from when it could first be sent: quiet hours are no delay."""
    world.destination.answers = [AGAIN] * 1_000
    put(world.log, alert(1), alert(2, quiet_until=START + 23 * HOUR_MS))
    world.run()
    world.run(timedelta(hours=24))
    assert world.told()[1, 1] == "expired"
    assert world.told()[2, 1] == "retrying"
    world.again()
    world.run(timedelta(hours=24))
    assert world.told()[2, 1] == "expired"
    assert world.passed() == 2


def test_a_destination_that_asks_for_rest_gets_it(world: World) -> None:
    """Not for that alert alone: for all of the route."""
    world.destination.answers = [Attempt("again", "answered 429", timedelta(minutes=30))]
    put(world.log, alert(1), alert(2))
    assert len(world.run()) == 1
    assert world.run(timedelta(minutes=29)) == []
    assert sorted(world.run(timedelta(minutes=2))) == [1, 2]


def test_after_an_outage_everything_is_sent_at_once(world: World) -> None:
    """Nobody waits out a minute because the destination was away for an hour."""
    put(world.log, *(alert(number) for number in range(20)))
    world.destination.answers = [AGAIN] * 40
    for _ in range(2_000):
        world.run(SECOND, steps=1)
        if not world.destination.answers:
            break
    world.run(timedelta(minutes=1), steps=8)
    assert set(world.told().values()) == {"delivered"}


def test_a_dead_destination_is_visible_and_an_idle_one_is_not(world: World) -> None:
    """In figures, and in a sentence that names the route."""
    value = world.metrics.registry.get_sample_value
    world.run()
    world.role.measure()
    assert value("pnl_alerts_pending", {"route": "ops"}) == 0
    world.destination.answers = [AGAIN] * 1_000
    put(world.log, *(alert(number) for number in range(5)))
    for _ in range(8):
        world.run(timedelta(seconds=20))
    world.role.measure()
    assert value("pnl_alerts_pending", {"route": "ops"}) == 5
    assert (value("pnl_alerts_oldest_pending_seconds", {"route": "ops"}) or 0) >= 120
    assert (value("pnl_alerts_sent_total", {"route": "ops", "outcome": "retrying"}) or 0) >= 3
    said = world.role.missing()
    assert said is not None
    assert "ops" in said
    assert "503" in said
    world.destination.answers = []
    world.run(timedelta(minutes=2), steps=8)
    world.role.measure()
    assert world.role.missing() is None
    assert value("pnl_alerts_pending", {"route": "ops"}) == 0
    assert value("pnl_alerts_sent_total", {"route": "ops", "outcome": "delivered"}) == 5


def test_revisions_of_one_alert_are_sent_in_order(world: World) -> None:
    """Whatever the time each was first tried."""
    raised, cleared = alert(1), alert(1, revision=2, state="cleared")
    world.destination.answers = [AGAIN]
    put(world.log, raised)
    world.run()
    put(world.log, cleared)
    world.run(timedelta(minutes=2))
    assert world.destination.got == ["0000000000000001-1", "0000000000000001-2"]


def test_a_long_queue_is_sent_in_order_of_arrival_and_held_within_bounds(world: World) -> None:
    """Of one subject all, in order; the window never grows past its bound."""
    alerts: list[AlertRecord] = [
        alert(number, subject=f"c{number % 3}", rule=f"r{number % 2}") for number in range(600)
    ]
    put(world.log, *alerts)
    sent = world.run(steps=20)
    assert sorted(sent) == list(range(600))
    for subject in range(6):
        mine = [each for each in sent if each % 6 == subject]
        assert mine == sorted(mine)


def test_a_new_route_is_sent_nothing_that_did_not_name_it(world: World) -> None:
    """Whom an alert is for is decided when it is raised."""
    put(world.log, *(alert(number, routes=()) for number in range(9)))
    assert world.run() == []
    assert world.passed() == 9
    assert ROUTE.name == "ops"


def test_what_was_done_is_known_after_the_log_kept_only_the_newest_of_each(tmp_path: Path) -> None:
    """Deliveries are compacted; the last of each alert and route is all that is asked of them."""
    clock = ManualClock(START)
    log = SqliteLog(tmp_path / "log", clock=clock, wait=SECOND)
    world = World(log, clock)
    world.destination.answers = [AGAIN] * 9
    put(log, alert(1, subject="a"), alert(2, subject="b", quiet_until=START + HOUR_MS))
    for _ in range(12):
        world.run(timedelta(minutes=2))
    assert world.told() == {(1, 1): "delivered"}
    clock.advance(timedelta(days=2))
    while log.trim(TOPICS[DELIVERIES], clock.now_ms()):
        pass
    world.again()
    assert 1 not in world.run()
    log.close()


@pytest.mark.parametrize("restarted", [False, True])
def test_an_alert_that_was_told_is_told_to_be_over_however_late(
    world: World, *, restarted: bool
) -> None:
    """Only what lay far back when it was raised is history; that is so of all its revisions."""
    old = {"raised_at": START - 8 * DAYS_MS}
    put(world.log, alert(1), alert(2, **old))
    assert world.run() == [1]
    if restarted:
        world.again()
    world.clock.advance(timedelta(days=10))
    later = {"revision": 2, "state": "cleared", "logged_at": START + 10 * DAYS_MS}
    put(world.log, alert(1, **later), alert(2, **(later | old)))
    assert world.run() == [1]
    assert world.told()[2, 2] == "expired"


def test_a_destination_that_breaks_is_tried_again(world: World) -> None:
    """Whatever it fails of, the process goes on, and so do the others."""

    def breaks(message: object, now: int) -> Attempt:
        raise OverflowError(message, now)

    put(world.log, alert(1))
    whole = world.destination.send
    world.destination.send = breaks  # type: ignore[method-assign]
    world.run()
    assert world.told() == {(1, 1): "retrying"}
    world.destination.send = whole  # type: ignore[method-assign]
    assert world.run(timedelta(minutes=2)) == [1]
    assert world.told() == {(1, 1): "delivered"}
