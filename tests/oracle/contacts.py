"""What contacts cost and are charged: C1, C3, fees (RUL-C1, RUL-C3, RUL-FEE)."""

from collections.abc import Iterable, Sequence

from processors.policy import Policy, PolicyBook, Tariff
from streams.facts import SELF_SERVICE, Contact, Order
from tests.oracle.books import Account, Books
from tests.oracle.chains import Chain, sold_in
from tests.oracle.exact import local_day, rate, spread
from tests.oracle.orders import with_chain


def loaded_rate(leg: Contact, policy: Policy) -> int:
    """Return what an hour of this leg's agent costs (RUL-C1)."""
    if leg.agent_id is None and leg.disposition_code == SELF_SERVICE:
        return 0
    by_queue = policy.loaded_per_hour_minor_by_queue.get(leg.queue, policy.loaded_per_hour_minor)
    if leg.agent_id is None:
        return by_queue
    return policy.loaded_per_hour_minor_by_agent.get(leg.agent_id, by_queue)


def book_costs(key: str, chains: Iterable[Chain], policies: PolicyBook, books: Books) -> None:
    """Book handling of every leg and the channel's price of every chain, negative."""
    for chain in chains:
        for leg in chain.charged_legs:
            handle_ms = leg.talk_ms + leg.hold_ms + leg.wrap_ms
            where = Account(
                key,
                "C1",
                policies.currency,
                leg.ended_at,
                contact_id=chain.name,
                leg_id=leg.contact_id,
                case_id=chain.case_id,
                queue=leg.queue,
                team=leg.team or "",
                agent_id=leg.agent_id or "",
                channel=leg.channel,
                reason=leg.reason or "",
                kind=leg.kind,
            )
            books.book(where, -rate(handle_ms, loaded_rate(leg, policies.at(leg.ended_at))))
        book_channel(key, chain, policies, books)


def book_channel(key: str, chain: Chain, policies: PolicyBook, books: Books) -> None:
    """Book what the channel costs: once per chain, and by the minute of each leg."""
    if not chain.charged_legs:
        return
    where = with_chain(Account(key, "C3", policies.currency, chain.end), chain)
    once = policies.at(chain.end).channels.get(chain.face.channel)
    if once is not None:
        books.book(where, -once.per_contact_minor)
    for leg in chain.charged_legs:
        by_minute = policies.at(leg.ended_at).channels.get(leg.channel)
        if by_minute is not None:
            amount = -rate(leg.talk_ms + leg.hold_ms, 60 * by_minute.per_minute_minor)
            of_leg = where._replace(leg_id=leg.contact_id, effective_at=leg.ended_at)
            books.book(of_leg, amount)


class Fees:
    """The fees of one key's chains."""

    def __init__(
        self, key: str, chains: Sequence[Chain], orders: Iterable[Order], policies: PolicyBook
    ) -> None:
        self.key, self.policies, self.chains = key, policies, chains
        sold = [
            sold_in(order, chains)[0]
            for order in orders
            if order.kind == "sale" and any(line.product_class == "support" for line in order.lines)
        ]
        self.with_order = {chain.name for chain in sold if chain is not None}
        self.cases_with_order = {
            chain.case_id for chain in sold if chain is not None and chain.case_id
        }

    def book(self, books: Books) -> None:
        """Book every fee of every handled chain."""
        for chain in self.chains:
            if not chain.handled:
                continue
            for tariff_name in sorted(carried(chain)):
                tariff = self.tariff(chain, tariff_name)
                if tariff is not None:
                    self.book_tariff(chain, tariff_name, tariff, books)
            for leg in chain.charged_legs:
                fee = leg.fee
                if fee is not None and fee.amount_minor is not None:
                    currency = fee.currency or self.policies.currency
                    if chain.name not in self.with_order:
                        where = self.where(chain, "A2c", currency)
                        books.book(where._replace(leg_id=leg.contact_id), fee.amount_minor)

    def tariff(self, chain: Chain, name: str) -> Tariff | None:
        """Return a tariff as it was when a chain ended; None if there was none of the name."""
        return self.policies.at(chain.end).tariffs.get(name)

    def where(self, chain: Chain, line: str, currency: str, tariff: str = "") -> Account:
        """Return the account of a fee: dated by the chain's end."""
        account = Account(self.key, line, currency, chain.end, tariff=tariff)
        return with_chain(account, chain)

    def book_tariff(self, chain: Chain, name: str, tariff: Tariff, books: Books) -> None:
        """Book what one tariff charges for one chain, if anything."""
        currency = self.policies.currency
        if tariff.kind == "per_event":
            if self.first_of_case(chain, name) and not self.displaced(chain):
                books.book(self.where(chain, "A2a", currency, name), tariff.amount_minor)
            return
        if chain.name in self.with_order:
            return
        if tariff.kind == "flat":
            books.book(self.where(chain, "A2c", currency, name), tariff.amount_minor)
            return
        if tariff.kind == "per_term":
            start = local_day(chain.end, self.policies.zone)
            days = spread(tariff.amount_minor, start, start + tariff.term_days)
            books.book(self.where(chain, "A2b", currency, name), tariff.amount_minor, days)
            return
        ms = sum(leg.talk_ms + leg.hold_ms for leg in chain.charged_legs if tariff_of(leg) == name)
        started = -(-ms // tariff.increment_ms) * tariff.increment_ms
        charged = rate(max(tariff.minimum_ms, started), tariff.per_hour_minor)
        books.book(self.where(chain, "A2b", currency, name), charged)

    def first_of_case(self, chain: Chain, name: str) -> bool:
        """Say whether a chain is the earliest handled one of its case that carries a tariff."""
        if not chain.case_id:
            return True
        rivals = [
            other
            for other in self.chains
            if other.handled and other.case_id == chain.case_id and name in carried(other)
            if (tariff := self.tariff(other, name)) is not None and tariff.kind == "per_event"
        ]
        return min(rivals, key=lambda other: other.rank) == chain

    def displaced(self, chain: Chain) -> bool:
        """Say whether a support order of the chain or its case stands in for a per-event fee."""
        return chain.name in self.with_order or chain.case_id in self.cases_with_order


def tariff_of(leg: Contact) -> str | None:
    """Return the tariff a leg carries; an explicit amount is no tariff."""
    return None if leg.fee is None or leg.fee.amount_minor is not None else leg.fee.tariff


def carried(chain: Chain) -> set[str]:
    """Return the tariffs that the legs of a chain carry."""
    named = {tariff_of(leg) for leg in chain.charged_legs}
    return {name for name in named if name is not None}
