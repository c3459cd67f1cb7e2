"""The broker in memory, where clients alone cannot show what it does."""

import pytest
from confluent_kafka import KafkaError

from tests.simulation.broker import Broker
from tests.simulation.groups import Membership, range_assignment
from tests.simulation.pace import Process, VirtualPace
from tests.simulation.partition_log import PartitionLog
from tests.simulation.refusal import Refusal

PLACE = ("ledger", 0)
OTHER = ("batches", 0)
MEMBER = Membership("journeys", "", -1)


class At:
    """A broker with one transactional producer, spoken to directly."""

    def __init__(self) -> None:
        self.pace = VirtualPace()
        self.broker = Broker(self.pace, lambda: 0)
        self.broker.create("ledger", 1)
        self.broker.create("batches", 1)
        self.sent: dict[tuple[str, int], int] = {}
        self.start()

    def start(self, timeout: float = 10.0) -> None:
        """Get an epoch."""
        self.producer, self.epoch = self.broker.init_producer("slot", timeout)
        self.sent.clear()

    def settle(self, seconds: float = 0.1) -> None:
        """Let the broker finish what it has begun."""
        self.pace.wait(Process("test"), seconds, None)

    def add(self, *places: tuple[str, int]) -> None:
        """Make partitions part of the transaction."""
        self.broker.add_partitions("slot", self.producer, self.epoch, places)

    def produce(self, place: tuple[str, int], value: bytes) -> int:
        """Write one record in the transaction."""
        sequence = self.sent.get(place, 0)
        records = [(b"key", value, None)]
        offset = self.broker.produce(place, records, self.producer, self.epoch, sequence, "slot")
        self.sent[place] = sequence + 1
        return offset

    def end(self, *, commit: bool = True) -> None:
        """End the transaction and let it be done."""
        self.broker.end("slot", self.producer, self.epoch, commit=commit)
        self.settle()

    def seen(self, place: tuple[str, int]) -> list[bytes | None]:
        """Return what a reader of committed records sees."""
        entries, _ = self.broker.partition(place).read(0, 100, committed=True)
        return [entry.value for entry in entries]


@pytest.fixture
def at() -> At:
    """Return a broker and a producer."""
    return At()


def code_of(raised: pytest.ExceptionInfo[Refusal]) -> int:
    """Return why the broker refused."""
    return raised.value.code


def test_a_late_end_of_the_former_transaction_tears_the_next(at: At) -> None:
    """The known limit: the same producer and epoch end whatever is open (KAFKA-17754)."""
    at.add(PLACE, OTHER)
    at.produce(PLACE, b"half")
    at.end()  # meant for the transaction before this one
    assert at.seen(PLACE) == [b"half"]
    with pytest.raises(Refusal) as raised:
        at.produce(OTHER, b"other half")
    assert code_of(raised) == KafkaError.INVALID_TXN_STATE
    with pytest.raises(Refusal) as raised:
        at.end(commit=False)
    assert code_of(raised) == KafkaError.INVALID_TXN_STATE


def test_a_late_end_is_refused_after_a_new_epoch(at: At) -> None:
    """So a new producer after every doubt is the cure."""
    former = at.epoch
    at.start()
    at.add(PLACE)
    at.produce(PLACE, b"whole")
    with pytest.raises(Refusal) as raised:
        at.broker.end("slot", at.producer, former, commit=True)
    assert code_of(raised) == KafkaError.PRODUCER_FENCED
    assert at.seen(PLACE) == []


def test_an_end_may_be_repeated_but_not_turned(at: At) -> None:
    """What was committed is not aborted afterwards, and the other way round."""
    at.add(PLACE)
    at.end()
    at.end()
    with pytest.raises(Refusal) as raised:
        at.end(commit=False)
    assert code_of(raised) == KafkaError.INVALID_TXN_STATE


def test_a_partition_that_was_not_added_takes_no_record(at: At) -> None:
    """A record of no transaction would stay undecided for ever."""
    at.add(PLACE)
    with pytest.raises(Refusal) as raised:
        at.produce(OTHER, b"stray")
    assert code_of(raised) == KafkaError.INVALID_TXN_STATE


def test_a_batch_sent_twice_is_there_once(at: At) -> None:
    """It gets the offset that it has; a batch after a gap is refused."""
    at.add(PLACE)
    first = at.produce(PLACE, b"a")
    at.sent[PLACE] = 0
    assert at.produce(PLACE, b"a") == first
    at.end()
    assert at.seen(PLACE) == [b"a"]
    at.add(PLACE)
    at.sent[PLACE] = 5
    with pytest.raises(Refusal) as raised:
        at.produce(PLACE, b"gap")
    assert code_of(raised) == KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_transaction_left_open_is_aborted_and_its_producer_fenced(at: At) -> None:
    """After its timeout, so that readers go on."""
    at.add(PLACE)
    at.produce(PLACE, b"left")
    at.settle(9.9)
    assert at.broker.partition(PLACE).stable == 0
    at.settle(0.2)
    assert at.broker.partition(PLACE).stable == 2
    assert at.seen(PLACE) == []
    with pytest.raises(Refusal) as raised:
        at.end()
    assert code_of(raised) == KafkaError.PRODUCER_FENCED


def test_the_end_is_answered_before_it_is_done(at: At) -> None:
    """Readers see it a moment later; until then the next transaction has to wait."""
    at.add(PLACE)
    at.produce(PLACE, b"a")
    at.broker.end("slot", at.producer, at.epoch, commit=True)
    assert at.seen(PLACE) == []
    with pytest.raises(Refusal) as raised:
        at.add(PLACE)
    assert code_of(raised) == KafkaError.CONCURRENT_TRANSACTIONS
    at.settle()
    assert at.seen(PLACE) == [b"a"]


def test_offsets_without_a_member_are_taken_as_they_come(at: At) -> None:
    """Kafka checks the generation only of who names one: so ours always does."""
    at.broker.add_offsets("slot", at.producer, at.epoch, "journeys")
    at.broker.commit_offsets("slot", at.producer, at.epoch, MEMBER, {PLACE: 7})
    with pytest.raises(Refusal) as raised:
        at.broker.groups.committed("journeys", [PLACE])
    assert code_of(raised) == KafkaError.UNSTABLE_OFFSET_COMMIT
    at.end()
    assert at.broker.groups.committed("journeys", [PLACE]) == {PLACE: 7}


def test_compaction_keeps_the_newest_of_each_key() -> None:
    """Offsets stay as they are, a removed key stays removed, what is undecided stays."""
    log = PartitionLog()
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", b"1")):
        log.append([(key, value, None)], 0)
    log.append([(b"a", b"3", None)], 0, producer=1, epoch=0, sequence=0, transactional=True)
    log.compact(log.end)
    kept = [(entry.offset, entry.key, entry.value) for entry in log.entries]
    assert kept == [(2, b"a", b"2"), (3, b"b", None), (4, b"c", b"1"), (5, b"a", b"3")]


def test_the_range_assignor_gives_every_topic_the_same_numbers() -> None:
    """As long as they have equally many partitions; the first members get one more."""
    members = {"b": ("x", "y"), "a": ("x", "y"), "c": ("x",)}
    assert range_assignment(members, {"x": 4, "y": 4}) == {
        "a": [("x", 0), ("x", 1), ("y", 0), ("y", 1)],
        "b": [("x", 2), ("y", 2), ("y", 3)],
        "c": [("x", 3)],
    }
