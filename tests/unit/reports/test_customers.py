"""`pnl report customers` over the CDNOW sample, taken through journeys into the store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pnl.fitting.churn import fit_churn
from pnl.fitting.model_file import text_of
from pnl.fitting.told import model_file
from pnl.reports.catalogue import sheet_report
from pnl.reports.model import BadRequest, Scope
from pnl.reports.queries import Reports
from pnl.reports.sheet import Asking, Sheet
from processors.lifetime import Terms, lifetime_value
from processors.policy import Policy
from processors.purchases import purchases
from sinks.store import Store
from streams.clock import ManualClock
from streams.facts import Experiment, Fact
from tests.support.cdnow import bought, day, rows
from tests.support.facts import contact, cost, order, refund
from tests.support.store import opened_store
from tests.support.stored import store_facts

DAY_MS = 86_400_000
NOON = DAY_MS // 2
KEPT = 600
POLICY = Policy(timezone="UTC", currency="USD", acquisition_cost_minor=4500)
ALL = Scope(currency="USD")
SPRING = Scope(currency="USD", start=date(1998, 4, 1), end=date(1998, 7, 1))
SAVED_ON = day("1998-01-15")


def noon(text: str) -> int:
    """Return noon of a date in milliseconds."""
    return day(text) * DAY_MS + NOON


def names() -> list[str]:
    """Return the customers who are taken: each bought something."""
    return list(bought().customers[:KEPT])


def facts() -> Iterator[Fact]:
    """Yield the orders of some customers, one of them refunded, contacts and save calls."""
    kept, number = set(names()), 0
    for place, row in enumerate(rows()):
        cents = round(float(row["amount"]) * 100)
        if row["customer_id"] in kept and cents:
            yield order(
                f"o{place}",
                noon(row["date"]),
                cents,
                customer_id=row["customer_id"],
                currency="USD",
            )
    yield order("gone", noon("1998-05-01"), 700, customer_id="regretful", currency="USD")
    yield refund("back", "gone", noon("1998-05-03"), 700, customer_id="regretful", currency="USD")
    yield order("guest", noon("1998-05-01"), 900, customer_id=None, currency="USD")
    yield order("abroad", noon("1998-05-01"), 900, customer_id="abroad", currency="GBP")
    for number, name in enumerate(names()[:60]):
        yield contact(f"c{number}", noon("1998-04-10"), customer_id=name)
    yield contact("curious", noon("1998-04-11"), customer_id="curious")
    for number, name in enumerate(names()[:100]):
        arm = Experiment(id="x", arm="control") if number >= 60 else None
        yield contact(
            f"s{number}",
            SAVED_ON * DAY_MS + NOON,
            customer_id=name,
            kind="save",
            queue="retention",
            experiment=arm,
            **({"connected_at": None} if arm else {}),
        )
    yield cost("gift", "concession", SAVED_ON * DAY_MS + NOON, 600, customer_id=names()[0],
               contact_id="s0", currency="USD")  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store with these books."""
    with opened_store(tmp_path_factory.mktemp("customers")) as opened:
        store_facts(opened, facts(), POLICY)
        yield opened


def asked(store: Store, scope: Scope = ALL, by: tuple[str, ...] = (), **options: str) -> Sheet:
    """Return the report."""
    return Reports(store, POLICY, ManualClock(0)).sheet("customers", scope, by, options)


def told(sheet: Sheet, row: Any) -> dict[str, Any]:
    """Return a row by the names of its columns."""
    return dict(zip((column.name for column in sheet.columns), row, strict=True))


def sample() -> Any:
    """Return the purchases of the kept customers, those of nothing left out."""
    kept = set(names())
    sold = [row for row in rows() if row["customer_id"] in kept and float(row["amount"]) > 0]
    days = [day(row["date"]) for row in sold]
    cents = [round(float(row["amount"]) * 100) for row in sold]
    who = [row["customer_id"] for row in sold]
    return purchases(who, [each * DAY_MS for each in days], days, cents)


def test_customers_are_worth_what_the_models_say_of_each(filled: Store) -> None:
    """DEF-CLV: cells of equal histories give what customers one by one give, margin 40 %."""
    sheet = asked(filled)
    total = told(sheet, sheet.total)
    alone, last = sample(), day("1998-06-30")
    fit, known = fit_churn(alone, last), alone.on(last)
    assert fit.repeat is not None
    assert fit.spend is not None
    value = lifetime_value(
        fit.repeat.model,
        known.histories,
        fit.spend.model.expected(known.spend),
        Terms(margin=0.4),
    )
    risk = fit.risk_model.risk(known.histories)
    assert total["customers"] == len(alone.customers)
    assert total["clv_minor"] == pytest.approx(value.sum(), rel=1e-4)
    assert total["at_risk_minor"] == pytest.approx((risk * value).sum(), rel=1e-4)
    assert total["risk_ppm"] == pytest.approx(risk.mean() * 1e6, rel=1e-4)
    assert total["clv_minor_low"] < total["clv_minor"] < total["clv_minor_high"]
    assert total["loss_minor"] == pytest.approx(value.mean(), rel=1e-2)
    assert total["replacement_minor"] == 4500
    assert sheet.label == "calibrated"


def test_segments_add_up_to_all_customers(filled: Store) -> None:
    """Customers, revenue, contacts and value of the rows are those of the total."""
    sheet = asked(filled, SPRING)
    total = told(sheet, sheet.total)
    rows_told = [told(sheet, row) for row in sheet.rows]
    bought_rows = [row for row in rows_told if row["relation"] != "no order"]
    for name in ("customers", "active", "net_revenue_minor", "contacts", "clv_minor"):
        assert sum(row[name] for row in bought_rows) == pytest.approx(total[name], abs=4)
    cents = [
        round(float(row["amount"]) * 100)
        for row in rows()
        if row["customer_id"] in set(names()) and "1998-04-01" <= row["date"] < "1998-07-01"
    ]
    assert total["net_revenue_minor"] == sum(cents)
    assert total["contacts"] == 60
    assert total["contact_ppm"] == round(60 / len(sample().customers) * 1e6)
    assert {row["relation"] for row in bought_rows} == {"existing"}


def test_a_customer_without_an_order_has_no_risk(filled: Store) -> None:
    """DEF-RISK: in contact but never bought is counted, with risk and value null."""
    sheet = asked(filled, SPRING, ("relation",))
    (row,) = [told(sheet, row) for row in sheet.rows if row[0] == "no order"]
    assert row["customers"] == row["contacts"] == 1
    assert row["risk_ppm"] is None
    assert row["clv_minor"] is None
    listed = asked(filled, SPRING, ("customer",), customer="curious")
    (one,) = [told(listed, each) for each in listed.rows]
    assert (one["relation"], one["contacts"], one["risk_ppm"]) == ("no order", 1, None)


def test_refunded_orders_guests_and_other_currencies_are_no_purchases(filled: Store) -> None:
    """A refunded order makes no customer; neither does a guest, nor an order in other money."""
    for name in ("regretful", "guest", "abroad"):
        assert asked(filled, ALL, ("customer",), customer=name).rows == ()
    pounds = asked(filled, Scope(currency="GBP"))
    assert pounds.total is not None
    assert told(pounds, pounds.total)["customers"] == 1
    assert told(pounds, pounds.total)["clv_minor"] is None
    assert any("cannot be told" in note for note in pounds.notes)


def test_a_list_of_customers_is_ranked_by_value_at_risk_and_comes_in_pages(filled: Store) -> None:
    """`--by customer`: the same order over pages, each row within the total."""
    whole = asked(filled, ALL, ("customer",), limit="1000")
    pages = [asked(filled, ALL, ("customer",), limit="400", skip=skip) for skip in ("0", "400")]
    assert [row[0] for page in pages for row in page.rows] == [row[0] for row in whole.rows]
    at_risk = [told(whole, row)["at_risk_minor"] for row in whole.rows]
    ranked = [each for each in at_risk if each is not None]
    assert ranked == sorted(ranked, reverse=True)
    total = told(asked(filled), asked(filled).total)["at_risk_minor"]
    assert sum(ranked) == pytest.approx(total, rel=1e-3)


def test_the_retention_curve_counts_who_came_back_in_a_month(filled: Store) -> None:
    """Cohort of January 1997, each later month that is over, counted here one by one."""
    sheet = asked(filled, view="retention")
    alone = sample()
    firsts = alone.day[alone.starts[:-1]]
    january = {
        name
        for name, first in zip(alone.customers, firsts, strict=True)
        if first < day("1997-02-01")
    }
    found = {row[1]: told(sheet, row) for row in sheet.rows if row[0] == date(1997, 1, 1)}
    assert found[0]["customers"] == found[0]["retained"] == len(january) > 100
    in_may = {
        row["customer_id"]
        for row in rows()
        if row["customer_id"] in january and row["date"][:7] == "1997-05" and float(row["amount"])
    }
    assert found[4]["retained"] == len(in_may)
    assert max(found) == (17 if alone.day.max() == day("1998-06-30") else 16)
    past = asked(filled, replace(ALL, end=date(1997, 4, 15)), view="retention")
    assert max(row[1] for row in past.rows) == 2, "April is not over"


def test_save_calls_are_judged_against_the_control_arm(filled: Store) -> None:
    """DEF-SAVE: 60 contacts against 40 customers drawn for none; the gift is the offer's cost."""
    sheet = asked(filled, view="saves")
    row = told(sheet, sheet.rows[0])
    known, until = bought(), SAVED_ON + 90
    places = np.arange(100)
    kept = known.bought(places, SAVED_ON, until)
    assert sheet.label == "causal"
    assert (row["queue"], row["contacts"], row["saved"]) == ("retention", 60, int(kept[:60].sum()))
    assert row["expected_ppm"] == round(kept[60:].mean() * 1e6)
    assert row["offer_minor"] == -10
    difference = kept[:60].mean() - kept[60:].mean()
    assert row["net_minor"] == pytest.approx(difference * row["margin_minor"] - 10, abs=2)
    assert row["net_minor_low"] < row["net_minor"] < row["net_minor_high"]


def test_figures_of_a_past_moment_know_nothing_later(filled: Store) -> None:
    """A range that ends in 1997 counts what was bought by then."""
    past = replace(ALL, end=date(1997, 10, 1))
    sheet = asked(filled, past)
    known = sample().on(day("1997-09-30"))
    total = told(sheet, sheet.total)
    assert total["customers"] == len(known.customers)
    again = (known.histories.repeats > 0).mean()
    assert total["repeat_ppm"] == round(again * 1e6)


def test_what_cannot_be_asked_is_refused(filled: Store) -> None:
    """An unknown view, a mixed --by, a text for a number: one sentence each."""
    with pytest.raises(BadRequest, match="segments, customers, retention, saves"):
        asked(filled, view="other")
    with pytest.raises(BadRequest, match="stands alone"):
        asked(filled, ALL, ("customer", "relation"))
    with pytest.raises(BadRequest, match="whole number"):
        asked(filled, months="many")


def test_every_column_is_defined(filled: Store) -> None:
    """`--define` has a sentence for each id of ours."""
    report = sheet_report("customers")
    for options in ({}, {"view": "retention"}, {"view": "saves"}):
        for column in asked(filled, **options).columns:
            known = column.definition in report.definitions or column.definition.startswith("DEF")
            assert known, column


class NoStore:
    """A store that must not be asked."""

    def query(self, sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        """Fail."""
        raise AssertionError(sql, parameters)


@pytest.mark.parametrize("view", ["segments", "customers", "retention", "saves"])
def test_empty_books_have_no_customers(view: str) -> None:
    """Nothing is estimated of nothing."""
    asking = Asking(store=NoStore(), policy=POLICY, as_of=None, scope=ALL, options={"view": view})
    assert sheet_report("customers").asked(asking).rows == ()


def test_a_kept_model_is_used_where_it_answers_what_is_asked(filled: Store, tmp_path: Path) -> None:
    """`pnl fit churn`'s file: its risk and its name; not for a day before it was known."""
    known = day("1998-05-31")
    fit = fit_churn(sample(), known)
    file = model_file(fit, "USD")
    path = tmp_path / "churn.json"
    path.write_text(text_of(file), "utf-8")
    reports = Reports(filled, POLICY, ManualClock(0), model=path)
    sheet = reports.sheet("customers", ALL)
    last = sample().on(day("1998-06-30")).histories
    expected = fit.risk_model.risk(last).mean() * 1e6
    assert told(sheet, sheet.total)["risk_ppm"] == pytest.approx(expected, rel=1e-4)
    assert any(file.name in note for note in sheet.notes)
    earlier = reports.sheet("customers", Scope(currency="USD", end=date(1998, 5, 1)))
    assert not any(file.name in note for note in earlier.notes)
    other = reports.sheet("customers", ALL, options={"horizon_days": "60"})
    assert not any(file.name in note for note in other.notes)
