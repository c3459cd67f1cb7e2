"""Consumer groups on the broker: members, generations, the `range` assignor, committed offsets.

Law: one generation at a time; who is not a member of it, or names another one, commits nothing.
The classic protocol, eager: a rebalance waits until every member has given up what it had and
asked again, or was too slow to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from confluent_kafka import KafkaError

from tests.simulation.pace import Pace
from tests.simulation.refusal import Refusal

Place: TypeAlias = tuple[str, int]
Assigned: TypeAlias = Callable[[int, list[Place]], None]
NO_GENERATION = -1


class Membership(NamedTuple):
    """What a client proves to be: it commits with this."""

    group: str
    member: str
    generation: int


@dataclass(eq=False)
class _Member:
    name: str
    topics: tuple[str, ...]
    session: float
    rebalance: float
    assigned: Assigned
    waiting: bool = True
    heard: float = 0.0


@dataclass(eq=False)
class _Group:
    generation: int = 0
    members: dict[str, _Member] = field(default_factory=dict)
    preparing: bool = False
    round: int = 0
    offsets: dict[Place, int] = field(default_factory=dict)
    pending: dict[int, dict[Place, int]] = field(default_factory=dict)
    marks: dict[Place, str] = field(default_factory=dict)
    pending_marks: dict[int, dict[Place, str]] = field(default_factory=dict)


def range_assignment(
    members: Mapping[str, tuple[str, ...]], counts: Mapping[str, int]
) -> dict[str, list[Place]]:
    """Return what Kafka's range assignor gives each member: topic by topic, in order of name."""
    given: dict[str, list[Place]] = {name: [] for name in members}
    for topic, count in sorted(counts.items()):
        takers = sorted(name for name, topics in members.items() if topic in topics)
        if not takers:
            continue
        each, more = divmod(count, len(takers))
        first = 0
        for index, name in enumerate(takers):
            share = each + (index < more)
            given[name] += [(topic, number) for number in range(first, first + share)]
            first += share
    return given


class Groups:
    """All groups of a broker."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._groups: dict[str, _Group] = {}
        self.counts: Callable[[str], int] = lambda _: 0
        """How many partitions a topic has."""
        self.rebalances = 0
        self.went_back: list[str] = []
        """Committed offsets that a transaction set to less than they were."""

    # Membership

    def join(
        self,
        group: str,
        member: str,
        topics: tuple[str, ...],
        session: float,
        rebalance: float,
        assigned: Assigned,
    ) -> None:
        """Ask for a share; `assigned` is told generation and share once all have asked."""
        known = self._group(group)
        present = known.members.get(member)
        if present is None:
            present = _Member(member, topics, session, rebalance, assigned)
            known.members[member] = present
        present.topics, present.assigned, present.waiting = topics, assigned, True
        present.heard = self._pace.now()
        self._begin_rebalance(known)
        self._try_to_finish(known)

    def leave(self, group: str, member: str) -> None:
        """Give a share up."""
        known = self._group(group)
        if known.members.pop(member, None) is not None:
            self._begin_rebalance(known)
            self._try_to_finish(known)

    def heartbeat(self, membership: Membership) -> None:
        """Say that a member lives."""
        known = self._group(membership.group)
        member = self._validated(known, membership)
        self._hear(known, member)
        if known.preparing:
            raise Refusal(KafkaError.REBALANCE_IN_PROGRESS)

    def greet_all(self) -> None:
        """Let every session begin anew: the coordinator was away."""
        for known in self._groups.values():
            for member in known.members.values():
                self._hear(known, member)

    def members(self, group: str) -> list[str]:
        """Return who is in a group."""
        return sorted(self._group(group).members)

    def generation(self, group: str) -> int:
        """Return the number of the newest generation."""
        return self._group(group).generation

    def _group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    def _validated(self, known: _Group, membership: Membership) -> _Member:
        member = known.members.get(membership.member)
        if member is None:
            raise Refusal(KafkaError.UNKNOWN_MEMBER_ID, membership.member)
        if membership.generation != known.generation:
            raise Refusal(
                KafkaError.ILLEGAL_GENERATION,
                f"generation {membership.generation}, now it is {known.generation}",
            )
        return member

    def _hear(self, known: _Group, member: _Member) -> None:
        heard = member.heard = self._pace.now()

        def expire() -> None:
            if member.heard == heard and known.members.get(member.name) is member:
                if member.waiting and known.preparing:
                    self._hear(known, member)
                    return
                del known.members[member.name]
                self._begin_rebalance(known)
                self._try_to_finish(known)

        self._pace.at(member.session, expire)

    def _begin_rebalance(self, known: _Group) -> None:
        if known.preparing or not known.members:
            return
        known.preparing = True
        known.round += 1
        number = known.round
        patience = max(member.rebalance for member in known.members.values())
        self._pace.at(patience, lambda: self._give_up_waiting(known, number))

    def _give_up_waiting(self, known: _Group, number: int) -> None:
        if known.preparing and known.round == number:
            known.members = {
                name: member for name, member in known.members.items() if member.waiting
            }
            self._try_to_finish(known)

    def _try_to_finish(self, known: _Group) -> None:
        if not known.preparing:
            return
        if not known.members:
            known.preparing = False
            known.generation += 1
            return
        if not all(member.waiting for member in known.members.values()):
            return
        known.preparing = False
        known.generation += 1
        self.rebalances += 1
        wanted = {name: member.topics for name, member in known.members.items()}
        topics = {topic for named in wanted.values() for topic in named}
        shares = range_assignment(wanted, {topic: self.counts(topic) for topic in topics})
        for name, member in sorted(known.members.items()):
            member.waiting = False
            self._hear(known, member)
            member.assigned(known.generation, shares[name])

    # Offsets

    def hold(
        self,
        membership: Membership,
        producer: int,
        offsets: Mapping[Place, int],
        marks: Mapping[Place, str] | None = None,
    ) -> None:
        """Keep offsets until their transaction ends, if the member may commit them.

        Without member and generation nothing is checked: so old producers commit.
        """
        known = self._group(membership.group)
        if membership.member or membership.generation >= 0:
            self._validated(known, membership)
        known.pending.setdefault(producer, {}).update(offsets)
        known.pending_marks.setdefault(producer, {}).update(
            {place: (marks or {}).get(place, "") for place in offsets}
        )

    def decide(self, group: str, producer: int, *, commit: bool) -> None:
        """End a transaction's offsets."""
        known = self._group(group)
        offsets = known.pending.pop(producer, {})
        marks = known.pending_marks.pop(producer, {})
        if commit:
            self.went_back += [
                f"{group}, {place}: from {known.offsets[place]} to {offset}"
                for place, offset in offsets.items()
                if offset < known.offsets.get(place, 0)
            ]
            known.offsets.update(offsets)
            known.marks.update(marks)

    def commit(self, group: str, offsets: Mapping[Place, int]) -> None:
        """Set offsets by hand, as an operator does."""
        known = self._group(group)
        known.offsets.update(offsets)
        known.marks.update(dict.fromkeys(offsets, ""))

    def committed(self, group: str, places: list[Place]) -> dict[Place, int]:
        """Return committed offsets; refused while a transaction over one of them is open."""
        known = self._group(group)
        for pending in known.pending.values():
            if not pending.keys().isdisjoint(places):
                raise Refusal(KafkaError.UNSTABLE_OFFSET_COMMIT)
        return {place: known.offsets[place] for place in places if place in known.offsets}

    def marked(self, group: str, places: list[Place]) -> dict[Place, tuple[int, str]]:
        """Return committed offsets, and the metadata they were committed with."""
        marks = self._group(group).marks
        found = self.committed(group, places)
        return {place: (offset, marks.get(place, "")) for place, offset in found.items()}

    def offsets(self, group: str) -> dict[Place, int]:
        """Return all that is committed, whatever is pending."""
        return dict(self._group(group).offsets)
