"""Hourly sums of the ledger, worked out anew for every hour that new entries touched.

Law: once no hour is dirty, the roll-up is the sum of the ledger's entries that are not spread, by
hour and dimensions. Nothing is ever added up: a repeated insert would be counted twice.

The ledger only grows, so a group that was there stays, and the new sums of an hour replace the
old ones row by row (the highest `generation` is the latest).
"""

from collections.abc import Iterable
from typing import Final

from sinks.rows import HOUR_MS, month_of_hour
from sinks.store import INSERT_SETTINGS, Store

DIMENSIONS: Final = (
    *("line", "basis", "currency", "queue", "team", "agent_id", "channel", "reason", "kind"),
    "product_class",
)
HOUR: Final = "intDiv(toUnixTimestamp64Milli(effective_at), 3600000)"
_HOUR_START: Final = f"fromUnixTimestamp64Milli({HOUR} * 3600000, 'UTC')"
_RECOMPUTE: Final = f"""
INSERT INTO rollup_hourly (hour, {", ".join(DIMENSIONS)}, amount_minor, entries, generation)
SELECT {_HOUR_START} AS hour_start, {", ".join(DIMENSIONS)},
    sum(toInt128(amount_minor)), count(), {{generation:UInt64}}
FROM v_ledger
WHERE month = {{month:UInt32}} AND term_start IS NULL
    AND effective_at >= fromUnixTimestamp64Milli({{first_ms:Int64}}, 'UTC')
    AND effective_at < fromUnixTimestamp64Milli({{end_ms:Int64}}, 'UTC')
    AND {HOUR} IN {{hours:Array(Int64)}}
GROUP BY hour_start, {", ".join(DIMENSIONS)}
SETTINGS {INSERT_SETTINGS}"""
_DIFFERING: Final = f"""
SELECT hour_number, sum(ledger_entries) AS ledger_count, sum(rollup_entries) AS rollup_count
FROM (
    SELECT {HOUR} AS hour_number, count() AS ledger_entries, 0 AS rollup_entries
    FROM v_ledger WHERE term_start IS NULL GROUP BY hour_number
    UNION ALL
    SELECT intDiv(toUnixTimestamp64Milli(hour), 3600000) AS hour_number, 0, sum(entries)
    FROM v_rollup_hourly GROUP BY hour_number
)
GROUP BY hour_number HAVING ledger_count != rollup_count"""


class Rollup:
    """Knows which hours are dirty; used by the sink's thread alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dirty: set[int] = set()
        (row,) = store.query("SELECT max(generation) AS generation FROM rollup_hourly")
        self._generation = int(row["generation"])

    @property
    def is_clean(self) -> bool:
        """Whether the roll-up holds everything it was told of."""
        return not self._dirty

    def mark(self, hours: Iterable[int]) -> None:
        """Note hours since 1970 (UTC) whose sums have changed."""
        self._dirty.update(hours)

    def mark_differing(self) -> None:
        """Find what an interrupted process left dirty, by the number of entries per hour."""
        rows = self._store.query(_DIFFERING)
        if any(row["rollup_count"] > row["ledger_count"] for row in rows):
            # The ledger was rebuilt smaller: groups are gone, so every hour starts from nothing.
            self._store.command("TRUNCATE TABLE rollup_hourly")
            rows = self._store.query(_DIFFERING)
        self.mark(int(row["hour_number"]) for row in rows)

    def recompute(self) -> None:
        """Work out every dirty hour, a statement for each month. Safe to repeat."""
        by_month: dict[int, list[int]] = {}
        for hour in self._dirty:
            by_month.setdefault(month_of_hour(hour), []).append(hour)
        for month, hours in sorted(by_month.items(), reverse=True):
            self._generation += 1
            self._store.command(
                _RECOMPUTE,
                {
                    "month": month,
                    "hours": hours,
                    "first_ms": min(hours) * HOUR_MS,
                    "end_ms": (max(hours) + 1) * HOUR_MS,
                    "generation": self._generation,
                },
            )
            self._dirty.difference_update(hours)
