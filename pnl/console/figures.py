"""How numbers, dates and times are written: the page's voice, in one locale and one zone.

Law: a figure is rounded only here, only where the name of the function says so, and never
before it was added up. Minus is U+2212, a percent sign stands after a no-break space.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import get_currency_symbol

from pnl.console.markup import Html, el, join, text
from pnl.reports import money_text
from pnl.reports.money_text import NO_BREAK
from processors.money import divide_half_even

PPM: Final = 1_000_000
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400


@dataclass(frozen=True, slots=True)
class Figures:
    """Writes figures for people of one locale, with times of one zone."""

    locale: Locale
    zone: ZoneInfo

    @classmethod
    def of(cls, locale: str, timezone: str) -> "Figures":
        """Return the figures of a locale such as en_GB and a zone such as Europe/London."""
        return cls(Locale.parse(locale.replace("-", "_")), ZoneInfo(timezone))

    @property
    def language(self) -> str:
        """Return the locale as a page's language attribute has it: en-GB."""
        return str(self.locale).replace("_", "-")

    # Money

    def symbol(self, currency: str) -> str:
        """Return a currency's sign, or its code where the locale has none."""
        return str(get_currency_symbol(currency, locale=self.locale))

    def major(self, minor: int, currency: str) -> float:
        """Return an amount in major units, for drawing only."""
        return float(minor / 10 ** money_text.exponent(currency))

    def money(self, minor: int, currency: str) -> str:
        """Return an exact amount with its sign of currency: £3.86."""
        return money_text.money(minor, currency, self._code)

    def money_rounded(self, minor: int, currency: str) -> str:
        """Return an amount rounded to whole major units: £612,844. Headlines only."""
        return money_text.headline(minor, currency, self._code)

    def money_signed(self, minor: int, currency: str) -> str:
        """Return an exact change with its sign: +£0.15."""
        return money_text.signed(minor, currency, self._code)

    def money_signed_rounded(self, minor: int, currency: str) -> str:
        """Return a change rounded to whole major units, with its sign: +£31,204."""
        return ("+" if minor > 0 else "") + self.money_rounded(minor, currency)

    def column(self, minor: int, currency: str, *, signed: bool = False) -> Html:
        """Return an exact amount for a column: no sign of currency, the minor units in grey."""
        shown = ("+" if signed and minor > 0 else "") + money_text.column(
            minor, currency, self._code
        )
        digits = money_text.exponent(currency)
        if not digits:
            return text(shown)
        return join([shown[: -digits - 1], el("span", shown[-digits - 1 :], cls="p-pence")])

    def column_rounded(self, minor: int, currency: str, *, signed: bool = False) -> str:
        """Return an amount for a narrow column, rounded to whole major units."""
        whole = divide_half_even(minor, 10 ** money_text.exponent(currency))
        return ("+" if signed and whole > 0 else "") + self.count(whole)

    # Other numbers

    def count(self, value: int) -> str:
        """Return a number of things, grouped: 43,512."""
        return money_text.count(value, self._code)

    def percent(self, ppm: int, *, signed: bool = False) -> str:
        """Return parts per million as a percentage with one decimal: 38.2 %."""
        return ("+" if signed and ppm > 0 else "") + money_text.share(ppm, self._code)

    def percent_whole(self, ppm: int) -> str:
        """Return parts per million as a whole percentage, never 100 % unless it is all."""
        return money_text.share(ppm if ppm >= PPM else min(ppm, PPM - 5_001), self._code, 0)

    def points(self, ppm: int) -> str:
        """Return a change between shares: +0.9 points."""
        return self.percent(ppm, signed=True).removesuffix(NO_BREAK + "%") + " points"

    def change_percent(self, now: int, before: int) -> str:
        """Return a change as a percentage of the absolute base; n/m across a change of sign."""
        if before == 0 or (now < 0) != (before < 0):
            return f"0.0{NO_BREAK}%" if now == before else "n/m"
        return self.percent(divide_half_even((now - before) * PPM, abs(before)), signed=True)

    @property
    def _code(self) -> str:
        return str(self.locale)

    # Time

    def local(self, millis: int) -> datetime:
        """Return an instant in the reporting zone."""
        return datetime.fromtimestamp(millis / 1000, UTC).astimezone(self.zone)

    def clock(self, millis: int) -> str:
        """Return the time of day with seconds: 14:32:07."""
        return str(format_time(self.local(millis), "HH:mm:ss", locale=self.locale))

    def day(self, day: date, *, year: bool = True) -> str:
        """Return a date: 22 Nov 2026."""
        return str(format_date(day, "d MMM y" if year else "d MMM", locale=self.locale))

    def month(self, day: date) -> str:
        """Return a month: October 2026."""
        return str(format_date(day, "MMMM y", locale=self.locale))

    def moment(self, millis: int) -> str:
        """Return a date with its time: 22 Nov 2026 14:32:07."""
        return f"{self.day(self.local(millis).date())} {self.clock(millis)}"

    def span(self, start: date, end: date, *, year: bool = True) -> str:
        """Return [start, end) as people say it: October 2026, 22 Nov 2026, 2026."""
        last = end - timedelta(days=1)
        if start.day == 1 and end.day == 1 and last.month == start.month and year:
            return self.month(start)
        if (start.month, start.day, end.month, end.day) == (1, 1, 1, 1) and end.year > start.year:
            many = end.year - start.year > 1
            return f"{start.year}\N{EN DASH}{last.year}" if many else str(start.year)
        if last == start:
            return self.day(last, year=year)
        if (start.year, start.month) == (last.year, last.month):
            return f"{start.day}\N{EN DASH}{self.day(last, year=year)}"
        first = self.day(start, year=year and start.year != last.year)
        return f"{first} \N{EN DASH} {self.day(last, year=year)}"

    def duration(self, millis: int) -> str:
        """Return how long, for a column: 9:12, or 1:09:12."""
        seconds = millis // 1000
        if seconds >= HOUR_S:
            return f"{seconds // HOUR_S}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{seconds // MINUTE_S}:{seconds % MINUTE_S:02}"

    def behind(self, seconds: float) -> str:
        """Return a delay: 0.6 s, 42 s, 3 min 12 s, 2 h 5 min, 3 d."""
        whole = int(seconds)
        if seconds < 10:
            return f"{seconds:.1f} s"
        if whole < MINUTE_S:
            return f"{whole} s"
        if whole < HOUR_S:
            return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
        if whole < DAY_S:
            return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
        return f"{whole // DAY_S} d"
