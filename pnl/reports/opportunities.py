"""`pnl report opportunities`: offers made and missed, sales that came back, what coaching could do.

Law: an offer that was not made is missed only where the customer was eligible; one made while the
customer's problem stayed unsolved suits only the seller and is flagged (W73). A sale that comes
back was no service (R4). Agents are shown by G-AGENT and never ranked; nothing here is per hour.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pnl.reports.grouping import (
    ROWS,
    grouped,
    key_columns,
    key_heads,
    keyed,
    local_day,
)
from pnl.reports.model import DIMENSIONS, BadRequest
from pnl.reports.options import choice
from pnl.reports.service_counts import Counts, scoped
from pnl.reports.service_measures import cells, shares, with_interval
from pnl.reports.service_words import WORDS as SERVICE_WORDS
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport
from pnl.reports.sql import COLUMN_OF
from processors.coaching import Skill, coached
from processors.measures import CASES_MIN
from processors.money import divide_half_even

WORDS: Final[Mapping[str, str]] = {
    name: SERVICE_WORDS[name] for name in ("RUL-DIMS", "G-AGENT")
} | {
    "M4": "Offers as the contact's facts state them, of handled contacts. Missed: the customer was"
    " eligible and nothing was offered. Declined: offered and not accepted. An offer made to"
    " somebody not eligible is in no rate and stands apart. All offers of a chain stand in its"
    " row, whichever leg made them.",
    "M4-OFFERED": "Offered / eligible, of those who were eligible.",
    "M4-ACCEPTED": "Accepted / offered, of all that was offered.",
    "W73": "Offers made in contacts whose case stands unresolved / offers made in contacts of which"
    " the outcome is known. Before the problem is solved an offer suits only the seller.",
    "R4": "Orders for products and upgrades sold in a contact, and what of them was taken back"
    " since (refunds, chargebacks, credit notes, cancellations). It grows: half of all refunds come"
    " within 9 days, 95 % within 109.",
    "G-COACH": "A hint is given only where an agent's interval leaves the mean of all agents out."
    " Rows stand in the order of ids: this is a list for coaching, not a ranking.",
}

_OFFERS: Final = (
    SheetColumn("offers", "Offers", "count", "M4"),
    SheetColumn("eligible", "Eligible", "count", "M4"),
    SheetColumn("offered", "Offered", "count", "M4"),
    SheetColumn("accepted", "Accepted", "count", "M4"),
    SheetColumn("missed", "Missed", "count", "M4"),
    SheetColumn("declined", "Declined", "count", "M4"),
    *with_interval("offered_ppm", "Offered / eligible", "ppm", "M4-OFFERED"),
    *with_interval("accepted_ppm", "Accepted / offered", "ppm", "M4-ACCEPTED"),
    SheetColumn("not_eligible", "Made though not eligible", "count", "M4"),
    SheetColumn("in_unresolved", "Made in unresolved", "count", "W73"),
    *with_interval("in_unresolved_ppm", "of known outcomes", "ppm", "W73"),
)
_RETURNS: Final = (
    SheetColumn("orders", "Sold in contact", "count", "R4"),
    SheetColumn("sold_minor", "Sold", "amount_minor", "R4", "booked"),
    SheetColumn("returned_minor", "Returned", "amount_minor", "R4", "booked"),
    SheetColumn("returned_ppm", "Returned / sold", "ppm", "R4"),
    SheetColumn("returned_orders", "Orders with a return", "count", "R4"),
    *with_interval("returned_orders_ppm", "of orders", "ppm", "R4"),
)
_SKILLS: Final = (
    Skill("offered", True, "offers less often where the customer is eligible"),
    Skill("accepted", True, "offers are taken less often: do they solve the problem?"),
    Skill("in_unresolved", False, "offers more often before the problem is solved"),
    Skill("returned_orders", False, "what is sold comes back more often"),
)
_COACHING: Final = (
    SheetColumn("agent", "Agent", "text", "RUL-DIMS"),
    SheetColumn("eligible", "Eligible", "count", "M4"),
    *with_interval("offered_ppm", "Offered / eligible", "ppm", "G-AGENT"),
    *with_interval("accepted_ppm", "Accepted / offered", "ppm", "G-AGENT"),
    *with_interval("in_unresolved_ppm", "Made in unresolved", "ppm", "G-AGENT"),
    *with_interval("returned_orders_ppm", "Orders with a return", "ppm", "G-AGENT"),
    SheetColumn("hint", "Surely differs", "text", "G-COACH"),
)


def make(asking: Asking) -> Sheet:
    """Return the offers, the returns of what was sold in contacts, or the coaching list."""
    view = choice(asking.options, "view", tuple(_VIEWS))
    return _VIEWS[view](asking)


def offers(asking: Asking, by: Sequence[str]) -> Counts:
    """Count offers of handled contacts by dimensions, times and product class."""
    where, classes = scoped(asking).also("handled"), asking.scope.product_class
    if classes:
        where = where.also("has({classes:Array(String)}, product_class)", classes=list(classes))
    dimensions = {**COLUMN_OF, "product_class": "product_class"}
    made_known = "offered AND outcome IN ('resolved', 'unresolved')"
    sql = (
        f"SELECT {key_columns(by, local_day('ended_at'), dimensions)}"
        "count() AS offers_n, countIf(eligible) AS eligible_n, countIf(offered) AS offered_n,"
        " countIf(eligible AND offered) AS made_n, countIf(accepted) AS accepted_n,"
        " countIf(offered AND accepted) AS taken_n, countIf(eligible AND NOT offered) AS missed_n,"
        " countIf(offered AND NOT accepted) AS declined_n,"
        " countIf(offered AND NOT eligible) AS pushed_n,"
        " countIf(offered AND outcome = 'unresolved') AS unresolved_n,"
        f" countIf({made_known}) AS known_n FROM v_contacts ARRAY JOIN"
        " offer_classes AS product_class, offers_eligible AS eligible, offers_offered AS offered,"
        f" offers_accepted AS accepted WHERE {where}{grouped(by)}"
    )
    return keyed(by, asking.store.query(sql, where.parameters))


def returns(asking: Asking, by: Sequence[str]) -> Counts:
    """Sum what was sold in contacts and what of it was taken back, in the scope's currency."""
    where = scoped(asking)
    classes = asking.scope.product_class or ("product", "upgrade")
    dimensions = {**COLUMN_OF, "product_class": "product_class"}
    sql = (
        f"SELECT {key_columns(by, local_day('ended_at'), dimensions)}"
        "uniqExact(order_id, customer_id) AS orders_n, sum(toInt128(gross)) AS sold,"
        " sum(toInt128(gross - net)) AS returned,"
        " uniqExactIf(tuple(order_id, customer_id), net < gross) AS back_n"
        f" FROM (SELECT * FROM v_contacts WHERE {where}) AS chains INNER JOIN"
        " (SELECT sold_in AS contact_id, customer_id, order_id, product_class, gross, net"
        " FROM v_attributions ARRAY JOIN classes AS product_class, class_gross_minor AS gross,"
        " class_net_minor AS net WHERE sold_in != '' AND currency = {currency:String}"
        " AND has({sold_classes:Array(String)}, product_class) AND gross > 0) AS orders"
        f" USING (contact_id, customer_id){grouped(by)}"
    )
    parameters = {
        **where.parameters,
        "currency": asking.scope.currency,
        "sold_classes": [name for name in classes if name in ("product", "upgrade")],
    }
    return keyed(by, asking.store.query(sql, parameters))


def _offered(asking: Asking) -> Sheet:
    heads = (*key_heads(asking.by), *_OFFERS)
    notes = [_AGENTS] if "agent" in asking.by else []
    return _sheet(asking, heads, offers, _offer_cells, notes)


def _returned(asking: Asking) -> Sheet:
    heads = (*key_heads(asking.by), *_RETURNS)
    notes = ["Returns go on coming for about 109 days: a young period looks better than it is."]
    return _sheet(asking, heads, returns, _return_cells, notes)


_AGENTS: Final = f"Agents' rates need {CASES_MIN} cases and are drawn to the mean of all agents."


def _sheet(
    asking: Asking,
    heads: Sequence[SheetColumn],
    counted: Callable[[Asking, Sequence[str]], Counts],
    made: Callable[[Sequence[str], Sequence[Mapping[str, Any]]], list[tuple[Cell, ...]]],
    notes: Sequence[str],
) -> Sheet:
    whole = made((), [counted(asking, ()).get((), {})])[0]
    if not asking.by:
        return asking.sheet("opportunities", _TITLE, heads, [whole], notes=notes)
    found = counted(asking, asking.by)
    keys = sorted(found)
    parts = made(asking.by, [found[key] for key in keys])
    rows: list[Row] = [(*key, *part) for key, part in zip(keys, parts, strict=True)]
    total = (*(None for _ in asking.by), *whole)
    return asking.sheet("opportunities", _TITLE, heads, rows, total=total, notes=notes)


def _offer_cells(by: Sequence[str], counts: Sequence[Mapping[str, Any]]) -> list[tuple[Cell, ...]]:
    names = ("offers_n", "eligible_n", "offered_n", "accepted_n", "missed_n", "declined_n")
    made, taken, early = (
        shares(by, [(int(row.get(part, 0)), int(row.get(whole, 0))) for row in counts])
        for part, whole in (
            ("made_n", "eligible_n"),
            ("taken_n", "offered_n"),
            ("unresolved_n", "known_n"),
        )
    )
    return [
        (
            *(int(row.get(name, 0)) for name in names),
            *(*made[place], *taken[place]),
            *(int(row.get("pushed_n", 0)), int(row.get("unresolved_n", 0))),
            *early[place],
        )
        for place, row in enumerate(counts)
    ]


def _return_cells(by: Sequence[str], counts: Sequence[Mapping[str, Any]]) -> list[tuple[Cell, ...]]:
    back = shares(by, [(int(row.get("back_n", 0)), int(row.get("orders_n", 0))) for row in counts])
    found: list[tuple[Cell, ...]] = []
    for place, row in enumerate(counts):
        sold, returned = int(row.get("sold", 0)), int(row.get("returned", 0))
        ratio = divide_half_even(returned * 1_000_000, sold) if sold else None
        money = (int(row.get("orders_n", 0)), sold, returned, ratio)
        found.append((*money, int(row.get("back_n", 0)), *back[place]))
    return found


def _coaching(asking: Asking) -> Sheet:
    if asking.by:
        raise BadRequest("view=coaching has a row per agent: leave --by out.")
    made, sold = offers(asking, ("agent",)), returns(asking, ("agent",))
    agents = sorted(str(key[0]) for key in {*made, *sold} if key[0])
    counts = {agent: _skills(made.get((agent,), {}), sold.get((agent,), {})) for agent in agents}
    rows: list[Row] = [
        (
            each.agent_id,
            int(made.get((each.agent_id,), {}).get("eligible_n", 0)),
            *(cell for skill in _SKILLS for cell in cells(each.figures[skill.name])),
            "; ".join(each.hints),
        )
        for each in coached(_SKILLS, counts)
    ]
    notes = [
        f"{WORDS['G-AGENT']} {WORDS['G-COACH']}",
        "A difference is a question to ask, not an answer: queues and customers differ too.",
    ]
    return asking.sheet("opportunities", "Coaching", _COACHING, rows, notes=notes)


def _skills(made: Mapping[str, Any], sold: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    def pair(row: Mapping[str, Any], part: str, whole: str) -> tuple[int, int]:
        return int(row.get(part, 0)), int(row.get(whole, 0))

    return {
        "offered": pair(made, "made_n", "eligible_n"),
        "accepted": pair(made, "taken_n", "offered_n"),
        "in_unresolved": pair(made, "unresolved_n", "known_n"),
        "returned_orders": pair(sold, "back_n", "orders_n"),
    }


_TITLE: Final = "Opportunities"
_VIEWS: Final[Mapping[str, Callable[[Asking], Sheet]]] = {
    "offers": _offered,
    "returns": _returned,
    "coaching": _coaching,
}

OPPORTUNITIES: Final = SheetReport(
    name="opportunities",
    title=_TITLE,
    summary="Offers that were due, made, taken and missed; sales that came back; a coaching list.",
    make=make,
    dimensions=(*ROWS, "product_class"),
    options={"view": "offers (default), returns of what was sold in contacts, coaching"},
    definitions=WORDS,
    filters=DIMENSIONS,
    views=tuple(_VIEWS),
)
