"""How what a segment's alert is about went before and after: window by window, as it was counted.

Law: a window without a case to count has no value, never 0; the usual range is of windows that
ended before the alert was raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pnl.reports.alert_words import segment_of
from pnl.reports.sql import Queryable, Where
from processors.conditions import DAY_MS, HOUR_MS, RuleKind
from processors.money import PPM
from processors.signal_records import AlertRecord, WindowSize
from streams.facts import Millis

USUAL_SHARE: Final = 10
"""The usual range leaves out a tenth of the windows at either end."""
USUAL_MIN: Final = 10
"""Of fewer windows no range is usual."""


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is followed: a part over a whole, in a unit; ppm is a share, others are means."""

    title: str
    part: str
    whole: str
    unit: str
    size: WindowSize
    before_ms: Millis
    after_ms: Millis


_BY_HOUR: Final = (7 * DAY_MS, DAY_MS)
_BY_DAY: Final = (28 * DAY_MS, 7 * DAY_MS)
_MEASURES: Final[Mapping[RuleKind, _Measure]] = {
    "overload": _Measure("mean wait", "wait_ms", "waited", "ms", "1h", *_BY_HOUR),
    "churn_segment": _Measure(
        "share at high risk", "high_risk", "in_contact", "ppm", "1h", *_BY_HOUR
    ),
    "revenue_drop": _Measure(
        "revenue per contact", "credit_minor", "handled", "minor", "1d", *_BY_DAY
    ),
    "pressure": _Measure("revenue per contact", "credit_minor", "handled", "minor", "1d", *_BY_DAY),
    "missed_opportunity": _Measure(
        "share with a missed offer", "offers_missed", "handled", "ppm", "1d", *_BY_DAY
    ),
    "unattributed_share": _Measure(
        "share nobody earned", "unattributed_minor", "net_minor", "ppm", "1d", *_BY_DAY
    ),
}
"""Of customers no history is kept, and parts of the system have none."""
_MONEY: Final = frozenset({"credit_minor", "unattributed_minor", "net_minor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTrend:
    """Values by the start of their window, oldest first; None where nothing was counted.

    `usual` is the range of the middle four fifths of the windows before; None of too few. `unit`
    is that of an alert's figure; `length_ms` how long a window is.
    """

    title: str
    unit: str
    length_ms: Millis
    points: tuple[tuple[Millis, int | None], ...]
    usual: tuple[int, int] | None


def alert_trend(store: Queryable, alert: AlertRecord, currency: str) -> AlertTrend | None:
    """Return how it went; None for what has no windows. `currency` is where the alert has none."""
    measure = next((each for kind, each in _MEASURES.items() if kind == alert.kind), None)
    if measure is None:
        return None
    place = segment_of(alert.subject_kind, alert.subject)
    money = place.get("currency", alert.currency or currency)
    where = Where().also(
        "size = {size:String} AND starts_at >= fromUnixTimestamp64Milli({first:Int64})"
        " AND starts_at < fromUnixTimestamp64Milli({end:Int64})",
        size=measure.size,
        first=alert.raised_at - measure.before_ms,
        end=alert.raised_at + measure.after_ms,
    )
    if "queue" in place:
        where = where.also("queue = {queue:String}", queue=place["queue"])
    part, whole = (_sum(name) for name in (measure.part, measure.whole))
    rows = store.query(
        f"SELECT toUnixTimestamp64Milli(starts_at) AS at, {part} AS part_sum, {whole} AS whole_sum"
        f" FROM v_windows WHERE {where} GROUP BY at ORDER BY at",
        {**where.parameters, "money": money},
    )
    scale = PPM if measure.unit == "ppm" else 1
    points = tuple(
        (int(row["at"]), _ratio(int(row["part_sum"]) * scale, int(row["whole_sum"])))
        for row in rows
    )
    if not any(value is not None for _, value in points):
        return None
    length = HOUR_MS if measure.size == "1h" else DAY_MS
    known = [value for at, value in points if value is not None and at + length <= alert.raised_at]
    return AlertTrend(
        title=measure.title,
        unit=measure.unit,
        length_ms=length,
        points=points,
        usual=_usual(known),
    )


def newest_window(
    store: Queryable, alert: AlertRecord, currency: str
) -> tuple[str, str, Millis, int] | None:
    """Return title, unit, end and value of the last window of what an alert is about.

    None where it is about no windows, or none of them had a case to count.
    """
    measure = next((each for kind, each in _MEASURES.items() if kind == alert.kind), None)
    if measure is None:
        return None
    place = segment_of(alert.subject_kind, alert.subject)
    where = Where().also("size = {size:String}", size=measure.size)
    where = where.also("1", money=place.get("currency", alert.currency or currency))
    if "queue" in place:
        where = where.also("queue = {queue:String}", queue=place["queue"])
    part, whole = (_sum(name) for name in (measure.part, measure.whole))
    rows = store.query(
        f"SELECT toUnixTimestamp64Milli(ends_at) AS end_ms, {part} AS part_sum,"
        f" {whole} AS whole_sum"
        f" FROM v_windows WHERE {where} GROUP BY end_ms HAVING whole_sum > 0"
        " ORDER BY end_ms DESC LIMIT 1",
        where.parameters,
    )
    if not rows:
        return None
    scale = PPM if measure.unit == "ppm" else 1
    value = _ratio(int(rows[0]["part_sum"]) * scale, int(rows[0]["whole_sum"]))
    assert value is not None
    length = "hour" if measure.size == "1h" else "day"
    return f"{measure.title}, last {length}", measure.unit, int(rows[0]["end_ms"]), value


def _sum(column: str) -> str:
    """Return the sum of a column: amounts of one currency, counts wherever they stand."""
    return f"sumIf({column}, currency = {{money:String}})" if column in _MONEY else f"sum({column})"


def _ratio(part: int, whole: int) -> int | None:
    return round(part / whole) if whole > 0 else None


def _usual(values: list[int]) -> tuple[int, int] | None:
    if len(values) < USUAL_MIN:
        return None
    ordered, out = sorted(values), len(values) // USUAL_SHARE
    return ordered[out], ordered[len(ordered) - 1 - out]
