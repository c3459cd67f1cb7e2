"""The brokers that other tests stand on: they end in every way, and keep what they got."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.support.kafka_broker import COMPACTED_SOON, Broker, Cluster, free_ports, is_free
from tests.support.kafka_plain import producer, read, send
from tests.support.waiting import until


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start a broker that only these tests use, because they end it."""
    with Cluster(tmp_path_factory.mktemp("own")) as started:
        yield started


@pytest.mark.parametrize("ending", [Broker.stop, Broker.kill])
def test_a_broker_keeps_records_and_addresses_over_a_restart(
    own: Cluster, prefix: str, ending: object
) -> None:
    """What was acknowledged before a stop or a crash is there after it, at the same address."""
    assert callable(ending)
    own.create(f"{prefix}kept", 1)
    send(own.bootstrap, f"{prefix}kept", b"before")
    ending(own.brokers[0])
    assert not own.brokers[0].running
    own.start()
    send(own.bootstrap, f"{prefix}kept", b"after")
    assert read(own.bootstrap, f"{prefix}kept") == [b"before", b"after"]


def test_a_paused_broker_answers_nothing_until_it_is_resumed(own: Cluster, prefix: str) -> None:
    """A record sent to a broker that stands still is delivered when it goes on."""
    own.create(f"{prefix}waited", 1)
    own.pause()
    sender = producer(own.bootstrap)
    sender.produce(f"{prefix}waited", b"record", partition=0)
    assert sender.flush(1) == 1
    own.resume()
    assert sender.flush(30) == 0


def test_topics_are_never_created_by_the_way(cluster: Cluster, prefix: str) -> None:
    """A record for a topic that nobody created is refused."""
    sender = producer(cluster.bootstrap, message_timeout_ms=1000)
    sender.produce(f"{prefix}nobody", b"record")
    sender.flush(10)
    assert f"{prefix}nobody" not in cluster.admin().list_topics(timeout=10).topics


def test_compaction_takes_older_records_within_seconds(cluster: Cluster, prefix: str) -> None:
    """Tests of compaction need no minutes: only the newest record of a key stays."""
    topic = f"{prefix}compacted"
    cluster.create(topic, 1, COMPACTED_SOON)
    send(cluster.bootstrap, topic, *(b"%d" % number for number in range(100)))

    def compacted() -> bool:
        send(cluster.bootstrap, topic, b"newest")
        return len(read(cluster.bootstrap, topic)) < 50

    until(compacted, 20, "older records are gone")
    assert read(cluster.bootstrap, topic)[-1] == b"newest"


def test_the_broker_for_development_keeps_its_data(tmp_path: Path) -> None:
    """`make kafka` says where it listens and ends well at Ctrl-C; a second start has the topics."""
    port = next(port for port in free_ports(9) if is_free(port + 1) and is_free(port + 2))
    command = [sys.executable, "-m", "tests.support.kafka_dev", "--folder", str(tmp_path)]
    for topics in ([], ["mine"]):
        with subprocess.Popen(
            [*command, "--port", str(port)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert f"127.0.0.1:{port} " in process.stdout.readline()
            admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
            assert list(admin.list_topics(timeout=10).topics) == topics
            if not topics:
                admin.create_topics([NewTopic("mine", 1)])["mine"].result(10)
            process.send_signal(signal.SIGINT)
            assert "stopped" in process.communicate(timeout=30)[0]
        assert process.returncode == 0


def test_two_of_three_brokers_go_on(three: Cluster, prefix: str) -> None:
    """A partition whose leader was killed takes records again, and nothing acknowledged is lost."""
    topic = f"{prefix}copied"
    three.create(topic, 1)
    send(three.bootstrap, topic, b"before")
    leader = three.leader(topic, 0)
    assert leader is not None
    leader.kill()
    send(three.bootstrap, topic, b"between")
    leader.start()
    send(three.bootstrap, topic, b"after")
    assert read(three.bootstrap, topic) == [b"before", b"between", b"after"]
