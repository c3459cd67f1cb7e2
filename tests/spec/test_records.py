"""What is published of a chain, an order and a cost beside its money."""

from typing import Any

from processors.policy import Policy
from processors.results import ContactRecord, LegPart
from streams.facts import Experiment, Fact, Offer, key_of
from tests.support.drive import Driven, run
from tests.support.facts import MINUTE, at, contact, cost, order, resolution


def driven(*facts: Fact) -> Driven:
    """Apply facts, each under its key, in the order given and backwards: both publish the same."""
    ways = [run([(key_of(fact), fact) for fact in way], Policy()) for way in (facts, facts[::-1])]
    first, second = [
        {place: told_of(x) for place, x in way.contacts.items() if not x.withdrawn} for way in ways
    ]
    assert first == second
    return ways[0]


def told_of(record: ContactRecord) -> dict[str, Any]:
    """Return a record without its version, which counts how often it was published."""
    return {name: getattr(record, name) for name in record.__struct_fields__ if name != "version"}


def chain(found: Driven, name: str) -> ContactRecord:
    """Return the latest record of a chain of customer k."""
    return found.contacts["k", name]


def test_the_latest_opinion_of_the_case_counts_and_one_that_says_nothing_does_not() -> None:
    """CSAT, NPS, CES each of the latest resolution fact of the case that has it."""
    found = driven(
        contact("c1", at(1), case_id="a"),
        resolution("s1", "a", at(1), csat=2, nps=9),
        resolution("s2", "a", at(3), csat=4),
        resolution("s3", "a", at(4), outcome="reopened"),
    )
    record = chain(found, "c1")
    assert (record.csat, record.nps, record.ces) == (4, 9, None)


def test_an_opinion_on_a_contact_counts_where_its_case_has_none() -> None:
    """A survey names the contact and a case that it is not of: the case's own goes first."""
    found = driven(
        contact("c1", at(1)),
        contact("c2", at(2), case_id="a"),
        contact("c3", at(2), case_id="b", chain_id="ch3"),
        resolution("s1", "survey", at(5), contact_id="c1", csat=1),
        resolution("s2", "survey", at(5), contact_id="c2", csat=2, ces=7),
        resolution("s3", "survey", at(5), contact_id="ch3", nps=0),
        resolution("s4", "a", at(3), csat=5),
    )
    assert chain(found, "c1").csat == 1
    assert (chain(found, "c2").csat, chain(found, "c2").ces) == (5, 7)
    assert chain(found, "c3").nps == 0


def test_an_opinion_that_is_withdrawn_or_revised_leaves_the_contact() -> None:
    """The former revision's contact is published anew, without it."""
    found = driven(
        contact("c1", at(1)),
        contact("c2", at(1)),
        resolution("s1", "survey", at(5), contact_id="c1", csat=1),
        resolution("s1", "survey", at(5), contact_id="c2", csat=1, revision=1),
        resolution("s2", "survey", at(5), contact_id="c1", nps=3),
        resolution("s2", "survey", at(5), contact_id="c1", nps=3, revision=1, withdrawn=True),
    )
    assert (chain(found, "c1").csat, chain(found, "c1").nps) == (None, None)
    assert chain(found, "c2").csat == 1


def test_a_case_says_when_it_was_first_resolved_how_often_and_what_else_became_of_it() -> None:
    """KPI-REOPEN counts what is resolved more than once; escalated and reopened are said."""
    found = driven(
        contact("c1", at(1), case_id="a"),
        contact("c2", at(1), case_id="b"),
        resolution("s1", "a", at(4)),
        resolution("s2", "a", at(2)),
        resolution("s3", "a", at(3), outcome="reopened"),
        resolution("s4", "b", at(3), outcome="escalated"),
    )
    record = chain(found, "c1")
    assert (record.resolved_at, record.resolutions) == (at(2), 2)
    assert (record.reopened, record.escalated) == (True, False)
    other = chain(found, "c2")
    assert (other.resolved_at, other.resolutions) == (None, 0)
    assert (other.reopened, other.escalated) == (False, True)


def test_a_chain_of_several_legs_lists_them_and_all_their_offers_in_order() -> None:
    """Legs and offers stand in leg order; the experiment is that of the first leg that has one."""
    offer = Offer(product_class="upgrade", eligible=True, offered=True, accepted=False)
    other = Offer(product_class="product", eligible=True, offered=False, accepted=False)
    found = driven(
        contact("c1", at(1), agent_id="a1", offers=(offer,), wrap_ms=7),
        contact(
            "c2",
            at(1) + 20 * MINUTE,
            transfer_of="c1",
            queue="sales",
            connected_at=None,
            offers=(other, offer),
            experiment=Experiment(id="x", arm="treated"),
        ),
    )
    record = chain(found, "c1")
    assert record.offers == (offer, other, offer)
    assert (record.experiment_id, record.experiment_arm) == ("x", "treated")
    start = at(1) + 15 * MINUTE
    talk = 5 * MINUTE
    assert record.parts == (
        LegPart("c1", "a1", "billing", at(1) - talk, at(1) - talk, at(1), talk, 0, 7),
        LegPart("c2", "", "sales", start, None, start + talk, talk, 0, 0),
    )


def test_a_customer_deliberately_not_contacted_is_published_and_costs_nothing() -> None:
    """DEF-LABEL: a control is a contact fact, never handled, without cost."""
    held_out = Experiment(id="x", arm="control")
    found = driven(contact("c1", at(1), experiment=held_out, talk_ms=0, connected_at=None))
    record = chain(found, "c1")
    assert (record.experiment_id, record.experiment_arm) == ("x", "control")
    assert (record.handled, record.cost_minor, record.resolved_at) == (False, 0, None)


def test_an_order_says_who_sold_it_and_who_referred_the_customer() -> None:
    """DEF-REF and KPI-CONV ask the order facts."""
    found = driven(order("o1", at(1), 100, contact_id="c9", agent_id="a7", referred_by="k2"))
    record = found.orders["k", "o1"]
    assert (record.contact_id, record.agent_id, record.referred_by) == ("c9", "a7", "k2")


def test_a_cost_is_published_as_sent_and_local_dates_become_instants() -> None:
    """A period of local dates begins with the first instant of its day; a shift stays as it is."""
    day: dict[str, Any] = {"period_start": "2024-03-31", "period_end": "2024-04-01"}
    found = driven(
        cost("x1", "payroll", at(40), 100, agent_id="a1", **day),
        cost("x2", "payroll", at(1), -5, period_start=at(1), period_end=at(1) + 1),
    )
    record = found.costs["k", "x1"]
    assert (record.kind, record.amount_minor, record.agent_id) == ("payroll", 100, "a1")
    assert record.period_start == at(30) - 12 * 60 * MINUTE  # still UTC
    assert record.period_end is not None
    assert record.period_end - (record.period_start or 0) == 23 * 60 * MINUTE  # the clocks change
    assert found.costs["k", "x2"].period_end == at(1) + 1


def test_a_cost_that_is_revised_or_withdrawn_is_published_again() -> None:
    """Its record counts on; one that a contact alone has moved is not published."""
    found = run(
        [
            ("k", cost("x1", "concession", at(1), 100, contact_id="c1")),
            ("k", contact("c1", at(1))),
            ("k", cost("x1", "concession", at(1), 70, contact_id="c1", revision=1)),
            ("k", cost("x1", "concession", at(1), 70, revision=2, withdrawn=True)),
        ],
        Policy(),
    )
    record = found.costs["k", "x1"]
    assert (record.version, record.amount_minor, record.withdrawn) == (3, 70, True)
