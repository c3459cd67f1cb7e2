"""D1 and D2 of a span of time, from the books, as lines for whoever books them.

Law: what is returned depends on the books and the span alone, so asking again gives the same
lines. A cohort that has matured is judged by what it did; until then older cohorts tell what to
expect (DEF-TRUEUP). What nobody can tell is no line, not a line of 0.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from pnl.lifting.from_store import OUTCOMES, Known, known, standard_margin
from pnl.lifting.stakes import MONTHLY_DISCOUNT, margins_at_stake
from pnl.reports.period import first_instant, local_date
from pnl.reports.sql import Queryable
from processors.comparison import Comparison
from processors.history import COARSER, DAY_MS, NEVER, Bools, Floats, Ints
from processors.lift import Effect
from processors.matching import case_ends
from processors.policy import Policy
from processors.referral import ReferredOrder, Referring, ReferringContact, referral_credits
from processors.retention import (
    Cell,
    RetainedCase,
    RetentionRate,
    SegmentCredit,
    pooled_rates,
    retention_credits,
)
from streams.facts import Millis, PeriodLine

_MONTH_MS: Final = 365 * DAY_MS / 12
_ANSWERS: Final = ("resolved", "unresolved")
"""Outcomes that are credited: of the others nobody knows how the case ended."""


def estimated_lines(
    store: Queryable,
    policy: Policy,
    as_of: Millis | None,
    start_at: Millis,
    end_at: Millis,
    referring: Referring | None = None,
) -> dict[str, tuple[PeriodLine, ...]]:
    """Return the lines of D1 and D2 whose contacts or orders lie in [start_at, end_at).

    A line that is missing cannot be known: D1 while no cohort has matured, D2 without theta.
    """
    found = known(store, policy, as_of)
    lines: dict[str, tuple[PeriodLine, ...]] = {}
    if found is None:
        return lines
    kept = retention(found, policy.zone, start_at, end_at)
    if kept is not None:
        lines["D1"] = _lines(kept, policy.currency)
    brought = referral_credits(referred(store, policy, start_at, end_at), referring)
    if brought is not None:
        lines["D2"] = _lines(brought, policy.currency)
    return lines


def _lines(found: Iterable[SegmentCredit], currency: str) -> tuple[PeriodLine, ...]:
    return tuple(
        PeriodLine(
            line="D1" if credit.line == "D1" else "D2",
            basis="estimated",
            amount_minor=credit.amount_minor,
            currency=currency,
            effective_at=credit.effective_at,
            queue=credit.queue,
            team=credit.team,
            channel=credit.channel,
            reason=credit.reason,
            note=credit.note or credit.outcome,
            variance_minor2=credit.variance_minor2,
        )
        for credit in found
        if credit.amount_minor or credit.variance_minor2
    )


def retention(
    found: Known, zone: ZoneInfo, start_at: Millis, end_at: Millis
) -> tuple[SegmentCredit, ...] | None:
    """Return D1 of the cases whose index lies in the span; None while no rate can be told."""
    asked = found.compared
    seen, rules = asked.history, asked.rules
    window_ms = asked.window("retention")
    mature = end_at + window_ms[1] <= seen.as_of_ms
    rates = dict(retention_rates(found))
    if mature:
        inside = (asked.found.at_ms >= start_at) & (asked.found.at_ms < end_at)
        rates |= retention_rates(found, inside)
    if not rates:
        return None
    ends = case_ends(seen, rules)
    customer, at_ms = seen.contacts.customer[ends], seen.contacts.at_ms[ends]
    values = expected_margin(asked, seen.stratum(customer, at_ms))
    asked_for = (at_ms >= start_at) & (at_ms < end_at)
    values[asked_for], method = margins_at_stake(
        found, zone, start_at, customer[asked_for], at_ms[asked_for], values[asked_for]
    )
    cases = [
        RetainedCase(
            customer_id=found.customers[seen.contacts.customer[place]],
            case_id=found.case_ids[seen.contact_case[place]],
            index_at=int(seen.contacts.at_ms[place]),
            cell=_cell(found, int(seen.contact_segment[place]), int(seen.contact_outcome[place])),
            team=found.segments[seen.contact_segment[place]].team,
            value_minor=None if np.isnan(value) else float(value) * found.step,
        )
        for place, value in zip(ends.tolist(), values, strict=True)
        if OUTCOMES[int(seen.contact_outcome[place])] in _ANSWERS
    ]
    found_credits = retention_credits(
        cases,
        rates,
        start_at=start_at,
        end_at=end_at,
        horizon_ms=rules.horizon_ms,
        realised_minor=_realised(asked, ends, start_at, end_at) * found.step if mature else None,
        day_of=lambda at: first_instant(local_date(at, zone), zone),
    )
    return tuple(
        replace(each, note=f"{each.note or each.outcome}, {method}") if each.amount_minor else each
        for each in found_credits
    )


def retention_rates(found: Known, which: Bools | None = None) -> Mapping[Cell, RetentionRate]:
    """Return r - r0 of every cell that can be told, of all indices or of some."""
    asked = found.compared
    outcome, segment = asked.outcome(), asked.segment()
    asked_for = np.ones(len(outcome), dtype=np.bool_) if which is None else which
    of_cell: dict[Cell, list[int]] = defaultdict(list)
    for name in _ANSWERS:
        for code in range(len(found.segments)):
            of_cell[_cell(found, code, OUTCOMES.index(name))].append(code)
    effects: dict[Cell, Effect] = {}
    for cell, codes in of_cell.items():
        rows = asked_for & (outcome == OUTCOMES.index(cell.outcome)) & np.isin(segment, codes)
        effect = asked.against_none(rows, "retention")
        if effect is not None:
            effects[cell] = effect
    return pooled_rates(effects)


def expected_margin(asked: Comparison, stratum: Ints) -> Floats:
    """Return V of strata: the margin an active customer brought in (W, W + H], at the index.

    The mean over matured indices of the same purchase frequency, discounted by 1 % a month; of
    all where none of them was active; NaN where nobody was.
    """
    seen, start_ms, end_ms = asked.history, *asked.window("retention")
    ready = asked.mature("retention")
    customer, at_ms = asked.found.customer[ready], asked.found.at_ms[ready]
    first = seen.first_purchase(customer, at_ms + start_ms, at_ms + end_ms, own=False)
    active = first != NEVER
    months = (end_ms - start_ms) / _MONTH_MS
    margin = np.zeros(len(customer))
    for month in range(round(months)):
        begin = at_ms + start_ms + round(month * _MONTH_MS)
        until = np.minimum(begin + round(_MONTH_MS), at_ms + end_ms)
        discount = (1 + MONTHLY_DISCOUNT) ** (start_ms / _MONTH_MS + month + 0.5)
        margin += seen.margin(customer, begin, until) / discount
    if not active.any():
        return np.full(len(stratum), np.nan)
    whole = float(margin[active].mean())
    kind = _frequency(asked.stratum[ready][active])
    count = np.bincount(kind, minlength=16)
    total = np.bincount(kind, margin[active], minlength=16)
    mean = np.where(count > 0, total / np.maximum(count, 1), whole)
    result: Floats = mean[_frequency(stratum)]
    return result


def _frequency(stratum: Ints) -> Ints:
    return stratum // COARSER[-1]


def _realised(asked: Comparison, ends: Ints, start_at: Millis, end_at: Millis) -> int:
    """Return what the customers of a cohort brought in (W, W + H] of their first case in it."""
    seen = asked.history
    customer, at_ms = seen.contacts.customer[ends], seen.contacts.at_ms[ends]
    inside = (at_ms >= start_at) & (at_ms < end_at)
    customer, first = np.unique(customer[inside], return_index=True)
    begin = at_ms[inside][first]
    start_ms, until_ms = asked.window("retention")
    return int(seen.margin(customer, begin + start_ms, begin + until_ms).sum())


def _cell(found: Known, segment: int, outcome: int) -> Cell:
    each = found.segments[segment]
    return Cell(each.queue, each.channel, each.reason, OUTCOMES[outcome])


_REFERRED: Final = """
SELECT o.customer_id AS customer_id, o.referred_by AS referrer_id, o.order_id AS order_id,
    toUnixTimestamp64Milli(o.occurred_at) AS at_ms
FROM v_orders AS o
WHERE o.referred_by != '' AND o.kind = 'sale' AND o.identified
    AND o.currency = {currency:String}
    AND toUnixTimestamp64Milli(o.occurred_at) >= {start:Int64}
    AND toUnixTimestamp64Milli(o.occurred_at) < {end:Int64}
ORDER BY at_ms, order_id"""
_BOUGHT: Final = """
SELECT customer_id, toUnixTimestamp64Milli(occurred_at) AS at_ms,
    arrayMap(each -> toString(each), classes) AS classes, class_net_minor AS net,
    arraySum((minor, line) -> if(line IN ('A1a', 'A1b', 'A4'), minor, 0),
        credits_minor, credit_lines) AS credited_minor
FROM v_attributions
WHERE customer_id IN {customers:Array(String)} AND currency = {currency:String}
    AND gross_minor > 0"""
_IN_CONTACT: Final = """
SELECT customer_id, toUnixTimestamp64Milli(ended_at) AS at_ms, toString(queue) AS queue,
    toString(team) AS team, toString(channel) AS channel, toString(reason) AS reason,
    toString(outcome) AS outcome
FROM v_contacts
WHERE customer_id IN {customers:Array(String)} AND handled ORDER BY at_ms, contact_id"""
REFERRED_DAYS: Final = 90


def referred(
    store: Queryable, policy: Policy, start_at: Millis, end_at: Millis
) -> tuple[ReferredOrder, ...]:
    """Return the orders of the span that name a referrer, with what DEF-REF asks of each."""
    currency = policy.currency
    rows = store.query(_REFERRED, {"currency": currency, "start": start_at, "end": end_at})
    if not rows:
        return ()
    buyers = sorted({row["customer_id"] for row in rows})
    referrers = sorted({row["referrer_id"] for row in rows})
    bought = defaultdict(list)
    for each in store.query(_BOUGHT, {"customers": buyers, "currency": currency}):
        bought[each["customer_id"]].append(each)
    contacts = defaultdict(list)
    for each in store.query(_IN_CONTACT, {"customers": referrers}):
        contacts[each["customer_id"]].append(each)
    found = []
    for row in rows:
        at_ms, mine = row["at_ms"], bought[row["customer_id"]]
        early = [each for each in mine if at_ms <= each["at_ms"] < at_ms + REFERRED_DAYS * DAY_MS]
        before = [each for each in contacts[row["referrer_id"]] if each["at_ms"] <= at_ms]
        found.append(
            ReferredOrder(
                customer_id=row["customer_id"],
                referrer_id=row["referrer_id"],
                order_id=row["order_id"],
                occurred_at=at_ms,
                first=all(each["at_ms"] >= at_ms for each in mine),
                margin_minor=sum(
                    standard_margin(each["classes"], each["net"], policy) for each in early
                ),
                credited_minor=sum(each["credited_minor"] for each in early),
                contact=_referring(before[-1]) if before else None,
            )
        )
    return tuple(found)


def _referring(row: Mapping[str, object]) -> ReferringContact:
    at_ms = row["at_ms"]
    assert isinstance(at_ms, int)
    return ReferringContact(
        ended_at=at_ms,
        **{name: str(row[name]) for name in ("queue", "team", "channel", "reason", "outcome")},
    )
