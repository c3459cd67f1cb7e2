"""Signals: from records to windows and alerts, once, whatever is delivered again."""

from typing import Any

import msgspec
import pytest

from processors.alert_rules import DEFAULTS, AlertRules
from processors.conditions import DAY_MS, HOUR_MS, MINUTE_MS
from processors.signal_records import (
    ActivityCell,
    ActivityRecord,
    AlertAction,
    AlertRecord,
    ChurnReason,
    ChurnRecord,
    WindowRecord,
)
from processors.signal_state import VERSION, StateRefused
from processors.signals import Signals
from processors.windows import WindowRules
from streams.invalid import Refused
from streams.signal_host import Arrived, Emitted
from streams.topics import ACTIVITY, ALERT_ACTIONS, ALERTS, AUDIT, CHURN, WINDOWS

MONDAY = 20_002 * DAY_MS
encode = msgspec.json.encode


class Run:
    """A handler, its state, and a log that numbers what is delivered."""

    def __init__(self, rules: AlertRules = DEFAULTS) -> None:
        self.handler = Signals(rules, WindowRules(provisional_ms=HOUR_MS))
        self.state: dict[str, bytes] = {}
        self.sent: list[Arrived] = []
        self.told: list[Emitted] = []

    def send(self, topic: str, value: object, at: int) -> list[Emitted]:
        """Deliver a record."""
        raw = value if isinstance(value, bytes) else encode(value)
        offset = sum(each.topic == topic for each in self.sent)
        self.sent.append(Arrived(topic, 0, offset, 1, at, b"k", raw))
        return self._note(self.handler.apply(self.state, self.sent[-1]))

    def tick(self, at: int) -> list[Emitted]:
        """Let time pass."""
        return self._note(self.handler.tick(self.state, 0, at))

    def _note(self, emitted: list[Emitted]) -> list[Emitted]:
        self.told += emitted
        return emitted

    def alerts(self) -> list[AlertRecord]:
        """Return the alerts told so far."""
        return alerts(self.told)


def alerts(emitted: list[Emitted]) -> list[AlertRecord]:
    """Return the alerts among what was emitted."""
    return [
        msgspec.json.decode(each.value, type=AlertRecord)
        for each in emitted
        if each.topic == ALERTS
    ]


def windows(emitted: list[Emitted]) -> list[WindowRecord]:
    """Return the windows among what was emitted."""
    return [
        msgspec.json.decode(each.value, type=WindowRecord)
        for each in emitted
        if each.topic == WINDOWS
    ]


def churn(at: int, now: int, week_ago: int, **more: Any) -> ChurnRecord:
    """Return that the risk of c1 moved, in percent."""
    return ChurnRecord(
        customer_id="c1",
        version=1,
        as_of=at,
        logged_at=at,
        risk_ppm=now * 10_000,
        before_ppm=week_ago * 10_000,
        week_ago_ppm=week_ago * 10_000,
        explained_ppm=more.pop("explained", 90) * 10_000,
        reasons=(ChurnReason(signal="complaint", logit_milli=900, at=at, fact="k1", label=""),),
        queue="billing",
        contact_id="k1",
        **more,
    )


def activity(at: int, *cells: ActivityCell, source: int = 0) -> ActivityRecord:
    """Return what a batch of a source partition changed."""
    return ActivityRecord(
        epoch=1,
        source_partition=source,
        batch_id="b",
        logged_at_max=at,
        event_time_max=at,
        cells=cells,
    )


def test_a_customer_is_told_of_once_and_of_the_end() -> None:
    """One alert while it holds, with its reasons, evidence and source; cleared below one half."""
    run = Run()
    run.send(CHURN, churn(MONDAY, 70, 30, value_minor=10_000, currency="GBP"), MONDAY)
    run.send(CHURN, churn(MONDAY + 1, 75, 30), MONDAY + 1)
    run.send(CHURN, churn(MONDAY + 2, 30, 30), MONDAY + 2)
    raised, cleared = run.alerts()
    assert (raised.state, raised.kind, raised.subject) == ("raised", "churn_customer", "c1")
    assert (raised.value_minor, raised.currency) == (7_000, "GBP")
    assert (raised.source, raised.contacts) == ("pnl.churn.v1-0-0", ("k1",))
    assert (cleared.state, cleared.alert_id) == ("cleared", raised.alert_id)


def test_who_fades_is_listed_apart() -> None:
    """A rise that no fact of the last day explains is no alert to act upon."""
    run = Run()
    run.send(CHURN, churn(MONDAY, 70, 30, explained=10), MONDAY)
    assert [each.kind for each in run.alerts()] == ["fading"]


@pytest.mark.parametrize("cut", range(4))
def test_what_is_delivered_again_changes_nothing(cut: int) -> None:
    """From any place on the same records leave state and alerts as they are."""
    run = Run()
    run.send(CHURN, churn(MONDAY, 70, 30), MONDAY)
    run.send(CHURN, churn(MONDAY + 1, 20, 30), MONDAY + 1)
    run.send(ACTIVITY, activity(MONDAY, ActivityCell(minute=MONDAY, chains=1)), MONDAY)
    run.send(AUDIT, {"kind": "alarm", "at": MONDAY, "law": "L1", "subject": "s"}, MONDAY)
    before = dict(run.state)
    again = [each for arrived in run.sent[cut:] for each in run.handler.apply(run.state, arrived)]
    assert again == []
    assert run.state == before


def test_an_alarm_of_the_auditor_is_an_alert_until_it_is_resumed() -> None:
    """Reconciliation failures come from notices alone, and end when a person says so."""
    run = Run()
    alarm = {"kind": "alarm", "at": MONDAY, "law": "L1", "subject": "p0", "detail": "1 missing"}
    run.send(AUDIT, alarm, MONDAY)
    run.send(AUDIT, {"kind": "resume", "at": MONDAY + 5, "reason": "mended"}, MONDAY + 5)
    raised, cleared = run.alerts()
    assert (raised.kind, raised.severity, raised.reasons) == (
        "reconciliation_failure",
        "critical",
        ("1 missing",),
    )
    assert (cleared.state, cleared.alert_id) == ("cleared", raised.alert_id)


def test_a_person_answers_and_a_snooze_ends() -> None:
    """What was snoozed is told again by the first tick after its end."""
    run = Run()
    run.send(CHURN, churn(MONDAY, 70, 30), MONDAY)
    (raised,) = run.alerts()
    snooze = AlertAction(
        alert_id=raised.alert_id,
        rule=raised.rule,
        subject_kind="customer",
        subject="c1",
        action="snooze",
        by="eve",
        at=MONDAY,
        until=MONDAY + HOUR_MS,
    )
    (snoozed,) = alerts(run.send(ALERT_ACTIONS, snooze, MONDAY + 1))
    assert (snoozed.state, snoozed.by) == ("snoozed", "eve")
    assert run.tick(MONDAY + HOUR_MS - 1) == []
    (woken,) = alerts(run.tick(MONDAY + HOUR_MS))
    assert (woken.state, woken.alert_id, woken.revision) == ("raised", raised.alert_id, 3)


def test_a_tick_that_brings_nothing_writes_nothing() -> None:
    """A host ticks every second, and state that does not change costs nothing."""
    run = Run()
    run.send(ACTIVITY, activity(MONDAY, ActivityCell(minute=MONDAY, chains=1)), MONDAY)
    run.tick(MONDAY + DAY_MS)
    before = dict(run.state)
    assert run.tick(MONDAY + DAY_MS + 2_000) == []
    assert run.state == before


def test_windows_close_by_a_timer_and_are_corrected() -> None:
    """Silence closes a window; what comes later corrects it under a higher revision."""
    run = Run()
    cell = ActivityCell(minute=MONDAY, queue="q", chains=40, handled=40, credit_minor=4_000)
    run.send(ACTIVITY, activity(MONDAY + MINUTE_MS, cell), MONDAY + MINUTE_MS)
    closed = windows(run.tick(MONDAY + 8 * MINUTE_MS))
    assert [(each.size, each.closed, each.revision, each.rpc_minor) for each in closed] == [
        ("5m", True, 1, 100)
    ]
    late = activity(MONDAY + 8 * MINUTE_MS, ActivityCell(minute=MONDAY, queue="q", chains=2))
    run.send(ACTIVITY, late, MONDAY + 8 * MINUTE_MS)
    corrected = windows(run.tick(MONDAY + 10 * MINUTE_MS))
    assert [(each.size, each.closed, each.revision, each.chains) for each in corrected] == [
        ("5m", True, 2, 42)
    ]


def test_a_backfill_closes_the_windows_it_fills() -> None:
    """Facts of long ago, sent now, fill and close the windows of their own time."""
    run, now = Run(), MONDAY + 300 * DAY_MS
    for hour in range(30):
        at = MONDAY + hour * HOUR_MS
        cell = ActivityCell(minute=at, queue="q", chains=1)
        run.send(ACTIVITY, activity(at, cell), now + hour * 1_000)
    run.tick(now + 31_000)
    found = {(each.size, each.start): each for each in windows(run.told)}
    assert all(found["1h", MONDAY + hour * HOUR_MS].closed for hour in range(28))
    assert found["1d", MONDAY].closed
    assert found["1d", MONDAY].chains == 24
    assert run.alerts() == [], "what is imported is not late"


def test_silence_is_late_only_where_contacts_should_have_come() -> None:
    """After four weeks of contacts an hour of silence at noon is told, and at night is not."""
    run = Run()
    for day in range(29):
        for third in range(27):  # from nine to six
            at = MONDAY + day * DAY_MS + 9 * HOUR_MS + third * 20 * MINUTE_MS
            if day < 28 or third < 9:
                run.send(ACTIVITY, activity(at, ActivityCell(minute=at, chains=4)), at)
                run.tick(at + MINUTE_MS)
        assert not run.alerts(), "nights are quiet"
    noon = MONDAY + 28 * DAY_MS + 12 * HOUR_MS
    run.tick(noon + HOUR_MS)
    (late,) = run.alerts()
    assert (late.kind, late.state) == ("data_late", "raised")
    back = noon + HOUR_MS + MINUTE_MS
    run.send(ACTIVITY, activity(back, ActivityCell(minute=back, chains=30)), back)
    run.tick(back + 1_000)
    assert [each.state for each in run.alerts()] == ["raised", "cleared"]


def weeks_of_contacts(run: Run, noon: int) -> None:
    """Send four weeks of contacts from eight to eight, and those of the last day until noon."""
    first = noon - noon % DAY_MS - 28 * DAY_MS
    for at in range(first, noon + 1, HOUR_MS):
        if 8 <= at % DAY_MS // HOUR_MS < 20:
            run.send(ACTIVITY, activity(at, ActivityCell(minute=at, chains=40)), at)
    run.tick(noon + MINUTE_MS)


def test_no_midnight_ends_a_silence() -> None:
    """A feed that died on Monday is late on Tuesday too: one alert, until a newer fact comes."""
    run, noon = Run(), MONDAY + 28 * DAY_MS + 12 * HOUR_MS
    weeks_of_contacts(run, noon)
    for quarter in range(1, 3 * 96):
        run.tick(noon + quarter * 15 * MINUTE_MS)
    assert [(each.state, each.revision) for each in run.alerts()] == [("raised", 1)]
    back = noon + 3 * DAY_MS
    older = activity(noon - HOUR_MS, ActivityCell(minute=noon - HOUR_MS, chains=1))
    run.send(ACTIVITY, older, back)
    run.tick(back + 1_000)
    assert len(run.alerts()) == 1, "what is no newer ends nothing"
    run.send(ACTIVITY, activity(back, ActivityCell(minute=back, chains=40)), back)
    run.tick(back + MINUTE_MS)
    run.tick(back + HOUR_MS)
    first, over, second = run.alerts()
    assert (over.state, over.revision, over.alert_id) == ("cleared", 2, first.alert_id)
    assert (second.state, second.revision) == ("raised", 1)
    assert second.alert_id != first.alert_id, "silence again is another alert"


def test_journeys_that_stood_still_close_no_window_on_a_fragment() -> None:
    """What waited for them for an hour is told whole, and is neither late nor silence."""
    run, noon = Run(), MONDAY + 28 * DAY_MS + 12 * HOUR_MS
    weeks_of_contacts(run, noon)
    back, minutes = noon + 70 * MINUTE_MS, range(0, 70, 5)
    for second, minute in enumerate(minutes):
        at = noon + minute * MINUTE_MS
        cells = [ActivityCell(minute=at + n * MINUTE_MS, chains=3) for n in range(5)]
        run.send(ACTIVITY, activity(cells[-1].minute, *cells), back + second * 1_000)
    run.tick(back + 20_000)
    run.tick(back + 2 * MINUTE_MS)
    first: dict[int, int] = {}
    for each in windows(run.told):
        if each.size == "5m" and each.closed and each.start > noon:
            first.setdefault(each.start, each.chains)
    assert len(first) >= 12
    assert set(first.values()) == {15}
    assert run.alerts() == []


def test_what_cannot_be_read_is_refused_and_leaves_no_trace() -> None:
    """A record that is not of its contract is a dead letter, not a crash."""
    run = Run()
    for topic in (CHURN, ACTIVITY, AUDIT, ALERT_ACTIONS):
        with pytest.raises(Refused):
            run.send(topic, b"{", MONDAY)
        with pytest.raises(Refused):
            run.send(topic, b'{"a": 1}', MONDAY)
    assert run.state == {}


@pytest.mark.parametrize("key", ["at pnl.audit.v1", "watch", "alerts", "version"])
def test_a_state_that_cannot_be_read_is_no_fault_of_the_record(key: str) -> None:
    """The process ends; a good record would be lost as a dead letter."""
    run = Run()
    alarm = {"kind": "alarm", "at": MONDAY, "law": "L1", "subject": "s"}
    run.send(AUDIT, alarm, MONDAY)
    assert key in run.state
    run.state[key] = b"\xc1"
    with pytest.raises(StateRefused, match="cannot be read"):
        run.send(AUDIT, alarm, MONDAY + 1)


def test_a_window_that_cannot_be_read_ends_a_tick() -> None:
    """What waits for its window lies in the state too."""
    run = Run()
    run.send(ACTIVITY, activity(MONDAY, ActivityCell(minute=MONDAY, chains=1)), MONDAY)
    run.state.update({key: b"{" for key in run.state if key.startswith("waiting ")})
    with pytest.raises(StateRefused):
        run.tick(MONDAY + MINUTE_MS)


def test_a_newer_state_is_refused_and_one_without_a_version_is_read() -> None:
    """Every partition's state says by which layout it was written."""
    run = Run()
    run.send(CHURN, churn(MONDAY, 70, 30), MONDAY)
    version = run.state.pop("version")
    run.send(CHURN, churn(MONDAY + 1, 20, 30), MONDAY + 1)
    assert [each.state for each in run.alerts()] == ["raised", "cleared"]
    assert run.state["version"] == version
    run.state["version"] = msgspec.msgpack.encode(VERSION + 1)
    with pytest.raises(StateRefused, match="run the program that wrote it"):
        run.send(CHURN, churn(MONDAY, 70, 30), MONDAY)
    with pytest.raises(StateRefused, match="run the program that wrote it"):
        run.tick(MONDAY)
