"""DEF-RISK-LIVE: reasons that move a risk between fits."""

from random import Random

import numpy as np
import pytest

from processors.churn_signals import (
    DAY_MS,
    HEURISTIC,
    SIGNALS,
    SeenContact,
    SeenRefund,
    SignalRules,
    Weights,
    learn,
    live_risk,
    observations,
)

RULES = SignalRules()
NOW = 100 * DAY_MS


def seen(*contacts: SeenContact, refunds: tuple[SeenRefund, ...] = (), at: int = NOW) -> list[str]:
    """Return the signals among these facts."""
    return [one.signal for one in observations(contacts, refunds, at, RULES)]


def contact(day: float, name: str = "c", **other: object) -> SeenContact:
    """Return a contact that ended on a day."""
    return SeenContact(contact_id=name, ended_at=round(day * DAY_MS), **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({"outcome": "unresolved"}, "unresolved"),
        ({"outcome": "resolved", "reopened": True}, "unresolved"),
        ({"csat": 2}, "bad_csat"),
        ({"reason": "cancel"}, "complaint"),
        ({"abandoned": True}, "long_wait"),
        ({"wait_ms": 600_000}, "long_wait"),
    ],
)
def test_a_contact_shows_its_signal(fields: dict[str, object], signal: str) -> None:
    """And one that was resolved, short and praised shows none."""
    assert seen(contact(99, **fields)) == [signal]
    assert seen(contact(99, outcome="resolved", csat=5, wait_ms=1000)) == []


def test_two_contacts_on_a_case_within_seven_days_are_a_signal() -> None:
    """Exactly seven days still count; another case, no case, or a day more does not."""
    assert seen(contact(90, "a", case_id="x"), contact(97, "b", case_id="x")) == ["repeated"]
    assert seen(contact(90, "a", case_id="x"), contact(97.1, "b", case_id="x")) == []
    assert seen(contact(90, "a", case_id="x"), contact(91, "b", case_id="y")) == []
    assert seen(contact(90, "a"), contact(91, "b")) == []


def test_many_contacts_are_one_step_not_a_slope() -> None:
    """Below the threshold nothing; at it and far above it the same."""
    weights = Weights()
    few, four, many = (
        observations([contact(80 + i, f"c{i}") for i in range(n)], (), NOW, RULES)
        for n in (3, 4, 12)
    )
    assert few == ()
    one, other = (live_risk(0.4, each, NOW, RULES, weights) for each in (four, many))
    assert one is not None
    assert other is not None
    assert one.reasons[0].signal == other.reasons[0].signal == "frequent"
    assert other.reasons[0].logit <= HEURISTIC["frequent"]


def test_a_signal_fades_and_what_comes_later_is_not_known() -> None:
    """Half after 30 days; a refund of tomorrow is none today."""
    facts = (SeenRefund("o", 70 * DAY_MS), SeenRefund("p", 101 * DAY_MS))
    found = observations((), facts, NOW, RULES)
    assert [(one.signal, one.fact) for one in found] == [("refund", "o")]
    moved = live_risk(0.5, found, NOW, RULES, Weights())
    assert moved is not None
    assert moved.reasons[0].logit == pytest.approx(HEURISTIC["refund"] / 2)
    assert moved.risk == pytest.approx(1 / (1 + np.exp(-HEURISTIC["refund"] / 2)))


def test_reasons_explain_the_whole_move_and_stand_strongest_first() -> None:
    """The logit of the risk is that of the base and of every reason; each names its fact."""
    contacts = [contact(99, "a", outcome="unresolved", wait_ms=900_000), contact(60, "b", csat=1)]
    found = live_risk(0.3, observations(contacts, (), NOW, RULES), NOW, RULES, Weights())
    assert found is not None
    logits = [reason.logit for reason in found.reasons]
    assert logits == sorted(logits, reverse=True)
    assert np.log(found.risk / (1 - found.risk)) == pytest.approx(np.log(0.3 / 0.7) + sum(logits))
    assert {(reason.signal, reason.fact) for reason in found.reasons} == {
        ("unresolved", "a"),
        ("long_wait", "a"),
        ("bad_csat", "b"),
    }
    assert {reason.label for reason in found.reasons} == {"heuristic"}


def test_who_has_no_risk_gets_none_from_signals() -> None:
    """A customer without an order stays without a risk; without signals it is the base."""
    angry = observations([contact(99, outcome="unresolved")], (), NOW, RULES)
    assert live_risk(None, angry, NOW, RULES, Weights()) is None
    assert live_risk(float("nan"), angry, NOW, RULES, Weights()) is None
    calm = live_risk(0.3, (), NOW, RULES, Weights())
    assert calm is not None
    assert calm.risk == calm.base == 0.3


def test_weights_are_learnt_from_matured_labels() -> None:
    """A made effect is found again; a signal that too few showed keeps its fixed weight."""
    lots = Random(5)
    rng = np.random.default_rng(lots.randrange(2**32))
    n, true = 20_000, 1.5
    base = rng.normal(0.0, 1.0, n)
    levels = np.zeros((n, len(SIGNALS)))
    levels[:, 0] = rng.random(n) < 0.3
    levels[:20, 1] = 1.0
    gone = (rng.random(n) < 1 / (1 + np.exp(-(base + true * levels[:, 0])))).astype(np.float64)
    found = learn(base, levels, gone)
    assert found.by_signal["unresolved"] == pytest.approx(true, abs=0.12)
    assert found.by_signal["repeated"] == HEURISTIC["repeated"]
    assert found.learnt == {"unresolved"}
    assert found.label == "heuristic"
