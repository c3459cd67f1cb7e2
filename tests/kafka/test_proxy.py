"""The proxy does to a request what it says, and what that does to plain clients.

The last part are facts about librdkafka 2.16 and a broker of Kafka 4.3, seen on the wire: EndTxn
in version 1, retried by the client without a word, and what a late one does (KAFKA-17754).
"""

import json
import time
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from tests.support.kafka_broker import Cluster
from tests.support.kafka_plain import producer, read
from tests.support.kafka_proxy import Fault, Proxy
from tests.support.kafka_wire import Api
from tests.support.waiting import until


@pytest.fixture
def topic(cluster: Cluster, prefix: str) -> str:
    """Return a topic of one partition."""
    cluster.create(f"{prefix}topic", 1)
    return f"{prefix}topic"


def sending(cluster: Cluster, topic: str, value: bytes = b"record", **settings: object) -> Producer:
    """Return a producer behind the proxy that has a record to send."""
    sender = producer(cluster.proxied_bootstrap, **settings)
    sender.produce(topic, value, partition=0)
    return sender


def test_requests_pass_and_are_counted(cluster: Cluster, proxy: Proxy, topic: str) -> None:
    """Without a fault the proxy only counts, by API and client."""
    assert sending(cluster, topic, client_id="one").flush(30) == 0
    assert sending(cluster, topic, client_id="two").flush(30) == 0
    assert read(cluster.proxied_bootstrap, topic) == [b"record"] * 2
    assert (proxy.count(Api.PRODUCE), proxy.count(Api.PRODUCE, "two")) == (2, 1)


def test_a_held_request_waits_for_its_release(cluster: Cluster, proxy: Proxy, topic: str) -> None:
    """The broker gets a held request when the test says so, and the client its answer."""
    held = proxy.hold(Api.PRODUCE)
    sender = sending(cluster, topic)
    held.await_hit()
    assert sender.flush(0.3) == 1
    assert read(cluster.bootstrap, topic) == []
    held.release()
    assert sender.flush(30) == 0


def test_a_delayed_request_comes_later(cluster: Cluster, proxy: Proxy, topic: str) -> None:
    """The broker gets a delayed request, by itself, when its time has come."""
    proxy.delay(Api.PRODUCE, 0.5)
    began = time.monotonic()
    assert sending(cluster, topic).flush(30) == 0
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize(("fault", "kept"), [(Proxy.cut, []), (Proxy.lose_reply, [b"record"])])
def test_a_cut_is_before_or_after_the_broker(
    cluster: Cluster,
    proxy: Proxy,
    topic: str,
    fault: Callable[[Proxy, Api], Fault],
    kept: list[bytes],
) -> None:
    """A client whose connection is cut cannot tell whether the broker did what it asked."""
    fault(proxy, Api.PRODUCE)
    failed: list[KafkaError | None] = []
    sender = producer(cluster.proxied_bootstrap, retries=0)
    sender.produce(topic, b"record", partition=0, on_delivery=lambda error, _: failed.append(error))
    assert sender.flush(30) == 0
    assert [error and error.name() for error in failed] == ["_TRANSPORT"]
    assert read(cluster.bootstrap, topic) == kept


def test_a_swallowed_request_leaves_the_connection_open(
    cluster: Cluster, proxy: Proxy, topic: str
) -> None:
    """The client waits for its own time limit, and then sends again by a new connection."""
    proxy.swallow(Api.PRODUCE)
    began = time.monotonic()
    assert sending(cluster, topic, socket_timeout_ms=1000).flush(30) == 0
    assert time.monotonic() - began >= 1
    assert (proxy.count(Api.PRODUCE), read(cluster.bootstrap, topic)) == (2, [b"record"])


def test_half_open_connections_pass_nothing(cluster: Cluster, proxy: Proxy, topic: str) -> None:
    """All that stand fall silent at once; new ones are as good as ever."""
    sender = sending(cluster, topic, socket_timeout_ms=1000)
    assert sender.flush(30) == 0
    proxy.half_open()
    sender.produce(topic, b"second", partition=0)
    assert sender.flush(0.5) == 1
    assert sender.flush(30) == 0


def test_a_slow_network_takes_its_time(cluster: Cluster, proxy: Proxy, topic: str) -> None:
    """20,000 bytes at 5,000 a second take four; other clients are not slowed meanwhile."""
    proxy.slow(5_000, client="slow")
    began = time.monotonic()
    slow = sending(cluster, topic, bytes(20_000), client_id="slow")
    assert sending(cluster, topic, b"quick", client_id="quick").flush(30) == 0
    assert len(slow) == 1
    assert slow.flush(30) == 0
    assert time.monotonic() - began >= 4


def test_nobody_comes_in_while_connections_are_refused(
    cluster: Cluster, proxy: Proxy, topic: str
) -> None:
    """Clients whose connections were cut come back when they are let in again."""
    sender = sending(cluster, topic)
    assert sender.flush(30) == 0
    proxy.refuse()
    proxy.cut_all()
    sender.produce(topic, b"second", partition=0)
    assert sender.flush(0.5) == 1
    proxy.heal()
    assert sender.flush(30) == 0


def test_a_fault_is_for_the_nth_request_of_a_client(
    cluster: Cluster, proxy: Proxy, topic: str
) -> None:
    """Only what was asked for is struck."""
    fault = proxy.lose_reply(Api.PRODUCE, nth=2, client="b")
    for client in ("a", "b", "a", "b", "b"):
        assert sending(cluster, topic, client_id=client, enable_idempotence=True).flush(30) == 0
    assert [hit.client for hit in fault.hits] == ["b"]
    assert (proxy.count(Api.PRODUCE, "a"), proxy.count(Api.PRODUCE, "b")) == (2, 4)
    assert len(read(cluster.bootstrap, topic)) == 5


def test_every_broker_of_three_is_behind_the_proxy(three: Cluster, prefix: str) -> None:
    """Clients are told the proxy's addresses, and one broker alone can be out of their reach."""
    three.create(f"{prefix}copied", 1)
    with Proxy(three) as proxy:
        client = producer(three.proxied_bootstrap)
        known = {each.port for each in client.list_topics(timeout=30).brokers.values()}
        assert known == {broker.ports.proxy for broker in three.brokers}
        leader = three.leader(f"{prefix}copied", 0)
        assert leader is not None
        proxy.refuse(leader.node)
        proxy.cut_all(node=leader.node)
        client.produce(f"{prefix}copied", b"record", partition=0)
        assert client.flush(1) == 1
        proxy.accept(leader.node)
        assert client.flush(30) == 0


class Transactions:
    """A plain transactional producer behind the proxy, and what its statistics say of it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.disconnects = 0
        self.errors: list[KafkaError] = []
        self.producer = Producer(
            {
                "bootstrap.servers": cluster.proxied_bootstrap,
                "transactional.id": name,
                "client.id": name,
                "socket.timeout.ms": 1000,
                "log_level": 0,
                "error_cb": self.errors.append,
                "statistics.interval.ms": 50,
                "stats_cb": self._take,
            }
        )
        self.producer.init_transactions(30)

    def _take(self, statistics: str) -> None:
        self.disconnects = json.loads(statistics)["brokers"]["TxnCoordinator"]["disconnects"]

    def begin(self, topic: str, value: bytes) -> None:
        """Begin a transaction and bring its first record to the broker."""
        self.producer.begin_transaction()
        self.add(topic, value)

    def add(self, topic: str, value: bytes) -> None:
        """Bring one more record of the transaction to the broker."""
        self.producer.produce(topic, value, partition=0)
        assert self.producer.flush(30) == 0

    def saw_a_disconnect(self) -> bool:
        """Return whether the statistics know of a cut connection."""
        self.producer.poll(0)
        return self.disconnects > 0


@pytest.mark.parametrize("fault", [Proxy.cut, Proxy.lose_reply, Proxy.hold])
def test_the_client_repeats_a_commit_without_a_word(
    cluster: Cluster, proxy: Proxy, topic: str, fault: Callable[[Proxy, Api], Fault]
) -> None:
    """Whatever befell EndTxn, commit_transaction returns as if nothing had: no error is reported.

    Seen: EndTxn in version 1 goes out twice, the second time `retry.backoff.ms` (100, give or take
    a fifth) after the cut, or after `socket.timeout.ms` where no answer came. The error callback is
    not called; of the retry tell only the statistics of `TxnCoordinator` (disconnects, txretries,
    req_timeouts), and only those made after it: an interval must pass.
    """
    fault(proxy, Api.END_TXN)
    client = Transactions(cluster, f"{topic}.id")
    client.begin(topic, b"record")
    began = time.monotonic()
    client.producer.commit_transaction(30)
    assert time.monotonic() - began >= 0.08
    assert (proxy.count(Api.END_TXN), proxy.versions(Api.END_TXN)) == (2, {1})
    until(client.saw_a_disconnect, 10, "the statistics tell of the cut")
    assert client.errors == []
    assert read(cluster.bootstrap, topic) == [b"record"]


def test_a_late_commit_tears_the_next_transaction(
    cluster: Cluster, proxy: Proxy, topic: str
) -> None:
    """A held EndTxn, released into the next transaction, commits the part written so far.

    Seen: the first commit is held, repeated by the client on a new connection, and returns. The
    broker takes the late one (version 1, same producer and epoch, error 0) for the end of the
    second transaction: half a batch is committed. The other half it refuses, because it verifies
    that the partition belongs to a transaction: INVALID_TXN_STATE, at the client's commit as an
    error that asks for an abort, and at that abort as a fatal one. So the tear can be read, and
    shows itself only afterwards.
    """
    held = proxy.hold(Api.END_TXN)
    client = Transactions(cluster, f"{topic}.id")
    client.begin(topic, b"first")
    client.producer.commit_transaction(30)
    client.begin(topic, b"half")
    assert read(cluster.bootstrap, topic) == [b"first"]
    held.release()
    assert held.await_reply()[4:6] == bytes(2)
    assert read(cluster.bootstrap, topic) == [b"first", b"half"]
    client.add(topic, b"other half")
    with pytest.raises(KafkaException) as caught:
        client.producer.commit_transaction(30)
    assert caught.value.args[0].code() == KafkaError.INVALID_TXN_STATE
    assert caught.value.args[0].txn_requires_abort()
    with pytest.raises(KafkaException) as caught:
        client.producer.abort_transaction(30)
    assert caught.value.args[0].code() == KafkaError.INVALID_TXN_STATE
    assert caught.value.args[0].fatal()
    assert read(cluster.bootstrap, topic) == [b"first", b"half"]


def test_a_late_abort_loses_part_of_the_next_transaction(
    cluster: Cluster, proxy: Proxy, topic: str
) -> None:
    """A late EndTxn that aborts takes what was written so far, and the commit returns all the same.

    Seen: after it a partition new to the transaction begins another one, unknown to the client,
    whose commit ends only that. Nothing fails and nothing is reported: half a batch is lost.
    """
    cluster.create(f"{topic}.2", 1)
    lost = proxy.cut(Api.END_TXN)
    client = Transactions(cluster, f"{topic}.id")
    client.begin(topic, b"not to be")
    client.producer.abort_transaction(30)
    client.begin(topic, b"half")
    assert proxy.replay(lost.await_hit())[4:6] == bytes(2)
    client.add(f"{topic}.2", b"other half")
    client.producer.commit_transaction(30)
    assert read(cluster.bootstrap, topic) == []
    assert read(cluster.bootstrap, f"{topic}.2") == [b"other half"]


def test_a_new_producer_is_safe_from_late_ends(cluster: Cluster, proxy: Proxy, topic: str) -> None:
    """init_transactions bumps the epoch: a late EndTxn of before is refused, nothing torn."""
    lost = proxy.cut(Api.END_TXN)
    client = Transactions(cluster, f"{topic}.id")
    client.begin(topic, b"first")
    client.producer.commit_transaction(30)
    again = Transactions(cluster, f"{topic}.id")
    again.begin(topic, b"second")
    answer = proxy.replay(lost.await_hit())
    assert int.from_bytes(answer[4:6]) == KafkaError.INVALID_PRODUCER_EPOCH
    assert read(cluster.bootstrap, topic) == [b"first"]
    again.producer.commit_transaction(30)
    assert read(cluster.bootstrap, topic) == [b"first", b"second"]
