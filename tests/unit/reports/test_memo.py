"""The memo, the bridge from A to net revenue, and the reconciliation with the order facts."""

from datetime import date

from pnl.reports.model import Reconciliation, Scope, Unbooked
from pnl.reports.queries import Reports
from tests.support.books import Books, chain, control, cost, day, order, sold, spread

GBP = Scope(currency="GBP")


def until(text: str) -> Scope:
    """Return the scope of everything before a date."""
    return Scope(currency="GBP", end=date.fromisoformat(text))


def test_the_bridge_leads_from_a_to_net_revenue(books: Books, reports: Reports) -> None:
    """A - fees + deferred + M1 + M9 = M2, with every kind of entry in play."""
    books.book(
        sold("A1b", 700, "2024-06-03"),
        control("unattributed", 300, "2024-06-03"),
        control("net", -1000, "2024-06-03"),
        sold("A5", -40, "2024-06-05"),
        control("net", 40, "2024-06-05"),
        cost("A2a", 25, "2024-06-05"),
        spread("A3", 900, "2024-06-01 09:00", "2024-06-01", "2024-07-01", order_id="o2"),
        control("net", -900, "2024-06-01 09:00", order_id="o2"),
        control("A5x", -60, "2024-06-07", order_id="r1"),
        control("net", 60, "2024-06-07", order_id="r1"),
        control("adjustment", -5, "2024-06-08", order_id="x1"),
        control("net", 5, "2024-06-08", order_id="x1"),
    )
    books.as_of("2024-06-11")
    found = reports.statement(GBP)
    bridge = found.bridge
    assert bridge.a_minor == found.total("A") == 700 - 40 + 25 + 300
    assert bridge.fees_minor == 25
    assert bridge.deferred_minor == 600
    assert bridge.unattributed_minor == found.memo_value("M1") == 300 - 60
    assert bridge.adjustments_minor == found.memo_value("M9") == -5
    assert bridge.net_minor == found.memo_value("M2") == 1000 - 40 + 900 - 60 - 5
    assert bridge.adds_up
    assert not found.reconciles  # The order facts were not laid.
    assert found.memo_value("M8") == -60
    # Order credits 700 - 40 + 900 of net 1795.
    assert found.memo_value("M3") == 869_081


def test_deferred_revenue_is_what_was_sold_less_what_was_earned(
    books: Books, reports: Reports
) -> None:
    """The balance falls by the day and ends at zero with the term."""
    books.book(spread("A3", 900, "2024-06-01 09:00", "2024-06-01", "2024-07-01"))
    books.as_of("2024-08-01")
    balances = [
        reports.statement(until(text)).memo_value("M5")
        for text in ("2024-06-01", "2024-06-02", "2024-06-16", "2024-07-01", "2025-01-01")
    ]
    assert balances == [0, 870, 450, 0, 0]


def test_deferred_revenue_is_negative_where_the_term_began_before_its_sale(
    books: Books, reports: Reports
) -> None:
    """Days are earned before anything was sold; the sale then puts the balance right."""
    books.book(spread("A3", 900, "2024-06-11 09:00", "2024-06-01", "2024-07-01"))
    books.as_of("2024-08-01")
    assert reports.statement(until("2024-06-11")).memo_value("M5") == -300
    assert reports.statement(until("2024-06-12")).memo_value("M5") == 570


def test_deferred_revenue_stops_at_as_of_and_leaves_overhead_out(
    books: Books, reports: Reports
) -> None:
    """The balance is the one at the newest event if the range goes beyond it."""
    books.book(
        spread("A3", 900, "2024-06-01 09:00", "2024-06-01", "2024-07-01"),
        spread("C5", -900, "2024-06-01 09:00", "2024-06-01", "2024-07-01"),
    )
    books.as_of("2024-06-11 23:30")
    # 23:30 UTC is already 12 June in London: eleven days are over.
    assert reports.statement(GBP).memo_value("M5") == 900 - 330
    assert reports.statement(until("2024-06-06")).memo_value("M5") == 750


def test_a_refund_of_the_rest_of_a_term_touches_deferred_revenue_only(
    books: Books, reports: Reports
) -> None:
    """Refunding 300 of the 600 left restarts the term with the rest over the days left."""
    cut = "2024-06-11"
    books.book(
        spread("A3", 900, "2024-06-01 09:00", "2024-06-01", "2024-07-01"),
        spread(
            "A3",
            -600,
            "2024-06-11 10:00",
            "2024-06-01",
            "2024-07-01",
            cut=day(cut),
            spread_minor=-900,
        ),
        spread("A3", 300, "2024-06-11 10:00", cut, "2024-07-01"),
    )
    books.as_of("2024-08-01")
    assert reports.statement(until("2024-06-11")).memo_value("M5") == 600
    assert reports.statement(until("2024-06-12")).memo_value("M5") == 285
    assert reports.statement(until("2024-07-01")).memo_value("M5") == 0
    june = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))
    found = reports.statement(june)
    assert found.line("A3").amount_minor == 600
    assert found.line("A5").amount_minor == 0


def test_shares_of_contacts_count_chains_by_their_end(books: Books, reports: Reports) -> None:
    """M6 is of all chains, M7 of the handled ones whose lookback has passed."""
    books.put(
        chain("c1", "2024-06-01 10:00"),
        chain("c2", "2024-06-20 10:00"),
        chain("c3", "2024-06-20 11:00", identified=False, handled=False, abandoned=True),
        chain("c4", "2024-07-20 11:00", identified=False),
        chain("c5", "2024-06-20 11:00", withdrawn=True),
    )
    books.as_of("2024-07-02")
    june = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))
    found = reports.statement(june)
    assert found.memo_value("M6") == 333_333
    assert found.memo_value("M7") == 500_000
    assert reports.statement(until("2024-06-01")).memo_value("M7") is None


def test_net_revenue_is_reconciled_from_the_order_facts_alone(
    books: Books, reports: Reports
) -> None:
    """Cancellations belong to the refunds; a withdrawn order and another currency do not count."""
    books.put(
        order("o1", "sale", 1000, "2024-06-01"),
        order("o2", "sale", 500, "2024-06-02", withdrawn=True),
        order("o3", "sale", 7, "2024-06-02", currency="JPY"),
        order("r1", "refund", -100, "2024-06-03"),
        order("r2", "chargeback", -10, "2024-06-03"),
        order("r3", "credit_note", -20, "2024-06-03"),
        order("r4", "cancellation", -300, "2024-06-03"),
        order("r5", "refund", 37, "2024-06-03"),
        order("x1", "adjustment", -5, "2024-06-30 23:00"),
    )
    books.as_of("2024-07-02")
    june = Scope(currency="GBP", start=date(2024, 6, 1), end=date(2024, 7, 1))
    found = reports.statement(june).reconciliation
    assert found == Reconciliation(orders_minor=1000, refunds_minor=-393, adjustments_minor=0)
    assert found.net_minor == 607
    assert reports.statement(GBP).reconciliation.net_minor == 602


def test_costs_without_a_line_are_shown_by_kind(books: Books, reports: Reports) -> None:
    """They stand beside the statement and in none of its totals."""
    books.book(
        cost("unbooked", -700, "2024-06-01", kind="payroll"),
        cost("unbooked", -30, "2024-06-02", kind="training"),
        cost("unbooked", -4, "2024-06-02", kind="payroll"),
        cost("unbooked", 0, "2024-06-02", kind="service", note="unknown_tariff"),
    )
    books.as_of("2024-07-02")
    found = reports.statement(GBP)
    assert found.unbooked == (
        Unbooked(kind="payroll", amount_minor=-704),
        Unbooked(kind="training", amount_minor=-30),
    )
    assert found.total("booked_result") == 0
