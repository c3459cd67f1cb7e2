"""Reports in another currency: every entry converted by itself, at the rate of its order's day.

Law (DEF-FX): an entry of an order is converted at the rate of that order's local day, a refund of
it too; any other at the rate of its own day. Each is rounded once, half to even, from exact
integers, so lines are sums of what their entries became, by any dimension. What has no rate is
null and counted, never converted at 1. What a refund's own day would have made of it, less what
its order's day made of it, is the exchange difference; it belongs to treasury and stands apart.

The rate of a day is the one imported for the pair; else the inverse of the opposite pair; else
the quotient of two rates that share a base. Nothing is carried over from another day.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pnl.reports.sql import Queryable, Row
from streams.currencies import EXPONENTS

_LEDGER: Final = "v_ledger"
_VECTORS: Final = "v_attributions"
_ROLLUP: Final = "rollup"
_ONE: Final = 10**10
_TO: Final = "{fx_to:String}"
_POWER: Final = (
    "toInt256(intExp10(transform({currency}, {{fx_codes:Array(String)}},"
    " {{fx_exponents:Array(UInt8)}}, 0)))"
)
_POWER_TO: Final = _POWER.format(currency=_TO)


def _rates() -> str:
    """Return the query of (currency, day, num, den): one minor unit is num / den of ours."""
    direct = (
        f"SELECT base AS currency, day, toInt256(rate_e10) * {_POWER_TO} AS num,"
        f" toInt256({_ONE}) * {_POWER.format(currency='base')} AS den, (1, '') AS place"
        f" FROM v_rates WHERE quote = {_TO}"
    )
    inverse = (
        f"SELECT quote AS currency, day, toInt256({_ONE}) * {_POWER_TO} AS num,"
        f" toInt256(rate_e10) * {_POWER.format(currency='quote')} AS den, (2, '') AS place"
        f" FROM v_rates WHERE base = {_TO}"
    )
    crossed = (
        f"SELECT ours.quote AS currency, day, toInt256(theirs.rate_e10) * {_POWER_TO} AS num,"
        f" toInt256(ours.rate_e10) * {_POWER.format(currency='ours.quote')} AS den,"
        " (3, toString(base)) AS place"
        f" FROM (SELECT * FROM v_rates WHERE quote != {_TO}) AS ours"
        f" INNER JOIN (SELECT * FROM v_rates WHERE quote = {_TO}) AS theirs USING (base, day)"
    )
    return (
        "SELECT currency, day, argMin(num, place) AS num, argMin(den, place) AS den FROM ("
        f"SELECT toString(currency) AS currency, day, num, den, place FROM ({direct})"
        f" UNION ALL SELECT toString(currency), day, num, den, place FROM ({inverse})"
        f" UNION ALL SELECT toString(currency), day, num, den, place FROM ({crossed}))"
        f" WHERE currency != {_TO} GROUP BY currency, day"
    )


def _named(rate: str) -> str:
    """Return the rates with names of their own, so that none is meant by two."""
    day = "own_rate_day" if rate == "own" else f"{rate}_day"
    return (
        f"SELECT currency AS {rate}_currency, day AS {day}, num AS {rate}_num, den AS {rate}_den"
        f" FROM ({_rates()})"
    )


def _converted(amount: str, rate: str) -> str:
    """Return an amount at a rate, half to even; 0 without a rate (`den` is 0 then)."""
    size = f"abs(toInt256({amount})) * {rate}_num"
    den = f"greatest({rate}_den, 1)"
    quotient = f"intDiv({size}, {den})"
    twice = f"2 * ({size} - {quotient} * {den})"
    up = f"({twice} > {den} OR ({twice} = {den} AND {quotient} % 2 = 1))"
    return (
        f"multiIf(is_ours, {amount}, {rate}_den = 0, toInt64(0),"
        f" toInt64(sign({amount}) * ({quotient} + {up})))"
    )


def _day(time: str) -> str:
    return f"toInt32(toDate32(toTimeZone({time}, {{fx_zone:String}})))"


def converted_ledger() -> str:
    """Return the query that stands for `v_ledger`, with all amounts in one currency.

    `own_day_minor` is what the day of the entry itself would have made of it. Where there was no
    rate (`unrated`, `own_day_unrated`) an amount is 0: who adds them up must count these, and
    show null instead of a sum that has one.
    """
    orders = (
        "SELECT order_id AS sale_id, customer_id AS sale_customer,"
        f" {_day('occurred_at')} AS order_day FROM v_orders"
        f" WHERE currency != {_TO}"
    )
    dated = (
        f"SELECT entry.*, entry.currency = {_TO} AS is_ours,"
        f" {_day('entry.effective_at')} AS own_day,"
        " if(sale_id != '', order_day, own_day) AS rate_day,"
        " toString(entry.currency) AS currency_text, entry.amount_minor AS booked_minor"
        f" FROM {_LEDGER} AS entry LEFT JOIN ({orders}) AS sale"
        " ON entry.order_id = sale_id AND entry.customer_id = sale_customer"
    )
    rated = (
        f"SELECT * FROM ({dated}) AS dated"
        f" LEFT JOIN ({_named('at')}) AS at ON currency_text = at_currency AND rate_day = at_day"
        f" LEFT JOIN ({_named('own')}) AS own"
        " ON currency_text = own_currency AND own_day = own_rate_day"
    )
    variance = (
        "multiIf(is_ours, toInt64(variance_minor2), at_den = 0, toInt64(0), toInt64(round("
        "toFloat64(variance_minor2) * pow(toFloat64(at_num) / toFloat64(at_den), 2))))"
    )
    return (
        f"SELECT * REPLACE ({_converted('amount_minor', 'at')} AS amount_minor,"
        f" {_converted('spread_minor', 'at')} AS spread_minor,"
        f" {variance} AS variance_minor2, {_TO} AS currency),"
        f" {_converted('booked_minor', 'own')} AS own_day_minor,"
        " NOT is_ours AND at_den = 0 AS unrated, NOT is_ours AND own_den = 0 AS own_day_unrated"
        f" FROM ({rated})"
    )


def converted_attributions() -> str:
    """Return the query that stands for `v_attributions`, with all amounts in one currency.

    Each class and each credit is converted by itself at the rate of the order's day; what rounding
    leaves between them is unattributed. Where there was no rate (`unrated`) all amounts are 0.
    """
    dated = (
        f"SELECT vector.*, vector.currency = {_TO} AS is_ours,"
        " toString(vector.currency) AS currency_text,"
        f" {_day('vector.occurred_at')} AS order_day FROM {_VECTORS} AS vector"
    )
    rated = (
        f"SELECT * FROM ({dated}) AS dated"
        f" LEFT JOIN ({_named('at')}) AS at ON currency_text = at_currency AND order_day = at_day"
    )
    each = {
        name: f"arrayMap(each -> toInt64({_converted('each', 'at')}), {name})"
        for name in ("credits_minor", "class_gross_minor", "class_net_minor")
    }
    net = f"toInt64(arraySum({each['class_net_minor']}))"
    listed = ", ".join(f"{value} AS {name}" for name, value in each.items())
    return (
        f"SELECT * REPLACE ({listed}, {net} AS net_minor, {_TO} AS currency,"
        f" toInt64(arraySum({each['class_gross_minor']})) AS gross_minor,"
        f" {net} - toInt64(arraySum({each['credits_minor']})) AS unattributed_minor),"
        f" NOT is_ours AND at_den = 0 AS unrated FROM ({rated})"
    )


class ConvertedLedger:
    """A store whose ledger and credit vectors are in one currency; all else is as it is.

    Roll-ups are sums of amounts as they were booked, so for us there are none.
    """

    def __init__(self, store: Queryable, currency: str, timezone: str) -> None:
        self._store = store
        self._ours = {
            _LEDGER: f"({converted_ledger()})",
            _VECTORS: f"({converted_attributions()})",
        }
        self._known: dict[str, Any] = {
            "fx_to": currency,
            "fx_zone": timezone,
            "fx_codes": list(EXPONENTS),
            "fx_exponents": list(EXPONENTS.values()),
        }

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Return the rows of a SELECT, those of `v_ledger` in our currency."""
        if _ROLLUP in sql:
            return []
        return self._store.query(self._rewritten(sql), {**(parameters or {}), **self._known})

    def integers(
        self, columns: Sequence[str], rows: str, parameters: Mapping[str, Any] | None = None
    ) -> NDArray[np.int64]:
        """Return integer expressions over such rows as a matrix, a row per row."""
        assert _ROLLUP not in rows
        known = {**(parameters or {}), **self._known}
        return self._store.integers(columns, self._rewritten(rows), known)

    def _rewritten(self, sql: str) -> str:
        return re.sub(rf"\b({_LEDGER}|{_VECTORS})\b", lambda found: self._ours[found[1]], sql)
