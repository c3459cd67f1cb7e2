"""`pnl rates`: rates into the log, and what the books have of them.

Law: rates live in the log like every fact, so a store filled anew has them again; of a day and
two currencies the last one imported holds.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pnl.control import Answer
from pnl.rates.reading import day_text, rate_text
from pnl.reports.queries import Reports
from pnl.reports.sql import Queryable, Where
from pnl.reports.table import Column, table
from processors.results import RateRecord
from streams.log import EventLog, Outgoing
from streams.topics import RATES

_encode: Final = msgspec.json.Encoder().encode
APPENDED_AT_ONCE: Final = 5_000


def append_rates(log: EventLog, rates: Sequence[RateRecord]) -> None:
    """Append rates, durable on return; sending them again changes nothing."""
    for start in range(0, len(rates), APPENDED_AT_ONCE):
        part = rates[start : start + APPENDED_AT_ONCE]
        log.append(RATES, [Outgoing(_key(rate), _encode(rate)) for rate in part])


def _key(rate: RateRecord) -> bytes:
    return f"{day_text(rate.day)} {rate.base} {rate.quote}".encode()


def imported(log: EventLog, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl rates import`: `rates` are rows of (day, base, quote, rate_e10)."""
    rates = [
        RateRecord(day=day, base=base, quote=quote, rate_e10=rate_e10)
        for day, base, quote, rate_e10 in args["rates"]
    ]
    append_rates(log, rates)
    pairs = sorted({f"{rate.base}/{rate.quote}" for rate in rates})
    if args["format"] == "json":
        return Answer(json.dumps({"imported": len(rates), "pairs": pairs}))
    return Answer(f"{len(rates):,} rates imported: {', '.join(pairs) or 'none'}.")


def listed(reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl rates list`: a row per pair of currencies, or per day of one."""
    rows = pairs(reports.store) if args["pair"] is None else days(reports.store, args["pair"])
    if args["format"] == "json":
        return Answer(json.dumps(rows, indent=2))
    if not rows:
        return Answer("There are no rates; import some with `pnl rates import FILE`.")
    heads = [Column(name, "right" if name in {"days", "rate"} else "left") for name in rows[0]]
    return Answer(table(heads, [[str(cell) for cell in row.values()] for row in rows]))


def pairs(store: Queryable) -> list[dict[str, Any]]:
    """Return which currencies have rates: base, quote, how many days, the first and the last."""
    rows = store.query(
        "SELECT base, quote, count() AS days, min(day) AS first, max(day) AS last"
        " FROM v_rates GROUP BY base, quote ORDER BY base, quote"
    )
    return [row | {name: day_text(row[name]) for name in ("first", "last")} for row in rows]


def days(store: Queryable, pair: str) -> list[dict[str, Any]]:
    """Return the rates of a pair such as EUR/GBP, oldest first."""
    base, _, quote = pair.partition("/")
    where = Where().also("base = {base:String} AND quote = {quote:String}", base=base, quote=quote)
    rows = store.query(
        f"SELECT day, rate_e10 FROM v_rates WHERE {where} ORDER BY day", where.parameters
    )
    return [{"date": day_text(row["day"]), "rate": rate_text(row["rate_e10"])} for row in rows]
