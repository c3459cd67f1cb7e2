"""What programs ask: the page's questions as JSON and files, the process's health and metrics.

Law: an address asks the same here as on the page (`address`), and the answer is the same value.
Only here a key that is not understood is an error, for nobody would read a notice.
"""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pnl.console.address import Address, read_address, resolve
from pnl.console.figures import Figures
from pnl.console.files import contacts_file, entries_file, explained_file
from pnl.console.settings import ConsoleSettings
from pnl.reports.alerts import AlertQuery
from pnl.reports.api import ReportsApi, whole_contacts
from pnl.reports.as_sheets import contacts_sheet, statement_sheet
from pnl.reports.catalogue import CATALOGUE
from pnl.reports.model import BadRequest, Scope, View
from pnl.reports.render import BINARY, file_of
from pnl.reports.render_alerts import alert_json, alerts_json
from pnl.reports.render_csv import contacts_csv, statement_csv
from pnl.reports.render_json import (
    contact_json,
    contacts_json,
    entry_json,
    order_json,
    statement_json,
)
from pnl.reports.sheet import Sheet, SheetReport
from pnl.reports.sheet_json import sheet_csv, sheet_json

Json = dict[str, Any]
ROWS_DEFAULT = "200"
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def add_api(
    api: FastAPI,
    reports: ReportsApi,
    settings: ConsoleSettings,
    ready: Callable[[], tuple[str, ...]],
) -> None:
    """Serve `/api/…`, `/export/…`, `/healthz`, `/readyz` and `/metrics`."""

    @api.exception_handler(BadRequest)
    def bad_request(_: Request, error: BadRequest) -> Response:
        return JSONResponse({"error": str(error)}, status_code=400)

    _add_health(api, ready)
    asking = _Asking(reports, settings)
    _add_json(api, reports, asking)
    _add_alerts(api, reports, asking)
    _add_files(api, reports, asking)
    _add_sheets(api, asking)


class _Asking:
    """Reads what a request asks for, the way the page reads its address."""

    def __init__(self, reports: ReportsApi, settings: ConsoleSettings) -> None:
        self._reports = reports
        self._settings = settings
        self.clears = settings.clears
        self._figures = Figures.of(settings.locale, settings.timezone)

    def address(self, page: str, request: Request, item: str = "") -> Address:
        """Return the request's address. BadRequest if any of it is not understood."""
        pairs = request.query_params.multi_items()
        address = read_address(page, request.url.path, pairs, item)
        if address.problems:
            raise BadRequest(" ".join(address.problems))
        return address

    def scope(self, address: Address) -> Scope:
        """Return the scope of an address, as of now."""
        as_of = self._reports.freshness().as_of
        day = None if as_of is None else self._figures.local(as_of).date()
        return resolve(address, day, self._settings.currency).scope

    def sheet(self, request: Request, name: str) -> Sheet:
        """Return the sheet that a request asks for. BadRequest if there is no such report."""
        address = self.address("report", request, name)
        scope, by = self.scope(address), _by(address)
        if address.get("convert"):
            return self._reports.converted(name, scope, by, address.options())
        if name == "statement":
            return statement_sheet(self._reports.statement(scope, by))
        if name == "contacts":
            return contacts_sheet(whole_contacts(self._reports, scope, by or ("queue",)))
        return self._reports.sheet(name, scope, by, address.options())


def _listed(report: SheetReport) -> Json:
    return {
        "name": report.name,
        "title": report.title,
        "summary": report.summary,
        "by": list(report.dimensions),
        "options": dict(report.options),
    }


def _by(address: Address, default: str = "") -> tuple[str, ...]:
    return tuple(name for name in address.get("by", default).split(",") if name)


def _add_json(api: FastAPI, reports: ReportsApi, asking: _Asking) -> None:
    @api.get("/api/statement")
    def statement(request: Request) -> Json:
        address = asking.address("api_statement", request)
        view: View = "reported" if address.get("view") == "reported" else "restated"
        return statement_json(reports.statement(asking.scope(address), _by(address), view))

    @api.get("/api/contacts")
    def contacts(request: Request) -> Json:
        address = asking.address("api_contacts", request)
        report = reports.contacts(
            asking.scope(address),
            _by(address, "queue"),
            address.get("cursor") or None,
            int(address.get("rows", ROWS_DEFAULT)),
        )
        return contacts_json(report)

    @api.get("/api/entries")
    def entries(request: Request) -> Json:
        address = asking.address("entries", request)
        page = reports.entries(
            asking.scope(address),
            address.get("line") or None,
            address.get("cursor") or None,
            int(address.get("rows", ROWS_DEFAULT)),
        )
        found = [entry_json(entry) for entry in page.entries]
        return {"report": "entries", "entries": found, "next_cursor": page.next_cursor}

    @api.get("/api/explain/order/{item:path}")
    def order(request: Request, item: str) -> Response:
        address = asking.address("order", request, item)
        explained = reports.explain_order(item, address.get("model") or None)
        return _found(None if explained is None else order_json(explained))

    @api.get("/api/explain/contact/{item:path}")
    def contact(request: Request, item: str) -> Response:
        currency = asking.scope(asking.address("contact", request, item)).currency
        explained = reports.explain_contact(item, currency)
        return _found(None if explained is None else contact_json(explained, currency))


def _add_alerts(api: FastAPI, reports: ReportsApi, asking: _Asking) -> None:
    @api.get("/api/alerts")
    def alerts(request: Request) -> Json:
        address = asking.address("api_alerts", request)
        query = AlertQuery(
            state=address.get("state", "open"),
            severities=tuple(filter(None, [address.get("severity")])),
            rules=tuple(filter(None, [address.get("rule")])),
            subjects=tuple(filter(None, [address.get("subject")])),
            rows=int(address.get("rows", ROWS_DEFAULT)),
        )
        return alerts_json(reports.alerts(query))

    @api.get("/api/alerts/{item}")
    def alert(request: Request, item: str) -> Response:
        asking.address("alert", request, item)
        found = reports.alert(item)
        clears = "" if found is None else asking.clears.get(found.alert.rule, "")
        return _found(None if found is None else alert_json(found, clears))


def _add_sheets(api: FastAPI, asking: _Asking) -> None:
    @api.get("/api/reports")
    def reports_listed() -> list[Json]:
        return [_listed(CATALOGUE[name]) for name in CATALOGUE]

    @api.get("/api/reports/{item}")
    def sheet(request: Request, item: str) -> Response:
        return JSONResponse(sheet_json(asking.sheet(request, item), CATALOGUE.get(item)))

    @api.get("/export/reports/{item}.{ending}")
    def sheet_file(request: Request, item: str, ending: str) -> Response:
        made = asking.sheet(request, item)
        if ending == "csv":
            return _file([sheet_csv(made)], item, made.scope)
        for binary in BINARY:
            if ending == binary:
                content = file_of(made, CATALOGUE.get(item), binary)
                return _download([content], item, made.scope, ending)
        raise BadRequest(f"A report is a csv, {' or '.join(BINARY)} file, not {ending[:20]!r}.")


def _found(value: Json | None) -> Response:
    if value is None:
        return JSONResponse({"error": "There is none of that id in the books."}, status_code=404)
    return JSONResponse(value)


def _add_files(api: FastAPI, reports: ReportsApi, asking: _Asking) -> None:
    @api.get("/export/statement.csv")
    def statement(request: Request) -> Response:
        address = asking.address("statement", request)
        scope = asking.scope(address)
        by = _by(address, "queue") if address.get("view") == "dims" else ()
        view: View = "reported" if address.get("view") == "reported" else "restated"
        return _file([statement_csv(reports.statement(scope, by, view))], "statement", scope)

    @api.get("/export/groups.csv")
    def groups(request: Request) -> Response:
        address = asking.address("contacts", request)
        scope = asking.scope(address)
        return _file(
            [contacts_csv(reports.contacts(scope, _by(address, "queue")))], "groups", scope
        )

    @api.get("/export/contacts.csv")
    def contacts(request: Request) -> Response:
        address = asking.address("contacts", request)
        scope = asking.scope(address)
        return _file(
            contacts_file(reports, scope, address.get("sort", "-ended")), "contacts", scope
        )

    @api.get("/export/entries.csv")
    def entries(request: Request) -> Response:
        address = asking.address("entries", request)
        scope = asking.scope(address)
        return _file(entries_file(reports, scope, address.get("line") or None), "entries", scope)

    @api.get("/export/orders/{item:path}.csv")
    def order(request: Request, item: str) -> Response:
        asking.address("order", request, item)
        explained = reports.explain_order(item)
        if explained is None:
            return _found(None)
        return _file([explained_file(explained.entries)], "order")

    @api.get("/export/contacts/{item:path}.csv")
    def contact(request: Request, item: str) -> Response:
        asking.address("contact", request, item)
        explained = reports.explain_contact(item)
        if explained is None:
            return _found(None)
        return _file([explained_file(explained.entries)], "contact")


def _file(parts: Iterable[str], name: str, scope: Scope | None = None) -> Response:
    """Return a download whose name says what it holds: statement_2010-12-01_2010-12-10_GBP.csv."""
    return _download((part.encode() for part in parts), name, scope, "csv")


def _download(parts: Iterable[bytes], name: str, scope: Scope | None, ending: str) -> Response:
    about = () if scope is None else (scope.start, scope.end, scope.currency)
    whole = "_".join([name, *(str(part) for part in about if part is not None)])
    headers = {"content-disposition": f'attachment; filename="{whole}.{ending}"'}
    return StreamingResponse(parts, media_type=MEDIA_TYPES[ending], headers=headers)


def _add_health(api: FastAPI, ready: Callable[[], tuple[str, ...]]) -> None:
    @api.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @api.get("/readyz", include_in_schema=False)
    def readyz() -> Response:
        missing = ready()
        status = "not ready" if missing else "ready"
        return JSONResponse(
            {"status": status, "missing": list(missing)}, status_code=503 if missing else 200
        )

    @api.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
