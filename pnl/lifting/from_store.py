"""Contacts and orders from the store as a history, compared once for all who ask.

Law: only customers that are known take part; of very many, every n-th by a hash of the name
stands for all, and the answer says so. What is compared depends on the books, the rules and the
seed, never on who asks first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np

from pnl.reports.freshness import version
from pnl.reports.sql import Queryable, Row
from processors.comparison import Comparison, compared
from processors.history import NEVER, PRODUCTS, History, Ints, history
from processors.matching import Rules
from processors.money import PPM, divide_half_even
from processors.policy import Policy
from streams.facts import Millis

CUSTOMERS_MAX: Final = 20_000
OUTCOMES: Final = ("resolved", "unresolved", "abandoned", "unknown")

_KNOWN: Final = (
    "customer_id IN (SELECT customer_id FROM v_orders WHERE identified AND kind = 'sale')"
)
_SAMPLED: Final = "cityHash64(customer_id) % {step:UInt32} = 0"
_CONTACTS: Final = f"""
SELECT customer_id, groupArray(toUnixTimestamp64Milli(ended_at)) AS at_ms,
    groupArray(contact_id) AS contact_id, groupArray(case_id) AS case_id,
    groupArray(toString(outcome)) AS outcome,
    groupArray((toString(queue), toString(team), toString(channel), toString(reason))) AS segment,
    groupArray(experiment_id) AS experiment, groupArray(toString(experiment_arm)) AS arm
FROM v_contacts
WHERE identified AND (handled OR abandoned OR experiment_arm = 'control') AND {_SAMPLED}
GROUP BY customer_id ORDER BY customer_id"""
_ORDERS: Final = f"""
SELECT customer_id, groupArray(order_id) AS order_id,
    groupArray(toUnixTimestamp64Milli(occurred_at)) AS at_ms, groupArray(sold_in != '') AS sold_in,
    groupArray(net_minor) AS net_minor, groupArray(toString(currency)) AS currency,
    groupArray(arrayMap(each -> toString(each), classes)) AS classes,
    groupArray(class_gross_minor) AS gross, groupArray(class_net_minor) AS net
FROM v_attributions
WHERE gross_minor > 0 AND {_KNOWN} AND {_SAMPLED}
GROUP BY customer_id ORDER BY customer_id"""
_UNDONE: Final = f"""
SELECT customer_id, order_id, toUnixTimestamp64Milli(effective_at) AS at_ms,
    toInt64(-sum(toInt128(amount_minor))) AS minor
FROM v_ledger
WHERE line = 'net' AND {_SAMPLED} AND (customer_id, order_id) IN
    (SELECT customer_id, order_id FROM v_attributions WHERE net_minor <= 0 AND gross_minor > 0)
GROUP BY customer_id, order_id, effective_at ORDER BY customer_id, order_id, effective_at"""


class Segment(NamedTuple):
    """A contact's dimensions, as far as outcomes are told apart by them."""

    queue: str
    team: str
    channel: str
    reason: str


@dataclass(frozen=True, eq=False, slots=True)
class Assigned:
    """Contacts that lots decided on: their experiment, whether treated, and where they stand."""

    experiment: Ints
    treated: Ints
    customer: Ints
    at_ms: Ints
    segment: Ints
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Known:
    """What the books tell: a comparison and the names behind its codes.

    `outcome` codes are places in OUTCOMES, `segment` codes in `segments`. `case_ids` are by the
    code of `History.contact_case`. One in `step` customers stands for all.
    """

    compared: Comparison
    assigned: Assigned
    customers: tuple[str, ...]
    segments: tuple[Segment, ...]
    case_ids: tuple[str, ...]
    step: int


def rules_of(policy: Policy) -> Rules:
    """Return the windows of the comparison under a policy: W is the longest lookback (DEF-W)."""
    return Rules(lookback_ms=policy.lookback_ms_max, follow_ms=policy.first_contact_resolution_ms)


_lock: Final = Lock()
_last: list[tuple[tuple[object, ...], Known | None]] = []


def known(store: Queryable, policy: Policy, as_of: Millis | None) -> Known | None:
    """Return the comparison of all that is in the store; None if there is nothing to compare.

    It takes a while, so the last one is kept: it holds until the books or the rules change.
    """
    if as_of is None:
        return None
    rules = rules_of(policy)
    key = (store, version(store), policy.version, as_of)
    with _lock:
        if _last and _last[0][0] == key:
            return _last[0][1]
        found = _read(store, policy, as_of, rules)
        _last[:] = [(key, found)]
        return found


def _read(store: Queryable, policy: Policy, as_of: Millis, rules: Rules) -> Known | None:
    (counted,) = store.query("SELECT uniqExact(customer_id) AS n FROM v_contacts WHERE identified")
    step = max(1, -(-int(counted["n"]) // CUSTOMERS_MAX))
    contacts = store.query(_CONTACTS, {"step": step})
    orders = store.query(_ORDERS, {"step": step})
    undone = _undone(store.query(_UNDONE, {"step": step}))
    customers = tuple(sorted({row["customer_id"] for row in chain(contacts, orders)}))
    if not contacts or not orders:
        return None
    number = {name: place for place, name in enumerate(customers)}
    names = _Names(contacts, number)
    columns = _order_columns(orders, number, undone, policy)
    served = ~names.control
    seen = history(
        as_of_ms=as_of,
        customers=len(customers),
        contact_customer=names.customer[served],
        contact_at_ms=names.at_ms[served],
        contact_case=names.case[served],
        contact_outcome=names.outcome[served],
        contact_segment=names.segment[served],
        **columns,
    )
    return Known(
        compared(seen, rules), names.assigned(), customers, names.segments, names.case_ids, step
    )


class _Names:
    """The contacts of the store as columns, and the names behind their codes."""

    def __init__(self, rows: Iterable[Row], number: Mapping[str, int]) -> None:
        flat = list(_flat(rows, ("at_ms", "contact_id", "case_id", "outcome", "segment",
                                 "experiment", "arm")))  # fmt: skip
        self.customer = np.array([number[each[0]] for each in flat], dtype=np.int64)
        self.at_ms = np.array([each[1] for each in flat], dtype=np.int64)
        cases = [(each[0], f"case {each[3]}" if each[3] else f"contact {each[2]}") for each in flat]
        self.case, ordered = _coded(cases)
        self.case_ids = tuple(name.partition(" ")[2] for _, name in ordered)
        self.outcome = np.array([OUTCOMES.index(each[4]) for each in flat], dtype=np.int64)
        self.segment, segments = _coded([Segment(*each[5]) for each in flat])
        self.segments: tuple[Segment, ...] = tuple(segments)
        self.experiment, self.experiments = _coded([each[6] for each in flat])
        self.control = np.array([each[7] == "control" for each in flat], dtype=np.bool_)

    def assigned(self) -> Assigned:
        """Return those that are in an experiment."""
        named = np.array([bool(name) for name in self.experiments], dtype=np.bool_)
        rows = np.flatnonzero(named[self.experiment])
        return Assigned(
            self.experiment[rows],
            (~self.control[rows]).astype(np.int64),
            self.customer[rows],
            self.at_ms[rows],
            self.segment[rows],
            tuple(self.experiments),
        )


def _order_columns(
    rows: Iterable[Row],
    number: Mapping[str, int],
    undone: Mapping[tuple[str, str], Millis],
    policy: Policy,
) -> dict[str, Any]:
    flat = list(_flat(rows, ("order_id", "at_ms", "sold_in", "net_minor", "currency", "classes",
                             "gross", "net")))  # fmt: skip
    return {
        "order_customer": np.array([number[each[0]] for each in flat], dtype=np.int64),
        "order_at_ms": np.array([each[2] for each in flat], dtype=np.int64),
        "order_undone_ms": np.array(
            [undone.get((each[0], each[1]), NEVER) for each in flat], dtype=np.int64
        ),
        "order_in_contact": np.array([bool(each[3]) for each in flat], dtype=np.bool_),
        "order_product": np.array(
            [PRODUCTS.index(_main_class(each[6], each[7])) for each in flat], dtype=np.int64
        ),
        "order_margin_minor": np.array(
            [
                standard_margin(each[6], each[8], policy) if each[5] == policy.currency else 0
                for each in flat
            ],
            dtype=np.int64,
        ),
    }


def _undone(rows: Iterable[Row]) -> dict[tuple[str, str], Millis]:
    """Return from when on nothing was left of an order."""
    left: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], Millis] = {}
    for row in rows:
        key = row["customer_id"], row["order_id"]
        left[key] = left.get(key, 0) + row["minor"]
        if left[key] <= 0:
            found.setdefault(key, row["at_ms"])
    return found


def standard_margin(classes: Iterable[str], net_minor: Iterable[int], policy: Policy) -> int:
    """Return the standard margin of what is left of an order, in minor units."""
    return sum(
        divide_half_even(net * policy.margin_ppm_by_class.get(name, policy.margin_ppm), PPM)
        for name, net in zip(classes, net_minor, strict=True)
    )


def _main_class(classes: Iterable[str], gross_minor: Iterable[int]) -> str:
    return max(zip(gross_minor, classes, strict=True), default=(0, ""))[1]


def _flat(rows: Iterable[Row], names: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
    """Yield a tuple per element of the arrays, the customer first."""
    for row in rows:
        for each in zip(*(row[name] for name in names), strict=True):
            yield (row["customer_id"], *each)


def _coded(values: list[Any]) -> tuple[Ints, list[Any]]:
    """Return each value's place among the sorted different ones, and these."""
    different = sorted(set(values))
    place = {value: code for code, value in enumerate(different)}
    return np.array([place[value] for value in values], dtype=np.int64), different


def history_of(found: Known) -> History:
    """Return the history behind a comparison."""
    return found.compared.history
