"""The reports' sums against a naive oracle: plain Python, day by day, over seeded random books."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

import pytest

from pnl.reports.model import Scope
from pnl.reports.statement import statement
from processors.policy import Policy
from processors.results import Entry
from processors.statement import BOOKED_NAMES
from sinks.store import Store
from tests.support.books import Books, at, day

ZONE = ZoneInfo("Europe/London")
EPOCH = date(1970, 1, 1)
FIRST, LAST = date(2024, 3, 1), date(2024, 11, 30)
AS_OF = "2024-10-27 00:30"
DIMENSIONS = ("queue", "channel", "product_class")
SPREAD_LINES = ("A2b", "A3", "C5")


def random_entry(rng: random.Random) -> Entry:
    """Return an entry somewhere in the year, spread and cut as chance wills."""
    line = rng.choice(BOOKED_NAMES)
    amount = rng.randint(-100_000, 100_000)
    start = day(FIRST.isoformat()) + rng.randint(-100, 250)
    end = start + rng.randint(1, 400)
    spread = line in SPREAD_LINES and rng.random() < 0.8
    cut = start + rng.randint(1, 300) if spread and rng.random() < 0.3 else None
    whole = 0 if cut is None else earned(amount, cut - start, end - start)
    moment = datetime(2024, 2, 20, tzinfo=UTC) + timedelta(minutes=rng.randint(0, 400_000))
    return Entry(
        line=line,
        basis="booked",
        amount_minor=amount - whole,
        currency=rng.choice(("GBP", "GBP", "GBP", "JPY")),
        effective_at=round(moment.timestamp() * 1000),
        order_id="o1",
        queue=rng.choice(("", "billing", "sales")),
        channel=rng.choice(("voice", "chat")),
        product_class=rng.choice(("product", "upgrade")),
        term_start=start if spread else None,
        term_end=end if spread else None,
        cut=cut,
        spread_minor=amount if spread else 0,
    )


def earned(amount: int, days: int, term: int) -> int:
    """Return what is earned after some days, by the definition."""
    size = floor(Fraction(abs(amount) * min(max(days, 0), term), term))
    return size if amount >= 0 else -size


def amounts_by_day(entry: Entry, as_of_day: int) -> Iterator[tuple[int, int]]:
    """Yield (local day, amount) of an entry: one, or one for each day of its term that is over."""
    if entry.term_start is None or entry.term_end is None:
        local = datetime.fromtimestamp(entry.effective_at / 1000, ZONE).date()
        yield (local - EPOCH).days, entry.amount_minor
        return
    term = entry.term_end - entry.term_start
    first = entry.term_start if entry.cut is None else max(entry.cut, entry.term_start)
    for number in range(first, min(entry.term_end, as_of_day)):
        k = number - entry.term_start
        yield number, earned(entry.spread_minor, k + 1, term) - earned(entry.spread_minor, k, term)


def naive(entries: list[Entry], scope: Scope, by: tuple[str, ...]) -> Counter[tuple[str, ...]]:
    """Return the sums by line and dimensions, zeros left out."""
    as_of_day = day(
        datetime.fromisoformat(AS_OF).replace(tzinfo=UTC).astimezone(ZONE).date().isoformat()
    )
    start = -(10**9) if scope.start is None else day(scope.start.isoformat())
    end = 10**9 if scope.end is None else day(scope.end.isoformat())
    sums: Counter[tuple[str, ...]] = Counter()
    for entry in entries:
        if entry.currency != scope.currency:
            continue
        if any(getattr(entry, name) not in values for name, values in scope.filters().items()):
            continue
        for number, amount in amounts_by_day(entry, as_of_day):
            if start <= number < end:
                sums[entry.line, *(getattr(entry, name) for name in by)] += amount
    return Counter({key: amount for key, amount in sums.items() if amount})


@pytest.mark.parametrize("seed", [1, 2])
def test_every_sum_is_that_of_the_naive_oracle(books: Books, store: Store, seed: int) -> None:
    """Any range, filter and split of random books, over both changes of the clock."""
    rng = random.Random(seed)
    entries = [random_entry(rng) for _ in range(400)]
    books.book(*entries)
    days = (LAST - FIRST).days
    for _ in range(8):
        start = FIRST + timedelta(days=rng.randint(0, days))
        scope = Scope(currency=rng.choice(("GBP", "JPY")))
        if rng.random() < 0.9:
            scope = replace(scope, start=start)
        if rng.random() < 0.9:
            scope = replace(scope, end=start + timedelta(days=rng.choice((1, 2, 7, 31, 200))))
        if rng.random() < 0.5:
            scope = replace(scope, queue=tuple(rng.sample(("", "billing", "sales"), 2)))
        by = tuple(rng.sample(DIMENSIONS, rng.randint(1, 3)))
        found = statement(store, Policy(), at(AS_OF), scope, by)
        grouped = {
            (line.line, *(value for _, value in group.key)): group.amount_minor
            for line in found.lines
            for group in line.groups
        }
        assert grouped == naive(entries, scope, by), (seed, scope, by)
        assert {
            line.line: line.amount_minor
            for line in statement(store, Policy(), at(AS_OF), scope).lines
            if line.amount_minor
        } == {line: amount for (line,), amount in naive(entries, scope, ()).items()}, (seed, scope)
