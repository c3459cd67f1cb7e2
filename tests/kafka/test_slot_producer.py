"""A commit that was sent twice is followed by a new producer; one that was not is left alone."""

from collections.abc import Callable

import pytest

from streams.clock import pause
from streams.kafka_clients import LibrdkafkaClients
from streams.kafka_producer import SlotProducer
from streams.log import Fenced, Outgoing
from tests.kafka.places import create_topics, settings
from tests.support.kafka_broker import Cluster
from tests.support.kafka_plain import read
from tests.support.kafka_proxy import Api, Fault, Proxy
from tests.support.waiting import until

OUTPUT = "pnl.ledger.v1"


@pytest.fixture
def producer(cluster: Cluster, proxy: Proxy, prefix: str) -> SlotProducer:  # noqa: ARG001
    """Return a producer behind the proxy, with one transaction behind it."""
    create_topics(cluster, prefix)
    told = settings(cluster.proxied_bootstrap, prefix, socket_timeout_ms="1000")
    made = SlotProducer(LibrdkafkaClients(), told, "journeys")
    write(made, prefix, b"first")
    return made


def begin(producer: SlotProducer, prefix: str, value: bytes) -> None:
    """Open a transaction and send its first record."""
    producer.begin()
    producer.produce(prefix + OUTPUT, 0, [Outgoing(b"k", value)])


def _knows_statistics(producer: SlotProducer) -> bool:
    producer.begin()
    producer.abort()
    return producer._counters is not None


def write(producer: SlotProducer, prefix: str, value: bytes) -> None:
    """Commit one record."""
    begin(producer, prefix, value)
    producer.commit([], None)


def write_on(producer: SlotProducer, prefix: str) -> None:
    """Queue a record every hundredth of a second, for ten seconds."""
    for _ in range(1_000):
        producer.produce(prefix + OUTPUT, 0, [Outgoing(b"k", b"never")])
        pause(0.01)


def test_quick_ends_keep_their_producer(producer: SlotProducer, prefix: str) -> None:
    """Nothing happened: ten transactions, one producer; the slow ones are cleared by statistics."""
    until(lambda: _knows_statistics(producer), 30, "the first statistics are there")
    before = producer.replaced
    for number in range(10):
        write(producer, prefix, b"%d" % number)
    begin(producer, prefix, b"never")
    producer.abort()
    producer.begin()
    assert producer.replaced == before


@pytest.mark.parametrize("fault", [Proxy.cut, Proxy.lose_reply, Proxy.hold])
def test_a_commit_sent_twice_brings_a_new_producer(
    cluster: Cluster,
    proxy: Proxy,
    prefix: str,
    producer: SlotProducer,
    fault: Callable[[Proxy, Api], Fault],
) -> None:
    """The library says nothing of it, but the next transaction has a producer of its own."""
    befell = fault(proxy, Api.END_TXN)
    write(producer, prefix, b"second")
    befell.await_hit()
    write(producer, prefix, b"third")
    assert producer.replaced == 1
    assert read(cluster.bootstrap, prefix + OUTPUT) == [b"first", b"second", b"third"]


def test_a_producer_that_was_fenced_unawares_is_told_who_did_it(
    producer: SlotProducer, prefix: str, cluster: Cluster
) -> None:
    """It hears of it between two calls, and the library's next answer names no reason."""
    begin(producer, prefix, b"never")
    successor = SlotProducer(LibrdkafkaClients(), settings(cluster.bootstrap, prefix), "journeys")
    with pytest.raises(Fenced, match="took this slot over"):
        write_on(producer, prefix)
    write(successor, prefix, b"second")
    assert read(cluster.bootstrap, prefix + OUTPUT) == [b"first", b"second"]
    producer.close()


def test_a_late_commit_is_refused(
    cluster: Cluster, proxy: Proxy, prefix: str, producer: SlotProducer
) -> None:
    """The first copy of a commit comes in the midst of the next transaction and ends nothing."""
    late = proxy.hold(Api.END_TXN)
    write(producer, prefix, b"second")
    begin(producer, prefix, b"never")
    late.release()
    assert late.await_reply()[4:6] != bytes(2)
    producer.abort()
    write(producer, prefix, b"third")
    assert read(cluster.bootstrap, prefix + OUTPUT) == [b"first", b"second", b"third"]


def test_a_late_abort_is_refused(
    cluster: Cluster, proxy: Proxy, prefix: str, producer: SlotProducer
) -> None:
    """The first copy of an abort comes in the midst of the next transaction and takes nothing."""
    late = proxy.hold(Api.END_TXN)
    sent = proxy.count(Api.PRODUCE)
    begin(producer, prefix, b"never")
    until(lambda: proxy.count(Api.PRODUCE) > sent, 10, "the broker has the record")
    producer.abort()
    begin(producer, prefix, b"second")
    late.release()
    assert late.await_reply()[4:6] != bytes(2)
    producer.commit([], None)
    assert read(cluster.bootstrap, prefix + OUTPUT) == [b"first", b"second"]
