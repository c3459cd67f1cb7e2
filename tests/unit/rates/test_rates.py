"""Exchange rates: read strictly, kept in the log, found again in a store that is filled anew."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pnl.errors import UserError
from pnl.rates.answers import append_rates, days, pairs
from pnl.rates.reading import day_text, rate_text, read_rates
from pnl.reports.period import day_number
from processors.results import RateRecord
from sinks.sink import Sink
from sinks.store import Store
from streams.clock import ManualClock
from streams.memory_log import MemoryLog, MemoryPlace
from tests.support.store import store as store

HEAD = "date,base,quote,rate\n"
FRIDAY = "2026-04-03"


def written(folder: Path, text: str) -> Path:
    """Write a file of rates."""
    path = folder / "rates.csv"
    path.write_text(text, "utf-8")
    return path


def test_rates_are_exact(tmp_path: Path) -> None:
    """Columns stand in any order, a rate is an integer times ten to the tenth."""
    path = written(tmp_path, "rate, base ,quote,date\n1.1734,EUR,USD,2026-04-03\n")
    (rate,) = read_rates(path)
    assert (rate.rate_e10, rate_text(rate.rate_e10)) == (11_734_000_000, "1.1734")
    assert day_text(rate.day) == FRIDAY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,base,rate\n", "line 1 must name the columns"),
        (HEAD + "2026-4-3,EUR,USD,1\n", "line 2, date: '2026-4-3' is no date"),
        (HEAD + f"{FRIDAY},EUR,USD,1\n{FRIDAY},EUR,XXQ,1\n", "line 3, quote: 'XXQ' is no ISO"),
        (HEAD + f"{FRIDAY},EUR,EUR,1\n", "line 2, quote: EUR is the base too"),
        (HEAD + f"{FRIDAY},EUR,USD,0\n", "line 2, rate: 0 is not above 0"),
        (HEAD + f"{FRIDAY},EUR,USD,-1\n", "line 2, rate: '-1' is no positive decimal"),
        (HEAD + f"{FRIDAY},EUR,USD,1.12345678901\n", "line 2, rate: .* more than 10 decimals"),
        (HEAD + f"{FRIDAY},EUR,USD\n", "line 2, columns: there must be four cells"),
        (HEAD + f"{FRIDAY},EUR,USD,1\n{FRIDAY},EUR,USD,2\n", "line 3, rate: line 2 gives another"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The sentence names file, line and field; nothing is imported."""
    with pytest.raises(UserError, match=said):
        read_rates(written(tmp_path, text))


def test_a_rate_holds_on_only_where_it_was_asked_to(tmp_path: Path) -> None:
    """Over a weekend, not beyond the days given, never over a rate that is there."""
    path = written(tmp_path, HEAD + f"{FRIDAY},EUR,USD,1.1\n2026-04-07,EUR,USD,1.2\n")
    assert len(read_rates(path)) == 2
    carried = read_rates(path, 2)
    friday = date.fromisoformat(FRIDAY)
    assert [(rate.day - day_number(friday), rate_text(rate.rate_e10)) for rate in carried] == [
        *((0, "1.1"), (1, "1.1"), (2, "1.1")),
        *((4, "1.2"), (5, "1.2"), (6, "1.2")),
    ]


def test_rates_outlive_the_store(store: Store) -> None:
    """The sink copies them from the log, the last one of a day holds, and a new sink finds all."""
    log = MemoryLog(MemoryPlace(clock=ManualClock(0)))
    first = RateRecord(day=20_000, base="EUR", quote="GBP", rate_e10=8_500_000_000)
    append_rates(log, [first, RateRecord(day=20_001, base="EUR", quote="GBP", rate_e10=1)])
    append_rates(log, [RateRecord(day=20_001, base="EUR", quote="GBP", rate_e10=8_600_000_000)])
    for _ in range(2):
        store.command("TRUNCATE TABLE rates")
        sink = Sink(log, store, linger=timedelta())
        while sink.step(timedelta()):
            pass
        sink.close()
        assert [each["rate"] for each in days(store, "EUR/GBP")] == ["0.85", "0.86"]
    (pair,) = pairs(store)
    assert json.loads(json.dumps(pair)) == {
        "base": "EUR",
        "quote": "GBP",
        "days": 2,
        "first": "2024-10-04",
        "last": "2024-10-05",
    }
