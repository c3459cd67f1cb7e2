"""What revenue per contact is counted from: the queries behind both of its views.

Law: a key holds the chains that ended in it, every one, with an order or without, of known
customers or not; and a case stands in every row in which one of its chains stands (RUL-COHORT).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pnl.reports.cohort import CHAIN_COST_LINES, chains_of, with_money
from pnl.reports.grouping import Key, grouped, key_columns, keyed, local_day
from pnl.reports.incremental import SEGMENT, Thetas
from pnl.reports.sheet import Asking
from pnl.reports.sql import COLUMN_OF, Where, filtered, in_currency, in_ledger_during, instant
from processors.statement import ORDER_LINES

_CHAIN_COLUMNS: Final = (
    "contact_id, customer_id, case_id, ended_at, matures_at, handled, abandoned,"
    " queue, team, agent_id, channel, reason, kind"
)
_COUNTS: Final = (
    "countIf(handled) AS handled_n, countIf(abandoned AND NOT handled) AS abandoned_n,"
    f" countIf(handled AND matures_at <= {instant('as_of')}) AS matured_n,"
    f" countIf(matures_at > {instant('as_of')}) AS young_n,"
    " maxOrNull(toUnixTimestamp64Milli(ended_at)) AS newest_ms,"
    " sum(credit) AS credit_sum, sum(fee) AS fee_sum, sum(cost) AS cost_sum,"
    " sumIf(credit * credit, handled) AS square_sum"
)


@dataclass(frozen=True, slots=True)
class RevenueQuestion:
    """What is asked, read and checked."""

    asking: Asking
    view: str
    per: str
    interval: str
    seed: int
    thetas: Thetas

    @property
    def by(self) -> tuple[str, ...]:
        """The dimensions of the rows."""
        return self.asking.by

    def with_by(self, *by: str) -> "RevenueQuestion":
        """Return the same question by other dimensions."""
        return replace(self, asking=replace(self.asking, by=by))

    @property
    def one(self) -> str:
        """What the figures are per, in words."""
        return "contact" if self.per == "contact" else "case"


def chains(question: RevenueQuestion) -> tuple[str, dict[str, object]]:
    """Return the query of what is counted: chains with their money, or cases in each row.

    A case stands in every row that one of its chains stands in, with these chains' money
    (RUL-COHORT).
    """
    asking = question.asking
    where = chains_of(asking.scope, asking.bounds)
    sql, parameters = with_money(where, asking.scope, _CHAIN_COLUMNS, asking.policy.currency)
    parameters |= {"as_of": asking.as_of or 0, "zone": asking.policy.timezone}
    keys = key_columns(question.by, local_day("ended_at"))
    if question.per == "contact":
        return f"SELECT {keys}* FROM ({sql})", parameters
    places = [f"key_{place}" for place in range(len(question.by))]
    case = "if(case_id = '', contact_id, case_id)"
    listed = ", ".join([*places, "customer_id", f"{case} AS touch", "case_id = '' AS is_alone"])
    return (
        f"SELECT {listed}, max(handled) AS handled, max(abandoned) AS abandoned,"
        " max(matures_at) AS matures_at, max(ended_at) AS ended_at,"
        " sum(credit) AS credit, sum(fee) AS fee, sum(cost) AS cost"
        f" FROM (SELECT {keys}* FROM ({sql})) GROUP BY"
        f" {', '.join([*places, 'customer_id', 'touch', 'is_alone'])}"
    ), parameters


def counted(question: RevenueQuestion) -> dict[Key, dict[str, Any]]:
    """Return counts and sums by key; without dimensions there is always one row."""
    sql, parameters = chains(question)
    by = question.by
    places = "".join(f"key_{place}, " for place in range(len(by)))
    found = question.asking.store.query(
        f"SELECT {places}{_COUNTS} FROM ({sql}){grouped(by)}", parameters
    )
    return keyed(by, found)


def by_customer(
    question: RevenueQuestion, by: tuple[str, ...]
) -> dict[Key, tuple[list[int], list[int], list[int]]]:
    """Return credits, handled, and how many customers have both like this, by key."""
    sql, parameters = chains(question.with_by(*by))
    places = "".join(f"key_{place}, " for place in range(len(by)))
    each = (
        f"SELECT {places}customer_id, sum(credit) AS credit_sum, countIf(handled) AS handled_n"
        f" FROM ({sql}) GROUP BY {places}customer_id"
    )
    rows = question.asking.store.query(
        f"SELECT {places}credit_sum, handled_n, count() AS customers FROM ({each})"
        " WHERE handled_n > 0 OR credit_sum != 0"
        f" GROUP BY {places}credit_sum, handled_n ORDER BY {places}credit_sum, handled_n",
        parameters,
    )
    found: dict[Key, tuple[list[int], list[int], list[int]]] = {}
    for row in rows:
        key = tuple(row[f"key_{place}"] for place in range(len(by)))
        above, below, customers = found.setdefault(key, ([], [], []))
        above.append(row["credit_sum"])
        below.append(row["handled_n"])
        customers.append(row["customers"])
    return found


def after_contacts(question: RevenueQuestion) -> dict[Key, list[tuple[Mapping[str, str], int]]]:
    """Return the credits for orders after contacts by key and segment; those have a theta."""
    if not question.thetas:
        return {}
    asking = question.asking
    sql, parameters = chains(replace(question, per="contact"))
    places = "".join(f"key_{place}, " for place in range(len(question.by)))
    classes = ""
    if asking.scope.product_class:
        classes = " AND has({classes:Array(String)}, class)"
        parameters["classes"] = list(asking.scope.product_class)
    credited = (
        "SELECT customer_id, credit_contact_ids AS contact_id, toInt128(credits_minor) AS earned"
        " FROM v_attributions ARRAY JOIN credit_contact_ids, credit_classes AS class, credits_minor"
        f" WHERE currency = {{currency:String}} AND sold_in = ''{classes}"
    )
    listed = f"{places}{', '.join(COLUMN_OF[name] for name in SEGMENT)}"
    rows = asking.store.query(
        f"SELECT {listed}, sum(earned) AS earned FROM ({sql}) AS chains"
        f" INNER JOIN ({credited}) AS credited USING (contact_id, customer_id) GROUP BY {listed}",
        {**parameters, "currency": asking.scope.currency},
    )
    found: dict[Key, list[tuple[Mapping[str, str], int]]] = {}
    for row in rows:
        key = tuple(row[f"key_{place}"] for place in range(len(question.by)))
        values = {name: row[COLUMN_OF[name]] for name in SEGMENT}
        found.setdefault(key, []).append((values, row["earned"]))
    return found


def effective(question: RevenueQuestion) -> dict[Key, dict[str, Any]]:
    """Return what became effective for contacts, by key: credit, fee, cost."""
    asking, by = question.asking, question.by
    scope = asking.scope
    where = in_ledger_during(in_currency(Where(), scope.currency), asking.bounds)
    where = filtered(where, scope).also(
        "contact_id != '' AND line IN {money_lines:Array(String)}",
        money_lines=[*ORDER_LINES, *CHAIN_COST_LINES],
    )
    is_cost = "has({cost_lines:Array(String)}, line)"
    found = asking.store.query(
        f"SELECT {key_columns(by, local_day('effective_at'))}"
        f"sumIf(toInt128(amount_minor), NOT {is_cost} AND order_id != '') AS credit,"
        f" sumIf(toInt128(amount_minor), NOT {is_cost} AND order_id = '') AS fee,"
        f" sumIf(toInt128(amount_minor), {is_cost}) AS cost"
        f" FROM v_ledger WHERE {where}{grouped(by)}",
        {
            **where.parameters,
            "zone": asking.policy.timezone,
            "cost_lines": list(CHAIN_COST_LINES),
        },
    )
    return keyed(by, found)
