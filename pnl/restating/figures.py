"""What a restatement comes to: by month, line and currency, and as sheets.

Law: the sums are those of the entries that are written, to the minor unit; an amount that is
spread over a term stands in the months of its days. Currencies are never added up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from pnl.reports.model import Scope
from pnl.reports.sheet import Sheet, SheetColumn
from processors.days import day_of_date, day_of_instant
from processors.money import earned
from processors.policy import PolicyBook
from processors.results import ADJUSTMENT, NET, ORPHAN, UNATTRIBUTED, Entry
from processors.statement import LINE
from streams.facts import Day, Millis

_EPOCH: Final = date(1970, 1, 1)
_TITLES: Final = {name: line.title for name, line in LINE.items()} | {
    UNATTRIBUTED: "Unattributed revenue",
    ORPHAN: "Orphan refunds",
    ADJUSTMENT: "Adjustments",
}
_PLACE: Final = {name: place for place, name in enumerate(_TITLES)}
COLUMNS: Final = (
    SheetColumn("month", "Month", "text"),
    SheetColumn("line", "Line", "text"),
    SheetColumn("title", "", "text"),
    SheetColumn("entries", "Entries", "count"),
    SheetColumn("taken_back_minor", "Taken back", "amount_minor"),
    SheetColumn("booked_minor", "Booked instead", "amount_minor"),
    SheetColumn("difference_minor", "Difference", "amount_minor", "DEF-RESTATED"),
)


@dataclass(slots=True)
class Sums:
    """What is taken back, what is booked, in how many entries; of one month, line and currency."""

    entries: int = 0
    taken_back_minor: int = 0
    booked_minor: int = 0

    @property
    def difference_minor(self) -> int:
        """What the statement's line changes by."""
        return self.taken_back_minor + self.booked_minor


@dataclass(slots=True)
class Figures:
    """The sums of a restatement, by (currency, month, line); `earliest` is the first date."""

    book: PolicyBook
    sums: dict[tuple[str, str, str], Sums] = field(default_factory=dict)
    earliest: Millis | None = None
    entries: int = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Add the entries of a customer."""
        for entry in entries:
            self.entries += 1
            if self.earliest is None or entry.effective_at < self.earliest:
                self.earliest = entry.effective_at
            if entry.line == NET:
                continue  # the other side of the lines
            for month, amount in self._months(entry):
                place = entry.currency, month, entry.line
                sums = self.sums.setdefault(place, Sums())
                sums.entries += 1
                if entry.change == "reversal":
                    sums.taken_back_minor += amount
                else:
                    sums.booked_minor += amount

    def currencies(self) -> list[str]:
        """Return the currencies there are."""
        return sorted({currency for currency, _, _ in self.sums})

    def difference_minor(self, line: str, currency: str) -> int:
        """Return what a line changes by in all."""
        return sum(
            sums.difference_minor
            for (of, _, name), sums in self.sums.items()
            if (of, name) == (currency, line)
        )

    def sheet(self, currency: str, as_of: Millis | None, notes: tuple[str, ...]) -> Sheet:
        """Return the sums of one currency as a sheet; its total is the booked operating result."""
        found = sorted(
            ((month, _PLACE.get(line, len(_PLACE)), line, sums))
            for (of, month, line), sums in self.sums.items()
            if of == currency
        )
        result = [sums for _, _, line, sums in found if line in LINE]
        total = (
            sum(sums.entries for sums in result),
            sum(sums.taken_back_minor for sums in result),
            sum(sums.booked_minor for sums in result),
            sum(sums.difference_minor for sums in result),
        )
        return Sheet(
            report="restate",
            title="What the new rules change",
            scope=Scope(currency=currency),
            timezone=self.book.first.timezone,
            as_of=as_of,
            by=(),
            columns=COLUMNS,
            rows=tuple(
                [
                    (
                        month,
                        line,
                        _TITLES.get(line, line),
                        sums.entries,
                        sums.taken_back_minor,
                        sums.booked_minor,
                        sums.difference_minor,
                    )
                    for month, _, line, sums in found
                ]
            ),
            total=("", "", "Booked operating result", *total),
            notes=notes,
        )

    def _months(self, entry: Entry) -> Iterator[tuple[str, int]]:
        """Yield what an entry adds to each month."""
        start, end = entry.term_start, entry.term_end
        if start is None or end is None:
            yield _month(day_of_instant(entry.effective_at, self.book.zone)), entry.amount_minor
            return
        at = start if entry.cut is None else max(entry.cut, start)
        before = earned(entry.spread_minor, at - start, end - start)
        while at < end:
            after = min(_next_month(at), end)
            so_far = earned(entry.spread_minor, after - start, end - start)
            if so_far != before:
                yield _month(at), so_far - before
            at, before = after, so_far


def _month(day: Day) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()[:7]


def _next_month(day: Day) -> Day:
    found = _EPOCH + timedelta(days=day)
    year, month = divmod(found.year * 12 + found.month, 12)
    return day_of_date(date(year, month + 1, 1))
