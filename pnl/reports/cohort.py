"""Chains and their money: the cohort that every figure per contact is made of.

Law: a chain stands in the period and row of its own end (RUL-COHORT), with all that was booked
for it, whenever that became effective. A chain's record holds its credit, fee and cost so far,
and the laws of the stored data prove it equal to the ledger. So the record is read where it says
enough (adding up a million records takes a fiftieth of grouping their entries), and the ledger
where it does not: for another currency than the reporting one, or for one product class.

A chain's net credit is what orders brought it, refunds taken off; the fee of a paid call is not
part of it (RUL-RPC). Its cost is C1 + C3 + the C4 that names it, negative.
"""

from typing import Final

from pnl.reports.model import CONTACT_DIMENSIONS, Scope
from pnl.reports.sql import COLUMN_OF, Bounds, Where, during, filtered
from processors.statement import ORDER_LINES

CHAIN_COST_LINES: Final = ("C1", "C3", "C4")


def chains_of(scope: Scope, bounds: Bounds) -> Where:
    """Return the condition for the chains of a scope: by their end and their dimensions."""
    return filtered(during(Where(), "ended_at", bounds), scope, CONTACT_DIMENSIONS)


def with_money(
    where: Where, scope: Scope, columns: str, reporting_currency: str
) -> tuple[str, dict[str, object]]:
    """Return a query of chains with their money, and its parameters.

    It gives the columns named, and `credit`, `fee`, `cost` in the scope's currency. A filter by
    product class limits the credit: fees and costs belong to no class.
    """
    if scope.currency != reporting_currency or scope.product_class:
        return _from_ledger(where, scope, columns)
    is_costed = "cost_currency = {currency:String}"
    sql = (
        f"SELECT {columns},"
        " toInt128(credits_minor[indexOf(credit_currencies, {currency:String})]) AS credit,"
        f" toInt128(if({is_costed}, fee_minor, 0)) AS fee,"
        f" toInt128(if({is_costed}, cost_minor, 0)) AS cost"
        f" FROM v_contacts WHERE {where}"
    )
    return sql, {**where.parameters, "currency": scope.currency}


def _from_ledger(where: Where, scope: Scope, columns: str) -> tuple[str, dict[str, object]]:
    sold = "order_id != ''"
    if scope.product_class:
        sold += f" AND has({{classes:Array(String)}}, {COLUMN_OF['product_class']})"
    is_cost = "has({cost_lines:Array(String)}, line)"
    money = (
        "SELECT contact_id, customer_id,"
        f" sumIf(toInt128(amount_minor), NOT {is_cost} AND {sold}) AS credit,"
        f" sumIf(toInt128(amount_minor), NOT {is_cost} AND order_id = '') AS fee,"
        f" sumIf(toInt128(amount_minor), {is_cost}) AS cost"
        " FROM v_ledger WHERE currency = {currency:String}"
        " AND line IN {money_lines:Array(String)} AND contact_id != ''"
        f" AND contact_id IN (SELECT contact_id FROM v_contacts WHERE {where})"
        " GROUP BY contact_id, customer_id"
    )
    sql = (
        f"SELECT {columns}, credit, fee, cost"
        f" FROM (SELECT * FROM v_contacts WHERE {where}) AS chains"
        f" LEFT JOIN ({money}) AS money USING (contact_id, customer_id)"
    )
    return sql, {
        **where.parameters,
        "currency": scope.currency,
        "classes": list(scope.product_class),
        "money_lines": [*ORDER_LINES, *CHAIN_COST_LINES],
        "cost_lines": list(CHAIN_COST_LINES),
    }
