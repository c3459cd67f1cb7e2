"""Alerts: once, for whom it is meant, at an hour it is wanted, and answered by name."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from processors.alert_revisions import alert_id
from processors.alert_rules import (
    DEFAULTS,
    KINDS,
    NARROWED,
    THRESHOLDS,
    AlertRule,
    AlertRules,
    Quiet,
)
from processors.alerts import AlertMemory, Snooze, act, decide, is_open, wakes_at
from processors.conditions import Condition, Figure
from processors.signal_records import AlertAction, AlertRecord

HOUR = 3_600_000
DAY = 24 * HOUR
NONE = AlertMemory()
NIGHT = Quiet(start_minute=22 * 60, end_minute=7 * 60, zone="Europe/London")
RULE = AlertRule(name="leaving", kind="churn_customer", cooldown_ms=7 * DAY, routes=("ops",))


def ms(text: str, zone: str = "Europe/London") -> int:
    """Return a local time as milliseconds."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return round(local.astimezone(UTC).timestamp() * 1000)


def seen(at: int = 0, **other: Any) -> Condition:
    """Return that a customer may be leaving."""
    plain: dict[str, Any] = {
        "rule_kind": "churn_customer",
        "subject_kind": "customer",
        "subject": "c1",
        "holds": True,
        "at": at,
        "place": f"pnl.churn.v1-0-{at}",
        "shows": other.get("holds", True),
        "headline": "Risk of c1 rose to 72 %",
        "figures": (Figure("risk", 720_000, "ppm"),),
        "segment": "queue=billing;channel=phone;team=north",
    }
    return Condition(**(plain | other))


def answer(doing: Any, **other: Any) -> AlertAction:
    """Return what Eve answered."""
    plain: dict[str, Any] = {
        "alert_id": "",
        "rule": "leaving",
        "subject_kind": "customer",
        "subject": "c1",
        "action": doing,
        "by": "eve",
        "at": 0,
    }
    return AlertAction(**(plain | other))


def only(rule: AlertRule) -> AlertRules:
    """Return rules of which there is one."""
    return AlertRules(rules=(rule,))


def raised(rule: AlertRule = RULE, at: int = 0) -> tuple[AlertRecord, AlertMemory]:
    """Return an alert that was raised, and what is remembered."""
    (alert,), memory = decide(only(rule), [seen(at)], AlertMemory(), at)
    return alert, memory


def test_an_alert_says_all_that_it_rests_on() -> None:
    """Rule, source, figures, evidence, routes and a link stand in it; its id is that of a place."""
    alert, _ = raised()
    assert alert.alert_id == alert_id("leaving", "c1", "pnl.churn.v1-0-0")
    assert (alert.state, alert.revision, alert.routes) == ("raised", 1, ("ops",))
    assert (alert.source, alert.link) == ("pnl.churn.v1-0-0", f"/alerts/{alert.alert_id}")
    assert (alert.figures[0].name, alert.figures[0].value) == ("risk", 720_000)


def test_what_holds_on_is_told_once_and_cleared_once() -> None:
    """Only the first and the last of it are told; told again not before the cool-down is over."""
    told, memory = [], AlertMemory()
    for day, holds in enumerate((True, True, False, False, True, True, True, True)):
        records, memory = decide(only(RULE), [seen(day * DAY, holds=holds)], memory, day * DAY)
        told += [(day, each.state) for each in records]
    assert told == [(0, "raised"), (2, "cleared"), (7, "raised")]


def test_what_holds_shortly_is_not_told() -> None:
    """A rule that waits an hour tells what held an hour, and not what was gone in between."""
    rule, memory, told = replace(RULE, for_ms=HOUR), AlertMemory(), []
    for at, holds in ((0, True), (HOUR // 2, False), (HOUR, True), (2 * HOUR, True)):
        records, memory = decide(only(rule), [seen(at, holds=holds)], memory, at)
        told += [(at, each.state) for each in records]
    assert told == [(2 * HOUR, "raised")]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-22T21:59", None),
        ("2026-11-22T22:00", "2026-11-23T07:00"),
        ("2026-11-23T06:59", "2026-11-23T07:00"),
        ("2026-11-23T07:00", None),
        ("2026-03-28T23:00", "2026-03-29T07:00"),  # the clocks go forward at 01:00
        ("2026-10-24T23:00", "2026-10-25T07:00"),  # and back at 02:00
    ],
)
def test_quiet_hours_are_those_of_the_wall_clock(now: str, until: str | None) -> None:
    """An alert of the night is recorded at once and may be delivered at seven, local time."""
    (alert,), _ = decide(only(replace(RULE, quiet=NIGHT)), [seen()], AlertMemory(), ms(now))
    assert alert.quiet_until == (None if until is None else ms(until))
    loud = replace(RULE, quiet=NIGHT, breaks_quiet=True)
    assert decide(only(loud), [seen()], AlertMemory(), ms(now))[0][0].quiet_until is None


def test_quiet_hours_of_a_day_do_not_go_over_midnight() -> None:
    """From one to two in the afternoon is an hour, not 25."""
    noon = replace(NIGHT, start_minute=13 * 60, end_minute=14 * 60)
    assert noon.until(ms("2026-11-22T13:30")) == ms("2026-11-22T14:00")
    assert noon.until(ms("2026-11-22T14:30")) is None


def test_an_acknowledged_alert_is_open_until_it_is_over() -> None:
    """It has the name of who has it; acknowledged again nothing changes; then it clears."""
    alert, memory = raised()
    (answered,), memory = act(only(RULE), answer("ack", alert_id=alert.alert_id), memory, HOUR)
    assert (answered.state, answered.by, answered.revision) == ("acknowledged", "eve", 2)
    assert is_open(answered)
    assert act(only(RULE), answer("ack", alert_id=alert.alert_id), memory, HOUR) == ((), memory)
    (over,), _ = decide(only(RULE), [seen(DAY, holds=False)], memory, DAY)
    assert (over.state, over.revision, is_open(over)) == ("cleared", 3, False)


def test_a_snoozed_alert_is_told_again_when_the_snooze_is_over() -> None:
    """Not before, and not if it is over by then."""
    alert, memory = raised()
    snooze = answer("snooze", alert_id=alert.alert_id, until=8 * HOUR)
    (asleep,), memory = act(only(RULE), snooze, memory, HOUR)
    assert (asleep.state, asleep.quiet_until, wakes_at(memory)) == ("snoozed", 8 * HOUR, 8 * HOUR)
    assert decide(only(RULE), [], memory, 8 * HOUR - 1) == ((), memory)
    (awake,), after = decide(only(RULE), [], memory, 8 * HOUR)
    assert (awake.state, awake.alert_id, awake.revision) == ("raised", alert.alert_id, 3)
    assert wakes_at(after) is None
    (over,), after = decide(only(RULE), [seen(2 * HOUR, holds=False)], memory, 2 * HOUR)
    assert over.state == "cleared"
    assert decide(only(RULE), [], after, 8 * HOUR)[0] == ()


def test_who_snoozes_a_subject_hears_of_it_after() -> None:
    """An alert raised meanwhile is recorded as snoozed, by whom, and raised when that is over."""
    snooze = answer("snooze", rule="", until=2 * DAY)
    told, memory = act(only(RULE), snooze, AlertMemory(), 0)
    assert told == ()
    (asleep,), memory = decide(only(RULE), [seen(DAY)], memory, DAY)
    assert (asleep.state, asleep.quiet_until, asleep.by) == ("snoozed", 2 * DAY, "eve")
    (awake,), _ = decide(only(RULE), [seen(2 * DAY)], memory, 2 * DAY)
    assert (awake.state, awake.revision) == ("raised", 2)
    _, free = act(only(RULE), answer("unsnooze", rule=""), act(only(RULE), snooze, NONE, 0)[1], 1)
    assert decide(only(RULE), [seen(DAY)], free, DAY)[0][0].state == "raised"


def test_an_alert_sleeps_as_long_as_the_longest_snooze() -> None:
    """Where its own ends and another still covers it, it sleeps on, and says until when."""
    _, memory = act(only(RULE), answer("snooze", until=2 * DAY), NONE, 0)
    (asleep,), memory = decide(only(RULE), [seen(DAY)], memory, DAY)
    shorter = answer("snooze", alert_id=asleep.alert_id, until=DAY + HOUR)
    _, memory = act(only(RULE), shorter, memory, DAY)
    assert wakes_at(memory) == DAY + HOUR
    (longer,), memory = decide(only(RULE), [], memory, DAY + HOUR)
    assert (longer.state, longer.quiet_until, longer.revision) == ("snoozed", 2 * DAY, 3)
    assert decide(only(RULE), [], memory, 2 * DAY)[0][0].state == "raised"


def test_a_snooze_of_a_rule_is_of_all_its_subjects() -> None:
    """Given beside a memory it holds for whoever that memory is of, until it ends."""
    of_rule = Snooze("leaving", "customer", "", until=DAY, by="eve")
    of_other = Snooze("another", "customer", "", until=DAY, by="eve")
    assert decide(only(RULE), [seen()], NONE, 0, [of_rule])[0][0].state == "snoozed"
    assert decide(only(RULE), [seen()], NONE, 0, [of_other])[0][0].state == "raised"
    assert decide(only(RULE), [seen()], NONE, DAY, [of_rule])[0][0].state == "raised"


def test_an_unsnoozed_alert_is_told_again_at_once() -> None:
    """And to unsnooze what is not snoozed changes nothing."""
    alert, memory = raised()
    assert act(only(RULE), answer("unsnooze", alert_id=alert.alert_id), memory, 1) == ((), memory)
    _, memory = act(only(RULE), answer("snooze", alert_id=alert.alert_id, until=DAY), memory, 1)
    (awake,), _ = act(only(RULE), answer("unsnooze", alert_id=alert.alert_id), memory, 2)
    assert awake.state == "raised"


def test_an_answer_to_another_alert_is_none_to_this_one() -> None:
    """A name that is not that of the open alert changes nothing."""
    _, memory = raised()
    for doing in ("ack", "snooze", "unsnooze"):
        said = answer(doing, alert_id="0" * 16, until=DAY)
        assert act(only(RULE), said, memory, 1) == ((), memory)


def test_a_rule_is_about_the_segments_and_amounts_it_names() -> None:
    """A customer counts to the segment of the last contact; what is not known is not too little."""
    billing = replace(RULE, only=(("queue", ("billing", "orders")),), value_min_minor=1_000)
    assert billing.takes(seen())
    assert billing.takes(seen(value_minor=1_000))
    assert not billing.takes(seen(value_minor=999))
    assert not billing.takes(seen(segment="queue=sales"))
    assert billing.takes(seen(subject_kind="segment", subject="queue=orders", segment=""))


def test_what_was_told_is_cleared_wherever_the_customer_called_since() -> None:
    """That a rule is about some segments keeps no alert of it open for ever."""
    rule = replace(RULE, only=(("queue", ("billing",)),))
    _, memory = raised(rule)
    elsewhere = seen(DAY, holds=False, segment="queue=sales", value_minor=0)
    assert decide(only(rule), [elsewhere], memory, DAY)[0][0].state == "cleared"


def test_an_alert_of_a_rule_that_is_no_more_ends() -> None:
    """Nobody could clear it else."""
    _, memory = raised()
    (over,), _ = decide(AlertRules(rules=()), [], memory, DAY)
    assert (over.state, over.note) == ("cleared", "the rule is no more")


def test_nothing_is_remembered_of_what_nobody_was_told_of() -> None:
    """A customer who never alerted costs no memory; a memory that is as it was is the same one."""
    _, memory = decide(only(RULE), [seen(holds=False)], NONE, 0)
    assert memory is NONE
    _, kept = raised()
    assert decide(only(RULE), [seen(0)], kept, 5)[1] is kept


def test_nothing_is_remembered_of_what_is_long_over() -> None:
    """Once it is cleared and its cool-down is over, its memory goes."""
    _, memory = raised()
    _, memory = decide(only(RULE), [seen(DAY, holds=False)], memory, DAY)
    assert memory.known
    assert decide(only(RULE), [seen(7 * DAY, holds=False)], memory, 7 * DAY) == ((), NONE)


def test_each_kind_has_a_rule_unless_somebody_chooses() -> None:
    """By default every kind is on, nothing is sent anywhere, and critical ones break the quiet."""
    assert sorted(rule.kind for rule in DEFAULTS.rules) == sorted(KINDS)
    assert {rule.routes for rule in DEFAULTS.rules} == {()}
    assert set(NARROWED) == set(THRESHOLDS) == set(KINDS)
    week = [rule.cooldown_ms for rule in DEFAULTS.of("churn_customer")]
    assert week == [7 * DAY]


def test_a_version_is_of_all_that_decides() -> None:
    """Another cool-down or another threshold is another version; the same rules are the same."""
    other = only(replace(RULE, cooldown_ms=1))
    thresholds = AlertRules(rules=(RULE,), thresholds=DEFAULTS.thresholds.__class__(rise_ppm=1))
    versions = {only(RULE).version, other.version, thresholds.version}
    assert len(versions) == 3
    assert only(replace(RULE)).version == only(RULE).version
