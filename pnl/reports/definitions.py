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
    "RUL-RPC": "What the chains cost: handling, channel and the concessions that name them"
    " (C1 + C3 + C4), negative, abandoned chains included; overhead stands apart.",
}


def definition_of(report: SheetReport | None, column: SheetColumn) -> str:
    """Return what a column means, in words; empty where it cites nothing that is defined."""
    own = {} if report is None else report.definitions
    return own.get(column.definition) or COMMON.get(column.definition, "")
