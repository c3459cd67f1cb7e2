"""Revenue per contact and per case: by cohort, with maturity and interval; and by period, apart.

Law: a cohort is the chains that ended in it, with all that was booked for them, whenever that was
(DEF-RPC): the same query as `pnl report contacts`. A period divides what became effective in it
by the chains that ended in it: other customers above than below the line (DEF-RPC-PERIOD). So one
sheet is one view, and neither is ever set beside the other. Below 30 nothing is said per contact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any, Final

from pnl.reports.bootstrap import ratio_interval
from pnl.reports.contacts import INTERVAL_CHAINS_MIN, half_width, per
from pnl.reports.grouping import ROWS, TIMES, Key, key_heads
from pnl.reports.incremental import (
    DEFINITION,
    OPTION,
    UNKNOWN_THETA,
    Incremental,
    incremental,
    thetas_of,
)
from pnl.reports.memo import ppm
from pnl.reports.model import CONTACT_DIMENSIONS, BadRequest
from pnl.reports.revenue_counts import (
    RevenueQuestion,
    after_contacts,
    by_customer,
    counted,
    effective,
)
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport
from processors.policy import DAY_MS

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "view": ("cohort", "period"),
    "per": ("contact", "case"),
    "interval": ("running", "bootstrap"),
    "cohort": ("", *TIMES),
}
SEED_DEFAULT: Final = 1
EVERYBODY: Final = (
    "Chains that ended in the range, those without an order and of unknown customers too; the same"
    " in every currency. Touched credit is booked; fees stand apart."
)
OTHERS: Final = (
    "What became effective in the range, divided by the chains that ended in it: other customers"
    " above than below the line. Never compare it with the cohort view."
)
BY_LEG: Final = "Cost by the queue and agent of each leg, as in the statement."


def make(asking: Asking) -> Sheet:
    """Return revenue per contact or case under one view."""
    chosen = {name: _chosen(asking, name) for name in _CHOICES}
    cohort = chosen["cohort"]
    if cohort and cohort not in asking.by:
        asking = replace(asking, by=(cohort, *asking.by))
    if "product_class" in asking.by:
        raise BadRequest("--by product_class splits what was sold, not contacts: filter by it.")
    converted = asking.policy.currency == ""
    if converted and chosen["view"] == "period":
        raise BadRequest("The period view is made in one currency: it takes no --convert.")
    # Orders' records hold what was booked, in its own currency: converted, nothing is incremental.
    thetas = thetas_of(asking) if chosen["view"] == "cohort" and not converted else {}
    question = RevenueQuestion(
        asking, chosen["view"], chosen["per"], chosen["interval"], _seed(asking), thetas
    )
    return _by_period(question) if question.view == "period" else _by_cohort(question)


def _chosen(asking: Asking, name: str) -> str:
    allowed = _CHOICES[name]
    value = asking.options.get(name, allowed[0])
    if value not in allowed:
        raise BadRequest(
            f"{name} must be one of {', '.join(filter(None, allowed))}, not {value!r}."
        )
    return value


def _seed(asking: Asking) -> int:
    text = asking.options.get("seed", str(SEED_DEFAULT))
    if not text.isdecimal():
        raise BadRequest(f"seed must be a whole number, not {text!r}.")
    return int(text)


def _by_cohort(question: RevenueQuestion) -> Sheet:
    asking, one = question.asking, question.one
    rows, totals = counted(question), counted(question.with_by())
    columns = (
        *key_heads(question.by),
        SheetColumn("handled", f"Handled {one}s", "count", "DEF-HANDLED"),
        SheetColumn("abandoned", "Abandoned", "count", "DEF-HANDLED"),
        SheetColumn("touched_minor", "Net credit", "amount_minor", "DEF-RPC", "booked"),
        SheetColumn("fee_minor", "Fees", "amount_minor", "DEF-FEE", "booked"),
        SheetColumn("cost_minor", "Cost", "amount_minor", "RUL-RPC", "standard"),
        *_interval("touched_per", f"Touched per {one}", "DEF-RPC", "DEF-RPC-CI", "booked"),
        *_interval(
            "incremental_per", f"Incremental per {one}", "DEF-MULT", "DEF-MULT", "estimated"
        ),
        SheetColumn("net_of_cost_per_minor", "Net of cost", "amount_minor", "DEF-NET-OF-COST"),
        SheetColumn("matured_ppm", "Matured", "ppm", "DEF-MATURE"),
        SheetColumn("age_days", "Age", "days", "DEF-MATURE"),
        SheetColumn("state", "State", "text", "DEF-MATURE"),
    )
    intervals = _intervals(question, rows), _intervals(question, totals, is_total=True)
    after = after_contacts(question)
    made = [_row(question, key, row, intervals[0], after) for key, row in sorted(rows.items())]
    whole: dict[Key, list[tuple[Mapping[str, str], int]]] = {
        (): [each for parts in after.values() for each in parts]
    }
    total = _row(question, (), totals[()], intervals[1], whole)
    total = (*(None for _ in question.by), *total)
    notes = [EVERYBODY]
    place = [column.name for column in columns].index("incremental_per_minor")
    if any(row[place] is None for row in made):
        notes.append(UNKNOWN_THETA)
    if any(row["handled_n"] < INTERVAL_CHAINS_MIN for row in rows.values()):
        notes.append(f"Below {INTERVAL_CHAINS_MIN} handled nothing is said per {one}.")
    title = f"Revenue per {one}, by cohort"
    return asking.sheet("revenue", title, columns, made, total=total, notes=notes)


def _interval(
    name: str, title: str, definition: str, ends: str, basis: str
) -> tuple[SheetColumn, ...]:
    return (
        SheetColumn(f"{name}_minor", title, "amount_minor", definition, basis),
        SheetColumn(f"{name}_minor_low", "from", "amount_minor", ends, basis),
        SheetColumn(f"{name}_minor_high", "to", "amount_minor", ends, basis),
    )


def _intervals(
    question: RevenueQuestion, rows: Mapping[Key, Mapping[str, Any]], *, is_total: bool = False
) -> dict[Key, tuple[int, int]]:
    """Return the 95 % interval of touched credit per contact by key, where there is one."""
    found: dict[Key, tuple[int, int]] = {}
    if question.interval == "running":
        for key, row in rows.items():
            half = half_width(row["handled_n"], row["credit_sum"], row["square_sum"])
            mean = per(row["credit_sum"], row["handled_n"])
            if half is not None and mean is not None:
                found[key] = (mean - half, mean + half)
        return found
    by: tuple[str, ...] = () if is_total else question.by
    for key, parts in by_customer(question, by).items():
        if rows[key]["handled_n"] >= INTERVAL_CHAINS_MIN:
            ends = ratio_interval(*parts, question.seed)
            if ends is not None:
                found[key] = (round(ends[0]), round(ends[1]))
    return found


def _row(
    question: RevenueQuestion,
    key: Key,
    row: Mapping[str, Any],
    intervals: Mapping[Key, tuple[int, int]],
    after: Mapping[Key, Sequence[tuple[Mapping[str, str], int]]],
) -> Row:
    handled, credit, cost = row["handled_n"], row["credit_sum"], row["cost_sum"]
    enough = handled >= INTERVAL_CHAINS_MIN
    touched = per(credit, handled) if enough else None
    ends = intervals.get(key, (None, None)) if enough else (None, None)
    share: Incremental | None = None
    if question.thetas and enough:
        share = incremental(after.get(key, ()), question.thetas)
    as_of, newest = question.asking.as_of, row["newest_ms"]
    age = None if as_of is None or newest is None else max(0, (as_of - newest) // DAY_MS)
    mature = row["young_n"] == 0 and as_of is not None
    return (
        *key,
        handled,
        row["abandoned_n"],
        credit,
        row["fee_sum"],
        cost,
        touched,
        *ends,
        *_incremental_per(share, row, handled),
        per(credit + cost, handled) if enough else None,
        ppm(row["matured_n"], handled),
        age,
        "mature" if mature else "lower bound",
    )


def _incremental_per(
    share: Incremental | None, row: Mapping[str, Any], handled: int
) -> tuple[Cell, Cell, Cell]:
    """Return incremental credit per contact; its interval knows theta's error and the mean's."""
    half = half_width(handled, row["credit_sum"], row["square_sum"])
    if share is None or half is None:
        return None, None, None
    amount = share.amount_minor
    part = amount / row["credit_sum"] if row["credit_sum"] else 0.0
    scatter = part * half * handled
    low = amount - sqrt((amount - share.low_minor) ** 2 + scatter**2)
    high = amount + sqrt((share.high_minor - amount) ** 2 + scatter**2)
    return per(amount, handled), round(low / handled), round(high / handled)


def _by_period(question: RevenueQuestion) -> Sheet:
    if question.per == "case" or question.interval == "bootstrap":
        raise BadRequest(
            "The period view is per contact and without an interval: those it divides are not"
            " those that earned. Ask for view=cohort."
        )
    asking = question.asking
    columns = (
        *key_heads(question.by),
        SheetColumn("handled", "Handled contacts", "count", "DEF-HANDLED"),
        SheetColumn("net_credit_minor", "Net credit", "amount_minor", "DEF-RPC-PERIOD", "booked"),
        SheetColumn("fee_minor", "Fees", "amount_minor", "DEF-FEE", "booked"),
        SheetColumn("cost_minor", "Cost", "amount_minor", "RUL-RPC", "standard"),
        SheetColumn("period_per_minor", "Per contact", "amount_minor", "DEF-RPC-PERIOD", "booked"),
    )
    made: list[list[Row]] = []
    for by in (question.by, ()):
        asked = question.with_by(*by)
        chains, earned = counted(asked), effective(asked)
        rows: list[Row] = []
        for key in sorted({*chains, *earned}):
            handled = chains[key]["handled_n"] if key in chains else 0
            money = earned.get(key, {"credit": 0, "fee": 0, "cost": 0})
            enough = handled >= INTERVAL_CHAINS_MIN
            mean = per(money["credit"], handled) if enough else None
            rows.append((*key, handled, money["credit"], money["fee"], money["cost"], mean))
        made.append(rows)
    total = (*(None for _ in question.by), *made[1][0])
    title = "Revenue per contact, by period"
    return asking.sheet("revenue", title, columns, made[0], total=total, notes=[OTHERS, BY_LEG])


REVENUE: Final = SheetReport(
    name="revenue",
    title="Revenue per contact",
    summary="What a contact, or a case, brought: touched, incremental, net of cost, how mature.",
    make=make,
    dimensions=ROWS,
    options={
        "view": "cohort (what the range's contacts brought), or period (what fell into it)"
        " [cohort]",
        "per": "contact or case [contact]",
        "interval": "running (sums), or bootstrap by customer, which takes seconds [running]",
        "cohort": "day, week or month: a row for each [none]",
        "incremental": OPTION,
        "seed": f"of the bootstrap [{SEED_DEFAULT}]",
    },
    definitions={
        "DEF-RPC-PERIOD": "Period view: credits effective in the period, divided by the chains that"
        " ended in it. Numerator and denominator are different customers: never compare or chart it"
        " with the cohort view.",
        "DEF-MULT": DEFINITION,
        "DEF-NET-OF-COST": "(Net credit + cost of the contacts: handling, channel, concessions) /"
        " handled. No overhead, no cost of goods, no fees.",
        "DEF-FEE": "What the contacts were charged.",
    },
    filters=(*CONTACT_DIMENSIONS, "product_class"),
    views=_CHOICES["view"],
    converts="chains",
)
