"""What if: the contribution at another staffing, service level or price, as far as was observed.

Law: a row says what would change against today by the same model, with its interval, and whether
it lies within what was observed; outside, its figures are empty. It is an association, below the
books and never in them. The row *lowest observed* is the least budget of which anything is known:
what it saves stands beside what it would cost.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pnl.reports.model import BadRequest
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport, with_interval
from pnl.reports.whatif_reading import Measured, fees, measured
from processors.confidence import Interval
from processors.money import PPM
from processors.policy import DAY_MS
from processors.whatif import OUTSIDE_MAX, Relations, Staffed, priced, relations

STAFFING_DEFAULT: Final = (-0.2, -0.1, 0.0, 0.1, 0.2)
WITHIN_SECONDS: Final = 20
OBSERVED: Final = "within what was observed"
OUTSIDE: Final = "outside what was observed"
NOTHING: Final = (
    "Nothing can be told: it takes shifts (payroll facts of one agent for at most 24 h), contacts"
    " that waited, some of which gave up, and first contacts of known customers that were followed"
    " to the end."
)
NOTE: Final = (
    "An association: nobody drew lots over who had to wait. A change is told against today by the"
    " same model; customers' margin is that of their orders within {days} days after first"
    " contacts. What is lost later, lost customers above all, is not in it: follow_days=365 looks"
    " further."
)
EDGE: Final = (
    "Contacts whose load would be one never seen are counted as at the highest or lowest load seen"
    f" if they are at most {OUTSIDE_MAX:.0%} of all, else the row is empty."
)
_CHANGE: Final = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{1,3})?)\s?%?")

COLUMNS: Final = (
    SheetColumn("scenario", "Scenario", "text", "DEF-WHATIF"),
    SheetColumn("state", "State", "text", "DEF-OBSERVED"),
    SheetColumn("change_ppm", "Change", "ppm", "DEF-WHATIF"),
    *with_interval(
        SheetColumn("service_level_ppm", "Service level", "ppm", "DEF-SERVICE-LEVEL", "estimated")
    ),
    *with_interval(SheetColumn("abandon_ppm", "Gave up", "ppm", "DEF-GAVE-UP", "estimated")),
    SheetColumn("outside_ppm", "Outside", "ppm", "DEF-OBSERVED"),
    SheetColumn("payroll_minor", "Pay", "amount_minor", "DEF-PAY", "standard"),
    *with_interval(
        SheetColumn("margin_minor", "Customers' margin", "amount_minor", "DEF-WORTH", "estimated")
    ),
    *with_interval(
        SheetColumn("contribution_minor", "Contribution", "amount_minor", "DEF-WHATIF", "estimated")
    ),
)
_UNKNOWN: Final = (None,) * (len(COLUMNS) - 3)


def make(asking: Asking) -> Sheet:
    """Return a row per scenario."""
    options = asking.options
    staffing = _changes("staffing", options["staffing"]) if "staffing" in options else None
    levels = _changes("service_level", options.get("service_level", ""))
    prices = _changes("price", options.get("price", ""))
    if any(not 0 < level <= 1 for level in levels):
        raise BadRequest("service_level must lie above 0 % and be at most 100 %.")
    if staffing is None:
        staffing = () if levels or prices else STAFFING_DEFAULT
    if any(change <= -1 for change in (*staffing, *prices)):
        raise BadRequest("staffing and price can fall by less than 100 %.")
    lookback_days = asking.policy.lookback_ms_max // DAY_MS
    follow_ms = _whole(options, "follow_days", lookback_days) * DAY_MS
    rows: list[Row] = []
    notes = [NOTE.format(days=follow_ms // DAY_MS)]
    if staffing or levels:
        found = measured(asking, _whole(options, "within_s", WITHIN_SECONDS) * 1000, follow_ms)
        known = None if found is None else relations(found.hours, found.worth)
        if found is None or known is None:
            notes = [NOTHING]
        else:
            rows += _staffing_rows(found, known, staffing, levels)
            notes += [EDGE, *_left_out(found)]
    rows += [row for change in prices for row in _price_rows(asking, change)]
    if prices and not rows:
        notes.append("No fixed fee was ever charged, so no price is known.")
    return asking.sheet("whatif", "What if", COLUMNS, rows, notes=notes, label="association")


def _whole(options: Mapping[str, str], name: str, otherwise: int) -> int:
    text = options.get(name, str(otherwise))
    if not text.isdecimal() or not 1 <= int(text) <= 3600:
        raise BadRequest(f"{name} must be a whole number from 1 to 3600, not {text!r}.")
    return int(text)


def _changes(name: str, text: str) -> tuple[float, ...]:
    """Read `-10%,+5%`. BadRequest shows how."""
    found = []
    for part in text.split(",") if text else ():
        match = _CHANGE.fullmatch(part.strip())
        if match is None:
            raise BadRequest(f"{name} must look like -10% or 80%, not {part!r}.")
        found.append((-1 if match[1] == "-" else 1) * float(match[2]) / 100)
    return tuple(found)


def _staffing_rows(
    found: Measured, known: Relations, staffing: Sequence[float], levels: Sequence[float]
) -> list[Row]:
    rows = [_row(f"staffing {change:+.1%}", known.staffed(change), found) for change in staffing]
    for level in levels:
        reached = known.reaching(level)
        if reached is None:
            rows.append((f"service level {level:.0%}", OUTSIDE, None, *_UNKNOWN))
        else:
            rows.append(_row(f"service level {level:.0%}", reached, found))
    rows.append(_row("lowest observed", known.lowest(), found))
    return rows


def _row(scenario: str, what: Staffed, found: Measured) -> Row:
    change, outside = round(what.change * PPM), round(what.outside * PPM)
    if not what.observed:
        unknown: list[Cell] = [None] * 6
        return (scenario, OUTSIDE, change, *unknown, outside, *(None,) * 7)
    pay = round(found.payroll_minor * what.change)
    low, high = what.value_interval
    return (
        scenario,
        OBSERVED,
        change,
        *_ppm(what.service_level, what.service_interval),
        *_ppm(what.given_up, what.given_up_interval),
        outside,
        pay,
        round(what.value),
        round(low),
        round(high),
        round(pay + what.value),
        round(pay + low),
        round(pay + high),
    )


def _ppm(share: float, ends: Interval) -> tuple[int, int, int]:
    return round(share * PPM), round(ends.low * PPM), round(ends.high * PPM)


def _left_out(found: Measured) -> list[str]:
    if not found.left_out:
        return []
    return [f"{found.left_out} contacts came in hours in which nobody was paid to be there."]


def _price_rows(asking: Asking, change: float) -> list[Row]:
    rows: list[Row] = []
    for fee in fees(asking):
        scenario = f"price {change:+.1%} of {fee.tariff}"
        per_contact = priced(fee.levels, fee.levels[-1], change)
        if per_contact is None:
            rows.append((scenario, OUTSIDE, round(change * PPM), *_UNKNOWN))
            continue
        low, high = (round(end * fee.handled) for end in per_contact)
        middle = (low + high) // 2
        nothing: list[Cell] = [None] * 11
        rows.append((scenario, OBSERVED, round(change * PPM), *nothing, middle, low, high))
    return rows


WHATIF: Final = SheetReport(
    name="whatif",
    title="What if",
    summary="The contribution at another staffing, service level or price, as far as observed.",
    make=make,
    options={
        "staffing": "changes of the time paid for, as -10%,+5% [-20 % to +20 %]",
        "service_level": "shares to be answered in time, as 80%",
        "price": "changes of fixed support fees, as +5%",
        "within_s": f"seconds that count as in time [{WITHIN_SECONDS}]",
        "follow_days": "days in which orders after a contact are counted [the longest lookback]",
    },
    definitions={
        "DEF-WHATIF": "What would change against today in the range: pay saved or spent, and the"
        " margin of customers' orders. From measured relations: hours of like load end contacts"
        " alike, and contacts that end alike are worth alike. Load is the work that comes in an"
        " hour over the time of those paid to be there.",
        "DEF-OBSERVED": "Share of contacts whose load would be one never seen. Above 5 % a scenario"
        " is outside what was observed, and nothing is said of it.",
        "DEF-SERVICE-LEVEL": "Contacts answered within the time asked for / all that came, those"
        " who gave up among them.",
        "DEF-GAVE-UP": "Contacts that gave up / all that came: inbound, on channels where anybody"
        " ever gave up.",
        "DEF-PAY": "Change of what the shifts cost: minus is more spent.",
        "DEF-WORTH": "Standard margin on net revenue of products and upgrades that known customers"
        " bought in the days followed after first contacts (none as long before), by how these"
        " ended. Unknown customers count as bringing nothing.",
    },
)
