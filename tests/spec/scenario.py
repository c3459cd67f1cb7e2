"""Scenario tables: a history as drawn text, and what it must come to.

`check` settles the table as written and backwards, and both with every fact doubled, and holds
each against the naive oracle: every scenario also tests order independence and duplicates.

A row is a fact. Rows of one fact, id and revision following each other are its order lines.

| column | means |
|---|---|
| `day`, `time` | day 1 is 2024-03-01; the clock in UTC (default 12:00); a contact ends then |
| `fact` | contact, resolution, order, what else an order fact may be, or a kind of cost |
| `id` | contact_id, order_id, or event_id |
| `amount_minor` | of an order line, of a cost; of a contact an explicit fee |
| `class`, `line`, `goods`, `term` | of an order line; `term` is `start..end` |
| `of`, `in`, `agent` | refund_of, contact_id, agent_id |
| `key`, `guest` | the record key (default `k`), and whether nobody knows the customer |
| `case`, `chain`, `after` | of a contact; `after` is transfer_of |
| `queue`, `channel`, `code`, `tariff`, `arm` | of a contact; `code` is its disposition |
| `talk`, `hold`, `wrap` | of a contact, in seconds (default 300, 0, 0) |
| `lost` | `abandoned`: never connected, gave up; `silent`: never connected |
| `wait`, `way`, `offers` | of a contact: seconds; `outbound`; `CLASS:eoa` and spaces, where e, o, a
| | say that it was eligible, offered, accepted |
| `outcome`, `csat`, `nps`, `ces` | of a resolution (default `resolved`) |
| `shift` | of a payroll cost: `09:00..17:00` on its day |
| `currency`, `revision`, `withdrawn`, `period` | of any fact that has them |
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from processors.policy import Model, Policies, Policy
from streams.facts import (
    Contact,
    Cost,
    Experiment,
    Fact,
    Fee,
    Offer,
    Order,
    OrderLine,
    Resolution,
    key_of,
)
from tests.oracle import Account, Books, settle
from tests.support.drive import run

DAY_MS = 86_400_000
FIRST_DAY_MS = 1_709_251_200_000
ORDER_KINDS = {"refund", "chargeback", "credit_note", "cancellation", "adjustment"}
Row = dict[str, str]


def check(
    table: str,
    expected: Mapping[str, int] | None = None,
    *,
    model: Model = "last",
    policy: Policy | None = None,
) -> Books:
    """Settle a table in four ways and return its books.

    `expected` maps contact_id to its credit over all orders, `centre` to what contacts never
    earn, `unattributed` to what nobody earned, orphans and adjustments apart; zero is absent.
    """
    rules = replace(policy or Policy(), model=model) if model != "last" else policy or Policy()
    due = settled_keyed(facts_of(table), rules, table)
    if expected is not None:
        assert credits_of(due) == dict(expected), table
    return due


def settled(facts: Sequence[Fact], policy: Policies) -> Books:
    """Settle facts in four ways, each under its own key, and return their books."""
    return settled_keyed([(key_of(fact), fact) for fact in facts], policy, str(facts))


def settled_keyed(facts: Sequence[tuple[str, Fact]], policy: Policies, text: str) -> Books:
    """Settle keyed facts in four ways, hold each against the oracle, return its books."""
    due = settle(facts, policy)
    for name, history in histories(facts).items():
        assert_equal(run(history, policy).books, due, f"{name}\n{text}")
    return due


def histories(facts: Sequence[tuple[str, Fact]]) -> dict[str, list[tuple[str, Fact]]]:
    """Return the four orders in which a table is settled."""
    written, backwards = list(facts), list(facts)[::-1]
    return {
        "as written": written,
        "backwards": backwards,
        "as written, doubled": [fact for fact in written for _ in range(2)],
        "backwards, doubled": [*backwards, *backwards],
    }


def assert_equal(books: Books, due: Books, where: str) -> None:
    """Hold two books against each other, part by part, so that a failure says which differs."""
    for part in ("balance", "daily", "variance", "orders", "chains"):
        differing = differences(getattr(books, part), getattr(due, part))
        assert not differing, "\n".join([where, part, *map(shown, differing.items())])


def shown(difference: tuple[Any, tuple[Any, Any]]) -> str:
    """Write one difference on a line, leaving out what is empty."""
    place, (was, due) = difference
    parts = [place] if isinstance(place, Account) else list(place)
    named = [
        " ".join(f"{name}={value}" for name, value in part._asdict().items() if value != "")
        if isinstance(part, Account)
        else str(part)
        for part in parts
    ]
    return f"{', '.join(named)}: is {was}, due {due}"


def differences(was: Mapping[Any, Any], due: Mapping[Any, Any]) -> dict[Any, tuple[Any, Any]]:
    """Return what differs: place to (was, due)."""
    return {
        place: (was.get(place), due.get(place))
        for place in [*was, *(place for place in due if place not in was)]
        if was.get(place) != due.get(place)
    }


def credits_of(books: Books) -> dict[str, int]:
    """Sum credits by contact over all orders, as `expected` of `check` has them."""
    sums: dict[str, int] = defaultdict(int)
    for order in books.orders.values():
        sums["unattributed"] += order.unattributed
        for (contact_id, _), credit in order.credits.items():
            sums[contact_id or "centre"] += credit
    return {name: amount for name, amount in sums.items() if amount}


def facts_of(table: str) -> list[tuple[str, Fact]]:
    """Read a table into keyed facts."""
    rows = rows_of(table)
    facts: list[tuple[str, Fact]] = []
    places: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = row.get("key") or "k"
        fact = fact_of(row)
        place = (key, row["fact"], row["id"], row.get("revision", ""))
        if isinstance(fact, Order) and place in places:
            before = facts[places[place]][1]
            assert isinstance(before, Order)
            fields = {name: getattr(before, name) for name in before.__struct_fields__}
            facts[places[place]] = (key, Order(**(fields | {"lines": before.lines + fact.lines})))
        else:
            places[place] = len(facts)
            facts.append((key, fact))
    return facts


def rows_of(table: str) -> list[Row]:
    """Read drawn text: a header, then rows; empty cells are absent."""
    lines = [line.strip() for line in table.strip().splitlines() if line.strip()]
    if lines[0].startswith("|"):
        lines = [line[1:-1] for line in lines]
    header = [cell.strip() for cell in lines[0].split("|")]
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("|")]
        assert len(cells) == len(header), line
        rows.append({name: cell for name, cell in zip(header, cells, strict=True) if cell})
    return rows


def when(row: Row) -> int:
    """Return the time of a row in milliseconds."""
    hours, minutes, *seconds = row.get("time", "12:00").split(":")
    clock = Fraction(int(hours) * 60 + int(minutes)) * 60 + sum(map(Fraction, seconds))
    return FIRST_DAY_MS + (int(row["day"]) - 1) * DAY_MS + int(clock * 1000)


def fact_of(row: Row) -> Fact:
    """Turn a row into its fact."""
    kind = row["fact"]
    if kind == "contact":
        return contact_of(row)
    if kind == "order" or kind in ORDER_KINDS:
        return order_of(row)
    if kind == "resolution":
        said: dict[str, Any] = {
            name: int(row[name]) for name in ("csat", "nps", "ces") if name in row
        }
        return Resolution(
            event_id=row["id"],
            case_id=row.get("case", ""),
            contact_id=row.get("in"),
            outcome=row.get("outcome", "resolved"),  # type: ignore[arg-type]
            **said,
            **shared(row),
        )
    start, end = period_of(row)
    return Cost(
        event_id=row["id"],
        kind=kind,  # type: ignore[arg-type]
        amount_minor=int(row["amount_minor"]),
        currency=row.get("currency", "GBP"),
        contact_id=row.get("in"),
        agent_id=row.get("agent"),
        queue=row.get("queue"),
        channel=row.get("channel"),
        period_start=start,
        period_end=end,
        **shared(row),
    )


def period_of(row: Row) -> tuple[int | str | None, int | str | None]:
    """Return a cost's period: local dates, or the hours of a shift."""
    start, _, end = row.get("shift", row.get("period", "")).partition("..")
    if "shift" in row:
        return when({**row, "time": start}), when({**row, "time": end})
    return start or None, end or None


def offers_of(row: Row) -> tuple[Offer, ...]:
    """Return a contact's offers."""
    pairs = [text.partition(":") for text in row.get("offers", "").split()]
    return tuple(
        Offer(
            product_class=name,  # type: ignore[arg-type]
            eligible="e" in marks,
            offered="o" in marks,
            accepted="a" in marks,
        )
        for name, _, marks in pairs
    )


def shared(row: Row) -> dict[str, Any]:
    """Return the fields that every fact but a contact has."""
    return {
        "customer_id": None if "guest" in row else row.get("key", "k"),
        "occurred_at": when(row),
        "revision": int(row.get("revision", 0)),
        "withdrawn": "withdrawn" in row,
    }


def contact_of(row: Row) -> Contact:
    """Turn a row into a leg."""
    ended_at = when(row)
    talk_ms = round(float(row.get("talk", 300)) * 1000)
    fee = None
    if "tariff" in row or "amount_minor" in row:
        amount = int(row["amount_minor"]) if "amount_minor" in row else None
        fee = Fee(tariff=row.get("tariff"), amount_minor=amount, currency=row.get("currency"))
    started_at = ended_at - talk_ms
    return Contact(
        event_id=f"event-{row['id']}",
        contact_id=row["id"],
        channel=row.get("channel", "voice"),
        direction=row.get("way", "inbound"),
        kind="service",
        queue=row.get("queue", "billing"),
        started_at=started_at,
        ended_at=ended_at,
        talk_ms=talk_ms,
        hold_ms=round(float(row.get("hold", 0)) * 1000),
        wrap_ms=round(float(row.get("wrap", 0)) * 1000),
        wait_ms=round(float(row.get("wait", 0)) * 1000),
        offers=offers_of(row),
        abandoned=row.get("lost") == "abandoned",
        connected_at=None if "lost" in row else started_at,
        customer_id=None if "guest" in row else row.get("key", "k"),
        chain_id=row.get("chain"),
        case_id=row.get("case"),
        transfer_of=row.get("after"),
        agent_id=row.get("agent"),
        disposition_code=row.get("code"),
        fee=fee,
        experiment=Experiment(id="x", arm=row["arm"]) if "arm" in row else None,  # type: ignore[arg-type]
        revision=int(row.get("revision", 0)),
        withdrawn="withdrawn" in row,
    )


def order_of(row: Row) -> Order:
    """Turn a row into an order fact with its one line; a cancellation needs none."""
    lines: tuple[OrderLine, ...] = ()
    if "amount_minor" in row or "line" in row:
        start, _, end = row.get("term", "").partition("..")
        lines = (
            OrderLine(
                line_id=row.get("line", "l1"),
                product_class=row.get("class", "product"),  # type: ignore[arg-type]
                amount_minor=int(row.get("amount_minor", 0)),
                cost_minor=None if row.get("goods") == "margin" else int(row.get("goods", 0)),
                term_start=start or None,
                term_end=end or None,
            ),
        )
    return Order(
        event_id=f"event-{row['id']}",
        order_id=row["id"],
        kind="sale" if row["fact"] == "order" else row["fact"],  # type: ignore[arg-type]
        currency=row.get("currency", "GBP"),
        lines=lines,
        refund_of=row.get("of"),
        contact_id=row.get("in"),
        agent_id=row.get("agent"),
        **shared(row),
    )
