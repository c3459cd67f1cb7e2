"""Figures as people read them: money, shares, durations and dates as text.

Law: text is made from exact integers, once, at the very end; only `headline` rounds. A minus is
the true minus (U+2212) for people and the hyphen for files that programs read.
"""

import copy
from datetime import date
from decimal import Decimal
from typing import Final

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from processors.money import divide_half_even
from streams.currencies import exponent_of

MINUS: Final = "\u2212"
NO_BREAK: Final = "\u00a0"
UNKNOWN: Final = "null"
"""What stands where a figure cannot be known: never 0, never an empty cell."""
LOCALE: Final = "en_GB"


def exponent(currency: str) -> int:
    """Return the decimals of a currency's minor unit; KeyError for a code we do not take."""
    return exponent_of(currency)


def decimal_text(amount_minor: int, currency: str) -> str:
    """Return an amount as a plain decimal string, `-302114.09`: for files."""
    digits = exponent(currency)
    whole, part = divmod(abs(amount_minor), 10**digits)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"


def column(amount_minor: int | None, currency: str, locale: str = LOCALE) -> str:
    """Return an amount for a column whose head names the currency: `1,302,114.09`."""
    if amount_minor is None:
        return UNKNOWN
    digits = exponent(currency)
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    value = Decimal(abs(amount_minor)).scaleb(-digits)
    return _sign(amount_minor) + str(format_decimal(value, format=pattern, locale=locale))


def money(amount_minor: int | None, currency: str, locale: str = LOCALE) -> str:
    """Return an amount with its currency sign: `£302,114.09`."""
    if amount_minor is None:
        return UNKNOWN
    digits = exponent(currency)
    value = Decimal(abs(amount_minor)).scaleb(-digits)
    return _sign(amount_minor) + _with_symbol(value, digits, currency, locale)


def headline(amount_minor: int | None, currency: str, locale: str = LOCALE) -> str:
    """Return an amount rounded to whole major units, half to even: `£612,844`."""
    if amount_minor is None:
        return UNKNOWN
    rounded = divide_half_even(amount_minor, 10 ** exponent(currency))
    return _sign(rounded) + _with_symbol(Decimal(abs(rounded)), 0, currency, locale)


def signed(amount_minor: int | None, currency: str, locale: str = LOCALE) -> str:
    """Return a change, with its sign: `+£12.40`."""
    text = money(amount_minor, currency, locale)
    return "+" + text if amount_minor is not None and amount_minor > 0 else text


def count(number: int | None, locale: str = LOCALE) -> str:
    """Return a count with its thousands grouped."""
    if number is None:
        return UNKNOWN
    return _sign(number) + str(format_decimal(abs(number), format="#,##0", locale=locale))


def share(ppm: int | None, locale: str = LOCALE, digits: int = 1) -> str:
    """Return parts per million as a percentage with a no-break space: `54.3 %`."""
    if ppm is None:
        return UNKNOWN
    rounded = divide_half_even(ppm, 10 ** (4 - digits))
    value = Decimal(abs(rounded)).scaleb(-digits)
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return f"{_sign(rounded)}{format_decimal(value, format=pattern, locale=locale)}{NO_BREAK}%"


def duration(milliseconds: int) -> str:
    """Return a duration for a column, minutes and whole seconds, cut: `9:12`."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    return f"{minutes}:{seconds:02d}"


def day(value: date, locale: str = LOCALE) -> str:
    """Return a date: `22 Nov 2026`."""
    return str(format_date(value, format="d MMM y", locale=locale))


def _sign(number: int) -> str:
    return MINUS if number < 0 else ""


def _with_symbol(value: Decimal, digits: int, currency: str, locale: str) -> str:
    parsed = Locale.parse(locale)
    pattern = copy.copy(parsed.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return str(pattern.apply(value, parsed, currency=currency, currency_digits=False))
