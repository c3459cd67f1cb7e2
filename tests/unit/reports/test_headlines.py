"""The live board's figures: the statement's own, with histories that add up to them."""

from datetime import date, timedelta
from itertools import pairwise

from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from tests.support.books import Books, chain, control, cost, sold, spread

JUNE = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))


def fill(books: Books) -> None:
    """Lay a June of sales, costs and contacts."""
    chains = [chain(f"c{n}", f"2024-06-{n + 1:02d} 10:00") for n in range(9)]
    lost = chain("x1", "2024-06-05 11:00", identified=False, handled=False, abandoned=True)
    entries = [
        sold("A1b", 700, "2024-06-03", contact_id="c1", queue="billing"),
        sold("A1b", 201, "2024-06-04 23:30", contact_id="c2", queue="sales"),
        sold("B", -350, "2024-06-03", contact_id="c1", queue="billing"),
        control("unattributed", 99, "2024-06-03"),
        control("net", -1000, "2024-06-03"),
        cost("C1", -450, "2024-06-02", contact_id="c1", queue="billing"),
        spread("A3", 900, "2024-05-20", "2024-05-20", "2024-06-19"),
        spread("C5", -900, "2024-06-01", "2024-06-01", "2024-07-01"),
    ]
    books.lay([*chains, lost], entries)
    books.as_of("2024-06-21 12:00")


def test_histories_add_up_to_their_figures(books: Books, reports: Reports) -> None:
    """Day by day and as a whole, the same entries are counted."""
    fill(books)
    found = reports.headlines(JUNE)
    statement = reports.statement(JUNE)
    assert found.net_revenue.value == statement.total("A") == 700 + 201 + 540
    assert found.booked_result.value == statement.total("booked_result")
    for figure in (found.net_revenue, found.booked_result):
        known = [value for value in figure.series if value is not None]
        assert sum(known) == figure.value
        assert figure.days[0] == date(2024, 6, 1)
        assert figure.days[-1] == date(2024, 6, 21)
    at_midnight = dict(zip(found.net_revenue.days, found.net_revenue.series, strict=True))
    assert at_midnight[date(2024, 6, 5)] == 201 + 30


def test_figures_per_contact_count_handled_chains(books: Books, reports: Reports) -> None:
    """Nine handled chains earned 901 and cost 450, overhead shown below."""
    fill(books)
    found = reports.headlines(JUNE)
    assert found.revenue_per_contact.value == 100
    assert found.revenue_per_contact.ci_minor is None
    assert found.revenue_per_contact.matured_ppm == 0
    assert found.cost_per_contact.value == 50
    assert found.cost_per_contact.below == (450 + 600) // 9 + 1
    assert found.unidentified.value == 100_000
    assert found.unattributed.value == 99_000


def test_a_filter_narrows_figures_but_not_the_company(books: Books, reports: Reports) -> None:
    """What is unattributed belongs to nobody's queue."""
    fill(books)
    billing = Scope(currency="GBP", start=JUNE.start, end=JUNE.end, queue=("billing",))
    found = reports.headlines(billing)
    assert found.net_revenue.value == 700
    assert sum(value or 0 for value in found.net_revenue.series) == 700
    assert found.unattributed.value == 99_000


def test_a_period_is_provisional_until_a_day_after_its_end(books: Books, reports: Reports) -> None:
    """June closes when event time reaches 2 July in London; an open range never does."""
    books.as_of("2024-07-01 22:59:59")
    assert reports.headlines(JUNE).provisional
    books.as_of("2024-07-01 23:00")
    assert not reports.headlines(JUNE).provisional
    assert reports.headlines(Scope(currency="GBP")).provisional


def test_a_history_is_at_most_thirty_days(books: Books, reports: Reports) -> None:
    """The last thirty up to the newest event, without a gap."""
    fill(books)
    days = reports.headlines(Scope(currency="GBP")).net_revenue.days
    assert (len(days), days[-1]) == (30, date(2024, 6, 21))
    assert all(after - before == timedelta(days=1) for before, after in pairwise(days))


def test_an_empty_store_has_no_figure_to_show(reports: Reports) -> None:
    """Sums are zero, shares and means unknown, histories empty."""
    found = reports.headlines(JUNE)
    assert [figure.value for figure in found.all()] == [0, 0, None, None, None, None]
    assert all(figure.series == () for figure in found.all())
