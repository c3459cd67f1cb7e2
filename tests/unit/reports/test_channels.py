"""Attribution under any model, against one order at a time."""

import random
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest

from pnl.reports.channels import CHANNEL_MODELS, CHANNELS
from pnl.reports.converted import converted_report
from pnl.reports.explain import explain_order
from pnl.reports.model import BadRequest, Scope
from pnl.reports.sheet import Asking, Sheet
from processors.attribution import shares
from processors.policy import MODELS, Policy
from processors.results import (
    AttributionRecord,
    ClassNet,
    ContactRecord,
    Credit,
    PathContact,
    RateRecord,
)
from sinks.store import Store
from tests.support.books import Books, at, chain, day

DAY = 86_400_000
POLICY = Policy(lookback_ms_by_class={"upgrade": 7 * DAY})
GBP = Scope(currency="GBP")


def sheet(store: Store, scope: Scope = GBP, by: tuple[str, ...] = (), **options: str) -> Sheet:
    """Return the report as of the end of 2024."""
    return CHANNELS.asked(
        Asking(
            store=store,
            policy=POLICY,
            as_of=at("2024-12-31"),
            scope=scope,
            by=by,
            options=options,
        )
    )


def column(found: Sheet, name: str) -> dict[tuple[Any, ...], Any]:
    """Return a column by earner and key, the total too."""
    first = dict(found.options).get("model", "live").split(",")[0].replace("all", "last")
    names = [each.name for each in found.columns]
    place = names.index("touched_minor" if name == f"{first}_minor" else name)
    width = 1 + len(found.by)
    assert found.total is not None
    return {row[:width]: row[place] for row in (*found.rows, found.total)}


def placed(
    order_id: str, when: str, path: list[ContactRecord], net: int = 1000, **other: Any
) -> AttributionRecord:
    """Build the vector of an order of products, booked to the last touchpoint of a path."""
    ordered = at(when)
    steps = tuple(
        PathContact(
            contact_id=each.contact_id,
            ended_at=each.ended_at,
            handle_ms=each.talk_ms,
            case_id=each.case_id or None,
        )
        for each in sorted(path, key=lambda each: (each.ended_at, each.contact_id))
    )
    fields: dict[str, Any] = {"gross": 1000, "name": "product", "unknown": False} | other
    name = fields["name"]
    lookback = POLICY.lookback_of(name)
    shared = shares("last", () if fields["unknown"] else steps, ordered, lookback)
    vector, rest = shared.vector(fields["gross"], net)
    return AttributionRecord(
        order_id=order_id,
        customer_id="k",
        currency="GBP",
        occurred_at=ordered,
        gross_minor=fields["gross"],
        net_minor=net,
        unattributed_minor=rest,
        model="last",
        revision=1,
        credits=tuple(
            Credit(
                product_class=name,
                line="A1b",
                credit_minor=part,
                weight=weight,
                contact_id=contact.contact_id,
                case_id=contact.case_id,
            )
            for contact, weight, part in shared.by_contact(vector)
        ),
        classes=(
            ClassNet(
                product_class=name, gross_minor=fields["gross"], net_minor=net, lookback_ms=lookback
            ),
        ),
        path=steps,
        sold_unknown=fields["unknown"] is True,
    )


def random_books(books: Books, seed: int) -> list[str]:
    """Lay chains, cases among them, and orders of every kind; return the orders' ids."""
    rng = random.Random(seed)
    chains = [
        chain(
            f"c{number}",
            f"2024-06-{1 + number % 28:02} {rng.randrange(24):02}:00",
            channel=rng.choice(("voice", "chat", "email")),
            queue=rng.choice(("orders", "billing")),
            case_id=rng.choice(("", "", "case1", "case2")),
            talk_ms=rng.choice((0, 60_000, 61_001)),
        )
        for number in range(25)
    ]
    orders = []
    for number in range(40):
        when = f"2024-06-{rng.randint(2, 30):02}"
        path = [each for each in chains if each.ended_at <= at(when)]
        orders.append(
            placed(
                f"o{number}",
                when,
                rng.sample(path, min(len(path), rng.randint(0, 6))),
                rng.choice((1000, 667, 0, -5, 1)),
                name=rng.choice(("product", "product", "upgrade")),
                unknown=rng.choice((*[False] * 9, True, "late")),
            )
        )
    books.put(*chains, *orders)
    return [order.order_id for order in orders]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_model_gives_what_each_order_explains(
    books: Books, store: Store, seed: int, model: Any
) -> None:
    """Sums by channel are those of `pnl explain order --model`, the remainder too (I11)."""
    ids = random_books(books, seed)
    channels = {
        row["contact_id"]: row["channel"]
        for row in store.query("SELECT contact_id, channel FROM v_contacts")
    }
    expected: Counter[tuple[Any, ...]] = Counter()
    for order_id in ids:
        one = explain_order(store, order_id, model)
        assert one is not None
        for credit in one.credits:
            assert credit.contact_id is not None
            expected["contact", channels[credit.contact_id]] += credit.credit_minor
        expected["unattributed", None] += one.unattributed_minor
        expected["total", None] += one.net_minor
    found = column(sheet(store, model=model), f"{model}_minor")
    assert Counter({key: value for key, value in found.items() if value}) == Counter(
        {key: value for key, value in expected.items() if value}
    )


def test_all_models_have_one_total_and_live_is_what_is_booked(books: Books, store: Store) -> None:
    """I11: another model moves credit and nothing else; live equals the records themselves."""
    random_books(books, 3)
    found = sheet(store, model="all", by=("queue", "channel"))
    (net,) = store.query(
        "SELECT sum(net_minor) AS net, sum(unattributed_minor) AS rest FROM v_attributions"
    )
    for model in CHANNEL_MODELS:
        each = column(found, f"{model}_minor")
        rows = [value for key, value in each.items() if key[0] != "total"]
        assert sum(rows) == each["total", None, None] == net["net"]
    assert column(found, "live_minor")["unattributed", None, None] == net["rest"]
    assert column(found, "last_minor") == column(found, "live_minor")


def test_what_was_sold_in_a_contact_and_the_centre_stay(books: Books, store: Store) -> None:
    """No model moves them: there is nothing to share (DEF-UNIT)."""
    sold = replace_credit(placed("o1", "2024-06-10", []), "c1", "A1a", "product")
    yearly = replace_credit(placed("o2", "2024-06-10", []), None, "A3", "maintenance")
    books.put(chain("c1", "2024-06-01"), chain("c2", "2024-06-05", channel="chat"), sold, yearly)
    for model in ("first", "live", "markov"):
        found = column(sheet(store, model=model), f"{model}_minor")
        assert found == {
            ("contact", "voice"): 1000,
            ("centre", None): 1000,
            ("unattributed", None): 0,
            ("total", None): 2000,
        }


def replace_credit(
    order: AttributionRecord, contact_id: str | None, line: str, name: str
) -> AttributionRecord:
    """Give all of an order to one earner."""
    credit = Credit(
        product_class=name, line=line, credit_minor=1000, weight=1, contact_id=contact_id
    )
    return msgspec.structs.replace(
        order,
        credits=(credit,),
        classes=(ClassNet(product_class=name, gross_minor=1000, net_minor=1000, lookback_ms=0),),
        sold_in=contact_id,
        unattributed_minor=0,
    )


def test_markov_and_shapley_weigh_by_all_paths(books: Books, store: Store) -> None:
    """VEC-MARKOV (b) as orders and contacts: a null path is a matured contact without an order."""
    google = [chain(f"g{n}", "2024-06-01", customer_id=f"k{n}", channel="google") for n in range(4)]
    mailing = [chain(f"m{n}", "2024-06-02", customer_id=f"k{n}", channel="mailing") for n in (3, 4)]
    books.put(*google, *mailing)
    paths = {0: [google[0]], 1: [google[1]], 3: [google[3], mailing[0]], 4: [mailing[1]]}
    books.put(
        *(with_customer(placed(f"o{n}", "2024-06-10", path), f"k{n}") for n, path in paths.items())
    )
    found = sheet(store, model="markov,shapley,linear")
    assert column(found, "markov_minor")["contact", "google"] == 2600  # 0.6 of the shared order
    assert column(found, "shapley_minor")["contact", "google"] == 2000 + 625  # 2.5 of 4
    assert column(found, "linear_minor")["contact", "google"] == 2500
    assert "learnt from 5 paths of 2 channels, 4 of which converted" in found.notes[-1]


def with_customer(order: AttributionRecord, customer_id: str) -> AttributionRecord:
    """Give an order to a customer."""
    return msgspec.structs.replace(order, customer_id=customer_id)


def test_a_filter_shows_what_lies_outside(books: Books, store: Store) -> None:
    """The total stays net revenue, so a filtered view cannot overstate a share."""
    voice, chat = chain("c1", "2024-06-01"), chain("c2", "2024-06-02", channel="chat")
    books.put(voice, chat, placed("o1", "2024-06-10", [voice, chat], 999))
    found = sheet(store, replace(GBP, channel=("chat",)), model="linear")
    assert column(found, "linear_minor") == {
        ("contact", "chat"): 499,
        ("outside", None): 500,
        ("unattributed", None): 0,
        ("total", None): 999,
    }


def test_range_class_and_currency_choose_the_orders(books: Books, store: Store) -> None:
    """Orders count by the local day on which they were placed."""
    voice = chain("c1", "2024-06-01")
    books.put(voice)
    books.put(placed("o1", "2024-06-10", [voice]), placed("o2", "2024-06-11", [voice]))
    june = replace(GBP, start=date(2024, 6, 11), end=date(2024, 6, 12))
    assert column(sheet(store, june), "live_minor")["total", None] == 1000
    upgrades = replace(GBP, product_class=("upgrade",))
    assert column(sheet(store, upgrades, model="last"), "last_minor")["total", None] == 0
    assert column(sheet(store, Scope(currency="EUR")), "live_minor")["total", None] == 0


def test_orders_of_other_currencies_are_converted_with_their_credits(
    books: Books, store: Store
) -> None:
    """As if they had been made in ours at the day's rate, under any model; null without a rate."""
    first, last = chain("c1", "2024-06-01", channel="chat"), chain("c2", "2024-06-02")
    ours = placed("o1", "2024-06-03", [first, last], 800, gross=800)
    theirs = placed("o1", "2024-06-03", [first, last], 1000)
    books.put(first, last, placed("o2", "2024-06-03", [first], 300, gross=300), ours)
    options = {"model": "all", "incremental": "off"}
    expected = sheet(store, GBP, ("channel",), **options)
    books.put(msgspec.structs.replace(theirs, currency="USD", revision=2))
    asking = Asking(
        store=store,
        policy=POLICY,
        as_of=at("2024-12-31"),
        scope=GBP,
        by=("channel",),
        options=options,
    )
    lacking = converted_report("channels", asking)
    assert "1 orders have no rate" in lacking.notes[-1]
    assert all(cell is None for row in lacking.rows for cell in row[2:])
    rate = RateRecord(day=day("2024-06-03"), base="USD", quote="GBP", rate_e10=8 * 10**9)
    books.put(rate)
    found = converted_report("channels", asking)
    assert (found.rows, found.total) == (expected.rows, expected.total)
    assert found.label == "converted"
    windows = converted_report("windows", replace(asking, options={}))
    assert windows.total is not None
    assert 1100 in windows.total
    with pytest.raises(BadRequest, match="made in one currency"):
        converted_report("outcomes", replace(asking, options={}))


def test_an_unknown_model_is_said(store: Store) -> None:
    """The sentence lists the models."""
    with pytest.raises(BadRequest, match="last, first, linear"):
        sheet(store, model="best")
