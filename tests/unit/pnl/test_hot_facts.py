"""Customers stay decoded up to a number of facts: who comes after is read from the state again."""

from collections.abc import Sequence

from pnl.engine import JourneysHandler
from processors.policy import Policy
from streams.codec import encode
from streams.facts import key_of
from streams.log import Record
from streams.topics import CONTACTS
from tests.support.facts import at, contact


class Reads:
    """A state that is empty, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        """Return nothing."""
        return []

    def load_each(
        self,
        partition: int,  # noqa: ARG002
        shelves: Sequence[bytes],
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return nothing, and remember who asked."""
        self.asked += shelves
        return [[] for _ in shelves]

    def shelves(self, partition: int) -> list[bytes]:  # noqa: ARG002
        """Return nothing."""
        return []


class Handling:
    """A handler of at most a hundred hot facts, and what it reads."""

    def __init__(self) -> None:
        self.state = Reads()
        self._handler = JourneysHandler(Policy(), code_version="test", hot_facts=100)
        self._handler.open(self.state)
        self._facts = 0

    def handle(self, customer: str, facts: int = 1, partition: int = 0) -> None:
        """Handle so many new facts of a customer as one batch."""
        records = []
        for _ in range(facts):
            self._facts += 1
            fact = contact(f"c{self._facts}", at(self._facts / 1_000), customer_id=customer)
            key = key_of(fact).encode()
            records.append(Record(CONTACTS, partition, 0, at(1), key, encode(fact), ()))
        self._handler.process(partition, records, str(self._facts))
        self._handler.promote()

    def reads(self, customer: str) -> bool:
        """Handle a fact of a customer; say whether the state was asked for who that is."""
        self.state.asked.clear()
        self.handle(customer)
        return bool(self.state.asked)


def test_who_is_not_seen_while_many_facts_pass_is_let_go() -> None:
    """What counts is facts, though all of them be one customer's."""
    few, many = Handling(), Handling()
    few.handle("asked")
    many.handle("asked")
    for _ in range(40):
        few.handle("busy")
    for _ in range(160):
        many.handle("busy")
    assert not few.reads("asked")
    assert many.reads("asked")


def test_the_bound_is_one_for_all_partitions() -> None:
    """Memory is the process's, however many partitions it owns."""
    handling = Handling()
    handling.handle("asked")
    for number in range(160):
        handling.handle(f"busy {number % 4}", partition=number % 4)
    assert handling.reads("asked")


def test_who_comes_back_brings_all_facts_along() -> None:
    """A customer of sixty facts fills a half again, with whatever single fact comes."""
    handling = Handling()
    handling.handle("large", facts=60)
    handling.handle("asked")
    handling.handle("large")
    handling.handle("busy", facts=51)
    assert handling.reads("asked")


def test_who_is_seen_all_the_time_stays() -> None:
    """However many facts that customer has."""
    handling = Handling()
    handling.handle("large", facts=60)
    for number in range(5):
        assert not handling.reads("large")
        handling.handle(f"busy {number}", facts=30)
