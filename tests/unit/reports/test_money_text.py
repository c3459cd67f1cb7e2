"""Figures as people and programs read them."""

from datetime import date

import pytest

from pnl.reports import money_text

MINUS = "\u2212"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (-30211409, "GBP", "-302114.09"),
        (-5, "GBP", "-0.05"),
        (0, "GBP", "0.00"),
        (30211409, "JPY", "30211409"),
        (-5, "KWD", "-0.005"),
        (12345, "CLF", "1.2345"),
    ],
)
def test_a_file_has_plain_decimals(amount: int, currency: str, text: str) -> None:
    """As many decimals as the currency's minor unit has, a point, a hyphen, no grouping."""
    assert money_text.decimal_text(amount, currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (-30211409, "GBP", MINUS + "302,114.09"),
        (7, "GBP", "0.07"),
        (1234567, "JPY", "1,234,567"),
        (1234567, "KWD", "1,234.567"),
        (None, "GBP", "null"),
    ],
)
def test_a_column_has_no_currency_sign(amount: int | None, currency: str, text: str) -> None:
    """Thousands are grouped, the minus is a true one, and what is unknown says so."""
    assert money_text.column(amount, currency) == text


def test_money_carries_its_sign_and_its_currency() -> None:
    """The locale decides where they stand; a change shows a plus too."""
    assert money_text.money(-123456, "GBP") == MINUS + "£1,234.56"
    assert money_text.money(-123456, "EUR", "de_DE") == MINUS + "1.234,56\u00a0€"
    assert money_text.signed(1240, "GBP") == "+£12.40"
    assert money_text.signed(0, "GBP") == "£0.00"


def test_a_headline_rounds_half_to_even() -> None:
    """Only headlines round, and a rounded zero has no sign."""
    assert money_text.headline(61284450, "GBP") == "£612,844"
    assert money_text.headline(61284550, "GBP") == "£612,846"
    assert money_text.headline(-50, "GBP") == "£0"
    assert money_text.headline(1500, "JPY") == "JP¥1,500"


def test_shares_counts_durations_and_days_read_as_designed() -> None:
    """A percentage keeps its sign on the line by a no-break space."""
    assert money_text.share(543_210) == "54.3\u00a0%"
    assert money_text.share(-50_000, digits=0) == MINUS + "5\u00a0%"
    assert money_text.share(None) == "null"
    assert money_text.count(-1234567) == MINUS + "1,234,567"
    assert money_text.duration(552_999) == "9:12"
    assert money_text.day(date(2026, 11, 22)) == "22 Nov 2026"
