"""The answer to `pnl fit`: the model of the books, as the text of its file."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from pnl.errors import UserError
from pnl.fitting.churn import fit_churn
from pnl.fitting.from_store import Queryable, stored_purchases
from pnl.fitting.told import model_as_json
from pnl.reports.period import day_number, local_date
from processors.policy import Policy
from streams.currencies import EXPONENTS
from streams.facts import Millis


def fitted(store: Queryable, policy: Policy, as_of: Millis | None, args: Mapping[str, Any]) -> str:
    """Fit on what the books hold up to the end of a day; UserError without any purchase."""
    currency = args["currency"] or policy.currency
    if currency not in EXPONENTS:
        raise UserError(f"--currency {currency!r} is no ISO 4217 code such as GBP.")
    bought = stored_purchases(store, currency, policy.timezone)
    if as_of is None or not len(bought):
        raise UserError(f"The books hold no purchase of a known customer in {currency}.")
    given = args["as_of"]
    last = local_date(as_of, policy.zone) if given is None else date.fromisoformat(given)
    day = day_number(last)
    if day < int(bought.day.min()):
        raise UserError(f"--as-of {last}: nobody had bought anything by then.")
    found = model_as_json(fit_churn(bought, day, int(args["horizon"])), currency)
    return json.dumps(found, indent=1)
