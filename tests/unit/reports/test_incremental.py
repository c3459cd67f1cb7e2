"""Incremental beside touched: theta of the credit, with its interval, or nothing (DEF-MULT)."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pnl.reports.channels import CHANNELS
from pnl.reports.incremental import Segment, Thetas, incremental, thetas_of
from pnl.reports.model import BadRequest, Scope
from pnl.reports.revenue import REVENUE
from pnl.reports.sheet import Asking, SheetReport
from processors.lift import IncrementalShare
from processors.money import PPM, split
from processors.policy import Policy
from sinks.store import Store
from tests.support.books import Books, at, chain, sold
from tests.unit.reports.test_channels import placed, replace_credit

VECTORS: Any = json.loads(
    (Path(__file__).parents[2] / "spec" / "reference_vectors.json").read_text("utf-8")
)
VALUES = {"queue": "orders", "channel": "voice", "reason": "price"}


def theta(share: float, half: float = 0.0) -> IncrementalShare:
    """Return a theta with an interval of this half width."""
    return IncrementalShare(
        round(share * PPM), round((share - half) * PPM), round((share + half) * PPM), "v"
    )


@pytest.mark.parametrize("vector", VECTORS["VEC-MULT"], ids=str)
def test_each_touchpoint_keeps_its_part_and_the_rest_is_nobodys(vector: dict[str, Any]) -> None:
    """VEC-MULT: linear credits times gate and theta; what they leave is unattributed."""
    found = []
    credited = split(vector["amount"], [1] * len(vector["g"]))
    for credit, gate, share in zip(credited, vector["g"], vector["theta"], strict=True):
        kept = incremental([(VALUES, credit)], {(): theta(gate * float(Fraction(share)))})
        assert kept is not None
        found.append(kept.amount_minor)
    assert found == vector["credits"]
    assert vector["amount"] - sum(found) == vector["unattributed"]


def test_the_finest_segment_that_is_known_counts() -> None:
    """Queue, channel and reason; else what it is part of; nothing known: None, not zero."""
    wide: dict[Segment, IncrementalShare] = {(): theta(0.1), ("orders",): theta(0.2)}
    fine: Thetas = {**wide, ("orders", "voice", "price"): theta(0.5)}
    for known, amount in ((fine, 500), (wide, 200), ({(): theta(0.1)}, 100)):
        found = incremental([(VALUES, 1000)], known)
        assert found is not None
        assert found.amount_minor == amount
    assert incremental([(VALUES, 1000)], {("billing",): theta(0.5)}) is None
    assert incremental([(VALUES, 1000), ({**VALUES, "queue": "x"}, 0)], wide) is not None


def test_one_theta_errs_for_all_and_two_by_themselves() -> None:
    """Half widths of one segment add up, those of different segments add as squares."""
    other = {**VALUES, "queue": "billing"}
    known = {("orders",): theta(0.5, 0.1), ("billing",): theta(0.5, 0.1)}
    alone = incremental([(VALUES, 1000), ({**VALUES, "reason": "x"}, 1000)], known)
    both = incremental([(VALUES, 3000), (other, 4000)], known)
    assert alone is not None
    assert both is not None
    assert (alone.low_minor, alone.amount_minor, alone.high_minor) == (800, 1000, 1200)
    assert (both.low_minor, both.amount_minor, both.high_minor) == (3000, 3500, 4000)


@pytest.mark.parametrize("report", [CHANNELS, REVENUE], ids=lambda report: report.name)
def test_reports_show_theta_of_what_was_bought_after_contacts(
    books: Books, store: Store, report: SheetReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sold in a contact is touched, not compared; the sum stands with its interval."""
    monkeypatch.setattr(f"{report.make.__module__}.thetas_of", lambda _: {(): theta(0.25, 0.05)})
    chains = [chain(f"c{n}", "2024-06-01") for n in range(40)]
    after = [placed(f"o{n}", "2024-06-10", [each]) for n, each in enumerate(chains)]
    inside = replace_credit(placed("in", "2024-06-01", []), "c1", "A1a", "product")
    books.lay(
        chains,
        [sold("A1b", 1000, "2024-06-10", contact_id=f"c{n}") for n in range(40)]
        + [sold("A1a", 1000, "2024-06-01", contact_id="c1")],
    )
    books.put(*after, inside)
    found = report.asked(
        Asking(
            store=store,
            policy=Policy(),
            as_of=at("2024-12-31"),
            scope=Scope(currency="GBP"),
            by=("queue",),
        )
    )
    names = [column.name for column in found.columns]
    name = "incremental_minor" if report is CHANNELS else "incremental_per_minor"
    place = names.index(name)
    assert found.total is not None
    amount, low, high = found.total[place : place + 3]
    assert amount == (10_000 if report is CHANNELS else 250)
    assert isinstance(low, int)
    assert isinstance(high, int)
    assert low < amount < high
    assert found.rows[0][place] == amount


def test_it_can_be_left_out(store: Store) -> None:
    """Comparing takes seconds; what is not asked for is not known."""
    asking = Asking(
        store=store,
        policy=Policy(),
        as_of=at("2024-12-31"),
        scope=Scope(currency="GBP"),
        options={"incremental": "off"},
    )
    assert thetas_of(asking) == {}
    with pytest.raises(BadRequest):
        CHANNELS.asked(
            Asking(
                store=store,
                policy=Policy(),
                as_of=None,
                scope=Scope(currency="GBP"),
                options={"incremental": "maybe"},
            )
        )
