"""Guardrails: what must not be done with these figures, decided from figures alone.

Law: an alert is a sentence about intervals, never about two numbers that differ; what cannot be
judged is *unknown* and says why, and is no all-clear. Nothing here ranks people: what is said of
an agent is a stretch of time with too much work, or the spread over all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from processors.confidence import Interval, Sample, difference, newcombe
from processors.money import PPM
from processors.pooling import pooled, share_units
from streams.facts import Millis

State: TypeAlias = Literal["ok", "alert", "unknown"]

OVERLOAD_PPM: Final = 850_000
"""G-LOAD: above 85 % a queue's waits grow without bound in theory, and people burn out (C28)."""
OVERLOAD_MS: Final = 7_200_000
"""G-LOAD: for two hours; a peak of minutes is a peak."""
SAMPLE_MIN: Final = 30
"""Of fewer contacts or answers nothing is said (DEF-RPC-CI)."""


@dataclass(frozen=True, slots=True)
class Change:
    """A measure in a period and in the period before; the interval is that of the difference.

    `interval` is None where either period has too few cases to say anything.
    """

    name: str
    now: float | None
    before: float | None
    interval: Interval | None

    @property
    def rose(self) -> bool:
        """Whether it rose by more than chance explains."""
        return self.interval is not None and self.interval.low > 0

    @property
    def fell(self) -> bool:
        """Whether it fell by more than chance explains."""
        return self.interval is not None and self.interval.high < 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guardrail says, and why, in words for people."""

    guardrail: str
    state: State
    reason: str


def mean_change(name: str, now: Sample, before: Sample) -> Change:
    """Return the change of a mean; without interval below 30 values on either side."""
    enough = min(now.n, before.n) >= SAMPLE_MIN
    return Change(name, now.mean, before.mean, difference(now, before) if enough else None)


def share_change(name: str, now: tuple[int, int], before: tuple[int, int]) -> Change:
    """Return the change of a share (part, whole); without interval below 30 on either side."""
    enough = min(now[1], before[1]) >= SAMPLE_MIN
    return Change(
        name,
        now[0] / now[1] if now[1] else None,
        before[0] / before[1] if before[1] else None,
        newcombe(*now, *before) if enough else None,
    )


def pressure(
    sales: Change, *, refunds: Change, satisfaction: Change, risk: Change | None = None
) -> Verdict:
    """Decide G-PRESSURE: sales per contact up while refunds are up, CSAT down or risk up.

    Each by its interval. Sales that rise while nothing can be said of any harm are *unknown*: an
    all-clear needs something that was looked at.
    """
    name = "G-PRESSURE"
    if sales.interval is None:
        few = f"fewer than {SAMPLE_MIN} contacts in this period or the one before"
        return Verdict(name, "unknown", few)
    if not sales.rose:
        return Verdict(name, "ok", f"{sales.name} did not rise")
    harms = [
        *([f"{refunds.name} rose"] if refunds.rose else []),
        *([f"{satisfaction.name} fell"] if satisfaction.fell else []),
        *([f"{risk.name} rose"] if risk is not None and risk.rose else []),
    ]
    if harms:
        return Verdict(name, "alert", f"{sales.name} rose while {' and '.join(harms)}")
    judged = [each for each in (refunds, satisfaction, risk) if each and each.interval]
    if not judged:
        return Verdict(name, "unknown", f"{sales.name} rose; too little is known of any harm")
    names = ", ".join(each.name for each in judged)
    return Verdict(name, "ok", f"{sales.name} rose, and no harm shows in {names}")


def pressed(by_queue: Mapping[str, Verdict]) -> Verdict:
    """Return what G-PRESSURE says of all queues together: the worst, and where."""
    alerts = {queue: each.reason for queue, each in by_queue.items() if each.state == "alert"}
    if alerts:
        where = "; ".join(f"{queue}: {reason}" for queue, reason in sorted(alerts.items()))
        return Verdict("G-PRESSURE", "alert", where)
    known = sum(each.state == "ok" for each in by_queue.values())
    if not known:
        return Verdict("G-PRESSURE", "unknown", "of no queue enough is known")
    return Verdict("G-PRESSURE", "ok", f"no sign in {known} of {len(by_queue)} queues")


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: how long somebody was busy in it, out of how long they were there."""

    start: Millis
    busy_ms: int
    paid_ms: int


@dataclass(frozen=True, slots=True)
class Overload:
    """A stretch [start, end) of too much work; the occupancy is that of its worst window."""

    start: Millis
    end: Millis
    occupancy_ppm: int


def overloads(
    spans: Sequence[Span],
    span_ms: int,
    *,
    over_ppm: int = OVERLOAD_PPM,
    for_ms: int = OVERLOAD_MS,
) -> tuple[Overload, ...]:
    """Return the stretches of at least `for_ms` with occupancy above `over_ppm` (G-LOAD).

    Every window of `for_ms` in such a stretch is above it as a whole, so one quiet minute does not
    hide two hours of strain. A window counts only if somebody was there in each of its spans.
    """
    assert for_ms % span_ms == 0, "a window is made of whole spans"
    width = for_ms // span_ms
    ordered = sorted(spans, key=lambda span: span.start)
    hot: list[tuple[int, int, int]] = []
    for last in range(width - 1, len(ordered)):
        first = last - width + 1
        window = ordered[first : last + 1]
        whole = window[-1].start - window[0].start == for_ms - span_ms
        if not (whole and all(span.paid_ms > 0 for span in window) and _over(window, over_ppm)):
            continue
        if hot and first < hot[-1][1]:
            hot[-1] = (hot[-1][0], last + 1, max(hot[-1][2], _ppm(window)))
        else:
            hot.append((first, last + 1, _ppm(window)))
    return tuple(
        Overload(ordered[first].start, ordered[end - 1].start + span_ms, worst)
        for first, end, worst in hot
    )


def _over(window: Sequence[Span], over_ppm: int) -> bool:
    busy, paid = sum(span.busy_ms for span in window), sum(span.paid_ms for span in window)
    return busy * PPM > over_ppm * paid


def _ppm(window: Sequence[Span]) -> int:
    busy, paid = sum(span.busy_ms for span in window), sum(span.paid_ms for span in window)
    return round(busy / paid * PPM)


def load(found: int, looked_at: int) -> Verdict:
    """Decide G-LOAD from how many stretches were found over how many agents and queues."""
    if looked_at == 0:
        return Verdict("G-LOAD", "unknown", "no shifts are known")
    if found:
        return Verdict("G-LOAD", "alert", f"{found} stretches of two hours or more above 85 %")
    return Verdict("G-LOAD", "ok", "nobody worked above 85 % for two hours")


@dataclass(frozen=True, slots=True)
class Spread:
    """How far units differ beyond chance: their mean, spread and extremes after shrinkage, ppm."""

    units: int
    mean_ppm: int
    deviation_ppm: int
    least_ppm: int
    most_ppm: int


def spread(counts: Sequence[tuple[int, int]]) -> Spread | None:
    """Return how consistent a share (part, whole) is over units (M47); None below two units.

    Units below 30 cases are left out (G-AGENT); what is left is drawn to the mean (DEF-POOL), so
    chance alone shows no spread.
    """
    enough = [(part, whole) for part, whole in counts if whole >= SAMPLE_MIN]
    pool = pooled(share_units(enough))
    if pool is None or len(enough) < 2:
        return None
    values = [unit.value for unit in pool.units]
    figures = (pool.mean, pool.between**0.5, min(values), max(values))
    return Spread(len(enough), *(round(figure * PPM) for figure in figures))


SPREAD_PPM: Final = 100_000
"""Ten points either way: then who picks up decides more than what the customer calls about."""


def consistent(what: str, found: Spread | None) -> Verdict:
    """Decide M47: an alert where units differ by more than ten points beyond chance."""
    if found is None:
        return Verdict("M47", "unknown", f"{what}: fewer than two with {SAMPLE_MIN} cases")
    points = f"{what}: ±{found.deviation_ppm / 10_000:.1f} points beyond chance"
    return Verdict("M47", "alert" if found.deviation_ppm > SPREAD_PPM else "ok", points)


def judged(resolved_ppm: int | None, response_ppm: int | None) -> Verdict:
    """Decide G-JUDGE: whether value can be set beside what customers judged at all."""
    if resolved_ppm is None:
        return Verdict("G-JUDGE", "unknown", "of no contact is it known what became of it")
    if not response_ppm:
        return Verdict("G-JUDGE", "unknown", "no customer was heard")
    return Verdict(
        "G-JUDGE",
        "ok",
        f"{resolved_ppm / 10_000:.0f} % of contacts with a known outcome are resolved and not"
        f" complained of; {response_ppm / 10_000:.0f} % of customers answered",
    )


SALES_PER_HOUR_OFF: Final = Verdict(
    "G-SPH", "ok", "sales per hour is off: nobody is measured by it, and nothing is ranked"
)
