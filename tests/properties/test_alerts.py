"""Alerts people trust: no flapping, one in a cool-down, the same again in a replay."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.alert_rules import AlertRule, AlertRules
from processors.alerts import AlertMemory, act, decide
from processors.conditions import Condition
from processors.signal_records import AlertAction, AlertRecord

HOUR = 3_600_000
COOLDOWN = 6 * HOUR
CLEAR_AFTER = HOUR
RULE = AlertRule(
    name="leaving", kind="churn_customer", cooldown_ms=COOLDOWN, clear_after_ms=CLEAR_AFTER
)
RULES = AlertRules(rules=(RULE,))
SUBJECTS = ("a", "b")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(SUBJECTS),
        st.booleans(),
        st.integers(0, 2 * HOUR),
        st.sampled_from(("", "", "", "ack", "snooze", "unsnooze")),
    ),
    max_size=60,
)
Step = tuple[str, bool, int, str]
Lived = list[tuple[int, AlertRecord]]


def condition(subject: str, at: int, *, holds: bool, place: int) -> Condition:
    """Return a condition of the rule, decided by the record at a place."""
    return Condition(
        rule_kind="churn_customer",
        subject_kind="customer",
        subject=subject,
        holds=holds,
        shows=holds,
        apart_ms=HOUR,
        at=at,
        place=f"pnl.churn.v1-0-{place}",
        headline="x",
    )


def live(steps: Iterable[Step], silent: str = "") -> Lived:
    """Return what was told, with the step, of steps (subject, holds, time since, action).

    An action is about the subject's newest alert; none is taken about the `silent` subject.
    """
    at, told, memories = 0, Lived(), dict.fromkeys(SUBJECTS, AlertMemory())
    newest: dict[str, str] = {}
    for place, (subject, holds, later, doing) in enumerate(steps):
        at += later
        seen = condition(subject, at, holds=holds, place=place)
        records, memories[subject] = decide(RULES, [seen], memories[subject], at)
        told += [(place, each) for each in records]
        if records:
            newest[subject] = records[-1].alert_id
        if doing and subject != silent and subject in newest:
            action = AlertAction(
                alert_id=newest[subject],
                rule=RULE.name,
                subject_kind="customer",
                subject=subject,
                action=doing,  # type: ignore[arg-type]
                by="eve",
                at=at,
                until=at + HOUR,
            )
            records, memories[subject] = act(RULES, action, memories[subject], at)
            told += [(place, each) for each in records]
    return told


def of(told: Lived, subject: str) -> list[AlertRecord]:
    """Return what was told of a subject."""
    return [each for _, each in told if each.subject == subject]


@given(STEPS)
def test_a_subject_is_told_of_once_in_a_cool_down(steps: list[Step]) -> None:
    """Two rises of one rule and subject that are told lie a cool-down apart, whatever flaps."""
    for subject in SUBJECTS:
        raised = sorted({each.raised_at for each in of(live(steps), subject)})
        assert all(later - former >= COOLDOWN for former, later in pairwise(raised))


@given(STEPS)
def test_an_alert_has_one_beginning_and_one_end(steps: list[Step]) -> None:
    """Revisions count up from 1; after *cleared* nothing comes, and never two at once are open."""
    for subject in SUBJECTS:
        runs: dict[str, list[AlertRecord]] = {}
        for each in of(live(steps), subject):
            runs.setdefault(each.alert_id, []).append(each)
        for run in runs.values():
            assert [each.revision for each in run] == list(range(1, len(run) + 1))
            assert all(each.state != "cleared" for each in run[:-1])
        ends = [run[-1].state == "cleared" for run in runs.values()]
        assert all(ends[:-1]), "a new alert while one was open"


@given(STEPS)
def test_nothing_is_over_before_it_was_over_for_long_enough(steps: list[Step]) -> None:
    """Whoever is told that it is over, for them it has not held as long as the rule waits."""
    told = live(steps)
    at, fell = 0, dict[str, int]()
    for place, (subject, holds, later, _) in enumerate(steps):
        at += later
        if holds:
            fell.pop(subject, None)
        else:
            fell.setdefault(subject, at)
        for step, each in told:
            if step == place and each.state == "cleared":
                assert not holds
                assert at - fell[subject] >= CLEAR_AFTER, "cleared while it might come back"


@given(STEPS)
def test_a_replay_tells_the_same_under_the_same_names(steps: list[Step]) -> None:
    """What was told depends on what was seen alone."""
    assert live(steps) == live(steps)


@given(STEPS, st.sampled_from(SUBJECTS))
def test_no_answer_changes_what_is_told_of_another(steps: list[Step], silent: str) -> None:
    """An acknowledgement or a snooze of one subject hides nothing of another."""
    unanswered = [(subject, holds, later, "") for subject, holds, later, _ in steps]
    assert of(live(steps, silent), silent) == of(live(unanswered), silent)


@given(STEPS, st.data())
def test_what_is_applied_again_from_older_state_has_the_same_name(
    steps: list[Step], data: st.DataObject
) -> None:
    """Killed between telling and remembering, the same record tells the same once more."""
    cut = data.draw(st.integers(0, len(steps)))
    memory, at = AlertMemory(), 0
    for place, (_, holds, later, _) in enumerate(steps[:cut]):
        at += later
        seen = condition("a", at, holds=holds, place=place)
        told, after = decide(RULES, [seen], memory, at)
        again, _ = decide(RULES, [seen], memory, at + HOUR)
        assert [(e.alert_id, e.revision) for e in again] == [(e.alert_id, e.revision) for e in told]
        memory = after
