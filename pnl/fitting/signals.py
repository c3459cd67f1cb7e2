"""What signals of contacts weigh, learnt from the books (DEF-RISK-LIVE).

Law: the labels are those that the calibration was learnt on, so they have matured; of a contact
only what was known at the end of that day counts. What became of a case later is not known yet: its
outcome, its CSAT and that it was reopened are left out where they came after it.
"""

from collections import defaultdict
from typing import Any, Final

import numpy as np

from pnl.fitting.churn import ChurnFit, Kind, Learnt, fit_repeats
from pnl.fitting.from_store import Queryable
from pnl.fitting.likelihood import BgNbdFit, CannotFit
from pnl.fitting.model_file import SignalsPart, WeightPart
from pnl.reports.period import date_of, first_instant
from processors.churn import logit, matured
from processors.churn_signals import (
    DAY_MS,
    SIGNALS,
    SeenContact,
    SeenRefund,
    SignalRules,
    Weights,
    learn,
    level,
    observations,
)
from processors.policy import Policy
from processors.purchases import Purchases
from processors.repeat_models import Duration, FloatArray, TimeUnit, p_no_purchase
from streams.facts import Millis

CUSTOMERS_MAX: Final = 20_000
"""Of more who bought, every n-th by a hash of the name is looked at."""
LOOKED_BACK_HALF_LIVES: Final = 6
"""Of what is older a 64th is left at most."""

_OURS: Final = "cityHash64(customer_id) % {step:UInt32} = 0"
_SINCE: Final = (
    "{0} >= fromUnixTimestamp64Milli({{since:Int64}}, 'UTC')"
    " AND {0} < fromUnixTimestamp64Milli({{moment:Int64}}, 'UTC')"
)
_CONTACTS: Final = f"""
SELECT customer_id, groupArray(tuple(contact_id, toInt64(toUnixTimestamp64Milli(ended_at)), case_id,
    toString(outcome), reopened, abandoned, wait_ms, csat, toString(reason),
    resolved_at IS NULL OR resolved_at < fromUnixTimestamp64Milli({{moment:Int64}}, 'UTC'))) AS seen
FROM v_contacts
WHERE identified AND (handled OR abandoned) AND {_SINCE.format("ended_at")} AND {_OURS}
GROUP BY customer_id"""
_REFUNDS: Final = f"""
SELECT customer_id,
    groupArray(tuple(order_id, toInt64(toUnixTimestamp64Milli(occurred_at)))) AS refunds
FROM v_orders
WHERE identified AND kind IN ('refund', 'chargeback', 'cancellation')
    AND {_SINCE.format("occurred_at")} AND {_OURS}
GROUP BY customer_id"""


def learnt_signals(
    store: Queryable,
    bought: Purchases,
    fit: ChurnFit,
    policy: Policy,
    rules: SignalRules | None = None,
) -> SignalsPart | None:
    """Return what each signal weighs; None while there are no matured labels to learn it from."""
    rules = rules or SignalRules()
    if fit.learnt is None or fit.repeat is None:
        return None
    day = fit.learnt.day
    past = matured(bought, day, fit.learnt.horizon_days)
    moment = first_instant(date_of(day + 1), policy.zone)
    step = max(1, -(-len(past.gone) // CUSTOMERS_MAX))
    levels = _levels(store, moment, step, rules)
    base = _base(fit, fit.learnt, bought)
    places = [
        (place, levels[bought.customers[customer]])
        for place, customer in enumerate(past.snapshot.customers.tolist())
        if bought.customers[customer] in levels
    ]
    if base is None or not places:
        return None
    here = np.array([place for place, _ in places])
    shown = np.stack([row for _, row in places])
    found = learn(logit(base[here]), shown, past.gone[here].astype(np.float64))
    return _part(found, shown, fit.learnt)


def _part(found: Weights, shown: FloatArray, learnt: Learnt) -> SignalsPart:
    counts = (shown > 0).sum(axis=0)
    return SignalsPart(
        weights=tuple(
            WeightPart(
                signal=signal,
                logit=found.by_signal[signal],
                learnt=signal in found.learnt,
                customers=int(counts[place]),
            )
            for place, signal in enumerate(SIGNALS)
        ),
        learnt_as_of=date_of(learnt.day).isoformat(),
        learnt_over_days=learnt.horizon_days,
        customers=len(shown),
    )


def _base(fit: ChurnFit, learnt: Learnt, bought: Purchases) -> FloatArray | None:
    """Return the calibrated risk of everybody on the day of the labels."""
    snapshot = bought.on(learnt.day)
    kind: Kind = "bgnbd" if isinstance(fit.repeat, BgNbdFit) else "pnbd"
    try:
        model = fit_repeats(snapshot, kind).model
    except CannotFit:
        return None
    over = Duration(float(learnt.horizon_days), TimeUnit.DAY)
    p0 = p_no_purchase(model, snapshot.histories, over)
    return learnt.calibration.apply(p0, snapshot.histories)


def _levels(
    store: Queryable, moment: Millis, step: int, rules: SignalRules
) -> dict[str, FloatArray]:
    """Return how strong each signal was just before a moment, by customer; who showed none is out.

    A row has a column per signal of SIGNALS.
    """
    since = moment - max(rules.half_life_ms * LOOKED_BACK_HALF_LIVES, rules.frequent_ms + DAY_MS)
    asked = {"moment": moment, "since": since, "step": step}
    contacts: dict[str, list[SeenContact]] = defaultdict(list)
    for row in store.query(_CONTACTS, asked):
        contacts[row["customer_id"]] = [_contact(each) for each in row["seen"]]
    refunds: dict[str, list[SeenRefund]] = {
        row["customer_id"]: [SeenRefund(order, at) for order, at in row["refunds"]]
        for row in store.query(_REFUNDS, asked)
    }
    found: dict[str, FloatArray] = {}
    for name in sorted({*contacts, *refunds}):
        seen = observations(contacts.get(name, []), refunds.get(name, []), moment - 1, rules)
        if seen:
            shown = {one.signal: level(one, moment - 1, rules) for one in seen}
            found[name] = np.array([shown.get(signal, 0.0) for signal in SIGNALS])
    return found


def _contact(row: tuple[Any, ...]) -> SeenContact:
    contact_id, ended_at, case_id, outcome, reopened, abandoned, wait_ms, csat, reason, known = row
    return SeenContact(
        contact_id=contact_id,
        ended_at=ended_at,
        case_id=case_id,
        outcome=outcome if known else "unknown",
        reopened=bool(reopened) and bool(known),
        abandoned=bool(abandoned),
        wait_ms=wait_ms,
        csat=csat if known else None,
        reason=reason,
    )
