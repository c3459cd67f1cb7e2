"""How figures are written."""

from datetime import date

import pytest

from pnl.console.figures import Figures

EN = Figures.of("en_GB", "Europe/London")


def test_money_is_exact_in_columns_and_rounded_only_in_headlines() -> None:
    """Minus is a true minus, pence are set apart, a headline is whole."""
    assert EN.money(-30211409, "GBP") == "\N{MINUS SIGN}£302,114.09"
    assert EN.money_rounded(61284450, "GBP") == "£612,844"
    assert EN.column(-409, "GBP") == '\N{MINUS SIGN}4<span class="p-pence">.09</span>'
    assert EN.column(12, "JPY") == "12"
    assert EN.money_signed(15, "GBP") == "+£0.15"


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (105, 100, "+5.0\N{NO-BREAK SPACE}%"),
        (-90, -100, "+10.0\N{NO-BREAK SPACE}%"),
        (5, -5, "n/m"),
        (5, 0, "n/m"),
        (0, 0, "0.0\N{NO-BREAK SPACE}%"),
    ],
)
def test_a_change_is_a_share_of_the_absolute_base(now: int, before: int, shown: str) -> None:
    """Across a change of sign, or from nothing, a percentage means nothing."""
    assert EN.change_percent(now, before) == shown


def test_a_share_is_whole_only_when_it_is() -> None:
    """All but one in a million have not matured is never 100 %."""
    assert EN.percent_whole(999_999) == "99\N{NO-BREAK SPACE}%"
    assert EN.percent_whole(1_000_000) == "100\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ((2010, 11, 1), (2010, 12, 1), "November 2010"),
        ((2010, 1, 1), (2011, 1, 1), "2010"),
        ((2010, 12, 1), (2010, 12, 10), "1\N{EN DASH}9 Dec 2010"),
        ((2010, 12, 9), (2010, 12, 10), "9 Dec 2010"),
        ((2010, 10, 11), (2010, 12, 10), "11 Oct \N{EN DASH} 9 Dec 2010"),
        ((2009, 12, 5), (2010, 1, 5), "5 Dec 2009 \N{EN DASH} 4 Jan 2010"),
    ],
)
def test_a_range_is_said_with_its_last_day(
    start: tuple[int, int, int], end: tuple[int, int, int], shown: str
) -> None:
    """People read the last day, addresses and files the day after it."""
    assert EN.span(date(*start), date(*end)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.62, "0.6 s"), (42.9, "42 s"), (192.0, "3 min 12 s"), (7500.0, "2 h 5 min"), (9e5, "10 d")],
)
def test_how_far_behind_is_said_in_the_largest_units(seconds: float, shown: str) -> None:
    """A delay takes at most two units."""
    assert EN.behind(seconds) == shown


def test_another_locale_writes_its_own_way() -> None:
    """German groups with points and puts the sign of currency behind."""
    german = Figures.of("de-DE", "Europe/Berlin")
    assert german.money(123456, "EUR") == "1.234,56\N{NO-BREAK SPACE}€"
    assert german.language == "de-DE"
