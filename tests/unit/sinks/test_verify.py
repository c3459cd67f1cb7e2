"""`verify` finds nothing in what journeys stored, and finds what was damaged afterwards."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.laws import LAWS
from sinks.store import Store
from sinks.verify import verify
from streams.facts import Fact, Fee, Period, PeriodLine
from tests.support.facts import at, contact, cost, line, order, refund, resolution
from tests.support.store import copied_store, prepared
from tests.support.stored import store_facts


def history() -> Iterator[Fact]:
    """Yield a customer's facts that reach every line, with revisions, late and lost ones."""
    yield contact("c1", at(0), queue="sales", team="t1", agent_id="a1", reason="order")
    yield contact("c2", at(1), case_id="k1", fee=Fee(amount_minor=250, currency="GBP"))
    yield contact("c3", at(1.5), transfer_of="c2")
    yield order("o1", at(2), 10_000)
    maintenance = line("l2", 12_000, "maintenance", term_start="2024-03-04", term_end="2025-03-04")
    lines = (line("l1", 5_000, cost_minor=2_000), maintenance, line("l3", 700, "upgrade"))
    yield order("o2", at(3), None, lines=lines)
    yield refund("r1", "o1", at(4), 4_000)
    yield refund("r2", None, at(5), 1_000)
    yield refund("r3", "nowhere", at(5), 77)
    yield order("adjusted", at(5), -300, kind="adjustment")
    yield cost("x1", "concession", at(5), 500, contact_id="c2")
    yield cost("x2", "overhead", at(5), 3_000, period_start="2024-03-01", period_end="2024-04-01")
    yield cost("x3", "payroll", at(5), 700, agent_id="a1")
    yield cost("x3", "payroll", at(5), 800, agent_id="a1", revision=1)
    yield cost("x4", "training", at(5), 60)
    yield cost("x5", "channel", at(5), 9)
    yield cost("x6", "leadership", at(5), 5)
    yield cost("x6", "leadership", at(5), 5, revision=1, withdrawn=True)
    yield figures(1, -500)
    yield figures(2, -420)
    yield resolution("s1", "k1", at(6), csat=4)
    yield contact("c0", at(-3), queue="sales")
    yield order("o1", at(2), 12_000, revision=1)
    yield refund("r4", "o2", at(30), 6_000)
    yield contact("long-ago", at(-900))
    yield contact("c1", at(0), revision=1, withdrawn=True)
    yield order("o1", at(2), 12_000, revision=1)
    yield order("of-another", at(3), 4_321, customer_id="k2", currency="EUR")


def figures(run: int, amount_minor: int) -> Period:
    """Build what a run of the period job estimated."""
    line = PeriodLine(
        line="D1",
        basis="estimated",
        amount_minor=amount_minor,
        currency="GBP",
        effective_at=at(20),
        variance_minor2=400,
    )
    return Period(
        event_id="2024-03/D1",
        period="2024-03",
        kind="figures",
        occurred_at=at(31),
        lines=(line,),
        revision=run,
    )


@pytest.fixture
def stored(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store that holds the history."""
    template = prepared(tmp_path_factory, "history", lambda store: store_facts(store, history()))
    with copied_store(template, tmp_path / "store") as opened:
        yield opened


def test_what_journeys_store_keeps_every_law(stored: Store) -> None:
    """A history with refunds, terms, revisions and late facts leaves nothing to find."""
    assert stored.query("SELECT count() > 30 AS enough FROM v_ledger") == [{"enough": True}]
    assert verify(stored) == []


ENTRY = "INSERT INTO ledger SELECT * REPLACE ({}) FROM v_ledger WHERE {} LIMIT 1"
EARNED = "line = 'A1b' AND amount_minor != 0"
NO_EXCEPTIONS = """[] AS exception_dispositions, [] AS exception_starts, [] AS exception_ends,
0 AS duplicate, 0 AS late"""

SUMMED = """INSERT INTO rollup_editions (about, source, last_block, blocks, as_of)
WITH (SELECT uuid FROM system.tables
    WHERE database = currentDatabase() AND name = '{0}') AS source
SELECT '{0}', source, max(max_block_number), sum(max_block_number - min_block_number + 1), 0
FROM system.parts WHERE database = currentDatabase() AND table = '{0}' AND active"""
DAMAGE: dict[str, tuple[str, set[str]]] = {
    "an entry is lost": (
        "DELETE FROM ledger WHERE line = 'unattributed'",
        {"R1", "R4", "A5"},
    ),
    "an entry appears that no batch wrote": (
        ENTRY.format("99 AS log_position, 'fee' AS kind", EARNED),
        {"R1", "R4", "S2", "S3", "A5"},
    ),
    "a batch record is lost": (
        "DELETE FROM batches WHERE log_offset >= 0",
        {"R4"},
    ),
    "a batch record counts another sum": (
        """INSERT INTO batches SELECT * REPLACE (out_sum_minor + 1 AS out_sum_minor)
        FROM batches LIMIT 1""",
        {"R4"},
    ),
    "an identity has two contents": (
        ENTRY.format("amount_minor + 1 AS amount_minor", "line = 'A1b' AND amount_minor > 0"),
        {"R1", "R4", "R5", "S2", "S3", "A5"},
    ),
    "an identity lies in two months": (
        ENTRY.format(
            "202101 AS month, toDateTime64('2021-01-01 00:00:00', 3, 'UTC') AS effective_at", EARNED
        ),
        {"R1", "R4", "R5", "S2", "S3", "A5"},
    ),
    "input offsets are skipped": (
        f"""INSERT INTO batch_sources SELECT * REPLACE (log_offset + 100 AS log_offset,
        end_offset + 5 AS start_offset, end_offset + 6 AS end_offset, 1 AS applied, {NO_EXCEPTIONS})
        FROM batch_sources WHERE src_topic = 'contacts' LIMIT 1""",
        {"R2"},
    ),
    "input offsets are accounted for twice": (
        """INSERT INTO batch_sources SELECT * REPLACE (log_offset + 100 AS log_offset)
        FROM batch_sources WHERE src_topic = 'contacts' LIMIT 1""",
        {"R2"},
    ),
    "an input record has no disposition": (
        """INSERT INTO batch_sources SELECT * REPLACE (applied - 1 AS applied)
        FROM batch_sources WHERE src_topic = 'contacts' LIMIT 1""",
        {"R3"},
    ),
    "a disposition is not at the offset it is counted for": (
        """INSERT INTO batch_sources SELECT * REPLACE (['dead'] AS exception_dispositions)
        FROM batch_sources WHERE late = 1""",
        {"R3"},
    ),
    "a sale's net entry is lost": (
        "DELETE FROM ledger WHERE line = 'net' AND order_id = 'o2'",
        {"R1", "R4", "R7a", "S4", "A5"},
    ),
    "a chain is live under two customers": (
        """INSERT INTO contacts SELECT * REPLACE ('other' AS customer_id, 0 AS cost_minor,
        [] AS credit_currencies, [] AS credits_minor) FROM v_contacts WHERE contact_id = 'c0'""",
        {"R7b"},
    ),
    "a credit vector does not add up": (
        """INSERT INTO attributions SELECT * REPLACE (version + 1 AS version,
        unattributed_minor + 7 AS unattributed_minor) FROM v_attributions WHERE order_id = 'o1'""",
        {"S1"},
    ),
    "a credit vector is lost": (
        "DELETE FROM attributions WHERE order_id = 'o1'",
        {"S2"},
    ),
    "a contact claims more credit": (
        """INSERT INTO contacts SELECT * REPLACE (version + 1 AS version,
        arrayMap(x -> x + 1, credits_minor) AS credits_minor) FROM v_contacts
        WHERE contact_id = 'c2'""",
        {"S3"},
    ),
    "a contact claims another cost": (
        """INSERT INTO contacts SELECT * REPLACE (version + 1 AS version,
        cost_minor - 1 AS cost_minor) FROM v_contacts WHERE contact_id = 'c2'""",
        {"S7"},
    ),
    "an order fact is lost": (
        "DELETE FROM orders WHERE order_id = 'r1'",
        {"S4"},
    ),
    "the roll-up is stale": (
        """INSERT INTO rollup_hourly SELECT * REPLACE (amount_minor + 1 AS amount_minor,
        entries + 1 AS entries) FROM v_rollup_hourly WHERE line = 'A1b' LIMIT 1""",
        {"A5"},
    ),
    "a spread entry is not worth its days": (
        ENTRY.format(
            "99 AS log_position, 'fee' AS kind, spread_minor + 1 AS spread_minor", "line = 'C5'"
        ),
        {"R4", "S6", "S8"},
    ),
    "a cost fact is lost": (
        """INSERT INTO costs SELECT * REPLACE (version + 1 AS version, true AS withdrawn)
        FROM v_costs WHERE event_id = 'x3'""",
        {"S8"},
    ),
    "an estimate lost its variance": (
        """INSERT INTO ledger SELECT * REPLACE ('booked' AS basis) FROM v_ledger
        WHERE line = 'D1' AND change = 'addition'""",
        {"S9", "A5"},
    ),
    "a leg is lost": (
        """INSERT INTO contacts SELECT * REPLACE (version + 1 AS version,
        [leg_ids[1]] AS leg_ids) FROM v_contacts WHERE contact_id = 'c2'""",
        {"S10"},
    ),
    "monthly sums are said to be there": (
        """INSERT INTO rollup_months (month, ledger, last_block, blocks)
        WITH (SELECT uuid FROM system.tables
            WHERE database = currentDatabase() AND name = 'ledger') AS source
        SELECT toUInt32(partition), source, max(max_block_number),
            sum(max_block_number - min_block_number + 1)
        FROM system.parts WHERE database = currentDatabase() AND table = 'ledger' AND active
        GROUP BY partition""",
        {"A10"},
    ),
    "sums of contacts are said to be there": (SUMMED.format("contacts"), {"A8"}),
    "sums of order facts are said to be there": (SUMMED.format("orders"), {"A9"}),
}


@pytest.mark.parametrize("what", list(DAMAGE))
def test_damage_is_found(stored: Store, what: str) -> None:
    """What is changed behind the sink's back breaks the laws that speak of it, and no other."""
    statement, broken = DAMAGE[what]
    stored.command(statement)
    assert {finding.law_id for finding in verify(stored)} == broken


def test_every_law_was_seen_to_fail() -> None:
    """Each law is broken by some damage above, so none passes because it looks at nothing."""
    assert {law.law_id for law in LAWS} == {law for _, broken in DAMAGE.values() for law in broken}


def test_the_laws_are_published_as_they_are() -> None:
    """The documentation lists every law with its title, and no other."""
    page = (Path(__file__).parents[3] / "docs" / "store.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| [RSA]\d", line)]
    assert rows == [f"| {law.law_id} | {law.title} |" for law in LAWS]


def test_a_finding_shows_where_the_law_fails(stored: Store) -> None:
    """A finding names the law and the rows with both sums."""
    stored.command("DELETE FROM orders WHERE order_id = 'of-another'")
    (finding,) = verify(stored)
    assert finding.law_id == "S4"
    assert "order facts" in finding.title
    assert not finding.more
    assert finding.rows == (
        {"customer_id": "k2", "currency": "EUR", "orders_minor": 0, "ledger_minor": 4_321},
    )
