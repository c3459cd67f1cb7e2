"""How one cell is read: text or a typed value in, a value of the contract out.

Law: a cell is read exactly or not at all (`Unreadable`); nothing is guessed. The two roundings
there are follow stated rules: times to the millisecond, towards the past (RUL-MS), amounts in
major units half-even to the minor unit (DEF-MONEY), which is counted.

CSV gives text, Parquet gives typed values; both go through here.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from pnl.importing.maps import Amounts, Durations, Times
from streams.currencies import EXPONENTS
from streams.grammar import YEAR_MAX, YEAR_MIN, written

Cell: TypeAlias = object
Reader: TypeAlias = Callable[[Cell], object]

_DIGITS_MAX: Final = 30
_EXACT: Final = Context(prec=4 * _DIGITS_MAX)
_WHOLE: Final = re.compile(rf"[+-]?[0-9]{{1,{_DIGITS_MAX}}}\Z")
_NUMBER: Final = re.compile(rf"[+-]?[0-9]{{1,{_DIGITS_MAX}}}(?:\.[0-9]{{1,{_DIGITS_MAX}}})?\Z")
_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_UNIT_MS: Final = {"ms": 1, "s": 1000, "min": 60_000}
_HOURS: Final = ("%H", "%I", "%c", "%X", "%T")


class Unreadable(Exception):
    """The cell is not what its field needs; the text says why."""


def text(cell: Cell) -> str:
    """Read an id or a word; whole numbers of typed files are written out."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool) or not isinstance(cell, int):
        raise Unreadable(f"{_shown(cell)} is not a text")
    return str(cell)


def whole(cell: Cell) -> int:
    """Read a whole number."""
    if isinstance(cell, str) and _WHOLE.match(cell):
        return int(cell)
    if not isinstance(cell, str):
        number = _decimal(cell, ".")
        if number == number.to_integral_value():
            return int(number)
    raise Unreadable(f"{_shown(cell)} is not a whole number")


def flag(cell: Cell) -> bool:
    """Read true or false."""
    if isinstance(cell, bool):
        return cell
    known = _FLAGS.get(str(cell).lower())
    if known is None:
        raise Unreadable(f"{_shown(cell)} is neither true nor false")
    return known


def duration_reader(durations: Durations, decimal: str) -> Reader:
    """Return what reads a duration as milliseconds, cut to whole ones."""
    factor = _UNIT_MS[durations.unit]

    def read(cell: Cell) -> int:
        if isinstance(cell, timedelta):
            return cell // _MS
        return int(_EXACT.multiply(_decimal(cell, decimal), Decimal(factor)))

    return read


def amount_of(cell: Cell, amounts: Amounts, currency: str) -> tuple[int, Decimal]:
    """Read an amount: minor units, and what rounding them took away (0 nearly always)."""
    if amounts.unit == "minor":
        return whole(cell), Decimal(0)
    if currency not in EXPONENTS:
        raise Unreadable(f"no exponent is known for the currency {_shown(currency)}")
    exponent = EXPONENTS[currency]
    exact = _decimal(cell, amounts.decimal).scaleb(exponent, _EXACT)
    rounded = exact.to_integral_value(ROUND_HALF_EVEN)
    return int(rounded), _EXACT.subtract(exact, rounded)


def time_reader(times: Times, zone: ZoneInfo | None) -> Reader:
    """Return what reads a moment as RFC 3339 text in UTC, to the millisecond."""
    parse = _moment_parser(times)

    def read(cell: Cell) -> str:
        moment = parse(cell)
        if moment.tzinfo is None:
            moment = _in_zone(moment, times, zone)
        if not YEAR_MIN <= moment.year <= YEAR_MAX:
            raise Unreadable(f"{_shown(cell)} is not within the years {YEAR_MIN} to {YEAR_MAX}")
        return written((moment - _EPOCH) // _MS)

    return read


def date_reader(times: Times, zone: ZoneInfo | None) -> Reader:
    """Return what reads the edge of a term: a date stays a local date, a moment a moment."""
    read_time = time_reader(times, zone)
    parse = _moment_parser(times)
    only_dates = times.format.startswith("%") and not any(
        directive in times.format for directive in _HOURS
    )

    def read(cell: Cell) -> object:
        if isinstance(cell, date) and not isinstance(cell, datetime):
            return cell.isoformat()
        if isinstance(cell, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell):
            return _iso(cell).date().isoformat()
        return parse(cell).date().isoformat() if only_dates else read_time(cell)

    return read


def _moment_parser(times: Times) -> Callable[[Cell], datetime]:
    form = times.format

    def patterned(cell: str) -> datetime:
        try:
            return datetime.strptime(cell, form)  # noqa: DTZ007 - the zone follows
        except ValueError as error:
            raise Unreadable(f"{_shown(cell)} does not match the time format {form}") from error

    def parse(cell: Cell) -> datetime:
        if isinstance(cell, datetime):
            return cell
        if isinstance(cell, date):
            return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - the zone follows
        if form in ("epoch_s", "epoch_ms"):
            return _since_epoch(cell, 1000 if form == "epoch_s" else 1)
        if not isinstance(cell, str):
            raise Unreadable(f"{_shown(cell)} is not a time")
        return _iso(cell) if form == "iso" else patterned(cell)

    return parse


def _iso(cell: str) -> datetime:
    try:
        return datetime.fromisoformat(cell)
    except ValueError as error:
        raise Unreadable(f"{_shown(cell)} is not a time such as 2009-12-01 07:45:00") from error


def _since_epoch(cell: Cell, factor: int) -> datetime:
    number = _EXACT.multiply(_decimal(cell, "."), Decimal(factor))
    try:
        return _EPOCH + timedelta(milliseconds=int(number.to_integral_value(ROUND_FLOOR)))
    except OverflowError as error:
        raise Unreadable(f"{_shown(cell)} is outside the calendar") from error


def _in_zone(moment: datetime, times: Times, zone: ZoneInfo | None) -> datetime:
    """Give a local time its zone. Python's fold chooses: 0 the offset before a change, 1 after."""
    if zone is None:
        raise Unreadable("the time carries no offset and the map has no times.timezone")
    before, after = (zone.utcoffset(moment.replace(fold=fold)) for fold in (0, 1))
    assert before is not None
    assert after is not None
    if before > after and times.ambiguous == "error":
        raise Unreadable(f"{moment} happened twice in {zone.key}")
    if before < after and times.missing == "error":
        raise Unreadable(f"{moment} did not happen in {zone.key}")
    return moment.replace(tzinfo=zone, fold=int(before > after and times.ambiguous == "later"))


def _decimal(cell: Cell, sign: str) -> Decimal:
    if isinstance(cell, str):
        plain = cell if sign == "." else cell.replace(".", "x").replace(",", ".")
        if not _NUMBER.match(plain):
            raise Unreadable(f"{_shown(cell)} is not a number with the decimal sign {sign!r}")
        return Decimal(plain)
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise Unreadable(f"{_shown(cell)} is not a number")
    # A float's shortest text is what its file's writer saw.
    number = Decimal(repr(cell)) if isinstance(cell, float) else Decimal(cell)
    if not number.is_finite() or abs(number.adjusted()) > _DIGITS_MAX:
        raise Unreadable(f"{_shown(cell)} is not an amount")
    return number


def _shown(cell: Cell) -> str:
    shown = repr(cell) if isinstance(cell, str) else str(cell)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
