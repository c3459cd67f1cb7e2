"""The questions a command may ask of an open data folder, answered as the text it prints.

Law: a question has one answer, whether the command opened the folder itself or asked the process
that holds it: both come here.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pnl.alert_answers import answered as alert_answered
from pnl.alert_answers import explained as alert_explained
from pnl.alert_answers import listed as alerts_listed
from pnl.auditor.notices import resume
from pnl.control import Answer
from pnl.data_checks import data_findings
from pnl.delivering.checks import delivery_findings
from pnl.errors import UserError
from pnl.findings import as_json, failed
from pnl.periods.answer import close, listing
from pnl.pipeline import Books
from pnl.rates.answers import imported, listed
from pnl.reporting import report
from pnl.reports.queries import Reports
from pnl.reports.render import render_contact, render_order
from pnl.verifying import render_checked, verify_all
from streams.clock import SystemClock

Answering: TypeAlias = Callable[[Books, Reports, Mapping[str, Any]], Answer]


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
    return report(reports, args)


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
    checked = verify_all(books, reports.policies, SystemClock())
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
    findings = data_findings(books, reports)
    routes = args.get("routes", ())  # of an older command: none
    findings += delivery_findings(books.log, routes, SystemClock().now_ms())
    return Answer(json.dumps([as_json(each) for each in findings]), failed=failed(findings))


def _fit(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl fit`."""
    from pnl.fitting.answer import fitted  # estimates bring large libraries along

    return Answer(fitted(books.store, reports.policy, reports.freshness().as_of, args))


def _close(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl close`."""
    del reports
    if args["period"] is not None:
        return Answer(close(books.periods, books.log, books.store, args["period"]))
    as_json = args["format"] == "json"
    return Answer(listing(books.periods, books.log, books.store, as_json=as_json))


def _rates_import(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl rates import`."""
    del reports
    return imported(books.log, args)


def _rates_list(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl rates list`."""
    del books
    return listed(reports, args)


def _alerts_list(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl alerts list`."""
    del books
    return alerts_listed(reports, args)


def _alerts_why(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl alerts why`."""
    del books
    return alert_explained(reports, args)


def _alerts_answer(books: Books, reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl alerts ack`, `snooze` and `unsnooze`."""
    return alert_answered(reports, books.log, args, SystemClock().now_ms())


ANSWERS: Final[Mapping[str, Answering]] = {
    "status": _status,
    "report": _report,
    "explain": _explain,
    "alerts_list": _alerts_list,
    "alerts_why": _alerts_why,
    "alerts_answer": _alerts_answer,
    "rates_import": _rates_import,
    "rates_list": _rates_list,
    "verify": _verify,
    "resume": _resume,
    "doctor": _doctor,
    "close": _close,
    "fit": _fit,
}
