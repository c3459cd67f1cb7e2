"""From facts through journeys, sink and store: the report says what memory says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.calibration.pipeline import SMALL, answers, facts, fill
from bench.calibration.world import World, world
from pnl.lifting.contrasts import thetas
from pnl.lifting.from_store import known
from pnl.reports.model import BadRequest, Scope
from pnl.reports.outcomes import OUTCOMES_REPORT
from pnl.reports.sheet import Asking, Sheet
from pnl.reports.sql import Queryable
from processors.comparison import compared
from processors.matching import Rules
from processors.policy import Policy
from sinks.store import Store
from streams.facts import Contact, Experiment, event_time_of
from tests.support.store import opened_store

POLICY = Policy()


@pytest.fixture(scope="module")
def made() -> World:
    """Return a small world."""
    return world(3, replace(SMALL, customers=70))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, made: World) -> Iterator[Store]:
    """Return a store that its facts went into, and an experiment of calls that lots decided."""
    with opened_store(Path(tmp_path_factory.mktemp("lifting"))) as store:
        known_facts = facts(made)
        calls = [fact for fact in known_facts if isinstance(fact, Contact)][:120]
        trial = [
            replace_contact(fact, number, arm="control" if number % 3 == 0 else "treated")
            for number, fact in enumerate(calls)
        ]
        fill(store, sorted([*known_facts, *trial], key=event_time_of), POLICY)
        yield store


def replace_contact(fact: Contact, number: int, arm: str) -> Contact:
    """Return a call of the experiment: a control is a customer deliberately not called."""
    called = arm == "treated"
    return msgspec.structs.replace(
        fact,
        event_id=f"x{number}",
        contact_id=f"x{number}",
        case_id=None,
        customer_id=f"x{fact.customer_id}",
        connected_at=fact.connected_at if called else None,
        talk_ms=fact.talk_ms if called else 0,
        experiment=Experiment(id="welcome", arm="treated" if called else "control"),
    )


def report(store: Queryable, made: World, by: tuple[str, ...] = (), **options: str) -> Sheet:
    """Return the report as of the end of the world."""
    asking = Asking(
        store=store,
        policy=POLICY,
        as_of=made.history.as_of_ms,
        scope=Scope(currency="GBP"),
        by=by,
        options=options,
    )
    return OUTCOMES_REPORT.asked(asking)


def test_the_store_tells_what_memory_told(made: World, filled: Store) -> None:
    """Same facts, same seed: every difference and interval, of customers who were there."""
    found = known(filled, POLICY, made.history.as_of_ms)
    assert found is not None
    same = compared(made.history, Rules())
    stored = found.compared
    ours = np.array([name.startswith("k") for name in found.customers])
    assert ours.sum() == made.history.customers
    mine = ours[stored.history.contacts.customer]
    assert stored.history.contacts.at_ms[mine].tolist() == same.history.contacts.at_ms.tolist()
    assert stored.history.contact_outcome[mine].tolist() == same.history.contact_outcome.tolist()
    orders, stored_orders = same.history, stored.history
    assert stored_orders.orders.at_ms.tolist() == orders.orders.at_ms.tolist()
    assert stored_orders.order_in_contact.tolist() == orders.order_in_contact.tolist()
    undone = np.where(orders.order_undone_ms < orders.as_of_ms, orders.order_undone_ms, -1)
    stored_undone = stored_orders.order_undone_ms
    assert np.where(stored_undone < orders.as_of_ms, stored_undone, -1).tolist() == undone.tolist()


def test_the_report_holds_every_contrast_with_its_placebo(made: World, filled: Store) -> None:
    """A row per contrast, in parts per million; the experiment alone is causal."""
    sheet = report(filled, made)
    names = [column.name for column in sheet.columns]
    rows = {str(row[0]): dict(zip(names, row, strict=True)) for row in sheet.rows}
    assert list(rows) == [
        "resolved - none",
        "unresolved - none",
        "abandoned - none",
        "any contact - none",
        "resolved - unresolved",
        "experiment welcome: treated - control",
    ]
    found = known(filled, POLICY, made.history.as_of_ms)
    assert found is not None
    effect = answers(found.compared)["purchase, 0"]
    assert effect is not None
    assert rows["resolved - none"]["difference_ppm"] == round(effect.difference * 1_000_000)
    assert rows["resolved - none"]["n"] == effect.n
    assert rows["abandoned - none"]["difference_ppm"] is None
    assert rows["abandoned - none"]["verdict"] == "too few"
    labels = {name: row["label"] for name, row in rows.items()}
    assert [name for name, label in labels.items() if label == "causal"] == [
        "experiment welcome: treated - control"
    ]
    assert rows["experiment welcome: treated - control"]["n"] == 80
    assert sheet.label == "association"


def test_rows_by_queue_are_of_that_queue(made: World, filled: Store) -> None:
    """The matched contacts of the queues add up; retention is another question."""
    by_queue, whole = report(filled, made, ("queue",)), report(filled, made)
    of = {row[:2]: row for row in by_queue.rows}
    together = next(row for row in whole.rows if row[0] == "any contact - none")
    counts = [int(str(of[queue, "any contact - none"][2])) for queue in ("q0", "q1")]
    assert min(counts) > 0
    assert sum(counts) == pytest.approx(int(str(together[1])), rel=0.05), (
        "each joins its own strata"
    )
    assert report(filled, made, question="retention").title == "Who stays a customer"
    with pytest.raises(BadRequest, match="purchase or retention"):
        report(filled, made, question="loyalty")


def test_an_empty_store_is_said_to_be_empty(made: World) -> None:
    """No rows, and a note that says why."""
    sheet = report(EMPTY, made)
    assert sheet.rows == ()
    assert any("no contacts" in note for note in sheet.notes)


class Nothing:
    """A store without rows."""

    def query(self, sql: str, parameters: object = None) -> list[dict[str, int]]:
        """Return counts of 0, and no rows."""
        del parameters
        if "uniqExact" in sql:
            return [{"n": 0}]
        return [{"epoch": 0, "batches": 0, "offsets": 0}] if "FROM v_batches" in sql else []


EMPTY = Nothing()


def test_the_incremental_share_is_known_by_segment(made: World, filled: Store) -> None:
    """By everybody, queue, channel and reason; each with an interval and the version."""
    found = known(filled, POLICY, made.history.as_of_ms)
    assert found is not None
    shares = thetas(found, "v")
    assert all(len(key) <= 3 for key in shares)
    assert all(share.low_ppm <= share.theta_ppm <= share.high_ppm for share in shares.values())
