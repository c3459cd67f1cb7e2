"""What a page is while it is being made: blocks of markup, in order, and at most one chart.

Law: a view is a value. Two people who ask the same at the same moment share one, and what a
browser is sent is the difference between the view it has and the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pnl.console.address import Address, Question
from pnl.console.figures import Figures
from pnl.console.markup import Html
from pnl.reports.alerts import OpenAlerts
from pnl.reports.api import ReportsApi
from pnl.reports.evidence import Freshness

NO_ALERTS: Final = OpenAlerts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question on its way: what a page needs to answer it.

    `clears` says, by rule, what would clear its alerts; `can_answer` whether alerts may be answered
    from this page.
    """

    reports: ReportsApi
    address: Address
    question: Question
    freshness: Freshness
    figures: Figures
    timezone: str
    choices: dict[str, tuple[str, ...]]
    open_alerts: OpenAlerts = NO_ALERTS
    clears: Mapping[str, str] = field(default_factory=dict)
    can_answer: bool = False

    @property
    def currency(self) -> str:
        """Return the currency of the answer."""
        return self.question.scope.currency

    @property
    def as_of_day(self) -> date | None:
        """Return the local day the books have reached."""
        as_of = self.freshness.as_of
        return None if as_of is None else self.figures.local(as_of).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page: `blocks` map the id of an element to its markup, in page order.

    `parent` is the kind of thing the title names, if it is one of many. `frame` holds the blocks
    outside the page's middle (scope bar). `frozen` blocks are sent when a person asks, never by
    themselves; `news`, if it grows, says how many more there are. `missing`: the path names
    something that is not in the books.
    """

    title: str
    parent: str = ""
    blocks: dict[str, Html]
    frame: dict[str, Html] = field(default_factory=dict)
    chart: dict[str, Any] | None = None
    frozen: tuple[str, ...] = ()
    news: int = 0
    missing: bool = False
