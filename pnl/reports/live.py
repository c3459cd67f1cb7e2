"""`pnl report live`: revenue per contact of the last five minutes, hour and day, as they stand.

Law: a row is a window of event time and what journeys told of it, read and added up over segments,
never estimated. A window that is open still grows; a closed one changes by late facts alone, and
says so by its revision. Below 30 handled contacts there is no revenue per contact: null, not 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pnl.reports.grouping import key_heads
from pnl.reports.model import BadRequest
from pnl.reports.options import whole
from pnl.reports.service_words import WORDS
from pnl.reports.sheet import Asking, Row, Sheet, SheetColumn, SheetReport
from pnl.reports.sql import Where, bounds_of, during, filtered, in_currency
from processors.confidence import Sample
from processors.guardrails import SAMPLE_MIN

SEGMENTS: Final = ("queue", "team", "channel")
SIZES: Final = ("5m", "1h", "1d")
TITLES: Final = {"5m": "5 minutes", "1h": "hour", "1d": "day"}
WINDOWS_MAX: Final = 1_000

_COUNTS: Final = (
    ("handled", "Handled"),
    ("abandoned", "Abandoned"),
    ("resolved", "Resolved"),
    ("unresolved", "Unresolved"),
    ("in_contact", "Of known risk"),
    ("high_risk", "of high risk"),
)
_AMOUNTS: Final = (
    ("credit_minor", "Credits of these contacts", "LIV-CREDIT", "booked"),
    ("cost_minor", "Their cost", "LIV-COST", "standard"),
    ("booked_minor", "Credits booked", "LIV-BOOKED", "booked"),
    ("refund_minor", "of them refunds", "LIV-BOOKED", "booked"),
    ("net_minor", "Net revenue", "LIV-NET", "booked"),
    ("unattributed_minor", "of it unattributed", "LIV-NET", "booked"),
)
DEFINITIONS: Final[Mapping[str, str]] = {
    "RUL-DIMS": WORDS["RUL-DIMS"],
    "LIV-WINDOW": "[start, end) of event time: 5 minutes, an hour, a day of the reporting zone.",
    "LIV-STATE": "open: still growing; closed: changed by late facts alone, each a revision more.",
    "LIV-RPC": "DEF-RPC of the contacts that ended in the window: net credits so far / handled"
    " contacts, with mean ± 1.96 s / √n; null below 30 handled. It grows while later orders credit"
    " these contacts: a lower bound, never to be compared with an older window.",
    "LIV-COUNT": "Chains that ended in the window; how their cases stand now; of how many a churn"
    " risk was known when they ended, and of how many it was high.",
    "LIV-CREDIT": "Net credits so far of the contacts that ended in the window, whenever the order"
    " came.",
    "LIV-COST": "What these contacts cost, negative as in the statement.",
    "LIV-BOOKED": "Credits effective in the window, whenever the contact was (DEF-RPC-PERIOD); what"
    " refunds took back is in it and stands apart, negative.",
    "LIV-NET": "Net revenue effective in the window, and what of it nobody earned: of orders, which"
    " have no queue, team or channel, so they stand under none.",
}


def make(asking: Asking) -> Sheet:
    """Return the latest windows of each size, the newest first."""
    sizes = tuple(part for part in asking.options.get("size", ",".join(SIZES)).split(",") if part)
    for size in sizes:
        if size not in SIZES:
            raise BadRequest(f"--set size={size} must be of {', '.join(SIZES)}.")
    last = whole(asking.options, "last", 1, 1, WINDOWS_MAX)
    every = in_currency(Where(), asking.scope.currency)
    every = every.also("has({sizes:Array(String)}, size)", sizes=list(sizes), last=last)
    bounds = bounds_of(asking.scope.start, asking.scope.end, asking.policy.zone)
    every = during(every, "starts_at", bounds)
    where = filtered(every, asking.scope, SEGMENTS)
    rows = asking.store.query(_sql(asking.by, where, every), where.parameters)
    return asking.sheet(
        "live",
        "Revenue per contact, live",
        columns(asking.by),
        [_row(asking.by, each) for each in rows],
        notes=(
            "Windows are by event time: the last one is that which the books have reached.",
            f"Revenue per contact is told from {SAMPLE_MIN} handled contacts on.",
        ),
    )


def columns(by: Sequence[str]) -> tuple[SheetColumn, ...]:
    """Return the columns of windows split by these dimensions."""
    return (
        SheetColumn("size", "Window", "text", "LIV-WINDOW"),
        SheetColumn("start", "from", "time", "LIV-WINDOW"),
        SheetColumn("end", "to", "time", "LIV-WINDOW"),
        *key_heads(by),
        SheetColumn("state", "State", "text", "LIV-STATE"),
        SheetColumn("rpc_minor", "Revenue per contact", "amount_minor", "LIV-RPC", "booked"),
        SheetColumn("rpc_minor_low", "from", "amount_minor", "LIV-RPC"),
        SheetColumn("rpc_minor_high", "to", "amount_minor", "LIV-RPC"),
        *(SheetColumn(name, title, "count", "LIV-COUNT") for name, title in _COUNTS),
        *(
            SheetColumn(name, title, "amount_minor", word, basis)
            for name, title, word, basis in _AMOUNTS
        ),
        SheetColumn("revision", "Revision", "count", "LIV-STATE"),
        SheetColumn("as_of", "Known to", "time", "LIV-STATE"),
    )


def _sql(by: Sequence[str], where: Where, every: Where) -> str:
    """Return the query; the last windows are those of `every` segment, not of the one asked for."""
    keys = "".join(f"toString({name}) AS key_{place}, " for place, name in enumerate(by))
    grouped = "".join(f", key_{place}" for place in range(len(by)))
    sums = ", ".join(f"toInt64(sum(w.{name})) AS {name}_sum" for name, *_ in (*_COUNTS, *_AMOUNTS))
    return (
        f"SELECT toString(size) AS size_name, toUnixTimestamp64Milli(starts_at) AS start_ms,"
        f" toUnixTimestamp64Milli(max(ends_at)) AS end_ms, {keys}min(closed) AS all_closed,"
        f" max(revision) AS revision_max, toUnixTimestamp64Milli(max(as_of)) AS as_of_ms, {sums},"
        " toString(sum(credit_minor2)) AS squares"
        f" FROM v_windows AS w WHERE {where} AND (size, starts_at) IN ("
        f"SELECT size, starts_at FROM v_windows WHERE {every} GROUP BY size, starts_at"
        " ORDER BY size, starts_at DESC LIMIT {last:UInt32} BY size)"
        f" GROUP BY size_name, start_ms{grouped}"
        f" ORDER BY indexOf({{sizes:Array(String)}}, size_name), start_ms DESC{grouped}"
    )


def _row(by: Sequence[str], each: Mapping[str, Any]) -> Row:
    handled, credit = int(each["handled_sum"]), int(each["credit_minor_sum"])
    sample = Sample(handled, credit, float(int(each["squares"])))
    interval = sample.interval() if handled >= SAMPLE_MIN else None
    figures: Row = (None, None, None)
    if interval is not None and sample.mean is not None:
        figures = (round(sample.mean), round(interval.low), round(interval.high))
    return (
        TITLES[each["size_name"]],
        each["start_ms"],
        each["end_ms"],
        *(each[f"key_{place}"] for place in range(len(by))),
        "closed" if each["all_closed"] else "open",
        *figures,
        *(int(each[f"{name}_sum"]) for name, *_ in (*_COUNTS, *_AMOUNTS)),
        int(each["revision_max"]),
        each["as_of_ms"],
    )


LIVE: Final = SheetReport(
    name="live",
    title="Revenue per contact, live",
    summary="The last 5 minutes, hour and day as they stand: revenue per contact, with interval.",
    make=make,
    dimensions=SEGMENTS,
    options={
        "size": "window sizes: 5m, 1h, 1d [all]",
        "last": "how many windows of each size, newest first [1]",
    },
    definitions=DEFINITIONS,
)
