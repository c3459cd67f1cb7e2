"""What the ids mean that columns cite: one sentence each, shown by `--define` and as tooltips.

Law: an id means one thing everywhere. Ids that several reports cite stand here; a report brings
along those that only it cites (`SheetReport.definitions`).
"""

from collections.abc import Mapping
from typing import Final

from pnl.reports.sheet import SheetColumn, SheetReport

COMMON: Final[Mapping[str, str]] = {
    "DEF-DAY": "A local day of the reporting time zone, from its first instant to the next"
    " day's; a day with 23 or 25 hours is one day.",
    "DEF-CHAIN": "Legs with one chain_id, or joined by transfer_of. Per contact means per chain;"
    " a chain stands in the period of its own end.",
    "DEF-CASE": "The contacts with one case_id: one problem of one customer.",
    "DEF-FX": "Entries stay in their currency; in another one each is converted by itself, half to"
    " even, at the rate of its order's day (a refund at its order's, a cost at its own). What has"
    " no rate is null and counted, never converted at 1.",
    "DEF-HANDLED": "A chain with a leg that was connected, or that self-service contained; not a"
    " test, wrong number or phantom. Abandoned chains are counted apart.",
    "DEF-UNIDENT": "Chains without a customer, as a share of all chains.",
    "DEF-RPC": "Cohort view: the net credits of the chains that ended in the period, refunds"
    " taken off, divided by the handled chains that ended in it, with those that led to no order"
    " and those of unknown customers.",
    "DEF-RPC-CI": "95 % interval of a mean: mean plus and minus 1.96 standard errors; hidden"
    " below 30 handled chains.",
    "DEF-MATURE": "A chain is mature when the longest lookback has passed since its end; until"
    " then its figure is a lower bound.",
    "DEF-CI": "95 % interval of a share, by Wilson; of a difference of shares, by Newcombe.",
    "RUL-FEE": "What the chains were charged by tariff; an order line for support in the same"
    " contact takes its place.",
    "RUL-RPC": "What the chains cost: handling, channel and the concessions that name them"
    " (C1 + C3 + C4), negative, abandoned chains included; overhead stands apart.",
}


STATEMENT: Final[Mapping[str, str]] = {
    "A1a": "In-contact sales, booked: product lines of an order that names its contact, or an"
    " agent who had exactly one contact of that customer open. Dated by the order.",
    "A1b": "Post-contact attributed sales, booked: the credits of other product lines; the split"
    " is a model. Dated by the order.",
    "A2a": "Support fees per event, booked: once per case and tariff; support order lines without"
    " a term.",
    "A2b": "Support fees per minute, booked, and for a term, accrued by day.",
    "A2c": "Flat support fees, booked: once per handled contact; fees stated as an amount.",
    "A3": "Maintenance, accrued by day over its term; the centre's, never a contact's.",
    "A4": "Upgrades, booked, split as A1.",
    "A5": "Refunds, chargebacks and credit notes, booked, from the contacts that had earned."
    " Dated by the refund.",
    "A": "Net revenue influenced: the sum of the lines A1a to A5.",
    "B": "Cost of goods on A1, A4 and support lines: as given, else by standard margin; shared"
    " like the credit.",
    "C1": "Handling, standard: talk, hold and wrap of every leg at the agent's loaded rate; each"
    " leg keeps its own queue.",
    "C2": "Idle and shrinkage, standard: shift time less the union of on-contact time, at the"
    " loaded rate. Without shifts it is empty and says so.",
    "C3": "Channel and platform: per contact and per minute, standard; channel cost facts, booked.",
    "C4": "Concessions, booked.",
    "C5": "Overhead, technology and facilities, allocated by day over their period; not"
    " controllable by the centre.",
    "C6": "Training, attrition and leadership, booked.",
    "C7": "Absorption variance, booked: what makes C1 + C2 + C7 equal to the payroll.",
    "C": "Cost of the centre: the sum of the lines C1 to C7.",
    "booked_result": "Booked operating result: A + B + C.",
    "D1": "Retention credit, estimated with a 95 % interval, either sign: never part of the"
    " booked result.",
    "D2": "Referral credit, estimated with a 95 % interval: never part of the booked result.",
    "M1": "Unattributed revenue: net revenue that no contact earned, orphan refunds included.",
    "M2": "Net order revenue: orders as invoiced, less refunds, with adjustments.",
    "M3": "Coverage: order credits divided by M2; null if M2 is 0.",
    "M4": "Missed opportunities: eligible and not offered, offered and not accepted.",
    "M5": "Deferred revenue at the earlier of the range's end and as of: amounts with a term less"
    " what they have earned.",
    "M6": "Chains without a customer, divided by all chains that ended in the range.",
    "M7": "Handled chains of the range whose lookback has passed, divided by handled chains.",
    "M8": "Orphan refunds: their order is unknown or over 400 days older.",
    "M9": "Adjustments: bad debt and the like, which touch no order.",
}
"""Lines, totals and memo of the statement."""


def definition_of(report: SheetReport | None, column: SheetColumn) -> str:
    """Return what a column means, in words; empty where it cites nothing that is defined."""
    own = {} if report is None else report.definitions
    return own.get(column.definition) or COMMON.get(column.definition, "")
