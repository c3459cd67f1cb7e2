"""The questions the page, the command line and the files may ask: all of them ask here.

`pnl.reports.queries.Reports(store, policy, clock, log=None)` answers from the store. Errors:
BadRequest (one sentence for the user); None where the thing asked for does not exist.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from pnl.reports.alert_trend import AlertTrend
from pnl.reports.alerts import AlertExplained, AlertQuery, Alerts, OpenAlerts
from pnl.reports.evidence import (
    ContactExplained,
    DataQuality,
    EntriesPage,
    Freshness,
    OrderExplained,
)
from pnl.reports.model import (
    ContactListPage,
    ContactsReport,
    DayPoint,
    Headlines,
    Scope,
    Statement,
    View,
)
from pnl.reports.period import Calendar
from pnl.reports.sheet import Sheet
from processors.signal_records import AlertRecord


class ReportsApi(Protocol):
    """Every figure the product shows."""

    def version(self) -> tuple[int, ...]:
        """Return a cheap mark that changes whenever any figure may have changed."""
        ...

    @property
    def calendar(self) -> Calendar:
        """When fiscal years begin."""
        ...

    def statement(
        self, scope: Scope, by: tuple[str, ...] = (), view: View = "restated"
    ) -> Statement:
        """Return the statement; with `by` each line has groups that add up to it."""
        ...

    def contacts(
        self, scope: Scope, by: tuple[str, ...], cursor: str | None = None, rows: int = 10_000
    ) -> ContactsReport:
        """Return revenue per contact by dimensions, or by ("contact",): one row per chain."""
        ...

    def sheet(
        self,
        name: str,
        scope: Scope,
        by: tuple[str, ...] = (),
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> Sheet:
        """Return a report of the catalogue by its name."""
        ...

    def converted(
        self,
        name: str,
        scope: Scope,
        by: tuple[str, ...] = (),
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> Sheet:
        """Return a report with the entries of every currency converted to the scope's (DEF-FX)."""
        ...

    def daily(self, scope: Scope) -> tuple[DayPoint, ...]:
        """Return one point per local day on which a chain of the scope ended, oldest first."""
        ...

    def contact_list(
        self, scope: Scope, sort: str = "-ended", cursor: str | None = None, rows: int = 50
    ) -> ContactListPage:
        """Return a page of chains. Sorts: ended, handle, cost, credit; "-" first: descending."""
        ...

    def explain_order(self, order_id: str, model: str | None = None) -> OrderExplained | None:
        """Return an order's credits and entries, under another model if asked."""
        ...

    def explain_contact(
        self, contact_id: str, currency: str | None = None
    ) -> ContactExplained | None:
        """Return a chain's money, in the reporting currency if none is named, and entries."""
        ...

    def entries(
        self, scope: Scope, line: str | None = None, cursor: str | None = None, rows: int = 50
    ) -> EntriesPage:
        """Return the entries behind a line (None: all lines), newest first."""
        ...

    def alerts(self, query: AlertQuery) -> Alerts:
        """Return the alerts asked for, newest first; what is fading stands apart."""
        ...

    def alert(self, alert_id: str) -> AlertExplained | None:
        """Return an alert with its history, the answers to it and its deliveries."""
        ...

    def alert_trend(self, alert: AlertRecord, currency: str) -> AlertTrend | None:
        """Return how what a segment's alert is about went before and after it."""
        ...

    def open_alerts(self) -> OpenAlerts:
        """Return how many alerts are open, and the worst of them."""
        ...

    def freshness(self) -> Freshness:
        """Return how current the figures are."""
        ...

    def quality(self, scope: Scope) -> DataQuality:
        """Return what we know that we do not know."""
        ...

    def headlines(
        self,
        scope: Scope,
        statement: Statement | None = None,
        daily: tuple[DayPoint, ...] | None = None,
    ) -> Headlines:
        """Return the live board's figures; what is known already of the scope may be given."""
        ...

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Return the values each filter can take, sorted; and `currency`."""
        ...


def whole_contacts(reports: ReportsApi, scope: Scope, by: tuple[str, ...]) -> ContactsReport:
    """Return revenue per contact, all of it: by contact it comes in pages."""
    report = reports.contacts(scope, by)
    rows, cursor = list(report.rows), report.next_cursor
    while cursor is not None:
        page = reports.contacts(scope, by, cursor)
        rows += page.rows
        cursor = page.next_cursor
    return replace(report, rows=tuple(rows), next_cursor=None)
