"""When a customer's risk of not buying again has moved so far that it is told (DEF-RISK-LIVE).

Law: what is told follows from the facts of one customer and what was last told of him, which lies
in his state: so it is the same whatever the batches, and after a replay.

A risk is of the customer's own time: the latest event of his (his watermark).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from processors.churn_signals import Observation, Reason
from processors.customer import Customer
from processors.days import quick_days
from processors.following import NOTHING_KNOWN, Behind, told_now
from processors.journeys import Applied
from processors.live_churn import Bought, LiveModel
from processors.money import PPM, divide_half_even
from processors.policy import DAY_MS, Policies, book_of
from processors.purchase_days import PurchaseDays
from processors.seen_contacts import note, noted, seen
from processors.signal_records import ChurnReason, ChurnRecord
from streams.facts import Fact, Millis, Period

MOVED_PPM: Final = 20_000
HIGH_PPM: Final = 600_000
CLEARED_PPM: Final = 500_000
WEEK_MS: Final = 7 * DAY_MS


class Estimate(NamedTuple):
    """A risk as it is at a moment; `bought` is None where a contract tells it."""

    risk: float
    bought: Bought | None
    base: float
    seen: Sequence[Observation]


class RiskWatch:
    """Tells when the risk of a customer has moved, as a model says it."""

    def __init__(self, rules: Policies, model: LiveModel) -> None:
        self._policies = book_of(rules)
        self._model = model
        self._day_of = quick_days(self._policies.zone)

    def moved(
        self, customer: Customer, fact: Fact, applied: Applied, logged_at: Millis
    ) -> ChurnRecord | None:
        """Return that a fact which was applied moved the risk, and note it; None if it did not."""
        told = customer.risk
        if (not customer.orders and told is None) or isinstance(fact, Period):
            return None
        bought = self._indexed(customer, applied)
        at = customer.watermark
        assert at is not None, "who has an order has a watermark"
        now = self._estimate(customer, bought, at, at)
        ppm = None if now is None else round(now.risk * PPM)
        before, was_high = (None, False) if told is None else (told.risk_ppm, told.high)
        high = ppm is not None and ppm >= (CLEARED_PPM if was_high else HIGH_PPM)
        if ppm is None or before is None:
            if ppm is before:
                return None
        elif abs(ppm - before) < MOVED_PPM and high == was_high:
            return None
        behind = NOTHING_KNOWN if now is None else self._behind(customer, bought, at, now)
        return told_now(customer, fact, logged_at, ppm, high, behind)

    def _indexed(self, customer: Customer, applied: Applied) -> PurchaseDays:
        """Return the customer's purchases; brings them and the signals shown up to the fact."""
        policies, bought, rules = self._policies, customer.bought, self._model.rules
        if bought is None:
            items = customer.orders.values()
            bought = customer.bought = PurchaseDays(items, policies.currency, self._day_of)
        else:
            for record in applied.orders:
                item = customer.orders.get(record.order_id)
                if item is not None:
                    bought.take(item, policies.currency, self._day_of)
        if customer.shown is None:
            customer.shown = noted(customer, policies, rules)
        else:
            for contact in applied.contacts:
                note(customer, contact, rules)
        return bought

    def _estimate(
        self,
        customer: Customer,
        bought: PurchaseDays,
        known: Millis,
        at: Millis,
        like: Estimate | None = None,
    ) -> Estimate | None:
        """Return the risk at a moment from what was known at another; None if unknown.

        `like` is one that may have the same purchases: then its base need not be worked out again.
        """
        day, model = self._day_of(at), self._model
        if bought.is_contractual:
            end = bought.contract_end(known)
            if end is not None and end > day:
                risk = 1.0 if end - day <= model.horizon_days else 0.0
                return Estimate(risk, None, risk, ())
        past = None if customer.risk is None else customer.risk.past
        found = bought.known(past, known)
        if found is None:
            return None
        days, first, last = found
        history = Bought(days - 1, last - first, day - first)
        base: float | None
        if like is not None and like.bought == history:
            base = like.base
        else:
            base = model.risk(history)
            if base is None:
                return None
        shown = seen(customer, bought, known, at, self._policies, model.rules)
        return Estimate(model.moved_by(base, shown, at), history, base, shown)

    def _behind(
        self, customer: Customer, bought: PurchaseDays, at: Millis, now: Estimate
    ) -> Behind:
        """Return what is behind a risk that is known."""
        model = self._model
        week = self._estimate(customer, bought, at - WEEK_MS, at - WEEK_MS)
        explained = None
        if week is not None and now.risk > week.risk:
            yesterday = self._estimate(customer, bought, at - DAY_MS, at, now)
            by_facts = now.risk - (week if yesterday is None else yesterday).risk
            explained = round(min(max(by_facts / (now.risk - week.risk), 0.0), 1.0) * PPM)
        reasons = model.reasons(now.seen, at) if now.seen else ()
        return Behind(
            None if week is None else round(week.risk * PPM),
            explained,
            tuple([_told(each) for each in reasons]),
            self._value(customer, bought, now, at),
            self._policies.currency,
            "contract" if now.bought is None else model.method,
            model.name,
            model.horizon_days,
        )

    def _value(
        self,
        customer: Customer,
        bought: PurchaseDays,
        now: Estimate,
        at: Millis,
    ) -> int | None:
        """Return the margin expected of the customer within the horizon; None if not known."""
        margin_ppm = self._policies.at(at).margin_ppm
        if now.bought is None:
            worth = bought.contract_minor(at, self._policies.currency)
            return None if worth is None else divide_half_even(worth * margin_ppm, PPM)
        past = None if customer.risk is None else customer.risk.past
        repeats, recency_days, age_days, _ = now.bought
        with_mean = Bought(repeats, recency_days, age_days, bought.mean_minor(past))
        return self._model.value_minor(with_mean, margin_ppm)


def _told(reason: Reason) -> ChurnReason:
    milli = round(reason.logit * 1000)
    return ChurnReason(reason.signal, milli, reason.at, reason.fact, reason.label)
