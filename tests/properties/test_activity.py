"""Activity: the sum of all that was ever told is what counting from scratch gives."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.activity import MINUTE_MS, Cells
from processors.customer import Customer
from processors.following import Follower, Unknown
from processors.journeys import Journeys
from processors.policy import Policy
from processors.results import ContactRecord, Entry
from processors.signal_records import ActivityCell, Sums
from streams.facts import Fact
from tests.properties.histories import histories, policies
from tests.support.drive import keep, put_away_and_read_back
from tests.support.facts import at, contact

FIELDS = tuple(field.name for field in msgspec.structs.fields(Sums))
Told = Counter[tuple[int, str, str, str, str, str]]


def add(told: Told, cells: Sequence[ActivityCell]) -> None:
    """Add cells to the sums of each minute and segment."""
    for cell in cells:
        for name in FIELDS:
            where = (cell.minute, cell.queue, cell.channel, cell.team, cell.currency, name)
            told[where] += int(getattr(cell, name))


def standing(told: Told) -> dict[tuple[int, str, str, str, str, str], int]:
    """Return what is not zero."""
    return {where: value for where, value in told.items() if value}


def told_of(
    history: list[tuple[str, Fact]], policy: Policy, chance: Random
) -> tuple[Told, dict[tuple[str, str], ContactRecord], list[Entry]]:
    """Return all that is told of a history in batches of any size, and its records and entries.

    Now and then a customer leaves memory and is read back.
    """
    journeys, follower = Journeys(policy), Follower(Unknown())
    customers: dict[str, Customer] = {}
    told: Told = Counter()
    records: dict[tuple[str, str], ContactRecord] = {}
    entries: list[Entry] = []
    rows: dict[bytes, bytes] = {}
    cells = Cells()
    for key, fact in history:
        customer = customers.setdefault(key, Customer(key))
        applied = journeys.apply(customer, fact)
        cells.move(follower.follow(customer, fact, applied, 0).recounted)
        cells.book(applied.entries)
        entries += applied.entries
        for record in applied.contacts:
            keep(records, (key, record.contact_id), record)
        customers[key] = put_away_and_read_back(customer, rows)
        if chance.random() < 0.5:
            add(told, cells.cells())
            cells = Cells()
    add(told, cells.cells())
    return told, records, entries


def counted(records: Sequence[ContactRecord], entries: Sequence[Entry]) -> Told:
    """Count from scratch, in the plainest way, what these records and entries come to."""
    told: Told = Counter()
    for record in records:
        if record.withdrawn:
            continue
        minute = record.ended_at // MINUTE_MS * MINUTE_MS
        segment = (minute, record.queue, record.channel, record.team)
        csat = record.csat
        for name, count in {
            "chains": 1,
            "handled": record.handled,
            "abandoned": record.abandoned,
            "waited": record.wait_ms > 0,
            "wait_ms": record.wait_ms,
            "handle_ms": (record.talk_ms + record.hold_ms + record.wrap_ms) * record.handled,
            "resolved": record.outcome == "resolved",
            "unresolved": record.outcome == "unresolved",
            "reopened": record.reopened,
            "csat_good": csat in (4, 5),
            "csat_bad": csat in (0, 1, 2),
            "offers_missed": sum(x.eligible and not x.offered for x in record.offers),
            "cost_minor": record.cost_minor,
        }.items():
            told[(*segment, record.cost_currency, name)] += count
        for credit in record.credits:
            told[(*segment, credit.currency, "credit_minor")] += credit.amount_minor
            told[(*segment, credit.currency, "credit_minor2")] += credit.amount_minor**2
    for entry in entries:
        minute = entry.effective_at // MINUTE_MS * MINUTE_MS
        segment = (minute, entry.queue, entry.channel, entry.team)
        names = {"net": "net_minor", "unattributed": "unattributed_minor"} | {
            "A5x": "unattributed_minor"
        }
        is_credit = entry.order_id and entry.line in ("A1a", "A1b", "A2a", "A2b", "A3", "A4", "A5")
        name = names.get(entry.line, "booked_minor" if is_credit else "")
        if name and entry.order_id:
            sign = -1 if name == "net_minor" else 1
            told[(*segment, entry.currency, name)] += sign * entry.amount_minor
        if entry.line == "A5":
            told[(*segment, entry.currency, "refund_minor")] += entry.amount_minor
    return told


@given(histories(), policies(), st.randoms(use_true_random=False))
def test_the_sum_of_all_cells_is_a_recount(
    history: list[tuple[str, Fact]], policy: Policy, chance: Random
) -> None:
    """Whatever is repeated, revised, withdrawn or put away between, and however batches fall."""
    told, records, entries = told_of([*history, *history[::3]], policy, chance)
    assert standing(told) == standing(counted(list(records.values()), entries))


@given(histories(), policies(), st.randoms(use_true_random=False))
def test_in_any_order_the_same_is_told(
    history: list[tuple[str, Fact]], policy: Policy, chance: Random
) -> None:
    """The facts alone decide what all cells come to."""
    shuffled = list(history)
    chance.shuffle(shuffled)
    told, _, _ = told_of(history, policy, chance)
    again, _, _ = told_of(shuffled, policy, chance)
    assert standing(told) == standing(again)


def test_a_chain_that_a_former_version_did_not_count_is_counted_whole_when_touched() -> None:
    """Its item says nothing of it: nothing is taken back, and later changes are differences."""
    journeys, follower, customer = Journeys(Policy()), Follower(Unknown()), Customer("k")
    journeys.apply(customer, contact("c1", at(1)))
    for revision, queue in ((1, "sales"), (2, "billing")):
        leg = contact("c1", at(1), queue=queue, revision=revision)
        applied = journeys.apply(customer, leg)
        cells = Cells()
        cells.move(follower.follow(customer, leg, applied, 0).recounted)
        found = {cell.queue: (cell.chains, cell.handled) for cell in cells.cells()}
        assert found == ({"sales": (1, 1)} if revision == 1 else {"sales": (-1, -1), queue: (1, 1)})
