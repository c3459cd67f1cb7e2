"""The memo beside the statement, and the two ways of arriving at net order revenue.

Law: A - fees + deferred + M1 + M9 = M2, and M2 equals what the order facts alone add up to
(RUL-M1). All of it is company-wide: it says how the whole of the order revenue was dealt with,
so filters by dimension do not touch it; only period and currency do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pnl.reports.accrual import (
    NO_DAY,
    RANGE_EARNED,
    TERM_LENGTH,
    Days,
    earned_between,
    spread_entries,
)
from pnl.reports.cohort_sums import memo_counts, orders_by_kind
from pnl.reports.model import Bridge, Memo, MemoName, Payroll, Reconciliation, Scope, Unbooked
from pnl.reports.sql import (
    Bounds,
    Queryable,
    Row,
    Where,
    during,
    in_currency,
    in_ledger_during,
    instant,
)
from pnl.reports.sums import plain_sums
from processors.money import PPM, divide_half_even
from processors.results import ADJUSTMENT, NET, ORPHAN, PAYROLL, UNATTRIBUTED, UNBOOKED
from processors.statement import BOOKED_NAMES, LINE
from streams.facts import Millis

FEE_LINES: Final = ["A2a", "A2b", "A2c"]
SHIFT_MS_MAX: Final = 86_400_000
_SALES: Final = ("sale",)
_ADJUSTMENTS: Final = ("adjustment",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanySums:
    """Company-wide sums of a period and currency, all entries counted whole but `earned`.

    `plain` has what the entries that are not spread add up to, by statement line; `spread` what
    those that are earned on the days of the period.
    """

    plain: Mapping[str, int]
    spread: Mapping[str, int]
    revenue: int
    fees: int
    earned: int
    put_off: int
    deferred: int
    unattributed: int
    orphans: int
    adjustments: int
    net: int
    payroll: int
    unbooked: tuple[Unbooked, ...]

    def bridge(self) -> Bridge:
        """Return the way from A to M2."""
        return Bridge(
            a_minor=self.revenue + self.earned,
            fees_minor=self.fees,
            deferred_minor=self.put_off - self.earned,
            unattributed_minor=self.unattributed + self.orphans,
            adjustments_minor=self.adjustments,
            net_minor=self.net,
        )

    @property
    def credits(self) -> int:
        """What orders brought to the lines A, refunds taken off, terms counted whole."""
        return self.revenue - self.fees + self.put_off


def company_sums(store: Queryable, scope: Scope, bounds: Bounds, days: Days | None) -> CompanySums:
    """Return the sums that memo and bridge are made of; `days` are those that may be earned."""
    where = in_ledger_during(in_currency(Where(), scope.currency), bounds)
    company = Scope(currency=scope.currency)
    plain = {row["line"]: row["total"] for row in plain_sums(store, company, bounds)}
    control = {
        name: plain.get(name, 0) for name in (UNATTRIBUTED, ORPHAN, ADJUSTMENT, NET, PAYROLL)
    }
    terms = _terms(store, scope, bounds, days)
    sold = [each for each in terms if _is_revenue(each.line)]
    return CompanySums(
        plain={line: amount for line, amount in plain.items() if line in BOOKED_NAMES},
        spread={each.line: each.earned for each in terms},
        revenue=sum(amount for line, amount in plain.items() if _is_revenue(line)),
        fees=_fees(store, where),
        earned=sum(each.earned for each in sold),
        put_off=sum(each.booked for each in sold),
        deferred=sum(each.deferred for each in sold),
        unattributed=control[UNATTRIBUTED],
        orphans=control[ORPHAN],
        adjustments=control[ADJUSTMENT],
        net=-control[NET],
        payroll=control[PAYROLL],
        unbooked=unbooked_costs(store, where),
    )


def _is_revenue(line: str) -> bool:
    return line in LINE and LINE[line].total == "A"


def _fees(store: Queryable, where: Where) -> int:
    """Return what contacts were charged: what stands on the fee lines without an order."""
    where = where.also("line IN {fee_lines:Array(String)} AND order_id = ''", fee_lines=FEE_LINES)
    (row,) = store.query(
        f"SELECT sum(toInt128(amount_minor)) AS total FROM v_ledger WHERE {where}",
        where.parameters,
    )
    return int(row["total"])


def unbooked_costs(store: Queryable, where: Where) -> tuple[Unbooked, ...]:
    """Return the costs that no line takes yet, by kind, zeros left out."""
    where = where.also("line = {unbooked:String}", unbooked=UNBOOKED)
    rows = store.query(
        "SELECT kind, sum(toInt128(amount_minor)) AS total"
        f" FROM v_ledger WHERE {where} GROUP BY kind HAVING total != 0 ORDER BY kind",
        where.parameters,
    )
    return tuple(Unbooked(kind=row["kind"], amount_minor=row["total"]) for row in rows)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What amounts with a term come to on a line: booked and earned in the range, and M5 of it."""

    line: str
    booked: int
    earned: int
    deferred: int


def _terms(store: Queryable, scope: Scope, bounds: Bounds, days: Days | None) -> list[_Terms]:
    """Return what amounts with a term come to, by line, in one look at all of them.

    M5, the balance at the range's end, is what was booked before that moment less what its days
    had earned by then, sold or not: a term that began before its sale makes it negative (RUL-MEMO).
    """
    where = in_currency(spread_entries(), scope.currency)
    counted = during(Where(), "effective_at", bounds)
    days = days or Days(NO_DAY, NO_DAY, NO_DAY)
    sql = (
        f"WITH {TERM_LENGTH} AS days"
        f" SELECT line, sumIf(toInt128(amount_minor), {counted}) AS booked,"
        f" sum({RANGE_EARNED}) AS earned,"
        f" sumIf(toInt128(amount_minor), effective_at < {instant('end_at')})"
        f" - sum({earned_between('{no_day:Int64}', '{day_end:Int64}')}) AS deferred"
        f" FROM v_ledger WHERE {where} GROUP BY line"
    )
    known = {"day_first": days.start, "day_end": days.end, "no_day": NO_DAY, "end_at": days.end_at}
    rows = store.query(sql, {**where.parameters, **counted.parameters, **known})
    return [_Terms(row["line"], row["booked"], row["earned"], row["deferred"]) for row in rows]


def ppm(part: int, whole: int) -> int | None:
    """Return a share in parts per million, half to even; None without a whole."""
    return None if whole == 0 else divide_half_even(part * PPM, whole)


def memo(
    store: Queryable, company: CompanySums, bounds: Bounds, as_of: Millis | None
) -> tuple[Memo, ...]:
    """Return M1 to M9."""
    chains = memo_counts(store, bounds, as_of)
    lost = company.unattributed + company.orphans
    return (
        _amount("M1", "Unattributed revenue", lost),
        _amount("M2", "Company net revenue", company.net),
        _share("M3", "Coverage", ppm(company.credits, company.net)),
        _missed(chains),
        _amount("M5", "Deferred revenue", company.deferred),
        _share("M6", "Unidentified contacts", ppm(chains["unidentified_n"], chains["n"])),
        _share("M7", "Matured contacts", ppm(chains["matured_n"], chains["handled_n"])),
        _amount("M8", "Orphan refunds", company.orphans),
        _amount("M9", "Adjustments", company.adjustments),
    )


def _missed(chains: Row) -> Memo:
    """Return M4: offers that were eligible and not made, or made and not accepted."""
    known = chains["offering_n"] > 0
    parts = (("not offered", chains["unoffered"]), ("not accepted", chains["declined"]))
    return Memo(
        memo="M4",
        title="Missed opportunities",
        unit="count",
        value=sum(count for _, count in parts) if known else None,
        note="" if known else "no contact says what could have been offered",
        parts=parts if known else (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Payroll of a range, company-wide; how many payments there were, and how many were shifts."""

    payments: int
    shifts: int
    payroll: Payroll | None

    def empty_because(self) -> dict[str, str]:
        """Return why a line that payroll is the base of may hold nothing."""
        waiting = "not worked out yet"
        return {
            "C2": waiting if self.shifts else "no shifts are booked",
            "C7": waiting if self.payments else "no payroll is booked",
        }


def paid(store: Queryable, company: CompanySums, scope: Scope, bounds: Bounds) -> Paid:
    """Return what the range's payroll was, and what the lines made of it come to.

    A shift is payroll that names an agent and hours, 24 at most.
    """
    where = during(in_currency(Where(), scope.currency), "occurred_at", bounds)
    where = where.also("kind = 'payroll'")
    (row,) = store.query(
        "SELECT count() AS payments, countIf(agent_id != '' AND isNotNull(period_end)"
        f" AND ifNull(dateDiff('ms', period_start, period_end), {SHIFT_MS_MAX} + 1)"
        f" <= {SHIFT_MS_MAX}) AS shifts FROM v_costs WHERE {where}",
        where.parameters,
    )
    lines = sum(company.plain.get(line, 0) for line in ("C1", "C2", "C7"))
    payroll = Payroll(paid_minor=company.payroll, in_lines_minor=lines)
    known = bool(row["payments"] or company.payroll)
    return Paid(payments=row["payments"], shifts=row["shifts"], payroll=payroll if known else None)


def _amount(name: MemoName, title: str, amount_minor: int) -> Memo:
    return Memo(memo=name, title=title, unit="amount_minor", value=amount_minor)


def _share(name: MemoName, title: str, value: int | None) -> Memo:
    return Memo(memo=name, title=title, unit="ppm", value=value)


def reconciliation(store: Queryable, scope: Scope, bounds: Bounds) -> Reconciliation:
    """Return net order revenue from the order facts, without a look at the ledger."""
    effect = orders_by_kind(store, scope, bounds)
    orders = sum(effect.pop(kind, 0) for kind in _SALES)
    adjustments = sum(effect.pop(kind, 0) for kind in _ADJUSTMENTS)
    return Reconciliation(
        orders_minor=orders, refunds_minor=sum(effect.values()), adjustments_minor=adjustments
    )
