"""The guardrails about money: what customers judge well, what is controllable, sales per hour.

Law: total and judged value stand side by side, as do a result of one's own and what is laid on
it; sales per hour never stands alone, never by agent, and never in order of size.
"""

from collections.abc import Mapping

from pnl.reports import guardrail_counts as counts
from pnl.reports import service_counts
from pnl.reports.grouping import Key, key_heads
from pnl.reports.model import BadRequest
from pnl.reports.opportunities import returns
from pnl.reports.options import choice
from pnl.reports.period import day_number
from pnl.reports.service_measures import cells, with_interval
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn
from pnl.reports.statement import statement
from processors import measures
from processors.money import PPM


def value(asking: Asking) -> Sheet:
    """Return net credit beside that of contacts which customers judge well (G-JUDGE)."""
    best, good, _ = counts.scale(asking)
    columns = (
        *key_heads(asking.by),
        SheetColumn("handled", "Handled", "count", "DEF-HANDLED"),
        SheetColumn("net_credit_minor", "Net credit", "amount_minor", "DEF-RPC", "booked"),
        SheetColumn("per_contact_minor", "per contact", "amount_minor", "DEF-RPC", "booked"),
        SheetColumn("known", "Outcome known", "count", "G-JUDGE"),
        SheetColumn("judged_well", "Judged well", "count", "G-JUDGE"),
        SheetColumn("judged_credit_minor", "their credit", "amount_minor", "G-JUDGE", "booked"),
        SheetColumn("judged_per_contact_minor", "per contact", "amount_minor", "G-JUDGE", "booked"),
        *with_interval("response_rate_ppm", "Answered", "ppm", "KPI-RESPONSE"),
    )

    def part(question: Asking) -> dict[Key, tuple[Cell, ...]]:
        found = counts.value(question, best, good)
        said = service_counts.answers(question, *counts.scale(asking))
        return {
            key: (
                *(row["chains_n"], int(row["credit_sum"])),
                counts.per(row["credit_sum"], row["chains_n"]),
                *(row["known_n"], row["well_n"], int(row["well_sum"])),
                counts.per(row["well_sum"], row["well_n"]),
                *cells(measures.share(*counts.pair(said, key, "answered_n", "asked_n"))),
            )
            for key, row in sorted(found.items())
        }

    whole = part(counts.in_all(asking))[()]
    rows = [(*key, *row) for key, row in part(asking).items()] if asking.by else [whole]
    total = (*(None for _ in asking.by), *whole) if asking.by else None
    return asking.sheet("guardrails", "Value as customers judge it", columns, rows, total=total)


def control(asking: Asking) -> Sheet:
    """Return the result of what the centre decides, and what is laid on it (W79)."""
    names = ("revenue", "goods", "controllable", "controllable_result", "allocated", "result")
    titles = ("Net revenue", "Goods", "Controllable cost", "Controllable result")
    columns = (
        *key_heads(asking.by),
        *(
            SheetColumn(f"{name}_minor", title, "amount_minor", "W79", basis)
            for name, title, basis in zip(
                names,
                (*titles, "Allocated", "Booked result"),
                ("", "", "", "", "allocated", ""),
                strict=True,
            )
        ),
    )
    sums: dict[tuple[str, ...], dict[str, int]] = {}
    found = statement(asking.store, asking.policy, asking.as_of, asking.scope, asking.by)
    for line in found.lines:
        if line.line in ("D1", "D2"):
            continue  # estimates stand in no result
        part = "C5" if line.line == "C5" else line.line[0]
        amounts = (
            [(tuple(value for _, value in group.key), group.amount_minor) for group in line.groups]
            if asking.by
            else [((), line.amount_minor)]
        )
        for key, amount in amounts:
            row = sums.setdefault(key, dict.fromkeys(("A", "B", "C", "C5"), 0))
            row[part] += amount
    rows: list[Row] = [(*key, *_results(row)) for key, row in sorted(sums.items())]
    total = _results(
        {part: sum(row[part] for row in sums.values()) for part in ("A", "B", "C", "C5")}
    )
    return asking.sheet(
        "guardrails",
        "Controllable and allocated",
        columns,
        rows,
        total=(*(None for _ in asking.by), *total) if asking.by else None,
    )


def _results(row: Mapping[str, int]) -> tuple[int, ...]:
    own = row["A"] + row["B"] + row["C"]
    return row["A"], row["B"], row["C"], own, row["C5"], own + row["C5"]


def sales_per_hour(asking: Asking) -> Sheet:
    """Return sales per hour beside its harms, if it was turned on (G-SPH)."""
    if "agent" in asking.by:
        raise BadRequest("Sales per hour is shown of no agent (G-SPH).")
    columns = (
        *key_heads(asking.by),
        SheetColumn("handled", "Handled", "count", "DEF-HANDLED"),
        SheetColumn("sales_per_hour_minor", "Sold per hour", "amount_minor", "G-SPH", "booked"),
        *with_interval("returned_orders_ppm", "Orders with a return", "ppm", "R4"),
        *with_interval("csat_ppm", "CSAT", "ppm", "KPI-CSAT"),
        SheetColumn("risk_ppm", "Risk after contact", "ppm", "G-RISK", "estimated"),
    )
    if choice(asking.options, "sales_per_hour", ("off", "on")) == "off":
        notes = ["Sales per hour is off; --set sales_per_hour=on shows it beside its harms."]
        return asking.sheet("guardrails", "Sales per hour", columns, [], notes=notes)
    volumes, sold = service_counts.volumes(asking, 0), returns(asking, asking.by)
    said = service_counts.answers(asking, *counts.scale(asking))
    risks = _risks(asking)
    rows: list[Row] = []
    for key, row in sorted(volumes.items()):
        hours_ms = sum(int(row[name]) for name in ("talk", "hold", "wrap"))
        amount = int(sold.get(key, {}).get("sold", 0)) * 3_600_000
        rows.append(
            (
                *(*key, row["handled_n"], counts.per(amount, hours_ms)),
                *cells(measures.share(*counts.pair(sold, key, "back_n", "orders_n"))),
                *cells(measures.share(*counts.pair(said, key, "good_n", "csat_n"))),
                risks.get(key),
            )
        )
    notes = ["In the order of names. Selling faster is no aim: look at what came back (G-SPH)."]
    return asking.sheet("guardrails", "Sales per hour", columns, rows, notes=notes)


def _risks(asking: Asking) -> dict[Key, int]:
    """Return how far the customers' risk moved, by key; nothing where it cannot be told."""
    if not counts.with_risk(asking) or asking.scope.start is None:
        return {}
    from pnl.reports.guardrail_risk import risk_changes  # brings scipy along

    known_until = day_number(asking.scope.start) - 1
    (found,) = risk_changes([asking], known_until, counts.exposure(asking))
    means = {key: sample.mean for key, sample in found.items()}
    return {key: round(mean * PPM) for key, mean in means.items() if mean is not None}
