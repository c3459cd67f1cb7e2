"""What a customer's facts refer to: from an id to the facts that name it.

Law: an index holds exactly the facts that stand (not withdrawn), and no empty sets.
"""

from streams.facts import Cost, Fact, Order, Resolution


class References:
    """Indexes of one customer's facts by what they name."""

    __slots__ = ("costs", "refunds", "resolutions", "sold", "unlinked")

    def __init__(self) -> None:
        # Sales and costs by the contact_id they name, refunds by the order_id, resolutions by
        # the case_id; refunds that name no order by currency.
        self.sold: dict[str, set[str]] = {}
        self.costs: dict[str, set[str]] = {}
        self.refunds: dict[str, set[str]] = {}
        self.resolutions: dict[str, set[str]] = {}
        self.unlinked: dict[str, set[str]] = {}

    def _place(self, fact: Fact) -> tuple[dict[str, set[str]], str, str] | None:
        """Return the index, key and identity of a fact; None if it names nothing."""
        if isinstance(fact, Order):
            if fact.kind == "adjustment":
                return None
            if fact.kind == "sale":
                named = fact.contact_id
                return None if named is None else (self.sold, named, fact.order_id)
            if fact.refund_of is not None:
                return self.refunds, fact.refund_of, fact.order_id
            return self.unlinked, fact.currency, fact.order_id
        if isinstance(fact, Cost):
            named = fact.contact_id
            return None if named is None else (self.costs, named, fact.event_id)
        if isinstance(fact, Resolution):
            return self.resolutions, fact.case_id, fact.event_id
        return None

    def enter(self, fact: Fact) -> None:
        """Enter a fact under what it names."""
        place = None if fact.withdrawn else self._place(fact)
        if place is not None:
            index, key, identity = place
            index.setdefault(key, set()).add(identity)

    def leave(self, fact: Fact) -> None:
        """Take a fact out."""
        place = None if fact.withdrawn else self._place(fact)
        if place is not None:
            index, key, identity = place
            discard(index, key, identity)


def discard(index: dict[str, set[str]], key: str, value: str) -> None:
    """Take a value out of an index of sets, and the set when it is empty."""
    members = index.get(key)
    if members is not None:
        members.discard(value)
        if not members:
            del index[key]
