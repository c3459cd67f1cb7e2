"""`pnl report`: a question about the books, read from its options and answered in any format.

Law: what is not understood is refused in a sentence that lists what there is.
"""

from collections.abc import Mapping
from typing import Any, cast

from pnl.control import Answer
from pnl.errors import UserError
from pnl.reports.api import whole_contacts
from pnl.reports.as_sheets import contacts_sheet, statement_sheet
from pnl.reports.catalogue import CATALOGUE
from pnl.reports.model import DIMENSIONS, Scope, View
from pnl.reports.period import parse_period
from pnl.reports.queries import Reports
from pnl.reports.render import (
    BINARY,
    Format,
    file_of,
    render_contacts,
    render_definitions,
    render_lines,
    render_sheet,
    render_statement,
)
from pnl.reports.sheet import Sheet, SheetReport
from streams.currencies import EXPONENTS


def report(reports: Reports, args: Mapping[str, Any]) -> Answer:
    """Answer `pnl report`."""
    scope = scope_of(reports, args)
    by = tuple(part.strip() for part in (args["by"] or "").split(",") if part.strip())
    name, shown, options = args["name"], args["format"], _options(args["set"])
    if args.get("convert"):
        sheet = reports.converted(name, scope, by, options)
        return _answered(sheet, CATALOGUE.get(name), shown, define=args["define"])
    if name in CATALOGUE:
        made = CATALOGUE[name]
        sheet = reports.sheet(name, scope, by, options)
        return _answered(sheet, made, shown, define=args["define"])
    if name == "statement":
        view = _view(options)
        return _statement(reports, scope, by, shown, view, define=args["define"])
    if options:
        raise UserError(f"{name} has no option {next(iter(options))!r}; its options: none.")
    listed = whole_contacts(reports, scope, by or ("queue",))
    if shown in BINARY or args["define"]:
        sheet = contacts_sheet(listed)
        return _answered(sheet, None, shown, define=args["define"])
    return Answer(render_contacts(listed, shown))


def _statement(
    reports: Reports, scope: Scope, by: tuple[str, ...], shown: str, view: View, *, define: bool
) -> Answer:
    if define:
        return Answer(render_lines(cast("Format", shown)))
    found = reports.statement(scope, by, view)
    if shown in BINARY:
        return _answered(statement_sheet(found), None, shown, define=False)
    return Answer(render_statement(found, cast("Format", shown)))


def _view(options: Mapping[str, str]) -> View:
    for name in options:
        if name != "view":
            raise UserError(f"statement has no option {name!r}; its options: view.")
    view = options.get("view", "restated")
    for known in ("restated", "reported"):
        if view == known:
            return known
    raise UserError(f"There is no view {view!r}: the views are restated and reported.")


def _answered(sheet: Sheet, made: SheetReport | None, shown: str, *, define: bool) -> Answer:
    if define:
        return Answer(render_definitions(sheet, made, cast("Format", shown)))
    for binary in BINARY:
        if shown == binary:
            return Answer("", content=file_of(sheet, made, binary))
    return Answer(render_sheet(sheet, made, cast("Format", shown)))


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


def scope_of(reports: Reports, args: Mapping[str, Any]) -> Scope:
    """Return the scope that options ask for: period, currency, filters."""
    names = ("month", "quarter", "year", "week", "fiscal_year", "fiscal_quarter", "fiscal_month")
    named = {name: args.get(name) for name in names}
    period = parse_period(args["from"], args["to"], **named, calendar=reports.calendar)
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
