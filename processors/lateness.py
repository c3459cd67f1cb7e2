"""Whether facts come late: silence is late data once contacts should have come (P21).

Law: silence at night is no news. A source partition is late once so many contacts are usual in
the time since its newest fact that none at all would be chance of one in twenty thousand; and only
where facts have come as they happened before, so importing old ones is never late. Once late, only
a newer fact ends it.
"""

from collections.abc import Mapping

from processors.conditions import Condition, Figure, Thresholds
from processors.usual import Usual
from processors.watermark import Source
from streams.facts import Millis


def is_live(sources: Mapping[int, Source], now: Millis, thresholds: Thresholds) -> bool:
    """Say whether facts come about when they happen."""
    return any(
        source.event_time is not None and abs(now - source.event_time) < thresholds.late_ms
        for source in sources.values()
    )


def late_sources(
    sources: Mapping[int, Source],
    usual: Usual,
    now: Millis,
    thresholds: Thresholds,
    before: Mapping[int, Millis],
) -> dict[int, Millis]:
    """Return the source partitions that are late at `now`, and the event time each stopped at.

    Of what is usual every source has an equal share; what is usual of former days does not count,
    so nothing is said in the first hours of a day that begins with silence. One that was late
    `before`, and has told nothing newer, still is: no hour and no midnight ends a silence.
    """
    share = max(1, len(sources))
    return {
        number: at
        for number, each in sources.items()
        if (at := each.event_time) is not None
        and (
            before.get(number) == at
            or (
                now - at >= thresholds.late_ms
                and usual.expected(at, now) / share >= thresholds.silence_expected
            )
        )
    }


def data_late(
    silent: Mapping[int, Millis], sources: int, usual: Usual, now: Millis, subject: str, place: str
) -> Condition:
    """Return the condition that source partitions, of so many, are late at `now`; or none is."""
    silent_ms = now - min(silent.values(), default=now)
    expected = max((usual.expected(at, now) / sources for at in silent.values()), default=0.0)
    headline = f"No facts for {silent_ms // 60_000} minutes, and some should have come"
    return Condition(
        rule_kind="data_late",
        subject_kind="system",
        subject=subject,
        holds=bool(silent),
        at=now,
        place=place,
        headline=headline if silent else "Facts come again",
        figures=(
            Figure("silent for", silent_ms, "ms"),
            Figure("contacts expected since", round(expected), "count"),
        ),
        reasons=tuple(f"partition {number} is silent" for number in sorted(silent)),
    )
