"""Rising risk: of a customer (DEF-RISE-C) and of a segment (DEF-RISE-S).

Law: time alone raises nobody's alarm. A customer's risk rises with every day without an order, so
an alert takes a fact of the last day that explains at least half of the rise; the others are
*fading*, and listed apart. A segment's alert takes an interval, a drift that has come together,
and a level that counts how often was looked.
"""

from collections.abc import Mapping
from math import log
from typing import Final

import msgspec

from processors.conditions import DAY_MS, Condition, Figure, Thresholds
from processors.confidence import newcombe
from processors.detecting import Evidence, Held, discoveries, drifted, level, shares_p
from processors.money import PPM
from processors.signal_records import ChurnRecord
from processors.usual import Usual
from processors.windows import Tally
from streams.facts import Millis

_EDGE_PPM: Final = 1_000
"""A logit is taken within [0.001, 0.999]: beyond, models say nothing more."""


class Watch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of a customer between two records: which of the two conditions holds."""

    rising: bool = False
    fading: bool = False


CALM: Final = Watch()


def logit_milli(risk_ppm: int) -> float:
    """Return the logit of a risk, in thousandths."""
    p = min(max(risk_ppm, _EDGE_PPM), PPM - _EDGE_PPM) / PPM
    return 1000 * log(p / (1 - p))


def customer(
    record: ChurnRecord, before: Watch, place: str, thresholds: Thresholds
) -> tuple[tuple[Condition, ...], Watch]:
    """Decide DEF-RISE-C: return what holds or holds no more of a customer, and what to remember.

    It holds once the risk rose enough in seven days, or crossed the upper threshold, and facts of
    the last day explain enough of it; until it is below the lower one and rises no more.
    """
    risk, week_ago = record.risk_ppm, record.week_ago_ppm
    if risk is None:
        after, shown, explained = CALM, False, False
    else:
        rose = week_ago is not None and (
            risk - week_ago >= thresholds.rise_ppm
            and logit_milli(risk) - logit_milli(week_ago) >= thresholds.rise_logit_milli
        )
        crossed = record.before_ppm is not None and record.before_ppm < thresholds.high_ppm <= risk
        explained = (
            record.explained_ppm is not None and record.explained_ppm >= thresholds.explained_ppm
        )
        stays = risk >= thresholds.clear_ppm or rose
        shown = rose or crossed
        after = Watch(
            rising=(shown and explained) or (before.rising and stays),
            fading=(shown and not explained) or (before.fading and stays),
        )
        if after.rising:
            after = Watch(rising=True)
    changes = []
    if after.rising or before.rising:
        rises = _customer(record, place, "churn_customer", holds=after.rising)
        changes.append(msgspec.structs.replace(rises, shows=shown and explained, apart_ms=DAY_MS))
    if after.fading or before.fading:
        changes.append(_customer(record, place, "fading", holds=after.fading))
    return tuple(changes), after


def _customer(record: ChurnRecord, place: str, kind: str, *, holds: bool) -> Condition:
    risk, week_ago = record.risk_ppm, record.week_ago_ppm
    stake = None
    if risk is not None and record.value_minor is not None:
        stake = risk * record.value_minor // PPM
    dimensions = (("queue", record.queue), ("channel", record.channel), ("team", record.team))
    return Condition(
        rule_kind="churn_customer" if kind == "churn_customer" else "fading",
        subject_kind="customer",
        subject=record.customer_id,
        holds=holds,
        at=record.as_of,
        place=place,
        segment=";".join(f"{name}={value}" for name, value in dimensions),
        headline=_headline(record, fading=kind == "fading"),
        figures=(
            Figure("risk", risk, "ppm"),
            Figure("risk a week ago", week_ago, "ppm"),
            Figure("explained by facts of the last day", record.explained_ppm, "ppm"),
            Figure("margin expected", record.value_minor, "minor"),
        ),
        reasons=_raising(record),
        contacts=(record.contact_id,) if record.contact_id else (),
        value_minor=stake,
        currency=record.currency,
    )


def _raising(record: ChurnRecord) -> tuple[str, ...]:
    """Return the signals that raise the risk: learnt weights may lower it."""
    return tuple(each.signal for each in record.reasons if each.logit_milli > 0)


AFTER: Final[Mapping[str, str]] = {
    "unresolved": "an unresolved case",
    "repeated": "calling again on a case",
    "frequent": "many contacts",
    "bad_csat": "a bad rating",
    "complaint": "a complaint",
    "refund": "a refund",
    "long_wait": "a long wait",
}
"""Each signal of a contact in words."""


def _headline(record: ChurnRecord, *, fading: bool) -> str:
    risk = "unknown" if record.risk_ppm is None else f"{record.risk_ppm / 10_000:.0f} %"
    if record.week_ago_ppm is None:
        moved = ""
    else:
        moved = f", {record.week_ago_ppm / 10_000:.0f} % a week ago"
    if fading:
        return f"{record.customer_id} is fading: risk {risk}{moved}, by time alone"
    raising = _raising(record)
    cause = f" after {AFTER[raising[0]]}" if raising else ""
    return f"{record.customer_id} may leave{cause}: risk {risk}{moved}"


class SegmentWatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a segment: Page and Hinkley's statistic, and whether the condition holds."""

    drift: float = 0.0
    held: Held = Held()


def segments(
    hour: Mapping[str, Tally],
    so_far: Mapping[str, Tally],
    usual: Usual,
    before: Mapping[str, SegmentWatch],
    thresholds: Thresholds,
    at: Millis,
    place: str,
) -> tuple[tuple[Condition, ...], dict[str, SegmentWatch]]:
    """Decide DEF-RISE-S for every queue, once an hour has closed.

    `hour` holds its sums and `so_far` those of its day with it: the window is the day so far,
    against the same weekday of the four weeks before. A queue that cannot be judged stays as it is.
    """
    watches = dict(before)
    judged: dict[str, tuple[Tally, Tally]] = {}
    for queue, base in usual.queues.items():
        if base.in_contact < thresholds.sample_min:
            continue
        watch, last = watches.get(queue, SegmentWatch()), hour.get(queue)
        if last is not None and last.in_contact > 0:
            drift = drifted(
                watch.drift,
                last.high_risk,
                last.in_contact,
                base.high_risk / base.in_contact,
                base.in_contact / usual.weeks,
                thresholds.drift_ppm,
            )
            watches[queue] = msgspec.structs.replace(watch, drift=drift)
            now = so_far.get(queue)
            if now is not None and now.in_contact >= thresholds.sample_min:
                judged[queue] = (now, base)
    p_values = {
        queue: shares_p(now.high_risk, now.in_contact, base.high_risk, base.in_contact)
        for queue, (now, base) in judged.items()
    }
    found = discoveries(p_values, level(thresholds.false_discovery_ppm, DAY_MS))
    conditions = []
    for queue, (now, base) in judged.items():
        watch = watches[queue]
        evidence = _evidence(now, base, watch.drift, queue in found, thresholds)
        held = watch.held.after(evidence, thresholds.quiet_windows)
        over = watch.held.holds and not held.holds
        watches[queue] = SegmentWatch(0.0 if over else watch.drift, held)
        condition = _segment(queue, now, base, held.holds, at, place)
        conditions.append(msgspec.structs.replace(condition, shows=evidence == "shown"))
    return tuple(conditions), watches


def _evidence(now: Tally, base: Tally, drift: float, found: bool, t: Thresholds) -> Evidence:
    interval = newcombe(now.high_risk, now.in_contact, base.high_risk, base.in_contact)
    assert interval is not None
    low = interval.low * PPM
    if found and low > t.segment_low_ppm and drift * PPM > t.drift_threshold_ppm:
        return "shown"
    return "between" if low > 0 else "quiet"


def _segment(queue: str, now: Tally, base: Tally, holds: bool, at: Millis, place: str) -> Condition:
    share, usual = now.high_risk / now.in_contact, base.high_risk / base.in_contact
    interval = newcombe(now.high_risk, now.in_contact, base.high_risk, base.in_contact)
    assert interval is not None
    return Condition(
        rule_kind="churn_segment",
        subject_kind="segment",
        subject=f"queue={queue}",
        holds=holds,
        at=at,
        place=place,
        headline=(
            f"More customers at high risk call {queue}: {share:.0%} today,"
            f" {usual:.0%} on this weekday before"
        ),
        figures=(
            Figure("high risk today", round(share * PPM), "ppm"),
            Figure("usually", round(usual * PPM), "ppm"),
            Figure(
                "rise",
                round((share - usual) * PPM),
                "ppm",
                round(interval.low * PPM),
                round(interval.high * PPM),
            ),
            Figure("customers in contact today", now.in_contact, "count"),
        ),
    )
