"""What contacts are worth by keeping customers, or by losing them (line D1, an estimate).

Law (DEF-RC): a case is credited (r - r0) x V, signed: the share still buying in (W, W + H] after
it, less the share of customers like it without a contact, times the margin an active customer
brings then. Credited is only what differs from 0 with 95 % (DEF-POOL), and what a customer's
cases of one H share is one credit. An estimate is never booked without its variance.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from processors.confidence import Z95, Interval
from processors.lift import Effect
from processors.money import split
from processors.pooling import Measured, pooled
from streams.facts import Millis

NOT_DISTINGUISHABLE: Final = "not_distinguishable"
CAPPED: Final = "capped"


class Cell(NamedTuple):
    """In what rates are estimated: DEF-SEG, and how the case ended. The bucket is matched."""

    queue: str
    channel: str
    reason: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRate:
    """r - r0 of a cell after shrinkage to its queue. `own` is what the cell shows by itself."""

    own: Effect
    difference: float
    interval: Interval

    @property
    def variance(self) -> float:
        """The square of the standard error after shrinkage."""
        return ((self.interval.high - self.interval.low) / (2 * Z95)) ** 2

    @property
    def distinguishable(self) -> bool:
        """Whether the interval excludes 0: else 0 is credited."""
        return self.interval.low > 0 or self.interval.high < 0


def pooled_rates(effects: Mapping[Cell, Effect]) -> dict[Cell, RetentionRate]:
    """Shrink each cell to the mean of its queue and outcome (DEF-POOL)."""
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in sorted(effects):
        groups[cell.queue, cell.outcome].append(cell)
    rates = {}
    for cells in groups.values():
        pool = pooled([Measured(effects[c].difference, effects[c].variance) for c in cells])
        assert pool is not None, "a group holds at least the cell that made it"
        for cell, unit in zip(cells, pool.units, strict=True):
            rates[cell] = RetentionRate(
                own=effects[cell], difference=unit.value, interval=unit.interval
            )
    return rates


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedCase:
    """A case at its index. `value_minor` is V, as expected just before it; None: not known."""

    customer_id: str
    case_id: str
    index_at: Millis
    cell: Cell
    team: str
    value_minor: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCredit:
    """What a line, day and segment is credited, with the square of its standard error.

    `amount_minor` is 0 with a note where nothing can be told. `cases` are those it is about.
    """

    line: str
    effective_at: Millis
    queue: str
    team: str
    channel: str
    reason: str
    outcome: str
    amount_minor: int
    variance_minor2: int
    cases: int
    note: str = ""


class _Exposure(NamedTuple):
    value_minor: float
    cases: int


def retention_credits(
    cases: Iterable[RetainedCase],
    rates: Mapping[Cell, RetentionRate],
    *,
    start_at: Millis,
    end_at: Millis,
    horizon_ms: int,
    realised_minor: int | None,
    day_of: Callable[[Millis], Millis],
) -> tuple[SegmentCredit, ...]:
    """Return D1 of the cases whose index lies in [start_at, end_at), by day and segment.

    `cases` are all that are known of these customers: those within H of the first share one
    credit. `realised_minor`: what these customers brought in (W, W + H], once it has passed: no
    cohort is credited more. `day_of` gives the first instant of a time's local day. The errors of
    a cell's lines are one error: their variances add up to that of the cell.
    """
    exposed, whole = _exposed(cases, start_at, end_at, horizon_ms, day_of)
    found = []
    for (day, team, cell), exposure in sorted(exposed.items()):
        rate = rates.get(cell)
        known = rate is not None and rate.distinguishable
        amount = variance = 0
        if rate is not None and known:
            amount = round(rate.difference * exposure.value_minor)
            variance = round(rate.variance * exposure.value_minor * whole[cell])
        found.append(
            SegmentCredit(
                line="D1",
                effective_at=day,
                queue=cell.queue,
                team=team,
                channel=cell.channel,
                reason=cell.reason,
                outcome=cell.outcome,
                amount_minor=amount,
                variance_minor2=variance,
                cases=exposure.cases,
                note="" if known else NOT_DISTINGUISHABLE,
            )
        )
    return _capped(found, realised_minor)


def _exposed(
    cases: Iterable[RetainedCase],
    start_at: Millis,
    end_at: Millis,
    horizon_ms: int,
    day_of: Callable[[Millis], Millis],
) -> tuple[dict[tuple[Millis, str, Cell], _Exposure], dict[Cell, float]]:
    """Return the value at stake by (day, team, cell), and by cell."""
    exposed: dict[tuple[Millis, str, Cell], _Exposure] = {}
    whole: dict[Cell, float] = defaultdict(float)
    for case, sharers in shared(cases, horizon_ms):
        if not start_at <= case.index_at < end_at or case.value_minor is None:
            continue
        key = day_of(case.index_at), case.team, case.cell
        before = exposed.get(key, _Exposure(0.0, 0))
        value = case.value_minor / sharers
        exposed[key] = _Exposure(before.value_minor + value, before.cases + 1)
        whole[case.cell] += value
    return exposed, whole


def shared(cases: Iterable[RetainedCase], horizon_ms: int) -> Iterable[tuple[RetainedCase, int]]:
    """Yield each case with how many share its credit: those of a customer within H of the first."""
    of_customer: dict[str, list[RetainedCase]] = defaultdict(list)
    for case in sorted(cases, key=lambda each: (each.customer_id, each.index_at, each.case_id)):
        of_customer[case.customer_id].append(case)
    for mine in of_customer.values():
        while mine:
            until = mine[0].index_at + horizon_ms
            together = [case for case in mine if case.index_at <= until]
            yield from ((case, len(together)) for case in together)
            mine = mine[len(together) :]


def _capped(
    found: Sequence[SegmentCredit], realised_minor: int | None
) -> tuple[SegmentCredit, ...]:
    """Lower what is credited until the cohort's sum is no more than it brought."""
    total = sum(credit.amount_minor for credit in found)
    if realised_minor is None or total <= max(0, realised_minor):
        return tuple(found)
    gains = [max(0, credit.amount_minor) for credit in found]
    left = max(0, realised_minor) - (total - sum(gains))
    parts = split(left, gains)
    return tuple(
        _lowered(credit, part) if credit.amount_minor > 0 else credit
        for credit, part in zip(found, parts, strict=True)
    )


def _lowered(credit: SegmentCredit, amount_minor: int) -> SegmentCredit:
    share = amount_minor / credit.amount_minor
    return SegmentCredit(
        line=credit.line,
        effective_at=credit.effective_at,
        queue=credit.queue,
        team=credit.team,
        channel=credit.channel,
        reason=credit.reason,
        outcome=credit.outcome,
        amount_minor=amount_minor,
        variance_minor2=round(credit.variance_minor2 * share * share),
        cases=credit.cases,
        note=CAPPED,
    )
