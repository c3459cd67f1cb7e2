"""The answer to `pnl fit`: the model of the books, as the text of its file."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pnl.errors import UserError
from pnl.fitting.churn import KINDS, ChurnFit, Kind, fit_churn, observed_only
from pnl.fitting.from_store import Queryable, stored_purchases
from pnl.fitting.judging import assert_worth_keeping, judged
from pnl.fitting.model_file import ModelFile, text_of
from pnl.fitting.signals import learnt_signals
from pnl.fitting.told import model_file
from pnl.reports.period import day_number, local_date
from processors.policy import Policy
from processors.purchases import Purchases
from streams.currencies import EXPONENTS
from streams.facts import Millis


def fitted(store: Queryable, policy: Policy, as_of: Millis | None, args: Mapping[str, Any]) -> str:
    """Fit on what the books hold up to the end of a day, and judge it by the past.

    UserError without any purchase; CheckFailed if it ranks worse than no model, unless it is
    forced.
    """
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
    horizon = int(args["horizon"])
    if args.get("observed"):
        fit = observed_only(bought, day, horizon, "asked for what was observed")
        return text_of(model_file(fit, currency))
    kind = KINDS[args.get("model", "bgnbd")]
    fit = fit_churn(bought, day, horizon, kind)
    return text_of(_kept(store, policy, bought, fit, currency, kind, bool(args.get("force"))))


def _kept(
    store: Queryable,
    policy: Policy,
    bought: Purchases,
    fit: ChurnFit,
    currency: str,
    kind: Kind,
    force: bool,
) -> ModelFile:
    """Return the fit with what its signals weigh and what its kind was worth."""
    worth = None
    if fit.repeat is not None:
        worth = judged(bought, fit.day, fit.horizon_days, kind)
        if not force:
            assert_worth_keeping(worth)
    signals = learnt_signals(store, bought, fit, policy)
    return model_file(fit, currency, signals=signals, judged=worth)
