"""Settle a whole history at once: facts of all customers in, books out."""

from collections.abc import Iterable

from processors.policy import Policies, PolicyBook, book_of
from streams.facts import Contact, Cost, Fact, Order, Period, Resolution, identity_of
from tests.oracle.books import Account, Books, ChainBook
from tests.oracle.chains import Chain, chains_named, chains_of
from tests.oracle.contacts import Fees, book_costs
from tests.oracle.exact import local_day, spread
from tests.oracle.orders import OrderBooks, with_chain

COST_LINES = {
    "channel": "C3",
    "concession": "C4",
    "overhead": "C5",
    "technology": "C5",
    "facilities": "C5",
    "training": "C6",
    "attrition": "C6",
    "leadership": "C6",
    "payroll": "payroll",
}
OF_A_CHAIN = ("C1", "C3", "C4")
FEE_LINES = ("A2a", "A2b", "A2c")


def settle(facts: Iterable[tuple[str, Fact]], rules: Policies) -> Books:
    """Return the books of a history: per key, its facts, repeated or not, in any order.

    The facts of a key must lie within one horizon (RUL-KEEP), save that a refund further than
    that from its order is an orphan.
    """
    books = Books()
    by_key: dict[str, list[Fact]] = {}
    for key, fact in standing(facts):
        by_key.setdefault(key, []).append(fact)
    for key, of_key in by_key.items():
        settle_key(key, of_key, book_of(rules), books)
    return books.closed()


def standing(facts: Iterable[tuple[str, Fact]]) -> list[tuple[str, Fact]]:
    """Keep the highest revision of each fact, less what was withdrawn (RUL-SAME)."""
    highest: dict[tuple[str, type, str], Fact] = {}
    for key, fact in facts:
        place = (key, type(fact), identity_of(fact))
        if place not in highest or fact.revision > highest[place].revision:
            highest[place] = fact
    return [(place[0], fact) for place, fact in highest.items() if not fact.withdrawn]


def settle_key(key: str, facts: list[Fact], policies: PolicyBook, books: Books) -> None:
    """Book everything that one key's facts come to."""
    contacts = [fact for fact in facts if isinstance(fact, Contact)]
    orders = [fact for fact in facts if isinstance(fact, Order)]
    costs = [fact for fact in facts if isinstance(fact, Cost)]
    periods = [fact for fact in facts if isinstance(fact, Period)]
    resolutions = [fact for fact in facts if isinstance(fact, Resolution)]
    assert len(contacts + orders + costs + periods + resolutions) == len(facts)
    chains = chains_of(contacts)
    of_orders = OrderBooks(key, orders, chains, policies).settle()
    books.orders.update(of_orders.orders)
    own = Books()
    book_costs(key, chains, policies, own)
    Fees(key, chains, orders, policies).book(own)
    for cost in costs:
        book_cost(key, cost, chains, policies, own)
    for period in periods:
        book_period(key, period, own)
    for part in (of_orders, own):
        for account, amount in part.balance.items():
            books.balance[account] += amount
        for place, amount in part.daily.items():
            books.daily[place] += amount
        for account, square in part.variance.items():
            books.variance[account] += square
    for chain in chains:
        books.chains[key, chain.name] = chain_book(key, chain, resolutions, own, books, policies)


def book_cost(
    key: str, cost: Cost, chains: list[Chain], policies: PolicyBook, books: Books
) -> None:
    """Book one cost fact, negative, on the line of its kind."""
    where = Account(key, COST_LINES[cost.kind], cost.currency, cost.occurred_at)
    for chain in chains_named(cost.contact_id or "", chains)[:1]:
        where = with_chain(where, chain)
    where = where._replace(
        queue=cost.queue or where.queue,
        channel=cost.channel or where.channel,
        agent_id=cost.agent_id or where.agent_id,
        kind=cost.kind if where.line in ("C6", "payroll") else where.kind,
    )
    start = end = 0
    if where.line == "C5" and cost.period_start is not None and cost.period_end is not None:
        start = local_day(cost.period_start, policies.zone)
        end = local_day(cost.period_end, policies.zone)
    days = spread(-cost.amount_minor, start, end) if end > start else None
    books.book(where, -cost.amount_minor, days)


def book_period(key: str, period: Period, books: Books) -> None:
    """Book what the period job stated, line by line as it is."""
    for line in period.lines:
        where = Account(
            key,
            line.line,
            line.currency,
            line.effective_at,
            contact_id=line.contact_id,
            case_id=line.case_id,
            queue=line.queue,
            team=line.team,
            agent_id=line.agent_id,
            channel=line.channel,
            reason=line.reason,
            kind=line.kind,
        )
        books.book(where, line.amount_minor)
        books.variance[where] += line.variance_minor2


def told(chain: Chain, resolutions: list[Resolution], name: str) -> int | None:
    """Return an opinion: of the case's latest resolution that has it, else of the chain's own."""
    having = sorted(
        (fact for fact in resolutions if getattr(fact, name) is not None),
        key=lambda fact: (fact.occurred_at, fact.event_id),
    )
    refs = {leg.contact_id for leg in chain.legs} | {leg.chain_id for leg in chain.legs} - {None}
    of_case = [fact for fact in having if chain.case_id and fact.case_id == chain.case_id]
    naming = [fact for fact in having if fact.contact_id in refs]
    latest = (of_case or naming)[-1:]
    return getattr(latest[0], name) if latest else None


def chain_book(
    key: str,
    chain: Chain,
    resolutions: list[Resolution],
    own: Books,
    books: Books,
    policies: PolicyBook,
) -> ChainBook:
    """Sum up one chain in the reporting currency (RUL-RPC)."""

    def total(lines: tuple[str, ...]) -> int:
        return sum(
            amount
            for account, amount in own.balance.items()
            if account.line in lines
            and account.contact_id == chain.name
            and account.currency == policies.currency
        )

    earned: dict[str, int] = {}
    for (of_key, _), order in books.orders.items():
        for (contact_id, _), credit in order.credits.items():
            if of_key == key and contact_id == chain.name:
                earned[order.currency] = earned.get(order.currency, 0) + credit
    of_case = [fact for fact in resolutions if chain.case_id and fact.case_id == chain.case_id]
    resolved = [fact.occurred_at for fact in of_case if fact.outcome == "resolved"]
    tried = [leg.experiment for leg in chain.legs if leg.experiment is not None]
    return ChainBook(
        handled=chain.handled,
        abandoned=chain.abandoned,
        cost=total(OF_A_CHAIN),
        fee=total(FEE_LINES),
        case_id=chain.case_id,
        opinions=(
            told(chain, resolutions, "csat"),
            told(chain, resolutions, "nps"),
            told(chain, resolutions, "ces"),
        ),
        resolved_at=min(resolved, default=None),
        resolutions=len(resolved),
        reopened=any(fact.outcome == "reopened" for fact in of_case),
        escalated=any(fact.outcome == "escalated" for fact in of_case),
        offers=tuple(offer for leg in chain.legs for offer in leg.offers),
        legs=tuple(leg.contact_id for leg in chain.legs),
        experiment=(tried[0].id, tried[0].arm) if tried else ("", ""),
        queue=chain.face.queue,
        agent_id=chain.face.agent_id or "",
        channel=chain.face.channel,
        credits={currency: amount for currency, amount in earned.items() if amount},
    )
