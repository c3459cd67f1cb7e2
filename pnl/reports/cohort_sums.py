"""Sums of chains and of order facts: from sums made while they were quiet, else from themselves.

Law: the same to the minor unit either way. Sums are used only while their table stands as it stood
(`sinks.cohorts.edition`) and for what they keep: whole quarters of an hour without dimensions,
or whole months of UTC by the dimensions of a facet; what lies beside them is read itself.
"""

from collections.abc import Sequence
from typing import Final

from pnl.reports.cohort import chains_of, with_money
from pnl.reports.grouping import local_day
from pnl.reports.model import CONTACT_DIMENSIONS, Scope
from pnl.reports.sql import (
    COLUMN_OF,
    Bounds,
    Queryable,
    Row,
    Where,
    bounds_of,
    during,
    filtered,
    in_currency,
    instant,
)
from pnl.reports.sums import month_start, whole_months
from processors.policy import Policy
from sinks.cohorts import COUNTS, FACETS, OF_EDITION, SLOT_MS, TIME, Edition, edition
from streams.facts import Millis

COUNTED: Final = (
    *("n", "handled_n", "abandoned_n", "unidentified_n", "matured_n", "young_n"),
    *("credit_sum", "fee_sum", "cost_sum", "square_sum"),
)
"""The figures of chains together: how many, and their money (`cohort.with_money`)."""
COUNTED_AS: Final = (
    "count() AS n, countIf(handled) AS handled_n, countIf(abandoned) AS abandoned_n,"
    " countIf(NOT identified) AS unidentified_n,"
    f" countIf(handled AND matures_at <= {instant('as_of')}) AS matured_n,"
    f" countIf(matures_at > {instant('as_of')}) AS young_n,"
    " sum(credit) AS credit_sum, sum(fee) AS fee_sum, sum(cost) AS cost_sum,"
    " sumIf(credit * credit, handled) AS square_sum"
)
"""What they are of the rows of `cohort.with_money`; its parameter is `as_of`."""
COLUMNS: Final = (
    "contact_id, customer_id, ended_at, matures_at, identified, handled, abandoned,"
    " queue, team, agent_id, channel, reason, kind"
)
_MEMO: Final = ("n", "unidentified_n", "handled_n", "matured_n", *COUNTS[-3:])
_SUMMED: Final = ", ".join(f"sum({name}) AS {name}" for name in COUNTED)


def counted(
    store: Queryable,
    policy: Policy,
    as_of: Millis | None,
    scope: Scope,
    columns: Sequence[str] = (),
    *,
    by_day: bool = False,
) -> list[Row]:
    """Return COUNTED of the chains that ended in a scope, by columns or by local `day`, in order.

    Without columns there is one row, also of no chains.
    """
    bounds = bounds_of(scope.start, scope.end, policy.zone)
    keys = ("day",) if by_day else tuple(columns)
    facet = _facet({*columns, *(COLUMN_OF[name] for name in scope.filters())}, bounds, by_day)
    made = None
    if facet is not None and scope.currency == policy.currency and not scope.product_class:
        made = edition(store, "contacts", as_of)
    known: dict[str, object] = {"as_of": as_of or 0}
    if by_day:
        known["zone"] = policy.timezone
    if made is None or facet is None:
        where = chains_of(scope, bounds)
        query, parameters = _from_chains(where, policy, scope, keys)
    else:
        query, parameters = _from_sums(made, facet, bounds, policy, scope, keys)
    if keys:
        query += f" ORDER BY {', '.join(keys)}"
    return store.query(query, {**parameters, **known})


def _from_chains(
    where: Where, policy: Policy, scope: Scope, keys: Sequence[str]
) -> tuple[str, dict[str, object]]:
    chains, parameters = with_money(where, scope, COLUMNS, policy.currency)
    return _grouped(keys, COUNTED_AS, f"({chains})", "ended_at"), parameters


def _from_sums(
    made: Edition, facet: str, bounds: Bounds, policy: Policy, scope: Scope, keys: Sequence[str]
) -> tuple[str, dict[str, object]]:
    where = filtered(_of(made, facet), scope, CONTACT_DIMENSIONS)
    where = where.also("currency IN ('', {currency:String})", currency=scope.currency)
    if facet == TIME:
        where = during(where, "slot_at", bounds)
        return _grouped(keys, _SUMMED, f"v_rollup_contacts WHERE {where}", "slot_at"), dict(
            where.parameters
        )
    first, last = whole_months(bounds)
    if first is not None:
        where = where.also("month >= {month_first:UInt32}", month_first=first)
    if last is not None:
        where = where.also("month < {month_end:UInt32}", month_end=last)
    query = _grouped(keys, _SUMMED, f"v_rollup_contacts WHERE {where}", "slot_at")
    parameters = dict(where.parameters)
    beside = _beside(bounds, first, last)
    if beside is not None:
        rest, more = _from_chains(_also(chains_of(scope, bounds), beside), policy, scope, keys)
        listed = ", ".join((*keys, *COUNTED))
        both = f"SELECT {listed} FROM ({query}) UNION ALL SELECT {listed} FROM ({rest})"
        query = _grouped(keys, _SUMMED, f"({both})", "slot_at")
        parameters |= more
    return query, parameters


def _grouped(keys: Sequence[str], figures: str, source: str, at: str) -> str:
    shown = [f"{local_day(at)} AS day" if key == "day" else key for key in keys]
    group = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join((*shown, figures))} FROM {source}{group}"


def _also(where: Where, more: Where) -> Where:
    return where.also(str(more), **more.parameters)


def _of(made: Edition, facet: str) -> Where:
    # `as_of` is a parameter of the chains' query too, and has the same value there.
    return Where((OF_EDITION,), made.parameters()).also("facet = {facet:String}", facet=facet)


def _facet(columns: set[str], bounds: Bounds, by_day: bool) -> str | None:
    """Return the facet that has these columns; None if none has."""
    if not columns and _in_slots(bounds):
        return TIME
    if by_day:
        return None
    return next((name for name, kept in FACETS.items() if columns <= set(kept)), None)


def _in_slots(bounds: Bounds) -> bool:
    return all(at is None or at % SLOT_MS == 0 for at in (bounds.start, bounds.end))


def _beside(bounds: Bounds, first: int | None, last: int | None) -> Where | None:
    """Return the condition for what of the bounds lies in no whole month; None: nothing does."""
    parts: list[str] = []
    known: dict[str, object] = {}
    for name, month, bound, compare in (
        ("first_at", first, bounds.start, "<"),
        ("end_at", last, bounds.end, ">="),
    ):
        if month is not None and month_start(month) != bound:
            parts.append(f"ended_at {compare} {instant(name)}")
            known[name] = month_start(month)
    return Where((f"({' OR '.join(parts)})",), known) if parts else None


def memo_counts(store: Queryable, bounds: Bounds, as_of: Millis | None) -> Row:
    """Return what M4, M6 and M7 are made of, in one look at the chains of the range."""
    made = edition(store, "contacts", as_of) if _in_slots(bounds) else None
    if made is not None:
        where = during(_of(made, TIME).also("currency = ''"), "slot_at", bounds)
        listed = ", ".join(f"sum({name}) AS {name}" for name in _MEMO)
        (row,) = store.query(
            f"SELECT {listed} FROM v_rollup_contacts WHERE {where}", where.parameters
        )
        return row
    where = during(Where(), "ended_at", bounds)
    sql = (
        "SELECT count() AS n, countIf(NOT identified) AS unidentified_n,"
        f" countIf(handled) AS handled_n, countIf(handled AND matures_at <= {instant('as_of')})"
        " AS matured_n, countIf(notEmpty(offer_classes)) AS offering_n,"
        " sum(arrayCount((e, o) -> e AND NOT o, offers_eligible, offers_offered)) AS unoffered,"
        " sum(arrayCount((o, a) -> o AND NOT a, offers_offered, offers_accepted)) AS declined"
        f" FROM v_contacts WHERE {where}"
    )
    (row,) = store.query(sql, {**where.parameters, "as_of": as_of or 0})
    return row


def orders_by_kind(store: Queryable, scope: Scope, bounds: Bounds) -> dict[str, int]:
    """Return what the order facts of a range come to in the scope's currency, by their kind."""
    made = edition(store, "orders") if _in_slots(bounds) else None
    if made is None:
        where = during(in_currency(Where(), scope.currency), "occurred_at", bounds)
        figures = f"sum(toInt128(net_effect_minor)) AS total FROM v_orders WHERE {where}"
    else:
        where = during(
            in_currency(Where((OF_EDITION,), made.parameters()), scope.currency), "slot_at", bounds
        )
        figures = f"sum(amount_minor) AS total FROM v_rollup_orders WHERE {where}"
    rows = store.query(f"SELECT kind, {figures} GROUP BY kind", where.parameters)
    return {row["kind"]: row["total"] for row in rows}
