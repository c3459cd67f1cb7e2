"""The guardrails over books that were drawn to break them."""

from datetime import date
from typing import Any

import pytest

from pnl.reports.freshness import as_of
from pnl.reports.guardrails import GUARDRAILS
from pnl.reports.model import BadRequest, Scope
from pnl.reports.sheet import Asking, Cell, Sheet
from processors.policy import Policy
from sinks.store import Store
from tests.spec.scenario import facts_of
from tests.support.store import store as store
from tests.support.stored import store_facts

MARCH = Scope(currency="GBP", start=date(2024, 3, 1), end=date(2024, 4, 1))
APRIL = Scope(currency="GBP", start=date(2024, 4, 1), end=date(2024, 5, 1))
UTC = Policy(timezone="UTC")


def asked(store: Store, by: tuple[str, ...] = (), scope: Scope = MARCH, **options: Any) -> Sheet:
    """Ask what the store holds."""
    return GUARDRAILS.asked(
        Asking(store=store, policy=UTC, as_of=as_of(store), scope=scope, by=by, options=options)
    )


def rows(sheet: Sheet) -> list[dict[str, Cell]]:
    """Return a sheet's rows by the names of its columns."""
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


def tell(store: Store, table: str) -> None:
    """Take a table of facts into the store."""
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)


def pressed(refunds: int, sold_in_march: int = 5, sold_in_april: int = 30) -> str:
    """Draw forty contacts in March and in April; of April's sales so many are refunded."""
    lines = ["day | time | fact | id | in | of | amount_minor | key | queue"]
    for month, first, sold in (("m", 1, sold_in_march), ("a", 33, sold_in_april)):
        for n in range(40):
            key, day = f"{month}{n}", first + n % 25
            lines.append(f"{day} | 10:00 | contact | {key} | | | | {key} | sales")
            if n < sold:
                lines.append(f"{day} | 09:59 | order | o{key} | {key} | | 1000 | {key} |")
            if month == "a" and n < refunds:
                lines.append(f"{day + 3} | 09:59 | refund | f{key} | | o{key} | 900 | {key} |")
            if month == "m" and n < sold and n % 10 == 9:
                lines.append(f"{day + 3} | 09:59 | refund | f{key} | | o{key} | 900 | {key} |")
    lines.append("90 | 10:00 | contact | late | | | | late | other")
    return "\n".join(lines)


def test_sales_that_rise_with_their_refunds_are_pressure(store: Store) -> None:
    """30 of March's 40 contacts sold, all 35 of April's; then two, then most are taken back."""
    tell(store, pressed(refunds=34, sold_in_march=30, sold_in_april=40))
    (row,) = rows(asked(store, ("queue",), APRIL, view="pressure"))
    assert (row["queue"], row["state"]) == ("sales", "alert")
    assert (row["sales_minor"], row["sales_change_minor"]) == (1000, 250)
    assert row["refunds_ppm"] == 850_000
    assert "refunds rose" in str(row["reason"])


def test_selling_more_alone_is_no_pressure(store: Store) -> None:
    """Sales rose, refunds did not: nothing to warn of."""
    tell(store, pressed(refunds=4, sold_in_march=30, sold_in_april=40))
    (row,) = rows(asked(store, ("queue",), APRIL, view="pressure"))
    assert row["state"] == "ok"


def test_both_periods_have_equal_time(store: Store) -> None:
    """Refunds later than the days given, and contacts younger than that, are in neither period."""
    tell(store, pressed(refunds=34, sold_in_march=30, sold_in_april=40))
    (soon,) = rows(asked(store, ("queue",), APRIL, view="pressure", exposure_days="2"))
    assert soon["refunds_ppm"] == 0
    (never,) = rows(asked(store, ("queue",), APRIL, view="pressure", exposure_days="80")) or [{}]
    assert never.get("state", "unknown") == "unknown"


def test_risk_that_rises_after_contacts_is_seen(store: Store) -> None:
    """Sixty customers bought after the contacts of March and not after those of April."""
    lines = ["day | time | fact | id | amount_minor | key"]
    for n in range(60):
        past = [-200 + 3 * (n % 20), *(-150 + 35 * each for each in range(n % 4))]
        bought = [*past, 3 + n % 20]
        lines += [f"{day} | 10:00 | order | o{n}_{day} | 1000 | k{n}" for day in bought]
        lines += [f"{day + n % 20} | 10:00 | contact | c{n}_{day} | | k{n}" for day in (1, 33)]
    lines.append("80 | 10:00 | contact | late | | late")
    tell(store, "\n".join(lines))
    (row,) = rows(asked(store, (), APRIL, view="pressure", risk="on"))
    low = row["risk_change_ppm_low"]
    assert isinstance(low, int)
    assert low > 0
    (off,) = rows(asked(store, (), APRIL, view="pressure"))
    assert off["risk_ppm"] is None


def test_value_is_what_solved_and_satisfied_contacts_brought(store: Store) -> None:
    """G-JUDGE: of 600 earned, 100 came from a contact that was solved and nobody complained of."""
    tell(
        store,
        """
        day | time  | fact       | id | case | in | amount_minor | outcome    | csat | key
        1   | 10:00 | contact    | a  | a    |    |              |            |      |
        2   | 10:00 | order      | oa |      |    | 100          |            |      |
        1   | 12:00 | resolution | ra | a    |    |              |            |      |
        1   | 10:00 | contact    | b  | b    |    |              |            |      | k2
        2   | 10:00 | order      | ob |      |    | 200          |            |      | k2
        1   | 12:00 | resolution | rb | b    |    |              |            | 2    | k2
        1   | 10:00 | contact    | c  | c    |    |              |            |      | k3
        2   | 10:00 | order      | oc |      |    | 300          |            |      | k3
        1   | 12:00 | resolution | rc | c    |    |              | unresolved | 5    | k3
        """,
    )
    (row,) = rows(asked(store, view="value"))
    assert (row["net_credit_minor"], row["judged_credit_minor"]) == (600, 100)
    assert (row["handled"], row["known"], row["judged_well"]) == (3, 3, 1)
    assert row["response_rate_ppm"] == 666_667


LONG_DAY = "\n".join(
    [
        "day | time | fact | id | agent | talk | amount_minor | shift",
        "1 | 18:00 | payroll | p1 | ann | | 9000 | 08:00..16:00",
        "1 | 18:00 | payroll | p2 | bob | | 9000 | 08:00..16:00",
        *(
            f"1 | {9 + n // 2:02}:{30 * (n % 2):02} | contact | a{n} | ann | 1740 | |"
            for n in range(6)
        ),
        *(f"1 | {9 + n:02}:00 | contact | b{n} | bob | 1800 | |" for n in range(6)),
    ]
)


def test_hours_at_the_limit_are_an_alert(store: Store) -> None:
    """G-LOAD: ann talks 29 of every 30 minutes for three hours; bob half of them."""
    tell(store, LONG_DAY)
    found = rows(asked(store, view="load"))
    assert [(row["unit"], row["name"]) for row in found] == [("agent", "ann")]
    assert found[0]["occupancy_ppm"] == 966_667
    assert found[0]["to_at"] - found[0]["from_at"] == 3 * 3_600_000  # type: ignore[operator]
    assert rows(asked(store, view="load", over_percent="97")) == []


def test_consistency_names_nobody(store: Store) -> None:
    """M47: two agents with equal shares differ by chance only; few cases are left out."""
    lines = ["day | time | fact | id | agent | in | amount_minor | key"]
    for agent, count in (("ann", 40), ("bob", 40), ("cid", 5)):
        for n in range(count):
            name = f"{agent}{n}"
            lines.append(f"{1 + n % 20} | 10:00 | contact | {name} | {agent} | | | {name}")
            if n % 4 == 0:
                lines.append(f"{1 + n % 20} | 09:59 | order | o{name} | | {name} | 100 | {name}")
    tell(store, "\n".join(lines))
    sheet = asked(store, view="consistency")
    found = {(row["measure"], row["across"]): row for row in rows(sheet)}
    conversion = found["conversion", "agent"]
    assert (conversion["units"], conversion["spread_ppm"]) == (2, 0)
    assert conversion["least_ppm"] == conversion["most_ppm"] == 250_000
    assert not {"ann", "bob", "cid"} & {cell for row in sheet.rows for cell in row}


def test_overhead_is_in_no_controllable_result(store: Store) -> None:
    """W79: 1,000 sold, 100 of training, 500 of overhead: 900 of one's own, 400 in the books."""
    tell(
        store,
        """
        day | time  | fact     | id | in | talk | amount_minor | period
        1   | 10:00 | contact  | a  |    | 0    |              |
        1   | 09:59 | order    | o  | a  |      | 1000         |
        5   | 10:00 | training | t  |    |      | 100          |
        5   | 10:00 | overhead | h  |    |      | 500          | 2024-03-01..2024-03-05
        9   | 10:00 | contact  | b  |    | 0    |              |
        """,
    )
    (row,) = rows(asked(store, view="control"))
    assert (row["revenue_minor"], row["goods_minor"], row["controllable_minor"]) == (1000, 0, -100)
    assert (row["controllable_result_minor"], row["allocated_minor"]) == (900, -500)
    assert row["result_minor"] == 400


def test_sales_per_hour_is_off_and_ranks_nobody(store: Store) -> None:
    """G-SPH: nothing unless asked for, never by agent, and beside returns and satisfaction."""
    tell(
        store,
        """
        day | time  | fact    | id | in | talk | amount_minor | queue | key
        1   | 10:00 | contact | a  |    | 1800 |              | b     |
        1   | 09:59 | order   | o  | a  |      | 1000         |       |
        1   | 10:00 | contact | c  |    | 3600 |              | a     | k2
        """,
    )
    off = asked(store, ("queue",), view="sales_per_hour")
    assert off.rows == ()
    on = asked(store, ("queue",), view="sales_per_hour", sales_per_hour="on")
    found = [(row["queue"], row["sales_per_hour_minor"]) for row in rows(on)]
    assert found == [("a", 0), ("b", 2000)]
    assert {"returned_orders_ppm", "csat_ppm", "risk_ppm"} < {c.name for c in on.columns}
    with pytest.raises(BadRequest):
        asked(store, ("agent",), view="sales_per_hour", sales_per_hour="on")


def test_the_summary_says_of_each_guardrail_how_it_stands(store: Store) -> None:
    """Every guardrail has a state and a reason; where nothing is known none is ok but G-SPH."""
    empty = {row["guardrail"]: row["state"] for row in rows(asked(store))}
    assert empty.pop("G-SPH") == "ok"
    assert set(empty.values()) == {"unknown"}
    tell(store, LONG_DAY)
    found = {row["guardrail"]: row for row in rows(asked(store))}
    assert found["G-LOAD"]["state"] == "alert"
    assert all(row["reason"] for row in found.values())
