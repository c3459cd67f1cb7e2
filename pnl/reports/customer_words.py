"""What the figures of the report on customers mean, and the sentences that stand under it."""

from collections.abc import Mapping
from typing import Final

from pnl.reports.customer_books import Question
from pnl.reports.period import date_of

DEFINITIONS: Final[Mapping[str, str]] = {
    "CUS-CUSTOMER": "Customers with at least one order that is worth more than nothing after its"
    " refunds; those who were only in contact stand under `no order`.",
    "CUS-RELATION": "new: the first purchase lies in the range; existing: before it.",
    "CUS-FREQUENCY": "Purchases after the first, up to the moment; the orders of one local day"
    " are one purchase.",
    "CUS-ACTIVE": "Customers who bought in the last days of the horizon (90 unless set).",
    "CUS-NEW": "Customers whose first purchase lies in the range.",
    "CUS-REVENUE": "What their orders of the range brought, refunds taken off.",
    "CUS-REPEAT": "Repeat-purchase rate: customers who bought on a second day or more, as a share"
    " of customers; with the interval of Wilson.",
    "CUS-CONTACT": "Handled contacts of the range, and the share of customers who had one.",
    "CUS-AT-RISK": "Value at risk: risk x lifetime value, summed. Its interval is that of the"
    " value; risk is taken as calibrated.",
    "CUS-LOSS": "What losing one customer costs: the mean lifetime value. It is booked nowhere;"
    " the retention credit D1 has the negative side of contacts.",
    "CUS-REPLACE": "Replacement cost: what winning a new customer costs, a setting"
    " ([customers] acquisition_cost_minor); null if it is not set.",
    "CUS-COHORT": "Customers by the month of their first purchase.",
    "CUS-RETAINED": "Retention curve: customers of the cohort who bought in the month that lies"
    " so many after their first, as a share of the cohort; only months that are over.",
    "CUS-SAVED": "Save rate: customers who bought within the horizon after a handled contact of"
    " kind `save`, as a share of such contacts whose horizon has passed; null below 30.",
    "CUS-EXPECTED": "What the same share would be without the contact: that of the control arm"
    " of an experiment, else what the risk just before the contact says.",
    "DEF-RISK": "P(no order worth something within the horizon | what is known at the moment),"
    " calibrated on labels that have matured; null without an order.",
    "DEF-CLV": "Discounted standard margin of the months after the moment: purchases expected"
    " (BG/NBD) x what a purchase brings (Gamma-Gamma) x margin; 95 % interval of the fitted"
    " parameters, single customers stray further.",
    "DEF-SAVE": "(share with the contact - share without) x margin at stake - what the offers"
    " cost, per contact. Who would have stayed anyway is no save.",
}


def notes(asked: Question, valued: bool) -> tuple[str, ...]:
    """Return what a reader of estimates has to know."""
    fit = asked.fit
    if fit is None:
        return ("No customer had bought by then, so there is nothing to estimate from.",)
    terms = (
        f"Value counts {asked.months} months at {asked.discount_per_month * 100:g} % discount a"
        f" month and a standard margin of {asked.margin * 100:.1f} %."
    )
    found = [terms]
    if asked.kept is not None:
        found.append(
            f"Models: {asked.kept.name}, kept by `pnl fit churn` from {asked.kept.customers}"
            " customers."
        )
    if not valued:
        found.append(f"Value cannot be told: {fit.reason or 'the data do not determine it'}.")
    learnt = fit.learnt
    if fit.repeat is None:
        found.append(
            "Risk is what was observed (Kaplan-Meier by repeats), null where too few were."
        )
    elif learnt is None:
        found.append("Risk is the model's own: no labels have matured to calibrate it on.")
    else:
        found.append(
            f"Risk over {asked.horizon_days} days was calibrated on {learnt.customers} customers"
            f" known on {date_of(learnt.day)} and what they did in {learnt.horizon_days} days."
        )
    return tuple(found)
