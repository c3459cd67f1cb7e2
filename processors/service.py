"""Whether a queue is in trouble: waits and resolution, every five minutes (G-LOAD, C28).

Law: a wait is measured in units of what is usual for its channel at that hour, so a mail that waits
an hour and a call that waits a minute can stand in one sum. What is looked at is as short as it can
be: the last panes that hold enough contacts to say anything, then twice and four times as many, for
what shows slowly; never more than `REACH_MS`. Each look, and each test of it, costs its share of
the level.

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
SIZES: Final = (1, 2, 4)
"""How many times the least sample is looked at: a small change takes more contacts to show."""
_TESTS: Final = 3 * len(SIZES)
_BOTH_RATIO: Final = 1.5
"""Where waits and resolution are told together, waits are at least this many times the usual."""

Pane = Mapping[str, Tally]
"""The sums of five minutes by "QUEUE NUL CHANNEL"."""


class Look(NamedTuple):
    """How some contacts of a queue did, against what is usual; None is what cannot be judged.

    `p_value` is the least of three tests: of longer waits, of less resolution, and of both
    together. A test whose change is too small to matter counts as 1, and so does one that cannot
    be made.
    """

    contacts: int
    waits: Ratio | None
    resolution: Change | None
    p_value: float


def look(
    queue: str, sums: Mapping[str, Tally], usual: Usual, hour: int, thresholds: Thresholds
) -> Look | None:
    """Return how contacts around an hour of the day did, by place; None of too few."""
    n, ratio = standing(sums, usual.waits, hour).get(queue, (0, 0.0))
    if n < thresholds.sample_min:
        return None
    error = usual.log_error(queue, hour, n)
    waits = Ratio(ratio, error) if error and ratio > 0 else None
    now, base = _sum(sums.values()), usual.queues.get(queue, ZERO)
    known = _known(base) >= thresholds.sample_min
    resolution = _resolution(now, base) if known else None
    slow = waits.p_value if waits is not None else 1.0
    failing = _less_resolved(now, base) if known else None
    drop_ppm, least_ppm = _drop(resolution) * PPM, _least_drop(resolution) * PPM
    p_values = [1.0]
    if ratio * 1000 >= thresholds.wait_factor_milli:
        p_values.append(slow)
    if failing is not None:
        if _known(now) >= KNOWN_MIN and least_ppm > thresholds.resolution_drop_ppm:
            p_values.append(failing)
        if waits is not None and ratio >= _BOTH_RATIO and drop_ppm > thresholds.resolution_drop_ppm:
            p_values.append(together(slow, failing))
    return Look(n, waits, resolution, min(p_values))


def looks_at(
    queue: str, panes: Sequence[Pane], usual: Usual, at: Millis, thresholds: Thresholds
) -> tuple[Look, ...]:
    """Return how a queue does: by its last contacts, and by twice and four times as many.

    `panes` stand newest first, `at` is the end of the newest. The first is that of the fewest
    contacts; there is none where two hours hold too few.
    """
    found: list[Look] = []
    sums: dict[str, Tally] = {}
    for age, pane in enumerate(panes, 1):
        for place, tally in pane.items():
            if place.partition(SEPARATOR)[0] == queue:
                sums[place] = sums[place].plus(tally) if place in sums else tally
        wanted = SIZES[len(found)] * thresholds.sample_min
        if sum(tally.chains for tally in sums.values()) < wanted:
            continue
        hour = max(0, usual.hour(at - age * PANE_MS // 2))  # of the middle of what is looked at
        each = look(queue, sums, usual, hour, thresholds)
        if each is not None and each.contacts >= wanted:
            found.append(each)
        if len(found) == len(SIZES):
            break
    return tuple(found)


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


def _drop(change: Change | None) -> float:
    if change is None or change.now is None or change.before is None:
        return 0.0
    return change.before - change.now


def _least_drop(change: Change | None) -> float:
    return 0.0 if change is None or change.interval is None else -change.interval.high


def watch_level(thresholds: Thresholds) -> float:
    """Return the level of each test of a look at a queue (Bonferroni over looks and tests)."""
    return level(thresholds.false_discovery_ppm, PANE_MS) / _TESTS


def overload(
    panes: Sequence[Pane],
    usual: Usual,
    before: Mapping[str, Held],
    thresholds: Thresholds,
    at: Millis,
    place: str,
) -> tuple[tuple[Condition, ...], dict[str, Held]]:
    """Decide for every queue whether waits are long or too little is resolved, by the last panes.

    Benjamini and Hochberg's rate is that of all queues together, so one queue in trouble has the
    level of its own, however many others there are.
    """
    held = dict(before)
    found = {
        queue: looks
        for queue in usual.queues
        if (looks := looks_at(queue, panes, usual, at, thresholds))
    }
    least = {queue: min(each.p_value for each in looks) for queue, looks in found.items()}
    told = discoveries(least, watch_level(thresholds) * len(found))
    conditions = []
    for queue, looks in found.items():
        evidence: Evidence = "shown" if queue in told else _no_more(looks[0])
        after = held.get(queue, Held()).after(evidence, thresholds.quiet_windows)
        held[queue] = after
        each = min(looks, key=lambda look: look.p_value) if queue in told else looks[0]
        condition = _overload(queue, each, after.holds, at, place)
        conditions.append(msgspec.structs.replace(condition, shows=evidence == "shown"))
    return tuple(conditions), held


def _no_more(latest: Look) -> Evidence:
    """Return what the fewest contacts say of a queue of which nothing is told."""
    slow = latest.waits is not None and latest.waits.interval.low > 1
    fell = latest.resolution is not None and latest.resolution.fell
    return "between" if slow or fell else "quiet"


def _overload(queue: str, each: Look, holds: bool, at: Millis, place: str) -> Condition:
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
    """Decide for every queue whether offers are missed more than usual, by the day so far.

    Agents differ in what they offer and days in who works, so a share lies around the usual one by
    more than chance: by how much, equal weekdays have shown. After one of them nothing is said.
    """
    held = dict(before)
    judged = {
        queue: (now, base)
        for queue, base in usual.queues.items()
        if (now := so_far.get(queue)) is not None
        and min(now.handled, base.handled) >= thresholds.sample_min
        and queue in usual.strays
    }
    p_values = {
        queue: shares_p(
            *(now.offers_missed, now.handled, base.offers_missed, base.handled),
            usual.strays[queue],
        )
        for queue, (now, base) in judged.items()
        if 0 <= now.offers_missed <= now.handled and 0 <= base.offers_missed <= base.handled
    }
    found = discoveries(p_values, level(thresholds.false_discovery_ppm, HOUR_MS))
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
