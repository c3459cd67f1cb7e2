"""The service measures, each on a few drawn facts with the trap that its definition names."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from pnl.reports.freshness import as_of
from pnl.reports.model import BadRequest, Scope
from pnl.reports.service import SERVICE
from pnl.reports.sheet import Asking, Cell, Sheet
from processors.policy import ChannelRate, Policy
from sinks.store import Store
from tests.spec.scenario import facts_of
from tests.support.store import store as store
from tests.support.stored import store_facts

MARCH = Scope(currency="GBP", start=date(2024, 3, 1), end=date(2024, 4, 1))
UTC = Policy(timezone="UTC")
Told = Callable[..., dict[str, Cell]]


def asked(
    store: Store,
    by: tuple[str, ...] = (),
    scope: Scope = MARCH,
    policy: Policy = UTC,
    **options: Any,
) -> Sheet:
    """Ask for the measures of what the store holds; all of them unless told otherwise."""
    asking = Asking(
        store=store,
        policy=policy,
        as_of=as_of(store),
        scope=scope,
        by=by,
        options={"view": "all"} | options,
    )
    return SERVICE.asked(asking)


def rows(sheet: Sheet) -> list[dict[str, Cell]]:
    """Return a sheet's rows by the names of its columns."""
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in sheet.rows]


@pytest.fixture
def told(store: Store) -> Told:
    """Return what the one row says after a table of facts."""

    def tell(table: str, policy: Policy = UTC, **options: Any) -> dict[str, Cell]:
        store_facts(store, [fact for _, fact in facts_of(table)], policy)
        (row,) = rows(asked(store, policy=policy, **options))
        return row

    return tell


def test_nothing_is_unknown_and_not_zero(told: Told) -> None:
    """Before any contact counts are 0 and every measure is unknown."""
    row = told("day | fact  | id | amount_minor\n1 | order | o1 | 100")
    counts = ("contacts", "handled", "abandoned", "short_abandoned", "cases", "cases_final")
    assert {name for name, cell in row.items() if cell is not None} == {
        *counts,
        "touchpoints",
        "sold_in",
        "contact_rate",
    }
    assert row["contact_rate"] == 0


def test_a_transferred_contact_is_one_handled_contact(told: Told) -> None:
    """Three legs, two of them connected: one contact, all of their time, one transfer."""
    row = told(
        """
        day | time  | fact    | id | chain | talk | hold | wrap | lost
        1   | 10:05 | contact | a1 | a     | 100  | 20   | 30   |
        1   | 10:06 | contact | a2 | a     | 0    |      | 60   | silent
        1   | 10:20 | contact | a3 | a     | 200  |      | 40   |
        1   | 11:00 | contact | b  |       | 50   |      |      |
        1   | 12:00 | contact | c  |       | 0    |      | 90   | silent
        """
    )
    assert (row["contacts"], row["handled"]) == (3, 2)
    assert row["aht_ms"] == (450_000 + 50_000) // 2
    assert (row["talk_ms"], row["hold_ms"], row["wrap_ms"]) == (175_000, 10_000, 65_000)
    assert row["transfer_rate_ppm"] == 500_000


def test_a_contact_counts_where_it_ended_for_the_customer(store: Store) -> None:
    """A call that ended at 23:55 counts on that day, though its wrap-up ran past midnight."""
    table = """
        day | time  | fact    | id | talk | wrap
        1   | 23:55 | contact | a  | 100  | 900
        2   | 12:00 | contact | b  | 100  | 0
        """
    store_facts(store, [fact for _, fact in facts_of(table)])
    days = [(row["day"], row["handled"], row["aht_ms"]) for row in rows(asked(store, ("day",)))]
    assert days == [(date(2024, 3, 1), 1, 1_000_000), (date(2024, 3, 2), 1, 100_000)]


def test_two_chats_at_once_are_one_busy_agent(told: Told) -> None:
    """Two chats of an hour that overlap by half, in a shift of three: 1.5 of 3 hours."""
    row = told(
        """
        day | time  | fact    | id | agent | talk | amount_minor | shift
        1   | 10:00 | contact | a  | ann   | 3600 |              |
        1   | 10:30 | contact | b  | ann   | 3600 |              |
        1   | 12:00 | payroll | p  | ann   |      | 9000         | 09:00..12:00
        """
    )
    assert row["occupancy_ppm"] == 500_000


def test_work_outside_the_shift_is_work(told: Told) -> None:
    """An hour of shift without work, and half an hour on the phone after it: a third."""
    row = told(
        """
        day | time  | fact    | id | agent | talk | wrap | amount_minor | shift
        1   | 12:20 | contact | a  | ann   | 1200 | 600  |              |
        1   | 12:00 | payroll | p  | ann   |      |      | 9000         | 11:00..12:00
        2   | 12:20 | contact | b  | bob   | 1200 |      |              |
        1   | 12:00 | payroll | q  | ann   |      |      | 90000        | 00:00..23:59
        """.replace("00:00..23:59", "11:00..12:00")
    )
    assert row["occupancy_ppm"] == 333_333


def test_without_shifts_occupancy_is_unknown(store: Store) -> None:
    """A monthly salary is no shift: no figure, and a note that says why."""
    table = """
        day | time  | fact    | id | agent | amount_minor | period
        1   | 10:00 | contact | a  | ann   |              |
        1   | 12:00 | payroll | p  | ann   | 90000        | 2024-03-01..2024-04-01
        """
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)
    sheet = asked(store)
    assert rows(sheet)[0]["occupancy_ppm"] is None
    assert any("no shifts" in note for note in sheet.notes)


def test_idle_time_belongs_to_no_queue(store: Store) -> None:
    """Ann served both queues: each row tells of all her day, not of a part of it."""
    table = """
        day | time  | fact    | id | agent | queue   | talk | amount_minor | shift
        1   | 10:00 | contact | a  | ann   | billing | 1800 |              |
        1   | 11:00 | contact | b  | ann   | sales   | 1800 |              |
        1   | 12:00 | payroll | p  | ann   |         |      | 9000         | 09:00..13:00
        """
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)
    found = {row["queue"]: row["occupancy_ppm"] for row in rows(asked(store, ("queue",)))}
    assert found == {"billing": 250_000, "sales": 250_000}


def test_short_abandons_and_callbacks_are_no_abandons(told: Told) -> None:
    """One left after a minute, one after three seconds, one was called back and not reached."""
    row = told(
        """
        day | time  | fact    | id | lost      | wait | way      | code
        1   | 10:00 | contact | a  |           | 30   |          |
        1   | 10:01 | contact | b  |           | 10   |          |
        1   | 10:02 | contact | c  | abandoned | 60   |          |
        1   | 10:03 | contact | d  | abandoned | 3    |          |
        1   | 10:04 | contact | e  | silent    |      | outbound |
        1   | 10:05 | contact | f  | silent    |      |          | self_service
        1   | 10:06 | contact | g  |           |      | outbound |
        1   | 10:07 | contact | h  |           |      |          | test
        """
    )
    assert (row["contacts"], row["handled"], row["abandoned"]) == (8, 4, 2)
    assert row["short_abandoned"] == 1
    assert row["abandon_rate_ppm"] == 333_333
    assert (row["wait_ms"], row["wait_abandoned_ms"]) == (20_000, 31_500)


FIRST_CONTACTS = """
    day | fact       | id | case | lost      | key
    1   | contact    | a1 | a    |           |
    1   | resolution | ra | a    |           |
    3   | contact    | b1 | b    |           |
    3   | resolution | rb | b    |           |
    1   | contact    | c1 | c    |           | k2
    4   | contact    | c2 | c    |           | k2
    4   | resolution | rc | c    |           | k2
    1   | contact    | d1 | d    |           | k3
    1   | resolution | rd | d    |           | k3
    20  | contact    | d2 | d    |           | k3
    30  | contact    | e1 | e    |           | k4
    30  | resolution | re | e    |           | k4
    1   | contact    | f1 | f    | abandoned | k5
    2   | contact    | f2 | f    |           | k5
    2   | resolution | rf | f    |           | k5
    2   | contact    | g1 |      |           | k5
    """


def test_a_repeat_contact_is_not_an_unresolved_one(told: Told) -> None:
    """The customer of case a calls about b two days later: both are solved at first contact.

    c took two contacts. d came back after 19 days and stays solved at first contact. e is too
    young to tell. f took two attempts, the first abandoned. One call names no case.
    """
    row = told(FIRST_CONTACTS)
    assert (row["cases"], row["cases_final"]) == (6, 5)
    assert row["fcr_ppm"] == 600_000
    assert row["fcr_all_ppm"] == round(1_000_000 * 3 / 7)


def test_what_nobody_told_is_unknown(told: Told) -> None:
    """Of three cases one was resolved, one not, one never told: known are two of three."""
    row = told(
        """
        day | fact       | id | case | outcome   | key
        1   | contact    | a1 | a    |           |
        1   | resolution | ra | a    |           |
        1   | contact    | b1 | b    |           | k2
        1   | resolution | rb | b    | escalated | k2
        1   | contact    | c1 | c    |           | k3
        30  | contact    | d1 |      |           | k3
        """
    )
    assert (row["outcome_known_ppm"], row["resolved_ppm"]) == (666_667, 500_000)
    assert (row["fcr_ppm"], row["fcr_known_ppm"]) == (333_333, 500_000)


def test_both_denominators_are_named(store: Store) -> None:
    """Of first contacts and of all contacts: two columns, two definitions."""
    columns = {column.name: column for column in asked(store).columns}
    for name in ("fcr_ppm", "fcr_all_ppm"):
        assert "/" in SERVICE.definitions[columns[name].definition]
    assert columns["fcr_ppm"].title == "FCR / first contacts"


def test_a_case_that_was_reopened_counts_once(told: Told) -> None:
    """Resolved, reopened, resolved: one resolved case of two, reopened, its cost counted once."""
    table = """
        day | fact       | id | case | outcome  | talk | agent | key
        1   | contact    | a1 | a    |          | 600  | ann   |
        1   | resolution | r1 | a    |          |      |       |
        2   | resolution | r2 | a    | reopened |      |       |
        3   | contact    | a2 | a    |          | 600  | bob   |
        4   | resolution | r3 | a    |          |      |       |
        1   | contact    | b1 | b    |          | 600  | ann   | k2
        20  | resolution | r4 | b    | unresolved |    |       | k2
        """
    row = told(table, Policy(timezone="UTC", loaded_per_hour_minor=6000))
    assert row["reopen_rate_ppm"] == 1_000_000
    assert (row["fcr_ppm"], row["resolved_ppm"], row["onetouch_ppm"]) == (0, 500_000, 0)
    assert row["cost_per_contact_minor"] == 1000
    assert row["cost_per_case_minor"] == 1500
    assert row["cost_per_resolution_minor"] == 3000


def test_one_touch_counts_no_reply_too(told: Told) -> None:
    """Solved by self-service, and solved by one agent; a transfer makes two replies."""
    row = told(
        """
        day | fact       | id | case | chain | agent | code         | lost   | key
        1   | contact    | a1 | a    |       |       | self_service | silent |
        1   | resolution | ra | a    |       |       |              |        |
        1   | contact    | b1 | b    |       | ann   |              |        | k2
        1   | resolution | rb | b    |       |       |              |        | k2
        1   | contact    | c1 | c    | x     | ann   |              |        | k3
        1   | contact    | c2 | c    | x     | bob   |              |        | k3
        1   | resolution | rc | c    |       |       |              |        | k3
        20  | contact    | z  |      |       |       |              |        | k3
        """
    )
    assert row["onetouch_ppm"] == 666_667
    assert row["fcr_ppm"] == 1_000_000


def test_silence_is_neither_good_nor_bad(told: Told) -> None:
    """CSAT is of those who answered: three of five; a case once, its latest answer."""
    row = told(
        """
        day | fact       | id | case | csat | nps | ces | key
        1   | contact    | a1 | a    |      |     |     |
        1   | resolution | r1 | a    | 1    |     |     |
        2   | contact    | a2 | a    |      |     |     |
        2   | resolution | r2 | a    | 4    | 9   | 2   |
        1   | contact    | b1 | b    |      |     |     | k2
        1   | resolution | r3 | b    | 3    | 8   | 7   | k2
        1   | contact    | c1 | c    |      |     |     | k3
        1   | resolution | r4 | c    |      | 6   |     | k3
        1   | contact    | d1 | d    |      |     |     | k4
        1   | contact    | e1 |      |      |     |     | k4
        """
    )
    assert (row["touchpoints"], row["response_rate_ppm"]) == (5, 600_000)
    assert row["csat_ppm"] == 500_000
    assert row["nps_ppm"] == 0
    assert (row["ces"], row["ces_low"]) == (4.5, None)


def test_an_answer_beyond_the_scale_is_none(store: Store) -> None:
    """A 9 on a scale of 5 is left out and counted; on a scale of 10 it is good."""
    table = """
        day | fact       | id | case | csat
        1   | contact    | a1 | a    |
        1   | resolution | r1 | a    | 9
        """
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)
    sheet = asked(store, view="opinion")
    assert rows(sheet)[0]["csat_ppm"] is None
    assert any("beyond the scale" in note for note in sheet.notes)
    (wide,) = rows(asked(store, view="opinion", csat_max="10", csat_good="8"))
    assert wide["csat_ppm"] == 1_000_000


def test_abandoned_contacts_cost_money_too(told: Told) -> None:
    """1 handled at 600, 2 at 10 each by channel: 620 a handled contact; overhead apart.

    The centre paid 2,000 of overhead for ten of the days, and 100 for training.
    """
    policy = Policy(
        timezone="UTC",
        loaded_per_hour_minor=6000,
        channels={"voice": ChannelRate(per_contact_minor=10)},
    )
    row = told(
        """
        day | fact     | id | case | talk | lost      | amount_minor | period
        1   | contact  | a  | a    | 360  |           |              |
        1   | contact  | b  |      | 0    | abandoned |              |
        1   | resolution | r | a   |      |           |              |
        5   | overhead | o  |      |      |           | 2000         | 2024-03-01..2024-03-21
        15  | training | t  |      |      |           | 100          |
        11  | contact  | c  |      | 0    | abandoned |              |
        """,
        policy,
        scope=Scope(currency="GBP", start=date(2024, 3, 1), end=date(2024, 3, 11)),
    )
    assert row["cost_per_contact_minor"] == 620
    assert row["centre_cost_per_contact_minor"] == 620
    assert row["full_cost_per_contact_minor"] == 1620
    assert (row["cost_per_resolution_minor"], row["full_cost_per_resolution_minor"]) == (610, 1620)


def test_overhead_belongs_to_no_queue(store: Store) -> None:
    """By queue the cost with overhead is unknown, by month it is the month's."""
    table = """
        day | fact     | id | talk | amount_minor | period
        1   | contact  | a  | 360  |              |
        5   | overhead | o  |      | 2000         | 2024-03-01..2024-03-05
        40  | contact  | b  | 360  |              |
        """
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)
    everything = Scope(currency="GBP")
    (queue,) = rows(asked(store, ("queue",), everything))
    assert (queue["cost_per_contact_minor"], queue["full_cost_per_contact_minor"]) == (300, None)
    months = rows(asked(store, ("month",), everything))
    assert [row["full_cost_per_contact_minor"] for row in months] == [2300, 300]
    by_both = rows(asked(store, ("month", "queue"), everything))
    assert {row["full_cost_per_contact_minor"] for row in by_both} == {None}


def test_conversion_is_of_handled_contacts(told: Told) -> None:
    """One of two sold two products; an upgrade sold in a contact is no A1a."""
    row = told(
        """
        day | time  | fact    | id | in | amount_minor | class   | guest
        1   | 10:00 | contact | a  |    |              |         |
        1   | 10:10 | contact | b  |    |              |         |
        1   | 09:59 | order   | o1 | a  | 1000         |         |
        1   | 09:59 | order   | o2 | a  | 3000         |         |
        1   | 10:09 | order   | o3 | b  | 5000         | upgrade |
        2   | 10:09 | refund  | f1 |    | 5000         |         |
        """
    )
    assert (row["sold_in"], row["conversion_ppm"], row["mean_sale_minor"]) == (1, 500_000, 2000)
    assert row["contact_rate"] == 2


def test_an_agent_needs_thirty_contacts(store: Store) -> None:
    """G-AGENT: below 30 an agent has no rate; from there on all are drawn to the mean."""
    head = "day | time | fact | id | agent | lost | in | amount_minor"
    lines = [
        f"{1 + n % 20} | 10:{n:02} | contact | {agent}{n} | {agent} | | |"
        for agent, count in (("ann", 40), ("bob", 40), ("cid", 29))
        for n in range(count)
    ]
    lines += [f"1 | 10:00 | order | o{n} | | | ann{n} | 100" for n in range(4)]
    store_facts(store, [fact for _, fact in facts_of("\n".join([head, *lines]))], UTC)
    sheet = asked(store, ("agent",))
    found = {row["agent"]: row["conversion_ppm"] for row in rows(sheet)}
    assert found["cid"] is None
    assert isinstance(found["ann"], int)
    assert 0 < found["ann"] < 100_000
    assert [row[0] for row in sheet.rows] == ["ann", "bob", "cid"]
    assert any("rank nobody" in note for note in sheet.notes)


def test_agents_seen_no_more_are_gone(store: Store) -> None:
    """Ann works on, bob was last seen in March: one of two gone; by queue nothing is known."""
    table = """
        day | fact      | id | agent | amount_minor
        1   | contact   | a1 | ann   |
        2   | contact   | b1 | bob   |
        40  | contact   | a2 | ann   |
        5   | attrition | c  |       | 70000
        100 | contact   | a3 | ann   |
        """
    store_facts(store, [fact for _, fact in facts_of(table)], UTC)
    (row,) = rows(asked(store, view="people"))
    assert (row["agents"], row["headcount"], row["gone"]) == (2, 2.0, 1)
    assert row["cost_per_leaver_minor"] == 70_000
    by_queue = rows(asked(store, ("queue",), view="people"))
    assert {each["gone"] for each in by_queue} == {None}
    months = rows(asked(store, ("month",), Scope(currency="GBP"), view="people"))
    assert [each["gone"] for each in months] == [1, 0, 0]


def test_a_control_arm_is_no_contact(told: Told) -> None:
    """Somebody deliberately not called is in no count and no denominator."""
    row = told(
        """
        day | fact    | id | arm     | lost   | guest
        1   | contact | a  | control | silent | x
        1   | contact | b  |         |        |
        """
    )
    assert (row["contacts"], row["handled"], row["unidentified_ppm"]) == (1, 1, 0)


@pytest.mark.parametrize("options", [{"view": "everything"}, {"short_s": "-1"}, {"speed": "9"}])
def test_an_unknown_option_is_refused(store: Store, options: dict[str, Any]) -> None:
    """A sentence says what there is."""
    with pytest.raises(BadRequest):
        asked(store, **options)
