"""Every report that is a sheet, by name. To add one: a module, and a line here.

Law: what stands here can be asked on the command line, the page and the API, in every format,
and its definitions with it; nothing else has to be told. A module is loaded when its report is
asked for, because estimates bring large libraries along.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from pnl.reports.model import BadRequest

if TYPE_CHECKING:
    from pnl.reports.sheet import SheetReport

_PLACES: Final[Mapping[str, str]] = {
    "daily": "pnl.reports.daily:DAILY",
    "restatement": "pnl.reports.restatement:RESTATEMENT",
    "channels": "pnl.reports.channels:CHANNELS",
    "windows": "pnl.reports.windows:WINDOWS",
    "revenue": "pnl.reports.revenue:REVENUE",
    "whatif": "pnl.reports.whatif:WHATIF",
    "service": "pnl.reports.service:SERVICE",
    "opportunities": "pnl.reports.opportunities:OPPORTUNITIES",
    "guardrails": "pnl.reports.guardrails:GUARDRAILS",
    "customers": "pnl.reports.customers:CUSTOMERS",
    "churn": "pnl.reports.churn:CHURN",
    "live": "pnl.reports.live:LIVE",
    "outcomes": "pnl.reports.outcomes:OUTCOMES_REPORT",
}
"""Name -> module:attribute of its SheetReport, in the order in which they are listed."""

OTHERS: Final = ("statement", "contacts")
"""Reports with a shape of their own, which are no sheets."""


class _Catalogue(Mapping[str, "SheetReport"]):
    """The reports by name; its names can be listed without loading any."""

    def __getitem__(self, name: str) -> "SheetReport":
        module, _, attribute = _PLACES[name].partition(":")
        report: SheetReport = getattr(import_module(module), attribute)
        assert report.name == name, f"{name} is called {report.name!r} in {module}"
        return report

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


CATALOGUE: Final[Mapping[str, "SheetReport"]] = _Catalogue()
REPORT_NAMES: Final = (*OTHERS, *_PLACES)


def sheet_report(name: str) -> "SheetReport":
    """Return a report by its name; BadRequest lists those there are."""
    if name not in CATALOGUE:
        raise BadRequest(f"There is no report {name!r}; there are {', '.join(REPORT_NAMES)}.")
    return CATALOGUE[name]
