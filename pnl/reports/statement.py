"""The statement: every line of the chart of accounts, its groups, and the totals.

Law: a line is the plain sum of its entries in the range, its groups add up to it by any
dimensions (I8), and a total is the plain sum of its lines. An entry stands in the range by its
`effective_at`; one that is spread over a term stands there with the days it earns in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pnl.reports.accrual import RANGE_EARNED, TERM_LENGTH, Days, earned_days, spread_entries
from pnl.reports.estimates import estimates
from pnl.reports.memo import company_sums, memo, paid, reconciliation
from pnl.reports.model import (
    Group,
    Key,
    LineName,
    Scope,
    Statement,
    StatementLine,
    Total,
    TotalName,
)
from pnl.reports.sql import (
    Bounds,
    Queryable,
    Row,
    bounds_of,
    dimension_columns,
    filtered,
    in_currency,
    key_of,
)
from pnl.reports.sums import plain_sums
from processors.policy import Policy
from processors.statement import BOOKED_NAMES, BOOKED_RESULT, LINE, LINES
from streams.facts import Millis


@dataclass(frozen=True, slots=True)
class _Sum:
    line: str
    key: Key
    amount_minor: int


def statement(
    store: Queryable, policy: Policy, as_of: Millis | None, scope: Scope, by: Sequence[str] = ()
) -> Statement:
    """Return the statement of a scope, each line with groups if `by` names dimensions."""
    dimension_columns(by)
    bounds = bounds_of(scope.start, scope.end, policy.zone)
    days = earned_days(scope, as_of, policy)
    company = company_sums(store, scope, bounds, days)
    if by or scope.filters():
        sums = [*_plain_sums(store, scope, bounds, by), *_spread_sums(store, scope, days, by)]
    else:
        both = (company.plain, company.spread)
        sums = [_Sum(line, (), amount) for part in both for line, amount in part.items()]
    spent = paid(store, company, scope, bounds)
    lines = _lines(sums, by, spent.empty_because())
    return Statement(
        scope=scope,
        timezone=policy.timezone,
        as_of=as_of,
        by=tuple(by),
        lines=lines,
        totals=totals(lines),
        memo=memo(store, company, bounds, as_of),
        reconciliation=reconciliation(store, scope, bounds),
        bridge=company.bridge(),
        unbooked=company.unbooked,
        estimates=estimates(store, scope, bounds, by),
        payroll=spent.payroll,
    )


def totals(lines: Iterable[StatementLine]) -> tuple[Total, ...]:
    """Return A, B, C and the booked operating result: plain sums of lines."""
    sums = {"A": 0, "B": 0, "C": 0}
    for line in lines:
        sums[LINE[line.line].total] += line.amount_minor
    titles = {"A": "Net revenue influenced", "B": "Cost of goods", "C": "Cost of the centre"}
    named = [
        Total(total=cast("TotalName", name), title=titles[name], amount_minor=amount)
        for name, amount in sums.items()
    ]
    result = Total(
        total=BOOKED_RESULT, title="Booked operating result", amount_minor=sum(sums.values())
    )
    return (*named, result)


def _plain_sums(store: Queryable, scope: Scope, bounds: Bounds, by: Sequence[str]) -> list[_Sum]:
    """Return what the entries that are not spread add up to, by line and dimensions."""
    rows = plain_sums(store, scope, bounds, dimension_columns(by), tuple(BOOKED_NAMES))
    return [_sum(by, row) for row in rows]


def _spread_sums(
    store: Queryable, scope: Scope, days: Days | None, by: Sequence[str]
) -> list[_Sum]:
    """Return what spread entries earned on the days of the range, by line and dimensions."""
    if days is None:
        return []
    where = filtered(in_currency(spread_entries(), scope.currency), scope)
    where = where.also("1", day_first=days.start, day_end=days.end)
    columns = ", ".join(("line", *dimension_columns(by)))
    sql = (
        f"WITH {TERM_LENGTH} AS days"
        f" SELECT {columns}, sum({RANGE_EARNED}) AS total"
        f" FROM v_ledger WHERE {where} GROUP BY {columns}"
    )
    return [_sum(by, row) for row in store.query(sql, where.parameters)]


def _sum(by: Sequence[str], row: Row) -> _Sum:
    return _Sum(row["line"], key_of(by, row), row["total"])


def _lines(
    sums: Iterable[_Sum], by: Sequence[str], empty_because: Mapping[str, str]
) -> tuple[StatementLine, ...]:
    groups: dict[str, dict[Key, int]] = {line.line: {} for line in LINES}
    for part in sums:
        of_line = groups[part.line]
        of_line[part.key] = of_line.get(part.key, 0) + part.amount_minor
    return tuple(
        StatementLine(
            line=cast("LineName", line.line),
            title=line.title,
            basis=line.basis,
            amount_minor=sum(groups[line.line].values()),
            groups=tuple(
                Group(key=key, amount_minor=amount)
                for key, amount in sorted(groups[line.line].items())
                if amount != 0
            )
            if by
            else (),
            note=empty_because.get(line.line, "") if not groups[line.line] else "",
            controllable=line.controllable,
        )
        for line in LINES
    )
