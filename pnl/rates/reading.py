"""Exchange rates from a file: CSV with the columns date, base, quote, rate.

Law: a rate is an exact decimal, kept as an integer times ten to the tenth; what is finer, not
positive or not understood is refused, naming file, line and field, and then nothing is imported.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from pnl.errors import UserError
from pnl.reports.period import date_of, day_number
from processors.results import RateRecord
from streams.currencies import EXPONENTS

COLUMNS: Final = ("date", "base", "quote", "rate")
DECIMALS: Final = 10
RATE_MAX: Final = Decimal(10) ** 8
_RATE: Final = re.compile(r"\d{1,9}(\.\d+)?")


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    line: int

    def wrong(self, field: str, why: str) -> UserError:
        return UserError(f"{self.file}: line {self.line}, {field}: {why}.")


def read_rates(path: Path, carry_days: int = 0) -> list[RateRecord]:
    """Return the rates of a file, ordered by currencies and day; UserError for the first wrong one.

    With `carry_days` a rate also holds on the days after it that the file has none for, at most
    so many: over weekends and holidays, say. Without, a day without a rate has none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            found = _unique(_rows(lines, str(path)))
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text.") from None
    except csv.Error as error:
        raise UserError(f"{path} is not CSV: {error}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    ordered = sorted(found, key=lambda rate: (rate.base, rate.quote, rate.day))
    return list(_carried(ordered, carry_days))


def _rows(lines: Iterable[str], file: str) -> Iterator[tuple[_Place, RateRecord]]:
    reader = csv.DictReader(lines, strict=True)
    names = tuple(name.strip().lower() for name in reader.fieldnames or ())
    if sorted(names) != sorted(COLUMNS):
        told = ", ".join(names) or "nothing"
        raise UserError(f"{file}: line 1 must name the columns {', '.join(COLUMNS)}, not {told}.")
    reader.fieldnames = list(names)
    for row in reader:
        place = _Place(file, reader.line_num)
        if None in row or None in row.values():
            raise place.wrong("columns", "there must be four cells")
        cells = {name: row[name].strip() for name in COLUMNS}
        base, quote = (_currency(place, name, cells[name]) for name in ("base", "quote"))
        if base == quote:
            raise place.wrong("quote", f"{quote} is the base too")
        day = _day(place, cells["date"])
        yield (
            place,
            RateRecord(day=day, base=base, quote=quote, rate_e10=_rate(place, cells["rate"])),
        )


def _day(place: _Place, text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise place.wrong("date", f"{text!r} is no date such as 2026-04-01")
    return day_number(day)


def _currency(place: _Place, field: str, text: str) -> str:
    if text not in EXPONENTS:
        raise place.wrong(field, f"{text!r} is no ISO 4217 code such as GBP")
    return text


def _rate(place: _Place, text: str) -> int:
    if _RATE.fullmatch(text) is None:
        raise place.wrong("rate", f"{text!r} is no positive decimal such as 1.1734")
    rate = Decimal(text)
    scaled = rate.scaleb(DECIMALS)
    if scaled != scaled.to_integral_value():
        raise place.wrong("rate", f"{text} has more than {DECIMALS} decimals")
    if not 0 < rate <= RATE_MAX:
        raise place.wrong("rate", f"{text} is not above 0 and at most {RATE_MAX:,}")
    return int(scaled)


def _unique(rows: Iterable[tuple[_Place, RateRecord]]) -> list[RateRecord]:
    """Return the rates; the same rate twice is one, two rates for one day are an error."""
    known: dict[tuple[int, str, str], tuple[int, RateRecord]] = {}
    for place, rate in rows:
        key = (rate.day, rate.base, rate.quote)
        line, first = known.setdefault(key, (place.line, rate))
        if first != rate:
            raise place.wrong("rate", f"line {line} gives another for that day")
    return [rate for _, rate in known.values()]


def _carried(ordered: list[RateRecord], days: int) -> Iterator[RateRecord]:
    for place, rate in enumerate(ordered):
        yield rate
        after = ordered[place + 1 : place + 2]
        same = [each for each in after if (each.base, each.quote) == (rate.base, rate.quote)]
        end = same[0].day if same else rate.day + days + 1
        for day in range(rate.day + 1, min(end, rate.day + days + 1)):
            yield RateRecord(day=day, base=rate.base, quote=rate.quote, rate_e10=rate.rate_e10)


def rate_text(rate_e10: int) -> str:
    """Return a rate as an exact decimal without useless zeros: `1.1734`."""
    whole, part = divmod(rate_e10, 10**DECIMALS)
    digits = f"{part:0{DECIMALS}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def day_text(day: int) -> str:
    """Return a day as a date: `2026-04-01`."""
    return date_of(day).isoformat()
