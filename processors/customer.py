"""What is remembered of a customer: the facts that can still matter, and what was booked for them.

Law: everything here but the items themselves is an index that can be rebuilt from them, so a
customer read back from the state equals the one that was never put away. The items are what the
state keeps: one per fact, so that a fact costs the same however long the journey is.

The chains of legs are indexed here (`relink`), because a leg that arrives can join two of them.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final

from processors.items import (
    CostItem,
    Item,
    ItemKey,
    Kind,
    LegItem,
    OrderItem,
    PeriodItem,
    ResolutionItem,
    RiskItem,
)
from processors.purchase_days import PurchaseDays
from processors.references import Index, References, discard, enter
from processors.results import CurrencyAmount, Entry
from processors.settlement import Settlement
from processors.touchpoints import Chain, chain_of, chain_of_leg, leg_order
from streams.facts import Contact, Fact, Millis, Order, Period, event_time_of

_end: Final = attrgetter("ended_at", "contact_id")
_ended_at: Final = attrgetter("ended_at")
_LAST: Final = "\U0010ffff"
"""Sorts after every identity."""


class Customer:
    """One customer's journey, decoded. Mutable: `processors.journeys` is its only writer."""

    __slots__ = (
        "bought",
        "case_chains",
        "chain_of",
        "chains",
        "changed",
        "costs",
        "credits",
        "ends",
        "forgotten",
        "joins",
        "key",
        "legs",
        "length_ms_max",
        "oldest_double",
        "oldest_single",
        "orders",
        "periods",
        "refers",
        "resolutions",
        "risk",
        "sales",
        "same_chain",
        "settled",
        "shown",
        "watermark",
        "wrap_ms_max",
    )

    def __init__(self, key: str, items: Iterable[Item | RiskItem] = ()) -> None:
        self.key = key
        self.watermark: Millis | None = None
        # No item kept for one horizon, or two, but chains and sales is older than these.
        self.oldest_single: Millis | None = None
        self.oldest_double: Millis | None = None
        self.changed: set[ItemKey] = set()
        # Of facts that left since the last write: their revision, all that stays of them.
        self.forgotten: dict[ItemKey, int] = {}
        self.legs: dict[str, LegItem] = {}
        self.orders: dict[str, OrderItem] = {}
        self.resolutions: dict[str, ResolutionItem] = {}
        self.costs: dict[str, CostItem] = {}
        # Of a period, whose name is the key; never forgotten: a correction may come years later.
        self.periods: dict[str, PeriodItem] = {}
        # Chains by name; of those with several legs, the name by every leg but the first.
        self.chains: dict[str, Chain] = {}
        self.chain_of: dict[str, str] = {}
        self.same_chain: Index = {}
        self.joins: Index = {}
        self.case_chains: Index = {}
        self.ends: list[Chain] = []  # in order of (ended_at, contact_id)
        self.length_ms_max = 0
        self.wrap_ms_max = 0
        self.refers = References()
        self.sales: list[tuple[Millis, str]] = []
        self.settled: dict[str, Settlement] = {}
        self.credits: dict[str, tuple[CurrencyAmount, ...]] = {}
        # What was published of the risk. Indexed when a risk is asked for: the purchases, and
        # the signals that chains show, by the chain's name.
        self.risk: RiskItem | None = None
        self.bought: PurchaseDays | None = None
        self.shown: dict[str, tuple[str, ...]] | None = None
        legs: list[str] = []
        for item in items:
            if isinstance(item, RiskItem):
                self.risk = item
                continue
            self.observe(item.fact)
            if isinstance(item, LegItem):
                self.legs[item.fact.contact_id] = item
                legs.append(item.fact.contact_id)
            elif isinstance(item, OrderItem):
                self.orders[item.fact.order_id] = item
                self.enter_order(item.fact)
                self.add_credits(item.booked, 1)
            elif isinstance(item, CostItem):
                self.costs[item.fact.event_id] = item
                self.refers.enter(item.fact)
            elif isinstance(item, PeriodItem):
                self.periods[item.fact.event_id] = item
            else:
                self.resolutions[item.fact.event_id] = item
                self.refers.enter(item.fact)
        self._link_all(legs)

    # --- time

    def observe(self, fact: Fact) -> None:
        """Move the watermark: the largest event time seen of this customer."""
        if isinstance(fact, Period):
            return
        at = event_time_of(fact)
        if self.watermark is None or at > self.watermark:
            self.watermark = at
        if isinstance(fact, Order):
            if self.oldest_double is None or at < self.oldest_double:
                self.oldest_double = at
        elif isinstance(fact, Contact) and not fact.withdrawn:
            return  # chains are found by their end
        elif self.oldest_single is None or at < self.oldest_single:
            self.oldest_single = at

    def unobserve(self, former: Fact) -> None:
        """Take back the watermark if it stood on the former revision of a fact.

        So it always is what the items remembered say, also after they were read back.
        """
        if event_time_of(former) == self.watermark and not isinstance(former, Period):
            self.watermark = max(event_time_of(item.fact) for item in self._items())

    def _items(self) -> Iterator[Item]:
        for items in (self.legs, self.orders, self.resolutions, self.costs):
            yield from items.values()

    # --- items

    @property
    def facts(self) -> int:
        """How many facts are remembered."""
        return (
            len(self.legs)
            + len(self.orders)
            + len(self.resolutions)
            + len(self.costs)
            + len(self.periods)
        )

    def change(self, kind: Kind, identity: str) -> None:
        """Note that an item must be written to the state."""
        self.changed.add((kind, identity))

    def forget_item(self, key: ItemKey, revision: int) -> None:
        """Note that a fact is not remembered, but for its revision."""
        self.changed.add(key)
        self.forgotten[key] = revision

    def written(self) -> None:
        """Note that the state has what changed."""
        if self.changed:
            self.changed.clear()
        if self.forgotten:
            self.forgotten.clear()

    def item(self, key: ItemKey) -> Item | RiskItem | None:
        """Return an item, None if it was forgotten."""
        kind, identity = key
        if kind == "k":
            return self.risk
        if kind == "c":
            return self.legs.get(identity)
        if kind == "o":
            return self.orders.get(identity)
        if kind == "p":
            return self.periods.get(identity)
        return self.costs.get(identity) if kind == "x" else self.resolutions.get(identity)

    # --- legs and chains

    def add_alone(self, item: LegItem) -> Chain:
        """Enter a new leg that is linked to no other as a chain of its own."""
        leg = item.fact
        name = leg.contact_id
        self.legs[name] = item
        chain = self.chains[name] = chain_of_leg(leg)
        if leg.chain_id is not None:
            self._link(leg)
        if leg.case_id is not None:
            enter(self.case_chains, leg.case_id, name)
        self._enter_end(chain, leg.wrap_ms)
        return chain

    def knows(self, ref: str) -> bool:
        """Say whether a leg, order or cost refers to this contact_id or chain_id."""
        return (
            ref in self.same_chain
            or ref in self.joins
            or ref in self.refers.sold
            or ref in self.refers.costs
        )

    def _enter_end(self, chain: Chain, wrap_ms: int) -> None:
        if not self.ends or _end(self.ends[-1]) < _end(chain):
            self.ends.append(chain)
        else:
            insort(self.ends, chain, key=_end)
        length_ms = chain.ended_at - chain.started_at
        if length_ms > self.length_ms_max:
            self.length_ms_max = length_ms
        if wrap_ms > self.wrap_ms_max:
            self.wrap_ms_max = wrap_ms

    def chain_name_of(self, leg_id: str) -> str | None:
        """Return the name of the chain a leg is in; None if it is in none."""
        return leg_id if leg_id in self.chains else self.chain_of.get(leg_id)

    def relink(
        self, new: Contact, old: Contact | None
    ) -> tuple[dict[str, Chain], dict[str, Chain]]:
        """Put a leg in the place of its former revision; return the chains before and after.

        Only chains that the leg left, joined or is part of are in the two mappings.
        """
        names: set[str | None] = set()
        if old is not None and not old.withdrawn:
            names.add(self.chain_name_of(old.contact_id))
            self._unlink(old)
        if not new.withdrawn:
            self._link(new)
            names.update([self.chain_name_of(other) for other in self._neighbours(new, set())])
        before = {name: self._drop_chain(name) for name in names if name is not None}
        pool = {leg.contact_id for chain in before.values() for leg in chain.legs}
        pool.add(new.contact_id)
        if old is None and not new.withdrawn:
            chain = self._add_chain(pool)  # a newcomer only joins
            return before, {chain.contact_id: chain}
        return before, self._chain_up([i for i in pool if not self.legs[i].fact.withdrawn])

    def _link(self, leg: Contact) -> None:
        if leg.chain_id is not None:
            enter(self.same_chain, leg.chain_id, leg.contact_id)
        elif leg.transfer_of is not None:
            enter(self.joins, leg.transfer_of, leg.contact_id)

    def _unlink(self, leg: Contact) -> None:
        if leg.chain_id is not None:
            discard(self.same_chain, leg.chain_id, leg.contact_id)
        elif leg.transfer_of is not None:
            discard(self.joins, leg.transfer_of, leg.contact_id)

    def _neighbours(self, leg: Contact, passed: set[str]) -> Iterator[str]:
        """Yield the legs linked to one; those of a chain_id in `passed`, which grows, only once."""
        if leg.chain_id is not None:
            if leg.chain_id not in passed:
                passed.add(leg.chain_id)
                yield from self.same_chain.get(leg.chain_id, ())
        elif leg.transfer_of is not None:
            target = self.legs.get(leg.transfer_of)
            if target is not None and not target.fact.withdrawn:
                yield leg.transfer_of
        if self.joins:
            yield from self.joins.get(leg.contact_id, ())

    def _chain_up(self, leg_ids: Iterable[str]) -> dict[str, Chain]:
        """Build the chains of some legs that are linked among themselves only."""
        left = set(leg_ids)
        passed: set[str] = set()
        found = {}
        while left:
            start = left.pop()
            component, open_ends = [start], [start]
            while open_ends:
                for other in self._neighbours(self.legs[open_ends.pop()].fact, passed):
                    if other in left:
                        left.remove(other)
                        component.append(other)
                        open_ends.append(other)
            chain = self._add_chain(component)
            found[chain.contact_id] = chain
        return found

    def _add_chain(self, leg_ids: Iterable[str]) -> Chain:
        legs = [self.legs[leg_id].fact for leg_id in leg_ids]
        if len(legs) > 1:
            legs.sort(key=leg_order)
        chain = chain_of(legs)
        name = chain.contact_id
        self.chains[name] = chain
        for leg in legs[1:]:
            self.chain_of[leg.contact_id] = name
        if chain.case_id is not None:
            enter(self.case_chains, chain.case_id, name)
        self._enter_end(chain, max([leg.wrap_ms for leg in legs]))
        return chain

    def _drop_chain(self, name: str) -> Chain:
        chain = self.chains.pop(name)
        for leg in chain.legs[1:]:
            del self.chain_of[leg.contact_id]
        if chain.case_id is not None:
            discard(self.case_chains, chain.case_id, name)
        del self.ends[bisect_left(self.ends, _end(chain), key=_end)]
        return chain

    def _link_all(self, leg_ids: list[str]) -> None:
        live = [i for i in leg_ids if not self.legs[i].fact.withdrawn]
        for leg_id in live:
            self._link(self.legs[leg_id].fact)
        self._chain_up(live)

    def chains_ended(self, since: Millis, until: Millis) -> list[Chain]:
        """Return the chains that ended in [since, until], in order of (ended_at, contact_id)."""
        ends = self.ends
        if not ends or ends[0].ended_at > until or ends[-1].ended_at < since:
            return []
        low = bisect_left(ends, since, key=_ended_at)
        return ends[low : bisect_right(ends, until, low, key=_ended_at)]

    def chains_open(self, at: Millis) -> list[Chain]:
        """Return the chains that were under way at a moment, wrap-up included."""
        near = self.chains_ended(at - self.wrap_ms_max, at + self.length_ms_max)
        return [chain for chain in near if chain.started_at <= at <= chain.open_until]

    def chains_named(self, ref: str) -> list[Chain]:
        """Return the chains that a contact_id or chain_id may mean."""
        names = {self.chain_name_of(i) for i in (ref, *self.same_chain.get(ref, ()))}
        return [self.chains[name] for name in names if name is not None]

    def forget_chain(self, name: str) -> None:
        """Forget a chain and its legs."""
        for leg in self._drop_chain(name).legs:
            self._unlink(leg)
            self.forget_item(("c", leg.contact_id), leg.revision)
            del self.legs[leg.contact_id]
        self.credits.pop(name, None)

    # --- orders and costs

    def enter_order(self, order: Order) -> None:
        """Enter an order in the indexes by time and by what it names."""
        self.refers.enter(order)
        if order.kind == "sale" and not order.withdrawn:
            insort(self.sales, (order.occurred_at, order.order_id))

    def leave_order(self, order: Order) -> None:
        """Take an order out of the indexes."""
        self.refers.leave(order)
        if order.kind == "sale" and not order.withdrawn:
            del self.sales[bisect_left(self.sales, (order.occurred_at, order.order_id))]

    def sales_between(self, since: Millis, until: Millis) -> list[str]:
        """Return the sales that occurred in [since, until]."""
        low = bisect_left(self.sales, (since, ""))
        high = bisect_right(self.sales, (until, _LAST))
        return [order_id for _, order_id in self.sales[low:high]]

    def add_credits(self, entries: Iterable[Entry], sign: int) -> set[str]:
        """Add what order entries credit to chains; return the chains concerned."""
        concerned = set()
        for entry in entries:
            name = entry.contact_id
            if name and entry.line != "B":
                total = {x.currency: x.amount_minor for x in self.credits.get(name, ())}
                total[entry.currency] = total.get(entry.currency, 0) + sign * entry.amount_minor
                self.credits[name] = tuple(
                    [CurrencyAmount(at, total[at]) for at in sorted(total) if total[at]]
                )
                concerned.add(name)
        return concerned
