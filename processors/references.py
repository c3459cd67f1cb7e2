"""What a customer's facts refer to: from an id to the facts that name it.

Law: an index holds exactly the facts that stand (not withdrawn), and no empty lists.
"""

from typing import TypeAlias

from streams.facts import Cost, Fact, Order, Resolution

Index: TypeAlias = dict[str, list[str]]
"""From an id to the identities that name it, each once: mostly one, for which a set is large."""


class References:
    """Indexes of one customer's facts by what they name."""

    __slots__ = ("costs", "refunds", "resolutions", "sold", "surveys", "unlinked")

    def __init__(self) -> None:
        # Sales and costs by the contact_id they name, refunds by the order_id, resolutions by
        # the case_id; refunds that name no order by currency; resolutions with an opinion by the
        # contact_id they name.
        self.sold: Index = {}
        self.costs: Index = {}
        self.refunds: Index = {}
        self.resolutions: Index = {}
        self.unlinked: Index = {}
        self.surveys: Index = {}

    def _place(self, fact: Fact) -> tuple[Index, str, str] | None:
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
            enter(index, key, identity)
        if isinstance(fact, Resolution) and (judged := _judged(fact)) is not None:
            enter(self.surveys, judged, fact.event_id)

    def leave(self, fact: Fact) -> None:
        """Take a fact out."""
        place = None if fact.withdrawn else self._place(fact)
        if place is not None:
            index, key, identity = place
            discard(index, key, identity)
        if isinstance(fact, Resolution) and (judged := _judged(fact)) is not None:
            discard(self.surveys, judged, fact.event_id)


def _judged(fact: Resolution) -> str | None:
    """Return the contact of which a resolution that stands says what the customer thought."""
    if fact.withdrawn or fact.csat is fact.nps is fact.ces is None:
        return None
    return fact.contact_id


def enter(index: Index, key: str, identity: str) -> None:
    """Enter an identity that is not in the index under this key."""
    if key in index:
        index[key].append(identity)
    else:
        index[key] = [identity]


def discard(index: Index, key: str, identity: str) -> None:
    """Take an identity out of an index, and its list when it is empty."""
    members = index[key]
    members.remove(identity)
    if not members:
        del index[key]
