"""Save calls: how many customers they keep, against how many would have stayed anyway.

Law: only contacts whose horizon has passed count, and each is judged by orders after its end. What
would have been is the control arm's share where customers were drawn at random (causal), else what
risk just before each contact says (association): who calls to leave is not who the model saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pnl.fitting.from_store import IS_PURCHASE
from pnl.reports.customer_books import Question
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn
from processors.confidence import newcombe, wilson
from processors.lifetime import Terms, save_economics, value_given_active
from processors.purchases import Purchases, purchases
from processors.repeat_models import ZERO, Duration, TimeUnit

N_MIN: Final = 30
SAVES_MAX: Final = 100_000
DAY_MS: Final = 86_400_000
COLUMNS: Final = (
    SheetColumn("queue", "Queue", "text", "DEF-CHAIN"),
    SheetColumn("contacts", "Save contacts", "count", "CUS-SAVED"),
    SheetColumn("saved", "Bought after", "count", "CUS-SAVED"),
    SheetColumn("save_ppm", "Save rate", "ppm", "CUS-SAVED"),
    SheetColumn("save_ppm_low", "from", "ppm", "DEF-CI"),
    SheetColumn("save_ppm_high", "to", "ppm", "DEF-CI"),
    SheetColumn("expected_ppm", "Without contact", "ppm", "CUS-EXPECTED", "estimated"),
    SheetColumn("difference_ppm", "Difference", "ppm", "DEF-SAVE", "estimated"),
    SheetColumn("difference_ppm_low", "from", "ppm", "DEF-SAVE"),
    SheetColumn("difference_ppm_high", "to", "ppm", "DEF-SAVE"),
    SheetColumn("margin_minor", "Margin at stake", "amount_minor", "DEF-SAVE", "estimated"),
    SheetColumn("offer_minor", "Offers per contact", "amount_minor", "DEF-SAVE", "booked"),
    SheetColumn("net_minor", "Net per contact", "amount_minor", "DEF-SAVE", "estimated"),
    SheetColumn("net_minor_low", "from", "amount_minor", "DEF-SAVE"),
    SheetColumn("net_minor_high", "to", "amount_minor", "DEF-SAVE"),
)


@dataclass(frozen=True)
class _Save:
    """One contact of kind `save` whose horizon has passed; amounts in minor units."""

    queue: str
    control: bool
    saved: bool
    expected: float | None
    margin: float | None
    offer_minor: int


def saves(asking: Asking, asked: Question | None) -> Sheet:
    """Return a row per queue, and all together."""
    title = "Save calls"
    if asked is None:
        return asking.sheet("customers", title, COLUMNS, [], notes=("The books are empty.",))
    found = _found(asked)
    treated = [each for each in found if not each.control]
    control = [each for each in found if each.control]
    rows = [
        _row(queue, [each for each in treated if each.queue == queue], control)
        for queue in sorted({each.queue for each in treated})
    ]
    causal = len(control) >= N_MIN
    source = (
        f"What would have been is the share of {len(control)} customers drawn for no contact."
        if causal
        else "What would have been is what risk just before each contact said, taken as known."
    )
    return asking.sheet(
        "customers",
        title,
        COLUMNS,
        rows,
        total=_row("", treated, control) if treated else None,
        notes=(f"Saved: bought within {asked.horizon_days} days after. {source}",),
        label="causal" if causal else "association",
    )


def _found(asked: Question) -> list[_Save]:
    """Return the save contacts of the range whose horizon has passed by the moment."""
    parameters = asked.parameters | {
        "horizon": asked.horizon_days * DAY_MS,
        "judged": asked.parameters["moment"] - asked.horizon_days * DAY_MS,
    }
    if asked.asking.scope.start is None:
        parameters["since"] = 0
    rows = asked.asking.store.query(
        "SELECT contact_id, customer_id, queue, experiment_arm = 'control' AS control,"
        " toInt64(toUnixTimestamp64Milli(ended_at)) AS at_ms,"
        " toInt32(toDate(ended_at, {zone:String})) AS day"
        " FROM v_contacts WHERE kind = 'save' AND identified"
        " AND (handled OR experiment_arm = 'control')"
        " AND ended_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
        " AND ended_at < fromUnixTimestamp64Milli({judged:Int64}, 'UTC')"
        f" ORDER BY ended_at DESC, contact_id LIMIT {SAVES_MAX}",
        parameters,
    )
    if not rows:
        return []
    sold = asked.asking.store.query(
        "SELECT customer_id, toInt64(toUnixTimestamp64Milli(occurred_at)) AS at_ms,"
        " toInt32(toDate(occurred_at, {zone:String})) AS day, net_minor"
        f" FROM v_attributions WHERE {IS_PURCHASE}"
        " AND customer_id IN (SELECT customer_id FROM v_contacts WHERE kind = 'save')",
        parameters,
    )
    offered = {
        row["contact_id"]: int(row["offer_minor"])
        for row in asked.asking.store.query(
            "SELECT contact_id, toInt64(sum(amount_minor)) AS offer_minor FROM v_ledger"
            " WHERE line = 'C4' AND currency = {currency:String} AND contact_id IN"
            " (SELECT contact_id FROM v_contacts WHERE kind = 'save') GROUP BY contact_id",
            parameters,
        )
    }
    return _judged(asked, rows, sold, offered)


def _judged(
    asked: Question,
    rows: Sequence[dict[str, Any]],
    sold: Sequence[dict[str, Any]],
    offered: dict[str, int],
) -> list[_Save]:
    """Return each contact with what followed, and what was to be expected just before it."""
    bought = purchases(
        [row["customer_id"] for row in sold],
        [row["at_ms"] for row in sold],
        [row["day"] for row in sold],
        [row["net_minor"] for row in sold],
    )
    times: dict[str, list[int]] = {}
    for row in sold:
        times.setdefault(row["customer_id"], []).append(row["at_ms"])
    expected, margin = _before(asked, bought, rows)
    within = asked.horizon_days * DAY_MS
    return [
        _Save(
            queue=row["queue"],
            control=bool(row["control"]),
            saved=any(
                row["at_ms"] < at <= row["at_ms"] + within
                for at in times.get(row["customer_id"], ())
            ),
            expected=expected.get(place),
            margin=margin.get(place),
            offer_minor=offered.get(row["contact_id"], 0),
        )
        for place, row in enumerate(rows)
    ]


def _before(
    asked: Question, bought: Purchases, rows: Sequence[dict[str, Any]]
) -> tuple[dict[int, float], dict[int, float]]:
    """Return, by the contact's place, the chance to buy and the margin of who buys, just before."""
    fit = asked.fit
    place_of = {name: place for place, name in enumerate(bought.customers)}
    asked_of = np.array([i for i, row in enumerate(rows) if row["customer_id"] in place_of], int)
    if fit is None or not len(asked_of):
        return {}, {}
    known = bought.just_before(
        np.array([place_of[rows[i]["customer_id"]] for i in asked_of], dtype=np.int64),
        np.array([rows[i]["at_ms"] for i in asked_of], dtype=np.int64),
        np.array([rows[i]["day"] for i in asked_of], dtype=np.int64),
    )
    # A snapshot leaves out who had not bought by then, and keeps the order of the others.
    places = [int(i) for i in asked_of[known.found]]
    risk = fit.risk_model.risk(known.histories)
    chances = {i: 1 - float(p) for i, p in zip(places, risk, strict=True) if np.isfinite(p)}
    if fit.repeat is None or fit.spend is None:
        return chances, {}
    terms = Terms(discount_per_month=asked.discount_per_month, margin=asked.margin)
    mean = fit.spend.model.expected(known.spend)
    end = Duration(float(asked.months), TimeUnit.MONTH)
    value = value_given_active(fit.repeat.model, known.histories, mean, terms, ZERO, end)
    return chances, dict(zip(places, value.tolist(), strict=True))


def _row(queue: str, treated: Sequence[_Save], control: Sequence[_Save]) -> Row:
    """Return the figures of some contacts; what fewer than 30 would tell is None."""
    n, saved = len(treated), sum(each.saved for each in treated)
    offers = round(sum(each.offer_minor for each in treated) / n)
    if n < N_MIN:
        return (queue, n, saved, *(None,) * 8, offers, *(None,) * 3)
    rate, ends = saved / n, wilson(saved, n)
    assert ends is not None
    without, low, high = _without(treated, control, rate, (ends.low, ends.high))
    margins = [each.margin for each in treated if each.margin is not None]
    margin = round(sum(margins) / len(margins)) if margins else None
    shares: tuple[Cell, ...] = (None,) * 4
    net: tuple[Cell, ...] = (None,) * 3
    if without is not None:
        differences = (rate - without, low, high)
        shares = tuple(round(each * 1e6) for each in (without, *differences))
        if margin is not None:
            cost = -round(offers / rate) if saved else 0
            net = tuple(
                save_economics(
                    round(rate * 1e6), round((rate - difference) * 1e6), margin, cost
                ).net_minor
                for difference in differences
            )
    told = (round(each * 1e6) for each in (rate, *ends))
    return (queue, n, saved, *told, *shares, margin, offers, *net)


def _without(
    treated: Sequence[_Save],
    control: Sequence[_Save],
    rate: float,
    ends: tuple[float, float],
) -> tuple[float | None, float, float]:
    """Return the share without the contact, and the ends of the difference's interval."""
    if len(control) >= N_MIN:
        stayed = sum(each.saved for each in control)
        found = newcombe(round(rate * len(treated)), len(treated), stayed, len(control))
        assert found is not None
        return stayed / len(control), found.low, found.high
    chances = [each.expected for each in treated if each.expected is not None]
    if len(chances) < N_MIN:
        return None, 0.0, 0.0
    without = sum(chances) / len(chances)
    return without, ends[0] - without, ends[1] - without
