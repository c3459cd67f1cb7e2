"""A period closed, then hit by all that can hit it: what was reported stays, the rest adds up.

The history is booked live, closed, and changed. What is known at the end is compared with a company
that learnt all of it at once, in one go and by the corrected rates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from pnl.reports.as_reported import closings
from pnl.reports.model import BadRequest, Scope
from pnl.reports.restatement import RESTATEMENT, restatement
from pnl.reports.sheet import Asking, Sheet
from processors.policy import HOUR_MS, Policy
from processors.statement import LINES
from streams.facts import Contact, Cost, Fact, Order
from tests.support.books import at
from tests.support.company import Company
from tests.support.facts import MINUTE, contact, cost, line, order, refund
from tests.support.store import copied_store, prepared

RULES = Policy(loaded_per_hour_minor=3600, margin_ppm=500_000)
CORRECTED = Policy(loaded_per_hour_minor=4200, margin_ppm=500_000)
PERIOD = "2024-04"
CAUSES = ("late", "revision", "identity", "configuration", "maturity")


def shift(day: int) -> Cost:
    """Build the pay of agent a1 for a day of April, eight hours from nine."""
    since = at(f"2024-04-{day:02} 09:00")
    return cost(
        f"p{day}", "payroll", since + 8 * HOUR_MS, 40_000, customer_id=None, agent_id="a1",
        period_start=since, period_end=since + 8 * HOUR_MS,
    )  # fmt: skip


def call(name: str, ended: str, customer: str, minutes: int = 30) -> Contact:
    """Build a call that agent a1 took."""
    return contact(
        name, at(ended), talk_ms=minutes * MINUTE, agent_id="a1", customer_id=customer
    )  # fmt: skip


def sale(name: str, when: str, customer: str, amount_minor: int) -> Order:
    """Build an order of one product without a cost of its own."""
    return order(
        name, at(when), customer_id=customer,
        lines=(line("l1", amount_minor, cost_minor=None),),
    )  # fmt: skip


BEFORE: tuple[Fact, ...] = (
    shift(10),
    shift(11),
    shift(12),
    call("c1", "2024-04-10 10:00", "ann"),
    sale("o1", "2024-04-10 15:00", "ann", 10_000),
    call("c2", "2024-04-11 10:00", "bob"),
    call("c3", "2024-04-11 12:00", "cat"),
    call("c4", "2024-04-12 12:00", "guest"),
    sale("o2", "2024-04-13 10:00", "dan", 7_000),
    sale("o3", "2024-04-20 10:00", "eve", 5_000),
    cost(
        "x1", "overhead", at("2024-04-02"), 30_000, customer_id=None,
        period_start="2024-04-01", period_end="2024-05-01",
    ),
    call("c9", "2024-05-01 23:30", "zoe"),
)  # fmt: skip
"""What was known when April was closed."""

LATE_CONTACT = call("late", "2024-04-12 16:00", "dan")
LATE_COST = cost("x2", "training", at("2024-04-15"), 900, customer_id=None)
REFUND = refund("r1", "o1", at("2024-10-27"), 4_000, customer_id="ann")
REVISED = replace(call("c2", "2024-04-11 10:00", "bob", minutes=45), revision=1)
CHEAPER = replace(sale("o3", "2024-04-20 10:00", "eve", 4_500), revision=1)
GONE = replace(call("c3", "2024-04-11 12:00", "cat"), revision=1, withdrawn=True)
MOVED_AWAY = replace(call("c4", "2024-04-12 12:00", "guest"), revision=1, withdrawn=True)
MOVED_HERE = replace(call("c4", "2024-04-12 12:00", "fay"), revision=1)

AFTER: tuple[Fact, ...] = (
    LATE_CONTACT, LATE_COST, REVISED, CHEAPER, GONE, MOVED_AWAY, MOVED_HERE, REFUND,
)  # fmt: skip


@contextmanager
def founded(
    factory: pytest.TempPathFactory, folder: Path, name: str, rules: Policy
) -> Iterator[Company]:
    """Found a company with a store of its own."""
    empty = prepared(factory, "empty-store", lambda _: None)
    with copied_store(empty, folder / name) as store:
        company = Company(store, rules)
        company.at(at("2024-04-01"))
        yield company
        company.sink.close()


def correct_the_rate(company: Company) -> None:
    """Restate everything by the corrected rate, accept that, and go on by it."""
    company.restate(CORRECTED)


def history(company: Company) -> dict[str, int]:
    """Let April happen, close it, and let everything hit it; return what was reported."""
    company.live(BEFORE)
    company.at(at("2024-05-03"))
    company.settle()
    assert company.job.close_due(company.cut()) == (PERIOD,)
    company.settle()
    reported = company.lines(PERIOD)
    company.at(at("2024-05-20"))
    for fact in AFTER:
        company.at(company.clock.now_ms() + HOUR_MS)
        if fact is REFUND:
            company.at(at("2024-10-27 01:00"))
        key = "guest" if fact is MOVED_AWAY else None
        company.send(fact, key=key)
        company.settle()
    company.at(at("2024-12-01"))
    correct_the_rate(company)
    company.settle()
    view = company.reports.statement(company.scope(PERIOD), view="reported")
    assert {each.line: each.amount_minor for each in view.lines if each.amount_minor} == reported
    assert view.reconciles
    assert view.closed_at == at("2024-05-03")
    groups = company.reports.statement(company.scope(PERIOD), ("agent",), view="reported").lines
    assert all(sum(g.amount_minor for g in each.groups) == each.amount_minor for each in groups)
    return reported


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, int], dict[str, int], Sheet, dict[str, int]]:
    """Return April as it was reported then, as it stands, the report of both, and a recount."""
    folder = tmp_path_factory.mktemp("restated")
    with founded(tmp_path_factory, folder, "live", RULES) as company:
        reported = history(company)
        restated = company.lines(PERIOD)
        sheet = RESTATEMENT.asked(
            Asking(
                store=company.store, policy=RULES, as_of=company.clock.now_ms(),
                scope=company.scope(PERIOD),
            )
        )  # fmt: skip
    with founded(tmp_path_factory, folder, "anew", CORRECTED) as company:
        company.at(at("2024-12-01"))
        company.send(*(fact for fact in BEFORE if fact.event_id != "event-c4"), *AFTER[:5])
        company.send(MOVED_HERE, REFUND)
        company.settle()
        recounted = company.lines(PERIOD)
    return reported, restated, sheet, recounted


def column(sheet: Sheet, name: str) -> dict[str, int]:
    """Return a column of the lines, without those that are zero or not known."""
    place = [each.name for each in sheet.columns].index(name)
    found = {str(row[0]): row[place] for row in sheet.rows}
    return {line: amount for line, amount in found.items() if isinstance(amount, int) and amount}


def test_what_was_reported_does_not_move(seen: tuple[dict[str, int], ...]) -> None:
    """Line for line, it is the statement of the day April was closed."""
    reported, _, sheet, _ = seen
    assert isinstance(sheet, Sheet)
    assert column(sheet, "reported_minor") == reported
    assert reported.keys() >= {"A1b", "B", "C1", "C2", "C5", "C7"}


def test_what_is_restated_is_a_full_recomputation(seen: tuple[dict[str, int], ...]) -> None:
    """A company that learnt everything at once has the same April."""
    _, restated, sheet, recounted = seen
    assert isinstance(sheet, Sheet)
    assert column(sheet, "restated_minor") == restated == recounted


def test_the_bridge_adds_up_by_cause(seen: tuple[dict[str, int], ...]) -> None:
    """Each line, and the booked result in total."""
    _, _, sheet, _ = seen
    assert isinstance(sheet, Sheet)
    names = [each.name for each in sheet.columns]
    assert sheet.total is not None
    for row in (*sheet.rows, sheet.total):
        cells = dict(zip(names, row, strict=True))
        if cells["reported_minor"] is None:
            continue
        causes = [cells[f"{cause}_minor"] for cause in CAUSES]
        assert sum(causes) == cells["difference_minor"]
        assert cells["reported_minor"] + cells["difference_minor"] == cells["restated_minor"]
    booked = {each.line for each in LINES}
    for name in ("reported_minor", "restated_minor", *(f"{cause}_minor" for cause in CAUSES)):
        lines = column(sheet, name)
        assert sheet.total[names.index(name)] == sum(lines.get(each, 0) for each in booked)


def test_each_change_stands_under_its_cause(seen: tuple[dict[str, int], ...]) -> None:
    """C1 by hand: half an hour costs 18.00, a quarter more 9.00; a sixth more by the new rate."""
    _, _, sheet, _ = seen
    assert isinstance(sheet, Sheet)
    assert column(sheet, "late_minor")["C1"] == -1800
    assert column(sheet, "revision_minor")["C1"] == -900 + 1800
    assert column(sheet, "identity_minor").get("C1", 0) == 0
    left = 1800 + 2700 + 1800 + 1800  # c1, c2 longer, c4 at its new place, the late one
    assert column(sheet, "configuration_minor")["C1"] == -left // 6
    assert column(sheet, "late_minor")["A1b"] == 7_000
    assert column(sheet, "late_minor")["C6"] == -900


def test_idle_time_and_absorption_have_the_cause_of_what_moved_them(
    seen: tuple[dict[str, int], ...],
) -> None:
    """A late half hour is no longer idle; C7 absorbs what C1 and C2 moved, nothing is left."""
    _, _, sheet, _ = seen
    assert isinstance(sheet, Sheet)
    assert column(sheet, "late_minor")["C2"] == 1800
    assert "C7" not in column(sheet, "late_minor")
    assert column(sheet, "revision_minor")["C2"] == 900 - 1800
    moved = [column(sheet, f"{cause}_minor") for cause in CAUSES]
    for causes in moved:
        assert sum(causes.get(each, 0) for each in ("C1", "C2", "C7")) == 0
    assert all("not yet seen" not in note for note in sheet.notes)


def test_a_refund_restates_its_own_period(seen: tuple[dict[str, int], ...]) -> None:
    """April has no refunds: October has it (DEF-RESTATED)."""
    _, restated, _, _ = seen
    assert "A5" not in restated


def test_only_a_closed_period_was_reported(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An open one, or a range that is no period, has a sentence instead of rows."""
    with founded(tmp_path_factory, tmp_path, "open", RULES) as company:
        company.live(BEFORE)
        company.settle()
        some = Scope(currency="GBP", start=date(2024, 4, 1), end=date(2024, 4, 9))
        for scope, said in (
            (company.scope(PERIOD), "pnl close 2024-04"),
            (company.scope("2024"), "pnl close 2024"),
            (some, "give --month"),
        ):
            asking = Asking(store=company.store, policy=RULES, as_of=None, scope=scope)
            sheet = RESTATEMENT.asked(asking)
            assert sheet.rows == ()
            assert said in sheet.notes[0]
            with pytest.raises(BadRequest, match=said):
                company.reports.statement(scope, view="reported")


def test_absorption_that_lags_is_said(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Before the job has run again, the bridge adds up, and the report says what will move."""
    with founded(tmp_path_factory, tmp_path, "lags", RULES) as company:
        company.live(BEFORE)
        company.at(at("2024-05-03"))
        company.close(PERIOD)
        company.send(LATE_CONTACT)
        company.cut()
        scope = company.scope(PERIOD)
        closing = closings(company.store)[PERIOD]
        bridges, lag = restatement(company.store, RULES, scope, closing)
        assert lag == -1800
        assert sum(bridges["C7"].by_reason.values()) == 0
        company.settle()
        assert restatement(company.store, RULES, scope, closing)[1] == 0
