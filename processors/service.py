"""Whether a queue is in trouble: waits and resolution, every five minutes (G-LOAD, C28).

Law: a wait is measured in units of what is usual for its channel at that hour, so a mail that waits
an hour and a call that waits a minute can stand in one sum. The window is as short as it can be:
the last panes that hold enough contacts to say anything, and never more than `REACH_MS`.

G-LOAD's occupancy needs shifts, which no contact tells: it stands in the guardrail report. What
overload does to customers is told here.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final, NamedTuple

from processors.conditions import HOUR_MS, Condition, Figure, Thresholds
from processors.confidence import newcombe
from processors.detecting import (
    Evidence,
    Held,
    Ratio,
    discoveries,
    level,
    shares_p,
)
from processors.guardrails import Change, share_change
from processors.money import PPM
from processors.signal_records import SEPARATOR
from processors.usual import Usual, by_queue
from processors.windows import PANE_MS, ZERO, Tally
from streams.facts import Millis

REACH_MS: Final = 2 * HOUR_MS
REACH: Final = REACH_MS // PANE_MS
_WIDTH_MS: Final = 30 * 60_000
"""How wide a window usually is: so many independent ones fit into a week."""

Pane = Mapping[str, Tally]
"""The sums of five minutes by "QUEUE NUL CHANNEL"."""


class Service(NamedTuple):
    """How a queue does in its last panes, against what is usual; None is what cannot be judged."""

    contacts: int
    waits: Ratio | None
    known: int
    resolution: Change | None
    resolution_p: float


def service_of(
    queue: str, panes: Sequence[Pane], usual: Usual, at: Millis, thresholds: Thresholds
) -> Service:
    """Return how a queue does; `panes` stand newest first, `at` is the end of the newest."""
    waits = _waits(queue, panes, usual, usual.hour(at - 1), thresholds.sample_min)
    tally = ZERO
    for pane in panes:
        tally = tally.plus(by_queue(pane).get(queue, ZERO))
        if tally.resolved + tally.unresolved >= thresholds.sample_min:
            break
    known, base = tally.resolved + tally.unresolved, usual.queues.get(queue, ZERO)
    before = base.resolved + base.unresolved
    resolution, p = None, 1.0
    if min(known, before) >= thresholds.sample_min:
        resolution = share_change("resolved", (tally.resolved, known), (base.resolved, before))
        p = shares_p(tally.unresolved, known, base.unresolved, before)
    return Service(tally.chains, waits, known, resolution, p)


def _waits(
    queue: str, panes: Sequence[Pane], usual: Usual, hour: int, sample_min: int
) -> Ratio | None:
    """Return the mean wait in units of the usual one; None if too little is known.

    Its logarithm's variance is that of the contacts' waits, (sum of n_c phi_c) / n^2, and that of
    what is usual, the sum of (n_c / n)^2 phi_c / N_c over the channels.
    """
    base = {
        place: (*mean, waits.scatter)
        for place, waits in usual.waits.items()
        if place.partition(SEPARATOR)[0] == queue
        and (mean := waits.mean(hour)) is not None
        and waits.scatter is not None
    }
    counts: dict[str, int] = {}
    total, n = 0.0, 0
    for pane in panes:
        for place, tally in pane.items():
            if place in base and tally.chains > 0:
                counts[place] = counts.get(place, 0) + tally.chains
                total += tally.wait_ms / base[place][0]
                n += tally.chains
        if n >= sample_min:
            break
    if n < sample_min:
        return None
    variance = sum(
        count * base[place][2] / (n * n) + (count / n) ** 2 * base[place][2] / base[place][1]
        for place, count in counts.items()
    )
    return Ratio(total / n, sqrt(variance)) if variance > 0 else None


def overload(
    panes: Sequence[Pane],
    usual: Usual,
    before: Mapping[str, Held],
    thresholds: Thresholds,
    at: Millis,
    place: str,
) -> tuple[tuple[Condition, ...], dict[str, Held]]:
    """Decide for every queue whether waits are long or too little is resolved, by the last panes.

    Both are tested, so each has half of the level.
    """
    held = dict(before)
    found = {queue: service_of(queue, panes, usual, at, thresholds) for queue in usual.queues}
    q = level(thresholds.false_discovery_ppm, _WIDTH_MS) / 2
    slow = discoveries({name: s.waits.p_value for name, s in found.items() if s.waits}, q)
    failing = discoveries({name: s.resolution_p for name, s in found.items() if s.resolution}, q)
    conditions = []
    for queue, each in found.items():
        if each.waits is None and each.resolution is None:
            continue
        evidence = _evidence(each, queue in slow, queue in failing, thresholds)
        after = held.get(queue, Held()).after(evidence, thresholds.quiet_windows)
        held[queue] = after
        conditions.append(_overload(queue, each, after.holds, at, place))
    return tuple(conditions), held


def _evidence(each: Service, slow: bool, failing: bool, t: Thresholds) -> Evidence:
    factor = t.wait_factor_milli / 1000
    if slow and each.waits is not None and each.waits.value >= factor:
        return "shown"
    interval = each.resolution.interval if each.resolution is not None else None
    if failing and interval is not None and interval.high * PPM < -t.resolution_drop_ppm:
        return "shown"
    waits_shown = each.waits is not None and each.waits.interval.low > 1
    share_shown = each.resolution is not None and each.resolution.fell
    return "between" if waits_shown or share_shown else "quiet"


def _overload(queue: str, each: Service, holds: bool, at: Millis, place: str) -> Condition:
    said, figures = [], []
    if each.waits is not None:
        low, high = each.waits.interval
        figures.append(
            Figure(
                "waits, times the usual",
                *(round(each.waits.value * 1000), "milli"),
                *(round(low * 1000), round(high * 1000)),
            )
        )
        if low > 1:
            said.append(f"waits are {each.waits.value:.1f} times the usual")
    change = each.resolution
    if change is not None and change.now is not None and change.before is not None:
        low_ppm = high_ppm = None
        if change.interval is not None:
            low_ppm, high_ppm = round(change.interval.low * PPM), round(change.interval.high * PPM)
        figures.append(Figure("resolved", round(change.now * PPM), "ppm"))
        figures.append(Figure("usually resolved", round(change.before * PPM), "ppm"))
        moved = round((change.now - change.before) * PPM)
        figures.append(Figure("change of resolved", moved, "ppm", low_ppm, high_ppm))
        if change.fell:
            said.append(f"{change.now:.0%} are resolved, usually {change.before:.0%}")
    return Condition(
        rule_kind="overload",
        subject_kind="segment",
        subject=f"queue={queue}",
        holds=holds,
        at=at,
        place=place,
        headline=f"{queue} is in trouble: {' and '.join(said) or 'waits and resolution'}",
        figures=(*figures, Figure("contacts looked at", each.contacts, "count")),
        reasons=tuple(said),
    )


def missed(
    so_far: Mapping[str, Tally],
    usual: Usual,
    before: Mapping[str, Held],
    thresholds: Thresholds,
    at: Millis,
    place: str,
) -> tuple[tuple[Condition, ...], dict[str, Held]]:
    """Decide for every queue whether offers are missed more than usual, by the day so far."""
    held = dict(before)
    judged = {
        queue: (now, base)
        for queue, base in usual.queues.items()
        if (now := so_far.get(queue)) is not None
        and min(now.handled, base.handled) >= thresholds.sample_min
    }
    p_values = {
        queue: shares_p(now.offers_missed, now.handled, base.offers_missed, base.handled)
        for queue, (now, base) in judged.items()
        if 0 <= now.offers_missed <= now.handled and 0 <= base.offers_missed <= base.handled
    }
    found = discoveries(p_values, level(thresholds.false_discovery_ppm, 24 * HOUR_MS))
    conditions = []
    for queue in p_values:
        now, base = judged[queue]
        interval = newcombe(now.offers_missed, now.handled, base.offers_missed, base.handled)
        assert interval is not None
        evidence: Evidence = "between" if interval.low > 0 else "quiet"
        if queue in found and interval.low * PPM > thresholds.missed_rise_ppm:
            evidence = "shown"
        after = held.get(queue, Held()).after(evidence, thresholds.quiet_windows)
        held[queue] = after
        share, usually = now.offers_missed / now.handled, base.offers_missed / base.handled
        bounds = (round(interval.low * PPM), round(interval.high * PPM))
        conditions.append(
            Condition(
                rule_kind="missed_opportunity",
                subject_kind="segment",
                subject=f"queue={queue}",
                holds=after.holds,
                at=at,
                place=place,
                headline=f"{queue} makes no offer in {share:.0%} of contacts that call for one,"
                f" usually {usually:.0%}",
                figures=(
                    Figure("contacts with a missed offer", round(share * PPM), "ppm"),
                    Figure("usually", round(usually * PPM), "ppm"),
                    Figure("rise", round((share - usually) * PPM), "ppm", *bounds),
                ),
            )
        )
    return tuple(conditions), held
