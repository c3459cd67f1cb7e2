"""The one grammar of what a source may write: bounds, times, dates.

Law: `instant` and the contract's plain reading agree on every text. A time is

    YYYY-MM-DDTHH:MM:SS[.fraction](Z|+HH:MM|-HH:MM)

in ASCII, with an upper-case T and Z, seconds 00 to 59, a real date, its year and its instant in
1970 to 2199, at most 64 characters; it is cut to the millisecond towards the past (RUL-MS).

Reading is by slices and tables: 0.4 µs a time. `datetime.fromisoformat` takes as long and reads
far more than this grammar (week dates, blanks, commas); msgspec rounds the seventh digit.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final

from streams.facts import LocalDate, Millis

VALUE_BYTES_MAX: Final = 1 << 20
DEPTH_MAX: Final = 256
ID_CHARS_MAX: Final = 500
TEXT_CHARS_MAX: Final = 200
TIME_CHARS_MAX: Final = 64
AMOUNT_MINOR_MAX: Final = 10**14
DURATION_MS_MAX: Final = 10**11  # a little over three years: a letter may wait long
REVISION_MAX: Final = 2**53 - 1  # the largest integer every JSON reader keeps exactly
LINES_MAX: Final = 2_000  # so that sums of an order fit 64 bits, and a refund of all is quick
OFFERS_MAX: Final = 100
PERIOD_LINES_MAX: Final = 4_000  # so that they fit into a value; the job states more facts
CUT_PLACES_MAX: Final = 10_000
OFFSET_MAX: Final = 2**53 - 1
PARTITION_MAX: Final = 2**16 - 1
VARIANCE_MAX: Final = 10**18  # so that it fits 64 bits
CSAT_MAX: Final = 100
NPS_MAX: Final = 10
CES_MAX: Final = 100
FUTURE_MS_MAX: Final = 86_400_000

YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2199

DATE_PATTERN: Final = r"^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}$"
TIME_PATTERN: Final = (
    r"^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

_DAY_MS: Final = 86_400_000
_END_MS: Final = (date(YEAR_MAX + 1, 1, 1).toordinal() - date(1970, 1, 1).toordinal()) * _DAY_MS
_DATE: Final = re.compile(DATE_PATTERN)
_TAIL: Final = re.compile(r"(?:\.([0-9]+))?(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))")
_MINUTES_MS: Final = {
    f"T{hour:02}:{minute:02}": (hour * 60 + minute) * 60_000
    for hour in range(24)
    for minute in range(60)
}
_SECONDS_MS: Final = {f":{second:02}": second * 1000 for second in range(60)}
_UTC_TAILS_MS: Final = {"Z": 0} | {f".{millis:03}Z": millis for millis in range(1000)}


def instant(text: str) -> Millis:
    """Read a time; ValueError if the text is not of the form, or no real time within the years."""
    try:
        at = _day_ms(text[:10]) + _MINUTES_MS[text[10:16]] + _SECONDS_MS[text[16:19]]
    except KeyError:
        raise ValueError("not a time of the form YYYY-MM-DDTHH:MM:SSZ") from None
    tail = text[19:]
    millis = _UTC_TAILS_MS.get(tail)
    if millis is not None:
        return at + millis
    at += _tail_ms(tail)
    if not 0 <= at < _END_MS:
        raise ValueError(f"not within the years {YEAR_MIN} to {YEAR_MAX}")
    return at


def local_date(text: str) -> LocalDate:
    """Return a date as it is; ValueError if it is not YYYY-MM-DD or no real date in the years."""
    _day_ms(text)
    return text


def moment(text: str) -> Millis | LocalDate:
    """Read a time, or a date that is meant in the reporting time zone."""
    return local_date(text) if len(text) == 10 else instant(text)


def written(at: Millis) -> str:
    """Write a time the way we do: RFC 3339 in UTC with milliseconds."""
    minute, rest = divmod(at, 60_000)
    return f"{_minute_text(minute)}:{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=4096)  # eleven years of dates; any order of arrival keeps its dates warm
def _day_ms(text: str) -> int:
    if not _DATE.fullmatch(text):
        raise ValueError("not a date of the form YYYY-MM-DD in the years 1970 to 2199")
    return (date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()) * _DAY_MS


@lru_cache(maxsize=4096)  # the offsets in use, with fractions of a second
def _tail_ms(text: str) -> int:
    if len(text) > TIME_CHARS_MAX - 19 or not (match := _TAIL.fullmatch(text)):
        raise ValueError("a time ends in Z or an offset +HH:MM, after a fraction if any")
    fraction, sign, hours, minutes = match.groups()
    millis = int((fraction or "0")[:3].ljust(3, "0"))
    if sign is None:
        return millis
    offset = (int(hours) * 60 + int(minutes)) * 60_000
    return millis - offset if sign == "+" else millis + offset


@lru_cache(maxsize=4096)  # the last days' minutes: a source writes near one time
def _minute_text(minute: int) -> str:
    day, rest = divmod(minute, 1440)
    text = date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()
    return f"{text}T{rest // 60:02}:{rest % 60:02}"
