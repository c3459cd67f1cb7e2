"""Whether a queue is in trouble: waits and resolution, every five minutes (G-LOAD, C28).

Law: a wait is measured in units of what is usual for its channel at that hour, so a mail that waits
an hour and a call that waits a minute can stand in one sum. The window is as short as it can be:
the last panes that hold enough contacts to say anything, and never more than `REACH_MS`.

G-LOAD's occupancy needs shifts, which no contact tells: it stands in the guardrail report. What
overload does to customers is told here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from processors.conditions import HOUR_MS, Condition, Figure, Thresholds
from processors.confidence import newcombe
from processors.detecting import (
    Evidence,
    Held,
    Ratio,
    binomial_p,
    discoveries,
    level,
    shares_p,
    together,
)
from processors.guardrails import Change
from processors.money import PPM
from processors.signal_records import SEPARATOR
from processors.usual import Usual, standing
from processors.windows import PANE_MS, ZERO, Tally
from streams.facts import Millis

REACH_MS: Final = 2 * HOUR_MS
REACH: Final = REACH_MS // PANE_MS
KNOWN_MIN: Final = 15
"""Of so many contacts it must be known what became of them; the test is exact at any number."""
_BOTH_RATIO: Final = 1.5
"""Where waits and resolution are told together, waits are at least this many times the usual."""
_WIDTH_MS: Final = 30 * 60_000

Pane = Mapping[str, Tally]
"""The sums of five minutes by "QUEUE NUL CHANNEL"."""


class Service(NamedTuple):
    """How a queue does in its last panes, against what is usual; None is what cannot be judged.

    `resolution` is that of the last 15 contacts of which it is known, `resolution_then` that of
    the contacts whose waits are looked at. The three p-values are of longer waits, of less
    resolution, and of both together; 1 where that cannot be judged.
    """

    contacts: int
    waits: Ratio | None
    resolution: Change | None
    resolution_then: Change | None
    p_values: tuple[float, float, float]


def service_of(
    queue: str, panes: Sequence[Pane], usual: Usual, at: Millis, thresholds: Thresholds
) -> Service:
    """Return how a queue does; `panes` stand newest first, `at` is the end of the newest."""
    mine = [
        {place: tally for place, tally in pane.items() if place.partition(SEPARATOR)[0] == queue}
        for pane in panes
    ]
    hour, waits, n = usual.hour(at - 1), None, 0
    sums: dict[str, Tally] = {}
    for pane in mine:
        for place, tally in pane.items():
            sums[place] = sums[place].plus(tally) if place in sums else tally
        n, ratio = standing(sums, usual.waits, hour).get(queue, (0, 0.0))
        if n >= thresholds.sample_min:
            error = usual.log_error(queue, hour, n)
            if error and ratio > 0:
                waits = Ratio(ratio, error)
            break
    same = _sum(sums.values())
    longer = ZERO
    for pane in mine:
        longer = longer.plus(_sum(pane.values()))
        if longer.resolved + longer.unresolved >= KNOWN_MIN:
            break
    base = usual.queues.get(queue, ZERO)
    known = base.resolved + base.unresolved >= thresholds.sample_min
    failing = _less_resolved(longer, base) if known else None
    slow = waits.p_value if waits is not None else 1.0
    also = _less_resolved(same, base) if known and waits is not None else None
    return Service(
        max(n, longer.chains),
        waits,
        _resolution(longer, base) if known else None,
        _resolution(same, base) if known else None,
        (
            slow,
            failing if failing is not None and _known(longer) >= KNOWN_MIN else 1.0,
            together(slow, also) if also is not None else 1.0,
        ),
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    total = ZERO
    for each in tallies:
        total = total.plus(each)
    return total


def _known(tally: Tally) -> int:
    return tally.resolved + tally.unresolved


def _less_resolved(now: Tally, base: Tally) -> float | None:
    """Return the p-value that less is resolved than usual; None where nothing is known."""
    if _known(now) <= 0 or now.unresolved < 0:
        return None
    return binomial_p(now.unresolved, _known(now), (base.unresolved + 1) / (_known(base) + 2))


def _resolution(now: Tally, base: Tally) -> Change | None:
    """Return the change of the resolved share, with its interval; None where nothing is known."""
    if _known(now) <= 0 or not 0 <= now.resolved <= _known(now):
        return None
    share, usual = now.resolved / _known(now), base.resolved / _known(base)
    interval = newcombe(now.resolved, _known(now), base.resolved, _known(base))
    return Change("resolved", share, usual, interval)


def watch_level(thresholds: Thresholds) -> float:
    """Return the level of one look at one queue."""
    return level(thresholds.false_discovery_ppm, _WIDTH_MS)


def overload(
    panes: Sequence[Pane],
    usual: Usual,
    before: Mapping[str, Held],
    thresholds: Thresholds,
    at: Millis,
    place: str,
) -> tuple[tuple[Condition, ...], dict[str, Held]]:
    """Decide for every queue whether waits are long or too little is resolved, by the last panes.

    Each queue has its own level, that of windows of half an hour, as wide as they usually are.
    Benjamini and Hochberg's rate is that of all queues together.
    """
    held = dict(before)
    found = {queue: service_of(queue, panes, usual, at, thresholds) for queue in usual.queues}
    q = watch_level(thresholds) * len(found)
    told = [
        discoveries({queue: each.p_values[test] for queue, each in found.items()}, q)
        for test in range(3)
    ]
    conditions = []
    for queue, each in found.items():
        if each.waits is None and each.resolution is None:
            continue
        evidence = _evidence(each, [queue in test for test in told], thresholds)
        after = held.get(queue, Held()).after(evidence, thresholds.quiet_windows)
        held[queue] = after
        condition = _overload(queue, each, after.holds, at, place)
        conditions.append(msgspec.structs.replace(condition, shows=evidence == "shown"))
    return tuple(conditions), held


def _evidence(each: Service, told: Sequence[bool], t: Thresholds) -> Evidence:
    slow, failing, both = told
    ratio = each.waits.value if each.waits is not None else 1.0
    change = each.resolution
    low = 0.0 if change is None or change.interval is None else -change.interval.high
    if slow and ratio * 1000 >= t.wait_factor_milli:
        return "shown"
    if failing and low * PPM > t.resolution_drop_ppm:
        return "shown"
    if both and ratio >= _BOTH_RATIO and _drop(each.resolution_then) * PPM > t.resolution_drop_ppm:
        return "shown"
    waits_shown = each.waits is not None and each.waits.interval.low > 1
    return "between" if waits_shown or (change is not None and change.fell) else "quiet"


def _drop(change: Change | None) -> float:
    if change is None or change.now is None or change.before is None:
        return 0.0
    return change.before - change.now


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
                shows=evidence == "shown",
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
