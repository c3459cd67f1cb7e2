"""How long an alert lives: told again when it rises again, ended when nothing more is heard."""

from dataclasses import replace
from typing import Any, Final

import msgspec
import pytest

from processors.alert_rules import DEFAULTS, HORIZON_MS, AlertRules
from processors.alerts import AlertMemory, act, decide
from processors.conditions import DAY_MS, HOUR_MS, Condition, Figure
from processors.signal_records import AlertAction, AlertDoing, AlertRecord, ChurnRecord
from processors.signals import Signals
from streams.signal_host import Arrived
from streams.topics import ALERTS, CHURN

START: Final = 20_000 * DAY_MS
LEAVING: Final = DEFAULTS.of("churn_customer")[0]
TROUBLE: Final = DEFAULTS.of("overload")[0]


def risk(at: int, percent: int, **other: Any) -> Condition:
    """Return that the risk of a customer is so high, shown by facts of a day."""
    plain: dict[str, Any] = {
        "rule_kind": "churn_customer", "subject_kind": "customer", "subject": "c-1", "at": at,
        "place": f"pnl.churn.v1-0-{at}", "figures": (Figure("risk", percent * 10_000, "ppm"),),
        "holds": True, "shows": True, "apart_ms": DAY_MS,
    }  # fmt: skip
    return Condition(**(plain | other))


def trouble(at: int, *, shows: bool) -> Condition:
    """Return that a queue is in trouble, and whether this window shows it."""
    said = {"rule_kind": "overload", "subject_kind": "segment", "subject": "queue=billing"}
    return risk(at, 50, shows=shows, apart_ms=None, **said)


def lived(*conditions: Condition, rules: AlertRules = DEFAULTS) -> list[AlertRecord]:
    """Return what was told of conditions, one after the other."""
    told, memory = list[AlertRecord](), AlertMemory()
    for each in conditions:
        records, memory = decide(rules, (each,), memory, each.at, time=each.at)
        told += records
    return told


def answered(memory: AlertMemory, doing: AlertDoing, alert_id: str) -> AlertMemory:
    """Return what is remembered after Eve answered."""
    said = AlertAction(
        alert_id=alert_id, rule="", subject_kind="customer", subject="c-1", action=doing, by="eve",
        at=START, until=START + 20 * DAY_MS,
    )  # fmt: skip
    return act(DEFAULTS, said, memory, START)[1]


def test_an_open_alert_that_rises_again_is_told_again_with_what_is_so_then() -> None:
    """It keeps its name; when it was raised, its source and its figures are those of then."""
    first, again = lived(risk(START, 70), risk(START + 8 * DAY_MS, 85))
    assert (again.alert_id, again.revision, again.state) == (first.alert_id, 2, "raised")
    assert (again.raised_at, again.note) == (START + 8 * DAY_MS, "it rose again")
    assert again.figures[0].value == 850_000
    assert again.source != first.source
    assert again.link == first.link


@pytest.mark.parametrize(
    "later",
    [
        risk(START + 6 * DAY_MS, 85),  # the cool-down is not over
        risk(START + 8 * DAY_MS, 85, shows=False),  # it only holds on
        risk(START + 8 * DAY_MS, 85, segment="queue=other", value_minor=0),
    ],
)
def test_what_only_holds_on_is_not_told_again(later: Condition) -> None:
    """Nor what comes within the cool-down, nor what the rule is not about any more."""
    rule = replace(LEAVING, value_min_minor=1)
    rules = AlertRules(rules=(rule,))
    assert [each.revision for each in lived(risk(START, 70), later, rules=rules)] == [1]


def test_who_answered_the_former_rise_is_told_of_the_next() -> None:
    """Acknowledged, it is raised again; snoozed, it sleeps on and wakes with the new figures."""
    for doing, state in (("ack", "raised"), ("snooze", "snoozed")):
        (first,), memory = decide(DEFAULTS, (risk(START, 70),), AlertMemory(), START)
        memory = answered(memory, doing, first.alert_id)  # type: ignore[arg-type]
        later = START + 8 * DAY_MS
        (again,), memory = decide(DEFAULTS, (risk(later, 85),), memory, later)
        assert (again.state, again.revision) == (state, 3)
        assert again.figures[0].value == 850_000
    (awake,), _ = decide(DEFAULTS, (), memory, START + 20 * DAY_MS)
    assert (awake.state, awake.figures[0].value) == ("raised", 850_000)


def test_trouble_that_goes_on_is_told_once_and_told_again_after_it_had_eased() -> None:
    """A queue's windows overlap: only one that does not show it parts two rises."""
    hours = [True] * 6
    on = [trouble(START + at * HOUR_MS, shows=shows) for at, shows in enumerate(hours)]
    assert [each.revision for each in lived(*on)] == [1]
    hours[2] = False
    eased = [trouble(START + at * HOUR_MS, shows=shows) for at, shows in enumerate(hours)]
    assert [(each.revision, each.raised_at) for each in lived(*eased)] == [
        (1, START),
        (2, START + 3 * HOUR_MS),
    ]


def test_an_alert_ends_when_nothing_was_heard_for_as_long_as_its_rule_says() -> None:
    """Of another subject's time too; 0 is never, and each thing that is heard counts anew."""
    (first,), memory = decide(DEFAULTS, (risk(START, 70),), AlertMemory(), START)
    heard = START + 50 * DAY_MS
    _, memory = decide(DEFAULTS, (risk(heard, 65, shows=False),), memory, heard, time=heard)
    assert decide(DEFAULTS, (), memory, heard, time=heard + HORIZON_MS - 1)[0] == ()
    (over,), after = decide(DEFAULTS, (), memory, heard, time=heard + HORIZON_MS)
    assert (over.alert_id, over.state) == (first.alert_id, "cleared")
    assert over.note == "expired: nothing was heard of it for 90 days"
    assert decide(DEFAULTS, (), after, heard, time=heard + 2 * HORIZON_MS)[0] == ()
    for_ever = AlertRules(rules=(replace(LEAVING, expire_ms=0),))
    assert decide(for_ever, (), memory, heard, time=heard + 10 * HORIZON_MS) == ((), memory)


def test_time_is_that_of_events_alone() -> None:
    """A clock far ahead of history that is read in ends nothing."""
    _, memory = decide(DEFAULTS, (risk(START, 70),), AlertMemory(), START + 900 * DAY_MS)
    assert decide(DEFAULTS, (), memory, START + 900 * DAY_MS) == ((), memory)


class Run:
    """Signals, their state, and what they told."""

    def __init__(self) -> None:
        self.handler = Signals(DEFAULTS)
        self.state: dict[str, bytes] = {}
        self.told: list[AlertRecord] = []
        self._offset = 0

    def hear(self, customer: str, at: int, percent: int = 70, week_ago: int = 30) -> None:
        """Take a customer's risk."""
        record = ChurnRecord(
            customer_id=customer, version=1, as_of=at, logged_at=at, risk_ppm=percent * 10_000,
            before_ppm=week_ago * 10_000, week_ago_ppm=week_ago * 10_000, explained_ppm=900_000,
        )  # fmt: skip
        value = msgspec.json.encode(record)
        self._offset += 1
        self._note(
            self.handler.apply(self.state, Arrived(CHURN, 0, self._offset, 1, at, b"k", value))
        )

    def tick(self, at: int) -> None:
        """Let time pass."""
        self._note(self.handler.tick(self.state, 0, at))

    def _note(self, emitted: Any) -> None:
        self.told += [
            msgspec.json.decode(each.value, type=AlertRecord)
            for each in emitted
            if each.topic == ALERTS
        ]

    def names(self) -> list[tuple[str, str, int, str]]:
        """Return subject, name, revision and state of all that was told."""
        return [(e.subject, e.alert_id, e.revision, e.state) for e in self.told]

    def customers(self) -> list[str]:
        """Return of whom something is remembered."""
        return [key for key in self.state if key.startswith("customer ")]


def test_nothing_is_kept_for_ever_of_a_customer_who_departed() -> None:
    """The alert ends once others' time has come so far; with the cool-down the memory goes."""
    run = Run()
    run.hear("gone", START)
    run.hear("calm", START, 70)
    run.hear("calm", START + HOUR_MS, 20)
    run.hear("here", START + HORIZON_MS - HOUR_MS)
    run.tick(START + HORIZON_MS)
    assert run.customers() == ["customer gone", "customer here"]
    run.hear("here", START + HORIZON_MS + DAY_MS)
    run.tick(START + HORIZON_MS + DAY_MS)
    assert run.told[-1].subject == "gone"
    assert run.told[-1].note.startswith("expired: ")
    assert run.customers() == ["customer here"]


def test_silence_does_not_end_an_alert_while_no_facts_come_at_all() -> None:
    """The clock alone says nothing of customers."""
    run = Run()
    run.hear("c-1", START)
    run.tick(START + 10 * HORIZON_MS)
    assert [each.state for each in run.told] == ["raised"]


def test_a_replay_without_the_ticks_tells_the_same() -> None:
    """Who comes back after an expiry has a new alert, whether or not a tick told of the end."""
    late = START + HORIZON_MS + DAY_MS
    ticked, replayed = Run(), Run()
    for run in (ticked, replayed):
        run.hear("c-1", START)
        run.hear("c-2", late)
        if run is ticked:
            run.tick(late)
        run.hear("c-1", late + HOUR_MS, 75)
    assert sorted(ticked.names()) == sorted(replayed.names())
    mine = [each for each in ticked.told if each.subject == "c-1"]
    assert [each.state for each in mine] == ["raised", "cleared", "raised"]
    assert mine[0].alert_id == mine[1].alert_id != mine[2].alert_id


def test_a_state_of_the_former_version_goes_on() -> None:
    """It did not say when something was last heard: then the alert's own time counts."""
    run = Run()
    run.hear("c-1", START)
    name = "customer c-1"
    held = msgspec.msgpack.decode(run.state[name])
    held[1][0] = [each[:6] for each in held[1][0]]
    run.state |= {name: msgspec.msgpack.encode(held), "version": msgspec.msgpack.encode(1)}
    del run.state["time"]
    run.hear("c-2", START + HORIZON_MS)
    run.tick(START + HORIZON_MS)
    assert [(e.subject, e.state) for e in run.told] == [
        ("c-1", "raised"), ("c-2", "raised"), ("c-1", "cleared"),
    ]  # fmt: skip
