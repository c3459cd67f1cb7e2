"""What was reported: the ledger as it stood when a period was closed (DEF-CLOSE, DEF-REPORTED).

Law: the entries before a closing's cut never change and none is ever added before it, so what was
reported does not move, whatever happens later. Restated is all there is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pnl.periods.names import named
from pnl.reports.model import BadRequest, Scope
from pnl.reports.sql import Queryable, Where
from streams.facts import Millis


@dataclass(frozen=True, slots=True)
class Closing:
    """That a period is closed: when, and before which places of the ledger's partitions."""

    period: str
    closed_at: Millis
    epoch: int
    partitions: tuple[int, ...]
    offsets: tuple[int, ...]

    def limit(self, where: Where) -> Where:
        """Limit ledger rows to what was reported."""
        return before_cut(where, self.epoch, self.partitions, self.offsets)

    def beyond(self, where: Where) -> Where:
        """Limit ledger rows to what came after."""
        before = before_cut(Where(), self.epoch, self.partitions, self.offsets)
        return where.also(f"NOT ({before})", **before.parameters)


def before_cut(
    where: Where, epoch: int, partitions: Sequence[int], offsets: Sequence[int]
) -> Where:
    """Limit rows of an output to those that lie before a place in each of its partitions.

    Every life of the log before `epoch` is before the cut; a partition not named has nothing.
    """
    if not partitions:
        return where.also("log_epoch < {cut_epoch:UInt64}", cut_epoch=epoch)
    return where.also(
        "(log_epoch < {cut_epoch:UInt64} OR (log_epoch = {cut_epoch:UInt64} AND log_offset <"
        " transform(toInt64(log_partition), {cut_partitions:Array(Int64)},"
        " {cut_offsets:Array(Int64)}, toInt64(0))))",
        cut_epoch=epoch,
        cut_partitions=list(partitions),
        cut_offsets=list(offsets),
    )


def closings(store: Queryable) -> dict[str, Closing]:
    """Return the closed periods by name."""
    rows = store.query(
        "SELECT period, toUnixTimestamp64Milli(closed_at) AS at, log_epoch, cut_partitions,"
        " cut_offsets FROM v_periods ORDER BY period"
    )
    return {
        row["period"]: Closing(
            row["period"],
            row["at"],
            row["log_epoch"],
            tuple(row["cut_partitions"]),
            tuple(row["cut_offsets"]),
        )
        for row in rows
    }


def closing_of(store: Queryable, scope: Scope) -> Closing:
    """Return the closing of a scope's range; BadRequest if it is no period, or not closed."""
    period = named(scope.start, scope.end)
    if period is None:
        raise BadRequest(
            "Only a month, a quarter or a year is closed: give --month, --quarter or --year."
        )
    found = closings(store).get(period.name)
    if found is None:
        raise BadRequest(
            f"{period.name} is not closed, so nothing of it was reported yet;"
            f" `pnl close {period.name}` closes it."
        )
    return found
