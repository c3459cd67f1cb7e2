"""Whether facts come late: silence is late data once contacts should have come (P21).

Law: silence at night is no news. A source partition is late once so many contacts are usual in
the time since its newest fact that none at all would be chance of one in twenty thousand; and only
where facts have come as they happened before, so importing old ones is never late.
"""

from collections.abc import Mapping

from processors.conditions import Condition, Figure, Thresholds
from processors.usual import Usual
from processors.windows import Source
from streams.facts import Millis


def is_live(sources: Mapping[int, Source], now: Millis, thresholds: Thresholds) -> bool:
    """Say whether facts come about when they happen."""
    return any(
        source.event_time is not None and abs(now - source.event_time) < thresholds.late_ms
        for source in sources.values()
    )


def data_late(
    sources: Mapping[int, Source],
    usual: Usual,
    now: Millis,
    thresholds: Thresholds,
    subject: str,
    place: str,
) -> Condition:
    """Decide whether any source partition is late at `now`, a time of the log.

    Of what is usual every source has an equal share; what is usual of former days does not count,
    so nothing is said in the first hours of a day that begins with silence.
    """
    times = {number: each.event_time for number, each in sources.items()}
    late = {
        number: expected
        for number, at in times.items()
        if at is not None
        and now - at >= thresholds.late_ms
        and (expected := usual.expected(at, now) / len(sources)) >= thresholds.silence_expected
    }
    oldest = min((at for number in late if (at := times[number]) is not None), default=now)
    minutes = (now - oldest) // 60_000
    return Condition(
        rule_kind="data_late",
        subject_kind="system",
        subject=subject,
        holds=bool(late),
        at=now,
        place=place,
        headline=f"No facts for {minutes} minutes, and some should have come",
        figures=(
            Figure("silent for", now - oldest, "ms"),
            Figure("contacts expected since", round(max(late.values(), default=0.0)), "count"),
        ),
        reasons=tuple(f"partition {number} is silent" for number in sorted(late)),
    )
