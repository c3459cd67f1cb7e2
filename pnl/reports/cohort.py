"""Chains and their money: the cohort that every figure per contact is made of.

Law: a chain stands in the period and row of its own end (RUL-COHORT), with all that the ledger
holds for it, whenever that became effective. Money is counted from the ledger, so what is shown
per contact and what the statement shows are the same entries.

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


def money_of(chains: str, scope: Scope) -> tuple[str, dict[str, object]]:
    """Return a query of `credit`, `fee`, `cost` per chain, in the scope's currency.

    `chains` is a query of the contact_ids to look at. A filter by product class limits the
    credit: fees and costs belong to no class.
    """
    parameters: dict[str, object] = {
        "currency": scope.currency,
        "money_lines": [*ORDER_LINES, *CHAIN_COST_LINES],
        "cost_lines": list(CHAIN_COST_LINES),
    }
    is_cost = "has({cost_lines:Array(String)}, line)"
    sold = "order_id != ''"
    if scope.product_class:
        parameters["classes"] = list(scope.product_class)
        sold += f" AND has({{classes:Array(String)}}, {COLUMN_OF['product_class']})"
    sql = (
        "SELECT contact_id, customer_id,"
        f" sumIf(toInt128(amount_minor), NOT {is_cost} AND {sold}) AS credit,"
        f" sumIf(toInt128(amount_minor), NOT {is_cost} AND order_id = '') AS fee,"
        f" sumIf(toInt128(amount_minor), {is_cost}) AS cost"
        " FROM v_ledger WHERE currency = {currency:String}"
        " AND line IN {money_lines:Array(String)}"
        f" AND contact_id != '' AND contact_id IN ({chains})"
        " GROUP BY contact_id, customer_id"
    )
    return sql, parameters


def with_money(where: Where, scope: Scope, columns: str) -> tuple[str, dict[str, object]]:
    """Return a query of chains with their money: the columns named, credit, fee, cost."""
    chains = f"SELECT contact_id FROM v_contacts WHERE {where}"
    money, parameters = money_of(chains, scope)
    sql = (
        f"SELECT {columns}, credit, fee, cost"
        f" FROM (SELECT * FROM v_contacts WHERE {where}) AS chains"
        f" LEFT JOIN ({money}) AS money USING (contact_id, customer_id)"
    )
    return sql, {**where.parameters, **parameters}
