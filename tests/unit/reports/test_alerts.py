"""Alerts as they are read: the last word of each, what is open, what became of it."""

import json
from typing import Any

import msgspec
import pytest

from pnl.alert_answers import Asked, answer_alert, explained, listed
from pnl.errors import UserError
from pnl.reports.alert_words import (
    KIND_TITLES,
    clears_words,
    figure_words,
    reason_words,
    subject_words,
    value_words,
)
from pnl.reports.alerts import AlertQuery
from pnl.reports.queries import Reports
from processors.alert_rules import DEFAULTS, KINDS
from processors.signal_records import AlertAction, AlertFigure, ChurnRecord
from sinks.store import Store
from streams.log import EventLog, Outgoing
from streams.topics import ALERT_ACTIONS, CHURN
from tests.support import alerts as made
from tests.support.facts import BASE, DAY
from tests.support.stored import copy, memory_log

FIRST, SEGMENT, OVER, FADING = (
    "aaaa000000000001",
    "bbbb000000000002",
    "cccc000000000003",
    "dddd000000000004",
)
LIST = {"state": "open", "rule": None, "since": None, "format": "table"}


@pytest.fixture
def log(store: Store) -> EventLog:
    """Return a log whose alerts are in the store."""
    log = memory_log(partitions=3)
    made.some(log)
    copy(log, store)
    return log


def ids(reports: Reports, **query: Any) -> list[str]:
    """Return the names of the alerts asked for."""
    return [each.alert_id for each in reports.alerts(AlertQuery(**query)).rows]


def test_what_is_open_is_listed_and_what_fades_stands_apart(
    log: EventLog, reports: Reports
) -> None:
    """The newest first, each with its last revision; what is over is listed when asked for."""
    assert log.partitions == 3
    found = reports.alerts(AlertQuery())
    assert [(each.alert_id, each.state) for each in found.rows] == [
        (SEGMENT, "raised"),
        (FIRST, "acknowledged"),
    ]
    assert [each.alert_id for each in found.fading] == [FADING]
    assert ids(reports, state="all") == [SEGMENT, FIRST, OVER]
    assert ids(reports, state="cleared") == [OVER]
    assert ids(reports, severities=("critical",)) == [SEGMENT]
    assert ids(reports, rules=("churn-customer",), state="all") == [FIRST, OVER]
    assert ids(reports, subjects=("queue=billing",)) == [SEGMENT]
    assert ids(reports, state="all", since=BASE - 1) == [SEGMENT, FIRST]
    assert reports.alerts(AlertQuery(state="all", rows=1)).total == 3


def test_what_is_open_is_counted_and_the_worst_comes_first(log: EventLog, reports: Reports) -> None:
    """Nobody has to look after what is over or fading."""
    del log
    counted = reports.open_alerts()
    assert (counted.open, counted.critical) == (2, 1)
    assert [each.alert_id for each in counted.worst] == [SEGMENT, FIRST]


def test_without_alerts_nothing_is_open(reports: Reports) -> None:
    """An empty store says so."""
    assert reports.open_alerts().open == 0
    assert reports.alert(FIRST) is None
    assert listed(reports, LIST).text == "There are no such alerts."


def test_an_alert_is_read_as_it_was_written(log: EventLog, reports: Reports) -> None:
    """Figures, evidence and amounts come back, with every revision, answer and delivery."""
    del log
    found = reports.alert(FIRST)
    assert found is not None
    assert found.history == (
        made.alert(revision=2, state="acknowledged", by="Eve", note="calling"),
        made.alert(),
    )
    assert [(each.action, each.by) for each in found.actions] == [("ack", "Eve")]
    assert [(each.outcome, each.attempts) for each in found.deliveries] == [("delivered", 2)]


def test_the_mark_of_the_books_moves_with_an_alert(
    log: EventLog, store: Store, reports: Reports
) -> None:
    """A page that shows alerts is made anew when there is one more, or one was delivered."""
    marks = [reports.version()]
    for more in (made.deliver, made.answer):
        more(log)
        made.tell(log, made.alert(f"eeee{len(marks):012d}"))
        copy(log, store)
        marks.append(reports.version())
    assert len(set(marks)) == 3


def test_the_list_and_the_reasons_are_said_in_words(log: EventLog, reports: Reports) -> None:
    """What a person needs stands in it: figures with intervals, evidence, source, what was sent."""
    del log
    text = listed(reports, LIST).text
    assert "acknowledged by Eve" in text
    assert "Fading: the risk rises with no fact to explain it" in text
    why = explained(reports, {"id": FIRST, "clears": {"churn-customer": "X."}, "format": "table"})
    for part in (
        "risk: 72.0\N{NO-BREAK SPACE}% (64.1\N{NO-BREAK SPACE}% to 78.9\N{NO-BREAK SPACE}%)",
        "value at risk: £482.10",
        "k-0101",
        "source   pnl.churn.v1-1-42",
        "X.",
        "ops: delivered, revision 1, 2 attempts",
        "ack by Eve: calling",
        "revision 2 acknowledged by Eve: calling",
    ):
        assert part in why.text, part
    other = explained(reports, {"id": SEGMENT, "clears": {}, "format": "table"}).text
    assert "Sent to nobody: no route." in other


def test_programs_read_the_same(log: EventLog, reports: Reports) -> None:
    """JSON has what the tables say."""
    del log
    told = json.loads(listed(reports, LIST | {"format": "json"}).text)
    assert (told["total"], len(told["alerts"]), len(told["fading"])) == (2, 2, 1)
    why = explained(reports, {"id": FIRST, "clears": {}, "format": "json"})
    found = json.loads(why.text)
    assert (found["state"], found["figures"][0]["low"], found["clears"]) == (
        "acknowledged",
        641_000,
        None,
    )
    assert [each["revision"] for each in found["history"]] == [2, 1]
    assert found["deliveries"][0]["route"] == "ops"


def test_figures_of_today_stand_beside_those_it_was_raised_with(
    log: EventLog, store: Store, reports: Reports
) -> None:
    """Of a customer the last risk, of a queue its newest hour, each with the moment it is of."""
    before = reports.alert(FIRST)
    assert before is not None
    assert before.now is None
    risk = ChurnRecord(
        customer_id="c-001", version=1, as_of=BASE + 3 * DAY, logged_at=BASE, risk_ppm=310_000,
        value_minor=50_000, currency="GBP",
    )  # fmt: skip
    log.append(CHURN, [Outgoing(b"c-001", msgspec.json.encode(risk))])
    made.hours(log, BASE // DAY * DAY + 2 * DAY, [20_000, 60_000, None])
    copy(log, store)
    text = explained(reports, {"id": FIRST, "clears": {}, "format": "table"}).text
    assert "Figures, and as of 2" in text
    assert (
        "(64.1\N{NO-BREAK SPACE}% to 78.9\N{NO-BREAK SPACE}%), now 31.0\N{NO-BREAK SPACE}%" in text
    )
    assert "at stake: now £155.00" in text
    found = json.loads(explained(reports, {"id": SEGMENT, "clears": {}, "format": "json"}).text)[
        "now"
    ]
    assert found["as_of"] == BASE // DAY * DAY + 2 * DAY - made.HOUR
    assert [(each["name"], each["value"]) for each in found["figures"]] == [
        ("mean wait, last hour", 60_000)
    ]


def test_an_answer_lies_where_its_alert_was_raised(log: EventLog, reports: Reports) -> None:
    """Of a customer in that customer's partition, of a segment in the first."""
    now = BASE + DAY
    said = answer_alert(reports, log, Asked(doing="ack", by=" Ann ", alert_id=FIRST), now)
    assert said == (
        "The answer is on its way: alert aaaa000000000001 shows as acknowledged by Ann once signals"
        " have taken it."
    )
    until = now + DAY
    answer_alert(reports, log, Asked(doing="snooze", by="Ann", alert_id=SEGMENT, until=until), now)
    of_customer, of_segment = (_last(log, f) for f in ("c-001", "queue=billing"))
    assert (of_customer.action, of_customer.by, of_customer.at) == ("ack", "Ann", now)
    assert (of_segment.rule, of_segment.until) == ("overload", until)


def test_a_rule_is_snoozed_in_every_partition(log: EventLog, reports: Reports) -> None:
    """Each partition decides of its own customers; a subject is known by how it is written."""
    asked = Asked(doing="snooze", by="Ann", rule="overload", until=BASE + DAY)
    said = answer_alert(reports, log, asked, BASE)
    assert "what the rule overload raises comes snoozed once signals have taken it" in said
    for partition in range(log.partitions):
        assert "overload" in {each.rule for each in _actions(log, partition)}
    asked = Asked(doing="unsnooze", by="Ann", subject="queue=billing")
    said = answer_alert(reports, log, asked, BASE)
    assert "what the segment queue=billing raises is snoozed no more" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(doing="ack", by="Ann", alert_id="none"), "There is no alert 'none'"),
        (Asked(doing="ack", by="Ann", alert_id=OVER), "is over since its revision 2"),
        (Asked(doing="ack", by="", alert_id=FIRST), "A name has 1 to 100 characters"),
        (Asked(doing="ack", by="a\x1b[2J", alert_id=FIRST), "A name has 1 to 100 characters"),
        (Asked(doing="ack", by="Ann", alert_id=FIRST, note="x" * 501), "at most 500"),
        (Asked(doing="snooze", by="Ann", alert_id=FIRST, until=1), "ends in the future"),
        (Asked(doing="snooze", by="Ann", alert_id=FIRST, until=1 << 50), "within 90 days"),
        (Asked(doing="ack", by="Ann", rule="overload"), "Acknowledge one alert"),
        (Asked(doing="unsnooze", by="Ann"), "Name an alert, or --rule, or --subject"),
        (Asked(doing="unsnooze", by="Ann", rule="overlaod"), "there are churn-customer, fading, o"),
        (Asked(doing="unsnooze", by="Ann", subject="c-999"), "Some there are: queue=billing, c-00"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    log: EventLog, reports: Reports, asked: Asked, said: str
) -> None:
    """Nothing is written, and a sentence says why."""
    before = log.end_offsets(ALERT_ACTIONS)
    with pytest.raises(UserError, match=said):
        answer_alert(reports, log, asked, BASE)
    assert log.end_offsets(ALERT_ACTIONS) == before


def test_how_a_segment_went_is_read_from_its_windows(store: Store, reports: Reports) -> None:
    """The mean of each window, nothing where nobody waited; usual is what lies before."""
    log = memory_log()
    raised = made.of_a_segment()
    end = BASE // made.HOUR * made.HOUR + made.HOUR
    made.hours(log, end, [None, *range(10_000, 30_000, 1_000), 90_000])
    copy(log, store)
    found = reports.alert_trend(raised, "GBP")
    assert found is not None
    assert (found.title, found.unit, found.length_ms) == ("mean wait", "ms", made.HOUR)
    assert [value for _, value in found.points][:2] == [None, 10_000]
    assert found.points[-1] == (end - made.HOUR, 90_000)
    assert found.usual == (12_000, 28_000)
    elsewhere = made.of_a_segment(subject="queue=orders")
    assert reports.alert_trend(elsewhere, "GBP") is None
    assert reports.alert_trend(made.alert(), "GBP") is None


def test_figures_have_their_units() -> None:
    """Shares, durations, amounts, counts and plain numbers; what is not known is null."""
    assert value_words(-187_000, "ms", "") == "\N{MINUS SIGN}3 min 7 s"
    assert value_words(3 * DAY, "ms", "") == "3 d 0 h"
    assert value_words(3_100, "milli", "") == "3.10"
    assert value_words(12_345, "count", "") == "12,345"
    assert value_words(None, "ppm", "") == "null"
    figure = AlertFigure(name="x", value=4_200, unit="minor", low=4_000, high=4_500)
    assert figure_words(figure, "GBP") == "£42.00 (£40.00 to £45.00)"
    assert subject_words("segment", "queue=billing;team=") == "queue billing, no team"
    assert reason_words("long_wait") == "long wait, or left waiting"
    assert reason_words("anything else") == "anything else"


def test_each_kind_says_what_would_clear_it() -> None:
    """By the thresholds as they are now."""
    assert set(KIND_TITLES) == set(KINDS)
    for rule in DEFAULTS.rules:
        assert clears_words(rule.name, rule.kind, DEFAULTS).startswith("It clears")
    assert "below 50.0" in clears_words("churn-customer", "churn_customer", DEFAULTS)
    assert "no rule gone" in clears_words("gone", "overload", DEFAULTS)


def _actions(log: EventLog, partition: int) -> list[AlertAction]:
    records = log.read(ALERT_ACTIONS, partition, 0, 500)
    return [msgspec.json.decode(r.value or b"", type=AlertAction) for r in records]


def _last(log: EventLog, subject: str) -> AlertAction:
    found = [e for p in range(log.partitions) for e in _actions(log, p) if e.subject == subject]
    return found[-1]
