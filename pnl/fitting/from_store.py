"""Purchases from the store: the orders that are worth more than nothing after their refunds.

Law: one currency at a time; guests are nobody's repeat purchase, so only orders with a customer
count. Days are those of the reporting zone. An order refunded in full is no purchase, from the
start: when it was refunded does not matter.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from processors.purchases import Purchases, purchases

CUSTOMERS_MAX: Final = 200_000
"""Of more, every n-th by a hash of the name stands for all."""

IS_PURCHASE: Final = (
    "net_minor > 0 AND currency = {currency:String}"
    " AND customer_id NOT IN (SELECT customer_id FROM v_orders WHERE NOT identified)"
)
"""Rows of v_attributions that are purchases of a known customer."""


class Queryable(Protocol):
    """What a store must do for us: run one SELECT with parameters."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows, each by column name."""
        ...


def stored_purchases(
    store: Queryable, currency: str, timezone: str, customers_max: int = CUSTOMERS_MAX
) -> Purchases:
    """Return the purchase days of the books in one currency, of about so many customers."""
    parameters: dict[str, Any] = {"currency": currency, "zone": timezone}
    (counted,) = store.query(
        "SELECT uniqExact(cityHash64(customer_id)) AS customers FROM v_attributions"
        f" WHERE {IS_PURCHASE}",
        parameters,
    )
    parameters["step"] = max(1, -(-int(counted["customers"]) // customers_max))
    # One row of arrays: a row a purchase would be taken apart name by name.
    (found,) = store.query(
        "SELECT groupArray(customer_id) AS who, groupArray(day) AS days,"
        " groupArray(at_ms) AS times, groupArray(minor) AS amounts FROM ("
        "SELECT customer_id, toInt32(toDate(occurred_at, {zone:String})) AS day,"
        " toInt64(toUnixTimestamp64Milli(min(occurred_at))) AS at_ms,"
        " toInt64(sum(net_minor)) AS minor"
        f" FROM v_attributions WHERE {IS_PURCHASE}"
        " AND cityHash64(customer_id) % {step:UInt32} = 0"
        " GROUP BY customer_id, day)",
        parameters,
    )
    return purchases(found["who"], found["times"], found["days"], found["amounts"])
