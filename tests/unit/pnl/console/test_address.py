"""The address of a page: read, resolved, written again."""

from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pnl.console.address import (
    PAGE_KEYS,
    join_values,
    read_address,
    resolve,
    split_values,
)

TODAY = date(2010, 12, 9)


@given(st.lists(st.text(min_size=0, max_size=8), min_size=1, max_size=5, unique=True))
def test_filter_values_survive_their_own_writing(values: list[str]) -> None:
    """Any names, commas, backslashes and the empty one included, are read as they were written."""
    assert split_values(join_values(values)) == tuple(values)


@given(st.sampled_from(sorted(PAGE_KEYS)), st.text(max_size=12), st.text(max_size=30))
def test_an_address_written_again_asks_the_same(page: str, key: str, value: str) -> None:
    """Whatever stands in an address, reading it never fails, and its own link has no problems."""
    address = read_address(page, "/x", [(key, value), ("queue", value), ("period", "2010-11")])
    query = address.link().partition("?")[2]
    again = read_address(page, "/x", parse_qsl(query, keep_blank_values=True))
    assert again.pairs == address.pairs
    assert again.problems == ()


@pytest.mark.parametrize(
    ("period", "start", "end", "before"),
    [
        ("mtd", "2010-12-01", "2010-12-10", "2010-11-01..2010-11-10"),
        ("today", "2010-12-09", "2010-12-10", "2010-12-08..2010-12-09"),
        ("30d", "2010-11-10", "2010-12-10", "2010-10-11..2010-11-10"),
        ("ytd", "2010-01-01", "2010-12-10", "2009-01-01..2009-12-10"),
        ("2010-03", "2010-03-01", "2010-04-01", "2010-02-01..2010-03-01"),
        ("2010", "2010-01-01", "2011-01-01", "2009-01-01..2010-01-01"),
    ],
)
def test_a_period_and_the_one_before_it(period: str, start: str, end: str, before: str) -> None:
    """A period is resolved against the day the books have reached; what is before is as long."""
    question = resolve(read_address("live", "/", [("period", period)]), TODAY, "GBP")
    scope, previous = question.scope, question.previous
    assert previous is not None
    assert (scope.start, scope.end) == (date.fromisoformat(start), date.fromisoformat(end))
    assert f"{previous.start}..{previous.end}" == before


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ([("period", "mtd")], (9, 31)),
        ([("period", "2010-12")], (9, 31)),
        ([("period", "2010")], (343, 365)),
        ([("period", "2010-11")], None),
        ([("period", "30d")], None),
        ([("from", "2010-12-05"), ("to", "2010-12-15")], (5, 10)),
        ([("from", "2011-01-01"), ("to", "2011-02-01")], None),
    ],
)
def test_a_period_the_books_are_still_in_is_provisional(
    query: list[tuple[str, str]], days: tuple[int, int] | None
) -> None:
    """It says how many of its days are in; one that has passed, or not begun, does not."""
    assert resolve(read_address("live", "/", query), TODAY, "GBP").days == days


def test_before_there_is_any_fact_there_is_no_period() -> None:
    """Without an as-of nothing is limited and nothing compared."""
    question = resolve(read_address("live", "/", []), None, "GBP")
    assert (question.scope.start, question.scope.end, question.previous) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([("colour", "red")], "does not know: colour"),
        ([("period", "2010-13")], "period=2010-13 is not a period"),
        ([("from", "2010-12-01")], "from and to belong together"),
        ([("from", "2010-12-02"), ("to", "2010-12-02")], "not before to=2010-12-02"),
        ([("from", "2010-02-30"), ("to", "2010-12-02")], "from=2010-02-30 is not a date"),
        ([("currency", "pounds")], "currency=pounds is not a code"),
        ([("against", "2010-02-01..2010-01-01")], "against="),
        ([("view", "pie")], "view=pie is none of: compare, dims"),
        ([("by", "queue,team")], "by=queue,team is none of"),
        ([("queue", "q" * 3000)], "queue is longer than"),
    ],
)
def test_what_cannot_be_understood_is_said_and_left_out(
    query: list[tuple[str, str]], said: str
) -> None:
    """Each problem names its key in a sentence, and the rest of the address stands."""
    address = read_address("statement", "/statement", [*query, ("team", "North")])
    assert said in " ".join(address.problems)
    assert address.link() == "/statement?team=North"


def test_a_changed_question_begins_on_its_first_page() -> None:
    """A new filter drops the cursor; the cursor alone keeps everything else."""
    address = read_address("contacts", "/contacts", [("cursor", "abc"), ("sort", "-cost")])
    assert address.link(queue="billing") == "/contacts?sort=-cost&queue=billing"
    assert address.link(cursor="def") == "/contacts?sort=-cost&cursor=def"


def test_another_page_takes_the_scope_along_but_not_the_page_keys() -> None:
    """Period, currency and filters go with a link; sorting and views stay behind."""
    address = read_address("contacts", "/contacts", [("sort", "-cost"), ("period", "2010-11")])
    assert address.link("/statement") == "/statement?period=2010-11"


def test_an_item_with_a_slash_stays_one_path_segment() -> None:
    """An order named a/b?c has an address of its own."""
    address = read_address("live", "/", [("currency", "EUR"), ("queue", "x")])
    assert address.item_link("/orders", "a/b?c") == "/orders/a%2Fb%3Fc?currency=EUR"
