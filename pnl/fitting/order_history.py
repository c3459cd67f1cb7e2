"""Any order history as purchases: CSV or JSON lines, by whatever names its columns have.

Law: a purchase is an order worth more than nothing after its refunds; rows of one order are one
(the highest revision), and days are those written in the file. What is left out is counted.
"""

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, TypeAlias

from pnl.errors import UserError
from pnl.importing.rows import ImportProblem
from pnl.importing.sources import format_of, open_source, readable
from pnl.reports.period import day_number
from processors.purchases import Purchases, purchases

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "customer": ("customer_id", "customer", "customerid", "client_id", "user_id"),
    "time": (
        "occurred_at",
        "date",
        "ts",
        "order_date",
        "invoice_date",
        "invoicedate",
        "created_at",
    ),
    "amount": ("amount_minor", "amount", "amount_pence", "amount_cents", "total", "value"),
}
"""What is asked of a row -> the columns tried, the first there is."""

TAKING: Final = frozenset({"refund", "chargeback", "credit_note", "cancellation"})
"""Kinds of rows that take from an order."""
IGNORED: Final = frozenset({"adjustment", "adjust"})
DAY_MS: Final = 86_400_000
_CENTS: Final = 100

Cells: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column holds what; None: found by its name."""

    customer: str | None = None
    time: str | None = None
    amount: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderHistory:
    """The purchases of a file, and how many of its rows were none, by reason."""

    purchases: Purchases
    rows: int
    left_out: Mapping[str, int]


@dataclass(slots=True)
class _Order:
    """What is known of one order so far."""

    customer: str = ""
    day: int = 0
    revision: int = 0
    amount: Decimal = Decimal(0)
    taken: Decimal = Decimal(0)
    sold: bool = False
    withdrawn: bool = False


@dataclass(slots=True)
class _Tally:
    """Orders by identity, and what was left out."""

    orders: dict[str, _Order] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    rows: int = 0

    def leave_out(self, reason: str) -> None:
        """Count a row that is no purchase."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def read_history(path: Path, columns: Columns | None = None) -> OrderHistory:
    """Read a file; UserError names the line and what is wrong with it."""
    tally, names = _Tally(), columns or Columns()
    try:
        for place, cells in _rows(path):
            tally.rows += 1
            _take(tally, cells, names, place)
    except ImportProblem as problem:
        raise UserError(f"{problem}.") from None
    kept: list[_Order] = []
    for order in tally.orders.values():
        if order.withdrawn or not order.sold:
            tally.leave_out("refund of an order that is not in the file or withdrawn order")
        elif order.amount - order.taken <= 0:
            tally.leave_out("worth nothing, after refunds")
        else:
            kept.append(order)
    return OrderHistory(
        purchases=purchases(
            [order.customer for order in kept],
            [order.day * DAY_MS for order in kept],
            [order.day for order in kept],
            [round((order.amount - order.taken) * _CENTS) for order in kept],
        ),
        rows=tally.rows,
        left_out=tally.left_out,
    )


def _rows(path: Path) -> Iterator[tuple[str, Cells]]:
    """Yield the rows of a file, each with its place for errors."""
    kind = format_of(path, None, has_map=False)
    if kind == "parquet":
        raise UserError(f"{path}: a history is read from CSV or JSON lines, not from Parquet.")
    source = open_source(path, sys.stdin.buffer)
    try:
        with readable(source):
            text = TextIOWrapper(source.stream, encoding="utf-8-sig", newline="")
            yield from _csv(text, path) if kind == "csv" else _jsonl(text, path)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text.") from None
    finally:
        source.close()


def _csv(text: TextIOWrapper, path: Path) -> Iterator[tuple[str, Cells]]:
    reader = csv.DictReader(text)
    for cells in reader:
        yield f"{path}: line {reader.line_num}", cells


def _jsonl(text: TextIOWrapper, path: Path) -> Iterator[tuple[str, Cells]]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        try:
            cells = json.loads(line, parse_float=Decimal)
        except ValueError:
            raise UserError(f"{place} is not JSON.") from None
        if not isinstance(cells, dict):
            raise UserError(f"{place} is no JSON object.")
        yield place, cells


def _take(tally: _Tally, cells: Cells, names: Columns, place: str) -> None:
    """Add one row to what is known of its order."""
    kind = str(cells.get("kind") or "sale")
    if kind in IGNORED:
        tally.leave_out("adjustment of the books")
        return
    amount = _amount(cells, names.amount, place)
    if kind in TAKING:
        _take_back(tally, cells, amount)
        return
    customer = str(cells.get(_column("customer", names.customer, cells, place)) or "").strip()
    if not customer:
        tally.leave_out("no customer")
        return
    identity = str(cells.get("order_id") or f"row {tally.rows}")
    order = tally.orders.setdefault(identity, _Order())
    revision = int(cells.get("revision") or 0)
    if order.sold and revision < order.revision:
        return
    order.sold, order.customer, order.revision = True, customer, revision
    order.day = _day(cells.get(_column("time", names.time, cells, place)), place)
    order.amount = Decimal(1) if amount is None else amount
    order.withdrawn = bool(cells.get("withdrawn"))


def _take_back(tally: _Tally, cells: Cells, amount: Decimal | None) -> None:
    """Take a refund from its order; one that names none leaves every order as it is."""
    refunded = cells.get("refund_of")
    if not refunded:
        tally.leave_out("refund that names no order")
        return
    order = tally.orders.setdefault(str(refunded), _Order())
    if cells.get("kind") == "cancellation" or amount is None:
        order.taken = Decimal("Infinity")
    else:
        order.taken += abs(amount)


def _column(what: str, given: str | None, cells: Cells, place: str) -> str:
    """Return the column that holds something. UserError names those there are."""
    known = [name for name in cells if name is not None]
    if given is not None:
        if given in cells:
            return given
        raise UserError(f"{place} has no {given!r}; it has {', '.join(known)}.")
    by_plain_name = {name.strip().lower().replace(" ", "_"): name for name in known}
    for name in NAMES[what]:
        if name in by_plain_name:
            return by_plain_name[name]
    raise UserError(
        f"{place}: no column is known as the {what}; name it with --{what}."
        f" There are {', '.join(known)}."
    )


def _amount(cells: Cells, given: str | None, place: str) -> Decimal | None:
    """Return what a row is worth; None if the file has no amounts: then every row is a purchase."""
    lines = cells.get("lines")
    if given is None and isinstance(lines, list):
        return Decimal(sum(int(line["amount_minor"]) for line in lines))
    plain = {str(name).strip().lower().replace(" ", "_") for name in cells}
    if given is None and not plain & set(NAMES["amount"]):
        return None
    text = str(cells.get(_column("amount", given, cells, place)) or "").strip()
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise UserError(f"{place}: {text!r} is no amount.") from None
    if not amount.is_finite():
        raise UserError(f"{place}: {text!r} is no amount.")
    return amount


def _day(cell: object, place: str) -> int:
    """Return the day written in a cell, as 1997-09-30 (a time may follow) or 19970930."""
    text = str(cell or "").strip()
    try:
        return day_number(date.fromisoformat(text[:10] if "-" in text[:10] else text[:8]))
    except ValueError:
        raise UserError(f"{place}: {text!r} is no date such as 1997-09-30.") from None
