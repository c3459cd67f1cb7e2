"""The period job on a log and a store: what it states, and that it states it once."""

from collections.abc import Iterator

import pytest

from pnl.errors import UserError
from pnl.periods.job import PeriodJob
from processors.policy import HOUR_MS, Policy
from sinks.store import Store
from streams import topics
from streams.facts import Contact, Cost, Millis
from tests.support.books import at
from tests.support.company import Company
from tests.support.facts import MINUTE, contact, cost, order
from tests.support.store import store as store

RULES = Policy(loaded_per_hour_minor=3600)


@pytest.fixture
def company(store: Store) -> Iterator[Company]:
    """Return a company with an empty store, late in 2024."""
    founded = Company(store, RULES)
    founded.at(at("2024-12-01"))
    yield founded
    founded.sink.close()


def shift(event_id: str, start: str, hours: int, amount_minor: int, agent: str = "a1") -> Cost:
    """Build an agent's pay for some hours from a time on."""
    since = at(start)
    return cost(
        event_id, "payroll", since + hours * HOUR_MS, amount_minor,
        customer_id=None, agent_id=agent,
        period_start=since, period_end=since + hours * HOUR_MS,
    )  # fmt: skip


def call(name: str, ended: str, minutes: int = 60, agent: str = "a1", **other: object) -> Contact:
    """Build a call of so many minutes by an agent."""
    return contact(
        name, at(ended), talk_ms=minutes * MINUTE, agent_id=agent, team="blue",
        customer_id=f"k-{name}", **other,
    )  # fmt: skip


def stated(company: Company) -> int:
    """Return how many facts the job has appended so far."""
    return sum(company.log.end_offsets(topics.PERIODS).values())


def test_paid_hours_are_handled_idle_or_absorbed(company: Company) -> None:
    """Eight hours paid 300.00: an hour handled, seven idle at 36.00, the rest absorbed."""
    company.send(shift("p1", "2024-04-10 08:00", 8, 30_000), call("c1", "2024-04-10 10:00"))
    company.settle()
    lines = company.lines("2024-04")
    assert lines == {"C1": -3600, "C2": -7 * 3600, "C7": -1200}
    assert sum(lines.values()) == -30_000


def test_nothing_is_stated_twice(company: Company) -> None:
    """A job that starts anew finds all of it in the ledger."""
    company.send(shift("p1", "2024-04-10 08:00", 8, 30_000), call("c1", "2024-04-10 10:00"))
    company.settle()
    before = stated(company)
    company.settle(company.new_job())
    assert stated(company) == before == 2


def test_a_late_contact_moves_idle_time_of_its_own_day_alone(company: Company) -> None:
    """The other day's line stands untouched, without reversal."""
    company.send(
        shift("p1", "2024-04-10 08:00", 8, 30_000),
        shift("p2", "2024-04-11 08:00", 8, 30_000),
    )
    company.settle()
    company.send(call("c1", "2024-04-10 10:00"))
    company.settle()
    assert company.lines("2024-04") == {"C1": -3600, "C2": -15 * 3600, "C7": -60_000 + 16 * 3600}
    rows = company.store.query(
        "SELECT toString(effective_at) AS day, count() AS entries FROM v_ledger"
        " WHERE line = 'C2' GROUP BY day ORDER BY day"
    )
    assert [row["entries"] for row in rows] == [3, 1]


def test_a_month_without_payroll_has_neither_idle_time_nor_absorption(company: Company) -> None:
    """What was paid is not known, so nothing is made of it."""
    company.send(call("c1", "2024-04-10 10:00"), order("o1", at("2024-04-11"), 500))
    company.settle()
    assert stated(company) == 0
    assert "C7" not in company.lines("2024-04")


def test_pay_by_the_month_is_absorbed_and_no_shift(company: Company) -> None:
    """Without shifts C2 is empty; C7 still ties cost to payroll."""
    pay = cost(
        "p1", "payroll", at("2024-04-30 12:00"), 100_000, customer_id=None, agent_id="a1",
        period_start="2024-04-01", period_end="2024-05-01",
    )  # fmt: skip
    company.send(pay, call("c1", "2024-04-10 10:00"))
    company.settle()
    assert company.lines("2024-04") == {"C1": -3600, "C7": -96_400}


def test_each_currency_of_the_payroll_reconciles_by_itself(company: Company) -> None:
    """C7 in euros is the payroll in euros."""
    company.send(
        shift("p1", "2024-04-10 08:00", 8, 30_000),
        cost("p2", "payroll", at("2024-04-10"), 777, currency="EUR", customer_id=None),
    )
    company.settle()
    assert sum(company.lines("2024-04").values()) == -30_000
    assert company.lines("2024-04", "EUR") == {"C7": -777}


def test_pay_that_is_withdrawn_takes_its_figures_along(company: Company) -> None:
    """No line is left over."""
    pay = shift("p1", "2024-04-10 08:00", 8, 30_000)
    company.send(pay)
    company.settle()
    assert company.lines("2024-04")
    company.send(Cost(**{name: getattr(pay, name) for name in pay.__struct_fields__} | {
        "revision": 1, "withdrawn": True,
    }))  # fmt: skip
    company.settle()
    assert company.lines("2024-04") == {}


def test_two_jobs_that_state_at_once_end_with_one_figure_and_no_dead_letter(
    company: Company,
) -> None:
    """Both saw the same ledger, one of them by other rules: the next run makes it good."""
    company.send(shift("p1", "2024-04-10 08:00", 8, 30_000))
    cut = company.cut()
    other = PeriodJob(
        company.log, company.store, Policy(loaded_per_hour_minor=1800), company.clock,
        company.job.lateness,
    )  # fmt: skip
    assert company.job.refresh(cut)
    assert other.refresh(cut)
    company.settle()
    assert company.lines("2024-04") == {"C2": -8 * 3600, "C7": -1200}
    assert company.store.query("SELECT count() AS n FROM v_dead_letters") == [{"n": 0}]


def closed(company: Company) -> set[str]:
    """Return the names of closed periods."""
    return {row["period"] for row in company.store.query("SELECT period FROM v_periods")}


def live_month(company: Company) -> Millis:
    """Let April happen day by day; return when it has passed with its lateness."""
    company.at(at("2024-04-01"))
    company.live(call(f"c{day}", f"2024-04-{day:02} 10:00") for day in range(1, 31))
    return at("2024-04-30 23:00") + 24 * HOUR_MS


def test_a_live_month_closes_by_itself_when_event_time_and_clock_have_passed(
    company: Company,
) -> None:
    """A fact dated tomorrow is not enough, nor is a clock without facts."""
    due = live_month(company)
    company.at(due - 2 * HOUR_MS)
    company.send(call("early", "2024-05-02 01:00"))
    assert company.job.close_due(company.settle()) == ()
    company.at(due)
    assert company.job.close_due(company.settle()) == ("2024-04",)
    company.settle()
    assert closed(company) == {"2024-04"}
    assert company.job.close_due(company.settle()) == ()


def test_a_month_that_was_imported_stays_open_until_somebody_closes_it(company: Company) -> None:
    """All of it was booked long after its end."""
    company.send(*(call(f"c{day}", f"2024-04-{day:02} 10:00") for day in range(1, 31)))
    company.send(call("later", "2024-05-20 10:00"))
    assert company.job.close_due(company.settle()) == ()
    assert company.close("2024-04") == ("2024-04",)
    assert company.close("2024-04") == ()
    assert closed(company) == {"2024-04"}


def test_a_quarter_closes_with_its_months(company: Company) -> None:
    """Those that are closed already keep their own closing."""
    company.send(call("c", "2024-05-20 10:00"))
    company.close("2024-05")
    assert company.close("2024-Q2") == ("2024-04", "2024-06", "2024-Q2")


def test_a_period_that_is_not_over_cannot_be_closed(company: Company) -> None:
    """The clock says it is still running."""
    company.at(at("2024-04-30 12:00"))
    with pytest.raises(UserError, match="2024-04 is not over"):
        company.close("2024-04")


def test_who_closes_finds_the_figures_up_to_date_at_the_cut(company: Company) -> None:
    """What is reported reconciles to the payroll."""
    company.send(shift("p1", "2024-04-10 08:00", 8, 30_000), call("c1", "2024-04-10 10:00"))
    company.close("2024-04")
    (row,) = company.store.query("SELECT cut_partitions, cut_offsets FROM v_periods")
    reported = company.store.query(
        "SELECT sum(amount_minor) AS total FROM v_ledger WHERE line IN ('C1', 'C2', 'C7')"
        " AND log_offset < transform(toInt64(log_partition), {p:Array(Int64)},"
        " {o:Array(Int64)}, toInt64(0))",
        {"p": list(row["cut_partitions"]), "o": list(row["cut_offsets"])},
    )
    assert reported == [{"total": -30_000}]
