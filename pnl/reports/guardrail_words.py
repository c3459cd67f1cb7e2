"""What each guardrail guards, and what its figures mean: behind `pnl report guardrails`."""

from collections.abc import Mapping
from typing import Final

from pnl.reports.service_words import WORDS as SERVICE_WORDS

WORDS: Final[Mapping[str, str]] = {
    name: SERVICE_WORDS[name] for name in ("RUL-DIMS", "KPI-CSAT", "KPI-OCC", "KPI-RESPONSE")
} | {
    "G-STATE": "ok, alert or unknown, each with its reason. Unknown is no all-clear.",
    "G-SPH": "Sales per hour ranks nobody. It is off; turned on it stands in the order of names,"
    " never by agent, beside refunds and satisfaction of the same contacts. Sold: products and"
    " upgrades sold in contacts, before refunds, per hour of talk, hold and wrap-up.",
    "G-PRESSURE": "More sales per contact at the cost of customers is pressure. Alert: sales per"
    " contact up while refunds are up, or CSAT down, or risk up, each by the 95 % interval of its"
    " change against the period before (Newcombe for shares); 30 cases on either side.",
    "G-SALES": "Credit for products and upgrades (A1a, A1b, A4) within the days given after each"
    " handled contact, before refunds / handled contacts old enough.",
    "G-REFUNDS": "Contacts that lost some of their sales credit again (A5) within the days given /"
    " contacts with sales credit.",
    "G-RISK": "How far the churn risk (DEF-RISK) of customers moved from just before a contact to"
    " the days given after it, on average; estimated, and only if it is asked for (`risk=on`). One"
    " model for both periods, fitted on what was known before them.",
    "G-JUDGE": "Customers judge what contacts are worth. Judged well: the contact's case stands"
    " resolved, and the customer said good or nothing; silence is no praise, so the response rate"
    " stands beside it.",
    "M47": "Whoever takes the contact, it should go the same. Spread: the deviation between units"
    " beyond that of chance (tau of DEF-POOL); least and most after shrinkage. Units of"
    " fewer than 30 cases are left out; none is named.",
    "G-LOAD": "Nobody works at the limit for hours. Alert: occupancy above 85 % for 2 hours, of an"
    " agent or of those who served a queue that day, in half hours; every window of that length in"
    " a stretch is above it as a whole.",
    "W79": "What the centre decides stands apart from what is laid on it: overhead, technology,"
    " facilities (C5) are allocated and in no controllable result.",
}
