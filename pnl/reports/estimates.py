"""What is estimated, below the booked result: D1, D2 and their sum, each with its interval.

Law: an estimate never stands without its interval and never in a booked total. Its entries carry
the square of their standard error, so any scope's interval is amount ± 1.96 √(sum of squares).
Where nothing has been booked the figure cannot be known: None, not zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

from pnl.reports.model import Estimate, EstimateGroup, Interval, Key, Scope
from pnl.reports.sql import (
    Bounds,
    Queryable,
    Where,
    dimension_columns,
    filtered,
    in_currency,
    in_ledger_during,
    key_of,
)
from processors.statement import ESTIMATES

_Z95: Final = Decimal("1.959963984540054")
_NOTHING: Final = "cannot be told yet: no estimate is booked"
D: Final = "D"
"""The estimated contribution: the sum of the lines that are booked."""


@dataclass(frozen=True, slots=True)
class _Sum:
    """What the entries of one line and key add up to; `standing` of them are not reversed."""

    amount_minor: int = 0
    variance_minor2: int = 0
    standing: int = 0

    def __add__(self, other: "_Sum") -> "_Sum":
        return _Sum(
            self.amount_minor + other.amount_minor,
            self.variance_minor2 + other.variance_minor2,
            self.standing + other.standing,
        )

    def interval(self) -> Interval:
        """Return amount and 95 % interval, rounded half-even to the minor unit."""
        with localcontext() as context:
            context.prec = 60
            half = _Z95 * Decimal(max(0, self.variance_minor2)).sqrt()
            half_minor = int(half.to_integral_value(rounding=ROUND_HALF_EVEN))
        return Interval(
            amount_minor=self.amount_minor,
            low_minor=self.amount_minor - half_minor,
            high_minor=self.amount_minor + half_minor,
        )


_ZERO: Final = _Sum()


def estimates(
    store: Queryable, scope: Scope, bounds: Bounds, by: Sequence[str]
) -> tuple[Estimate, ...]:
    """Return D1, D2 and D of a scope, with groups if `by` names dimensions."""
    where = filtered(in_ledger_during(in_currency(Where(), scope.currency), bounds), scope)
    where = where.also(
        "line IN {estimates:Array(String)}", estimates=[each.line for each in ESTIMATES]
    )
    columns = ", ".join(("line", *dimension_columns(by)))
    rows = store.query(
        f"SELECT {columns}, sum(toInt128(amount_minor)) AS total,"
        " sum(toInt128(variance_minor2)) AS variance,"
        " sum(if(change = 'reversal', -1, 1)) AS standing"
        f" FROM v_ledger WHERE {where} GROUP BY {columns}",
        where.parameters,
    )
    sums: dict[str, dict[Key, _Sum]] = {each.line: {} for each in ESTIMATES}
    for row in rows:
        found = _Sum(row["total"], row["variance"], row["standing"])
        if found.standing:
            sums[row["line"]][key_of(by, row)] = found
    lines = [
        _estimate(each.line, each.title, sums[each.line], _NOTHING if not sums[each.line] else "")
        for each in ESTIMATES
    ]
    return (*lines, _together(sums))


def _together(sums: Mapping[str, Mapping[Key, _Sum]]) -> Estimate:
    together: dict[Key, _Sum] = {}
    for of_line in sums.values():
        for key, each in of_line.items():
            together[key] = together.get(key, _ZERO) + each
    lacking = [line for line, of_line in sums.items() if not of_line]
    note = _NOTHING if not together else f"without {', '.join(lacking)}" if lacking else ""
    return _estimate(D, "Estimated contribution", together, note)


def _estimate(name: str, title: str, sums: Mapping[Key, _Sum], note: str) -> Estimate:
    return Estimate(
        line=name,
        title=title,
        value=_all(sums.values()).interval() if sums else None,
        groups=tuple(
            EstimateGroup(key=key, value=each.interval())
            for key, each in sorted(sums.items())
            if key
        ),
        note=note,
    )


def _all(sums: Iterable[_Sum]) -> _Sum:
    total = _ZERO
    for each in sums:
        total += each
    return total
