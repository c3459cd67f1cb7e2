"""Runs the laws of stored data and says what was looked at.

Law: a finding is reported only if it is still there, the same, once the sink has passed all that
the log held when it was first seen. What was only on its way has arrived by then, so `pnl verify`
is right beside workers that go on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sinks.laws import LAWS, Law
from sinks.store import Store

ROWS_SHOWN_MAX: Final = 50

_REPEATS: Final = """
SELECT count() AS rows, uniqExact(log_epoch, log_partition, log_offset, log_position) AS entries
FROM ledger"""
_FRESH: Final = """
SELECT log_epoch, log_partition, max(log_offset) AS last_offset,
    toUnixTimestamp64Milli(max(booked_at)) AS booked_ms
FROM v_ledger GROUP BY log_epoch, log_partition ORDER BY log_epoch, log_partition"""

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A law that does not hold, with the first rows where it fails; `more` says if there are."""

    law_id: str
    title: str
    rows: tuple[Row, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """R8: how far a partition of the ledger is stored, and when its newest entry was booked."""

    epoch: int
    partition: int
    last_offset: int
    booked_ms: int


def verify(store: Store, laws: Sequence[Law] = LAWS) -> list[Finding]:
    """Return the laws that do not hold in the store, in their order; none if all do."""
    return [finding for law in laws if (finding := _look(store, law)) is not None]


def verify_moving(
    store: Store, passed: Callable[[], bool], laws: Sequence[Law] = LAWS
) -> list[Finding]:
    """Return the laws that do not hold while the sink goes on.

    `passed` waits until the sink has stored all that is in the log when it is called, and says
    whether it did; what a first look finds is then looked at again.
    """
    first = verify(store, laws)
    if not first or not passed():
        return first
    return look_again(store, first, laws)


def look_again(store: Store, first: Sequence[Finding], laws: Sequence[Law] = LAWS) -> list[Finding]:
    """Return what is left of the findings of a first look, once what was on its way is stored."""
    standing = []
    by_id = {law.law_id: law for law in laws}
    for finding in first:
        again = _look(store, by_id[finding.law_id])
        if again is None:
            continue
        rows = tuple(row for row in again.rows if row in finding.rows)
        more = again.more and finding.more
        if rows or more:
            standing.append(Finding(law_id=again.law_id, title=again.title, rows=rows, more=more))
    return standing


def looked_at(store: Store, laws: Sequence[Law] = LAWS) -> dict[str, int]:
    """Return, by law, how many things it looks at: none would make it hold for nothing."""
    return {law.law_id: int(store.query(law.counted)[0]["n"]) for law in laws}


def repeats(store: Store) -> tuple[int, int]:
    """R6: return how many rows the ledger's table has and how many entries they are."""
    (row,) = store.query(_REPEATS)
    return int(row["rows"]), int(row["entries"])


def freshness(store: Store) -> list[Fresh]:
    """R8: return how far each partition of the ledger is stored."""
    return [
        Fresh(
            epoch=int(row["log_epoch"]),
            partition=int(row["log_partition"]),
            last_offset=int(row["last_offset"]),
            booked_ms=int(row["booked_ms"]),
        )
        for row in store.query(_FRESH)
    ]


def _look(store: Store, law: Law) -> Finding | None:
    # Ordered, so that two looks show the same rows of many.
    rows = store.query(f"SELECT * FROM ({law.sql}) ORDER BY ALL LIMIT {ROWS_SHOWN_MAX + 1}")
    if not rows:
        return None
    return Finding(
        law_id=law.law_id,
        title=law.title,
        rows=tuple(rows[:ROWS_SHOWN_MAX]),
        more=len(rows) > ROWS_SHOWN_MAX,
    )
