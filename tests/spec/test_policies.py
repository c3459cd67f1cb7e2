"""Rules with dates: which policy an entry is made by, when a chain is mature, equal books."""

import pytest

from processors.policy import BEGINNING, DAY_MS, DatedPolicy, Policy, PolicyBook, Tariff, book_of
from processors.policy_codec import decode_book, encode_book
from streams.facts import Fee
from tests.spec.scenario import settled
from tests.support.facts import at, contact, order, refund

FROM = at(10)
DEARER = Policy(loaded_per_hour_minor=6000, margin_ppm=100_000, model="linear")
BOOK = book_of(Policy(), [DatedPolicy(FROM, DEARER)])


def test_a_moment_has_the_policy_of_its_date() -> None:
    """The first instant of a change is already of it."""
    assert (BOOK.at(FROM - 1), BOOK.at(FROM), BOOK.newest) == (Policy(), DEARER, DEARER)
    assert book_of(Policy()).at(FROM) == Policy()


def test_handling_costs_what_the_rate_was_when_the_leg_ended() -> None:
    """DEF-RATE: a leg that was begun before and ended after is of after, whenever it arrives."""
    legs = [contact("c1", FROM - 1), contact("c2", FROM), contact("c3", FROM + DAY_MS)]
    assert settled(legs, BOOK).of_lines("C1", "contact_id") == {"c1": -250, "c2": -500, "c3": -500}


def test_a_chain_has_the_rate_of_each_leg_and_the_tariff_of_its_end() -> None:
    """RUL-C1, RUL-FEE: legs on both sides of a change, one fee."""
    flat, new = Tariff(kind="flat", amount_minor=100), Tariff(kind="flat", amount_minor=300)
    first, second = Policy(tariffs={"t": flat}), Policy(tariffs={"t": new})
    legs = [
        contact("c1", FROM - 1, chain_id="ch", fee=Fee(tariff="t")),
        contact("c2", FROM + 1, chain_id="ch"),
    ]
    books = settled(legs, book_of(first, [DatedPolicy(FROM, second)]))
    assert books.total("A2c") == 300


def test_a_refund_is_split_as_its_order_was() -> None:
    """DEF-REFUND: the order's date decides the model, the lookback and the margin."""
    facts = [
        contact("c1", at(7)),
        contact("c2", at(8)),
        order("o1", at(9), 1000, customer_id="k"),
        refund("r1", "o1", at(12), 300),
    ]
    books = settled(facts, BOOK)
    assert books.of_lines("A1b", "contact_id") == {"c2": 1000}
    assert books.of_lines("A5", "contact_id") == {"c2": -300}


def test_whether_a_refund_is_linked_is_of_its_own_date() -> None:
    """DEF-UNLINKED: the setting changes between two refunds."""
    book = book_of(Policy(), [DatedPolicy(FROM, Policy(unlinked="orphan"))])
    facts = [
        order("o1", at(1), 1000),
        refund("r1", None, at(9), 100),
        refund("r2", None, at(11), 100),
    ]
    assert settled(facts, book).of_lines("A5x", "order_id") == {"r2": -100}


@pytest.mark.parametrize(
    ("before_days", "after_days", "ended_days", "matures_days"),
    [
        (30, 60, -70, -40),
        (30, 60, -40, 20),
        (60, 30, -40, 0),
        (60, 30, -20, 10),
        (30, 60, 5, 65),
    ],
)
def test_a_chain_is_mature_when_no_order_can_reach_back_to_it(
    before_days: int, after_days: int, ended_days: int, matures_days: int
) -> None:
    """DEF-MATURE: an order of after looks back as after allows; days are counted from the change.

    70 days before it even the longer lookback reaches nothing; 40 days before it that does, and the
    shorter one ends what the longer one allowed.
    """
    book = book_of(
        Policy(lookback_ms=before_days * DAY_MS),
        [DatedPolicy(FROM, Policy(lookback_ms=after_days * DAY_MS))],
    )
    assert book.matures_at(FROM + ended_days * DAY_MS) == FROM + matures_days * DAY_MS
    assert book.lookback_ms_max == 60 * DAY_MS


def test_books_differ_from_the_first_moment_of_which_they_say_something_else() -> None:
    """Changes that change nothing do not count; a date of a change does."""
    assert BOOK.differs_from(book_of(Policy())) == FROM
    assert BOOK.differs_from(book_of(Policy(), [DatedPolicy(FROM - 1, DEARER)])) == FROM - 1
    assert BOOK.differs_from(book_of(DEARER)) == BEGINNING
    assert BOOK.differs_from(PolicyBook(Policy(), BOOK.changes)) is None
    assert book_of(Policy(), [DatedPolicy(FROM, Policy())]) == book_of(Policy())


def test_a_version_names_all_dates() -> None:
    """A book of one policy has that one's version, another date another version."""
    later = book_of(Policy(), [DatedPolicy(FROM + 1, DEARER)])
    assert book_of(Policy()).version == Policy().version
    assert len({BOOK.version, later.version, Policy().version, DEARER.version}) == 4
    assert [version for _, version in BOOK.versions] == [Policy().version, DEARER.version]


@pytest.mark.parametrize("other", [{"currency": "EUR"}, {"horizon_ms": 1}, {"timezone": "UTC"}])
def test_what_is_the_same_at_all_dates_cannot_change(other: dict[str, object]) -> None:
    """Zone, currency, horizon: a book of two of them is none."""
    with pytest.raises(ValueError, match="same at all dates"):
        PolicyBook(Policy(), (DatedPolicy(FROM, Policy(**other)),))  # type: ignore[arg-type]


def test_changes_that_are_not_in_order_are_no_book() -> None:
    """Nobody could say which one counts."""
    with pytest.raises(ValueError, match="order of time"):
        PolicyBook(Policy(), (DatedPolicy(FROM, DEARER), DatedPolicy(FROM, Policy())))


def test_a_book_is_read_back_as_it_was_written() -> None:
    """With tariffs and dates; a rule that a former program did not know is the default."""
    full = book_of(Policy(tariffs={"t": Tariff(kind="flat", amount_minor=1)}), BOOK.changes)
    assert decode_book(encode_book(full)) == full
    assert decode_book(b'[{"currency":"EUR"},[]]') == book_of(Policy(currency="EUR"))
