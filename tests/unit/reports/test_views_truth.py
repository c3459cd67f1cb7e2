"""Attribution, revenue per contact and what if, over a simulated year taken through everything."""

from collections.abc import Iterator
from typing import Any

import pytest

from pnl.reports.channels import CHANNEL_MODELS, CHANNELS
from pnl.reports.freshness import as_of
from pnl.reports.model import Scope
from pnl.reports.revenue import REVENUE
from pnl.reports.sheet import Asking, Cell, SheetReport
from pnl.reports.whatif_reading import measured
from pnl.reports.windows import WINDOWS
from pnl.simulator import generate
from processors.policy import DAY_MS, Policy
from processors.touchpoints import is_control
from sinks.store import Store
from streams.facts import Contact, Cost, Fact
from tests.support.store import opened_store
from tests.support.stored import store_facts

pytestmark = pytest.mark.timeout(240)

POLICY = Policy(model="linear")


@pytest.fixture(scope="module")
def facts() -> list[Fact]:
    """Return a small year."""
    return [fact for _, fact in generate(800, 12_000, seed=9).events()]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, facts: list[Fact]) -> Iterator[Store]:
    """Take it through the whole pipeline."""
    with opened_store(tmp_path_factory.mktemp("views")) as opened:
        store_facts(opened, facts, POLICY)
        yield opened


def asking(store: Store, by: tuple[str, ...] = (), **options: str) -> Asking:
    """Ask for all of the year."""
    return Asking(
        store=store,
        policy=POLICY,
        as_of=as_of(store),
        scope=Scope(currency="GBP"),
        by=by,
        options=options,
    )


def told(report: SheetReport, question: Asking) -> list[dict[str, Cell]]:
    """Return a report's rows by the names of its columns, the total last."""
    sheet = report.asked(question)
    assert sheet.total is not None
    names = [column.name for column in sheet.columns]
    return [dict(zip(names, row, strict=True)) for row in (*sheet.rows, sheet.total)]


def test_live_is_the_ledger_and_every_model_has_its_total(store: Store) -> None:
    """I11: by queue, live is what contacts hold in the books; no model gains or loses a penny."""
    *rows, total = told(CHANNELS, asking(store, ("queue",), model="all"))
    ledger = store.query(
        "SELECT queue, sum(amount_minor) AS held FROM v_ledger WHERE contact_id != ''"
        " AND line IN ('A1a', 'A1b', 'A4', 'A5') AND currency = 'GBP' GROUP BY queue"
    )
    assert {row["queue"]: row["live_minor"] for row in rows if row["earner"] == "contact"} == {
        row["queue"]: row["held"] for row in ledger
    }
    names = ["touched_minor", *(f"{model}_minor" for model in CHANNEL_MODELS[1:])]
    assert {total[name] for name in names} == {total["live_minor"]}
    for name in names:
        assert sum(int(str(row[name])) for row in rows) == total[name]


def test_the_booked_model_splits_as_the_books_did(store: Store) -> None:
    """Linear was booked: split again from the stored paths, it is live, row by row."""
    for row in told(CHANNELS, asking(store, ("agent",), model="linear,live")):
        assert row["touched_minor"] == row["live_minor"], row


def test_the_booked_window_is_the_booked_credit(store: Store) -> None:
    """30 days is what was booked; shorter windows give less, the rest is nobody's."""
    live = {row["channel"]: row for row in told(CHANNELS, asking(store))}
    for row in told(WINDOWS, asking(store)):
        columns: list[Any] = [row[f"within_{name}_minor"] for name in ("1h", "24h", "7d", "30d")]
        if row["earner"] == "contact":
            assert row["pinned_minor"] + columns[-1] == live[row["channel"]]["touched_minor"]  # type: ignore[operator]
            assert columns == sorted(columns)


def test_revenue_per_contact_is_the_same_money(store: Store) -> None:
    """The cohort of all time holds what live gives contacts, and the period view too."""
    *rows, _ = told(CHANNELS, asking(store))
    credited = sum(int(str(row["touched_minor"])) for row in rows if row["earner"] == "contact")
    assert told(REVENUE, asking(store, ("queue",)))[-1]["touched_minor"] == credited
    assert told(REVENUE, asking(store, view="period"))[-1]["net_credit_minor"] == credited
    assert told(REVENUE, asking(store, per="case"))[-1]["touched_minor"] == credited


def test_what_if_counts_the_calls_and_pays_the_shifts(store: Store, facts: list[Fact]) -> None:
    """Hours hold every call and chat that came while somebody was paid; pay is that of shifts."""
    found = measured(asking(store), 20_000, 30 * DAY_MS)
    assert found is not None
    waited = {
        leg.chain_id or leg.transfer_of or leg.contact_id
        for leg in facts
        if isinstance(leg, Contact) and leg.direction == "inbound" and leg.channel != "email"
        if not is_control(leg)
    }
    counted = found.hours.ended.sum() + found.left_out
    assert counted == pytest.approx(len(waited), rel=0.01)  # some transfers have no chain_id
    paid = [
        fact.amount_minor
        for fact in facts
        if isinstance(fact, Cost) and fact.kind == "payroll" and fact.agent_id
    ]
    assert found.payroll_minor == -sum(paid)
