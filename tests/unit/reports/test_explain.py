"""From a number to the events."""

from typing import Any

import pytest

from pnl.reports.model import BadRequest
from pnl.reports.queries import Reports
from processors.results import AttributionRecord, ClassNet, Credit, PathContact
from tests.support.books import Books, at, chain, control, cost, order, sold

DAY = 86_400_000
CONTACTS = ("k1", "k2", "k3")


def path() -> tuple[PathContact, ...]:
    """Return three chains, 14, 7 and 0 days before the order; the last two of one case."""
    placed = at("2024-06-20")
    return tuple(
        PathContact(
            contact_id=name,
            ended_at=placed - days * DAY,
            handle_ms=handle,
            case_id=case,
        )
        for name, days, handle, case in (
            ("k1", 14, 1000, None),
            ("k2", 7, 180_000, "case"),
            ("k3", 0, 120_000, "case"),
        )
    )


def vector(**other: Any) -> AttributionRecord:
    """Build the vector of an order of 1000 products, refunded to 900, booked to the last."""
    fields: dict[str, Any] = {
        "order_id": "o1",
        "customer_id": "k",
        "currency": "GBP",
        "occurred_at": at("2024-06-20"),
        "gross_minor": 1400,
        "net_minor": 1300,
        "unattributed_minor": 0,
        "model": "last",
        "revision": 3,
        "credits": (
            Credit(product_class="product", line="A1b", credit_minor=0, weight=0, contact_id="k1"),
            Credit(
                product_class="product", line="A1b", credit_minor=540, weight=1,
                contact_id="k2", case_id="case",
            ),
            Credit(
                product_class="product", line="A1b", credit_minor=360, weight=1,
                contact_id="k3", case_id="case",
            ),
            Credit(product_class="maintenance", line="A3", credit_minor=400, weight=1),
        ),
        "classes": (
            ClassNet(
                product_class="product", gross_minor=1000, net_minor=900, lookback_ms=30 * DAY
            ),
            ClassNet(product_class="maintenance", gross_minor=400, net_minor=400, lookback_ms=0),
        ),
        "path": path(),
    }  # fmt: skip
    return AttributionRecord(**(fields | other))


def credits_of(found: Any) -> list[tuple[str | None, int]]:
    """Return contacts and credits of an explained order."""
    return [(credit.contact_id, credit.credit_minor) for credit in found.credits]


def test_an_order_is_explained_as_it_was_booked(books: Books, reports: Reports) -> None:
    """The stored vector, the path, and every entry; the centre has no contact."""
    books.put(vector())
    books.book(
        sold("A1b", 600, "2024-06-20", contact_id="k2"),
        sold("A1b", 400, "2024-06-20", contact_id="k3"),
        control("net", -1400, "2024-06-20"),
        sold("A1b", 77, "2024-06-20", order_id="o2"),
    )
    found = reports.explain_order("o1")
    assert found is not None
    assert credits_of(found) == [("k1", 0), ("k2", 540), ("k3", 360), (None, 400)]
    assert (found.model, found.revision, found.booked) == ("last", 3, True)
    assert [step.contact_id for step in found.path] == list(CONTACTS)
    assert [entry.amount_minor for entry in found.entries] == [600, 400, -1400]


@pytest.mark.parametrize(
    ("model", "credited"),
    [
        ("last", [("k1", 0), ("k2", 540), ("k3", 360), (None, 400)]),
        ("first", [("k1", 900), ("k2", 0), ("k3", 0), (None, 400)]),
        ("linear", [("k1", 450), ("k2", 270), ("k3", 180), (None, 400)]),
        ("position", [("k1", 450), ("k2", 270), ("k3", 180), (None, 400)]),
        ("time_decay", [("k1", 180), ("k2", 432), ("k3", 288), (None, 400)]),
    ],
)
def test_another_model_is_worked_out_from_the_stored_path(
    books: Books, reports: Reports, model: str, credited: list[tuple[str | None, int]]
) -> None:
    """Credits + unattributed = net under every model, and the case splits by handle time."""
    books.put(vector())
    found = reports.explain_order("o1", model)
    assert found is not None
    assert credits_of(found) == credited
    assert sum(credit for _, credit in credited) + found.unattributed_minor == found.net_minor
    assert found.booked == (model == "last")


def test_another_model_respects_the_lookback_of_the_class(books: Books, reports: Reports) -> None:
    """What ended longer ago than the class looks back earns under no model."""
    product = ClassNet(
        product_class="product", gross_minor=1000, net_minor=900, lookback_ms=10 * DAY
    )
    books.put(vector(classes=(product,), gross_minor=1000, net_minor=900))
    found = reports.explain_order("o1", "first")
    assert found is not None
    assert credits_of(found) == [("k2", 540), ("k3", 360)]


def test_what_nobody_could_earn_stays_unattributed_under_every_model(
    books: Books, reports: Reports
) -> None:
    """A late order has a path and no credits: no model gives it any."""
    books.put(vector(credits=(), unattributed_minor=1300))
    found = reports.explain_order("o1", "linear")
    assert found is not None
    assert credits_of(found) == []
    assert found.unattributed_minor == found.net_minor == 1300


def test_what_was_sold_in_a_contact_stays_with_it(books: Books, reports: Reports) -> None:
    """There is nothing to share, whatever the model."""
    own = Credit(product_class="product", line="A1a", credit_minor=900, weight=1, contact_id="k9")
    product = ClassNet(
        product_class="product", gross_minor=1000, net_minor=900, lookback_ms=30 * DAY
    )
    books.put(
        vector(credits=(own,), classes=(product,), sold_in="k9", gross_minor=1000, net_minor=900)
    )
    found = reports.explain_order("o1", "linear")
    assert found is not None
    assert (credits_of(found), found.sold_in) == ([("k9", 900)], "k9")


def test_an_unknown_model_or_order_is_said(books: Books, reports: Reports) -> None:
    """A model is a mistake of the asker; an order may simply not exist."""
    books.put(vector())
    with pytest.raises(BadRequest) as raised:
        reports.explain_order("o1", "shapley")
    assert "last, first, linear, position, time_decay" in str(raised.value)
    assert reports.explain_order("nothing") is None
    assert reports.explain_contact("nothing") is None


def test_a_refund_shows_what_it_took_and_from_which_order(books: Books, reports: Reports) -> None:
    """Its entries stand with the order it took from, and name the refund as their cause."""
    books.put(order("r1", "refund", -100, "2024-07-01", linked_to=("o1",), orphan=True))
    books.book(
        sold("A5", -60, "2024-07-01", note="unlinked"),
        control("net", 60, "2024-07-01"),
        control("A5x", -40, "2024-07-01", order_id="r1"),
        control("net", 40, "2024-07-01", order_id="r1"),
        cause="r1",
    )
    found = reports.explain_order("r1")
    assert found is not None
    assert (found.kind, found.linked_to, found.net_minor) == ("refund", ("o1",), -100)
    assert (found.unattributed_minor, found.credits) == (-40, ())
    assert sum(entry.amount_minor for entry in found.entries) == 0
    assert len(found.entries) == 4


def test_a_withdrawn_order_still_shows_what_was_booked_and_taken_back(
    books: Books, reports: Reports
) -> None:
    """Its entries are all there is, and they sum to nothing."""
    books.put(vector(withdrawn=True), order("o1", "sale", 0, "2024-06-20", withdrawn=True))
    books.book(sold("A1b", 600, "2024-06-20"), sold("A1b", -600, "2024-06-20", change="reversal"))
    found = reports.explain_order("o1")
    assert found is not None
    assert (found.withdrawn, found.net_minor, found.credits) == (True, 0, ())
    assert [entry.amount_minor for entry in found.entries] == [600, -600]


def test_a_contact_shows_its_orders_and_its_entries(books: Books, reports: Reports) -> None:
    """Money from the ledger, credits with their weights from the orders' vectors."""
    books.put(chain("k2", "2024-06-13"), vector())
    books.book(
        sold("A1b", 540, "2024-06-20", contact_id="k2"),
        cost("C1", -25, "2024-06-13", contact_id="k2", leg_id="k2b"),
        cost("C1", -5, "2024-06-13", contact_id="k3"),
    )
    books.as_of("2024-07-13")
    found = reports.explain_contact("k2")
    assert found is not None
    assert (found.row.net_credit_minor, found.row.cost_minor, found.row.mature) == (540, -25, True)
    assert [(each.order_id, each.weight, each.credit_minor) for each in found.orders] == [
        ("o1", 1, 540)
    ]
    assert {entry.line for entry in found.entries} == {"A1b", "C1"}


def test_a_leg_is_explained_as_the_chain_it_is_part_of(books: Books, reports: Reports) -> None:
    """Asked for a transfer's leg, the chain answers."""
    books.put(chain("k2", "2024-06-13", legs=2))
    books.book(cost("C1", -25, "2024-06-13", contact_id="k2", leg_id="k2b"))
    found = reports.explain_contact("k2b")
    assert found is not None
    assert found.row.contact_id == "k2"
