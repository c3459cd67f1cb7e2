"""Whether money moved by more than chance explains: once a day, from days as they closed.

Law: credits go on coming for weeks after a contact, so a young day is never set beside an old one:
each counts with what was known when it closed. What cannot be judged says nothing.

`days` stand newest first and are closed; the newest is the day that is judged.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final

import msgspec

from processors.conditions import DAY_MS, Condition, Figure, Thresholds
from processors.confidence import Z95, Interval, Sample, about
from processors.detecting import (
    CHANCE,
    Evidence,
    Held,
    discoveries,
    level,
    shares_p,
    stray_of,
    student,
    tail,
)
from processors.guardrails import Change, mean_change, pressure, share_change
from processors.money import PPM
from processors.signal_records import SEPARATOR
from processors.usual import by_queue
from processors.windows import NO_CREDITS, ZERO, Credits, Tally, Window, by_place
from streams.facts import Millis

_WEEK: Final = 7
_MONTH: Final = 28
_WEEKDAYS: Final = (7, 14, 21, 28)
_HARMS: Final = 3

Segment = tuple[str, str]
"""Queue and currency."""
Judged = tuple[tuple[Condition, ...], dict[str, Held]]


def earned(days: Sequence[Window]) -> list[dict[Segment, Credits]]:
    """Return for each day what the chains of a queue had earned when it closed, by currency."""
    found: list[dict[Segment, Credits]] = []
    for day in days:
        sums: dict[Segment, Credits] = {}
        for name, part in day.parts.items():
            queue, _, _, currency = name.split(SEPARATOR)
            key = (queue, currency)
            sums[key] = sums.get(key, NO_CREDITS).plus(part.credits_at_close)
        found.append(sums)
    return found


def _sample(days: Sequence[Mapping[Segment, Credits]], segment: Segment) -> Sample:
    total = NO_CREDITS
    for day in days:
        total = total.plus(day.get(segment, NO_CREDITS))
    return total.sample


def revenue_drop(
    days: Sequence[Window],
    ages: Sequence[int],
    before: Mapping[str, Held],
    thresholds: Thresholds,
    place: str,
) -> Judged:
    """Decide whether revenue per contact fell: relative to the weekday, or as a trend of a week.

    `ages` are the days' distances from the newest, in days. Both are tested, so each has half of
    the level (DEF-RPC, DEF-RPC-CI).
    """
    held = dict(before)
    at, found = days[0].end, earned(days)
    by_age = dict(zip(ages, found, strict=True))
    weekdays = [by_age[age] for age in _WEEKDAYS if age in by_age]
    week = [sums for age, sums in by_age.items() if age < _WEEK]
    month = [sums for age, sums in by_age.items() if _WEEK <= age < _MONTH]
    changes: dict[str, tuple[Segment, Change]] = {}
    for segment in sorted(found[0]):
        usual = mean_change(
            "revenue per contact", _sample(found[:1], segment), _sample(weekdays, segment)
        )
        changes[f"{segment}-day"] = (segment, usual)
        trend = mean_change(
            "revenue per contact in a week", _sample(week, segment), _sample(month, segment)
        )
        if len(week) == _WEEK:
            changes[f"{segment}-week"] = (segment, trend)
    q = level(thresholds.false_discovery_ppm, DAY_MS) / 2
    p_values = {
        name: p for name, (_, change) in changes.items() if (p := _fall_p(change)) is not None
    }
    low = discoveries(p_values, q)
    conditions = []
    for segment in sorted({changes[name][0] for name in p_values}):
        mine = {name: changes[name][1] for name in p_values if changes[name][0] == segment}
        shown = [
            change
            for name, change in mine.items()
            if name in low and _fell_by(change, thresholds.revenue_drop_ppm)
        ]
        quiet = not any(change.fell for change in mine.values())
        evidence: Evidence = "shown" if shown else "quiet" if quiet else "between"
        subject = f"queue={segment[0]};currency={segment[1]}"
        key = SEPARATOR.join(segment)
        after = held.get(key, Held()).after(evidence, thresholds.quiet_windows)
        held[key] = after
        change = (shown or list(mine.values()))[0]
        conditions.append(
            Condition(
                rule_kind="revenue_drop",
                subject_kind="segment",
                subject=subject,
                holds=after.holds,
                shows=evidence == "shown",
                at=at,
                place=place,
                headline=f"{change.name.capitalize()} fell in {segment[0]}",
                figures=_change_figures(change, "minor", 1),
                reasons=tuple(each.name for each in shown),
                currency=segment[1],
            )
        )
    return tuple(conditions), held


def _fall_p(change: Change) -> float | None:
    """Return the one-sided p-value that it fell; None without an interval or any scatter."""
    errors = _errors(change)
    return None if errors is None else tail(-errors)


def _errors(change: Change) -> float | None:
    """Return by how many standard errors it rose; None without an interval or any scatter."""
    if change.interval is None or change.now is None or change.before is None:
        return None
    width = change.interval.high - change.interval.low
    return (change.now - change.before) * 2 * Z95 / width if width > 0 else None


def _fell_by(change: Change, share_ppm: int) -> bool:
    assert change.now is not None
    assert change.before is not None
    return change.before > 0 and change.now <= change.before * (1 - share_ppm / PPM)


def _change_figures(change: Change, unit: str, scale: int) -> tuple[Figure, ...]:
    if change.now is None or change.before is None:
        return ()
    moved = (change.now - change.before) * scale
    low = high = None
    if change.interval is not None:
        low, high = round(change.interval.low * scale), round(change.interval.high * scale)
    return (
        Figure(change.name, round(change.now * scale), unit),
        Figure(f"{change.name} before", round(change.before * scale), unit),
        Figure(f"change of {change.name}", round(moved), unit, low, high),
    )


def pressed(
    days: Sequence[Window],
    ages: Sequence[int],
    before: Mapping[str, Held],
    thresholds: Thresholds,
    place: str,
) -> Judged:
    """Decide G-PRESSURE for every queue: the last seven days against the three weeks before.

    Beside its intervals each part is tested at the level of a look a day. That sales rose *and* a
    harm did is as sure as the less sure of the two (Berger 1982: an intersection of unions takes
    no correction); the harms are three, so the surest of them is held to a third of it.
    """
    held = dict(before)
    if sum(age < _WEEK for age in ages) < _WEEK or len(days) <= _WEEK:
        return (), held
    found = earned(days)
    tallies = [by_queue(by_place(day)) for day in days]
    conditions = []
    for segment in sorted(key for key in found[0] if found[0][key].handled):
        queue = segment[0]
        mine = [day.get(queue, ZERO) for day in tallies]
        now = [each for each, age in zip(mine, ages, strict=True) if age < _WEEK]
        past = [each for each, age in zip(mine, ages, strict=True) if _WEEK <= age < _MONTH]
        week, month = _sum(now), _sum(past)
        sums = list(zip(found, ages, strict=True))
        sales = mean_change(
            "sales per contact",
            _sample([each for each, age in sums if age < _WEEK], segment),
            _sample([each for each, age in sums if _WEEK <= age < _MONTH], segment),
        )
        satisfaction = share_change(
            "satisfaction",
            (week.csat_good, week.csat_good + week.csat_bad),
            (month.csat_good, month.csat_good + month.csat_bad),
        )
        risk = share_change("risk", _at_risk(week), _at_risk(month))
        refunds = _refunds(now, past)
        verdict = pressure(sales, refunds=refunds, satisfaction=satisfaction, risk=risk)
        if verdict.state == "unknown":
            continue
        evidence: Evidence = "quiet"
        if verdict.state == "alert":
            p = max(tail(_errors(sales) or 0.0), _HARMS * _harm_p(now, past, refunds))
            sure = p <= level(thresholds.false_discovery_ppm, DAY_MS)
            evidence = "shown" if sure else "between"
        after = held.get(queue, Held()).after(evidence, thresholds.quiet_windows)
        held[queue] = after
        conditions.append(
            Condition(
                rule_kind="pressure",
                subject_kind="segment",
                subject=f"queue={queue}",
                holds=after.holds,
                shows=evidence == "shown",
                at=days[0].end,
                place=place,
                headline=f"Pressure in {queue}: {verdict.reason}",
                figures=(
                    *_change_figures(sales, "minor", 1),
                    *_change_figures(refunds, "minor", 1),
                    *_change_figures(satisfaction, "ppm", PPM),
                    *_change_figures(risk, "ppm", PPM),
                ),
                reasons=(verdict.reason,),
                currency=segment[1],
            )
        )
    return tuple(conditions), held


def _sum(tallies: Sequence[Tally]) -> Tally:
    total = ZERO
    for each in tallies:
        total = total.plus(each)
    return total


def _harm_p(now: Sequence[Tally], past: Sequence[Tally], refunds: Change) -> float:
    """Return the least p-value of the harms: more refunds, less satisfaction, more risk.

    Days lie apart by more than chance: people call twice, and customers differ by day. So shares
    are held to the days' scatter, and all to Student's t of so many days.
    """
    rose = _errors(refunds)
    return min(
        1.0 if rose is None else student(rose, _WEEK - 1),
        *(
            _share_p([of(day) for day in now], [of(day) for day in past])
            for of in (_dissatisfied, _at_risk)
        ),
    )


def _dissatisfied(day: Tally) -> tuple[int, int]:
    return day.csat_bad, day.csat_good + day.csat_bad


def _at_risk(day: Tally) -> tuple[int, int]:
    return day.high_risk, day.in_contact


def _share_p(now: Sequence[tuple[int, int]], past: Sequence[tuple[int, int]]) -> float:
    """Return the p-value that a share of (part, whole) of days rose, by how days lie apart."""
    squares, freedom = 0.0, 0
    sums = [(sum(part for part, _ in days), sum(n for _, n in days)) for days in (now, past)]
    for days, (part, whole) in zip((now, past), sums, strict=True):
        if not 0 < part < whole:
            return 1.0
        share = part / whole
        apart = [(x - share * n) ** 2 / (share * (1 - share) * n) for x, n in days if n > 0]
        squares, freedom = squares + sum(apart), freedom + len(apart) - 1
    stray = stray_of(squares, freedom, freedom) or CHANCE
    return shares_p(*sums[0], *sums[1], stray)


def _refunds(now: Sequence[Tally], past: Sequence[Tally]) -> Change:
    """Return the change of refunds per handled contact; its error is the days' scatter."""
    one, other = _ratio(now), _ratio(past)
    if one is None or other is None:
        return Change("refunds", None, None, None)
    interval = about(one[0] - other[0], one[1] + other[1])
    return Change("refunds", one[0], other[0], interval)


def _ratio(days: Sequence[Tally]) -> tuple[float, float] | None:
    """Return refunds / handled of some days, and the variance of it (a ratio estimator's)."""
    days = [day for day in days if day.handled > 0]
    return ratio([(day.handled, -day.refund_minor) for day in days])


def ratio(days: Sequence[tuple[int, int]]) -> tuple[float, float] | None:
    """Return sum of y / sum of n of (n, y), and its variance by the days' scatter.

    A ratio estimator's: k / (k - 1) x sum of (y - r n)^2 / (sum of n)^2 (Cochran 1977). None
    below three days.
    """
    k, whole = len(days), sum(n for n, _ in days)
    if k < 3 or whole <= 0:
        return None
    r = sum(y for _, y in days) / whole
    squares = sum((y - r * n) ** 2 for n, y in days)
    return r, squares * k / (k - 1) / (whole * whole)


def unattributed(
    days: Sequence[Window],
    before: Mapping[str, Held],
    thresholds: Thresholds,
    place: str,
) -> Judged:
    """Decide whether the share of net revenue that nobody earned moved, either way, by currency.

    The last day against up to 28 before it: the error of one day is what days scatter by.
    """
    held = dict(before)
    by_day = [_net(day) for day in days[: _MONTH + 1]]
    q = level(thresholds.false_discovery_ppm, DAY_MS)
    conditions = []
    for currency, (net, unearned) in sorted(by_day[0].items()):
        past = [day[currency] for day in by_day[1:] if currency in day and day[currency][0] > 0]
        usual = ratio(past)
        if net <= 0 or usual is None or len(past) < _WEEK:
            continue
        share, (base, variance) = unearned / net, usual
        phi = sum((y - base * n) ** 2 / n for n, y in past) / (len(past) - 1)
        error = sqrt(phi / net + variance)
        interval = about(share - base, error * error)
        p = 2 * tail(abs(share - base) / error) if error > 0 else 1.0
        far = abs(share - base) * PPM >= thresholds.unattributed_move_ppm
        evidence: Evidence = "between" if _excludes(interval, 0.0) else "quiet"
        if far and p <= q:
            evidence = "shown"
        after = held.get(currency, Held()).after(evidence, thresholds.quiet_windows)
        held[currency] = after
        change = Change("unattributed", share, base, interval)
        condition = _unattributed(change, currency, after.holds, days[0].end, place)
        conditions.append(msgspec.structs.replace(condition, shows=evidence == "shown"))
    return tuple(conditions), held


def _excludes(interval: Interval, value: float) -> bool:
    return value < interval.low or value > interval.high


def _net(day: Window) -> dict[str, tuple[int, int]]:
    """Return net revenue and what of it nobody earned, by currency."""
    sums: dict[str, tuple[int, int]] = {}
    for name, part in day.parts.items():
        currency = name.rpartition(SEPARATOR)[2]
        net, unearned = sums.get(currency, (0, 0))
        tally = part.tally
        sums[currency] = (net + tally.net_minor, unearned + tally.unattributed_minor)
    return sums


def _unattributed(change: Change, currency: str, holds: bool, at: Millis, place: str) -> Condition:
    assert change.now is not None
    assert change.before is not None
    return Condition(
        rule_kind="unattributed_share",
        subject_kind="segment",
        subject=f"currency={currency}",
        holds=holds,
        at=at,
        place=place,
        headline=f"Of {currency} revenue {change.now:.0%} is nobody's, usually {change.before:.0%}",
        figures=_change_figures(change, "ppm", PPM),
        currency=currency,
    )
