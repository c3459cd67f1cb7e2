"""How fast reports answer: five years of books laid straight into a store, then asked.

    python -m bench.reports ENTRIES [FOLDER]

ENTRIES is about how many ledger entries there are (5,000,000 by default). With FOLDER the store
is kept there, and used again if it is there. One row in fifty is written twice, as a sink may.

Gate: what the reports show equals sums worked out from the generating numbers alone, without the
ledger, and the statement reconciles. A wrong result ends the run with exit code 1.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from processors.policy import Policy
from sinks.cohorts import Cohorts
from sinks.months import Months
from sinks.store import Store
from streams.clock import SystemClock

MONTHS: Final = 60
FIRST_YEAR: Final = 2020
TIMES: Final = 5
ENTRIES_PER_CONTACT: Final = 4.3
ORDERS_PER_TEN_CONTACTS: Final = 7

_MONTH: Final = "toDateTime64(makeDate({year}, {month}, 1), 3, 'UTC')"
_MILLIS: Final = "dateDiff('millisecond', {at}, addMonths({at}, 1))"
_DIMENSIONS: Final = """
    concat('q', toString(cityHash64(h, 1) % 8)) AS queue,
    concat('a', toString(cityHash64(h, 2) % 400)) AS agent_id,
    concat('t', toString(cityHash64(h, 2) % 400 % 12)) AS team,
    ['voice', 'chat', 'email', 'web'][1 + cityHash64(h, 3) % 4] AS channel,
    concat('r', toString(cityHash64(h, 4) % 24)) AS reason,
    ['service', 'save', 'sales'][1 + cityHash64(h, 5) % 3] AS kind"""
_NAMES: Final = "queue, team, agent_id, channel, reason, kind"


def contacts_of(month: str, first: int, count: int) -> str:
    """Return the contacts of a month: numbers, made into rows by hashing."""
    at = month
    return (
        f"SELECT number + {first} AS i, cityHash64(i) AS h,"
        f" {at} + toIntervalMillisecond(h % {_MILLIS.format(at=at)}) AS at,"
        f" -toInt64(100 + h % 900) AS handling, -toInt64(5 + h % 30) AS platform,{_DIMENSIONS}"
        f" FROM numbers({count})"
    )


def orders_of(month: str, first: int, count: int) -> str:
    """Return the orders of a month; some have a term, some are refunded, some unattributed."""
    at = month
    return (
        f"SELECT number + {first} AS i, cityHash64(i, 99) AS h,"
        f" {at} + toIntervalMillisecond(h % {_MILLIS.format(at=at)}) AS at,"
        " toInt64(500 + h % 20000) AS amount, -intDiv(amount * 6, 10) AS goods,"
        " h % 50 = 0 AS is_term, h % 10 = 1 AS is_lost,"
        " if(h % 12 = 2 AND NOT is_term, -intDiv(amount, 3), 0) AS refund,"
        " multiIf(is_term, 'A3', h % 9 = 0, 'A1a', h % 9 = 1, 'A4', 'A1b') AS line,"
        f" toInt32(toDate(at)) AS day,{_DIMENSIONS}"
        f" FROM numbers({count})"
    )


_CONTACT_ENTRIES: Final = """
INSERT INTO ledger (line, effective_at, log_epoch, log_partition, log_offset, log_position, month,
    basis, amount_minor, currency, contact_id, {names}, policy, cause_fact)
SELECT entry.1, at, 1, i % 4, i, entry.3, {month_number}, 'standard', entry.2, 'GBP',
    concat('c', toString(i)), {names}, 'p', 'contact'
FROM ({rows}) ARRAY JOIN [('C1', handling, 0), ('C3', platform, 1)] AS entry
WHERE {again}"""

_ORDER_ENTRIES: Final = """
INSERT INTO ledger (line, effective_at, log_epoch, log_partition, log_offset, log_position, month,
    basis, amount_minor, currency, order_id, contact_id, product_class, {names}, policy,
    cause_fact, term_start, term_end, spread_minor)
SELECT entry.1, at, 1, i % 4, 1000000000 + i, entry.3, {month_number}, 'booked', entry.2, 'GBP',
    concat('o', toString(i)), if(is_lost, '', concat('c', toString(i))),
    if(is_term, 'maintenance', if(line = 'A4', 'upgrade', 'product')), {names}, 'p', 'order',
    if(entry.1 = 'A3', day, NULL), if(entry.1 = 'A3', day + 365, NULL),
    if(entry.1 = 'A3', amount, 0)
FROM ({rows}) ARRAY JOIN arrayFilter(each -> each.2 != 0, [
    (if(is_lost AND NOT is_term, 'unattributed', line), amount, 0),
    ('B', if(is_term OR is_lost, 0, goods), 1),
    ('net', -amount, 2),
    (if(is_lost, 'unattributed', 'A5'), refund, 3),
    ('net', -refund, 4)]) AS entry
WHERE {again}"""

_CONTACTS: Final = """
INSERT INTO contacts (contact_id, customer_id, version, record_version, started_at, ended_at,
    matures_at, identified, handled, abandoned, outcome, legs, channel, direction, kind, queue,
    talk_ms, hold_ms, wrap_ms, wait_ms, cost_currency, cost_minor, team, agent_id, reason,
    credit_currencies, credits_minor)
SELECT concat('c', toString(i)), concat('k', toString(h % 1000000)), 1, 1, at, at,
    at + toIntervalDay(30), h % 5 != 0, h % 20 != 0, h % 20 = 0, 'resolved', 1, channel,
    'inbound', kind, queue, h % 600000, 0, 30000, h % 60000, 'GBP', handling + platform, team,
    agent_id, reason, ['GBP'], [toInt64(h % 500)]
FROM ({rows}) WHERE {again}"""

_ORDERS: Final = """
INSERT INTO orders (order_id, customer_id, version, record_version, kind, occurred_at, currency,
    net_effect_minor, identified)
SELECT concat(entry.1, toString(i)), 'k', 1, 1, entry.2, at, 'GBP', entry.3, 1
FROM ({rows}) ARRAY JOIN arrayFilter(each -> each.3 != 0,
    [('o', 'sale', amount), ('r', 'refund', refund)]) AS entry
WHERE {again}"""


def fill(store: Store, entries: int) -> None:
    """Lay the books, month by month, and one row in fifty twice."""
    contacts = round(entries / ENTRIES_PER_CONTACT / MONTHS)
    orders = contacts * ORDERS_PER_TEN_CONTACTS // 10
    for place in range(MONTHS):
        year, month = FIRST_YEAR + place // 12, place % 12 + 1
        at = _MONTH.format(year=year, month=month)
        known = {"names": _NAMES, "month_number": year * 100 + month}
        chains = {"rows": contacts_of(at, place * contacts, contacts), **known}
        sales = {"rows": orders_of(at, place * orders, orders), **known}
        for again in ("1", "h % 50 = 7"):
            store.command(_CONTACT_ENTRIES.format(again=again, **chains))
            store.command(_ORDER_ENTRIES.format(again=again, **sales))
            store.command(_CONTACTS.format(again=again, **chains))
            store.command(_ORDERS.format(again=again, **sales))
    last = f"fromUnixTimestamp64Milli(toInt64({_last_event()}), 'UTC')"
    store.command(
        "INSERT INTO batches (log_epoch, log_partition, log_offset, batch_id, event_time_max,"
        f" logged_at_max) VALUES (1, 0, 0, 'b', {last}, {last})"
    )


def _last_event() -> int:
    return 1_735_689_599_000  # the end of 2024


def settle(store: Store) -> None:
    """Let parts merge as they do in time."""
    for table in ("ledger", "contacts", "orders"):
        store.command(f"OPTIMIZE TABLE {table} FINAL")


def expected(store: Store, entries: int, queue: str | None = None) -> dict[str, int]:
    """Return the sums of lines that are not spread, from the generating numbers alone."""
    contacts = round(entries / ENTRIES_PER_CONTACT / MONTHS)
    orders = contacts * ORDERS_PER_TEN_CONTACTS // 10
    where = "1" if queue is None else f"queue = '{queue}'"
    chains = contacts_of(_MONTH.format(year=2020, month=1), 0, contacts * MONTHS)
    sales = orders_of(_MONTH.format(year=2020, month=1), 0, orders * MONTHS)
    (costs,) = store.query(
        f"SELECT sum(handling) AS c1, sum(platform) AS c3 FROM ({chains}) WHERE {where}"
    )
    booked = store.query(
        "SELECT line, sumIf(amount, NOT is_lost) AS total,"
        " sumIf(goods, NOT is_lost AND NOT is_term) AS goods, sumIf(refund, NOT is_lost) AS back"
        f" FROM ({sales}) WHERE {where} GROUP BY line"
    )
    found = {row["line"]: row["total"] for row in booked if row["line"] != "A3"}
    return found | {
        "B": sum(row["goods"] for row in booked),
        "A5": sum(row["back"] for row in booked),
        "C1": costs["c1"],
        "C3": costs["c3"],
    }


QUESTIONS: Final[dict[str, tuple[str, Scope, tuple[str, ...]]]] = {
    "statement, five years": ("statement", Scope(currency="GBP"), ()),
    "statement by queue": ("statement", Scope(currency="GBP"), ("queue",)),
    "statement by team, channel": ("statement", Scope(currency="GBP"), ("team", "channel")),
    "statement of a queue": ("statement", Scope(currency="GBP", queue=("q3",)), ()),
    "statement by agent": ("statement", Scope(currency="GBP"), ("agent",)),
    "statement by reason": ("statement", Scope(currency="GBP"), ("reason",)),
    "statement, a month": (
        "statement",
        Scope(currency="GBP", start=date(2023, 4, 1), end=date(2023, 5, 1)),
        (),
    ),
    "contacts by queue": ("contacts", Scope(currency="GBP"), ("queue",)),
    "daily": ("daily", Scope(currency="GBP"), ()),
}


def ask(reports: Reports, name: str, scope: Scope, by: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Ask a report by its name."""
    if name == "statement":
        return reports.statement(scope, by)
    return reports.contacts(scope, by) if name == "contacts" else reports.sheet(name, scope, by)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the least wall-clock and processor seconds of several calls."""
    walls, processors = [], []
    for _ in range(TIMES):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors)


def main() -> None:
    """Print one line of JSON per question."""
    entries = int(sys.argv[1]) if sys.argv[1:] else 5_000_000
    with tempfile.TemporaryDirectory() as spare:
        folder = Path(sys.argv[2]) if sys.argv[2:] else Path(spare) / "store"
        store = Store.open(f"chdb://{folder.resolve()}")
        store.migrate()
        if not store.query("SELECT 1 AS n FROM ledger LIMIT 1"):
            fill(store, entries)
            settle(store)
        for sums in (Months(store), Cohorts(store)):
            processor = time.process_time()
            sums.make_all()
            figure = round((time.process_time() - processor) * 1000)
            print(json.dumps({"measure": f"making sums: {type(sums).__name__}", "cpu_ms": figure}))
        reports = Reports(store, Policy(timezone="Europe/London"), SystemClock())
        check(store, reports, entries)
        for title, (name, scope, by) in QUESTIONS.items():
            wall, processor = timed(lambda q=(name, scope, by): ask(reports, *q))
            figures = {"ms": round(wall * 1000), "cpu_ms": round(processor * 1000)}
            print(json.dumps({"measure": title, **figures}), flush=True)
        store.close()


def check(store: Store, reports: Reports, entries: int) -> None:
    """End the run if a figure is wrong."""
    for queue in (None, "q3"):
        scope = Scope(currency="GBP", queue=() if queue is None else (queue,))
        found = reports.statement(scope)
        assert found.reconciles
        shown = {line.line: line.amount_minor for line in found.lines}
        for line, amount in expected(store, entries, queue).items():
            assert shown[line] == amount, (queue, line, shown[line], amount)
        grouped = reports.statement(scope, ("agent",))
        for line in grouped.lines:
            assert sum(group.amount_minor for group in line.groups) == shown[line.line]


if __name__ == "__main__":
    main()
