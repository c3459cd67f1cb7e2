"""The questions a command may ask of an open data folder, answered as the text it prints.

Law: a question has one answer, whether the command opened the folder itself or asked the process
that holds it: both come here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from pnl.auditor.notices import resume
from pnl.control import Answer
from pnl.data_checks import data_findings
from pnl.errors import UserError
from pnl.findings import as_json, failed
from pnl.pipeline import Books
from pnl.reports.catalogue import sheet_report
from pnl.reports.model import DIMENSIONS, ContactsReport, Scope
from pnl.reports.period import parse_period
from pnl.reports.queries import Reports
from pnl.reports.render import (
    render_contact,
    render_contacts,
    render_definitions,
    render_order,
    render_sheet,
    render_statement,
)
from pnl.verifying import render_checked, verify_all
from streams.clock import SystemClock
from streams.currencies import EXPONENTS

Answering: TypeAlias = Callable[[Books, Reports, Mapping[str, Any]], Answer]
BY_CONTACT: Final = ("contact",)


def answer(op: str, args: Mapping[str, Any], books: Books, reports: Reports) -> Answer:
    """Answer a question; UserError where it cannot be asked like this."""
    if op not in ANSWERS:
        raise UserError(f"The process that holds the data folder does not know {op!r}.")
    return ANSWERS[op](books, reports, args)


def _status(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Say that the folder is served, and how current its figures are."""
    del books, args
    freshness = reports.freshness()
    state = {"as_of_ms": freshness.as_of, "behind_records": freshness.behind_records}
    return Answer(json.dumps(state))


def _report(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl report`."""
    del books
    scope = _scope(reports, args)
    by = tuple(part.strip() for part in (args["by"] or "").split(",") if part.strip())
    shown = args["format"]
    if args["name"] == "statement":
        return Answer(render_statement(reports.statement(scope, by), shown))
    if args["name"] == "contacts":
        return Answer(render_contacts(_contacts(reports, scope, by or ("queue",)), shown))
    report = sheet_report(args["name"])
    sheet = reports.sheet(report.name, scope, by, _options(args["set"]))
    if args["define"]:
        return Answer(render_definitions(sheet, report, shown))
    return Answer(render_sheet(sheet, report, shown))


def _options(given: list[str]) -> dict[str, str]:
    """Read `--set NAME=VALUE`, each name once."""
    options: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--set {text!r} must be NAME=VALUE.")
        if name in options:
            raise UserError(f"--set gives {name!r} twice.")
        options[name] = value
    return options


def _contacts(reports: Reports, scope: Scope, by: tuple[str, ...]) -> ContactsReport:
    """Return the whole report: by contact it comes in pages."""
    report = reports.contacts(scope, by)
    rows, cursor = list(report.rows), report.next_cursor
    while cursor is not None:
        page = reports.contacts(scope, by, cursor)
        rows += page.rows
        cursor = page.next_cursor
    return replace(report, rows=tuple(rows), next_cursor=None)


def _scope(reports: Reports, args: Mapping[str, Any]) -> Scope:
    period = parse_period(args["from"], args["to"], args["month"], args["quarter"], args["year"])
    currency = args["currency"] or reports.policy.currency
    if currency not in EXPONENTS:
        raise UserError(f"--currency {currency!r} is no ISO 4217 code such as GBP.")
    return Scope(currency=currency, start=period.start, end=period.end, **_filters(args["where"]))


def _filters(where: list[str]) -> dict[str, tuple[str, ...]]:
    """Read `--where queue=billing,sales`; an empty value means contacts that have none."""
    filters: dict[str, tuple[str, ...]] = {}
    for text in where:
        name, equals, values = text.partition("=")
        if not equals or name not in DIMENSIONS:
            raise UserError(
                f"--where {text!r} must be DIM=VALUE; there are {', '.join(DIMENSIONS)}."
            )
        filters[name] = filters.get(name, ()) + tuple(values.split(","))
    return filters


def _explain(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl explain`."""
    del books
    identity, shown, policy = args["id"], args["format"], reports.policy
    if args["what"] == "order":
        order = reports.explain_order(identity, args["model"])
        if order is None:
            raise UserError(f"There is no order {identity!r} in the books.")
        return Answer(render_order(order, shown, policy.timezone))
    if args["model"] is not None:
        raise UserError("--model is for orders; a contact's credits are those in the books.")
    contact = reports.explain_contact(identity)
    if contact is None:
        raise UserError(
            f"There is no contact {identity!r} in the books; a chain has its first leg's name."
        )
    return Answer(render_contact(contact, shown, policy.currency, policy.timezone))


def _verify(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl verify`."""
    checked = verify_all(books, reports.policy, SystemClock())
    text = render_checked(checked, args["format"])
    return Answer(text, failed=not all(each.ok for each in checked))


def resumed(halted: str | None) -> str:
    """Return what is said to who lets the sink go on."""
    return "Nothing had halted the sink." if halted is None else f"It goes on; it was {halted}."


def _resume(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl resume`."""
    del reports
    return Answer(resumed(resume(books.log, args["reason"], SystemClock().now_ms())))


def _doctor(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer the part of `pnl doctor` that needs log and store."""
    del args
    findings = data_findings(books, reports)
    return Answer(json.dumps([as_json(each) for each in findings]), failed=failed(findings))


ANSWERS: Final[Mapping[str, Answering]] = {
    "status": _status,
    "report": _report,
    "explain": _explain,
    "verify": _verify,
    "resume": _resume,
    "doctor": _doctor,
}
