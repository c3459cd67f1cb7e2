"""What the period job states becomes entries: one run takes the former's place (DEF-CHANGE)."""

from typing import Any

from processors.customer import Customer
from processors.journeys import Journeys
from processors.policy import Policy
from streams.facts import CutPlace, Period, PeriodLine
from tests.spec.scenario import settled_keyed
from tests.support.drive import put_away_and_read_back, run
from tests.support.facts import DAY, at, contact


def line(name: Any, amount_minor: int, **other: Any) -> PeriodLine:
    """Build a line of a period, an estimate where it is one."""
    basis: Any = "estimated" if name.startswith("D") else "standard"
    fields: dict[str, Any] = {"basis": basis, "currency": "GBP", "effective_at": at(30)}
    return PeriodLine(line=name, amount_minor=amount_minor, **(fields | other))


def figures(revision: int, *lines: PeriodLine, **other: Any) -> Period:
    """Build what a run worked out for March."""
    fields: dict[str, Any] = {"event_id": "2024-03/D1", "kind": "figures", "occurred_at": at(31)}
    return Period(period="2024-03", lines=lines, revision=revision, **(fields | other))


def test_a_run_takes_the_place_of_the_former_whatever_came_first() -> None:
    """Lines stand as the highest revision has them, in any order of arrival, once."""
    first = figures(1, line("D1", -500, variance_minor2=400), line("C2", -90, agent_id="a1"))
    second = figures(2, line("D1", -420, variance_minor2=900), line("C2", -90, agent_id="a1"))
    books = settled_keyed([("2024-03", first), ("2024-03", second)], Policy(), "runs")
    assert (books.total("D1"), books.total("C2", agent_id="a1")) == (-420, -90)
    assert sum(books.variance.values()) == 900


def test_only_the_difference_is_booked() -> None:
    """What a new run says again stays; what it says anew is reversed and added, variance too."""
    first = figures(1, line("D1", -500, variance_minor2=400), line("C2", -90))
    second = figures(2, line("D1", -420, variance_minor2=900), line("C2", -90))
    found = run([("2024-03", first), ("2024-03", second)], Policy())
    assert [(e.line, e.amount_minor, e.variance_minor2, e.change) for e in found.steps[1]] == [
        ("D1", 500, -400, "reversal"),
        ("D1", -420, 900, "addition"),
    ]


def test_a_run_that_is_withdrawn_leaves_nothing() -> None:
    """A withdrawn period books nothing: all its entries are taken back."""
    first = figures(1, line("D2", 77, variance_minor2=4))
    books = settled_keyed(
        [("2024-03", first), ("2024-03", figures(2, withdrawn=True))], Policy(), "withdrawn"
    )
    assert not books.balance
    assert not books.variance


def test_a_period_is_never_too_late_and_never_forgotten() -> None:
    """It may be worked out anew years later, under a key that customers' facts share."""
    key = "2024-03"
    first, second = figures(1, line("C2", -90)), figures(2, line("C2", -80))
    customer, journeys = Customer(key), Journeys(Policy())
    journeys.apply(customer, first)
    for day in (0, 500, 1000, 1500):
        journeys.apply(customer, contact(f"c{day}", at(day), customer_id=key))
    assert [e.amount_minor for e in journeys.apply(customer, second).entries] == [90, -80]
    assert customer.watermark == at(1500)
    assert put_away_and_read_back(customer, {}).watermark == at(1500)


def test_a_period_moves_no_customers_time() -> None:
    """When something was worked out is no event: a contact before it is not late."""
    late = figures(1, line("C2", -90), occurred_at=at(5000))
    customer, journeys = Customer("2024-03"), Journeys(Policy())
    journeys.apply(customer, late)
    applied = journeys.apply(customer, contact("c1", at(1), customer_id="2024-03"))
    assert applied.disposition == "applied"


def test_a_closing_is_published_with_its_cut_and_the_logs_time() -> None:
    """DEF-REPORTED: which entries stood there; a later closing has the higher revision."""
    cut = (CutPlace(partition=0, offset=12), CutPlace(partition=1, offset=0))
    customer, journeys = Customer("2024-03"), Journeys(Policy())
    for revision, logged_at in ((1, at(40)), (2, at(41))):
        close = figures(revision, event_id="2024-03/close", kind="close", cut=cut)
        (record,) = journeys.apply(customer, close, logged_at=logged_at).periods
        assert (record.period, record.revision) == ("2024-03", revision)
        assert (record.closed_at, record.cut) == (logged_at, cut)
    again = journeys.apply(customer, close, logged_at=at(42) + DAY)
    assert (again.disposition, again.periods) == ("duplicate", ())
