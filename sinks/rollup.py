"""Hourly sums of the ledger, worked out anew for every hour that new entries touched.

Law: once no hour is dirty, the roll-up is the sum of the ledger's entries that are not spread, by
hour and dimensions. Nothing is ever added up: a repeated insert would be counted twice.

The ledger only grows, so a group that was there stays, and of two sums of a group the one over
more entries is the later: it replaces the other, in whatever order they arrive. So several sinks
may work out the same hour at once: each does so after its own entries are stored, and the one that
looks last sees the entries of all.
"""

from collections.abc import Callable, Iterable
from typing import Final

from sinks.framing import HOUR_MS, month_of_hour
from sinks.store import Store

DIMENSIONS: Final = (
    *("line", "basis", "currency", "queue", "team", "agent_id", "channel", "reason", "kind"),
    "product_class",
)
HOUR: Final = "intDiv(toUnixTimestamp64Milli(effective_at), 3600000)"
_HOUR_START: Final = f"fromUnixTimestamp64Milli({HOUR} * 3600000, 'UTC')"
_RECOMPUTE: Final = f"""
INSERT INTO rollup_hourly (hour, {", ".join(DIMENSIONS)}, amount_minor, entries)
SELECT {_HOUR_START} AS hour_start, {", ".join(DIMENSIONS)}, sum(toInt128(amount_minor)), count()
FROM v_ledger
WHERE month = {{month:UInt32}} AND term_start IS NULL
    AND effective_at >= fromUnixTimestamp64Milli({{first_ms:Int64}}, 'UTC')
    AND effective_at < fromUnixTimestamp64Milli({{end_ms:Int64}}, 'UTC')
    AND {HOUR} IN {{hours:Array(Int64)}}
GROUP BY hour_start, {", ".join(DIMENSIONS)}"""
_SUMMED: Final = """
SELECT intDiv(toUnixTimestamp64Milli(hour), 3600000) AS hour_number, sum(entries) AS number
FROM v_rollup_hourly GROUP BY hour_number"""
_BOOKED: Final = f"""
SELECT {HOUR} AS hour_number, count() AS number
FROM v_ledger WHERE term_start IS NULL GROUP BY hour_number"""


class Rollup:
    """Knows which hours are dirty; used by the sink's thread alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dirty: set[int] = set()

    @property
    def is_dirty(self) -> bool:
        """Whether the roll-up lacks what it was told of."""
        return bool(self._dirty)

    def touch(self, hours: Iterable[int]) -> None:
        """Note hours since 1970 (UTC) whose sums have changed."""
        self._dirty.update(hours)

    def touch_differing(self) -> None:
        """Find what an interrupted process left dirty, by the number of entries per hour."""
        # In this order: other sinks may store between the two, so sums may only seem too old.
        summed, booked = self._by_hour(_SUMMED), self._by_hour(_BOOKED)
        if any(number > booked.get(hour, 0) for hour, number in summed.items()):
            # The ledger was rebuilt smaller: groups are gone, so every hour starts from nothing.
            self._store.command("TRUNCATE TABLE rollup_hourly")
            summed = {}
        self.touch(hour for hour, number in booked.items() if number != summed.get(hour, 0))

    def recompute(self, between: Callable[[], None] = lambda: None) -> None:
        """Work out every dirty hour, a statement for each month. Safe to repeat.

        `between` is called before each statement.
        """
        by_month: dict[int, list[int]] = {}
        for hour in self._dirty:
            by_month.setdefault(month_of_hour(hour), []).append(hour)
        for month, hours in sorted(by_month.items(), reverse=True):
            between()
            self._store.insert(
                _RECOMPUTE,
                {
                    "month": month,
                    "hours": hours,
                    "first_ms": min(hours) * HOUR_MS,
                    "end_ms": (max(hours) + 1) * HOUR_MS,
                },
            )
            self._dirty.difference_update(hours)

    def _by_hour(self, sql: str) -> dict[int, int]:
        return {int(row["hour_number"]): int(row["number"]) for row in self._store.query(sql)}
