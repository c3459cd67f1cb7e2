"""Offers made and missed, and sales that came back."""

from datetime import date
from typing import Any

import pytest

from pnl.reports.freshness import as_of
from pnl.reports.model import BadRequest, Scope
from pnl.reports.opportunities import OPPORTUNITIES
from pnl.reports.sheet import Asking, Cell, Sheet
from processors.policy import Policy
from sinks.store import Store
from tests.spec.scenario import facts_of
from tests.support.store import store as store
from tests.support.stored import store_facts

MARCH = Scope(currency="GBP", start=date(2024, 3, 1), end=date(2024, 4, 1))
UTC = Policy(timezone="UTC")


def asked(store: Store, by: tuple[str, ...] = (), scope: Scope = MARCH, **options: Any) -> Sheet:
    """Ask what the store holds."""
    return OPPORTUNITIES.asked(
        Asking(store=store, policy=UTC, as_of=as_of(store), scope=scope, by=by, options=options)
    )


def rows(sheet: Sheet) -> list[dict[str, Cell]]:
    """Return a sheet's rows by the names of its columns."""
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


def tell(store: Store, table: str) -> None:
    """Take a table of facts into the store."""
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)


OFFERS = """
    day | fact       | id | case | agent | offers                | outcome    | lost      | key
    1   | contact    | a1 | a    | ann   | product:eoa upgrade:e |            |           |
    1   | resolution | ra | a    |       |                       |            |           |
    1   | contact    | b1 | b    | ann   | product:eo            |            |           | k2
    2   | resolution | rb | b    |       |                       | unresolved |           | k2
    1   | contact    | c1 |      | bob   | maintenance:o         |            |           | k3
    1   | contact    | d1 |      |       | product:e             |            | abandoned | k4
    """


def test_a_missed_offer_needs_an_eligible_customer(store: Store) -> None:
    """Three were eligible, two of them offered; an abandoned call could offer nothing."""
    tell(store, OFFERS)
    (row,) = rows(asked(store))
    assert [row[name] for name in ("offers", "eligible", "offered", "accepted")] == [4, 3, 3, 1]
    assert (row["missed"], row["declined"], row["not_eligible"]) == (1, 2, 1)
    assert (row["offered_ppm"], row["accepted_ppm"]) == (666_667, 333_333)


def test_an_offer_before_the_problem_is_solved_is_flagged(store: Store) -> None:
    """W73: of the two offers whose contact's outcome is known, one was made in an unsolved one."""
    tell(store, OFFERS)
    (row,) = rows(asked(store))
    assert (row["in_unresolved"], row["in_unresolved_ppm"]) == (1, 500_000)


def test_offers_are_split_by_what_was_offered_too(store: Store) -> None:
    """By agent and class; and a filter by class limits the offers."""
    tell(store, OFFERS)
    found = [
        (row["agent"], row["product_class"], row["offers"])
        for row in rows(asked(store, ("agent", "product_class")))
    ]
    expected = [("ann", "product", 2), ("ann", "upgrade", 1), ("bob", "maintenance", 1)]
    assert found == expected
    only = Scope(currency="GBP", product_class=("product",))
    assert rows(asked(store, scope=only))[0]["offers"] == 2


def test_a_sale_that_comes_back_is_seen_where_it_was_sold(store: Store) -> None:
    """R4: ann sold 1,000 and an upgrade of 500, of which 400 and all came back."""
    tell(
        store,
        """
        day | time  | fact    | id | in | of | agent | amount_minor | class   | key
        1   | 10:00 | contact | a  |    |    | ann   |              |         |
        1   | 09:59 | order   | o1 | a  |    |       | 1000         |         |
        1   | 09:58 | order   | o2 | a  |    |       | 500          | upgrade |
        9   | 09:59 | refund  | f1 |    | o1 |       | 400          |         |
        70  | 09:59 | cancellation | f2 |    | o2 |       | |         |
        2   | 10:00 | contact | b  |    |    | bob   |              |         | k2
        5   | 10:00 | order   | o3 |    |    |       | 9000         |         | k2
        """,
    )
    (row,) = rows(asked(store, ("agent",), view="returns"))
    assert (row["agent"], row["orders"], row["sold_minor"]) == ("ann", 2, 1500)
    assert (row["returned_minor"], row["returned_ppm"]) == (900, 600_000)
    (total,) = rows(asked(store, view="returns"))
    assert (total["returned_orders"], total["returned_orders_ppm"]) == (2, 1_000_000)
    (upgrades,) = rows(
        asked(store, scope=Scope(currency="GBP", product_class=("upgrade",)), view="returns")
    )
    assert (upgrades["orders"], upgrades["returned_minor"]) == (1, 500)


def test_coaching_needs_thirty_cases_and_ranks_nobody(store: Store) -> None:
    """Ann offers to 10 of 60, four others to 40 of 60, cid had 29 chances only."""
    lines = ["day | time | fact | id | agent | offers"]
    agents = [("ann", 60, 10), *((f"x{n}", 60, 40) for n in range(4)), ("cid", 29, 0)]
    lines += [
        f"{1 + n % 28} | 10:{n % 60} | contact | {agent}{n} | {agent} | product:e{'o' * (n < made)}"
        for agent, chances, made in agents
        for n in range(chances)
    ]
    tell(store, "\n".join(lines))
    found = {row["agent"]: row for row in rows(asked(store, view="coaching"))}
    assert list(found) == ["ann", "cid", "x0", "x1", "x2", "x3"]
    assert found["ann"]["hint"] == "offers less often where the customer is eligible"
    assert (found["cid"]["offered_ppm"], found["cid"]["hint"]) == (None, "")
    assert found["x0"]["hint"] == ""
    assert not any("hour" in column.name for column in asked(store, view="coaching").columns)


def test_coaching_has_its_own_rows(store: Store) -> None:
    """It cannot be split further."""
    with pytest.raises(BadRequest):
        asked(store, ("queue",), view="coaching")
