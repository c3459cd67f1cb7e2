"""The service measures of a simulated year, against its truth and against counting by hand."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from statistics import correlation
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from pnl.reports.freshness import as_of
from pnl.reports.guardrail_counts import SPAN_MS, work
from pnl.reports.model import Scope
from pnl.reports.opportunities import OPPORTUNITIES
from pnl.reports.service import SERVICE
from pnl.reports.sheet import Asking, Cell, SheetReport
from pnl.simulator import Truth, generate
from processors.guardrails import Span
from processors.intervals_of_time import Stretch, covered_ms, on_contact, overlap
from processors.policy import Policy
from processors.touchpoints import is_control
from sinks.store import Store
from streams.facts import Contact, Cost, Fact, Order, Resolution
from tests.support.store import opened_store
from tests.support.stored import store_facts

pytestmark = pytest.mark.timeout(240)

ZONE = ZoneInfo("Europe/London")
POLICY = Policy()


class Year(NamedTuple):
    """A simulated year: what was put in, what is true of it, and where it is stored."""

    facts: Sequence[Fact]
    truth: Truth
    store: Store

    def contacts(self) -> list[Contact]:
        """Return its legs, without those of customers deliberately not called."""
        return [fact for fact in self.facts if isinstance(fact, Contact) and not is_control(fact)]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    """Take a small year through the whole pipeline."""
    simulation = generate(800, 12_000, seed=5)
    facts = [fact for _, fact in simulation.events()]
    with opened_store(tmp_path_factory.mktemp("year")) as store:
        store_facts(store, facts, POLICY)
        yield Year(facts, simulation.truth(), store)


def asking(year: Year, by: tuple[str, ...] = (), **options: str) -> Asking:
    """Ask for all of the year."""
    return Asking(
        store=year.store,
        policy=POLICY,
        as_of=as_of(year.store),
        scope=Scope(currency="GBP"),
        by=by,
        options=options,
    )


def told(report: SheetReport, question: Asking) -> list[dict[str, Cell]]:
    """Return a report's rows by the names of its columns."""
    sheet = report.asked(question)
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


def test_contacts_are_those_of_the_truth(year: Year) -> None:
    """Chains, handled, abandoned, unidentified, transferred: exactly."""
    (row,) = told(SERVICE, asking(year, view="handling"))
    counts = year.truth.counts
    assert row["contacts"] == counts.chains - counts.controls
    assert (row["handled"], row["abandoned"]) == (counts.handled, counts.abandoned)
    assert row["transfer_rate_ppm"] == round(counts.transferred / counts.handled * 1_000_000)


@pytest.mark.parametrize("by", ["queue", "agent"])
def test_every_queue_and_agent_has_its_own(year: Year, by: str) -> None:
    """Handled contacts of each, exactly."""
    rows = told(SERVICE, asking(year, (by,), view="handling"))
    found = {row[by]: row["handled"] for row in rows if row["handled"]}
    if by == "queue":
        assert found == {each.queue: each.handled for each in year.truth.queues if each.handled}
    else:
        assert found == {each.agent_id: each.handled for each in year.truth.agents if each.handled}


def test_rows_of_time_add_up(year: Year) -> None:
    """Handled by day, week and month come to the same."""
    for by in ("day", "week", "month"):
        rows = told(SERVICE, asking(year, (by,), view="handling"))
        total = sum(int(str(row["handled"])) for row in rows)
        assert total == year.truth.counts.handled


def day_of(at: int) -> date:
    """Return the local date of an instant."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZONE).date()


def stretches(year: Year) -> tuple[dict[str, list[Stretch]], dict[str, list[Stretch]]]:
    """Return each agent's contacts and shifts, from the facts."""
    busy: dict[str, list[Stretch]] = defaultdict(list)
    shifts: dict[str, list[Stretch]] = defaultdict(list)
    for leg in year.contacts():
        at_work = on_contact(leg.connected_at, leg.ended_at, leg.wrap_ms)
        if leg.agent_id is not None and at_work is not None:
            busy[leg.agent_id].append(at_work)
    for fact in year.facts:
        if isinstance(fact, Cost) and fact.kind == "payroll" and fact.agent_id is not None:
            assert isinstance(fact.period_start, int)
            assert isinstance(fact.period_end, int)
            shifts[fact.agent_id].append((fact.period_start, fact.period_end))
    return busy, shifts


def test_occupancy_is_that_of_the_clock(year: Year) -> None:
    """Unions worked out day by day and agent by agent give what the store measures."""
    busy, shifts = stretches(year)
    worked = paid = 0
    for agent, turns in shifts.items():
        days = {day_of(start): (start, end) for start, end in turns}
        of_day: dict[date, list[Stretch]] = defaultdict(list)
        for start, end in busy[agent]:
            of_day[day_of(start)].append((start, end))
        for day, turn in days.items():
            if of_day[day]:
                worked += covered_ms(of_day[day])
                paid += covered_ms([*of_day[day], turn])
    (row,) = told(SERVICE, asking(year, view="handling"))
    assert row["occupancy_ppm"] == pytest.approx(worked / paid * 1_000_000, abs=200)


def test_spans_of_work_hold_what_the_clock_says(year: Year) -> None:
    """Half hours of ten agents, each measured by hand."""
    busy, shifts = stretches(year)
    found = work(asking(year), "agent")
    for agent in sorted(shifts)[:10]:
        for span in found[agent][:200]:
            within = [(span.start, span.start + SPAN_MS)]
            at_work, there = overlap(busy[agent], within), overlap(shifts[agent], within)
            expected = Span(span.start, covered_ms(at_work), covered_ms([*at_work, *there]))
            assert span == expected


def test_answers_are_counted_once_a_case(year: Year) -> None:
    """CSAT: the latest answer of each case with a handled contact, from the facts."""
    handled = {leg.case_id for leg in year.contacts() if leg.connected_at is not None}
    latest: dict[str, tuple[int, str, int]] = {}
    for fact in year.facts:
        if isinstance(fact, Resolution) and fact.csat is not None and fact.case_id in handled:
            said = (fact.occurred_at, fact.event_id, fact.csat)
            latest[fact.case_id] = max(said, latest.get(fact.case_id, said))
    good = sum(csat >= 4 for _, _, csat in latest.values())
    (row,) = told(SERVICE, asking(year, view="opinion"))
    assert row["csat_ppm"] == round(good / len(latest) * 1_000_000)


def test_conversion_is_counted_by_hand(year: Year) -> None:
    """Chains named by a product order, of all handled."""
    chain_of = {leg.contact_id: leg.chain_id or leg.contact_id for leg in year.contacts()}
    by_transfer = {leg.contact_id: leg.transfer_of for leg in year.contacts()}
    sold = set()
    for fact in year.facts:
        if not isinstance(fact, Order) or fact.kind != "sale" or fact.contact_id is None:
            continue
        if any(line.product_class == "product" for line in fact.lines):
            first = by_transfer.get(fact.contact_id) or fact.contact_id
            sold.add(chain_of.get(first, first))
    (row,) = told(SERVICE, asking(year, view="sales"))
    assert row["sold_in"] == len(sold)


def test_offers_are_those_of_the_facts(year: Year) -> None:
    """Eligible, offered, accepted and missed, by class."""
    expected: Counter[tuple[str, str]] = Counter()
    for leg in year.contacts():
        for offer in leg.offers if leg.connected_at is not None else ():
            expected[offer.product_class, "offers"] += 1
            expected[offer.product_class, "accepted"] += offer.accepted
            expected[offer.product_class, "missed"] += offer.eligible and not offer.offered
    rows = told(OPPORTUNITIES, asking(year, ("product_class",)))
    found = {
        (str(row["product_class"]), name): row[name]
        for row in rows
        for name in ("offers", "accepted", "missed")
    }
    assert found == {key: expected[key] for key in found}
    assert found


def test_agents_skills_show_through(year: Year) -> None:
    """What agents' cases came to, drawn to the mean, goes with their true skill.

    Not more: a case may be solved, or spoilt, by whoever takes the next contact of it.
    """
    skill = {each.agent_id: each.skill_ppm for each in year.truth.agents}
    sales = {each.agent_id: each.sales_ppm for each in year.truth.agents}
    rows = told(SERVICE, asking(year, ("agent",), view="all"))
    for name, true in (("resolved_ppm", skill), ("conversion_ppm", sales)):
        known = [(row["agent"], row[name]) for row in rows if isinstance(row[name], int)]
        assert len(known) >= 10
        pairs = [(float(str(figure)), float(true[str(agent)])) for agent, figure in known]
        assert correlation(*zip(*pairs, strict=True)) > 0.4, name
