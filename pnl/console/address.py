"""The address of a page: what a person asks for, as a URL that can be kept and sent.

Law: the address alone decides every figure. Reading an address and writing it again gives the
same question; a key or value that cannot be understood is named, never guessed.

A period may be relative (`period=mtd`): it is resolved against *as of*, the event time the
books have reached, because a replay of last year has its own today.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from pnl.reports.alerts import STATES as ALERT_STATES
from pnl.reports.model import CONTACT_DIMENSIONS, DIMENSIONS, Scope
from pnl.reports.period import quarter_of, week_of
from processors.alert_rules import SEVERITIES

SCOPE_KEYS: Final = ("from", "to", "period", "against", "currency", *DIMENSIONS)
PAGE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "live": ("days", "by"),
    "statement": ("view", "by"),
    "contacts": ("view", "by", "sort", "cursor", "rows"),
    "contact": (),
    "order": ("model",),
    "entries": ("line", "cursor", "rows"),
    "health": (),
    "alerts": ("state", "severity", "rule"),
    "alert": ("state", "severity", "rule"),
    "churn": ("state",),
    "customer": (),
    "reports": (),
    "report": ("by", "convert"),
    "api_alerts": ("state", "severity", "rule", "subject", "rows"),
    "api_statement": ("view", "by"),
    "api_contacts": ("by", "cursor", "rows"),
}
OPTION: Final = "set."
"""What begins the key of a report's option: `set.days=7`."""
WITH_OPTIONS: Final = frozenset({"report"})
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "days": ("30", "60", "90"),
    "rows": ("50", "100", "200"),
    "sort": tuple(s + n for n in ("ended", "handle", "cost", "credit") for s in ("-", "")),
    "model": ("last", "first", "linear", "position", "time_decay"),
    "severity": SEVERITIES,
    "convert": ("yes",),
}
VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "statement": ("compare", "dims", "reported"),
    "api_statement": ("restated", "reported"),
    "contacts": ("list", "groups"),
}
STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "churn": ("rising", "fading", "high", "all"),
    **dict.fromkeys(("alerts", "alert", "api_alerts"), ALERT_STATES),
}
LINES: Final = (
    "A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5", "B", "C1", "C2", "C3", "C4", "C5", "C6",
    "C7", "D1", "D2", "net", "unattributed", "A5x", "adjustment", "payroll", "unbooked",
)  # fmt: skip
NONE: Final = "-"
"""How an address writes the filter value *none* (a contact without a team, say)."""

MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
YEAR = re.compile(r"\d{4}")
LAST_DAYS = re.compile(r"([1-9]\d{0,2})d")
ONE_DAY: Final = timedelta(days=1)
VALUE_LENGTH_MAX: Final = 2000


def split_values(shown: str) -> tuple[str, ...]:
    """Split a filter at its commas; a backslash takes the next character as it is."""
    values, value, quoted, plain = [], "", False, True
    for character in shown + ",":
        if quoted:
            value, quoted, plain = value + character, False, False
        elif character == "\\":
            quoted = True
        elif character == ",":
            if value or not plain:
                values.append("" if value == NONE and plain else value)
            value, plain = "", True
        else:
            value += character
    return tuple(dict.fromkeys(values))


def join_values(values: Iterable[str]) -> str:
    """Write filter values so that `split_values` reads them again."""
    return ",".join(
        NONE if value == "" else "\\-" if value == NONE else re.sub(r"([\\,])", r"\\\1", value)
        for value in values
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A page and the accepted keys of its address, in a fixed order.

    `item` is what the path names (an order, a contact). `problems` are sentences about what was
    left out; the address without it is `link()`.
    """

    page: str
    path: str
    pairs: tuple[tuple[str, str], ...] = ()
    item: str = ""
    problems: tuple[str, ...] = ()

    def get(self, key: str, default: str = "") -> str:
        """Return a key's value, or the default."""
        return dict(self.pairs).get(key, default)

    def filters(self) -> dict[str, tuple[str, ...]]:
        """Return the filters of the address: dimension to values."""
        return {name: split_values(value) for name, value in self.pairs if name in DIMENSIONS}

    def options(self) -> dict[str, str]:
        """Return the options of a report: name to value."""
        return {
            name.removeprefix(OPTION): value
            for name, value in self.pairs
            if name.startswith(OPTION)
        }

    def link(self, path: str | None = None, **changes: str | None) -> str:
        """Return the address with other keys; None drops one, a new page drops page keys.

        `from_` stands for `from`. A changed question begins on its first page.
        """
        here = path is None or path == self.path
        kept = {key: value for key, value in self.pairs if here or key in SCOPE_KEYS}
        asked = {key.rstrip("_"): value for key, value in changes.items()}
        if asked and "cursor" not in asked:
            kept.pop("cursor", None)
        if "period" in asked:
            kept.pop("from", None)
            kept.pop("to", None)
        elif "from" in asked:
            kept.pop("period", None)
        kept |= {key: value for key, value in asked.items() if value is not None}
        kept = {key: value for key, value in kept.items() if asked.get(key, value) is not None}
        query = urlencode(kept, quote_via=quote, safe=",")
        return (self.path if path is None else path) + (f"?{query}" if query else "")

    def narrowed(self, dimension: str, value: str, path: str, **changes: str | None) -> str:
        """Return a page's address with one more filter: what stands in a column, say."""
        return self.link(path, **{dimension: join_values((value,))}, **changes)

    def item_path(self, path: str, end: str = "") -> str:
        """Return the path of this page's item elsewhere: its export, say."""
        return f"{path}/{quote(self.item, safe='')}{end}"

    def item_link(self, path: str, item: str) -> str:
        """Return the address of an order or a contact; only the currency goes along."""
        currency = self.get("currency")
        query = f"?{urlencode({'currency': currency})}" if currency else ""
        return f"{path}/{quote(item, safe='')}{query}"

    def unfiltered(self, path: str, **changes: str | None) -> str:
        """Return a page's address without any filter: what is of the whole company."""
        return self.link(path, **dict.fromkeys(DIMENSIONS), **changes)


def read_address(page: str, path: str, query: Iterable[tuple[str, str]], item: str = "") -> Address:
    """Read a query string's pairs. What cannot be understood becomes a problem."""
    query = list(query)
    options = (key for key, _ in query if page in WITH_OPTIONS and key.startswith(OPTION))
    known = (*SCOPE_KEYS, *PAGE_KEYS[page], *dict.fromkeys(options))
    taken: dict[str, str] = {}
    unknown, problems = [], []
    for key, value in query:
        if key == "theme":
            continue
        if key not in known:
            unknown.append(key)
        elif wrong := _problem(page, key, value):
            problems.append(wrong)
        elif key in DIMENSIONS and key in taken:
            taken[key] += "," + value
        elif value:
            taken[key] = value
    if unknown:
        listed = ", ".join(dict.fromkeys(name[:40] for name in unknown))
        noun = "a key" if len(set(unknown)) == 1 else "keys"
        problems.append(f"The address has {noun} that this page does not know: {listed}.")
    if ("from" in taken) != ("to" in taken):
        problems.append("from and to belong together; the other one is missing.")
        taken.pop("from", None)
        taken.pop("to", None)
    if "from" in taken and taken["from"] >= taken["to"]:
        problems.append(f"from={taken['from']} is not before to={taken['to']}, which is excluded.")
        del taken["from"], taken["to"]
    pairs = tuple((key, taken[key]) for key in known if key in taken)
    return Address(page=page, path=path, pairs=pairs, item=item, problems=tuple(problems))


def _problem(page: str, key: str, value: str) -> str:
    if len(value) > VALUE_LENGTH_MAX:
        return f"{key} is longer than {VALUE_LENGTH_MAX} characters."
    shown = value[:60]
    if not value or key in DIMENSIONS or key == "cursor" or key.startswith(OPTION):
        return ""
    if key in {"from", "to"} and _date(value) is None:
        return f"{key}={shown} is not a date such as 2010-11-01."
    if key == "period" and not _is_period(value):
        return (
            f"period={shown} is not a period such as 2010-11, 2010-Q4, 2010-W45, 2010, 30d, today,"
            " mtd or all."
        )
    if key == "against" and not _is_against(value):
        return f"against={shown} is not previous, same_last_year, none or a range FROM..TO."
    if key == "currency" and not re.fullmatch(r"[A-Z]{3}", value):
        return f"currency={shown} is not a code such as GBP."
    choices = VIEWS[page] if key == "view" else LINES if key == "line" else CHOICES.get(key)
    if key == "state":
        choices = STATES[page]
    if choices is not None and value not in choices:
        return f"{key}={shown} is none of: {', '.join(choices)}."
    return _by_problem(page, value) if key == "by" else ""


def _by_problem(page: str, value: str) -> str:
    """Say what is wrong with a split: a page takes one dimension, a program several."""
    several = page.startswith("api_")
    choices = DIMENSIONS if "statement" in page else CONTACT_DIMENSIONS
    if page == "report" or (page == "api_contacts" and value == "contact"):
        return ""
    named = value.split(",") if several else [value]
    if all(name in choices for name in named) and len(set(named)) == len(named):
        return ""
    return f"by={value[:60]} is none of: {', '.join(choices)}."


def _date(value: str) -> date | None:
    try:
        return date.fromisoformat(value) if re.fullmatch(r"\d{4}-\d\d-\d\d", value) else None
    except ValueError:
        return None


def _is_period(value: str) -> bool:
    named = value in {"today", "mtd", "ytd", "all"}
    year = YEAR.fullmatch(value) is not None and int(value) > 0
    month = MONTH.fullmatch(value) is not None and int(value[:4]) > 0
    other = week_of(value) or quarter_of(value) or LAST_DAYS.fullmatch(value)
    return named or year or month or other is not None


def _is_against(value: str) -> bool:
    if value in {"previous", "same_last_year", "none"}:
        return True
    first, dots, last = value.partition("..")
    start, end = _date(first), _date(last)
    return bool(dots) and start is not None and end is not None and start < end


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An address resolved at a moment: the scope, and the scope it is compared with, if any.

    `days` is, for a month or year (or range) that the books are still in, how many of its days
    they have reached and how many it has; None for one that has passed.
    """

    scope: Scope
    previous: Scope | None
    days: tuple[int, int] | None


def resolve(address: Address, as_of: date | None, currency: str) -> Question:
    """Return what the address asks for when the books have reached the local day `as_of`."""
    start, end = _range(address, as_of)
    filters = address.filters()
    scope = Scope(currency=address.get("currency", currency), start=start, end=end, **filters)
    against = _against(address.get("against", "previous"), start, end)
    previous = replace(scope, start=against[0], end=against[1]) if against else None
    return Question(scope=scope, previous=previous, days=_days(start, end, as_of))


def _range(address: Address, as_of: date | None) -> tuple[date | None, date | None]:
    first, last = address.get("from"), address.get("to")
    if first:
        return date.fromisoformat(first), date.fromisoformat(last)
    period = address.get("period", "mtd")
    if found := MONTH.fullmatch(period):
        start = date(int(found[1]), int(found[2]), 1)
        return start, next_month(start)
    if YEAR.fullmatch(period):
        return date(int(period), 1, 1), date(int(period) + 1, 1, 1)
    if other := week_of(period) or quarter_of(period):
        return other.start, other.end
    if as_of is None or period == "all":
        return None, None
    tomorrow = as_of + ONE_DAY
    if found := LAST_DAYS.fullmatch(period):
        return tomorrow - int(found[1]) * ONE_DAY, tomorrow
    starts = {"today": as_of, "mtd": as_of.replace(day=1), "ytd": as_of.replace(month=1, day=1)}
    return starts[period], tomorrow


def days_before(day: date, days: int) -> date:
    """Return the date so many days before (after, if negative)."""
    return day - days * ONE_DAY


def next_month(day: date) -> date:
    """Return the first day of the next month."""
    return (day.replace(day=1) + 31 * ONE_DAY).replace(day=1)


def previous_month(day: date) -> date:
    """Return the first day of the month before."""
    return (day.replace(day=1) - ONE_DAY).replace(day=1)


def _against(asked: str, start: date | None, end: date | None) -> tuple[date, date] | None:
    if asked == "none" or start is None or end is None:
        return None
    if asked == "same_last_year":
        return _years_back(start), _years_back(end)
    if ".." in asked:
        first, _, last = asked.partition("..")
        return date.fromisoformat(first), date.fromisoformat(last)
    return _before(start, end)


def _before(start: date, end: date) -> tuple[date, date]:
    """Return as long a stretch before: whole months, the same days a month or a year back."""
    if start.day == 1 and end.day == 1:
        earlier = start
        for _ in range((end.year - start.year) * 12 + end.month - start.month):
            earlier = previous_month(earlier)
        return earlier, start
    if start.day == 1 and end <= next_month(start):
        earlier = previous_month(start)
        return earlier, min(earlier + (end - start), start)
    if (start.month, start.day) == (1, 1) and end.year == start.year:
        return _years_back(start), _years_back(end)
    return start - (end - start), start


def _years_back(day: date) -> date:
    leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap_day else day.day)


def _days(start: date | None, end: date | None, as_of: date | None) -> tuple[int, int] | None:
    if start is None or end is None or as_of is None or as_of < start:
        return None
    if start.day == 1 and end <= next_month(start):
        end = next_month(start)
    elif (start.month, start.day) == (1, 1) and end <= date(start.year + 1, 1, 1):
        end = date(start.year + 1, 1, 1)
    elif end <= as_of + ONE_DAY:
        return None
    return None if as_of >= end else ((as_of - start).days + 1, (end - start).days)
