"""The reports: every figure the product shows, from the store, through one query builder.

Law: page, command line and files ask here, so they show the same figures for the same scope.
Nothing here reads a clock but `freshness`, which says how old the newest figures are.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pnl.reports import contacts as contacts_report
from pnl.reports.alert_trend import AlertTrend, alert_trend
from pnl.reports.alerts import (
    AlertExplained,
    AlertQuery,
    Alerts,
    OpenAlerts,
    alert_rules,
    alerts,
    alerts_mark,
    explain_alert,
    open_alerts,
    subject_kind,
    subjects,
)
from pnl.reports.as_reported import closing_if_any, reported_statement
from pnl.reports.catalogue import sheet_report
from pnl.reports.contact_list import contact_list
from pnl.reports.converted import converted_report
from pnl.reports.entries import entries
from pnl.reports.evidence import (
    ContactExplained,
    DataQuality,
    EntriesPage,
    Freshness,
    OrderExplained,
)
from pnl.reports.explain import explain_contact, explain_order
from pnl.reports.freshness import as_of, freshness, version
from pnl.reports.headlines import headlines
from pnl.reports.model import (
    DIMENSIONS,
    BadRequest,
    ContactListPage,
    ContactsReport,
    DayPoint,
    Headlines,
    Scope,
    Statement,
    View,
)
from pnl.reports.period import Calendar
from pnl.reports.quality import quality
from pnl.reports.sheet import Asking, Sheet
from pnl.reports.sql import COLUMN_OF, Queryable
from pnl.reports.statement import statement
from processors.policy import MODELS, Policies, book_of
from processors.signal_records import AlertRecord, SubjectKind
from processors.statement import LINE_NAMES
from streams.clock import Clock
from streams.log import EventLog

CALENDAR: Final = Calendar()
DIMENSION_VALUES_MAX: Final = 1000
READS_MAX: Final = 3


class Reports:
    """Answers from a store, by the newest of its rules; `log` lets it say what is behind.

    `model` is the file of the churn model, whether it is there yet or not.
    """

    def __init__(
        self,
        store: Queryable,
        rules: Policies,
        clock: Clock,
        log: EventLog | None = None,
        calendar: Calendar = CALENDAR,
        model: Path | None = None,
    ) -> None:
        self.policies = book_of(rules)
        self.policy = self.policies.newest
        self.store = store
        self.calendar = calendar
        self._clock = clock
        self._log = log
        self._model = model

    def version(self) -> tuple[int, ...]:
        """Return a cheap mark that changes whenever any figure may have changed."""
        return (*version(self.store), *alerts_mark(self.store))

    def statement(
        self, scope: Scope, by: tuple[str, ...] = (), view: View = "restated"
    ) -> Statement:
        """Return the statement; with `by` each line has groups that add up to it.

        As `reported` it is that of a closed period; BadRequest if the scope is none.
        """
        if view == "reported":
            return reported_statement(self.store, self.policy, as_of(self.store), scope, by)
        closing = closing_if_any(self.store, scope)
        return replace(
            self._restated(scope, by), closed_at=None if closing is None else closing.closed_at
        )

    def _restated(self, scope: Scope, by: tuple[str, ...]) -> Statement:
        # A batch is stored table by table, so a reader can meet half of one. It is read again
        # when figures disagree; if they still do, the difference is real and must be seen.
        for _ in range(READS_MAX - 1):
            found = statement(self.store, self.policy, as_of(self.store), scope, by)
            if found.reconciles:
                return found
        return statement(self.store, self.policy, as_of(self.store), scope, by)

    def contacts(
        self, scope: Scope, by: tuple[str, ...], cursor: str | None = None, rows: int = 10_000
    ) -> ContactsReport:
        """Return revenue per contact by dimensions, or by ("contact",): one row per chain."""
        return contacts_report.contacts(
            self.store, self.policy, as_of(self.store), scope, by, cursor, rows
        )

    def sheet(
        self,
        name: str,
        scope: Scope,
        by: tuple[str, ...] = (),
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> Sheet:
        """Return a report of the catalogue. BadRequest if there is none, or it cannot obey."""
        return sheet_report(name).asked(self._asking(scope, by, options))

    def converted(
        self,
        name: str,
        scope: Scope,
        by: tuple[str, ...] = (),
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> Sheet:
        """Return a report with the entries of every currency converted to the scope's (DEF-FX)."""
        return converted_report(name, self._asking(scope, by, options))

    def _asking(self, scope: Scope, by: tuple[str, ...], options: Mapping[str, str]) -> Asking:
        return Asking(
            store=self.store,
            policy=self.policy,
            as_of=as_of(self.store),
            scope=scope,
            by=by,
            options=options,
            model=self._model,
        )

    def daily(self, scope: Scope) -> tuple[DayPoint, ...]:
        """Return one point per local day on which a chain of the scope ended, oldest first."""
        return contacts_report.daily(self.store, self.policy, as_of(self.store), scope)

    def contact_list(
        self, scope: Scope, sort: str = "-ended", cursor: str | None = None, rows: int = 50
    ) -> ContactListPage:
        """Return a page of chains. Sorts: ended, handle, cost, credit; "-" first: descending."""
        return contact_list(self.store, self.policy, as_of(self.store), scope, sort, cursor, rows)

    def explain_order(self, order_id: str, model: str | None = None) -> OrderExplained | None:
        """Return an order's credits and entries, under another model if asked."""
        for known in MODELS:
            if model == known:
                return explain_order(self.store, order_id, known)
        if model is not None:
            raise BadRequest(f"There is no model {model!r}: the models are {', '.join(MODELS)}.")
        return explain_order(self.store, order_id)

    def explain_contact(
        self, contact_id: str, currency: str | None = None
    ) -> ContactExplained | None:
        """Return a chain's money, in the reporting currency if none is named, and entries."""
        return explain_contact(
            self.store, as_of(self.store), contact_id, currency or self.policy.currency
        )

    def entries(
        self, scope: Scope, line: str | None = None, cursor: str | None = None, rows: int = 50
    ) -> EntriesPage:
        """Return the entries behind a line (None: all lines), newest first."""
        return entries(self.store, self.policy, as_of(self.store), scope, line, cursor, rows)

    def alerts(self, query: AlertQuery) -> Alerts:
        """Return the alerts asked for, newest first; what is fading stands apart."""
        return alerts(self.store, query)

    def alert(self, alert_id: str) -> AlertExplained | None:
        """Return an alert with its history, the answers to it and its deliveries."""
        return explain_alert(self.store, alert_id, self.policy.currency)

    def alert_rules(self) -> tuple[str, ...]:
        """Return the names of all rules of which there is an alert."""
        return alert_rules(self.store)

    def subject_kind(self, subject: str) -> SubjectKind | None:
        """Return what a subject of alerts is; None: there is none such."""
        return subject_kind(self.store, subject)

    def subjects(self, rows: int) -> tuple[str, ...]:
        """Return some subjects of alerts."""
        return subjects(self.store, rows)

    def alert_trend(self, alert: AlertRecord, currency: str) -> AlertTrend | None:
        """Return how what a segment's alert is about went before and after it."""
        return alert_trend(self.store, alert, currency)

    def open_alerts(self) -> OpenAlerts:
        """Return how many alerts are open, and the worst of them."""
        return open_alerts(self.store)

    def freshness(self) -> Freshness:
        """Return how current the figures are."""
        return freshness(self.store, self._clock, self._log)

    def quality(self, scope: Scope) -> DataQuality:
        """Return what we know that we do not know."""
        return quality(self.store, self.policy, scope)

    def headlines(
        self,
        scope: Scope,
        statement: Statement | None = None,
        daily: tuple[DayPoint, ...] | None = None,
    ) -> Headlines:
        """Return the live board's figures; what is known already of the scope may be given."""
        if statement is None:
            statement = self.statement(scope)
        if daily is None:
            daily = self.daily(scope)
        return headlines(self.store, self.policy, statement, daily)

    def dimensions(self) -> dict[str, tuple[str, ...]]:
        """Return the values each filter can take, sorted, and the currencies in the books."""
        columns = {name: COLUMN_OF[name] for name in DIMENSIONS} | {"currency": "currency"}
        listed = ", ".join(
            f"arraySort(groupUniqArray({DIMENSION_VALUES_MAX})(toString({column})))"
            f" AS {name}_values"
            for name, column in columns.items()
        )
        (row,) = self.store.query(
            f"SELECT {listed} FROM v_ledger WHERE line IN {{lines:Array(String)}}",
            {"lines": list(LINE_NAMES)},
        )
        return {name: tuple(value for value in row[f"{name}_values"] if value) for name in columns}
